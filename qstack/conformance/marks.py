"""How a test says which requirement it verifies, and how it says that its subject makes no such claim."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Unsupported(unittest.SkipTest):
    """The subject does not claim the feature that a test is about; under pytest the test is skipped."""


def requirement(*ids: str) -> Callable[[F], F]:
    """Mark a test with the requirements that it verifies.

    Parameters
    ----------
    ids
        Such as ``QS-L2-011``; what they say stands in ``specs/``, `qstack spec check` refuses unknown ones.
    """

    def mark(test: F) -> F:
        test.requirements = ids  # type: ignore[attr-defined]
        return test

    return mark


def course(test: F) -> F:
    """Mark a test of many rules at once: the judge runs it on subjects that have failed none of the others.

    A layer that breaks one rule would fail it too, and its dialogue would name nothing that is not named already.
    """
    test.course = True  # type: ignore[attr-defined]
    return test
