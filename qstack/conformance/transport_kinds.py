"""The suite for transport layers, continued: kinds of streams, early halves, what expires, what is refused, what is tested."""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.marks import requirement
from qstack.conformance.stand import Make, expect, talk
from qstack.conformance.transport_talk import LONG, SESSION, asked, initiator, pair, qubits, responder, stream
from qstack.services import l3_network
from qstack.services.bell import Basis, flip
from qstack.services.device import BellMeasure, BellMeasured, Free
from qstack.services.l3_network import Connect, Disconnected, Early, FidelityTested, Result
from qstack.services.l4_transport import (
    DETERMINISTIC,
    KEEP,
    MEASURE,
    PREPARE,
    REACTIVE,
    TOLERANT,
    Closed,
    Delivery,
    EarlyDelivery,
    Expired,
    FidelityReported,
    Lost,
    Open,
    Opened,
    Outcome,
    Received,
    Refused,
    Release,
    Transmit,
)
from qstack.services.reasons import Reason
from qstack.wire.transport import Acknowledgement, Correction, Loss, SessionOpen, SessionOpenAck, SessionReset


def measured(kind: int = MEASURE, basis: int = Basis.X, consumption: int = REACTIVE, window: int = 0) -> Open:
    """Return a request for pairs whose halves are measured as they are made."""
    return replace(stream(0, consumption, window), kind=kind, basis=basis)


def bit(number: int, bell: int, basis: int, outcome: int) -> Result:
    """Return the bit of a half that was measured as it was made."""
    return Result(SESSION, number, bell, basis, outcome, 0.9, 11)


class RefusalTests:
    """Sessions that do not come to stand."""

    @requirement("QS-L4-321")
    def test_a_refused_stream_says_so(self, make: Make) -> None:
        """To the other end, which would have heard of it when its circuit stood."""
        t = talk(make, 1, 2) >> stream()
        if t.all(SessionOpen):
            t >> SessionOpenAck(SESSION, 0, 0)
        t >> Disconnected(SESSION, Reason.NO_ROUTE)
        expect(t, [one.reason for one in t.all(SessionReset)] == [Reason.NO_ROUTE], "RESET with NO_ROUTE, once")

    @requirement("QS-L4-320")
    def test_the_end_that_was_asked_is_told(self, make: Make) -> None:
        """Whether it had agreed, had not been asked yet, or hears nothing any more; once."""
        reset = SessionReset(SESSION, Reason.NO_ROUTE)
        t = talk(make, 2, 1) >> reset >> reset
        expect(t, t.all(Refused) == [Refused(SESSION, 1, Reason.NO_ROUTE)], "a stream told as refused, once")
        responder(make, qubits())  # asks whether there are such sessions at all
        t = talk(make, 2, 1) >> asked(qubits()) >> reset >> reset
        expect(t, t.all(Refused) == [Refused(SESSION, 1, Reason.NO_ROUTE)], "an agreed session told as refused, once")
        t = talk(make, 2, 1) >> asked(qubits())
        t.wait(LONG).never(Opened)
        expect(t, [one.reason for one in t.all(Refused)] == [Reason.LOST_PEER], "Refused with LOST_PEER after a time")


class KindTests:
    """Halves that are kept, or measured as they are made."""

    @requirement("QS-L4-322")
    def test_the_network_is_asked_for_what_the_session_is_for(self, make: Make) -> None:
        """Kind and basis; halves that are kept in class B come early."""
        kinds = {MEASURE: l3_network.MEASURE, PREPARE: l3_network.PREPARE}
        for kind, wanted in kinds.items():
            for basis in Basis:
                t = initiator(make, measured(kind, basis))
                request = t.last(Connect)
                asked_so = (request.kind, request.basis) == (wanted, basis)
                expect(t, asked_so, f"pairs of kind {wanted} and basis {basis}")
        for consumption, wanted in ((TOLERANT, l3_network.EARLY), (REACTIVE, l3_network.KEEP)):
            t = initiator(make, replace(stream(0, consumption), kind=KEEP))
            expect(t, t.last(Connect).kind == wanted, f"pairs of kind {wanted} in class {'BC'[consumption]}")

    @requirement("QS-L4-326")
    def test_a_bit_is_told_with_all_that_is_known(self, make: Make) -> None:
        """At both ends; in class T one end alone turns it, so that it reads like one of Phi+."""
        for begin in (initiator, responder):
            t = begin(make, measured()) >> bit(0, 2, Basis.X, 1)
            expect(t, t.all(Outcome) == [Outcome(SESSION, 0, 2, Basis.X, 1, 0.9, 11)], "the bit as it was measured")
        for basis in Basis:
            for bell in range(4):
                turned = 0
                for begin in (initiator, responder):
                    t = begin(make, measured(MEASURE, basis, DETERMINISTIC, 4)) >> bit(0, bell, basis, 0)
                    expect(t, t.last(Outcome).bell == 0, "the bit as one of Phi+")
                    turned += t.last(Outcome).outcome
                expect(t, turned == flip(bell, basis), f"the frame {bell} taken out of basis {basis} by one end")


