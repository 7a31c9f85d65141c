"""Dialogues with both ends of a CHSH game."""

from __future__ import annotations

import pytest

from qstack.application.chsh import Chsh
from qstack.application.layer import ApplicationLayer
from qstack.application.pairs import Wish
from qstack.application.rounds import BLOCK
from qstack.conformance.transcript import Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.device import TURN, Bits, MeasureAlong, Measured
from qstack.services.l4_transport import DETERMINISTIC, STREAM, Closed, Delivery, Open, Opened
from qstack.services.l5_application import Checked, Consumed, Finished, Start
from qstack.services.reasons import Reason
from qstack.wire.application import Played


def game(*, initiator: bool, bits: int = 0b1010) -> Transcript:
    """An end whose settings are given, lowest bit first."""
    peer = 3 if initiator else 1
    t = Transcript(ApplicationLayer([Chsh(7, Wish(peer, 0.8, 4), initiator=initiator)]), node=4 - peer).from_(peer)
    t >> Opened(7, peer, initiator) >> Bits(7, 400, bits)
    return t


def play(t: Transcript, pair: int, bit: int) -> None:
    t >> Delivery(7, pair, 0, 20 + pair, 0.9, 11)
    t >> Measured(20 + pair, -1, bit, 7)


def test_pairs_are_asked_for_corrected():
    t = Transcript(ApplicationLayer([Chsh(7, Wish(3, 0.8, 4), initiator=True)]), node=1)
    t >> Start(7)
    t.exactly(Open(7, 3, 0.8, 4, STREAM, DETERMINISTIC))


@pytest.mark.parametrize(
    ("initiator", "directions"),
    [(True, ((0, 0), (TURN // 4, 0))), (False, ((TURN // 8, 0), (TURN // 8, TURN // 2)))],
)
def test_each_end_measures_along_two_directions_of_its_own(initiator, directions):
    t = game(initiator=initiator)
    for pair, (polar, azimuth) in enumerate(directions):
        t >> Delivery(7, pair, 0, 20 + pair, 0.9, 11)
        t.exactly(Consumed(7, pair, 0, 20 + pair, 0.9, 11), MeasureAlong(20 + pair, polar, azimuth, 7))


def test_rounds_are_counted_when_both_ends_have_measured():
    t = game(initiator=True)
    play(t, 0, 1)
    t >> Played(7, False, (0, 1), (1, 0), (1, 1))  # noqa: FBT003 - as on the wire
    t.exactly(Checked(7, 1, 1))
    t >> Delivery(7, 1, 0, 21, 0.9, 11) >> Measured(21, -1, 0, 7)
    t.exactly(Checked(7, 2, 0))


def test_the_end_that_did_not_ask_tells_in_blocks_and_ends_with_the_last():
    t = game(initiator=False)
    for pair in range(BLOCK):
        t.never(Played)
        play(t, pair, pair % 2)
    assert t.last(Played).pairs == tuple(range(BLOCK))
    assert not t.last(Played).last
    t >> Delivery(7, BLOCK, 0, 20 + BLOCK, 0.9, 11) >> Closed(7, 0)
    t.silent()
    t >> Measured(20 + BLOCK, -1, 1, 7)
    t.exactly(Send(1, Played(7, True, (BLOCK,), (0,), (1,))), Finished(7, 0))  # noqa: FBT003 - as on the wire


def test_the_end_that_counts_waits_for_the_last_block():
    t = game(initiator=True)
    play(t, 0, 1)
    t >> Closed(7, 0)
    t.silent()
    t >> Played(7, True, (0,), (0,), (0,))  # noqa: FBT003 - as on the wire
    t.exactly(Checked(7, 0, 0), Finished(7, 0))


def test_a_failed_session_is_not_waited_for():
    t = game(initiator=True) >> Closed(7, Reason.LOST_PEER)
    t.exactly(Finished(7, Reason.LOST_PEER))
    t = Transcript(ApplicationLayer([Chsh(7, Wish(3, 0.8, 4), initiator=False)]), node=1) >> Closed(7, Reason.NO_ROUTE)
    t.exactly(Finished(7, Reason.NO_ROUTE))


@pytest.mark.parametrize(
    ("pairs", "settings", "bits"), [((0,), (), (1,)), ((0, 0), (1, 1), (1, 1)), ((5,), (0,), (0,))]
)
def test_rounds_that_cannot_be_are_refused(pairs, settings, bits):
    t = game(initiator=True) >> Played(7, False, (5,), (0,), (0,))  # noqa: FBT003 - as on the wire
    with pytest.raises(RemoteProtocolError, match="incomplete, or told twice"):
        t >> Played(7, False, pairs, settings, bits)  # noqa: FBT003 - as on the wire


def test_strangers_do_not_count():
    played = Played(7, False, (5,), (0,), (0,))  # noqa: FBT003 - as on the wire
    with pytest.raises(RemoteProtocolError, match="no say"):
        game(initiator=True).from_(4) >> played
    with pytest.raises(RemoteProtocolError, match="no say"):
        game(initiator=False) >> played
    with pytest.raises(LocalProtocolError, match="not to be measured"):
        game(initiator=True) >> Measured(1, -1, 0, 7)
