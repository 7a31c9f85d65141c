"""How a test says which requirement it verifies, of which feature it is, and what else than a pass it may come to."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Container
from functools import wraps
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

Claims: TypeAlias = Container[str] | Callable[[str], bool | None] | None
"""Which features a subject says it has: a collection, a function of a name, or None if it says nothing."""


class Unjudged(unittest.SkipTest):
    """A test comes to neither pass nor fail; under pytest it is skipped, with the reason."""

    word: ClassVar[Literal["unsupported", "informational", "not run"]]


class Unsupported(Unjudged):
    """The subject does not claim the feature that a test is about."""

    word = "unsupported"


class Informational(Unjudged):
    """What a test has found out where nothing is demanded."""

    word = "informational"


class Disbelieved(Unjudged):
    """The subject's word that it has a feature is worth nothing, so that nothing tells what to judge it by."""

    word = "not run"


def claimed(claims: Claims, feature: str) -> bool | None:
    """Return whether a subject says that it has a feature; None if it says nothing, and its behaviour decides.

    Raises
    ------
    Disbelieved
        If its word is worth nothing.
    """
    if claims is None:
        return None
    return claims(feature) if callable(claims) else feature in claims


def extended(feature: str) -> Callable[[F], F]:
    """Mark a test of a feature that a subject need not have.

    It runs where the subject claims the feature and where it says nothing.  Who claims it and refuses it then fails.

    Parameters
    ----------
    feature
        Its name, as ``features`` of a suite, of an offer and of the command line have it: a plural, words with hyphens.
    """

    def mark(test: F) -> F:
        @wraps(test)
        def run(self: Any, make: Any) -> None:
            claim = claimed(getattr(self, "features", None), feature)
            if claim is False:
                raise Unsupported(feature)
            try:
                test(self, make)
            except Unsupported as refusal:
                if claim:
                    raise AssertionError(f" - {feature} are claimed, and refused: {refusal}") from None
                raise

        run.feature = feature  # type: ignore[attr-defined]  # a mark on a function
        return run  # type: ignore[return-value]  # called as the test is

    return mark


def requirement(*ids: str) -> Callable[[F], F]:
    """Mark a test with the requirements that it verifies.

    Parameters
    ----------
    ids
        Such as ``QS-L2-011``; what they say stands in ``specs/``, `qstack spec check` refuses unknown ones.
    """

    def mark(test: F) -> F:
        test.requirements = ids  # type: ignore[attr-defined]  # as above
        return test

    return mark


def course(test: F) -> F:
    """Mark a test of many rules at once: the judge runs it on subjects that have failed none of the others.

    A layer that breaks one rule would fail it too, and its dialogue would name nothing that is not named already.
    """
    test.course = True  # type: ignore[attr-defined]  # as above
    return test
