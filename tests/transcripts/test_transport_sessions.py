"""Dialogues with the transport layer about sessions that the two ends agree on: terms, windows, corrected pairs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from session_dialogue import ASK, ASKED, a, b, pair, receiving, sending

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.device import Apply, Free
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected
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
    Delivery,
    Open,
    Opened,
    Refused,
    Release,
)
from qstack.services.reasons import Reason
from qstack.wire.transport import (
    Acknowledgement,
    Discard,
    Loss,
    SessionAccept,
    SessionClose,
    SessionOpen,
    SessionOpenAck,
    SessionReset,
)

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
