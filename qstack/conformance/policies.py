"""The suites for small strategies: link schedulers, swap policies, cutoffs.

A vendor writes one fixture::

    class TestMine(SchedulerSuite):          # or SwapPolicySuite, CutoffSuite
        @pytest.fixture
        def make(self):
            return lambda: my_scheduler

All three are asked at both ends of a link or at all nodes of a network, and nobody compares the answers: so they have to be
functions of what they are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt

from qstack.conformance.marks import Unsupported, extended, requirement
from qstack.conformance.stand import kept
from qstack.services.strategies import CutoffPolicy, Scheduler, Storage, SwapPolicy

TURNS = (*range(40), 65_534, 65_535)
LONG = 1600
"""Turns in which shares show."""
SHARING = ((0, 0), (0, 2), (2, 0), (7, 0, 1))
"""Priorities of requests that share a lane."""


@dataclass(frozen=True, slots=True)
class Item:
    """A request as a scheduler sees it."""

    purpose: int
    priority: int


QUEUES: tuple[tuple[Item, ...], ...] = tuple(
    tuple(Item(purpose, priority) for purpose, priority in enumerate(priorities))
    for number in (1, 2, 3)
    for priorities in product((0, 1, 7), repeat=number)
)


def _asked(scheduler: Scheduler, queues: Sequence[tuple[Item, ...]] = QUEUES) -> Iterator[tuple[str, int, int]]:
    for queue in queues:
        for turn in TURNS:
            yield f"priorities {[item.priority for item in queue]}, turn {turn}", len(queue), scheduler(queue, turn)


def in_proportion(counts: Sequence[int], priorities: Sequence[int]) -> bool:
    """Tell whether requests were served in proportion to priority + 1.

    Draws with these chances would be as near in all but one of ten thousand cases, so who shares by turns and who shares by
    a hash of the turn are both right.

    Parameters
    ----------
    counts
        How often each request was served.
    priorities
        Of the requests.
    """
    number, weights = sum(counts), [priority + 1 for priority in priorities]
    shares = [weight / sum(weights) for weight in weights]
    return all(abs(n - number * s) < 4 * sqrt(number * s * (1 - s)) for n, s in zip(counts, shares, strict=True))


class SchedulerSuite:
    """Everything that a link scheduler is held to."""

    profile = "scheduler"

    @requirement("QS-L2-290")
    def test_a_ready_request_is_chosen(self, make: Callable[[], Scheduler]) -> None:
        """By its index."""
        for words, number, chosen in _asked(make()):
            assert chosen in range(number), f"{words}: {chosen!r} is none of {number} requests"

    @requirement("QS-L2-050")
    def test_both_ends_choose_alike(self, make: Callable[[], Scheduler]) -> None:
        """Though one of them was asked other things before."""
        one, other = make(), make()
        first = [chosen for *_, chosen in _asked(one)]
        again = [chosen for *_, chosen in _asked(other, QUEUES[::-1])]
        per = len(TURNS)
        turned = [choice for k in range(len(QUEUES))[::-1] for choice in again[k * per : (k + 1) * per]]
        assert first == turned, "the choice depends on what was asked before"

    @requirement("QS-L2-020")
    @extended("proportional-shares")
    def test_shares_are_in_proportion(self, make: Callable[[], Scheduler]) -> None:
        """To priority + 1, over many turns."""
        choose = make()
        for priorities in SHARING:
            queue = tuple(Item(purpose, priority) for purpose, priority in enumerate(priorities))
            chosen = [choose(queue, turn) for turn in range(LONG)]
            counts = [chosen.count(index) for index in range(len(queue))]
            if not in_proportion(counts, priorities):
                raise Unsupported(f"shares in proportion ({counts} of {LONG} turns for priorities {list(priorities)})")

    @requirement("QS-L2-021")
    @extended("strict-priorities")
    def test_the_highest_priority_is_served_alone(self, make: Callable[[], Scheduler]) -> None:
        """Whatever the turn."""
        choose = make()
        for queue in QUEUES:
            priorities = [item.priority for item in queue]
            for turn in TURNS:
                chosen = choose(queue, turn)
                if chosen in range(len(queue)) and priorities[chosen] < max(priorities):
                    raise Unsupported(f"strict priorities (at turn {turn} number {chosen} of {priorities} is served)")


class SwapPolicySuite:
    """Everything that a swap policy is held to."""

    profile = "swap-policy"

    @requirement("QS-L3-281")
    def test_a_waiting_pair_is_chosen(self, make: Callable[[], SwapPolicy | None]) -> None:
        """By its index, and the same for the same question."""
        policy = make()
        if policy is None:
            raise Unsupported("choices other than the network layer's own")
        first = [policy(waiting) for waiting in range(1, 65)]
        for waiting, chosen in enumerate(first, 1):
            assert chosen in range(waiting), f"{chosen!r} is none of {waiting} pairs that wait"
        assert first == [policy(waiting) for waiting in range(64, 0, -1)][::-1], (
            "the same question is answered in two ways"
        )


def _slow(age: int) -> float:
    """Return what a memory that keeps for long leaves after an age [ps]."""
    return float(0.9 ** (age / 1e12))


STORES: tuple[tuple[Storage, ...], ...] = ((kept,), (kept,) * 3, (kept, _slow), (_slow, kept, _slow))


class CutoffSuite:
    """Everything that a discard policy is held to."""

    profile = "cutoff"

    @requirement("QS-L3-282")
    def test_a_cutoff_is_a_time(self, make: Callable[[], CutoffPolicy]) -> None:
        """In whole picoseconds; 0 is for ever."""
        for storage in STORES:
            cutoff = make()(storage)
            assert type(cutoff) is int, f"{len(storage)} nodes: a cutoff of {cutoff!r}"
            assert cutoff >= 0, f"{len(storage)} nodes: a cutoff of {cutoff} ps"

    @requirement("QS-L3-283")
    def test_every_node_finds_the_same(self, make: Callable[[], CutoffPolicy]) -> None:
        """Whatever it was asked before."""
        one, other = make(), make()
        first = [one(storage) for storage in STORES]
        assert first == [other(storage) for storage in STORES[::-1]][::-1], (
            "the cutoff depends on what was asked before"
        )
        assert first == [one(storage) for storage in STORES], "the same question is answered in two ways"
