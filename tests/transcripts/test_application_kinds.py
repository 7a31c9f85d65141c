"""Dialogues of applications with sessions of other kinds: early halves, measured halves, refusals, test rounds."""

from __future__ import annotations

import pytest

from qstack.application.bbm92 import Bbm92
from qstack.application.chsh import Chsh
from qstack.application.correlate import Correlate
from qstack.application.layer import Application, ApplicationLayer
from qstack.application.pairs import Pairs, Wish
from qstack.application.rounds import BLOCK
from qstack.application.rsp import Preparer, Target
from qstack.application.teleport import TeleportReceiver
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.errors import LocalProtocolError
from qstack.core.nouns import Send
from qstack.services.bell import Basis
from qstack.services.device import TURN, Bits, DrawBits, Free, Measure, MeasureAlong, Measured
from qstack.services.l4_transport import (
    DETERMINISTIC,
    MEASURE,
    PREPARE,
    REACTIVE,
    STREAM,
    TOLERANT,
    Closed,
    Delivery,
    EarlyDelivery,
    Expired,
    FidelityReported,
    Open,
    Opened,
    Outcome,
    PeerReported,
    Refused,
    Release,
)
from qstack.services.l5_application import Assessed, Checked, Consumed, Finished, Start
from qstack.services.reasons import Reason
from qstack.wire.application import Finding, Have, Played, Steer

WISH = Wish(3, 0.8, 4)


def talk(application: Application, node: int = 1) -> Transcript:
    return Transcript(ApplicationLayer([application]), node=node).from_(4 - node)


# -- early halves ---------------------------------------------------------------------------------------------------------


def test_pairs_keep_early_halves_until_they_are_known():
    t = talk(Pairs(7, WISH, consumption=TOLERANT, window=2)) >> Start(7)
    t.exactly(Open(7, 3, 0.8, 4, STREAM, TOLERANT, 2))
    t >> EarlyDelivery(7, 20) >> EarlyDelivery(7, 21)
    t.silent()
    t >> Delivery(7, 0, 2, 21, 0.9, 11)
    t.exactly(Consumed(7, 0, 2, 21, 0.9, 11), Free(21), Release(7))
    t >> Expired(7, -1, 20, Reason.EXPIRE)
    t.exactly(Free(20), Release(7))
    t >> Expired(7, 0, 21, Reason.EXPIRE)  # let go of already
    t.silent()


def key_end(*, initiator: bool) -> Transcript:
    peer = 3 if initiator else 1
    t = talk(Bbm92(7, Wish(peer, 0.8, 4), initiator=initiator, early=True), 4 - peer)
    t >> Opened(7, peer, initiator)
    return t >> Bits(7, 2048, 0b10)


def application(t: Transcript) -> Bbm92:
    return t.layers[0].applications[0]


def test_a_key_of_early_halves_is_asked_for():
    t = key_end(initiator=True) >> Start(7)
    t.exactly(Open(7, 3, 0.8, 4, STREAM, TOLERANT))


def test_an_early_half_is_measured_at_once_and_turned_when_it_is_known():
    t = key_end(initiator=False) >> EarlyDelivery(7, 20)
    t.exactly(Measure(20, Basis.Z, 7))
    t >> Measured(20, Basis.Z, 1, 7)
    t.silent()
    t >> Delivery(7, 5, 2, 20, 0.9, -1)
    t.exactly(Consumed(7, 5, 2, -1, 0.9, -1))
    assert (application(t).results[5].basis, application(t).results[5].bit) == (Basis.Z, 0)
    t >> EarlyDelivery(7, 21) << Measure(21, Basis.X, 7)
    t >> Delivery(7, 6, 1, 21, 0.9, -1) << Consumed(7, 6, 1, -1, 0.9, -1)  # the bit is still to come
    t >> Measured(21, Basis.X, 0, 7)
    assert application(t).results[6].bit == 1


