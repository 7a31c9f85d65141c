"""Dialogues with the transport layer about sessions that the two ends agree on: windows, corrected pairs, teleportation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qstack.conformance.transcript import Transcript
from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.device import Apply, BellMeasure, BellMeasured, Free
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected, Pair
from qstack.services.l4_transport import (
    DETERMINISTIC,
    ENCODED,
    GATE,
    REACTIVE,
    STREAM,
    TELEPORT,
    TOLERANT,
    Close,
    Closed,
    Credit,
    Delivery,
    Lost,
    Open,
    Opened,
    Received,
    Refused,
    Release,
    Reset,
    Returned,
    Sent,
    Transmit,
)
from qstack.services.reasons import Reason
from qstack.transport.layer import TransportLayer
from qstack.wire.transport import (
    Acknowledgement,
    Correction,
    Discard,
    Loss,
    SessionAccept,
    SessionClose,
    SessionOpen,
    SessionOpenAck,
    SessionReset,
)

ASK = Open(7, 3, 0.8, 2, TELEPORT, DETERMINISTIC, 2)
ASKED = SessionOpen(7, TELEPORT, DETERMINISTIC, 1, True, 0.8, 2, 2, 2, 0)  # noqa: FBT003 - as on the wire


def pair(number: int, qubit: int, bell: int = 0) -> Pair:
    return Pair(7, number, bell, qubit, 0.9, 11)


def a() -> Transcript:
    """The node that opens session 7 with node 3."""
    return Transcript(TransportLayer(), node=1).from_(3)


def b() -> Transcript:
    """The node that is asked by node 1."""
    return Transcript(TransportLayer(), node=3).from_(1)


def sending(ask: Open = ASK) -> Transcript:
    t = a() >> ask >> SessionOpenAck(7, ask.window, ask.window) >> Connected(7, 3, initiator=True, number=0)
    t.exactly(Opened(7, 3, initiator=True))
    return t


def receiving(asked: SessionOpen = ASKED) -> Transcript:
    t = b() >> asked >> SessionAccept(7, asked.window) >> Connected(7, 1, initiator=False, number=0)
    t.exactly(Opened(7, 1, initiator=False))
    return t


# -- agreeing ---------------------------------------------------------------------------------------------------------


def test_the_ends_agree_before_a_circuit_is_asked_for():
    t = a() >> ASK
    t.exactly(Send(3, ASKED))
    t >> SessionOpenAck(7, 2, 2)
    t.exactly(Send(3, SessionAccept(7, 2)), Connect(7, 3, 0.8, 0))
    t >> SessionOpenAck(7, 2, 2)
    t.silent()


def test_a_stream_asks_the_network_for_its_number_of_pairs():
    t = a() >> Open(7, 3, 0.8, 9, STREAM, DETERMINISTIC, 4)
    t >> SessionOpenAck(7, 4, 4) << Connect(7, 3, 0.8, 9)


def test_the_responder_consents_and_waits_for_the_circuit():
    t = b() >> ASKED
    t.exactly(Send(1, SessionOpenAck(7, 2, 2)))
    t >> ASKED
    t.exactly(Send(1, SessionOpenAck(7, 2, 2)))
    t >> SessionAccept(7, 2)
    t.silent()
    t >> Connected(7, 1, initiator=False, number=0)
    t.exactly(Opened(7, 1, initiator=False))
    t >> ASKED
    t.silent()


@pytest.mark.parametrize(("mode", "consumption"), [(GATE, REACTIVE), (ENCODED, REACTIVE), (TELEPORT, TOLERANT)])
def test_what_this_layer_does_not_know_is_refused_at_either_end(mode, consumption):
    t = a() >> replace(ASK, mode=mode, consumption=consumption)
    t.exactly(Closed(7, Reason.UNSUPP))
    t = b() >> replace(ASKED, mode=mode, consumption=consumption)
    t.exactly(Send(1, SessionReset(7, Reason.UNSUPP)))


def test_a_refusal_ends_the_session_without_a_circuit():
    t = a() >> ASK >> SessionReset(7, Reason.UNSUPP)
    t.exactly(Closed(7, Reason.UNSUPP))
    t.never(Connect)


def test_other_terms_for_the_same_session_are_refused():
    t = b() >> ASKED >> replace(ASKED, window=1)
    t.exactly(Send(1, SessionReset(7, Reason.REJECTED)))


def test_silence_ends_it():
    t = a() >> ASK
    t.wait(10 * SECOND).exactly(Closed(7, Reason.LOST_PEER))
    t = b() >> ASKED
    t.wait(10 * SECOND).exactly(Send(1, SessionReset(7, Reason.LOST_PEER)), Refused(7, 1, Reason.LOST_PEER))
    t >> SessionAccept(7, 2)
    t.silent()
    t >> Connected(7, 1, initiator=False, number=0)
    t.exactly(Disconnect(7))
    t >> ASKED << Send(1, SessionOpenAck(7, 2, 2)) >> SessionAccept(7, 2)
    t >> Connected(7, 1, initiator=False, number=0) << Opened(7, 1, initiator=False)


def test_no_circuit_is_told_to_both_ends():
    t = a() >> ASK >> SessionOpenAck(7, 2, 2) >> Disconnected(7, Reason.NO_ROUTE)
    t.exactly(Send(3, SessionReset(7, Reason.NO_ROUTE)), Closed(7, Reason.NO_ROUTE))
    t = b() >> ASKED >> SessionReset(7, Reason.NO_ROUTE)
    t.exactly(Refused(7, 1, Reason.NO_ROUTE))
    t >> SessionReset(7, Reason.NO_ROUTE)


def test_a_session_may_be_closed_before_it_stands():
    t = a() >> ASK >> Close(7)
    t.exactly(Send(3, SessionReset(7, Reason.TORN_DOWN)), Closed(7, 0))
    t = a() >> ASK >> SessionOpenAck(7, 2, 2) >> Close(7)
    t << Disconnect(7) << Closed(7, 0)


@pytest.mark.parametrize(
    "wrong", [replace(ASK, peer=1), replace(ASK, window=0), replace(ASK, window=1 << 16), replace(ASK, number=-1)]
)
def test_terms_that_nobody_can_keep_are_refused(wrong):
    with pytest.raises(LocalProtocolError):
        a() >> wrong


def test_strangers_have_no_say():
    t = sending()
    for message in (Acknowledgement(7, 0, 2, 0), Loss(7, 0, erasure=True), SessionClose(7, 0), SessionReset(7, 4)):
        with pytest.raises(RemoteProtocolError, match="other end it is not"):
            t.from_(4) >> message
    with pytest.raises(RemoteProtocolError, match="no use"):
        t.from_(3) >> Discard(7, 1)
    with pytest.raises(RemoteProtocolError, match="window"):
        a() >> ASK >> SessionOpenAck(7, 3, 3)
    with pytest.raises(RemoteProtocolError, match="window"):
        b() >> replace(ASKED, window=0)


# -- sending qubits ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L4-001")
def test_a_qubit_is_measured_only_when_its_pair_is_confirmed():
    t = sending() >> Transmit(7, 50)
    t.silent()
    t >> pair(4, 20, bell=2)
    t.exactly(BellMeasure(50, 20, 7))
    t >> BellMeasured(50, 20, 1, 7)
    t.exactly(Send(3, Correction(7, 0, 4, 1, 2)), Sent(7, 0, 50, 4, 2, 0.9, 0))
    t >> Acknowledgement(7, 1, 2, 0)
    t.silent()


def test_credit_is_told_when_a_pair_waits_and_the_other_end_has_room():
    t = sending() >> pair(0, 20)
    t.exactly(Credit(7, 1))
    t >> pair(1, 21)
    t.exactly(Credit(7, 2))
    t >> Transmit(7, 50)
    t.exactly(BellMeasure(50, 21, 7))  # the freshest pair first


def test_of_too_many_pairs_the_oldest_is_given_up_at_both_ends():
    t = sending() >> pair(0, 20) >> pair(1, 21) >> pair(2, 22)
    t.exactly(Free(20), Send(3, Discard(7, 0)), Credit(7, 2))
    t = receiving() >> pair(0, 30) >> Discard(7, 0)
    t.exactly(Free(30))
    t >> Discard(7, 1) >> pair(1, 31)
    t.exactly(Free(31))


@pytest.mark.requirement("QS-L4-007")
def test_no_more_qubits_in_flight_than_the_receiver_has_room_for():
    t = sending(replace(ASK, number=0))
    for k in range(4):
        t >> Transmit(7, 50 + k) >> pair(k, 20 + k)
    t.never(BellMeasure, more_than=2)
    t >> BellMeasured(50, 20, 0, 7) >> BellMeasured(51, 21, 0, 7) >> Acknowledgement(7, 1, 0, 0)
    t.silent()
    t >> Acknowledgement(7, 1, 1, 0)
    t.silent()  # one in flight and credit up to number 2: nothing more may leave
    t >> Acknowledgement(7, 1, 2, 0)
    t << BellMeasure(52, 23, 7)
    t.never(BellMeasure, more_than=3)


def test_the_session_ends_by_itself_when_all_qubits_have_arrived():
    t = sending(replace(ASK, number=1)) >> Transmit(7, 50) >> pair(0, 20) >> pair(1, 21) >> BellMeasured(50, 20, 0, 7)
    t >> Acknowledgement(7, 1, 2, 0)
    t.exactly(Send(3, SessionClose(7, 0)), Free(21), Disconnect(7))
    t >> pair(2, 22)
    t.exactly(Free(22), Send(3, Discard(7, 2)))
    t >> Disconnected(7, 0)
    t.exactly(Closed(7, 0))


def test_closing_returns_what_has_not_left_and_sees_the_rest_home():
    t = sending(replace(ASK, number=0)) >> Transmit(7, 50) >> pair(0, 20) >> Transmit(7, 51) >> Close(7)
    t.exactly(Returned(7, 51))
    t >> Transmit(7, 52)
    t.exactly(Returned(7, 52))
    t >> BellMeasured(50, 20, 3, 7)
    t.never(Disconnect)
    t >> Acknowledgement(7, 1, 2, 0)
    t.exactly(Send(3, SessionClose(7, 0)), Disconnect(7))


@pytest.mark.requirement("QS-L4-001")
def test_a_qubit_stays_with_the_sender_when_the_circuit_breaks():
    t = sending() >> Transmit(7, 50) >> Disconnected(7, Reason.LOST_PEER)
    t.exactly(Returned(7, 50), Send(3, SessionReset(7, Reason.LOST_PEER)), Closed(7, Reason.LOST_PEER))
    t.never(BellMeasure)
    t >> Transmit(7, 51)
    t.exactly(Returned(7, 51))


@pytest.mark.requirement("QS-L4-002")
def test_what_is_under_way_when_the_circuit_breaks_settles_first():
    t = sending() >> Transmit(7, 50) >> pair(0, 20) >> pair(1, 21) >> Disconnected(7, Reason.LOST_PEER)
    t.exactly(Free(21), Send(3, SessionReset(7, Reason.LOST_PEER)))
    t >> BellMeasured(50, 20, 0, 7) << Send(3, Correction(7, 0, 0, 0, 0))
    t >> Loss(7, 0, erasure=True)
    t.exactly(Lost(7, 0, erasure=True), Closed(7, Reason.LOST_PEER))


def test_silence_about_a_qubit_is_a_loss_of_unknown_kind():
    t = sending() >> Transmit(7, 50) >> pair(0, 20) >> BellMeasured(50, 20, 0, 7)
    t.wait(4 * SECOND) >> Transmit(7, 51) >> pair(1, 21) >> BellMeasured(51, 21, 0, 7)
    t.wait(7 * SECOND)
    assert t.all(Lost) == [Lost(7, 0, erasure=False)]
    t >> Acknowledgement(7, 2, 2, 0)
    t.exactly(Send(3, SessionClose(7, 0)), Disconnect(7))


@pytest.mark.requirement("QS-L4-011")
def test_reset_at_the_sender():
    t = sending(replace(ASK, number=0)) >> Transmit(7, 50) >> pair(0, 20) >> BellMeasured(50, 20, 0, 7)
    t >> pair(1, 21) >> Reset(7)
    t.exactly(Send(3, SessionReset(7, Reason.TORN_DOWN)), Free(21), Lost(7, 0, erasure=False), Disconnect(7))
    t >> Disconnected(7, 0)
    t.exactly(Closed(7, Reason.TORN_DOWN))
    t >> Reset(7)
    t.silent()


def test_reset_by_the_receiver_returns_what_has_not_left():
    t = sending() >> Transmit(7, 50) >> SessionReset(7, Reason.TORN_DOWN)
    t.exactly(Returned(7, 50), Disconnect(7))
    t >> Disconnected(7, 0)
    t.exactly(Closed(7, Reason.TORN_DOWN))


def test_close_by_the_receiver_is_obeyed_when_all_is_home():
    t = sending(replace(ASK, number=0)) >> Transmit(7, 50) >> pair(0, 20) >> SessionClose(7, 0)
    t.silent()
    t >> BellMeasured(50, 20, 0, 7) >> Acknowledgement(7, 1, 2, 0)
    t.exactly(Send(3, SessionClose(7, 0)), Disconnect(7))


def test_misuse_is_refused():
    t = sending()
    with pytest.raises(LocalProtocolError, match="twice"):
        t >> Transmit(7, 50) >> Transmit(7, 50)
    with pytest.raises(LocalProtocolError, match="for 2 qubits"):
        t >> Transmit(7, 51) >> Transmit(7, 52)
    with pytest.raises(LocalProtocolError, match="no use for Release"):
        t >> Release(7)
    with pytest.raises(LocalProtocolError, match="not to be measured"):
        t >> BellMeasured(1, 2, 3, 7)
    with pytest.raises(RemoteProtocolError, match="never sent"):
        t >> Acknowledgement(7, 1, 2, 0)
    with pytest.raises(RemoteProtocolError, match="never sent"):
        t >> Loss(7, 0, erasure=True)
    with pytest.raises(LocalProtocolError, match="here and now"):
        a() >> ASK >> Transmit(7, 1)


# -- receiving qubits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bell", range(4))
@pytest.mark.parametrize("outcome", range(4))
@pytest.mark.requirement("QS-L4-003", "QS-L4-005")
def test_the_correction_is_applied_in_xor_with_the_bell_index(bell, outcome):
    t = receiving() >> pair(0, 30, bell)
    t.silent()
    t >> Correction(7, 0, 0, outcome, bell)
    pauli = [Apply(30, bell ^ outcome)] if bell != outcome else []
    t.exactly(*pauli, Received(7, 0, 30, 0, 0.9), Send(1, Acknowledgement(7, 1, 1, 0)))


@pytest.mark.requirement("QS-L4-003")
def test_in_class_c_the_frame_comes_with_the_qubit():
    t = receiving(replace(ASKED, consumption=REACTIVE)) >> pair(0, 30, 2) >> Correction(7, 0, 0, 3, 2)
    t << Received(7, 0, 30, 1, 0.9)
    t.never(Apply)


def test_a_correction_may_come_before_the_news_of_its_pair():
    t = receiving() >> Correction(7, 0, 5, 1, 2)
    t.silent()
    t >> pair(5, 30, 2)
    t.exactly(Apply(30, 3), Received(7, 0, 30, 0, 0.9), Send(1, Acknowledgement(7, 1, 1, 0)))


@pytest.mark.requirement("QS-L4-003")
def test_a_repeated_correction_is_applied_once():
    t = receiving() >> Correction(7, 0, 5, 1, 2) >> Correction(7, 0, 5, 1, 2)
    t.silent()
    t >> pair(5, 30, 2) >> pair(6, 31) >> Correction(7, 0, 5, 1, 2)
    t.silent()
    t >> Correction(7, 0, 6, 1, 0)
    t.silent()
    t.never(Apply, more_than=1)
    t.never(Received, more_than=1)


@pytest.mark.requirement("QS-L4-002")
def test_qubits_are_handed_up_in_order():
    t = receiving() >> pair(1, 31) >> Correction(7, 0, 0, 0, 0) >> Correction(7, 1, 1, 0, 0)
    t.exactly(Send(1, Acknowledgement(7, 0, 2, 1)))
    t >> pair(0, 30)
    t.exactly(Received(7, 0, 30, 0, 0.9), Received(7, 1, 31, 0, 0.9), Send(1, Acknowledgement(7, 2, 0, 0)))


def test_or_as_they_come():
    t = receiving(replace(ASKED, ordered=False)) >> pair(1, 31) >> Correction(7, 0, 0, 0, 0)
    t >> Correction(7, 1, 1, 0, 0)
    t.exactly(Received(7, 1, 31, 0, 0.9), Send(1, Acknowledgement(7, 0, 2, 1)))
    t >> pair(0, 30)
    t.exactly(Received(7, 0, 30, 0, 0.9), Send(1, Acknowledgement(7, 2, 0, 0)))


@pytest.mark.requirement("QS-L4-007")
def test_room_comes_back_with_release():
    t = receiving() >> pair(0, 30) >> pair(1, 31) >> Correction(7, 0, 0, 0, 0) >> Correction(7, 1, 1, 0, 0)
    t << Send(1, Acknowledgement(7, 2, 0, 0))
    with pytest.raises(RemoteProtocolError, match="no room"):
        t >> Correction(7, 2, 2, 0, 0)
    t >> Release(7)
    t.exactly(Send(1, Acknowledgement(7, 2, 1, 0)))
    t >> Release(7)
    t.silent()
    with pytest.raises(LocalProtocolError, match="nothing is left"):
        t >> Release(7)


@pytest.mark.requirement("QS-L4-011")
def test_the_end_frees_what_no_qubit_has_used():
    t = receiving() >> pair(0, 30) >> SessionClose(7, 0)
    t.silent()
    t >> Disconnected(7, 0)
    t.exactly(Free(30), Closed(7, 0))
    t = receiving() >> pair(0, 30) >> Disconnected(7, 0)
    t.silent()
    t >> SessionClose(7, 0)
    t.exactly(Free(30), Closed(7, 0))


@pytest.mark.requirement("QS-L4-002")
def test_a_qubit_whose_half_never_came_is_lost_at_both_ends():
    t = receiving() >> pair(1, 31) >> Correction(7, 0, 0, 0, 0) >> Correction(7, 1, 1, 0, 0)
    t >> Disconnected(7, Reason.LOST_PEER) >> SessionReset(7, Reason.LOST_PEER)
    t << Send(1, Loss(7, 0, erasure=True)) << Lost(7, 0, erasure=True) << Received(7, 1, 31, 0, 0.9)
    t << Closed(7, Reason.LOST_PEER)
    t >> Correction(7, 2, 2, 0, 0)
    t.exactly(Send(1, Loss(7, 2, erasure=True)))


def test_a_sender_that_says_nothing_more_is_not_waited_for():
    t = receiving() >> pair(0, 30) >> Disconnected(7, Reason.LOST_PEER)
    t.wait(10 * SECOND) << Free(30) << Closed(7, Reason.LOST_PEER)


def test_the_receiver_may_end_it():
    t = receiving() >> pair(0, 30) >> Close(7)
    t.exactly(Send(1, SessionClose(7, 0)))
    t = receiving() >> pair(0, 30) >> Reset(7)
    t.exactly(Send(1, SessionReset(7, Reason.TORN_DOWN)), Free(30), Disconnect(7))


def test_a_sender_that_lies_is_found_out():
    with pytest.raises(RemoteProtocolError, match="used twice"):
        receiving() >> Correction(7, 0, 0, 0, 0) >> Correction(7, 1, 0, 0, 0)
    with pytest.raises(RemoteProtocolError, match="different frames"):
        receiving() >> pair(0, 30, 1) >> Correction(7, 0, 0, 0, 2)
    t = receiving()
    for number in range(1 << 12):
        t >> Discard(7, number)
    with pytest.raises(RemoteProtocolError, match="too many"):
        t >> Discard(7, 1 << 12)


# -- streams ----------------------------------------------------------------------------------------------------------

STREAMING = Open(7, 3, 0.8, 0, STREAM, DETERMINISTIC, 2)
STREAMED = SessionOpen(7, STREAM, DETERMINISTIC, 1, True, 0.8, 2, 2, 0, 0)  # noqa: FBT003 - as on the wire


def test_in_class_t_the_end_that_did_not_ask_corrects():
    t = receiving(STREAMED) >> pair(0, 30, 3)
    t.exactly(Apply(30, 3), Delivery(7, 0, 0, 30, 0.9, 11))
    t >> pair(1, 31, 0)
    t.exactly(Delivery(7, 1, 0, 31, 0.9, 11))
    t = sending(STREAMING) >> pair(0, 20, 3)
    t.exactly(Delivery(7, 0, 0, 20, 0.9, 11))


def test_in_class_c_a_stream_with_a_window_tells_the_frame():
    t = sending(replace(STREAMING, consumption=REACTIVE)) >> pair(0, 20, 3)
    t.exactly(Delivery(7, 0, 3, 20, 0.9, 11))


@pytest.mark.requirement("QS-L4-007")
def test_pairs_wait_for_room_at_this_end_and_at_the_other():
    t = sending(STREAMING) >> pair(0, 20) >> pair(1, 21) >> pair(2, 22)
    t.silent()
    t >> Release(7)
    t.exactly(Send(3, Acknowledgement(7, 1, 2, 0)))  # the other end is not heard of yet
    t >> Acknowledgement(7, 1, 2, 0)
    t.exactly(Delivery(7, 2, 0, 22, 0.9, 11))


@pytest.mark.requirement("QS-L4-007")
def test_the_other_end_may_have_less_room_than_was_asked_for():
    t = a() >> STREAMING >> SessionOpenAck(7, 2, 1) >> Connected(7, 3, initiator=True, number=0)
    t >> pair(0, 20) >> pair(1, 21)
    t.never(Delivery, more_than=1)
    t >> Acknowledgement(7, 1, 1, 0)
    t.exactly(Delivery(7, 1, 0, 21, 0.9, 11))


def test_half_a_window_is_acknowledged_at_a_time():
    t = sending(replace(STREAMING, window=6))
    for k in range(6):
        t >> pair(k, 20 + k) >> Release(7)
    assert [ack.cumulative for ack in t.all(Acknowledgement)] == [3, 6]


def test_the_last_pair_ends_the_stream_and_the_other_end_finishes_what_it_holds():
    t = sending(replace(STREAMING, number=2)) >> pair(0, 20) >> pair(1, 21)
    t.exactly(Delivery(7, 1, 0, 21, 0.9, 11), Disconnect(7))
    t >> Disconnected(7, 0)
    t.exactly(Closed(7, 0))
    t >> Release(7)
    t.silent()
    t = receiving(replace(STREAMED, number=3)) >> pair(0, 30) >> pair(1, 31) >> pair(2, 32) >> Disconnected(7, 0)
    t.silent()
    t >> Release(7)
    t << Delivery(7, 2, 0, 32, 0.9, 11) << Closed(7, 0)


def test_closing_a_stream_gives_up_what_is_held_back_at_both_ends():
    t = sending(STREAMING) >> pair(0, 20) >> pair(1, 21) >> pair(2, 22) >> Close(7)
    t.exactly(Free(22), Send(3, Discard(7, 2)), Disconnect(7))
    t >> pair(3, 23)
    t.exactly(Free(23))
    t = receiving(STREAMED) >> pair(0, 30) >> pair(1, 31) >> pair(2, 32) >> Discard(7, 2)
    t.exactly(Free(32))
    t >> Discard(7, 9)
    t.silent()


def test_release_without_pairs_is_misuse():
    with pytest.raises(LocalProtocolError, match="nothing is left"):
        sending(STREAMING) >> Release(7)
