"""Run a suite on a subject and give a verdict on every requirement that it tests."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from qstack.conformance.marks import Unjudged
from qstack.conformance.specification import Specification
from qstack.core.errors import QstackError

Word = Literal["pass", "fail", "informational", "unsupported", "not run"]
Result = tuple[Word, str]
"""What a test came to, and the detail."""
RANK: Sequence[Word] = ("fail", "pass", "informational", "unsupported", "not run")
"""Of several tests of one requirement the first of these counts."""
PATIENCE = 3
"""Tests that may run out of time before the rest is left out."""
HUNG = " - no end of the test within"
NOT_YET: Result = ("not run", "judged on a subject that fails nothing simpler")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one requirement.

    Parameters
    ----------
    id, level, text, place
        The requirement, and where it is explained.
    verdict
        ``pass``, ``fail``, ``informational`` (nothing is demanded), ``unsupported`` (not claimed) or ``not run``.
    test
        Name of the test that decided.
    detail
        The dialogue that went wrong, what was found out, or what is not claimed.
    """

    id: str
    level: str
    text: str
    place: str
    verdict: Word
    test: str = ""
    detail: str = ""


def tests_of(suite: type) -> dict[str, tuple[str, ...]]:
    """Return the requirements that each test of a suite verifies, in the order in which the tests are written."""
    found: dict[str, tuple[str, ...]] = {}
    for part in reversed(suite.__mro__):
        for name, value in vars(part).items():
            if name.startswith("test_"):
                found[name] = getattr(value, "requirements", ())
    return found


def judge(
    suite: type,
    make: Any,
    specification: Specification,
    only: Collection[str] = (),
    *,
    seconds: float = 0.0,
    run: Callable[[str], Result] | None = None,
) -> list[Verdict]:
    """Return a verdict on every requirement of a suite.

    Parameters
    ----------
    suite
        Class of tests; each takes the subject.
    make
        The subject, as the suite wants it.
    specification
        Where the texts stand.
    only
        Numbers of the requirements to judge; all if empty.
    seconds
        Longest time for one test [s]; 0 waits for ever.
    run
        Runs the test of a name; by default here and now.

    Raises
    ------
    ConfigError
        If `only` is not a requirement, or a test cites one that is not.
    """
    for number in only:
        specification.find(number)
    results: dict[str, list[tuple[Word, str, str]]] = {}
    failed_before, hung = False, 0
    tests = sorted(tests_of(suite).items(), key=lambda test: hasattr(getattr(suite, test[0]), "course"))
    for name, numbers in tests:
        if only and not set(only) & set(numbers):
            continue
        test = getattr(suite(), name)
        if failed_before and hasattr(test, "course"):
            word, detail = NOT_YET
        elif hung >= PATIENCE:
            word, detail = "not run", f"{PATIENCE} tests before it ran out of time"
        else:
            word, detail = run(name) if run else run_test(test, make, seconds)
            hung += detail.startswith(HUNG)
        failed_before |= word == "fail" and not hasattr(test, "course")
        for number in numbers if not only else sorted(set(only) & set(numbers)):
            results.setdefault(number, []).append((word, name, detail))
    for number in sorted(set(only) - results.keys()):
        results[number] = [("not run", "", f"{suite.__name__} has no test of it")]
    return sorted(_verdicts(results, specification), key=lambda verdict: verdict.id)


def _verdicts(results: dict[str, list[tuple[Word, str, str]]], specification: Specification) -> Iterator[Verdict]:
    for number, found in results.items():
        chapter, one = specification.find(number)
        word, test, detail = min(found, key=lambda result: RANK.index(result[0]))
        detail = "\n".join(map(plainly, detail.split("\n")))
        if one.level == "MAY" and word in {"pass", "fail"}:
            word, detail = "informational", detail.strip() or "it does"
        place = f'specs/{chapter.name}/{chapter.page.name}, section "{chapter.section(number)}"'
        yield Verdict(number, one.level, one.text, place, word, test, detail if word != "pass" else "")


def plainly(text: str, most: int | None = None) -> str:
    """Return somebody else's text, or so much of it, as it can be shown on a line: nothing in it moves a cursor or ends the line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:most])


class OutOfTime(BaseException):
    """A test takes too long; no `Exception`, so that nobody on the way takes it for the subject's.  It may say what was waited for."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in what takes longer; without effect where a system or a thread has no alarms.

    Parameters
    ----------
    seconds
        Longest time [s]; 0 waits for ever.
    """
    if not seconds or not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_test(test: Any, make: Any, seconds: float) -> Result:
    """Run one test; whatever the subject raises is a verdict, and so is silence."""
    try:
        with limit(seconds):
            test(make)
    except OutOfTime as error:
        return "fail", f"{HUNG} {seconds:g} s{error}"
    except Unjudged as error:
        return error.word, str(error)
    except AssertionError as error:
        return "fail", str(error).strip("\n")
    except QstackError as error:
        return "fail", "\n".join(
            [*getattr(error, "__notes__", []), f" - no error, but {type(error).__name__}: {error}"]
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the subject may raise anything, and the run goes on
        return "fail", f" - no exception, but {type(error).__name__}: {error}"
    return "pass", ""


def failed(verdicts: Sequence[Verdict], *, strict: bool = False) -> list[Verdict]:
    """Return the failures that count: those of a MUST, with `strict` those of a SHOULD too."""
    return [v for v in verdicts if v.verdict == "fail" and (strict or v.level.startswith("MUST"))]
