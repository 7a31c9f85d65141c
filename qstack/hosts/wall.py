"""The wall clock: real time as integer picoseconds of network time."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from qstack.core.nouns import Cancel, Noun, Set, Timer

MOST = 256
"""Events in a row before sockets get their turn."""


class Wall:
    """A clock that all processes of a network share through the time of their hosts.

    Unlike virtual time it never waits for anybody, so an event may be late; none is ever early.

    Parameters
    ----------
    origin
        When network time is 0, as `time.time_ns` tells it [ns].
    slow
        Seconds of the wall for a second of the network.
    """

    def __init__(self, origin: int, slow: float) -> None:
        self.origin = origin
        self.slow = slow
        self.heap: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._count = itertools.count().__next__
        self._last = 0
        self._changed = asyncio.Event()

    @property
    def now(self) -> int:
        """The present [ps]; never less than before, whatever somebody does to the host's clock."""
        self._last = max(self._last, int((time.time_ns() - self.origin) * 1000 / self.slow))
        return self._last

    def at(self, time: int, call: Callable[[Any], None], argument: Any) -> None:
        """Call later, as soon as the time has come; at once if it has passed."""
        heappush(self.heap, (time, self._count(), call, argument))
        self._changed.set()

    async def run(self) -> None:
        """Fire events until cancelled."""
        heap = self.heap
        while True:
            self._changed.clear()
            for _ in range(MOST):
                if not heap or heap[0][0] > self.now:
                    break
                _, _, call, argument = heappop(heap)
                call(argument)
            wait = (heap[0][0] - self.now) * 1e-12 * self.slow if heap else None
            try:
                async with asyncio.timeout(None if wait is None else max(0.0, wait)):
                    await self._changed.wait()
            except TimeoutError:
                continue


class Timers:
    """The timers of one node: armed by value, fired once.

    Parameters
    ----------
    clock
        Which fires them.
    fire
        Takes a timer whose time has come.
    """

    def __init__(self, clock: Wall, fire: Callable[[Noun], None]) -> None:
        self.clock = clock
        self.fire = fire
        self.armed: dict[Timer, int] = {}
        self._count = itertools.count().__next__

    def set(self, noun: Set) -> None:
        """Arm a timer, or arm it anew."""
        token = self._count()
        self.armed[noun.timer] = token
        self.clock.at(noun.at, self._due, (noun.timer, token))

    def cancel(self, noun: Cancel) -> None:
        """Disarm a timer."""
        self.armed.pop(noun.timer, None)

    def _due(self, entry: tuple[Timer, int]) -> None:
        timer, token = entry
        if self.armed.get(timer) == token:
            del self.armed[timer]
            self.fire(timer)
