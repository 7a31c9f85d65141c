"""Change the reference link and network layers, one place at a time, and count the changes that the judge notices.

Usage: ``python tests/mutation/mutants.py [--layer link] [--sample 200 --seed 1] [--only ends.py:120] [--jobs 2]
[--survivors] [--write FILE]``

A mutant is one file of a layer with one expression or statement changed.  It is loaded in a child process in place of the
file, judged by the conformance suite of its layer and by nothing else, and *caught* if any requirement gets another
verdict than the unchanged layer gets.  A mutant on which the suite does not end is caught too.
"""

from __future__ import annotations

import argparse
import ast
import datetime as dt
import importlib.abc
import importlib.util
import os
import random
import re
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import operators

from qstack.conformance.judge import Result, judge, run_test
from qstack.conformance.link import LinkSuite
from qstack.conformance.network import NetworkSuite
from qstack.conformance.specification import Specification, load
from qstack.routing.shortest import ShortestPath

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
LIMIT_S = 5
"""Processor time that a suite may take on a mutant; on the unchanged layer it takes a fifth of it."""
CAUGHT, SURVIVED = 0, 1


def link() -> Callable[[Any], Any]:
    """Return the link layer as a scenario without options makes it."""
    from qstack.link.layer import LinkLayer  # noqa: PLC0415 - loaded anew in every child
    from qstack.link.queue import Link  # noqa: PLC0415 - loaded anew in every child
    from qstack.link.schedulers import weighted_fair  # noqa: PLC0415 - loaded anew in every child

    def make(site: Any) -> Any:
        links = {
            peer: Link(peer, n.lanes, 2 * n.delay, n.rows, master=site.number < peer, cycle=n.period)
            for peer, n in site.neighbours.items()
        }
        return LinkLayer(links, weighted_fair)

    return make


def network() -> Callable[[Any], Any]:
    """Return the network layer as a scenario without options makes it."""
    from qstack.network.forwarding import ForwardingLayer  # noqa: PLC0415 - loaded anew in every child
    from qstack.network.signalling import SignallingLayer  # noqa: PLC0415 - loaded anew in every child

    def make(site: Any) -> Any:
        lanes = {peer: n.lanes for peer, n in site.neighbours.items()}
        patience = 10.0 * max(lanes.values())
        return (
            ForwardingLayer(site.storage, site.swap_factor, lanes, 10**12, None, 0.0),
            SignallingLayer(ShortestPath(site.view), site.view.cutoff, 1 << 15, lanes.keys(), give_way=patience),
        )

    return make


@dataclass(frozen=True, slots=True)
class Target:
    """A layer that is changed: its package, its suite, how it is made, and files that this subject does not use."""

    package: str
    suite: type
    subject: Callable[[], Callable[[Any], Any]]
    left_out: frozenset[str] = frozenset()


TARGETS = {
    # testing.py and distil.py belong to options that a scenario without options has switched off
    "link": Target("qstack.link", LinkSuite, link, frozenset({"testing.py", "distil.py"})),
    "network": Target("qstack.network", NetworkSuite, network),
}


class Loader(importlib.abc.Loader, importlib.abc.MetaPathFinder):
    """Loads one module from a changed tree."""

    def __init__(self, name: str, tree: ast.Module, path: Path) -> None:
        self.name, self.tree, self.path = name, tree, path

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """Find the changed module, and no other."""
        return importlib.util.spec_from_loader(name, self, origin=str(self.path)) if name == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run it."""
        exec(compile(self.tree, str(self.path), "exec", dont_inherit=True), vars(module))


def forget(package: str) -> None:
    """Let the modules of a package be loaded anew."""
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]


class Caught(BaseException):
    """A test of the suite fails; no `Exception`, so that nobody on the way takes it for the subject's."""


def verdicts(target: Target, specification: Specification) -> list[tuple[str, str]]:
    """Return the verdict on every requirement; the first failure ends it."""

    def run(name: str) -> Result:
        word, detail = run_test(getattr(target.suite(), name), subject, 0.0)
        if word == "fail":
            raise Caught(f"{name}: {detail}")
        return word, detail

    subject = target.subject()
    return [(v.id, v.verdict) for v in judge(target.suite, subject, specification, run=run)]


def child(target: Target, path: Path, tree: ast.Module, specification: Specification, usual: object) -> int:
    """Judge one mutant in a child process that answers by how it ends; return its number."""
    pid = os.fork()
    if pid == 0:
        answer = CAUGHT
        try:
            signal.setitimer(signal.ITIMER_PROF, LIMIT_S)  # the default action ends the child
            signal.alarm(10 * LIMIT_S)
            sys.meta_path.insert(0, Loader(f"{target.package}.{path.stem}", tree, path))
            answer = CAUGHT if verdicts(target, specification) != usual else SURVIVED
        finally:
            os._exit(answer)
    return pid


