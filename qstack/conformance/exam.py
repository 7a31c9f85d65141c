"""Which requirements are asked, how thoroughly, and the score: a teacher's exam is a file of numbers and points.

>>> read(("QS-L2-01*", "@exam.txt"), specification)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from qstack.conformance.judge import Verdict, tests_of
from qstack.conformance.specification import Specification
from qstack.core.errors import ConfigError

MORE = 8
"""Factor on the samples of a thorough judgement."""
MOST = 1000
"""Points that one requirement may be worth."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked; nothing means everything.

    Parameters
    ----------
    points
        What each requirement is worth.
    named
        Those that were asked for by their whole number.
    exam
        Whether there is a score.
    """

    points: Mapping[str, int] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    exam: bool = False

    def of(self, suite: type) -> Collection[str]:
        """Return what is asked of one suite: what a pattern adds only where the suite tests it."""
        if not self.points:
            return ()
        tested = {number for found in tests_of(suite).values() for number in found}
        return sorted(number for number in self.points if number in tested or number in self.named)

    def score(self, verdicts: Sequence[Verdict]) -> str:
        """Return the points of what passed, of all that the suite could ask; what it has no test of is told apart."""
        asked = [v for v in verdicts if v.id in self.points and (v.test or v.verdict != "not run")]
        left_out = [v for v in verdicts if v.id in self.points and v not in asked]
        whole = sum(self.points[v.id] for v in asked)
        right = sum(self.points[v.id] for v in asked if v.verdict in {"pass", "informational"})
        words = f"score {right} of {whole}" + (f" ({100 * right // whole} %)" if whole else "")
        return words + (f"; without a test: {', '.join(v.id for v in left_out)}" if left_out else "")


def _lines(only: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Return where a number or pattern was asked for, itself, and its points; those of ``@FILE`` are its lines.

    Raises
    ------
    ConfigError
        If a file cannot be read, or a line of it is no number with points.
    """
    for word in only:
        if not word.startswith("@"):
            yield f"-k {word}", word, 1
            continue
        try:
            text = Path(word[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"-k {word}  cannot be read: {getattr(error, 'strerror', None) or error}.") from error
        for place, line in enumerate(text.splitlines(), 1):
            number, *points = line.partition("#")[0].split() or [""]
            if not number:
                continue
            where = f"{word[1:]}:{place}"
            if len(points) > 1 or (points and not (points[0].isdecimal() and int(points[0]) <= MOST)):
                raise ConfigError(
                    f"{where}: {number} is worth '{' '.join(points)}'; allowed: one whole number of points, 0 to {MOST}."
                )
            yield where, number, int(points[0]) if points else 1


def read(only: Sequence[str], specification: Specification) -> Questions:
    """Return the requirements that are asked for; a later line has the last word on the points of a number.

    Raises
    ------
    ConfigError
        If one does not exist, a pattern fits none, or a file asks for nothing.
    """
    every = [one.id for _, one in specification]
    asked: dict[str, int] = {}
    named: set[str] = set()
    for where, pattern, points in _lines(only):
        if "*" not in pattern and "?" not in pattern:
            try:
                specification.find(pattern)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}" if where != f"-k {pattern}" else str(error)) from error
            named.add(pattern)
        found = [number for number in every if fnmatchcase(number, pattern)]
        if not found:
            raise ConfigError(
                f"{where if where.startswith('-k') else f'{where}: {pattern}'}  fits no requirement; `qstack spec list` shows all."
            )
        asked |= dict.fromkeys(found, points)
    if only and not asked:
        raise ConfigError(f"-k {' -k '.join(only)}  asks for nothing.")
    return Questions(asked, frozenset(named), any(word.startswith("@") for word in only))


def thorough(suite: type) -> type:
    """Return the suite with more samples, where statistics decide."""
    effort = getattr(suite, "effort", None)
    return suite if effort is None else type(suite.__name__, (suite,), {"effort": MORE * effort})
