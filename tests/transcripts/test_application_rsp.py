"""Dialogues with both ends of remote state preparation."""

from __future__ import annotations

import pytest

from qstack.application.layer import ApplicationLayer
from qstack.application.pairs import Wish
from qstack.application.rsp import EQUATOR, Preparer, Target
from qstack.conformance.transcript import Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.device import TURN, Apply, Bits, Free, MeasureAlong, Measured
from qstack.services.l4_transport import DETERMINISTIC, STREAM, Closed, Delivery, Open, Opened
from qstack.services.l5_application import Checked, Consumed, Finished, Start
from qstack.services.reasons import Reason
from qstack.wire.application import Finding, Steer

PAIR = Delivery(7, 4, 0, 20, 0.9, 11)
CONSUMED = Consumed(7, 4, 0, 20, 0.9, 11)


def preparer() -> Transcript:
    """An end that prepares state 3 of 8."""
    t = Transcript(ApplicationLayer([Preparer(7, Wish(3, 0.8, 4), choice=3)]), node=1).from_(3)
    t >> Start(7)
    t.exactly(Open(7, 3, 0.8, 4, STREAM, DETERMINISTIC))
    t >> Opened(7, 3, initiator=True) >> Bits(7, 400, 3)
    return t


def target() -> Transcript:
    t = Transcript(ApplicationLayer([Target(7, Wish(1, 0.8, 4))]), node=3).from_(1)
    t >> Opened(7, 1, initiator=False)
    t.silent()
    return t


def told() -> Transcript:
    t = preparer() >> PAIR
    t.exactly(CONSUMED, MeasureAlong(20, EQUATOR, TURN - 3 * TURN // 8, 7))  # the mirror image
    t >> Measured(20, -1, 1, 7)
    t.exactly(Send(3, Steer(7, 4, 3 * TURN // 8, 1)))
    return t


def test_the_preparer_measures_the_mirror_image_and_tells_one_bit():
    told()


@pytest.mark.parametrize("bit", [0, 1])
def test_answers_are_counted(bit):
    t = told() >> Finding(7, 4, bit)
    t.exactly(Checked(7, 3, 1 - bit))
    with pytest.raises(RemoteProtocolError, match="unasked"):
        t >> Finding(7, 4, bit)


@pytest.mark.parametrize("bit", [0, 1])
@pytest.mark.parametrize("early", [True, False])
def test_the_target_turns_its_half_round_where_the_bit_says_so(bit, early):
    t = target()
    for noun in (Steer(7, 4, 100, bit), PAIR) if early else (PAIR, Steer(7, 4, 100, bit)):
        t >> noun
    turned = [Apply(20, 1)] if bit else []
    t.exactly(CONSUMED, *turned, MeasureAlong(20, EQUATOR, 100, 7))
    t >> Measured(20, -1, 0, 7)
    t.exactly(Send(1, Finding(7, 4, 0)))


def test_both_ends_finish_when_the_last_answer_is_here():
    t = told() >> Closed(7, 0)
    t.silent()
    t >> Finding(7, 4, 0)
    t.exactly(Checked(7, 3, 1), Finished(7, 0))
    t = target() >> PAIR >> Closed(7, 0)
    t.silent()
    t >> Steer(7, 4, 0, 0) >> Measured(20, -1, 0, 7)
    t.exactly(Send(1, Finding(7, 4, 0)), Finished(7, 0))


def test_a_failed_session_is_not_waited_for():
    t = told() >> Closed(7, Reason.LOST_PEER)
    t.exactly(Finished(7, Reason.LOST_PEER))
    t = target() >> PAIR >> Closed(7, Reason.LOST_PEER)
    t.exactly(Free(20), Finished(7, Reason.LOST_PEER))
    t >> Steer(7, 4, 0, 0)
    t.silent()


def test_strangers_do_not_count():
    with pytest.raises(RemoteProtocolError, match="unasked"):
        told().from_(4) >> Finding(7, 4, 0)
    with pytest.raises(RemoteProtocolError, match="cannot steer"):
        target().from_(4) >> Steer(7, 4, 0, 0)
    with pytest.raises(LocalProtocolError, match="not to be measured"):
        target() >> Measured(1, -1, 0, 7)
