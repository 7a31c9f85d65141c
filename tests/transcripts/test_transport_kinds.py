"""Dialogues about kinds of streams, early halves, pairs that expire, and what test rounds show."""

from __future__ import annotations

import pytest

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.errors import RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services import l3_network
from qstack.services.bell import Basis
from qstack.services.device import Apply, BellMeasure, BellMeasured, Free
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected, Early, FidelityTested, Pair, Result
from qstack.services.l4_transport import (
    DETERMINISTIC,
    MEASURE,
    PREPARE,
    REACTIVE,
    STREAM,
    TELEPORT,
    TOLERANT,
    Close,
    Closed,
    Delivery,
    EarlyDelivery,
    Expired,
    FidelityReported,
    Lost,
    Open,
    Opened,
    Outcome,
    PeerReported,
    Received,
    Release,
    Sent,
    Transmit,
)
from qstack.services.reasons import Reason
from qstack.transport.layer import TransportLayer
from qstack.wire.codec import decode, encode
from qstack.wire.transport import (
    HERALDED,
    Acknowledgement,
    Correction,
    Discard,
    FidelityReport,
    Loss,
    SessionAccept,
    SessionClose,
    SessionOpen,
    SessionOpenAck,
    SessionReset,
)


def opened(
    number: int = 0, consumption: int = REACTIVE, window: int = 0, mode: int = STREAM, **kind: int
) -> Transcript:
    """Return node 1 with a session to node 3 that stands."""
    t = Transcript(TransportLayer(), node=1) >> Open(7, 3, 0.8, number, mode, consumption, window, **kind)
    t.from_(3)
    if t.all(SessionOpen):
        t >> SessionOpenAck(7, window, window)
    return t >> Connected(7, 3, initiator=True, number=number)


def asked(consumption: int = REACTIVE, window: int = 4, mode: int = STREAM, **kind: int) -> Transcript:
    """Return node 3 with a session of node 1 that stands."""
    t = Transcript(TransportLayer(), node=3)
    t.from_(1) >> SessionOpen(7, mode, consumption, HERALDED, 1, 0.8, window, window, 0, 0, **kind)
    return t >> SessionAccept(7, window) >> Connected(7, 1, initiator=False, number=0)


def pair(number: int, qubit: int, bell: int = 0) -> Pair:
    return Pair(7, number, bell, qubit, 0.9, 11)


def gone(number: int, qubit: int) -> l3_network.Lost:
    return l3_network.Lost(7, number, qubit, Reason.EXPIRE)


# -- kinds ----------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L4-322")
def test_the_network_is_asked_for_the_kind():
    assert opened().last(Connect).kind == l3_network.KEEP
    assert opened(consumption=TOLERANT).last(Connect).kind == l3_network.EARLY
    assert opened(kind=MEASURE, basis=Basis.Y).last(Connect) == Connect(7, 3, 0.8, 0, l3_network.MEASURE, Basis.Y)
    assert opened(kind=PREPARE, basis=Basis.X, window=3).last(Connect).kind == l3_network.PREPARE
    assert opened(kind=MEASURE, consumption=TOLERANT).last(Connect).kind == l3_network.MEASURE


def test_the_kind_travels_with_the_terms():
    said = opened(kind=PREPARE, basis=Basis.Y, window=3).last(SessionOpen)
    assert decode(encode(said)) == said
    assert (said.kind, said.basis) == (PREPARE, Basis.Y)


def test_what_nobody_can_keep_is_refused():
    t = Transcript(TransportLayer(), node=1)
    t >> Open(7, 3, 0.8, 2, TELEPORT, DETERMINISTIC, 2, kind=MEASURE) << Closed(7, Reason.UNSUPP)
    t >> Open(8, 3, 0.8, 2, STREAM, REACTIVE, kind=3) << Closed(8, Reason.UNSUPP)
    t >> Open(9, 3, 0.8, 2, STREAM, REACTIVE, kind=MEASURE, basis=7) << Closed(9, Reason.UNSUPP)


@pytest.mark.requirement("QS-L4-326")
def test_bits_are_counted_like_pairs():
    t = opened(2, kind=MEASURE)
    t >> Result(7, 0, 2, 0, 1, 0.9, 5)
    t.exactly(Outcome(7, 0, 2, 0, 1, 0.9, 5))
    t >> Result(7, 1, 0, 0, 1, 0.9, 5)
    t.exactly(Outcome(7, 1, 0, 0, 1, 0.9, 5), Disconnect(7))
    t >> Result(7, 2, 0, 0, 1, 0.9, 5)
    t.silent()


