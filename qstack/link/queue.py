"""The link's shared queue as one end sees it.

Both ends hold the same requests in the same order.  The node with the lower number is the master: it assigns the
absolute queue ids.  Order is that of the ids, compared as serial numbers, so it does not depend on which message
arrived first (QS-L2-008).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TypeVar

from qstack.services.l2_link import Create, Ok
from qstack.services.strategies import Row, Scheduler
from qstack.wire.link import Add, AddAck, AddRej, Drop, DropAck, LinkExpire, LinkExpireAck

QUEUE = 14 << 8
"""Absolute queue ids: queue number and place in it (8 bits), counted through as one number."""

TEST = QUEUE
"""Queue id of test rounds: queue 14 holds nothing else; queue 15 means unassigned."""

WINDOW = QUEUE // 4
"""Most requests that may stand in a queue: a quarter of the number space, so that serial comparison is safe."""

CSEQ = 1 << 8
UNANSWERED = CSEQ // 4
"""Most `Add` messages that may be unanswered at a time; later requests wait for their turn (the draft's backlog)."""

SEQUENCES = 1 << 16
"""Pairs of a link are numbered modulo this."""

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED = 64
"""Requests that have ended, and expiries that were answered, which a link remembers."""


@dataclass(slots=True)
class Item:
    """A request in the queue.

    Attributes
    ----------
    remaining
        Counts down from the number asked.
    keep, theirs
        Whether this end keeps its halves, and whether the neighbour keeps its own.
    batch
        Pairs of a request that wants them all at once; None for one that takes them as they come.
    distilled
        Whether its pairs are distilled before they are told.
    ready
        Whether the other end is known to hold the request too.
    begun
        Of an atomic request: whether it has had its first pair.
    following
        The next ready request of the same purpose.
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
    atomic: bool = False
    batch: list[Ok] | None = None
    distilled: bool = False
    theirs: bool = True
    ready: bool = False
    begun: bool = False
    order: int = 0
    following: Item | None = None


@dataclass(slots=True)
class Wish:
    """An accepted request that has not been proposed to the neighbour yet."""

    request: Create
    create_id: int
    deadline: int


@dataclass(slots=True)
class Proposal:
    """An `Add` that waits for its answer."""

    add: Add
    bases: tuple[int, ...]
    tries: int = 1


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

    Attributes
    ----------
    turns
        Number of the last success of each lane, which both ends know; before the first one the number of the lane, a whole
        turn of the numbers earlier.
    log
        The last pairs that were told: an expiry names them by number only.
    stored
        The last pair of each lane that was told: as long as an end holds its half, both know which it is.
    special
        Pair numbers with a history: expired before they came (True), or perhaps still alive from the last turn (False).
    newest
        Number of the last success.
    exclusive
        The atomic request that has had its first pair but not its last.
    steady
        Whether a success is told and changes nobody's answer: one request of the usual kind stands at the head.
    wary
        Whether a pair may be forbidden although its request stands.
    full
        Whether the neighbour has said that no memory is free there (QS-L2-016).
    tested
        Whether there are test rounds.
    exact
        Whether every success counts for its request: not where pairs are distilled first.
    vain
        How often unanswered `Drop` and `LinkExpire` messages were repeated since the last answer.
    disowned
        Numbers of the neighbour's requests that it has told not to hold, and when [ps].
    forgotten
        Numbers of `Add` messages that were under way when the neighbour was lost: an answer tells of an orphan there.
    accepts
        Purposes that the neighbour may ask for; None accepts all (QS-L2-024).
    """

    peer: int
    lanes: int
    round_trip: int
    rows: tuple[Row, ...]
    master: bool
    cycle: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    ended: dict[int, Item] = field(default_factory=dict)
    heads: list[Item] = field(default_factory=list)
    standing: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    log: deque[Ok] = field(default_factory=deque)
    stored: list[Ok | None] = field(default_factory=list)
    special: dict[int, bool] = field(default_factory=dict)
    newest: int = -1
    wrapped: bool = False
    exclusive: Item | None = None
    steady: bool = False
    wary: bool = False
    full: bool = False
    tested: bool = False
    exact: bool = True
    last_order: int = 0
    last_cseq: int = 0
    vain: int = 0
    backlog: deque[Wish] = field(default_factory=deque)
    adding: dict[int, Proposal] = field(default_factory=dict)
    answered: dict[int, tuple[Add | Drop, AddAck | AddRej | DropAck]] = field(default_factory=dict)
    dropping: dict[int, Drop] = field(default_factory=dict)
    expiring: dict[tuple[int, int, int], LinkExpire] = field(default_factory=dict)
    expired: dict[tuple[int, int, int], LinkExpireAck] = field(default_factory=dict)
    accepts: set[int] | None = None
    disowned: dict[int, int] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.standing = [-1] * self.lanes
        self.turns = [lane - SEQUENCES for lane in range(self.lanes)]
        self.log = deque(maxlen=16 + 4 * self.lanes)
        self.stored = [None] * self.lanes

    def forget(self) -> None:
        """Forget everything that was agreed, as if the link were new; standing answers are the caller's business."""
        unanswered = set(self.adding)
        for agreed in (self.items, self.ended, self.heads, self.backlog, self.adding, self.answered, self.dropping):
            agreed.clear()
        for heard in (self.log, self.special, self.expiring, self.expired, self.disowned):
            heard.clear()
        self.forgotten.update(unanswered)
        self.last_order = self.last_cseq = self.vain = 0
        self.newest = -1
        self.wrapped = self.full = False
        self.exclusive = None
        self.turns = [lane - SEQUENCES for lane in range(self.lanes)]
        self.stored = [None] * self.lanes

    # -- numbers ------------------------------------------------------------------------------------------------------

    def assign(self) -> int | None:
        """Return the next free absolute queue id, or None if the queue is full.  Only the master calls this."""
        if len(self.items) >= WINDOW:
            return None
        aid = (self.last_order + 1) % QUEUE
        while aid in self.items:  # a request that has outlived a whole turn of the numbers
            aid = (aid + 1) % QUEUE
        return aid

    def next_cseq(self) -> int:
        """Return a number for the next `Add` or `Drop` that no unanswered one carries."""
        cseq = (self.last_cseq + 1) % CSEQ
        while cseq in self.adding or any(drop.cseq == cseq for drop in self.dropping.values()):
            cseq = (cseq + 1) % CSEQ
        self.last_cseq = cseq
        self.forgotten.discard(cseq)
        return cseq

    def answer_to(self, message: Add | Drop) -> AddAck | AddRej | DropAck | None:
        """Return the answer that this very message was given before; a later one may carry the same number."""
        given, answer = self.answered.get(message.cseq, (None, None))
        return answer if given == message else None

    def answer(self, message: Add | Drop, answer: AddAck | AddRej | DropAck) -> None:
        """Remember an answer until its number is half a turn old."""
        self.answered[message.cseq] = message, answer
        for age in range(CSEQ // 2, CSEQ // 2 + UNANSWERED):  # numbers may be skipped, but not so many
            self.answered.pop((message.cseq - age) % CSEQ, None)

    def gone(self, add: Add, now: int, patience: int) -> bool:
        """Tell whether the sender of an `Add` has given the request up already.

        It is so old (QS-L2-011), or a later `Drop` of its purpose or a `LinkExpire` of it has overtaken it (QS-L2-202).
        """
        heard = self.disowned.get(add.create_id)
        if now > add.start + patience or (heard is not None and add.start <= heard + patience):
            return True
        dropped = [m.cseq for m, _ in self.answered.values() if type(m) is Drop and m.purpose == add.purpose]
        return any(0 < (cseq - add.cseq) % CSEQ < CSEQ // 2 for cseq in dropped)

    def align(self, high: int) -> None:
        """Agree on the turns again after a loss: lanes without a success from this number on count as just before it.

        The lanes of lost successes are known to one end only; with equal turns both choose alike for every lane.
        """
        lost = (high - 1) % SEQUENCES
        self.turns = [t if t >= 0 and (t - high) % SEQUENCES < SEQUENCES // 4 else lost for t in self.turns]

    def recall(self, low: int, count: int) -> list[Ok]:
        """Return the pairs of so many numbers that were told, oldest first, and forget that they were."""
        known = {ok.sequence: ok for ok in (*self.stored, *self.log) if ok and (ok.sequence - low) % SEQUENCES < count}
        for ok in [ok for ok in self.log if ok.sequence in known]:
            self.log.remove(ok)
        self.stored = [None if ok and ok.sequence in known else ok for ok in self.stored]
        return sorted(known.values(), key=lambda ok: (ok.sequence - low) % SEQUENCES)

    def told(self, qubit: int) -> Ok | None:
        """Return the pair that was told of a qubit."""
        return next((ok for ok in (*self.stored, *self.log) if ok and ok.qubit == qubit), None)

    def wrap(self, lane: int) -> None:
        """Guard the numbers of pairs that may still be alive when the numbers begin anew (QS-L2-003).

        Parameters
        ----------
        lane
            The lane that has just had its success.
        """
        if self.wrapped:
            self.wary = True
            for k, number in enumerate(self.turns):
                if k != lane and number >= 0:
                    self.special.setdefault(number, False)
        self.wrapped = True

    def forbids(self, sequence: int) -> bool:
        """Tell whether a pair of this number must not be delivered."""
        expired = self.special.pop(sequence, None)
        return expired is not None and (expired or self.turns.count(sequence) > 1)

    # -- the queue ----------------------------------------------------------------------------------------------------

    def insert(self, item: Item) -> None:
        """Enter an item at the place that its id gives it."""
        step = (item.aid - self.last_order + QUEUE // 2) % QUEUE - QUEUE // 2
        item.order = self.last_order + step
        self.last_order = max(self.last_order, item.order)
        self.items[item.aid] = item

    def end(self, item: Item) -> None:
        """Take an item out and remember it for pairs of it that come late."""
        del self.items[item.aid]
        remember(self.ended, item.aid, item)

    def request_of(self, ok: Ok) -> Item | None:
        """Return the request that a pair was told of, if it is known."""
        items = (*self.items.values(), *self.ended.values())
        return next((i for i in items if (i.create_id, i.remote) == (ok.create_id, ok.remote)), None)

    def purposes(self) -> set[int]:
        """Return the purposes of all requests in the queue."""
        return {item.purpose for item in self.items.values()}

    def refresh(self, now: int) -> None:
        """Recompute the list of requests that may be served: the oldest ready one of each purpose, in order."""
        heads: dict[int, Item] = {}
        tails: dict[int, Item] = {}
        for item in sorted(self.items.values(), key=lambda i: i.order):
            item.following = None
            if item.ready and item.start <= now:
                heads.setdefault(item.purpose, item)
                if item.purpose in tails:
                    tails[item.purpose].following = item
                tails[item.purpose] = item
        self.heads = sorted(heads.values(), key=lambda i: i.order)
        self.exclusive = next((item for item in self.heads if item.atomic and item.begun), None)
        if self.exclusive is not None:  # QS-L2-017: nothing else is served until it has ended
            self.heads = [self.exclusive]
        first = self.heads[0] if len(self.heads) == 1 else None
        self.wary = self.exclusive is not None or bool(self.special)
        self.steady = first is not None and first.batch is None and not (first.atomic or self.tested)

    def choose(self, lane: int, scheduler: Scheduler) -> Item | None:
        """Return the request that a lane should serve now."""
        heads = self.heads
        if not heads:
            return None
        item = heads[0] if len(heads) == 1 else heads[scheduler(heads, self.turns[lane] % SEQUENCES)]
        few = item.remaining < self.lanes and item.following is not None and self.exact
        return self._spread(item, lane) if few else item

    def _spread(self, item: Item, lane: int) -> Item:
        """Give the last pairs of a request to as many lanes, and the other lanes to its successor.

        Otherwise the attempts under way when it ends would make pairs for nobody.  The lanes whose last success is
        oldest keep it: both ends know that order, and a lane that has succeeded is the one that moves on.
        """
        ages = sorted(range(self.lanes), key=lambda k: ((self.turns[k] - self.newest - 1) % SEQUENCES, k))
        place = ages.index(lane)
        while item.following is not None and place >= item.remaining:
            place -= item.remaining
            item = item.following
        return item

    def next_change(self, now: int) -> int | None:
        """Return when a request may begin or is too late [ps]: the earliest of all, None if there is none."""
        changes = [i.start for i in self.items.values() if i.start > now]
        changes += [i.deadline for i in self.items.values() if i.deadline]
        changes += [w.deadline for w in self.backlog if w.deadline]
        changes += [p.add.deadline for p in self.adding.values() if p.add.deadline]
        return max(now, min(changes)) if changes else None


def before(a: int, b: int) -> bool:
    """Tell whether a pair number comes before another, as serial numbers."""
    return 0 < (b - a) % SEQUENCES < SEQUENCES // 2


def remember(table: dict[K, V], key: K, value: V) -> None:
    """Keep the youngest entries of a table."""
    table.pop(key, None)
    table[key] = value
    if len(table) > REMEMBERED:
        del table[next(iter(table))]