@pytest.mark.requirement("QS-L5-320")
@pytest.mark.parametrize("measured_first", [True, False])
def test_the_bit_of_a_half_of_nothing_is_dropped(measured_first):
    t = key_end(initiator=False) >> EarlyDelivery(7, 20)
    steps = [Measured(20, Basis.Z, 1, 7), Expired(7, -1, 20, Reason.EXPIRE)]
    for step in steps if measured_first else steps[::-1]:
        t >> step
    app = application(t)
    assert [*app.results, *app.fresh, *app.early, *app.late, *app.measuring] == []
    with pytest.raises(LocalProtocolError, match="was not to be measured"):
        t >> Measured(20, Basis.Z, 1, 7)


def test_the_last_block_waits_for_bits_that_will_be_dropped():
    t = key_end(initiator=False) >> EarlyDelivery(7, 20) >> Expired(7, -1, 20, Reason.TORN_DOWN) >> Closed(7, 0)
    t >> Measured(20, Basis.Z, 1, 7)
    assert t.last(Have).last
    assert t.last(Have).pairs == ()


def test_early_halves_wait_for_entropy():
    t = talk(Bbm92(7, WISH, initiator=True, early=True)) >> EarlyDelivery(7, 20)
    t.exactly(DrawBits(ANY, 7))
    t >> Delivery(7, 5, 2, 20, 0.9, 3) << Consumed(7, 5, 2, -1, 0.9, 3)
    t >> Bits(7, 2048, 0) << Measure(20, Basis.Z, 7)
    t >> Measured(20, Basis.Z, 1, 7)
    assert application(t).results[5].bit == 1


# -- measured halves --------------------------------------------------------------------------------------------------------


def correlating(*, initiator: bool, basis: Basis = Basis.Z, window: int = 0) -> Transcript:
    peer = 3 if initiator else 1
    t = talk(Correlate(7, Wish(peer, 0.8, 4), initiator=initiator, basis=basis, window=window), 4 - peer)
    t >> Opened(7, peer, initiator)
    t.silent()
    return t


def test_measured_pairs_are_asked_for():
    t = correlating(initiator=True, basis=Basis.Y, window=3) >> Start(7)
    t.exactly(Open(7, 3, 0.8, 4, STREAM, REACTIVE, 3, kind=MEASURE, basis=Basis.Y))


@pytest.mark.parametrize("basis", Basis)
@pytest.mark.parametrize("bell", range(4))
def test_bits_of_every_bell_state_are_compared(basis, bell):
    signs = {Basis.Z: (1, 1, -1, -1), Basis.X: (1, -1, 1, -1), Basis.Y: (-1, 1, 1, -1)}
    here, there = correlating(initiator=True, basis=basis), correlating(initiator=False, basis=basis)
    here >> Outcome(7, 5, bell, basis, 1, 0.9, 11)
    here.exactly(Consumed(7, 5, bell, -1, 0.9, 11))
    there >> Outcome(7, 5, bell, basis, 1 if signs[basis][bell] > 0 else 0, 0.9, -1) >> Closed(7, 0)
    played = there.last(Played)
    assert played.last
    here >> played << Checked(7, basis, 1)
    here >> Closed(7, 0) << Finished(7, 0)
    there << Finished(7, 0)


def test_bits_are_told_in_blocks_and_make_room():
    t = correlating(initiator=False, window=3)
    for number in range(BLOCK):
        t >> Outcome(7, number, 0, Basis.Z, 0, 0.9, -1) << Release(7)
    assert len(t.last(Played).pairs) == BLOCK


def preparing(basis: Basis) -> Transcript:
    t = talk(Preparer(7, WISH, choice=2, basis=basis)) >> Start(7)
    t.exactly(Open(7, 3, 0.8, 4, STREAM, DETERMINISTIC, kind=PREPARE, basis=basis))
    t >> Opened(7, 3, initiator=True)
    t.silent()
    return t


