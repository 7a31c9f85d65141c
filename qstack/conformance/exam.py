"""Which requirements are asked, how thoroughly, and the score: a teacher's exam is a file of numbers.

>>> numbers(("QS-L2-01*", "@exam.txt"), specification)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from qstack.conformance.judge import Verdict, tests_of
from qstack.conformance.specification import Specification
from qstack.core.errors import ConfigError

MORE = 8
"""Factor on the samples of a thorough judgement."""


def patterns(only: Sequence[str]) -> list[str]:
    """Return the numbers and patterns that were asked for; those of ``@FILE`` are its lines, without comments.

    Raises
    ------
    ConfigError
        If a file cannot be read.
    """
    found = []
    for word in only:
        if not word.startswith("@"):
            found.append(word)
            continue
        try:
            text = Path(word[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"-k {word}  cannot be read: {getattr(error, 'strerror', None) or error}.") from error
        found += [number for line in text.splitlines() if (number := line.partition("#")[0].strip())]
    return found


def numbers(only: Sequence[str], specification: Specification) -> frozenset[str]:
    """Return the requirements that are asked for; none means all.

    Raises
    ------
    ConfigError
        If one does not exist, a pattern fits none, or a file asks for nothing.
    """
    every = [one.id for _, one in specification]
    asked: set[str] = set()
    for pattern in patterns(only):
        if "*" not in pattern and "?" not in pattern:
            specification.find(pattern)
        found = [number for number in every if fnmatchcase(number, pattern)]
        if not found:
            raise ConfigError(f"-k {pattern}  fits no requirement; `qstack spec list` shows all.")
        asked |= set(found)
    if only and not asked:
        raise ConfigError(f"-k {' -k '.join(only)}  asks for nothing.")
    return frozenset(asked)


def of_suite(asked: Collection[str], only: Sequence[str], suite: type) -> Collection[str]:
    """Return what is asked of one suite: what a pattern adds only where the suite tests it."""
    if not asked:
        return ()
    tested = {number for found in tests_of(suite).values() for number in found}
    named = set(patterns(only))
    return sorted(number for number in asked if number in tested or number in named)


def thorough(suite: type) -> type:
    """Return the suite with more samples, where statistics decide."""
    effort = getattr(suite, "effort", None)
    return suite if effort is None else type(suite.__name__, (suite,), {"effort": MORE * effort})


def score(verdicts: Sequence[Verdict]) -> str:
    """Return how many of the questions that could be asked were answered well."""
    counted = [v for v in verdicts if v.verdict in {"pass", "fail"}]
    right = sum(v.verdict == "pass" for v in counted)
    return f"score {right} of {len(counted)}" + (f" ({100 * right // len(counted)} %)" if counted else "")
