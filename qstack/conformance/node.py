"""The suite for whole nodes: all layers from the device up to the transport service, with neighbours that the suite plays.

A vendor writes one fixture::

    class TestMine(NodeSuite):
        @pytest.fixture
        def make(self):
            return lambda site: (MyPhysical(...), MyLink(...), MyNetwork(...), MyTransport())

The suite is the user above, the device below and both neighbours of a chain 0 - 1 - 2; what passes between the layers of
the node is their own business.
"""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.link_talk import incoming
from qstack.conformance.marks import requirement
from qstack.conformance.network_talk import LABEL, SESSION, setup
from qstack.conformance.stand import DELAY, ROUND_TRIP, Make, expect, layers, talk
from qstack.conformance.transcript import ANY, Transcript
from qstack.services.classical import NeighbourLost
from qstack.services.device import Free, Herald, Swap, Swapped, Trigger
from qstack.services.l4_transport import Close, Closed, Delivery, Open, Opened
from qstack.services.reasons import Reason
from qstack.wire.link import UNASSIGNED, Add, AddAck
from qstack.wire.network import Forward, Track
from qstack.wire.signalling import SetupReq, SetupRsp, Teardown


class Node:
    """A node of the chain, brought to the point that a test is about."""

    def __init__(self, make: Make, number: int, peer: int) -> None:
        self.t = talk(make, number, peer)
        self.sequence = {0: 0, 1: 0, 2: 0}

    def agree(self, peer: int) -> Node:
        """Let a neighbour agree with everything that was asked of it, and ask for what it would ask."""
        t = self.t
        for add in [one for one in t.all(Add) if one.aid == UNASSIGNED or peer > t.context.node]:
            t.from_(peer) >> AddAck(add.cseq, 1 if add.aid == UNASSIGNED else add.aid)
        t.wait(3 * ROUND_TRIP)
        return self

    def attempting(self, peer: int) -> int:
        """Return the queue id that lane 0 towards a neighbour attempts for, -1 for none."""
        asked = [one.aid for one in self.t.all(Trigger) if (one.peer, one.lane) == (peer, 0)]
        return asked[-1] if asked else -1

    def herald(self, peer: int, qubit: int, bell: int) -> Transcript:
        """Let the device announce a success on lane 0 towards a neighbour."""
        aid, number = self.attempting(peer), self.sequence[peer]
        expect(self.t, aid >= 0, f"attempts towards node {peer}")
        self.sequence[peer] += 1
        now = self.t.context.now
        return self.t >> Herald(peer, 0, aid, number, bell, qubit, now - DELAY, basis=-1, outcome=-1)

    def freed(self) -> set[int]:
        """Return every qubit that was freed."""
        return {one.qubit for one in self.t.all(Free)}


def head(make: Make, number: int = 1) -> Node:
    """Let the user of node 0 open a session with node 2, and let node 1 agree to everything."""
    node = Node(make, 0, 1)
    node.t >> Open(SESSION, 2, 0.7, number)
    node.t >> SetupRsp(node.t.last(SetupReq).circuit)
    return node.agree(1)


def middle(make: Make) -> Node:
    """Lead a circuit from node 0 to node 2 through node 1, and let both neighbours agree."""
    node = Node(make, 1, 0)
    t = node.t >> setup()
    asked = t.last(SetupReq)
    t.from_(2) >> SetupRsp(asked.circuit)
    t.from_(0) >> Forward(asked.circuit, 3, SESSION, head=0, tail=2, epoch=1)
    t.from_(0) >> incoming(purpose=LABEL, start=t.context.now + 2 * ROUND_TRIP)
    return node.agree(2)


def answer(node: Node, bell: int) -> Transcript:
    """Let the other end's TRACK come for the last pair of node 0, with what the pair is at both ends."""
    told = node.t.last(Track)
    return node.t.from_(1) >> replace(told, origin=2, link_pair=node.sequence[1] - 1, bell=bell)


