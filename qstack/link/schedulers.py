"""Link schedulers: which request a lane serves next (pure functions of agreed knowledge)."""

from __future__ import annotations

from collections.abc import Sequence

from qstack.services.strategies import QueueItem


def first_come(ready: Sequence[QueueItem], turn: int) -> int:
    """Serve the oldest request until it is done."""
    return 0


def weighted_fair(ready: Sequence[QueueItem], turn: int) -> int:
    """Share the lanes between all ready requests, in proportion to priority + 1.

    The number of a lane's last success is known to both ends and runs through all values, so taking it modulo the sum
    of the weights serves every request in its proportion without any further agreement.
    """
    weights = [item.priority + 1 for item in ready]
    place = turn % sum(weights)
    for index, weight in enumerate(weights):
        place -= weight
        if place < 0:
            return index
    return 0  # not reached: place starts below the sum of the weights


def strict_priority(ready: Sequence[QueueItem], turn: int) -> int:
    """Serve the highest priority alone (QS-L2-021); requests of equal priority share the lanes evenly.

    If the oldest of them were served alone, two circuits that have come to two links in opposite orders would each be
    served on one of them for ever (QS-L2-470).
    """
    highest = max(item.priority for item in ready)
    first = [index for index, item in enumerate(ready) if item.priority == highest]
    return first[turn % len(first)]
