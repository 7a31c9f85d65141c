"""``qstack conform``: judge an implementation that somebody else has written."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from qstack import api
from qstack.cli import keys
from qstack.cli.sheets import find
from qstack.core.errors import ConfigError

FILES = (".yaml", ".yml", ".json")
"""How the name of a data sheet ends."""


class Judges(click.Group):
    """A group in which a word that is no command is the name of a subject."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Pass everything that is not for another judge to the one of layers and models."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["subject", *args]
        return super().parse_args(ctx, args)


@click.group("conform", cls=Judges)
def command() -> None:
    """Judge an implementation: which rule it breaks, in words.

    `qstack conform NAME --profile link` judges an installed layer or hardware platform, `qstack conform --all`
    everything that is installed; `qstack conform subject --help` tells the options.
    """


command.add_command(keys.conform, "etsi014")


@command.command("subject")
@click.argument("name", required=False)
@click.option("--profile", help="What it is judged as; `--profile ?` lists all.")
@click.option("--all", "everything", is_flag=True, help="Judge everything that is installed.")
@click.option("--exec", "program", metavar="COMMAND", help="Judge a program that speaks JSON lines on its pipes.")
@click.option("--connect", "where", metavar="HOST:PORT", help="Judge a node that listens there, as its neighbour.")
@click.option(
    "--as",
    "neighbour",
    metavar="NODE.yaml",
    type=click.Path(path_type=Path),
    help="With --connect: file of the neighbour that the judge plays, as `qstack serve` reads it.",
)
@click.option(
    "-k", "only", multiple=True, metavar="ID", help="Judge these requirements only: QS-L2-011, 'QS-L2-*', or @FILE."
)
@click.option("--features", metavar="A,B", help="Claim these extended features of the profile, and no other.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of all draws of the suites.")
@click.option("--strict", is_flag=True, help="Count a SHOULD that fails.")
@click.option("--whole", is_flag=True, help="Show passes too, and dialogues at their full length.")
@click.option("--thorough", is_flag=True, help="Take many more samples where statistics decide.")
@click.option(
    "--timeout",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.01, 3600),
    help="Seconds that a test, or an answer of a program, may take.",
)
@click.option(
    "--report",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a report too: .yaml, .xml (JUnit), .html, or .svg (badge).",
)
def subject(
    name: str | None,
    profile: str | None,
    program: str | None,
    where: str | None,
    neighbour: Path | None,
    only: tuple[str, ...],
    files: tuple[Path, ...],
    timeout: float,
    features: str | None,
    seed: int,
    *,
    everything: bool,
    strict: bool,
    whole: bool,
    thorough: bool,
) -> None:
    """Judge an installed layer, model or scheme by its name, a data sheet by its file, an object as MODULE:NAME, a program on a pipe, or a node over sockets.

    Exit codes: 0 nothing failed; 1 something did; 2 no such subject, profile or requirement.
    """
    from qstack.cli.conform_peer import peer
    from qstack.cli.spec import reference
    from qstack.conformance import exam, profiles, report, reports
    from qstack.conformance.chance import moved
    from qstack.conformance.custody import held, orderly
    from qstack.conformance.judge import failed, judge

    if profile == "?":
        click.echo("\n".join(profiles.PROFILES))
        return
    _whom(name, program, where, features, everything=everything)
    for file in files:
        reports.check(file)
    specification = reference()
    questions = exam.read(only, specification)
    verdicts: list[Any] = []
    judged: list[report.Judged] = []
    chosen: AbstractContextManager[Iterable[Any]]
    if where is not None:
        chosen = peer(where, neighbour, profile, timeout)
    else:
        chosen = _installed(name, profile, program, timeout)
    with orderly(), chosen as subjects, moved(seed):
        for one in subjects:
            suite = exam.thorough(one.profile.suite) if thorough else one.profile.suite
            suite, claims, found = profiles.claiming(one, suite, features, specification, questions.points)
            with held(suite, one.make, timeout, alone=one.alone) as run:
                found += judge(suite, one.make, specification, questions.of(suite), run=run)
            verdicts += found
            version = one.version if isinstance(one.version, str) else one.version()
            judged.append(report.Judged(one.name, one.profile.name, tuple(found), version, claims, seed))
            for line in report.text(one.name, one.profile.name, found, whole=whole):
                click.echo(line)
            if questions.exam:
                click.echo(f"{one.name}: {questions.score(found)}")
    for line in report.end(verdicts, len(judged)):
        click.echo(line)
    for file in files:
        reports.write(file, judged, specification)
    if failed(verdicts, strict=strict):
        raise SystemExit(1)


def _installed(
    name: str | None, profile: str | None, program: str | None, patience: float
) -> AbstractContextManager[Iterable[Any]]:
    """Return who is judged in this process: a data sheet in a file, or what `qstack.conformance.profiles.chosen` finds."""
    from qstack.conformance import profiles

    if name is not None and name.endswith(FILES) and profile in {None, "hardware"}:
        sheet = find(name, api.manager(Path(name).parent))
        return nullcontext([profiles.Subject(name, profiles.PROFILES["hardware"], sheet)])
    return profiles.chosen(lambda: api.manager(Path()), name, profile, program, patience)


def _whom(name: str | None, program: str | None, where: str | None, features: str | None, *, everything: bool) -> None:
    if (name is not None) + everything + (program is not None) + (where is not None) != 1:
        raise ConfigError("whom? Write the name of a subject, --all, --exec COMMAND, or --connect HOST:PORT.")
    if features is not None and everything:
        raise ConfigError("--features are those of one subject; with --all every plugin claims its own.")


@command.command("pipe")
@click.argument("name")
@click.option("--profile", help="What it is judged as, where its name does not say.")
def pipe(name: str, profile: str | None) -> None:
    """Be a program on a pipe: answer the judge's lines with an installed subject, as `--exec` wants it."""
    from qstack.conformance import profiles
    from qstack.conformance.pipe import Answerer, serve

    one = profiles.find(api.manager(Path()), name, profile)
    version = one.version if isinstance(one.version, str) else one.version()
    serve(Answerer(one.make, version, one.features), sys.stdin.buffer, sys.stdout.buffer)


@command.command("compare")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
def compare(old: Path, new: Path) -> None:
    """Compare two YAML reports: what was gained, what was lost. Exit code 1 if something that passed passes no more."""
    from qstack.conformance import reports

    lines, lost = reports.compare(old, new)
    for line in lines:
        click.echo(line)
    if lost:
        raise SystemExit(1)