@pytest.mark.requirement("QS-L4-326")
@pytest.mark.parametrize(
    ("bell", "basis", "turned"), [(2, 0, 1), (2, 1, 0), (1, 1, 1), (1, 0, 0), (3, 2, 0), (2, 2, 1)]
)
def test_in_class_t_the_end_that_did_not_ask_turns_its_bit(bell, basis, turned):
    t = opened(consumption=DETERMINISTIC, kind=MEASURE, basis=basis) >> Result(7, 0, bell, basis, 0, 0.9, 5)
    t.exactly(Outcome(7, 0, 0, basis, 0, 0.9, 5))
    t = asked(DETERMINISTIC, 0, kind=MEASURE, basis=basis) >> Result(7, 0, bell, basis, 0, 0.9, 5)
    t.exactly(Outcome(7, 0, 0, basis, turned, 0.9, 5))


def test_a_half_that_is_prepared_is_corrected_and_the_bit_is_not():
    t = opened(consumption=DETERMINISTIC, kind=PREPARE, basis=1) >> Result(7, 0, 3, 1, 1, 0.9, 5)
    t.exactly(Outcome(7, 0, 0, 1, 1, 0.9, 5))
    t = asked(DETERMINISTIC, 0, kind=PREPARE, basis=1) >> pair(0, 20, bell=3)
    t.exactly(Apply(20, 3), Delivery(7, 0, 0, 20, 0.9, 11))


def test_bits_take_room_too():
    t = opened(window=1, kind=MEASURE) >> Result(7, 0, 0, 0, 1, 0.9, 5) >> Result(7, 1, 0, 0, 0, 0.9, 5)
    t.never(Outcome, more_than=1)
    t >> Release(7) >> Acknowledgement(7, 1, 1, 0) << Outcome(7, 1, 0, 0, 0, 0.9, 5)
    t >> Result(7, 2, 0, 0, 0, 0.9, 5) >> Close(7)
    t.exactly(Disconnect(7))


# -- early halves ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L4-323", "QS-L4-324")
@pytest.mark.parametrize("window", [0, 3])
@pytest.mark.parametrize("end", ["initiator", "responder"])
def test_an_early_half_has_one_fate(end, window):
    t = opened(consumption=TOLERANT, window=window) if end == "initiator" else asked(TOLERANT, window)
    t >> Early(7, 20)
    t.exactly(EarlyDelivery(7, 20))
    t >> pair(0, 20, bell=2)
    t.exactly(Delivery(7, 0, 2, 20, 0.9, 11))
    t >> Early(7, 21) >> gone(-1, 21)
    t.exactly(Expired(7, -1, 21, Reason.EXPIRE))
    t >> gone(-1, 21)
    t.silent()
    t >> Early(7, 22) >> Disconnected(7, Reason.LOST_PEER)
    t.exactly(Expired(7, -1, 22, Reason.LOST_PEER), Closed(7, Reason.LOST_PEER))


@pytest.mark.parametrize("window", [0, 3])
def test_after_the_last_pair_early_halves_belong_to_whoever_has_them(window):
    t = opened(1, TOLERANT, window) >> Early(7, 20) >> Early(7, 21) >> pair(0, 20)
    t.exactly(Delivery(7, 0, 0, 20, 0.9, 11), Disconnect(7))
    t >> Early(7, 22)
    t.exactly(Free(22))
    t >> pair(2, 22)
    t.silent()
    t >> pair(1, 21)
    t.exactly(Expired(7, 1, 21, Reason.UNWANTED))
    t >> gone(1, 21)
    t.silent()
    t >> Disconnected(7, 0)
    t.exactly(Closed(7, 0))


def test_early_halves_wait_for_room_and_may_be_known_by_then():
    t = opened(consumption=TOLERANT, window=1) >> Early(7, 20) >> Early(7, 21) >> Early(7, 22)
    t.never(EarlyDelivery, more_than=1)
    t >> pair(0, 21)
    t.silent()
    t >> gone(-1, 22)
    t.exactly(Free(22))
    t >> gone(-1, 20)
    t.exactly(Expired(7, -1, 20, Reason.EXPIRE))
    t >> Release(7) << Delivery(7, 0, 0, 21, 0.9, 11)
    t >> Early(7, 23) >> Disconnected(7, 0)
    t << Free(23)


