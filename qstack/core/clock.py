"""What media ask of a host: the time, and to be called later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

PICOSECOND = 1
NANOSECOND = 1_000
MICROSECOND = 1_000_000
MILLISECOND = 1_000_000_000
SECOND = 1_000_000_000_000


class Clock(Protocol):
    """Virtual or real time, in integer picoseconds."""

    @property
    def now(self) -> int:
        """The present [ps]."""
        ...

    def at(self, time: int, call: Callable[[Any], None], argument: Any) -> None:
        """Call later; calls at equal times happen in the order in which they were asked for."""
        ...
