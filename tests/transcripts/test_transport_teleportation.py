"""Dialogues with the transport layer about qubits that are sent and received."""

from __future__ import annotations

from dataclasses import replace

import pytest
from session_dialogue import ASK, ASKED, a, pair, receiving, sending

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.device import Apply, BellMeasure, BellMeasured, Free
from qstack.services.l3_network import Disconnect, Disconnected
from qstack.services.l4_transport import (
    REACTIVE,
    Close,
    Closed,
    Credit,
    Lost,
    Received,
    Release,
    Reset,
    Returned,
    Sent,
    Transmit,
)
from qstack.services.reasons import Reason
from qstack.wire.transport import (
    Acknowledgement,
    Correction,
    Discard,
    Loss,
    SessionClose,
    SessionReset,
)

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
