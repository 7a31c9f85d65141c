"""Dialogues with the application that takes pairs as they come, through the layer that finds it."""

from __future__ import annotations

import pytest

from qstack.application.layer import ApplicationLayer
from qstack.application.pairs import Pairs, Wish
from qstack.conformance.transcript import Transcript
from qstack.core.errors import RemoteProtocolError
from qstack.services.device import Free
from qstack.services.l3_network import Connected, Disconnect, Disconnected, Pair
from qstack.services.l4_transport import Closed, Delivery, Open, Opened, Reset
from qstack.services.l5_application import Consumed, Finished, Start
from qstack.transport.layer import TransportLayer


@pytest.fixture
def t() -> Transcript:
    return Transcript(ApplicationLayer([Pairs(7, Wish(3, 0.8, 2)), Pairs(8, Wish(4, 0.9, 0))]), node=1)


def test_every_flow_has_its_own_wish(t):
    t >> Start(7)
    t.exactly(Open(7, 3, 0.8, 2))
    t >> Start(8)
    t.exactly(Open(8, 4, 0.9, 0))
    t >> Opened(8, 4, initiator=True)
    t.silent()


@pytest.mark.requirement("QS-L5-005")
def test_a_pair_is_reported_and_let_go(t):
    t >> Delivery(8, 5, 2, 55, 0.9, 11)
    t.exactly(Consumed(8, 5, 2, 55, 0.9, 11), Free(55))


@pytest.mark.requirement("QS-L5-009")
def test_the_end_is_told_with_its_reason(t):
    t >> Closed(7, 18)
    t.exactly(Finished(7, 18))


@pytest.mark.requirement("QS-L5-008")
def test_a_flow_that_does_not_end_here_is_refused(t):
    with pytest.raises(RemoteProtocolError, match="flow 9"):
        t >> Start(9)


@pytest.mark.requirement("QS-L5-222")
@pytest.mark.parametrize("applications", [[], [Pairs(7, Wish(3, 0.8, 2))]])
def test_a_session_that_no_flow_waits_for_is_reset(applications):
    t = Transcript(ApplicationLayer(applications), node=1)
    t >> Opened(99, 4, initiator=False)
    t.exactly(Reset(99))
    t >> Closed(99, 18)
    t.silent()


def test_a_session_that_no_flow_waits_for_holds_no_memory():
    t = Transcript(TransportLayer(), ApplicationLayer([]), node=1).from_(4)
    t >> Connected(99, 4, initiator=False, number=5) << Disconnect(99)
    t >> Pair(99, 0, 0, 55, 0.9, -1) << Free(55)
    t >> Disconnected(99, 0)
    t.never(Delivery)
    assert not t.layers[0].sessions