def test_early_halves_without_a_session_are_freed():
    t = Transcript(TransportLayer(), node=1) >> Early(7, 20)
    t.exactly(Free(20))
    t = opened(0, REACTIVE, 2, TELEPORT) >> Early(7, 21)
    t.exactly(Free(21))


# -- what expires -----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L4-325")
def test_a_pair_that_was_handed_up_expires():
    for t in (opened(), opened(window=2), asked()):
        t >> pair(0, 20) >> gone(0, 20)
        t.exactly(Expired(7, 0, 20, Reason.EXPIRE))
    t = opened(kind=MEASURE) >> Result(7, 0, 0, 0, 1, 0.9, 5) >> gone(0, -1)
    t.exactly(Expired(7, 0, -1, Reason.EXPIRE))


@pytest.mark.requirement("QS-L4-325", "QS-L4-328")
def test_a_pair_that_is_held_back_is_freed_and_was_perhaps_the_last():
    t = opened(2, window=1) >> pair(0, 20) >> pair(1, 21) >> gone(1, 21)
    t.exactly(Free(21), Disconnect(7))
    t >> Release(7) >> Disconnected(7, 0) << Closed(7, 0)


@pytest.mark.requirement("QS-L4-328")
def test_a_window_outlives_any_number_of_pairs_that_one_end_has_lost():
    """Every second pair is known at one end only."""
    ends = opened(window=2), asked(window=2)
    for number in range(60):
        for which, t in enumerate(ends):
            if number % 2 == 0 or number % 4 == 2 * which + 1:
                t >> pair(number, 100 * which + number)
                assert t.last(Delivery).pair == number, "the window has closed"
                t >> Release(7)
                for told in [a.message for a in t.open if isinstance(a, Send)]:
                    ends[1 - which] >> told
                if number % 2:
                    t >> gone(number, 100 * which + number)


@pytest.mark.requirement("QS-L4-007", "QS-L4-328")
def test_pairs_are_handed_up_by_number():
    t = opened(window=2) >> pair(3, 23) >> pair(0, 20) >> pair(1, 21)
    assert [d.pair for d in t.all(Delivery)] == [0, 1]
    t >> Release(7) >> Acknowledgement(7, 2, 2, 0)
    assert [d.pair for d in t.all(Delivery)] == [0, 1, 3]


# -- teleportation over pairs that are lost -----------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L4-001")
def test_a_lost_pair_carries_nothing():
    t = opened(0, DETERMINISTIC, 2, TELEPORT) >> pair(0, 20) >> gone(0, 20)
    t.exactly(Free(20))
    t >> Transmit(7, 50)
    t.silent()
    t >> pair(1, 21) << BellMeasure(50, 21, 7)


@pytest.mark.requirement("QS-L4-002", "QS-L4-329")
def test_a_qubit_that_left_with_a_lost_pair_is_lost_at_both_ends():
    t = opened(0, DETERMINISTIC, 2, TELEPORT) >> Transmit(7, 50) >> pair(0, 20)
    t >> gone(0, 20) >> BellMeasured(50, 20, 1, 7)
    t << Send(3, Correction(7, 0, 0, 1, 0)) << Send(3, Loss(7, 0, erasure=True)) << Sent(7, 0, 50, 0, 0, 0.9, ANY)
    far = asked(DETERMINISTIC, 2, TELEPORT)
    far >> Correction(7, 0, 0, 1, 0) >> Loss(7, 0, erasure=True)
    far.exactly(Send(1, Loss(7, 0, erasure=True)), Lost(7, 0, erasure=True), Send(1, Acknowledgement(7, 1, 2, 0)))
    t >> Loss(7, 0, erasure=True) << Lost(7, 0, erasure=True)
    far >> pair(0, 30)
    far.exactly(Free(30))
    with pytest.raises(RemoteProtocolError, match="never sent"):
        far >> Loss(7, 9, erasure=True)


@pytest.mark.requirement("QS-L4-329")
def test_a_receiver_knows_the_pairs_that_it_has_lost():
    t = asked(DETERMINISTIC, 2, TELEPORT) >> pair(0, 30) >> gone(0, 30)
    t.exactly(Free(30))
    t >> Correction(7, 0, 0, 1, 0)
    t.exactly(Send(1, Loss(7, 0, erasure=True)), Lost(7, 0, erasure=True), Send(1, Acknowledgement(7, 1, 2, 0)))
    t >> pair(1, 31) >> gone(1, 31) >> pair(1, 32) >> Correction(7, 1, 1, 0, 0)  # a later pair of the same number
    assert t.last(Received) == Received(7, 1, 32, 0, 0.9)


