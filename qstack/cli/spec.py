"""``qstack spec``: the numbered requirements, and whether they, the code and the tests are in step."""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path

import click

from qstack import api
from qstack.conformance.specification import Chapter, Requirement, Specification, load
from qstack.conformance.tracing import check as find_problems
from qstack.conformance.tracing import checkout, here, update, verified
from qstack.core.errors import ConfigError
from qstack.plugin.manager import REFERENCE
from qstack.plugin.spelling import nearest

HANGING = 6


@click.group("spec")
def command() -> None:
    """Read the numbered requirements, and check what cites them."""


def specifications() -> list[Specification]:
    """Return the specifications of qstack and of every plugin; in a checkout those that stand there."""
    found = api.manager(Path()).found["specs"].values()
    own = here(Path.cwd())
    return [own if own is not None and one.plugin.distribution == REFERENCE else load(one.thing) for one in found]


def reference() -> Specification:
    """Return the specifications of qstack itself."""
    found = api.manager().found["specs"].values()
    return next(load(one.thing) for one in found if one.plugin.distribution == REFERENCE)


def place(chapter: Chapter, number: str) -> str:
    """Return where a requirement is explained."""
    return f'specs/{chapter.name}/{chapter.page.name}, section "{chapter.section(number)}"'


@command.command("list")
@click.argument("words", nargs=-1)
@click.option("--chapter", help="Only this chapter, such as link.")
@click.option("--level", help="Only this level, such as 'MUST NOT'.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def list_(words: tuple[str, ...], chapter: str | None, level: str | None, *, as_json: bool) -> None:
    """List all requirements, or those with all of these WORDS in their text, rationale or feature."""
    everything = [pair for specification in specifications() for pair in specification]
    _known(chapter, {found.name for found, _ in everything}, "a chapter")
    _known(level, {one.level for _, one in everything}, "a level")
    chosen = [(found, one) for found, one in everything if chapter in {None, found.name} and level in {None, one.level}]
    chosen = [(found, one) for found, one in chosen if all(word.lower() in _searched(one) for word in words)]
    if as_json:
        click.echo(json.dumps([{"chapter": found.name, **one.model_dump()} for found, one in chosen], indent=2))
        return
    for _, one in chosen:
        _print_line(one)
    click.echo(f"{len(chosen)} requirement{'s' if len(chosen) != 1 else ''}")


def _searched(one: Requirement) -> str:
    return f"{one.id} {one.feature} {one.text} {one.rationale}".lower()


def _known(value: str | None, allowed: set[str], what: str) -> None:
    if value is not None and value not in allowed:
        raise ConfigError(f"'{value}' is not {what}; allowed: {', '.join(sorted(allowed))}.{nearest(value, allowed)}")


def _print_line(one: Requirement) -> None:
    width = min(shutil.get_terminal_size().columns, 120)
    begin = f"{one.id}  {one.level:<10}  "
    click.echo(textwrap.fill(one.text, width, initial_indent=begin, subsequent_indent=" " * len(begin)))


@command.command("show")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
def show(numbers: tuple[str, ...]) -> None:
    """Show requirements: text, reason, source, and what verifies each."""
    found = specifications()
    for place_, number in enumerate(numbers):
        if place_:
            click.echo()
        _show(number.upper(), found)


def _show(number: str, found: list[Specification]) -> None:
    specification = next((s for s in found if any(one.id == number for _, one in s)), found[0])
    chapter, one = specification.find(number)
    click.echo(f"{one.id}  {one.level}  {chapter.name}: {one.feature}  since {one.since}\n")
    width = min(shutil.get_terminal_size().columns, 120)
    for text in (one.text, f"Why: {one.rationale}", f"Source: {one.source}"):
        click.echo(textwrap.fill(text, width, subsequent_indent=" " * HANGING if text != one.text else ""))
    if one.candidates:
        click.echo(f"From the candidates {', '.join(one.candidates)}")
    click.echo(f"\n{place(chapter, one.id)}")
    files = verified(specification).get(one.id, ())
    for file in files:
        click.echo(f"tested by {file}")
    if not files:
        click.echo(f"not tested: {specification.exceptions.get(one.id, one.verify)}")


@command.command("check")
@click.option("--update", "write", is_flag=True, help="Write the lock, the coverage and the texts in the prose first.")
def check(*, write: bool) -> None:
    """Check that requirements, prose, lock, code and tests are in step.

    In a checkout this reads code and tests; elsewhere it checks the packaged specifications.
    """
    problems = 0
    for specification in specifications():
        if write:
            update(specification)
        current = load(specification.folder)
        found = find_problems(current)
        for problem in found:
            click.echo(str(problem))
        problems += len(found)
        number = len(list(current))
        where = "with code and tests" if checkout(current) else "as packaged"
        click.echo(f"{number} requirements in {len(current.chapters)} chapters, checked {where}: {len(found)} problems")
    if problems:
        raise SystemExit(1)


@command.command("coverage")
def coverage() -> None:
    """Say for every chapter how many requirements are tested, excepted, or neither."""
    total = [0] * 5
    click.echo(f"{'chapter':<14}{'requirements':>13}{'MUST':>6}{'tested':>8}{'excepted':>10}{'neither':>9}")
    for specification in specifications():
        tests = verified(specification)
        for chapter in specification.chapters:
            numbers = [one.id for one in chapter.document.requirement]
            must = sum(one.binding for one in chapter.document.requirement)
            tested = sum(number in tests for number in numbers)
            excepted = sum(number in specification.exceptions for number in numbers)
            neither = len(numbers) - tested - excepted
            row = [len(numbers), must, tested, excepted, neither]
            total = [a + b for a, b in zip(total, row, strict=True)]
            click.echo(_row(chapter.name, row))
    click.echo(_row("together", total))


def _row(name: str, numbers: list[int]) -> str:
    return f"{name:<14}" + "".join(
        f"{number:>{width}}" for number, width in zip(numbers, (13, 6, 8, 10, 9), strict=True)
    )


@command.command("vectors")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def vectors(folder: Path) -> None:
    """Write dialogues, messages and physics as JSON, for implementations in any language.

    What they mean stands in the README of specs/vectors, where the same files are.
    """
    from qstack.conformance.vectors import write

    for path in write(folder, api.manager()):
        click.echo(f"Written: {path}")
