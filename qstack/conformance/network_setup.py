"""Tests of network layers: circuits on their way in and out, their labels and numbers, neighbours that are lost."""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.marks import Unsupported, course, requirement
from qstack.conformance.network_talk import (
    CIRCUIT,
    CUTOFF,
    LABEL,
    LONG,
    PATH,
    SESSION,
    ends,
    head,
    middle,
    setup,
    start,
    tail,
)
from qstack.conformance.refusals import misuse, refuses
from qstack.conformance.stand import ROWS, Make, expect, talk
from qstack.conformance.transcript import ANY
from qstack.core.nouns import Send
from qstack.services.device import Free
from qstack.services.l2_link import Create, Err, Unreachable, Withdraw
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected
from qstack.services.reasons import Reason
from qstack.wire import decode, encode
from qstack.wire.network import Complete, Forward
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown

TURNS = 300
"""Circuits one after the other: each end of a link has many more labels."""


class PassingTests:
    """Set-up on its way."""

    @course
    @requirement("QS-L3-369")
    def test_a_request_on_its_way(self, make: Make) -> None:
        """As it came, but for the label; the answer as it comes."""
        t = talk(make, 1, 0) >> setup(cutoff=CUTOFF + 7)
        told = t.last(SetupReq)
        t.exactly(Send(2, replace(setup(cutoff=CUTOFF + 7), label=told.label)))
        t.from_(2) >> SetupRsp(CIRCUIT)
        t.exactly(Send(0, SetupRsp(CIRCUIT)))
        t = talk(make, 2, 1) >> setup()
        t.exactly(Send(1, SetupRsp(CIRCUIT)))

    @course
    @requirement("QS-L3-369")
    def test_a_request_as_it_begins(self, make: Make) -> None:
        """Along the path, for what its links can reach, and no half waits for ever."""
        for node, peer, path in ((0, 2, (0, 1, 2)), (2, 0, (2, 1, 0)), (1, 2, (1, 2))):
            t = talk(make, node, path[1]) >> Connect(SESSION, peer, 0.7, 3)
            asked = t.last(SetupReq)
            expect(t, (asked.session, asked.path) == (SESSION, path), f"a request along {path}")
            heard = decode(encode(asked))
            assert isinstance(heard, SetupReq)
            reached = all(any(one <= row.fidelity for row in ROWS) for one in heard.fidelities)
            expect(
                t, reached and len(heard.fidelities) == len(path) - 1, "fidelities that the links reach, as they travel"
            )
            expect(t, min(heard.fidelities) > 0.69, "fidelities that the session needs")
            t >> SetupRsp(asked.circuit)
            created = t.last(Create)
            expect(t, (created.peer, created.purpose) == (path[1], asked.label), "pairs asked for under the label told")
            expect(t, abs(created.min_fidelity - asked.fidelities[0]) < 1e-4, "pairs of the fidelity told")

    @course
    @requirement("QS-L3-400")
    def test_a_priority_reaches_every_link(self, make: Make) -> None:
        """From its user to the head's link, and with the set-up to those behind."""
        for priority in range(8):
            t = talk(make, 0, 1) >> Connect(SESSION, 2, 0.7, 3, priority=priority)
            expect(t, t.last(SetupReq).priority == priority, f"priority {priority} told to the path")
            t >> SetupRsp(t.last(SetupReq).circuit)
            expect(t, t.last(Create).priority == priority, f"pairs asked for with priority {priority} by the head")
            t = talk(make, 1, 0) >> replace(setup(), priority=priority)
            expect(t, t.last(SetupReq).priority == priority, f"priority {priority} passed on")
            t.from_(2) >> SetupRsp(CIRCUIT)
            t.from_(0) >> start()
            expect(t, t.last(Create).priority == priority, f"pairs asked for with priority {priority} further on")

    @course
    @requirement("QS-L3-402")
    def test_what_is_no_priority(self, make: Make) -> None:
        """Less than none, and more than a message can carry."""
        for priority in (-1, 8):
            misuse(talk(make, 0, 1), Connect(SESSION, 2, 0.7, 3, priority=priority))

    @course
    @requirement("QS-L3-201")
    def test_no_half_waits_for_ever(self, make: Make) -> None:
        """Though nobody has set a cutoff; how long depends on nothing but the path."""
        told = [(talk(make, 0, 1) >> Connect(SESSION, 2, 0.7, number)).last(SetupReq).cutoff for number in (3, 0)]
        t = talk(make, 0, 1)
        expect(t, 0 < min(told) == max(told) < 1 << 62, f"a time after which halves give way, not {told}")

    @course
    @requirement("QS-L3-362")
    def test_what_cannot_come_from_there(self, make: Make) -> None:
        """FORWARD from the tail's side, SETUP_RSP and REJECT from the head's."""
        for message, sender in ((start(), 2), (SetupRsp(CIRCUIT), 0), (Reject(CIRCUIT, 0, Reason.OTHER), 0)):
            t = talk(make, 1, 0) >> setup()
            refuses(t.from_(sender), message)

    @course
    @requirement("QS-L3-014")
    def test_what_a_node_lacks(self, make: Make) -> None:
        """A neighbour; and then a label and a number are as free as before."""
        t = talk(make, 1, 0) >> setup(path=(0, 1, 7))
        t.exactly(Send(0, Reject(CIRCUIT, 1, Reason.NO_ROUTE, ANY)))
        t >> setup()
        t.last(SetupReq)
        t.never(Reject, more_than=1)

    @course
    @requirement("QS-L3-013")
    def test_a_rejection_at_the_head(self, make: Make) -> None:
        """Its user hears the reason, once, and may ask again at once."""
        for _ in range(2):
            stand = head(make, active=False)
            for again in (1, 2):
                stand.t >> Reject(stand.t.last(SetupReq).circuit, 2, Reason.NORES)
                stand.t.exactly(Disconnected(SESSION, Reason.NORES))
                expect(stand.t, not stand.t.timers, "no timer of a circuit that was rejected")
                stand.t >> Connect(SESSION, 2, 0.7, 3)
                expect(stand.t, len(stand.t.all(SetupReq)) == again + 1, "another request")

    @course
    @requirement("QS-L3-037")
    def test_an_answer_in_time(self, make: Make) -> None:
        """Ends the wait for it; and without one the path is told too."""
        stand = head(make)
        stand.t.wait(LONG).never(Disconnected).never(Teardown)
        stand = head(make, active=False)
        stand.t.wait(LONG)
        expect(
            stand.t, stand.t.all(Teardown) == [Teardown(stand.circuit, Reason.LOST_PEER)], "TEARDOWN to the next node"
        )
        stand.t >> SetupRsp(stand.circuit)
        stand.t.never(Connected).never(Disconnected, more_than=1)

    @course
    @requirement("QS-L3-041")
    def test_a_session_in_use_is_rejected(self, make: Make) -> None:
        """At the tail; afterwards it is taken, and so is its label."""
        for active in (True, False):
            t = tail(make, active=active).t
            t >> SetupReq(CIRCUIT + 1, SESSION, PATH, (0.8, 0.8), LABEL + 2, CUTOFF)
            t.exactly(Send(1, Reject(CIRCUIT + 1, 2, ANY, ANY)))
            t >> Teardown(CIRCUIT, Reason.NORES)
            t.exactly(*[Withdraw(1, LABEL)] * active, Disconnected(SESSION, Reason.NORES))
        for circuit in (CIRCUIT + 1, CIRCUIT):
            t >> SetupReq(circuit, SESSION, PATH, (0.8, 0.8), LABEL, CUTOFF)
            t.exactly(Send(1, SetupRsp(circuit)))
            t >> Teardown(circuit, Reason.NONE)


