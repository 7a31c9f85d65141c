"""Dialogues with both ends of the teleportation check."""

from __future__ import annotations

import pytest

from qstack.application.layer import ApplicationLayer
from qstack.application.pairs import Wish
from qstack.application.teleport import STATES, TeleportReceiver, TeleportSender
from qstack.conformance.transcript import Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.bell import Basis
from qstack.services.device import TURN, Bits, DrawBits, Free, Measure, Measured, Prepare, Prepared
from qstack.services.l4_transport import (
    DETERMINISTIC,
    TELEPORT,
    Closed,
    Credit,
    Lost,
    Open,
    Opened,
    Received,
    Release,
    Returned,
    Sent,
    Transmit,
)
from qstack.services.l5_application import Checked, Consumed, Finished, Start
from qstack.services.reasons import Reason
from qstack.wire.application import Claim, Finding

X_MINUS = 3


def sender() -> Transcript:
    """An end whose random bits choose the states 3, 3, 3, ... after one that chooses none."""
    application = TeleportSender(7, Wish(3, 0.8, 2), consumption=DETERMINISTIC, window=4)
    t = Transcript(ApplicationLayer([application]), node=1).from_(3)
    t >> Start(7)
    t.exactly(Open(7, 3, 0.8, 2, TELEPORT, DETERMINISTIC, 4))
    t >> Opened(7, 3, initiator=True) << DrawBits(2048, 7)
    t >> Bits(7, 300, int("011" * 99 + "111", 2))
    return t


def sent() -> Transcript:
    t = sender() >> Credit(7, 1) >> Prepared(50, 7)
    t.exactly(Transmit(7, 50))
    t >> Sent(7, 0, 50, 4, 2, 0.9, 11)
    t.exactly(Consumed(7, 0, 2, -1, 0.9, 11), Send(3, Claim(7, 0, Basis.X)))
    return t


def receiver() -> Transcript:
    t = Transcript(ApplicationLayer([TeleportReceiver(7, 1)]), node=3).from_(1)
    t >> Opened(7, 1, initiator=False)
    t.silent()
    return t


def test_a_qubit_is_prepared_when_it_can_leave_at_once():
    t = sender() >> Credit(7, 1)
    t << Prepare(TURN // 4, TURN // 2, 7)  # X-; the bits 111 choose no state
    t >> Credit(7, 1)
    t.silent()  # one is on its way already
    t >> Credit(7, 3)
    assert len(t.all(Prepare)) == 3


def test_the_basis_is_told_when_the_qubit_has_left_and_never_its_bit():
    sent()


@pytest.mark.parametrize(("bit", "passed"), [(1, 1), (0, 0)])
def test_answers_are_counted(bit, passed):
    t = sent() >> Finding(7, 0, bit)
    t.exactly(Checked(7, X_MINUS, passed))
    with pytest.raises(RemoteProtocolError, match="unasked"):
        t >> Finding(7, 0, bit)


def test_the_flow_ends_with_the_last_answer():
    t = sent() >> Closed(7, 0)
    t.silent()
    t >> Finding(7, 0, 1)
    t.exactly(Checked(7, X_MINUS, 1), Finished(7, 0))


def test_lost_qubits_and_failed_sessions_are_not_waited_for():
    t = sent() >> Closed(7, 0) >> Lost(7, 0, erasure=True)
    t.exactly(Finished(7, 0))
    t = sent() >> Closed(7, Reason.LOST_PEER)
    t.exactly(Finished(7, Reason.LOST_PEER))


def test_a_qubit_that_comes_back_is_freed():
    t = sender() >> Credit(7, 1) >> Prepared(50, 7) >> Returned(7, 50)
    t.exactly(Free(50))
    with pytest.raises(LocalProtocolError, match="not given away"):
        t >> Returned(7, 50)
    with pytest.raises(LocalProtocolError, match="nobody has asked"):
        t >> Prepared(51, 7)


def test_strangers_do_not_count():
    with pytest.raises(RemoteProtocolError, match="unasked"):
        sent().from_(4) >> Finding(7, 0, 1)
    with pytest.raises(RemoteProtocolError, match="cannot claim"):
        receiver().from_(4) >> Claim(7, 0, Basis.X)
    with pytest.raises(RemoteProtocolError, match="cannot claim"):
        receiver() >> Claim(7, 0, 4)


@pytest.mark.parametrize("claim_first", [True, False])
def test_the_receiver_measures_when_it_knows_qubit_and_basis(claim_first):
    t = receiver()
    news = Received(7, 0, 30, 0, 0.9)
    if claim_first:
        t >> Claim(7, 0, Basis.Y)
        t.silent()
        t >> news
        t.exactly(Consumed(7, 0, 0, 30, 0.9, -1), Measure(30, Basis.Y, 7))
    else:
        t >> news
        t.exactly(Consumed(7, 0, 0, 30, 0.9, -1))
        t >> Claim(7, 0, Basis.Y)
        t.exactly(Measure(30, Basis.Y, 7))
    t >> Measured(30, Basis.Y, 1, 7)
    t.exactly(Send(1, Finding(7, 0, 1)), Release(7))


@pytest.mark.parametrize("frame", range(4))
@pytest.mark.parametrize("basis", [Basis.Z, Basis.X, Basis.Y])
def test_a_frame_that_was_not_applied_flips_the_bit(frame, basis):
    x, z = frame >> 1, frame & 1
    flipped = {Basis.Z: x, Basis.X: z, Basis.Y: x ^ z}[basis]
    t = receiver() >> Received(7, 0, 30, frame, 0.9) >> Claim(7, 0, basis) >> Measured(30, basis, 0, 7)
    t << Send(1, Finding(7, 0, flipped))


def test_the_receiver_finishes_when_all_is_measured():
    t = receiver() >> Received(7, 0, 30, 0, 0.9) >> Closed(7, 0)
    t.silent()
    t >> Claim(7, 0, Basis.Z) >> Measured(30, Basis.Z, 0, 7)
    t.exactly(Send(1, Finding(7, 0, 0)), Release(7), Finished(7, 0))
    t = receiver() >> Received(7, 0, 30, 0, 0.9) >> Closed(7, Reason.LOST_PEER)
    t.exactly(Free(30), Finished(7, Reason.LOST_PEER))
    with pytest.raises(LocalProtocolError, match="not to be measured"):
        t >> Measured(30, Basis.Z, 0, 7)


def test_a_claim_on_a_lost_qubit_is_forgotten():
    t = receiver() >> Claim(7, 0, Basis.Z) >> Lost(7, 0, erasure=True) >> Closed(7, 0)
    t.exactly(Finished(7, 0))


def test_the_six_states_are_the_two_eigenstates_of_each_basis():
    assert [basis for basis, _, _ in STATES] == [Basis.Z] * 2 + [Basis.X] * 2 + [Basis.Y] * 2
    assert len({direction[1:] for direction in STATES}) == 6