class EarlyTests:
    """Class B: halves of which nothing is known yet."""

    @requirement("QS-L4-323")
    def test_a_half_is_handed_up_at_once(self, make: Make) -> None:
        """At both ends."""
        for begin in (initiator, responder):
            t = begin(make, stream(0, TOLERANT)) >> Early(SESSION, 20)
            expect(t, t.all(EarlyDelivery) == [EarlyDelivery(SESSION, 20)], "the half handed up early")

    @requirement("QS-L4-324")
    def test_an_early_half_is_confirmed_or_expires(self, make: Make) -> None:
        """Once, whatever becomes of it, and before the session is closed."""
        for begin in (initiator, responder):
            t = begin(make, stream(0, TOLERANT)) >> Early(SESSION, 20) >> Early(SESSION, 21) >> Early(SESSION, 22)
            t >> pair(0, 21, bell=3)
            expect(t, [one.qubit for one in t.all(Delivery)] == [21], "the half confirmed")
            t >> l3_network.Lost(SESSION, -1, 20, Reason.EXPIRE) >> l3_network.Lost(SESSION, -1, 20, Reason.EXPIRE)
            expect(t, t.all(Expired) == [Expired(SESSION, -1, 20, Reason.EXPIRE)], "the half told as expired, once")
            t >> Disconnected(SESSION, Reason.LOST_PEER)
            expect(t, [one.qubit for one in t.all(Expired)] == [20, 22], "the last half told as expired")
            order = [type(one) for one in t.answers if isinstance(one, Expired | Closed)]
            expect(t, order == [Expired, Expired, Closed], "nothing after the end of the session")
            t.never(Free)

    @requirement("QS-L4-325")
    def test_a_pair_without_another_half_expires(self, make: Make) -> None:
        """One that was handed up is told; one that is held back is freed."""
        for begin in (initiator, responder):
            t = begin(make, stream(0)) >> pair(0, 20) >> l3_network.Lost(SESSION, 0, 20, Reason.EXPIRE)
            expect(t, t.all(Expired) == [Expired(SESSION, 0, 20, Reason.EXPIRE)], "the pair told as expired")
            t = begin(make, stream(0, REACTIVE, 1)) >> pair(0, 20) >> pair(1, 21)
            t >> l3_network.Lost(SESSION, 1, 21, Reason.EXPIRE) << Free(21)
            t >> Release(SESSION) >> Acknowledgement(SESSION, 1, 1, 0)
            t.never(Delivery, more_than=1).never(Expired)

    @requirement("QS-L4-328")
    def test_lost_pairs_take_no_room(self, make: Make) -> None:
        """Pairs that only this end was told of, and that only the other end was told of."""
        for begin in (initiator, responder):
            t = begin(make, stream(0, REACTIVE, 1)) >> pair(0, 20) >> Release(SESSION)
            t >> l3_network.Lost(SESSION, 0, 20, Reason.EXPIRE) >> pair(2, 22)  # 1 was lost here, 0 at the other end
            t >> Acknowledgement(SESSION, 2, 1, 0)
            expect(t, [one.pair for one in t.all(Delivery)] == [0, 2], "the next pair handed up")
            t >> Release(SESSION)
            ahead = max(one.cumulative + one.credit for one in t.all(Acknowledgement))
            expect(t, ahead == 4, "room told for pair 3")


class TestedTests:
    """What test rounds show."""

    @requirement("QS-L4-327")
    def test_the_user_is_told_what_test_rounds_have_shown(self, make: Make) -> None:
        """At both ends."""
        for begin in (initiator, responder):
            t = begin(make, stream(0)) >> FidelityTested(SESSION, 0.9, 0.8, 0.95, 40)
            expect(t, t.all(FidelityReported) == [FidelityReported(SESSION, 0.9, 0.8, 0.95, 40)], "the figures told")


class LossTests:
    """Teleportation over pairs that are lost."""

    @requirement("QS-L4-001")
    def test_a_pair_that_was_lost_carries_no_qubit(self, make: Make) -> None:
        """It is freed, and the qubit waits for another one."""
        t = initiator(make, qubits()) >> pair(0, 20) >> l3_network.Lost(SESSION, 0, 20, Reason.EXPIRE) << Free(20)
        t >> Transmit(SESSION, 50)
        t.never(BellMeasure)
        t >> pair(1, 21)
        expect(t, [one.half for one in t.all(BellMeasure)] == [21], "the qubit measured with the next pair")

    @requirement("QS-L4-329")
    def test_nobody_waits_for_a_qubit_whose_pair_is_gone(self, make: Make) -> None:
        """The sender says so; the receiver passes over it and tells both users."""
        t = initiator(make, qubits(0)) >> Transmit(SESSION, 50) >> pair(0, 20)
        t >> BellMeasured(50, 20, 1, t.last(BellMeasure).purpose) >> l3_network.Lost(SESSION, 0, 20, Reason.EXPIRE)
        expect(t, [one.sequence for one in t.all(Loss)] == [0], "LOSS of qubit 0")
        t = responder(make, qubits(0)) >> Correction(SESSION, 0, 0, 0, 0) >> Correction(SESSION, 1, 1, 0, 0)
        t >> pair(1, 21) >> Loss(SESSION, 0, erasure=True) >> Loss(SESSION, 0, erasure=True)
        expect(t, t.all(Lost) == [Lost(SESSION, 0, erasure=True)], "qubit 0 told as lost, once")
        expect(t, [one.sequence for one in t.all(Received)] == [1], "qubit 1 handed up")
        expect(t, [one.sequence for one in t.all(Loss)] == [0], "LOSS of qubit 0")

    @requirement("QS-L4-329")
    def test_a_qubit_that_came_with_a_lost_pair_is_lost(self, make: Make) -> None:
        """Its half was freed before the sender could know."""
        t = responder(make, qubits(0)) >> pair(0, 20) >> l3_network.Lost(SESSION, 0, 20, Reason.EXPIRE) << Free(20)
        t >> Correction(SESSION, 0, 0, 0, 0)
        expect(t, t.all(Lost) == [Lost(SESSION, 0, erasure=True)], "qubit 0 told as lost")
        expect(t, [one.sequence for one in t.all(Loss)] == [0], "LOSS of qubit 0")