class NumberTests:
    """Labels and numbers of circuits."""

    @course
    @requirement("QS-L3-038")
    def test_labels_of_the_two_ends(self, make: Make) -> None:
        """None of one end is among those of the other."""
        found: list[set[int]] = []
        for node, peer in ((0, 1), (1, 0), (1, 2), (2, 1)):
            t = talk(make, node, peer)
            for session in range(24):
                t >> Connect(session, peer, 0.7, 1)
            found.append({one.label for one in t.all(SetupReq)})
            expect(t, len(found[-1]) == 24 and 0 <= min(found[-1]) <= max(found[-1]) < 1 << 16, "24 labels of 16 bits")
            expect(t, len(found) % 2 == 1 or not found[-1] & found[-2], "none of the other end's labels")

    @course
    @requirement("QS-L3-039")
    def test_numbers_of_circuits(self, make: Make) -> None:
        """Those of a head begin with its own number, and differ while they live."""
        for node in (0, 1, 2):
            peer = (node + 1) % 3
            t = talk(make, node, 1 if node != 1 else 2)
            for session in range(30):
                t >> Connect(session, peer, 0.7, 1)
                if session % 3 == 1:
                    t >> Disconnect(session - 1)
            numbers = {one.session: one.circuit for one in t.all(SetupReq)}
            expect(t, {number >> 16 for number in numbers.values()} == {node}, f"numbers of the head {node}")
            alive = [number for session, number in numbers.items() if session % 3]
            expect(t, len(set(alive)) == 20, "numbers that differ")

    @course
    @requirement("QS-L3-360")
    def test_labels_come_back_late(self, make: Make) -> None:
        """After many others, and never while in use."""
        t = talk(make, 1, 0) >> SetupReq(CIRCUIT, 1, PATH, (0.8, 0.8), 1, CUTOFF)
        for _ in range(TURNS):
            t.from_(0) >> SetupReq(CIRCUIT + 1, 2, PATH, (0.8, 0.8), 3, CUTOFF)
            t.from_(2) >> Reject(CIRCUIT + 1, 2, Reason.NORES)
        labels = [one.label for one in t.all(SetupReq)]
        expect(t, len(set(labels)) == TURNS + 1, f"{TURNS + 1} labels that differ")
        expect(t, 0 <= min(labels) <= max(labels) < 1 << 16, "labels of 16 bits")


