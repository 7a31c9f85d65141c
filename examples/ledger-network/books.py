"""The books of a node: a circuit, its two sides, and the ledger of pairs and of questions that each side has.

    half   WAITS --a half on the other side/Swap--> JOINS --Swapped--> JOINED --TRACK/TRACK--> gone      between the ends
           HELD --TRACK/Pair--> GIVEN --Expire, Err/Lost--> gone                                        at an end
           any state --cutoff, Err(EXPIRE), Expire/Free--> DEAD --TRACK/Expire--> gone

Entries are made in `signalling` and `forwarding`; what follows from them is said in `settling`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from qstack.core.clock import SECOND
from qstack.core.errors import RemoteProtocolError
from qstack.core.nouns import Cancel, Noun, Send, Timer, timer
from qstack.plugin.sites import Site
from qstack.services.device import Free
from qstack.services.l2_link import Ok, Withdraw
from qstack.services.l3_network import Connect, Disconnected, Lost, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Expire, Track
from qstack.wire.signalling import SetupReq, Teardown

UNIT = 65535
"""Steps in which messages carry fidelities and estimates."""
WAITS, JOINS, JOINED, HELD, GIVEN, DEAD = "waits", "joins", "joined", "held", "given", "dead"


@timer
class Wake(Timer):
    """Something of this circuit is due."""

    circuit: int


@timer
class Tidy(Timer):
    """Old entries of this circuit may be struck out."""

    housekeeping = True
    circuit: int


@dataclass(slots=True)
class Half:
    """An entry: a pair with a neighbour; `since` when it was made, `at` when its state was entered [ps]."""

    ok: Ok
    state: str
    at: int
    reason: int = 0
    partner: Half | None = None
    bell: int = 0
    factor: float = 1.0
    slot: tuple[int, int] | None = None
    track: Track | None = None
    pair: Pair | None = None


@dataclass(slots=True)
class Side:
    """One side of a circuit: the neighbour there, the label, and its two ledgers."""

    peer: int
    label: int
    halves: dict[int, Half] = field(default_factory=dict)
    questions: dict[int, tuple[Track, int]] = field(default_factory=dict)
    doomed: dict[int, int] = field(default_factory=dict)

    def waiting(self) -> Half | None:
        """Return the half that has waited longest."""
        return next((half for half in self.halves.values() if half.state == WAITS), None)

    def strike(self, number: int) -> None:
        """Take an entry out."""
        self.halves.pop(number, None)


@dataclass(slots=True)
class Circuit:
    """A circuit at this node; `stage` is asked, up, active or done, `sessions` those that the users here know of."""

    number: int
    path: tuple[int, ...]
    place: int
    sides: tuple[Side, Side]
    fidelity: float
    cutoff: int
    priority: int
    stage: str = "up"
    wish: Connect | None = None
    deadline: int = 0
    sessions: list[int] = field(default_factory=list)
    serves: list[int] = field(default_factory=list)
    epoch: int = 0
    epochs: dict[int, tuple[int, ...]] = field(default_factory=dict)
    stock: int = 0
    begun: int = 0
    given: int = 0
    slots: deque[tuple[int, int]] = field(default_factory=deque)
    due: int = 0
    alarm: int = 0

    @property
    def inner(self) -> Side:
        """At an end: the side on which the circuit lies."""
        return self.sides[0] if self.place else self.sides[1]

    @property
    def is_end(self) -> bool:
        """Whether the circuit ends here."""
        return self.place in (0, len(self.path) - 1)

    @property
    def patience(self) -> int:
        """How long an entry is worth keeping [ps]."""
        return len(self.path) * (self.cutoff + SECOND)


def werner(fidelity: float) -> float:
    """Return the parameter of the Werner state of a fidelity."""
    return (4 * fidelity - 1) / 3


def give_up(half: Half, reason: int, now: int) -> Iterator[Noun]:
    """Discard a half, for a reason that a TRACK may ask for later."""
    half.state, half.reason, half.at = DEAD, reason, now
    if half.ok.qubit >= 0:
        yield Free(half.ok.qubit)


class Books:
    """What a node knows: its circuits, whose label is whose, and which swaps are under way."""

    def __init__(self, site: Site) -> None:
        self.here, self.site = site.number, site
        self.circuits: dict[int, Circuit] = {}
        self.labels: dict[int, dict[int, tuple[Circuit, int]]] = {peer: {} for peer in site.neighbours}
        self.joins: dict[int, tuple[Circuit, Half, Half]] = {}
        self.last_label = dict.fromkeys(site.neighbours, -1)

    def find(self, number: int, sender: int, places: tuple[int, ...] = (0, 1)) -> Circuit | None:
        """Return a circuit of which this neighbour may speak; None if there is none (any more)."""
        c = self.circuits.get(number)
        if c is not None and sender not in {c.sides[place].peer for place in places}:
            raise RemoteProtocolError(f"node {sender} has no say there about circuit {number}")
        return c

    def of_session(self, session: int) -> Circuit | None:
        """Return the circuit of a session of this end."""
        return next((c for c in self.circuits.values() if session in c.sessions), None)

    def enter(self, number: int, path: tuple[int, ...], label: int, msg: SetupReq) -> Circuit | None:
        """Enter a circuit; None if a label is missing."""
        place = path.index(self.here)
        sides = [Side(-1, -1), Side(-1, -1)]
        if place:
            sides[0] = Side(path[place - 1], label)
        if place + 1 < len(path):
            peer = path[place + 1]
            count = self.last_label[peer]
            for _ in range(1 << 15):
                count = (count + 1) % (1 << 15)
                if (chosen := 2 * count + (self.here > peer)) not in self.labels[peer]:
                    break
            else:
                return None
            self.last_label[peer] = count
            sides[1] = Side(peer, chosen)
        fidelity = msg.fidelities[place] if place + 1 < len(path) else 0.0
        c = Circuit(number, path, place, (sides[0], sides[1]), fidelity, msg.cutoff, msg.priority)
        self.circuits[number] = c
        for which, side in enumerate(c.sides):
            if side.peer >= 0:
                self.labels[side.peer][side.label] = (c, which)
        return c

    def forget(self, c: Circuit) -> Iterator[Noun]:
        """Strike a circuit and its labels out."""
        del self.circuits[c.number]
        for side in c.sides:
            if side.peer >= 0:
                del self.labels[side.peer][side.label]
        if c.alarm:
            yield Cancel(Wake(c.number))

    def stop(self, c: Circuit) -> Iterator[Noun]:
        """Close the ledgers of a circuit: nothing is asked for any more, and what waits is let go."""
        if c.stage != "active":
            return
        c.stage = "done"
        yield Cancel(Tidy(c.number))
        for side in c.sides:
            if side.peer >= 0:
                yield Withdraw(side.peer, side.label)
            for half in side.halves.values():
                if half.state in (WAITS, HELD):
                    yield Free(half.ok.qubit)
            side.halves = {number: half for number, half in side.halves.items() if half.state == GIVEN}
            side.questions.clear()
            side.doomed.clear()
        self.joins = {qubit: join for qubit, join in self.joins.items() if join[0] is not c}

    def end(self, c: Circuit, reason: int, cause: int, now: int) -> Iterator[Noun]:
        """Strike a circuit out; what its pairs have to be told goes first."""
        if c.is_end:
            for number, half in c.inner.halves.items():
                if reason and half.state == GIVEN and half.pair is not None and half.at + c.patience > now:
                    yield Lost(half.pair.session, half.pair.pair, half.ok.qubit, reason)
                if half.state == HELD and c.place == 0:
                    yield Send(c.inner.peer, Expire(c.number, self.here, number, Reason.TORN_DOWN))
        yield from self.stop(c)
        yield from self.forget(c)
        for side in c.sides:
            if side.peer not in (-1, cause):
                yield Send(side.peer, Teardown(c.number, reason))
        for session in c.sessions:
            yield Disconnected(session, reason)
