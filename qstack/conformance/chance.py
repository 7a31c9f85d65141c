"""The seeds of the suites: each has its own, and a judge may move all of them at once (`--seed`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_MOVED: ContextVar[int] = ContextVar("moved", default=0)
APART = 1 << 16
"""Between two judges' seeds there is room for those of one suite."""


def seeded(seed: int) -> int:
    """Return the seed of a test under this judge's own; without one it stays what the test says."""
    return seed + APART * _MOVED.get()


@contextmanager
def moved(by: int) -> Iterator[None]:
    """Judge under another seed: all draws of the suites are others, the same ones for the same seed.

    Parameters
    ----------
    by
        The seed of the judge; 0 is the usual one.
    """
    token = _MOVED.set(by)
    try:
        yield
    finally:
        _MOVED.reset(token)