@pytest.mark.parametrize(
    ("basis", "bit", "azimuth"), [(1, 0, 0), (1, 1, TURN // 2), (2, 0, 3 * TURN // 4), (2, 1, TURN // 4)]
)
def test_the_bit_of_a_measured_half_says_which_state_the_other_is_in(basis, bit, azimuth):
    t = preparing(Basis(basis)) >> Outcome(7, 4, 0, basis, bit, 0.9, 11)
    t.exactly(Consumed(7, 4, 0, -1, 0.9, 11), Send(3, Steer(7, 4, azimuth, 0)))
    t >> Finding(7, 4, 0)
    t.exactly(Checked(7, bit, 1))


def test_a_bit_in_z_prepares_nothing_on_the_equator():
    with pytest.raises(LocalProtocolError, match="prepares no state"):
        preparing(Basis.X) >> Outcome(7, 4, 0, Basis.Z, 0, 0.9, 11)


def test_nobody_waits_for_answers_about_pairs_that_are_gone():
    t = preparing(Basis.X) >> Outcome(7, 4, 0, 1, 0, 0.9, 11) >> Expired(7, 4, -1, Reason.EXPIRE) >> Closed(7, 0)
    t << Finished(7, 0)
    t >> Finding(7, 4, 1)  # it had arrived after all
    t.silent()
    t = talk(Target(7, Wish(1, 0.8, 4)), 3) >> Opened(7, 1, initiator=False) >> Delivery(7, 4, 0, 20, 0.9, -1)
    t >> Expired(7, 4, 20, Reason.EXPIRE)
    t.exactly(Free(20))
    t >> Closed(7, 0) << Finished(7, 0)
    t.never(MeasureAlong)


# -- the layer ----------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L5-321")
def test_a_refused_session_ends_the_flow_at_the_end_that_was_asked():
    ends = [
        Pairs(7, WISH),
        Bbm92(7, WISH, initiator=False),
        Correlate(7, WISH, initiator=False, basis=Basis.Z),
        Target(7, WISH),
        TeleportReceiver(7, 3),
    ]
    for application in ends:
        t = talk(application) >> Refused(7, 3, Reason.NO_ROUTE)
        t.exactly(Finished(7, Reason.NO_ROUTE))
        t = talk(application) >> Refused(7, 4, Reason.NO_ROUTE) >> Refused(8, 3, Reason.NO_ROUTE)
        t.silent()


def test_what_an_application_does_not_read_holds_no_memory():
    t = talk(TeleportReceiver(7, 3)) >> EarlyDelivery(7, 20)
    t.exactly(Free(20))
    for unread in (Outcome(7, 0, 0, 0, 1, 0.9, -1), Expired(7, 0, 20, Reason.EXPIRE), PeerReported(7, 0.9, 4)):
        t >> unread
        t.silent()


def test_test_rounds_are_told_to_the_user_and_to_an_application_that_reads_them():
    class Reader(Pairs):
        def handlers(self):
            return {**super().handlers(), FidelityReported: lambda ind, ctx: (Finished(7, 0),)}

    told = FidelityReported(7, 0.9, 0.8, 0.95, 4)
    t = talk(Pairs(7, WISH)) >> told
    t.exactly(Assessed(7, 0.9, 0.8, 0.95, 4))
    t = talk(Reader(7, WISH)) >> told
    t.exactly(Assessed(7, 0.9, 0.8, 0.95, 4), Finished(7, 0))


@pytest.mark.parametrize("name", ["teleport", "chsh", "correlate", "rsp"])
def test_a_flow_that_failed_can_be_started_again(name):
    """What was said of the first session does not end the second one."""
    made = {
        "teleport": lambda: TeleportReceiver(7, 3),
        "chsh": lambda: Chsh(7, WISH, initiator=False),
        "correlate": lambda: Correlate(7, WISH, initiator=False, basis=Basis.Z),
        "rsp": lambda: Target(7, WISH),
    }
    t = talk(made[name]()) >> Opened(7, 3, initiator=False) >> Closed(7, Reason.LOST_PEER)
    t >> Opened(7, 3, initiator=False)
    assert t.layers[0].applications[0].closed is None
    before = len(t.all(Finished))
    t >> Closed(7, 0)
    assert len(t.all(Finished)) == before + 1
    assert t.last(Finished) == Finished(7, 0)
