"""Dialogues with the transport layer."""

from __future__ import annotations

import pytest

from qstack.conformance.transcript import Transcript
from qstack.core.errors import LocalProtocolError
from qstack.core.nouns import Send
from qstack.services.device import Free
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected, Pair
from qstack.services.l4_transport import Close, Closed, Delivery, Open, Opened, Refused
from qstack.services.reasons import Reason
from qstack.transport.layer import TransportLayer
from qstack.wire.transport import SessionReset

PAIR = Pair(7, 0, 2, 5, 0.9, 11)


@pytest.fixture
def t() -> Transcript:
    return Transcript(TransportLayer(), node=1)


@pytest.mark.requirement("QS-L4-013")
def test_open_asks_for_a_circuit_and_tells_when_it_stands(t):
    t >> Open(7, 3, 0.8, 2)
    t.exactly(Connect(7, 3, 0.8, 2))
    t >> Connected(7, 3, initiator=True, number=2)
    t.exactly(Opened(7, 3, initiator=True))


@pytest.mark.requirement("QS-L4-013")
def test_the_responder_is_told_without_asking(t):
    t >> Connected(7, 1, initiator=False, number=2)
    t.exactly(Opened(7, 1, initiator=False))
    t >> PAIR
    t.exactly(Delivery(7, 0, 2, 5, 0.9, 11))


@pytest.mark.requirement("QS-L4-014", "QS-L5-005")
def test_after_the_last_pair_the_circuit_is_given_back(t):
    t >> Open(7, 3, 0.8, 2) >> Connected(7, 3, initiator=True, number=2) >> PAIR
    t.exactly(Delivery(7, 0, 2, 5, 0.9, 11))
    t >> PAIR
    t.exactly(Delivery(7, 0, 2, 5, 0.9, 11), Disconnect(7))
    t >> PAIR
    t.exactly(Free(5))
    t >> Disconnected(7, 0)
    t.exactly(Closed(7, 0))


def test_a_session_without_number_goes_on(t):
    t >> Open(7, 3, 0.8, 0)
    for _ in range(100):
        t >> PAIR
    t.never(Disconnect)
    t >> Close(7)
    t.exactly(Disconnect(7))
    t >> Close(7)
    t.silent()


@pytest.mark.requirement("QS-L4-011")
def test_pairs_of_a_closed_session_are_freed(t):  # QS-L4-011
    t >> Open(7, 3, 0.8, 0) >> Close(7) >> PAIR
    t.exactly(Free(5))
    t >> Disconnected(7, 0) >> PAIR
    t.exactly(Free(5))


@pytest.mark.requirement("QS-L4-015")
def test_a_refusal_is_told_with_its_reason(t):
    t >> Open(7, 3, 0.99, 2) >> Disconnected(7, Reason.NO_ROUTE)
    t.exactly(Send(3, SessionReset(7, Reason.NO_ROUTE)), Closed(7, Reason.NO_ROUTE))
    t >> Disconnected(7, Reason.NO_ROUTE)
    t.silent()
    t >> Open(7, 3, 0.5, 2)
    t.exactly(Connect(7, 3, 0.5, 2))


@pytest.mark.requirement("QS-L4-320")
def test_the_end_that_was_to_be_asked_hears_of_a_refusal(t):
    t.from_(4) >> SessionReset(7, Reason.NO_ROUTE)
    t.exactly(Refused(7, 4, Reason.NO_ROUTE))
    t >> SessionReset(7, Reason.NO_ROUTE)
    t.silent()
    t.from_(3) >> SessionReset(7, Reason.NORES)  # of somebody else
    t.exactly(Refused(7, 3, Reason.NORES))
    t >> SessionReset(8, Reason.NONE)
    t.silent()
    t.from_(1) >> SessionReset(9, Reason.NO_ROUTE)  # of this node itself
    t.silent()


@pytest.mark.requirement("QS-L4-016")
def test_misuse_is_refused(t):
    with pytest.raises(LocalProtocolError, match="-1 pairs"):
        t >> Open(7, 3, 0.8, -1)
    t >> Open(7, 3, 0.8, 1)
    with pytest.raises(LocalProtocolError, match="open already"):
        t >> Open(7, 3, 0.8, 1)
    t >> Close(9)
    t.silent()
