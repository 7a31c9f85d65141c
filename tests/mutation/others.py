"""Which tests of other requirements fail under a mutant, among the everyday tests of the part of the project it is in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import trial
from trial import Change

LIMIT_S = 600
"""Time for the tests of a part; they take a tenth of it, and one that hangs is ended before."""
EXAMPLES = 25
JUDGE = "qstack/conformance/"
VARIANTS = "QS-CF-008"
"""The broken variants of the suites are the reference with one fault more: every fault of the reference is theirs too."""


def area(file: str, areas: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the tests of the part of the project that a file belongs to: the part with the longest name that fits.

    Raises
    ------
    LookupError
        If it belongs to none.
    """
    fitting = [part for part in areas if file.startswith(part)]
    if not fitting:
        raise LookupError(f"{file} belongs to no part of the table of areas")
    return tuple(areas[max(fitting, key=len)])


def chosen(number: str, file: str) -> Callable[[list[Any]], list[Any]]:
    """Return what chooses the everyday tests that cite requirements, but not this one."""
    left_out = {number} if file.startswith(JUDGE) else {number, VARIANTS}

    def choose(items: list[Any]) -> list[Any]:
        cited = [(item, trial.requirements(item)) for item in items if not item.get_closest_marker("slow")]
        return [item for item, numbers in cited if numbers and not numbers & left_out]

    return choose


def felled(number: str, change: Change, tests: Iterable[str]) -> dict[str, set[str]]:
    """Return the tests of other requirements that fail under a mutant, each with the requirements that it cites.

    A test counts if it fails twice with the change and passes without it.
    """
    failed = attempt(change, tests, chosen(number, change.file))
    for program in (change, None):
        if failed:
            known = frozenset(failed)
            files = sorted({name.split("::")[0] for name in known})
            now = attempt(program, files, lambda items, known=known: [i for i in items if i.nodeid in known])
            failed = {name: cited for name, cited in failed.items() if (name in now) is (program is not None)}
    return failed


def attempt(
    change: Change | None, tests: Iterable[str], choose: Callable[[list[Any]], list[Any]]
) -> dict[str, set[str]]:
    """Return which of the chosen tests fail with a change, or without one, each with the requirements that it cites."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder, "told")
        told.touch()

        def act() -> int:
            trial.hook(change)
            return trial.run(tests, trial.Chosen(choose, told, EXAMPLES))

        trial.forked(act, LIMIT_S)
        ended = dict(line.split("\t", 1) for line in told.read_text(encoding="utf-8").splitlines())
    return {name: set(rest.split("\t")[1].split(",")) for name, rest in ended.items() if not rest.startswith(".")}