class NodeSuite:
    """Everything that a whole node is held to."""

    profile = "node"

    @requirement("QS-CV-281")
    def test_every_noun_has_one_layer(self, make: Make) -> None:
        """No two layers handle the same."""
        seen: dict[type, str] = {}
        for layer in layers(make, 1):
            for kind in layer.handlers():
                assert kind not in seen, f"{layer.name} and {seen[kind]} both handle {kind.__name__}"
                seen[kind] = layer.name

    @requirement("QS-CV-282")
    def test_nothing_is_attempted_before_all_agree(self, make: Make) -> None:
        """Neither before the path nor before the neighbour does."""
        node = Node(make, 0, 1)
        node.t >> Open(SESSION, 2, 0.7, 1)
        node.t.wait(ROUND_TRIP)
        expect(node.t, node.attempting(1) < 0, "no attempt before the path has agreed")
        node.t >> SetupRsp(node.t.last(SetupReq).circuit)
        expect(node.t, node.attempting(1) < 0, "no attempt before the neighbour has agreed")
        node.agree(1)
        expect(node.t, node.attempting(1) >= 0, "attempts when all have agreed")

    @requirement("QS-CV-283")
    def test_a_pair_reaches_its_user(self, make: Make) -> None:
        """With the qubit of the herald and the index of the TRACK."""
        for bell in range(4):
            node = head(make)
            expect(
                node.t, Opened(SESSION, 2, initiator=True) in node.t.answers, "the user told that the session stands"
            )
            node.herald(1, 7, bell=1)
            node.t.never(Delivery)
            answer(node, bell)
            expect(
                node.t,
                node.t.all(Delivery) == [Delivery(SESSION, ANY, bell, 7, ANY, ANY)],
                f"qubit 7 delivered with index {bell}, once",
            )

    @requirement("QS-CV-284")
    def test_a_node_between_swaps(self, make: Make) -> None:
        """What the devices of both its links announce, without its user; and sends the frame on."""
        node = middle(make)
        node.herald(0, 7, bell=1)
        node.herald(2, 8, bell=2)
        expect(node.t, {(one.left, one.right) for one in node.t.all(Swap)} <= {(7, 8), (8, 7)}, "a swap of 7 and 8")
        swap = node.t.last(Swap)
        node.t >> Swapped(swap.left, swap.right, 3)
        node.t.from_(0) >> Track(setup().circuit, 0, 40, 0, 1, 1, 60_000, 0)
        expect(node.t, node.t.last(Track).bell == 1 ^ 2 ^ 3, "the frame 1 XOR 2 XOR 3 passed on")
        node.t.never(Delivery)

    @requirement("QS-CV-285")
    def test_after_the_end_nothing_is_left(self, make: Make) -> None:
        """No qubit and no attempt, when the user closes and when the path is torn down."""
        for user in (True, False):
            node = head(make, number=0)
            node.herald(1, 7, bell=1)
            circuit = node.t.last(SetupReq).circuit
            node.t.from_(1) >> (Close(SESSION) if user else Teardown(circuit, Reason.NORES))
            node.t.wait(10 * ROUND_TRIP)
            expect(node.t, 7 in node.freed(), "the half freed")
            expect(node.t, node.attempting(1) < 0, "no attempts any more")

    @requirement("QS-CV-286")
    def test_a_lost_neighbour_is_told(self, make: Make) -> None:
        """To the user, with the reason; and nothing is left."""
        node = head(make, number=0)
        node.herald(1, 7, bell=1)
        node.t >> NeighbourLost(1)
        node.t.wait(10 * ROUND_TRIP)
        expect(node.t, node.t.all(Closed) == [Closed(SESSION, Reason.LOST_PEER)], "Closed with LOST_PEER, once")
        expect(node.t, 7 in node.freed(), "the half freed")
        expect(node.t, node.attempting(1) < 0, "no attempts any more")