def fates(
    target: Target,
    chosen: Sequence[tuple[Path, operators.Mutant]],
    specification: Specification,
    usual: object,
    jobs: int,
) -> dict[int, int]:
    """Return what became of each mutant, by its place among the chosen ones; so many are judged at a time."""
    found: dict[int, int] = {}
    running: dict[int, int] = {}
    for place, (path, mutant) in enumerate(chosen):
        if len(running) == jobs:
            _one(running, found)
        running[child(target, path, mutant.tree(), specification, usual)] = place
    while running:
        _one(running, found)
    return found


def _one(running: dict[int, int], found: dict[int, int]) -> None:
    pid, status = os.wait()
    lives = os.WIFEXITED(status) and os.WEXITSTATUS(status) == SURVIVED
    found[running.pop(pid)] = SURVIVED if lives else CAUGHT


def mutants(target: Target) -> Iterator[tuple[Path, operators.Mutant]]:
    """Return every mutant of a layer, file by file."""
    folder = ROOT.joinpath(*target.package.split("."))
    for path in sorted(folder.glob("*.py")):
        if path.name not in target.left_out:
            for mutant in operators.mutants(path.read_text()):
                yield path, mutant


def equivalent() -> list[tuple[re.Pattern[str], ...]]:
    """Return which changes of which lines of which files do not count; the reasons stand in the file."""
    with EQUIVALENT.open("rb") as file:
        listed = tomllib.load(file)["equivalent"]
    return [tuple(re.compile(one.get(key, "")) for key in ("file", "code", "change")) for one in listed]


def known(listed: list[tuple[re.Pattern[str], ...]], path: Path, mutant: operators.Mutant) -> bool:
    """Return whether a mutant that nobody has noticed is one of those that do not count."""
    where = f"{path.parent.name}/{path.name}"
    return any(
        file.fullmatch(where) and code.search(mutant.code) and change.search(mutant.change)
        for file, code, change in listed
    )


def run(
    names: Sequence[str], sample: int, seed: int, *, survivors: bool, only: str = "", jobs: int = 1
) -> Iterator[str]:
    """Judge mutants and return the lines of the result."""
    specification = load(ROOT / "specs")
    listed = equivalent()
    began = time.monotonic()
    total = [0, 0, 0]
    yield f"{'file':<28}{'mutants':>9}{'not counted':>12}{'caught':>8}{'':>9}"
    for name in names:
        target = TARGETS[name]
        try:
            usual = verdicts(target, specification)
        except Caught as error:
            raise SystemExit(f"the unchanged {name} layer fails {error}") from None
        forget(target.package)
        every = [one for one in mutants(target) if f"{one[0].name}:{one[1].line}:".startswith(only)]
        if sample:
            every = random.Random(seed).sample(every, min(sample, len(every)))
        every.sort(key=lambda one: (str(one[0]), one[1].number))
        counts: dict[Path, list[int]] = {}
        alive: list[str] = []
        found = fates(target, every, specification, usual, jobs)
        for place, (path, mutant) in enumerate(every):
            row = counts.setdefault(path, [0, 0, 0])
            row[0] += 1
            if found[place] == CAUGHT:
                row[2] += 1
            elif known(listed, path, mutant):
                row[1] += 1
            else:
                alive.append(f"  {path.parent.name}/{path.name}:{mutant.line}  {mutant.code}   {mutant.change}")
        own = [0, 0, 0]
        for path, row in counts.items():
            own = [a + b for a, b in zip(own, row, strict=True)]
            yield _line(f"{path.parent.name}/{path.name}", row)
        yield _line(name, own)
        total = [a + b for a, b in zip(total, own, strict=True)]
        if survivors:
            yield from alive
    yield _line("together", total)
    yield f"{time.monotonic() - began:.0f} s"


def _line(name: str, row: Sequence[int]) -> str:
    number, same, caught = row
    return f"{name:<28}{number:>9}{same:>12}{caught:>8}{caught / max(1, number - same):>9.1%}"


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layer", choices=sorted(TARGETS))
    parser.add_argument("--sample", type=int, default=0, help="so many of each layer; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only mutants of this file, or of FILE:LINE:")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at a time")
    parser.add_argument("--survivors", action="store_true", help="list those that no test noticed")
    parser.add_argument("--write", type=Path, help="write the result here, with the date")
    given = parser.parse_args()
    names = [given.layer] if given.layer else sorted(TARGETS)
    lines = []
    for line in run(names, given.sample, given.seed, survivors=given.survivors, only=given.only, jobs=given.jobs):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        lines.append(line)
    if given.write:
        today = dt.datetime.now(tz=dt.UTC).date()
        which = f"a sample of {given.sample} of each layer, seed {given.seed}" if given.sample else "every mutant"
        given.write.write_text("\n".join([f"{today}, {which}", "", *lines[:-1]]) + "\n")


if __name__ == "__main__":
    main()
