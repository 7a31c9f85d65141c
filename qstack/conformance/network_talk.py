"""How the network suite talks: nodes of a circuit brought to the point that a test is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qstack.conformance.marks import Unsupported
from qstack.conformance.stand import Make, talk
from qstack.conformance.transcript import Transcript
from qstack.services.device import Swapped
from qstack.services.l2_link import Err, Ok
from qstack.services.l3_network import KEEP, Connect, Disconnected
from qstack.services.reasons import Reason
from qstack.wire.network import Forward, Track
from qstack.wire.signalling import SetupReq, SetupRsp, Teardown

PATH = (0, 1, 2)
CIRCUIT = 70_001
SESSION = 5
LABEL = 10
CUTOFF = 1_000_000_000
LONG = 1 << 44
"""Four times longer than anything that a layer may wait for an answer in this chain [ps]."""
STRANGER = 9


@dataclass(slots=True)
class Stand:
    """A node with a circuit through it, and the circuit's labels on its two sides; -1 where there is none."""

    t: Transcript
    before: int
    behind: int
    circuit: int = CIRCUIT

    def ok(
        self, peer: int, sequence: int, bell: int = 0, qubit: int | None = None, *, goodness: float = 0.9, age: int = 0
    ) -> Transcript:
        """Tell the node of a pair with a neighbour, emitted so long ago [ps]."""
        return self.t >> self.pair(peer, sequence, bell, qubit, goodness=goodness, age=age)

    def pair(
        self, peer: int, sequence: int, bell: int = 0, qubit: int | None = None, *, goodness: float = 0.9, age: int = 0
    ) -> Ok:
        """Return what a link tells of a pair."""
        label = self.behind if peer > self.t.context.node else self.before
        held = sequence if qubit is None else qubit
        return Ok(peer, label, 1, sequence, bell, goodness, self.t.context.now - age, held, False, -1, -1)  # noqa: FBT003 - as asked by this node

    def measured(self, peer: int, sequence: int, bell: int, basis: int, outcome: int) -> Transcript:
        """Tell the node of a pair that was measured here as it was made."""
        label = self.behind if peer > self.t.context.node else self.before
        return self.t >> Ok(peer, label, 1, sequence, bell, 0.9, self.t.context.now, -1, False, basis, outcome)  # noqa: FBT003 - as asked by this node

    def gone(self, peer: int, low: int, high: int) -> Transcript:
        """Let the link with a neighbour take pairs back: from a number to the one before another."""
        label = self.behind if peer > self.t.context.node else self.before
        return self.t >> Err(peer, label, 1, Reason.EXPIRE, remote=False, low=low, high=high)


def setup(cutoff: int = CUTOFF, path: tuple[int, ...] = PATH) -> SetupReq:
    """Return the request for a circuit as it reaches the node after the head."""
    return SetupReq(CIRCUIT, SESSION, path, (0.8,) * (len(path) - 1), LABEL, cutoff)


def start(kind: int = KEEP, basis: int = 0, session: int = SESSION, epoch: int = 1, number: int = 3) -> Forward:
    """Return what starts a session on the circuit, as it comes from the head."""
    return Forward(CIRCUIT, number, session, head=0, tail=2, kind=kind, basis=basis, epoch=epoch)


def middle(
    make: Make,
    cutoff: int = CUTOFF,
    *,
    active: bool = True,
    path: tuple[int, ...] = PATH,
    kind: int = KEEP,
    basis: int = 0,
) -> Stand:
    """Install a circuit through node 1 and start it."""
    t = talk(make, 1, 0) >> setup(cutoff, path)
    stand = Stand(t, LABEL, t.last(SetupReq).label)
    t.from_(2) >> SetupRsp(CIRCUIT)
    if active:
        t.from_(0) >> start(kind, basis)
        _claimed(t, kind)
    return stand


def tail(make: Make, *, active: bool = True, kind: int = KEEP, basis: int = 0) -> Stand:
    """Install a circuit that ends at node 2 and start it."""
    t = talk(make, 2, 1) >> setup()
    if active:
        t >> start(kind, basis)
        _claimed(t, kind)
    return Stand(t, LABEL, -1)


def head(
    make: Make,
    number: int = 3,
    *,
    active: bool = True,
    kind: int = KEEP,
    basis: int = 0,
    rate: float = 0.0,
    peer: int = 2,
) -> Stand:
    """Ask for a circuit from node 0 to another one and let it be accepted."""
    t = talk(make, 0, 1) >> Connect(SESSION, peer, 0.7, number, kind, basis, rate)
    _claimed(t, kind)
    asked = t.last(SetupReq)
    if active:
        t >> SetupRsp(asked.circuit)
    return Stand(t, -1, asked.label, asked.circuit)


def ends(make: Make, kind: int = KEEP, basis: int = 0) -> Iterator[Stand]:
    """Return the two ends of a circuit, each ready for pairs."""
    yield tail(make, kind=kind, basis=basis)
    yield head(make, kind=kind, basis=basis)


def asks(stand: Stand, sequence: int, bell: int = 1, pair: int = 40) -> Transcript:
    """Let the TRACK of the other end come to an end, for its pair of this number; its own has the number `pair`."""
    node = stand.t.context.node
    return stand.t.from_(1) >> Track(stand.circuit, 2 - node, pair, sequence, bell, 1, 60_000, 0)


def _claimed(t: Transcript, kind: int) -> None:
    """Say that a kind of session is not claimed if it is refused as unsupported.

    Raises
    ------
    Unsupported
        If it is.
    """
    reasons = [told.reason for told in t.all(Disconnected)] + [said.reason for said in t.all(Teardown)]
    if kind != KEEP and Reason.UNSUPP in reasons:
        raise Unsupported("sessions of other kinds than KEEP")


def swapped(stand: Stand, left: int, right: int, outcome: int = 0) -> Transcript:
    """Give node 1 a pair on either side and the outcome of their swap."""
    stand.ok(0, left, bell=1, qubit=left)
    stand.ok(2, right, bell=2, qubit=right)
    return stand.t >> Swapped(left, right, outcome)


def track(stand: Stand, sequence: int, *, from_head: bool = True, bell: int = 1) -> Transcript:
    """Let a TRACK ask a node for its pair on the side where it comes from."""
    origin, sender = (0, stand.t.context.node - 1) if from_head else (2, stand.t.context.node + 1)
    return stand.t.from_(sender) >> Track(stand.circuit, origin, 40, sequence, bell, 1, 60_000, 0)


def passed(told: Track, link_pair: int, bell: int) -> Track:
    """Return a TRACK as the node between passes it on."""
    return Track(told.circuit, told.origin, told.origin_pair, link_pair, bell, told.epoch, told.estimate, told.request)
