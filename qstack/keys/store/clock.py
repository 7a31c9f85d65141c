"""Time for a key store: what steps of the machine's clock do not move."""

from __future__ import annotations

import time
from collections.abc import Callable

LARGEST_STEP_S = 3600
"""Largest step that is believed while a server runs [s]; one of this size comes from summer time or a late synchronisation."""


def _elapsed() -> float:
    """Return seconds that pass even while the machine sleeps, where it can tell."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SteadyClock:
    """Seconds since the epoch; a large step of the machine's clock is not believed before the next start.

    A clock that jumped years ahead would let every key expire, and wipe it.

    Parameters
    ----------
    wall
        The machine's clock [s since the epoch].
    elapsed
        A count that nobody sets [s].
    """

    def __init__(self, wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = _elapsed) -> None:
        self.wall = wall
        self.elapsed = elapsed
        self.lead = wall() - elapsed()

    def __call__(self) -> float:
        """Return the time."""
        passed = self.elapsed()
        lead = self.wall() - passed
        if abs(lead - self.lead) <= LARGEST_STEP_S:  # QS-KY-464
            self.lead = lead
        return self.lead + passed