@pytest.mark.requirement("QS-L4-329")
def test_what_was_silent_for_too_long_holds_nobody_up():
    patience = TransportLayer().patience
    t = opened(0, DETERMINISTIC, 1, TELEPORT) >> Transmit(7, 50) >> pair(0, 20) >> BellMeasured(50, 20, 1, 7)
    t.wait(patience) << Send(3, Loss(7, 0, erasure=False)) << Lost(7, 0, erasure=False)
    far = asked(DETERMINISTIC, 2, TELEPORT) >> pair(0, 30) >> Correction(7, 0, 0, 1, 0)
    far.last(Received)
    far >> Loss(7, 0, erasure=False)  # it is here
    far.silent()


# -- tests --------------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L4-327")
def test_test_rounds_are_told_to_the_user_and_now_and_then_to_the_other_end():
    told = FidelityReported(7, 0.9, 0.8, 0.95, 3)
    for t in (opened(), opened(window=2), asked()):
        t >> FidelityTested(7, 0.9, 0.8, 0.95, 3)
        t.exactly(told)
    plain = opened() >> FidelityTested(7, 0.9, 0.8, 0.95, 4)
    plain.exactly(FidelityReported(7, 0.9, 0.8, 0.95, 4))
    t = opened(window=2) >> FidelityTested(7, 0.9, 0.8, 0.95, 4)
    t.exactly(FidelityReported(7, 0.9, 0.8, 0.95, 4), Send(3, FidelityReport(7, 4, 0.9)))
    t >> Close(7) >> FidelityTested(7, 0.9, 0.8, 0.95, 8)
    t.exactly(FidelityReported(7, 0.9, 0.8, 0.95, 8))
    t >> Disconnected(7, 0) >> FidelityTested(7, 0.9, 0.8, 0.95, 9)
    t.silent()


def test_what_the_other_end_counts_is_told():
    t = asked() >> FidelityReport(7, 4, 0.9)
    t.exactly(PeerReported(7, 0.9, 4))
    with pytest.raises(RemoteProtocolError, match="whose other end it is not"):
        t.from_(9) >> FidelityReport(7, 4, 0.9)
    t.from_(1) >> FidelityReport(8, 4, 0.9)
    t.silent()
    t = Transcript(TransportLayer(), node=1) >> Open(7, 3, 0.8, 0, STREAM, REACTIVE, 2)
    t.from_(3) >> FidelityReport(7, 4, 0.9)  # before it stands
    t.silent()


# -- refusals -----------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L4-321")
def test_a_stream_that_never_stood_says_so():
    t = Transcript(TransportLayer(), node=1) >> Open(7, 3, 0.8, 2) >> Close(7) >> Disconnected(7, 0)
    t.exactly(Send(3, SessionReset(7, Reason.TORN_DOWN)), Closed(7, 0))
    t = opened() >> Disconnected(7, Reason.LOST_PEER)
    t.exactly(Closed(7, Reason.LOST_PEER))


@pytest.mark.requirement("QS-L4-320")
def test_words_after_the_end_are_no_refusals():
    t = opened() >> Disconnected(7, 0)
    t.from_(3) >> SessionReset(7, Reason.TORN_DOWN)
    t.silent()
    t >> SessionClose(8, Reason.TORN_DOWN)
    t.silent()
    t >> Connected(9, 3, initiator=False, number=0) << Opened(9, 3, initiator=False)


def test_discarded_bits_and_halves():
    t = opened(window=1) >> pair(0, 20) >> pair(1, 21) >> Discard(7, 1)
    t.exactly(Free(21))
    t = (
        opened(window=1, kind=MEASURE)
        >> Result(7, 0, 0, 0, 1, 0.9, 5)
        >> Result(7, 1, 0, 0, 1, 0.9, 5)
        >> Discard(7, 1)
    )
    t.silent()


def test_a_late_refusal_does_not_end_the_stream_that_stands_by_now():
    t = Transcript(TransportLayer(), node=3).from_(1) >> Connected(7, 1, initiator=False, number=0)
    t >> SessionReset(7, Reason.NO_ROUTE)
    t.silent()
    t >> Disconnected(7, 0)
    t.exactly(Closed(7, 0))
