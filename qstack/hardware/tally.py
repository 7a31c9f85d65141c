"""What a node's entanglement attempts do to the qubits that it has stored: each attempt dephases each of them.

A stored half has to know how many attempts its node has made on all of its lanes since the half was emitted.  In
skip-ahead nobody makes them, so they are counted: a lane attempts in every cycle of its pace from when it may until it
may no more, and the count is settled when a pace changes or when somebody reads it.  Attempt by attempt, they are noted
as they are made.  Either way a half sees the attempts that begin after its emission and before it is read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from math import exp, inf
from typing import Any, Protocol

from qstack.core.errors import PhysicsError
from qstack.hardware.pairs import Exponential, Law
from qstack.quantum.memory import Decay

TIDY = 1024
"""Attempts that are noted before those that nobody can ask about any more are forgotten."""


class Tally(Protocol):
    """The attempts of one node, on all of its lanes.

    Attributes
    ----------
    lasting
        Attempts until the coherence of a stored qubit has fallen to 1/e.
    horizon
        How far back it can be asked [ps]: a half is told of when its answer comes, after its emission.
    """

    lasting: float
    horizon: int

    def before(self, time: int) -> int:
        """Return how many attempts began before a time [ps], not longer ago than the horizon."""
        ...

    def until(self, now: int) -> int:
        """Return how many attempts began before the present [ps]."""
        ...


class Counted:
    """Attempts that nobody makes, from the pace of every lane.

    With k lanes that attempt every c, there are k ceil(t/c) attempts before t, but for a constant that changes when k does.

    Parameters
    ----------
    lasting
        As in `Tally`.
    """

    __slots__ = ("_changes", "_lanes", "_offset", "_only", "horizon", "lasting")

    def __init__(self, lasting: float) -> None:
        self.lasting = possible(lasting)
        self.horizon = 0
        self._lanes: dict[int, int] = {}
        self._only = (0, 0)  # pace and lanes where all lanes have one pace: pairs are read often
        self._offset = 0
        self._changes: deque[tuple[int, int, int]] = deque()

    def change(self, now: int, old: int, new: int) -> None:
        """Have a lane attempt at another pace [ps] from now on; 0 is not at all."""
        changes = self._changes
        while changes and changes[0][0] < now - self.horizon:
            changes.popleft()
        for cycle, step in ((old, -1), (new, 1)):
            if cycle:
                lanes = self._lanes[cycle] = self._lanes.get(cycle, 0) + step
                if not lanes:
                    del self._lanes[cycle]
                self._offset += step * (-now // cycle)
                changes.append((now, cycle, step))
        self._only = next(iter(self._lanes.items())) if len(self._lanes) == 1 else (0, 0)

    def before(self, time: int) -> int:
        """Return how many attempts began before a time [ps], not longer ago than the horizon."""
        total = self.until(time)
        for at, cycle, step in reversed(self._changes):
            if at <= time:
                break
            total += step * (-time // cycle + -(-at // cycle))
        return total

    def until(self, now: int) -> int:
        """Return how many attempts began before the present [ps]: no pace has changed since."""
        cycle, lanes = self._only
        if cycle:
            return self._offset - lanes * (-now // cycle)
        return self._offset - sum(lanes * (-now // cycle) for cycle, lanes in self._lanes.items())


class Noted:
    """Attempts that are made one by one.

    Parameters
    ----------
    lasting
        As in `Tally`.
    """

    __slots__ = ("_dropped", "_times", "horizon", "lasting")

    def __init__(self, lasting: float) -> None:
        self.lasting = possible(lasting)
        self.horizon = 0
        self._dropped = 0
        self._times: list[int] = []

    def note(self, now: int) -> None:
        """Take down an attempt that begins now."""
        self._times.append(now)
        if len(self._times) % TIDY == 0:
            old = bisect_left(self._times, now - self.horizon)
            self._dropped += old
            del self._times[:old]

    def before(self, time: int) -> int:
        """Return how many attempts began before a time [ps], not longer ago than the horizon."""
        return self._dropped + bisect_left(self._times, time)

    until = before


class Worn:
    """The decay law of one half at a node that attempts: that of its memory, and the attempts since it was last read.

    Parameters
    ----------
    law
        Of the memory.
    tally
        Of the node.
    born
        When the half was emitted [ps].
    """

    __slots__ = ("born", "law", "seen", "tally")

    def __init__(self, law: Any, tally: Tally, born: int) -> None:
        self.law = law
        self.tally = tally
        self.born = born
        self.seen = tally.before(born + 1)

    def survival(self, start: int, end: int) -> tuple[float, float]:
        """Return the factors on (x and y, z) between two ages [ps], the first of which is that of the last reading."""
        xy, z = self.law.survival(start, end)
        return xy * self._attempts(end), z

    def between(self, start: int, end: int) -> Decay:
        """Return the decay between two ages [ps], the first of which is that of the last reading."""
        decay = self.law.between(start, end)
        return Decay(decay.xy * self._attempts(end), decay.z, decay.shift)

    def _attempts(self, end: int) -> float:
        """Return the factor (1 - 2p)^n on the coherences: exp(-n/N), with p = (1 - exp(-1/N)) / 2."""
        tally = self.tally
        seen = self.seen
        self.seen = now = tally.until(self.born + end)
        return exp((seen - now) / tally.lasting)


class WornExponential(Worn):
    """The same in one step for a law that is exponential, because pairs are read often."""

    __slots__ = ()

    law: Exponential

    def survival(self, start: int, end: int) -> tuple[float, float]:
        """Return the factors on (x and y, z) between two ages [ps], the first of which is that of the last reading."""
        law, tally, seen = self.law, self.tally, self.seen
        self.seen = now = tally.until(self.born + end)
        age = start - end
        return exp(age / law.t2 + (seen - now) / tally.lasting), exp(age / law.t1)


def worn(law: Law | None, tally: Tally | None, born: int) -> Law | None:
    """Return how a half decays that was emitted at a time [ps] at a node whose attempts harm it, if there is a tally."""
    if tally is None:
        return law
    return (WornExponential if isinstance(law, Exponential) else Worn)(law, tally, born)


def possible(lasting: float) -> float:
    """Return a number of attempts until 1/e.

    Raises
    ------
    PhysicsError
        If it is not positive.
    """
    if not 0 < lasting <= inf:
        raise PhysicsError(f"attempts to 1/e = {lasting}: a number of attempts is positive")
    return lasting
