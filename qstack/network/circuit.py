"""What a node remembers of a circuit: the routing entry, what it is asked for, and the pairs that pass through it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from qstack.network.requests import Progress
from qstack.services.estimation import Tally
from qstack.services.l2_link import Ok
from qstack.services.l3_network import PairEvent
from qstack.wire.network import KEEP, Track

EPOCHS = 1 << 24

REMEMBERED = 64
"""Epochs, and delivered pairs, that an end remembers."""


@dataclass(slots=True)
class Record:
    """A swap, as a TRACK from one side needs to know it; kept until both TRACKs have passed (QS-L3-004).

    Attributes
    ----------
    other
        The pair on the other side, with which the TRACK goes on.
    bell
        What it adds to its Bell index: the outcome XOR that of the other pair.
    factor
        On the Werner parameter that it believes in: of the swap, of waiting, and of the other pair.
    """

    other: Ok
    bell: int
    factor: float


Fate = Record | Track | int
"""What is known of a pair's number: its swap, a TRACK that came before its swap, or the reason for its discard; minus the
reason if the other end has given the pair up before it came here."""


@dataclass(slots=True, eq=False)
class Side:
    """One side of a circuit at a node: towards the head (0) or towards the tail (1).

    Attributes
    ----------
    peer, label
        The neighbour on this side and the circuit's purpose id on that link; the peer is -1 where the circuit ends.
    circuit, which
        Whose side this is, and which of its two.
    queue
        Pairs with that neighbour that wait for a partner, oldest first.
    armed
        Whether the timer of this queue is running.
    fates
        What became of pairs that are no longer here, by their number on this link, until a TRACK has asked.
    faded
        Fates of the last generation: forgotten at the next sweep.
    """

    peer: int
    label: int
    circuit: Circuit = field(init=False, repr=False)
    which: int = field(init=False)
    queue: deque[Ok] = field(default_factory=deque)
    armed: bool = False
    fates: dict[int, Fate] = field(default_factory=dict)
    faded: dict[int, Fate] = field(default_factory=dict)

    def begin(self, sequence: int) -> None:
        """Clear a number for a new pair: what is left of an older pair of the same number would mislead its TRACK."""
        fate = self.ask(sequence)
        if type(fate) is Track or (type(fate) is int and fate < 0):  # these may have overtaken the herald
            self.fates[sequence] = fate

    def ask(self, sequence: int) -> Fate | None:
        """Return what became of a pair and forget it, or None."""
        return self.fates.pop(sequence, None) or self.faded.pop(sequence, None)

    def fade(self, *, records: bool) -> Iterator[Track]:
        """Begin a new generation; return the TRACKs of which nothing was heard during a whole one.

        Parameters
        ----------
        records
            Whether fates may be forgotten: not without a cutoff, because a TRACK may then wait for ever elsewhere.
        """
        waiting = {ok.sequence for ok in self.queue}
        for sequence, fate in list(self.faded.items()):
            if type(fate) is Track and sequence not in waiting:
                yield fate
            elif type(fate) is Track or not records:
                self.fates[sequence] = fate
        self.faded, self.fates = self.fates, {}

    def tracked(self, origin: int, origin_pair: int) -> Track | None:
        """Return a TRACK of this origin that waits here, and forget it."""
        for fates in (self.fates, self.faded):
            for sequence, fate in fates.items():
                if type(fate) is Track and (fate.origin, fate.origin_pair) == (origin, origin_pair):
                    del fates[sequence]
                    return fate
        return None

    def clear(self) -> None:
        """Forget all pairs and fates."""
        self.fates.clear()
        self.faded.clear()
        self.queue.clear()
        self.armed = False


@dataclass(slots=True, eq=False)
class Ask:
    """A request for pairs of a circuit, as one of its ends sees it.

    Attributes
    ----------
    session, number, kind, basis
        As asked; number 0 is without end.
    interval, due
        Least time between two pairs asked for, and when the next one may be [ps].
    started, delivered
        At the head: pairs asked for and handed up so far.
    last
        At the head: when it was this request's turn, counted over the circuit.
    """

    session: int
    number: int
    kind: int = KEEP
    basis: int = 0
    interval: int = 0
    due: int = 0
    started: int = 0
    delivered: int = 0
    last: int = 0

    @property
    def wants(self) -> bool:
        """Whether more pairs are to be asked for."""
        return not self.number or self.started < self.number


Held = tuple[Ok, Ask | None, int, int]
"""A pair that an end of the circuit keeps until the other end's TRACK arrives: (pair, ask, slot, asked).

