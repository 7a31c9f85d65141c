"""The link's shared queue as one end sees it.

Both ends hold the same requests in the same order.  The node with the lower number is the master: it assigns the
absolute queue ids.  Order is that of the ids, compared as serial numbers, so it does not depend on which message
arrived first (QS-L2-008).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from qstack.services.l2_link import Create
from qstack.services.strategies import Row, Scheduler
from qstack.wire.link import Add, AddAck, AddRej

QUEUE = 15 << 8
"""Absolute queue ids: queue number and place in it (8 bits), counted through as one number; queue 15 means unassigned."""

WINDOW = QUEUE // 4
"""Most requests that may stand in a queue: a quarter of the number space, so that serial comparison is safe."""

CSEQ = 1 << 8
UNANSWERED = CSEQ // 4
"""Most `Add` messages that may be unanswered at a time; later requests wait for their turn (the draft's backlog)."""


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
class Wish:
    """An accepted request that has not been proposed to the neighbour yet."""

    request: Create
    create_id: int
    deadline: int


@dataclass(slots=True)
class Proposal:
    """An `Add` that waits for its answer; one that was withdrawn meanwhile is dropped when the answer comes."""

    add: Add
    tries: int = 1
    withdrawn: bool = False


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
    cycle
        Least time between two attempts of a lane [ps]: what a deadline must leave room for.
    """

    peer: int
    lanes: int
    round_trip: int
    rows: tuple[Row, ...]
    master: bool
    cycle: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    heads: list[Item] = field(default_factory=list)
    standing: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    last_order: int = 0
    last_cseq: int = 0
    backlog: deque[Wish] = field(default_factory=deque)
    adding: dict[int, Proposal] = field(default_factory=dict)
    answered: dict[int, AddAck | AddRej] = field(default_factory=dict)
    dropping: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.standing = [-1] * self.lanes
        self.turns = list(range(self.lanes))

    def forget(self) -> None:
        """Forget everything that was agreed, as if the link were new; standing answers are the caller's business."""
        for agreed in (self.items, self.heads, self.backlog, self.adding, self.answered, self.dropping):
            agreed.clear()
        self.last_order = self.last_cseq = 0
        self.turns = list(range(self.lanes))

    def assign(self) -> int | None:
        """Return the next free absolute queue id, or None if the queue is full.  Only the master calls this."""
        if len(self.items) >= WINDOW:
            return None
        aid = (self.last_order + 1) % QUEUE
        while aid in self.items:  # a request that has outlived a whole turn of the numbers
            aid = (aid + 1) % QUEUE
        return aid

    def next_cseq(self) -> int:
        """Return a number for the next `Add` that no unanswered one carries."""
        cseq = (self.last_cseq + 1) % CSEQ
        while cseq in self.adding:
            cseq = (cseq + 1) % CSEQ
        self.last_cseq = cseq
        return cseq

    def answer(self, cseq: int, answer: AddAck | AddRej) -> None:
        """Remember an answer until its number is half a turn old."""
        self.answered[cseq] = answer
        self.answered.pop((cseq - CSEQ // 2) % CSEQ, None)

    def insert(self, item: Item) -> None:
        """Enter an item at the place that its id gives it."""
        step = (item.aid - self.last_order + QUEUE // 2) % QUEUE - QUEUE // 2
        item.order = self.last_order + step
        self.last_order = max(self.last_order, item.order)
        self.items[item.aid] = item

    def purposes(self) -> set[int]:
        """Return the purposes of all requests in the queue."""
        return {item.purpose for item in self.items.values()}

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

    def next_change(self, now: int) -> int | None:
        """Return when a request may begin or is too late [ps]: the earliest of all, None if there is none."""
        changes = [i.start for i in self.items.values() if i.start > now]
        changes += [i.deadline for i in self.items.values() if i.deadline]
        changes += [w.deadline for w in self.backlog if w.deadline]
        changes += [p.add.deadline for p in self.adding.values() if p.add.deadline]
        return max(now, min(changes)) if changes else None
