"""The link's shared queue as one end sees it.

Both ends hold the same requests in the same order.  The node with the lower number is the master: it assigns the
absolute queue ids.  Order is that of the ids, compared as serial numbers, so it does not depend on which message
arrived first (QS-L2-008).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qstack.services.strategies import Row, Scheduler

QUEUE = 1 << 8
WINDOW = 64
"""Most requests that may stand in a queue: a quarter of the number space, so that serial comparison is safe."""


@dataclass(slots=True)
class Item:
    """A request in the queue.

    `remaining` counts down from the number asked; `ready` tells that the other end is known to hold it too.
    """

    aid: int
    purpose: int
    create_id: int
    remaining: int
    row: int
    goodness: float
    keep: bool
    bases: tuple[int, ...]
    priority: int
    start: int
    deadline: int
    remote: bool
    ready: bool = False
    order: int = 0


@dataclass(slots=True)
class Link:
    """What a link layer knows of one neighbour.

    Parameters
    ----------
    peer
        The neighbour.
    lanes
        Number of memories paired with the neighbour's.
    round_trip
        Time for a message and its answer [ps].
    rows
        The fidelity estimation unit's table.
    master
        Whether this end assigns queue ids.
    """

    peer: int
    lanes: int
    round_trip: int
    rows: tuple[Row, ...]
    master: bool
    items: dict[int, Item] = field(default_factory=dict)
    heads: list[Item] = field(default_factory=list)
    standing: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    ended: dict[int, int] = field(default_factory=dict)
    last_order: int = 0
    next_cseq: int = 0

    def __post_init__(self) -> None:
        self.standing = [-1] * self.lanes
        self.turns = list(range(self.lanes))

    def assign(self) -> int | None:
        """Return the next free absolute queue id, or None if the queue is full.  Only the master calls this."""
        aid = (self.last_order + 1) % QUEUE
        return None if len(self.items) >= WINDOW or aid in self.items else aid

    def insert(self, item: Item) -> None:
        """Enter an item at the place that its id gives it."""
        step = (item.aid - self.last_order + QUEUE // 2) % QUEUE - QUEUE // 2
        item.order = self.last_order + step
        self.last_order = max(self.last_order, item.order)
        self.items[item.aid] = item
        self.ended.pop(item.aid, None)

    def remove(self, item: Item) -> None:
        """Take an item out; its purpose is remembered for heralds that are still on their way."""
        del self.items[item.aid]
        self.ended[item.aid] = item.purpose

    def refresh(self, now: int) -> None:
        """Recompute the list of requests that may be served: the oldest ready one of each purpose, in order."""
        heads: dict[int, Item] = {}
        for item in sorted(self.items.values(), key=lambda i: i.order):
            if item.ready and item.start <= now:
                heads.setdefault(item.purpose, item)
        self.heads = sorted(heads.values(), key=lambda i: i.order)

    def choose(self, lane: int, scheduler: Scheduler) -> int:
        """Return the queue id that a lane should serve now, or -1."""
        heads = self.heads
        if not heads:
            return -1
        return heads[0].aid if len(heads) == 1 else heads[scheduler(heads, self.turns[lane])].aid

    def successor(self, aid: int) -> Item | None:
        """Return the request that inherits a late success of an ended one: the same purpose, if it is ready."""
        purpose = self.ended.get(aid)
        return next((i for i in self.heads if i.purpose == purpose), None)
