"""What a node remembers of a circuit: the routing entry, and the pairs that pass through it."""

from __future__ import annotations

from collections import deque
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


@dataclass(slots=True)
class Side:
    """One side of a circuit at a node: towards the head (0) or towards the tail (1).

    Attributes
    ----------
    peer, label
        The neighbour on this side and the circuit's purpose id on that link.
    queue
        Pairs with that neighbour that wait for a partner, oldest first.
    records
        Swaps by the number of the pair on this side.
    faded
        Records of the last generation: dropped at the next sweep.
    pending
        TRACKs that came over this side before their pair was swapped.
    lost
        Numbers of pairs that were discarded here; a TRACK that meets one is answered by EXPIRE.
    """

    peer: int
    label: int
    queue: deque[Ok] = field(default_factory=deque)
    records: dict[int, Record] = field(default_factory=dict)
    faded: dict[int, Record] = field(default_factory=dict)
    pending: dict[int, Track] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    lost_faded: dict[int, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget all pairs and records."""
        for table in (self.records, self.faded, self.pending, self.lost, self.lost_faded):
            table.clear()
        self.queue.clear()

    def fade(self) -> None:
        """Begin a new generation: what nobody has asked for during a whole one is forgotten."""
        self.faded, self.records = self.records, {}
        self.lost_faded, self.lost = self.lost, {}


@dataclass(slots=True)
class Held:
    """A pair that an end of the circuit keeps until the other end's TRACK arrives."""

    ok: Ok
    asked: int


@dataclass(slots=True)
class Circuit:
    """Everything a node knows of one circuit."""

    number: int
    session: int
    position: int
    path: tuple[int, ...]
    sides: tuple[Side, Side]
    fidelity: float
    cutoff: int
    active: bool = False
    wanted: int = 0
    delivered: int = 0
    slots: deque[int] = field(default_factory=deque)
    held: dict[int, Held] = field(default_factory=dict)
    stock: int = 0

    @property
    def is_head(self) -> bool:
        """Whether this node asked for the circuit."""
        return self.position == 0

    @property
    def is_end(self) -> bool:
        """Whether this node is one of the circuit's ends."""
        return self.position in {0, len(self.path) - 1}

    def side_of(self, peer: int) -> Side:
        """Return the side on which a neighbour stands."""
        return self.sides[0] if self.sides[0].peer == peer else self.sides[1]
