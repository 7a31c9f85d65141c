"""Links that change while they run: the success probability of a row over time, and draws from its summed hazard.

A course is stretches of time, one after the other; within one nothing changes, after the last nothing ever succeeds.
Attempts stay independent, so one draw still gives the next success: attempt i fails with probability exp(-h_i), with the
hazard h = -ln(1 - p) of its stretch, and the first success is the attempt at which the summed hazard passes an
exponential draw (Devroye, Non-Uniform Random Variate Generation, 1986, section VI.2).  That is exact, and costs a
bisection, not an attempt.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import log1p

from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Herald, Outcome

CERTAIN = 745.0
"""Hazard of an attempt that cannot fail: exp(-745) is the smallest double."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one row of a link's table changes with time.

    Parameters
    ----------
    until
        Ends of the stretches [ps], each after the one before; the first begins at 0.
    probabilities
        Of success per attempt, by stretch.
    outcomes
        What a success announces, by stretch; the shares of one stretch sum to one.
    """

    until: tuple[int, ...]
    probabilities: tuple[float, ...]
    outcomes: tuple[tuple[Outcome, ...], ...]

    def __post_init__(self) -> None:
        if any(later <= sooner for sooner, later in pairwise((0, *self.until))):
            raise PhysicsError("a stretch of a link's course ends before it begins")
        if not all(0 <= p <= 1 for p in self.probabilities):
            raise PhysicsError("a success probability of a link's course is not in [0, 1]")

    def probability(self, time: int) -> float:
        """Return the success probability of an attempt that begins now [ps]."""
        stretch = bisect_right(self.until, time)
        return self.probabilities[stretch] if stretch < len(self.until) else 0.0

    def announced(self, time: int) -> tuple[Outcome, ...]:
        """Return what a success announces whose attempt began at a time [ps] within the course."""
        return self.outcomes[bisect_right(self.until, time)]


class Summed:
    """The summed hazard of a course for attempts at the multiples of a cycle.

    Parameters
    ----------
    course
        Of the row.
    cycle
        Time between attempts [ps].
    """

    __slots__ = ("_first", "_hazards", "_sums")

    def __init__(self, course: Course, cycle: int) -> None:
        self._first = [0, *(-(-until // cycle) for until in course.until)]
        self._hazards = [CERTAIN if p == 1 else -log1p(-p) for p in course.probabilities]
        counts = (later - sooner for sooner, later in pairwise(self._first))
        self._sums = [0.0, *accumulate(h * n for h, n in zip(self._hazards, counts, strict=True))]

    def success(self, attempt: int, drawn: float) -> int | None:
        """Return the number of the first attempt that succeeds, from one on; None if none ever does.

        Parameters
        ----------
        attempt
            Number of the first attempt that is made.
        drawn
            An exponential draw of mean one.
        """
        first, hazards, sums = self._first, self._hazards, self._sums
        stretch = bisect_right(first, attempt) - 1
        if stretch == len(hazards):
            return None
        rest = drawn - hazards[stretch] * (first[stretch + 1] - attempt)
        if rest < 0:
            return min(attempt + int(drawn / hazards[stretch]), first[stretch + 1] - 1)
        wanted = sums[stretch + 1] + rest
        if wanted >= sums[-1]:
            return None
        stretch = bisect_right(sums, wanted) - 1
        return min(first[stretch] + int((wanted - sums[stretch]) / hazards[stretch]), first[stretch + 1] - 1)


def courses(phases: Sequence[tuple[int, Sequence[Herald]]], rows: int) -> list[Course | None]:
    """Return the course of every row of a link; None for each if the link does not change.

    Parameters
    ----------
    phases
        End [ps] and heralds of every stretch; no heralds where nothing can succeed.
    rows
        Of the link's table.
    """
    if not phases:
        return [None] * rows
    until = tuple(end for end, _ in phases)
    return [
        Course(
            until,
            tuple(heralds[row].probability if heralds else 0.0 for _, heralds in phases),
            tuple(heralds[row].outcomes if heralds else () for _, heralds in phases),
        )
        for row in range(rows)
    ]
