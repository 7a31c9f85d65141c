"""The suite for transport layers: dialogues with the end that asks and with the end that is asked.

A vendor writes one fixture::

    class TestMine(TransportSuite):
        @pytest.fixture
        def make(self):
            return lambda site: MyTransportLayer(site)

The suite speaks the services above and below and the messages of plane 4.  Sessions that a layer refuses with UNSUPP are
not held against it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from qstack.conformance.marks import extended, requirement
from qstack.conformance.refusals import misuse, refuses
from qstack.conformance.stand import Make, expect, talk
from qstack.conformance.transcript import Transcript
from qstack.conformance.transport_kinds import EarlyTests, KindTests, LossTests, RefusalTests, TestedTests
from qstack.conformance.transport_talk import (
    LONG,
    SESSION,
    STRANGER,
    asked,
    initiator,
    kinds,
    pair,
    qubits,
    responder,
    stream,
)
from qstack.services.device import Apply, BellMeasure, BellMeasured, Free
from qstack.services.l3_network import Connect, Disconnect, Disconnected
from qstack.services.l4_transport import (
    DETERMINISTIC,
    ENCODED,
    GATE,
    REACTIVE,
    Close,
    Closed,
    Delivery,
    Lost,
    Opened,
    Received,
    Release,
    Returned,
    Sent,
    Transmit,
)
from qstack.services.reasons import Reason
from qstack.wire.transport import (
    Acknowledgement,
    Correction,
    Loss,
    SessionClose,
    SessionOpen,
    SessionReset,
)


class SessionTests:
    """The beginning and the end of sessions."""

    @requirement("QS-L4-013")
    def test_both_ends_are_told_that_the_circuit_stands(self, make: Make) -> None:
        """The one that asked, and the one that did not."""
        t = initiator(make, stream())
        expect(t, t.last(Opened) == Opened(SESSION, 2, initiator=True), "Opened at the end that asked")
        t = responder(make, stream())
        expect(t, t.last(Opened) == Opened(SESSION, 1, initiator=False), "Opened at the other end")

    @requirement("QS-L4-288")
    def test_the_circuit_is_asked_for_as_the_user_asked(self, make: Make) -> None:
        """Its end, and its fidelity."""
        t = talk(make, 1, 2) >> stream(3)
        request = t.last(Connect)
        expect(t, (request.session, request.peer) == (SESSION, 2), "a circuit to node 2 for the session")
        expect(t, request.min_fidelity == 0.8, "the fidelity that the user wants")

    @requirement("QS-L4-400")
    def test_the_circuit_is_asked_for_with_the_priority(self, make: Make) -> None:
        """Of a session that is opened with a word to the other end, or without."""
        for ask in (stream(), qubits()):
            for priority in (0, 3, 7):
                t = initiator(make, replace(ask, priority=priority))
                expect(t, t.last(Connect).priority == priority, f"a circuit of priority {priority}")
                for said in t.all(SessionOpen):
                    expect(t, said.priority == priority, f"a session of priority {priority}")

    @requirement("QS-L4-470")
    def test_the_circuit_is_asked_for_with_the_rate(self, make: Make) -> None:
        """As above; none is 0."""
        for ask in (stream(), qubits()):
            for rate in (0.0, 0.5, 20.0):
                t = initiator(make, replace(ask, rate=rate))
                expect(t, t.last(Connect).rate == rate, f"a circuit for {rate} pairs/s")
                for said in t.all(SessionOpen):
                    expect(t, said.rate == rate, f"a session of {rate} pairs/s")

    @requirement("QS-L4-016")
    def test_misuse_is_refused(self, make: Make) -> None:
        """A negative number, and a session that is open already."""
        misuse(talk(make, 1, 2), stream(-1))
        misuse(initiator(make, stream()), stream())

    @requirement("QS-L4-014")
    def test_the_circuit_is_given_back_after_the_last_pair(self, make: Make) -> None:
        """Not before, and once."""
        t = initiator(make, stream(2)) >> pair(0, 20)
        t.never(Disconnect)
        t >> pair(1, 21)
        t.last(Disconnect)
        t.wait(LONG).never(Disconnect, more_than=1)

    @requirement("QS-L4-015")
    def test_the_end_is_told_once(self, make: Make) -> None:
        """With the reason; a refusal too, at both ends."""
        for reason in (Reason.NO_ROUTE, Reason.LOST_PEER):
            for begin in (initiator, responder):
                t = begin(make, stream(0)) >> Disconnected(SESSION, reason) >> Disconnected(SESSION, reason)
                t.wait(LONG)
                expect(t, t.all(Closed) == [Closed(SESSION, reason)], f"Closed with {reason.name}, once")

    @requirement("QS-L4-015")
    def test_a_session_can_be_opened_anew(self, make: Make) -> None:
        """After it was refused."""
        t = talk(make, 1, 2) >> stream() >> Disconnected(SESSION, Reason.NO_ROUTE) >> stream()
        expect(t, len(t.all(Connect)) == 2, "a circuit asked for again")

    @requirement("QS-L4-011")
    def test_pairs_after_the_end_are_freed(self, make: Make) -> None:
        """After the user has closed, after the last pair, and when the circuit is gone."""
        for ask, before in ((stream(0), Close(SESSION)), (stream(1), pair(0, 19))):
            t = initiator(make, ask) >> before >> pair(1, 20)
            t << Free(20)
            t >> Disconnected(SESSION, 0) >> pair(2, 21) << Free(21)

    @requirement("QS-L4-283")
    def test_an_unknown_kind_is_refused(self, make: Make) -> None:
        """At the end that asks, and at the end that is asked."""
        for mode in (GATE, ENCODED):
            ask = replace(qubits(), mode=mode)
            t = talk(make, 1, 2) >> ask
            if not t.all(Closed):
                continue  # this one is known
            expect(t, t.all(Closed) == [Closed(SESSION, Reason.UNSUPP)], "Closed with UNSUPP")
            t.never(Connect)
            t = talk(make, 2, 1) >> asked(ask)
            expect(t, t.last(SessionReset).reason == Reason.UNSUPP, "RESET with UNSUPP")

    @requirement("QS-L4-284")
    @extended("teleported-qubits")
    def test_silence_ends_a_session(self, make: Make) -> None:
        """One that is asked for and never answered."""
        initiator(make, qubits())  # asks whether there are such sessions at all
        t = talk(make, 1, 2) >> qubits()
        t.wait(LONG)
        expect(t, t.all(Closed) == [Closed(SESSION, Reason.LOST_PEER)], "Closed with LOST_PEER")

    @requirement("QS-L4-282")
    @extended("teleported-qubits")
    def test_strangers_have_no_say(self, make: Make) -> None:
        """Only the other end speaks of a session."""
        for message in (Acknowledgement(SESSION, 0, 2, 0), SessionClose(SESSION, 0), SessionReset(SESSION, 4)):
            refuses(initiator(make, qubits()).from_(STRANGER), message)


class StreamTests:
    """Pairs handed up."""

    @requirement("QS-L5-005")
    def test_a_delivery_tells_all_of_a_pair(self, make: Make) -> None:
        """At both ends."""
        for begin in (initiator, responder):
            t = begin(make, stream()) >> pair(0, 20, bell=2) << Delivery(SESSION, 0, 2, 20, 0.9, 11)
            t.never(Delivery, more_than=1)

    @requirement("QS-L4-281")
    def test_in_class_t_one_end_applies_the_frame(self, make: Make) -> None:
        """Once, before the pair is handed up, and the pair is Phi+ then."""
        for bell in range(4):
            applied = []
            for begin in (initiator, responder):
                t = begin(make, stream(2, DETERMINISTIC, 4)) >> pair(0, 20, bell)
                expect(t, [one.bell for one in t.all(Delivery)] == [0], "the pair handed up as Phi+")
                order = kinds(t, Apply, Delivery)
                expect(t, isinstance(order[-1], Delivery), "no gate on a pair that was handed up")
                applied.append(xor(one.pauli for one in t.all(Apply)))
            expect(t, applied in ([bell, 0], [0, bell]), f"the frame {bell} applied by one end")

    @requirement("QS-L4-007")
    def test_a_stream_keeps_to_its_window(self, make: Make) -> None:
        """Of pairs that were handed up and not let go of."""
        t = initiator(make, stream(0, REACTIVE, 2))
        for number in range(4):
            t >> pair(number, 20 + number)
        expect(t, len(t.all(Delivery)) <= 2, "not more than 2 pairs at once")
        expect(t, len(t.all(Delivery)) == 2, "2 pairs, as there is room for")
        t >> Release(SESSION) >> Acknowledgement(SESSION, 1, 2, 0)
        expect(t, len(t.all(Delivery)) == 3, "a third pair in place of the one that was let go of")

    @requirement("QS-L4-285")
    def test_pairs_that_wait_at_the_end_are_freed(self, make: Make) -> None:
        """Those that were held back, when the user closes."""
        t = initiator(make, stream(0, REACTIVE, 1)) >> pair(0, 20) >> pair(1, 21) >> Close(SESSION)
        expect(t, Free(21) in t.answers, "the pair that was held back freed")


class SenderTests:
    """Teleportation, at the end that sends."""

    @requirement("QS-L4-001")
    @extended("teleported-qubits")
    def test_a_qubit_waits_for_its_pair(self, make: Make) -> None:
        """And comes back when none ever comes."""
        t = initiator(make, qubits()) >> Transmit(SESSION, 50)
        t.never(BellMeasure)
        t >> pair(0, 20)
        expect(
            t, [(one.data, one.half) for one in t.all(BellMeasure)] == [(50, 20)], "the qubit measured with its half"
        )
        t = initiator(make, qubits()) >> Transmit(SESSION, 50) >> Disconnected(SESSION, Reason.NORES)
        t.never(BellMeasure).never(Sent)
        expect(t, t.all(Returned) == [Returned(SESSION, 50)], "the qubit given back, once")

    @requirement("QS-L4-003")
    @extended("teleported-qubits")
    def test_the_correction_names_pair_frame_and_outcome(self, make: Make) -> None:
        """For every frame and every outcome."""
        for bell in range(4):
            for outcome in range(4):
                t = initiator(make, qubits()) >> Transmit(SESSION, 50) >> pair(3, 20, bell)
                t >> BellMeasured(50, 20, outcome, t.last(BellMeasure).purpose)
                said = t.last(Correction)
                expect(
                    t, (said.pair, said.outcome ^ said.bell) == (3, outcome ^ bell), "pair 3 and what is to be undone"
                )

    @requirement("QS-L4-006")
    @extended("teleported-qubits")
    def test_what_was_measured_has_left(self, make: Make) -> None:
        """It is told once, and never given back, whatever happens."""
        t = sent(make)
        expect(t, [one.qubit for one in t.all(Sent)] == [50], "the qubit told as sent")
        t >> Disconnected(SESSION, Reason.NORES)
        t.wait(LONG)
        expect(t, Returned(SESSION, 50) not in t.answers, "a qubit that was measured not given back")

    @requirement("QS-L4-287")
    @extended("teleported-qubits")
    def test_a_qubit_that_never_arrives_is_told_as_lost(self, make: Make) -> None:
        """When the other end says so, and when it is silent for ever; once."""
        t = sent(make) >> Loss(SESSION, 0, erasure=True) >> Loss(SESSION, 0, erasure=True)
        expect(t, t.all(Lost) == [Lost(SESSION, 0, erasure=True)], "the qubit told as lost, once")
        t = sent(make)
        t.wait(LONG)
        expect(t, [one.sequence for one in t.all(Lost)] == [0], "the qubit told as lost after a time")

    @requirement("QS-L4-007")
    @extended("teleported-qubits")
    def test_a_sender_keeps_to_the_window(self, make: Make) -> None:
        """However many qubits and pairs it has."""
        t = initiator(make, qubits(0, window=1))
        for number in range(2):
            t >> Transmit(SESSION, 50 + number) >> pair(number, 20 + number)
        t.never(BellMeasure, more_than=1)
        t >> BellMeasured(t.last(BellMeasure).data, t.last(BellMeasure).half, 0, t.last(BellMeasure).purpose)
        t >> pair(2, 22)
        t.never(BellMeasure, more_than=1)
        t >> Acknowledgement(SESSION, 1, 1, 0)
        expect(t, len(t.all(BellMeasure)) == 2, "the next qubit measured when there is room")


class ReceiverTests:
    """Teleportation, at the end that receives."""

    @requirement("QS-L4-003")
    @extended("teleported-qubits")
    def test_the_frame_is_undone_once(self, make: Make) -> None:
        """As a gate or as a number for software, whichever of pair and correction comes first."""
        for consumption in (REACTIVE, DETERMINISTIC):
            for bell, outcome in ((0, 0), (1, 0), (0, 2), (3, 1), (2, 2)):
                for early in (False, True):
                    t = responder(make, qubits(consumption=consumption))
                    steps = [pair(3, 20, bell), Correction(SESSION, 0, 3, outcome, bell)]
                    for step in steps[::-1] if early else steps:
                        t >> step
                    undone = xor(one.pauli for one in t.all(Apply) if one.qubit == 20) ^ t.last(Received).frame
                    expect(t, undone == bell ^ outcome, f"the frame {bell ^ outcome}, by gates and by number together")

    @requirement("QS-L4-005")
    @extended("teleported-qubits")
    def test_in_class_t_the_gate_comes_first(self, make: Make) -> None:
        """Nothing is left to be undone when a qubit is handed up."""
        t = responder(make, qubits()) >> pair(3, 20, 1) >> Correction(SESSION, 0, 3, 2, 1)
        order = [type(one) for one in kinds(t, Apply, Received)]
        expect(t, order[-1:] == [Received], "no gate after the qubit was handed up")

    @requirement("QS-L4-002")
    @extended("teleported-qubits")
    def test_a_qubit_is_received_once(self, make: Make) -> None:
        """Though its correction may come again, before or after the qubit was let go of."""
        correction = Correction(SESSION, 0, 3, 2, 1)
        t = responder(make, qubits()) >> pair(3, 20, 1) >> correction >> correction >> Release(SESSION) >> correction
        t >> pair(4, 21, 1) >> correction
        t.never(Received, more_than=1).last(Received)

    @requirement("QS-L4-286")
    @extended("teleported-qubits")
    def test_an_ordered_session_keeps_the_order(self, make: Make) -> None:
        """Of the sender's numbers, whichever pair comes first."""
        t = responder(make, qubits()) >> Correction(SESSION, 0, 3, 0, 0) >> Correction(SESSION, 1, 4, 0, 0)
        t >> pair(4, 21)
        t.never(Received)
        t >> pair(3, 20)
        expect(t, [one.sequence for one in t.all(Received)] == [0, 1], "qubits 0 and 1 in this order")

    @requirement("QS-L4-285")
    @extended("teleported-qubits")
    def test_halves_that_no_qubit_used_are_freed(self, make: Make) -> None:
        """When both the circuit and the sender have ended."""
        t = responder(make, qubits()) >> pair(3, 20) >> SessionClose(SESSION, 0) >> Disconnected(SESSION, 0)
        t.wait(LONG)
        expect(t, Free(20) in t.answers, "the half freed")
        expect(t, t.all(Closed) == [Closed(SESSION, 0)], "Closed")

    @requirement("QS-L4-285")
    @extended("teleported-qubits")
    def test_halves_at_the_sender_are_freed_too(self, make: Make) -> None:
        """When the circuit ends."""
        t = initiator(make, qubits()) >> pair(3, 20) >> Disconnected(SESSION, Reason.NORES)
        expect(t, Free(20) in t.answers, "the half freed")


def sent(make: Make) -> Transcript:
    """Let node 1 teleport qubit 50."""
    t = initiator(make, qubits()) >> Transmit(SESSION, 50) >> pair(0, 20)
    return t >> BellMeasured(50, 20, 1, t.last(BellMeasure).purpose)


def xor(values: Iterable[int]) -> int:
    """Return the XOR of whole numbers."""
    return reduce(operator.xor, values, 0)


class TransportSuite(
    SessionTests, StreamTests, SenderTests, ReceiverTests, RefusalTests, KindTests, EarlyTests, TestedTests, LossTests
):
    """Everything that a transport layer is held to."""

    profile = "transport"
