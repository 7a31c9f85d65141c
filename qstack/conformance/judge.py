"""Run a suite on a subject and give a verdict on every requirement that it tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qstack.conformance.marks import Unsupported
from qstack.conformance.specification import Specification
from qstack.core.errors import QstackError

Word = Literal["pass", "fail", "unsupported", "not run"]
RANK: Sequence[Word] = ("fail", "pass", "unsupported", "not run")
"""Of several tests of one requirement the first of these counts."""
NOT_YET: tuple[Word, str] = ("not run", "judged on a subject that fails nothing simpler")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one requirement.

    Parameters
    ----------
    id, level, text, place
        The requirement, and where it is explained.
    verdict
        ``pass``, ``fail``, ``unsupported`` (not claimed) or ``not run``.
    test
        Name of the test that decided.
    detail
        The dialogue that went wrong, or what is not claimed.
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


def judge(suite: type, make: Any, specification: Specification, only: str = "") -> list[Verdict]:
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
        Number of the one requirement to judge; all if empty.

    Raises
    ------
    ConfigError
        If `only` is not a requirement, or a test cites one that is not.
    """
    if only:
        specification.find(only)
    results: dict[str, list[tuple[Word, str, str]]] = {}
    failed_before = False
    tests = sorted(tests_of(suite).items(), key=lambda test: hasattr(getattr(suite, test[0]), "course"))
    for name, numbers in tests:
        if only and only not in numbers:
            continue
        test = getattr(suite(), name)
        if failed_before and hasattr(test, "course"):
            word, detail = NOT_YET
        else:
            word, detail = _run(test, make)
        failed_before |= word == "fail" and not hasattr(test, "course")
        for number in numbers:
            results.setdefault(number, []).append((word, name, detail))
    if only and not results:
        results[only] = [("not run", "", f"{suite.__name__} has no test of it")]
    return sorted(_verdicts(results, specification), key=lambda verdict: verdict.id)


def _verdicts(results: dict[str, list[tuple[Word, str, str]]], specification: Specification) -> Iterator[Verdict]:
    for number, found in results.items():
        chapter, one = specification.find(number)
        word, test, detail = min(found, key=lambda result: RANK.index(result[0]))
        place = f'specs/{chapter.name}/{chapter.page.name}, section "{chapter.section(number)}"'
        yield Verdict(number, one.level, one.text, place, word, test, detail if word != "pass" else "")


def _run(test: Any, make: Any) -> tuple[Word, str]:
    """Run one test; whatever the subject raises is a verdict."""
    try:
        test(make)
    except Unsupported as error:
        return "unsupported", str(error)
    except AssertionError as error:
        return "fail", str(error).strip("\n")
    except QstackError as error:
        return "fail", "\n".join(
            [*getattr(error, "__notes__", []), f" - no error, but {type(error).__name__}: {error}"]
        )
    except Exception as error:  # noqa: BLE001 - the subject may raise anything, and the run goes on
        return "fail", f" - no exception, but {type(error).__name__}: {error}"
    return "pass", ""


def failed(verdicts: Sequence[Verdict], *, strict: bool = False) -> list[Verdict]:
    """Return the failures that count: those of a MUST, with `strict` those of a SHOULD too."""
    return [v for v in verdicts if v.verdict == "fail" and (strict or v.level.startswith("MUST"))]
