"""How the network suite talks: nodes of a circuit brought to the point that a test is about."""

from __future__ import annotations

from dataclasses import dataclass

from qstack.conformance.stand import Make, talk
from qstack.conformance.transcript import Transcript
from qstack.services.device import Swapped
from qstack.services.l2_link import Ok
from qstack.services.l3_network import Connect
from qstack.wire.network import Forward, Track
from qstack.wire.signalling import SetupReq, SetupRsp

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

    def ok(self, peer: int, sequence: int, bell: int = 0, qubit: int | None = None) -> Transcript:
        """Tell the node of a pair with a neighbour."""
        label = self.behind if peer > self.t.context.node else self.before
        held = sequence if qubit is None else qubit
        return self.t >> Ok(peer, label, 1, sequence, bell, 0.9, self.t.context.now, held, False, -1, -1)  # noqa: FBT003 - as asked by this node


def setup(cutoff: int = CUTOFF, path: tuple[int, ...] = PATH) -> SetupReq:
    """Return the request for a circuit as it reaches the node after the head."""
    return SetupReq(CIRCUIT, SESSION, path, (0.8,) * (len(path) - 1), LABEL, cutoff)


def middle(make: Make, cutoff: int = CUTOFF, *, active: bool = True) -> Stand:
    """Install a circuit through node 1 and start it."""
    t = talk(make, 1, 0) >> setup(cutoff)
    stand = Stand(t, LABEL, t.last(SetupReq).label)
    t.from_(2) >> SetupRsp(CIRCUIT)
    if active:
        t.from_(0) >> Forward(CIRCUIT, 3, SESSION, head=0, tail=2, epoch=1)
    return stand


def tail(make: Make, *, active: bool = True) -> Stand:
    """Install a circuit that ends at node 2 and start it."""
    t = talk(make, 2, 1) >> setup()
    if active:
        t >> Forward(CIRCUIT, 3, SESSION, head=0, tail=2, epoch=1)
    return Stand(t, LABEL, -1)


def head(make: Make, number: int = 3, *, active: bool = True) -> Stand:
    """Ask for a circuit from node 0 to node 2 and let it be accepted."""
    t = talk(make, 0, 1) >> Connect(SESSION, 2, 0.7, number)
    asked = t.last(SetupReq)
    if active:
        t >> SetupRsp(asked.circuit)
    return Stand(t, -1, asked.label, asked.circuit)


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
