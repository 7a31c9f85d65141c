"""One mutant for each MUST that is tested outside the suites: under it the requirement's own test has to fail.

Usage: ``python tests/mutation/rules.py [QS-L1-016 ...] [--write tests/mutation/RULES.txt]``

``rules.toml`` says what is changed: a file, a text that stands in it once, and another one.  The file is loaded changed, in
a child process and in all of its children, and the tests that cite the requirement are run.  A mutant is *caught* if one
of them fails; a mutant that cannot be imported or has no test is not.  Then the everyday tests of its part of the project
are run that cite other requirements, and the result tells which of these fall with it: a mutant under which none of them
does is *alone*.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import others
import trial
from trial import ROOT, Change

from qstack.conformance.judge import tests_of
from qstack.conformance.peer import PeerSuite
from qstack.conformance.profiles import PROFILES
from qstack.conformance.specification import load
from qstack.conformance.tracing import Verified, verified

TABLE = Path(__file__).parent / "rules.toml"
RESULT = Path(__file__).parent / "RULES.txt"
LIMIT_S = 120
CAUGHT, SURVIVED, BROKEN, HUNG = "caught", "SURVIVED", "BROKEN", "HUNG"
ALONE, UNTRIED = "alone", "-"


@dataclass(frozen=True, slots=True)
class Table:
    """What `rules.toml` says.

    Attributes
    ----------
    changes
        The mutant of each requirement.
    also
        Requirements that have to fall with the mutant of another, by this one; the reasons stand in the table.
    areas
        The everyday tests of each part of the project, by the beginning of its files' names.
    without
        Requirements that have no mutant yet.
    """

    changes: dict[str, Change]
    also: dict[str, set[str]]
    areas: dict[str, list[str]]
    without: tuple[str, ...]


def table() -> Table:
    """Return what `rules.toml` says."""
    content = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    mutants = content["mutant"]
    changes = {number: Change(one["file"], one["old"], one["new"]) for number, one in mutants.items()}
    also = {number: set(one["also"]) for number, one in mutants.items() if one.get("because")}
    return Table(changes, also, content["area"], tuple(content["without"]))


def bound() -> dict[str, tuple[str, ...]]:
    """Return every MUST that no suite tests, with the files of its tests."""
    specification = load(ROOT / "specs")
    suites = [PeerSuite, *(profile.suite for profile in PROFILES.values())]
    judged = {number for suite in suites for found in tests_of(suite).values() for number in found}
    tests = verified(specification)
    return {
        one.id: tests[one.id] for _, one in specification if one.binding and one.id not in judged and one.id in tests
    }


def child(number: str, change: Change | None, files: Iterable[str]) -> str:
    """Run the tests of a requirement on a mutant, or on what there is, in a child process: the quick ones if there are any."""

    def choose(items: list[Any]) -> list[Any]:
        mine = [item for item in items if number in trial.requirements(item)]
        return [item for item in mine if not item.get_closest_marker("slow")] or mine

    def act() -> int:
        trial.hook(change)
        return trial.run(files, trial.Chosen(choose), "-x")

    code = trial.forked(act, LIMIT_S)
    return {0: SURVIVED, 1: CAUGHT, trial.HUNG: HUNG}.get(code, f"{BROKEN} ({code})")


def judged(number: str, given: Table, tests: Verified, word: str = "") -> str:
    """Return the line of the result that tells of a mutant: what became of it, and whether other requirements fell.

    The tests of theirs that failed are printed.
    """
    change = given.changes[number]
    change.source()
    word = word or child(number, change, [file for file in tests[number] if not file.startswith("qstack/")])
    failed = others.felled(number, change, others.area(change.file, given.areas)) if word == CAUGHT else {}
    sys.stdout.write("".join(f"  {name}\n" for name in sorted(failed)))
    fell = ",".join(sorted(set().union(*failed.values()))) or (ALONE if word == CAUGHT else UNTRIED)
    return f"{number}  {word:<10}  {dt.datetime.now(dt.UTC):%Y-%m-%d}  {change.digest}  {change.file}  {fell}"


def lines_of(file: Path, changes: dict[str, Change]) -> dict[str, str]:
    """Return the lines of an earlier result that tell of mutants as they are now, by requirement."""
    told = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    known = {line.split()[0]: line for line in told if line.startswith("QS-")}
    return {
        number: line
        for number, line in known.items()
        if number in changes and len(line.split()) > 5 and line.split()[3] == changes[number].digest
    }


def ending(lines: Iterable[str], given: Table) -> str:
    """Return the last line of a result."""
    told = [line.split() for line in lines]
    words = [row[1] for row in told]
    alone = sum(row[5] == ALONE for row in told)
    reasoned = sum(set(row[5].split(",")) == given.also.get(row[0]) for row in told)
    return (
        f"{words.count(CAUGHT)} of {len(words)} caught, {len(given.without)} requirements without a mutant; "
        f"{alone} alone, {reasoned} with others for a reason"
    )


def write(file: Path, lines: dict[str, str], given: Table) -> None:
    """Write a result, beside the lines of an earlier one that still hold."""
    told = dict(sorted((lines_of(file, given.changes) | lines).items())).values()
    file.write_text("\n".join([*told, ending(told, given), ""]), encoding="utf-8")


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*")
    parser.add_argument("--write", type=Path, help="write the result here; other lines that still hold stay")
    parser.add_argument("--resume", action="store_true", help="leave out the mutants of which the result tells already")
    asked = parser.parse_args()
    given = table()
    tests = verified(load(ROOT / "specs"))
    known = lines_of(asked.write, given.changes) if asked.write and asked.resume else {}
    trial.preload()
    lines: dict[str, str] = {}
    began = time.monotonic()
    for number in asked.numbers or sorted(given.changes):
        earlier = known.get(number, "").split()
        if not earlier or earlier[5] == UNTRIED:
            lines[number] = judged(number, given, tests, earlier[1] if earlier else "")
            sys.stdout.write(lines[number] + "\n")
            sys.stdout.flush()
            if asked.write:
                write(asked.write, lines, given)
    sys.stdout.write(f"{ending(lines.values(), given)}, {time.monotonic() - began:.0f} s\n")
    raise SystemExit(any(line.split()[1] != CAUGHT for line in lines.values()))


if __name__ == "__main__":
    main()