class LostTests:
    """Links and neighbours that fail."""

    @course
    @requirement("QS-L3-031")
    def test_a_neighbour_that_is_lost(self, make: Make) -> None:
        """The circuits that lead through it are torn down at the other side, and no others."""
        for lost, left in ((0, 2), (2, 0)):
            stand = middle(make)
            if Unreachable not in stand.t.handlers:
                raise Unsupported("neighbours that are lost")
            stand.ok(0, 7)
            stand.t >> Unreachable(9)
            stand.t.never(Teardown).never(Free)
            stand.t >> Unreachable(lost)
            told = [one for one in stand.t.answers if isinstance(one, Send) and isinstance(one.message, Teardown)]
            expect(
                stand.t, Send(left, Teardown(CIRCUIT, Reason.LOST_PEER)) in told, f"TEARDOWN to {left} with LOST_PEER"
            )
            expect(stand.t, Free(7) in stand.t.answers, "the half that waits freed")
        for stand in ends(make):
            stand.t >> Unreachable(1)
            expect(stand.t, stand.t.all(Disconnected) == [Disconnected(SESSION, Reason.LOST_PEER)], "the user told")

    @course
    @requirement("QS-L3-031")
    def test_other_circuits_go_on(self, make: Make) -> None:
        """Over another neighbour, or started later over the same link."""
        stand = middle(make)
        if Unreachable not in stand.t.handlers:
            raise Unsupported("neighbours that are lost")
        stand.t >> Connect(SESSION + 1, 2, 0.7, 3)
        stand.t.from_(2) >> SetupRsp(stand.t.last(SetupReq).circuit)
        stand.t >> Unreachable(0)
        stand.t.never(Disconnected)
        stand.t.never(Teardown, more_than=2)
        gone = {one.circuit for one in stand.t.all(Teardown)}
        expect(stand.t, gone == {CIRCUIT}, "one circuit torn down")
        stand.t.from_(0) >> setup()
        expect(stand.t, len(stand.t.all(SetupReq)) == 3, "the circuit asked for anew")

    @course
    @requirement("QS-L3-031")
    def test_the_end_of_a_circuit_that_is_lost(self, make: Make) -> None:
        """Nobody there hears the TRACKs: the circuit is torn down, at both ends."""
        for stand in ends(make):
            if Unreachable not in stand.t.handlers:
                raise Unsupported("neighbours that are lost")
            stand.t >> Unreachable(2 - stand.t.context.node)
            expect(
                stand.t, Send(1, Teardown(stand.circuit, Reason.LOST_PEER)) in stand.t.answers, "TEARDOWN on the path"
            )
            expect(stand.t, Disconnected(SESSION, Reason.LOST_PEER) in stand.t.answers, "the user told")

    @course
    @requirement("QS-L3-031")
    def test_what_a_link_says_otherwise(self, make: Make) -> None:
        """Of a label that no circuit has, or that its neighbour has withdrawn and will speak of itself: nothing follows."""
        stand = middle(make)
        for label, reason in ((999, Reason.UNSUPP), (stand.behind, Reason.TORN_DOWN)):
            stand.t >> Err(2, label, 1, reason, remote=False)
            stand.t.never(Teardown).never(Withdraw)

    @course
    @requirement("QS-L3-009", "QS-L3-011")
    def test_a_circuit_at_rest(self, make: Make) -> None:
        """Pairs that still come are freed; nothing is said, and it can be torn down; a link's failure is no matter."""
        for stand, peer in ((middle(make), 0), (tail(make), 1)):
            stand.ok(peer, 7)
            stand.t.from_(peer) >> Complete(CIRCUIT, SESSION)
            expect(stand.t, Free(7) in stand.t.answers, "the half that waits freed")
            labels = {one.purpose for one in stand.t.all(Withdraw)}
            expect(stand.t, labels == {stand.before, stand.behind} - {-1}, "the requests of its links withdrawn")
            stand.ok(peer, 8)
            stand.t.exactly(Free(8))
            stand.t >> Err(peer, LABEL, 1, Reason.UNSUPP, remote=False)
            stand.t.silent()
            stand.t >> Teardown(CIRCUIT, Reason.NONE)
            stand.t.never(Withdraw, more_than=2).never(Free, more_than=2)
            stand.t >> setup() >> start()
            if stand.t.context.node == 1:
                expect(stand.t, len(stand.t.all(Forward)) == 2, "the circuit started anew")
            else:
                expect(stand.t, len(stand.t.all(Connected)) == 2, "the circuit started anew")