The last three are the head's: whose pair, which of its wanted pairs, and when it was asked for [ps].  A pair of nobody is
a test round.
"""


@dataclass(slots=True)
class Trials:
    """Test rounds at one end: bits that wait for the other end's, and what was counted.

    Attributes
    ----------
    seen, made
        Pairs that the head has had, and how many of them it has made test rounds.
    probing
        By qubit under measurement: the pair's number at the head, its Bell index and the basis.
    mine, theirs
        By the pair's number at the head: Bell index, basis and bit; the other end's basis and bit.
    """

    seen: int = 0
    made: int = 0
    probing: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    mine: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    theirs: dict[int, tuple[int, int]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True, eq=False)
class Circuit:
    """Everything a node knows of one circuit.

    Attributes
    ----------
    requests
        Sessions of the requests that are being served.
    asks
        At the ends: those requests, by session.
    slots, opened
        At the head: wanted pairs that have no half yet, as (request, number, asked at); how often it was anybody's turn.
    epoch, epochs
        Number of the set of requests that is being served, which travels in FORWARD and TRACK; the sets of late.
    sole, endless
        At the ends: the request of this epoch if it is the only one; whether it wants a pair whenever one was delivered.
    stock
        Pairs still to come from the link behind, as asked by this node.
    moved
        Sessions that had another circuit before.
    recent
        At the ends: pairs handed up of late, as (number here, number at the other end, what was told, when [ps]).
    """

    number: int
    session: int
    position: int
    path: tuple[int, ...]
    sides: tuple[Side, Side]
    fidelity: float
    cutoff: int
    priority: int = 0
    epoch: int = 0
    active: bool = False
    kind: int = KEEP
    basis: int = 0
    requests: set[int] = field(default_factory=set)
    asks: dict[int, Ask] = field(default_factory=dict)
    epochs: dict[int, tuple[Ask, ...]] = field(default_factory=dict)
    sole: Ask | None = None
    endless: bool = False
    slots: deque[tuple[Ask, int, int]] = field(default_factory=deque)
    held: dict[int, Held] = field(default_factory=dict)
    recent: deque[tuple[int, int, PairEvent, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    trials: Trials = field(default_factory=Trials)
    stock: int = 0
    opened: int = 0
    moved: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for which, side in enumerate(self.sides):
            side.circuit = self
            side.which = which

    def progress(self) -> dict[int, Progress]:
        """Return how far every session has come, at the head."""
        found = {}
        for session, ask in self.asks.items():
            open_ = [(slot, asked) for whose, slot, asked in self.slots if whose is ask]
            held = [(slot, asked) for _, whose, slot, asked in self.held.values() if whose is ask]
            found[session] = Progress(ask.started, ask.delivered, tuple(sorted(held + open_)))
        return found

    @property
    def is_head(self) -> bool:
        """Whether this node asked for the circuit."""
        return self.position == 0

    @property
    def is_end(self) -> bool:
        """Whether this node is one of the circuit's ends."""
        return self.position in {0, len(self.path) - 1}

    @property
    def inner(self) -> Side:
        """At an end: the side on which the circuit lies."""
        return self.sides[1 if self.position == 0 else 0]

    @property
    def other_end(self) -> int:
        """At an end: the other one."""
        return self.path[-1 if self.position == 0 else 0]

    def turn(self, epoch: int) -> None:
        """Begin an epoch with the requests that are served from now on."""
        self.epoch = epoch
        self.epochs[epoch] = asks = tuple(self.asks.values())
        self.sole = sole = asks[0] if len(asks) == 1 else None
        self.endless = sole is not None and not (sole.number or sole.interval)
        self.epochs.pop((epoch - REMEMBERED) % EPOCHS, None)

    def open_slot(self, ask: Ask, now: int) -> None:
        """Ask for one more pair, at the head."""
        self.slots.append((ask, ask.started, now))
        ask.started += 1
