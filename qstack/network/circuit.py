"""What a node remembers of a circuit: the routing entry, and the pairs that pass through it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from qstack.core.nouns import Request, noun
from qstack.services.l2_link import Ok
from qstack.wire.network import Track


@noun
class Install(Request):
    """Signalling tells forwarding of a circuit through this node.

    Parameters
    ----------
    circuit, session
        Which one, and for whom.
    position, path
        Where this node stands on the path.
    labels
        Purpose ids of the circuit on the link before and behind this node; -1 where there is none.
    fidelity
        Least fidelity asked of the link behind this node.
    cutoff
        How long a half may wait here [ps]; 0 for ever.
    """

    circuit: int
    session: int
    position: int
    path: tuple[int, ...]
    labels: tuple[int, int]
    fidelity: float
    cutoff: int


@noun
class Uninstall(Request):
    """Signalling tells forwarding to forget a circuit and to free all that it holds."""

    circuit: int


@noun
class Activate(Request):
    """Signalling tells the head to start making pairs; number 0 means without end."""

    circuit: int
    number: int


@dataclass(slots=True)
class Record:
    """A swap: which pair was joined to which, and the outcome; kept until both TRACKs have passed (QS-L3-004)."""

    other: Ok
    bell: int
    factor: float


Fate = Record | Track | int
"""What is known of a pair's number: its swap, a TRACK that came before its swap, or the reason for its discard."""


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
        self.faded.pop(sequence, None)
        if type(self.fates.get(sequence)) is not Track:  # this one may have overtaken the herald
            self.fates.pop(sequence, None)

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

    def clear(self) -> None:
        """Forget all pairs and fates."""
        self.fates.clear()
        self.faded.clear()
        self.queue.clear()
        self.armed = False


@dataclass(slots=True)
class Held:
    """A pair that an end of the circuit keeps until the other end's TRACK arrives.

    `slot` and `asked` are the head's: which wanted pair this is, and when it was asked for [ps].
    """

    ok: Ok
    slot: int
    asked: int


@dataclass(slots=True, eq=False)
class Circuit:
    """Everything a node knows of one circuit.

    Attributes
    ----------
    slots
        At the head: wanted pairs that have no half yet, as (number, asked at).
    epoch
        Number of the set of requests that is being served, equal at both ends; it travels in FORWARD and TRACK.
    started, delivered
        At the head: slots opened and pairs handed up so far.
    stock
        Pairs still to come from the link behind, as asked by this node.
    """

    number: int
    session: int
    position: int
    path: tuple[int, ...]
    sides: tuple[Side, Side]
    fidelity: float
    cutoff: int
    epoch: int = 0
    active: bool = False
    wanted: int = 0
    started: int = 0
    delivered: int = 0
    slots: deque[tuple[int, int]] = field(default_factory=deque)
    held: dict[int, Held] = field(default_factory=dict)
    stock: int = 0

    def __post_init__(self) -> None:
        for which, side in enumerate(self.sides):
            side.circuit = self
            side.which = which

    @property
    def is_head(self) -> bool:
        """Whether this node asked for the circuit."""
        return self.position == 0

    @property
    def is_end(self) -> bool:
        """Whether this node is one of the circuit's ends."""
        return self.position in {0, len(self.path) - 1}

    def open_slot(self, now: int) -> None:
        """Ask for one more pair, at the head."""
        self.slots.append((self.started, now))
        self.started += 1
