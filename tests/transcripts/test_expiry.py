"""Dialogues about pairs that only one end was told of, and about requests that only one end holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from link_dialogue import RTT, Better

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Send
from qstack.link.distil import REMINDERS, Distiller
from qstack.link.endings import SHORTEST
from qstack.link.layer import BIT_PATIENCE, LinkLayer
from qstack.link.queue import SEQUENCES, Link
from qstack.services.device import Distil, Distilled, Free
from qstack.services.l1_physical import Attempt, Heralded, Skipped
from qstack.services.l2_link import Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.services.strategies import Row
from qstack.wire.link import UNASSIGNED, Add, AddAck, DistilBit, Drop, DropAck, LinkExpire, LinkExpireAck

ROWS = (Row(0.1, 2e-3, 0.9),)
LOST = LinkExpire(UNASSIGNED, 0, 1, 3, 5)
ADD = Add(1, 1, 4, 1, 3, 0.8, 0, keep=True, bases=(), start=0, deadline=0, consecutive=True)


def node(number: int, peer: int, *, lanes: int = 4, distil: bool = False) -> Transcript:
    link = Link(peer, lanes, RTT, ROWS, master=number < peer, cycle=100)
    return Transcript(LinkLayer({peer: link}, distiller=Distiller(Better()) if distil else None), node=number).from_(
        peer
    )


def alice(number: int = 100, **options) -> Transcript:
    """The master with a request that is served; she asked for it."""
    t = node(1, 2, **options)
    t >> Create(2, 4, number, 0.8) >> AddAck(1, 1)
    return t.wait(2 * RTT)


def bob(number: int = 100, **options) -> Transcript:
    """The slave with the same request."""
    t = node(2, 1, **options)
    t >> replace(ADD, number=number)
    return t.wait(2 * RTT)


def herald(sequence: int, peer: int = 2, lane: int | None = None) -> Heralded:
    return Heralded(peer, sequence % 4 if lane is None else lane, 1, sequence % SEQUENCES, 0, 10 + sequence, 5, -1, -1)


def expired(low: int, high: int, *, peer: int = 2, remote: bool = False) -> Err:
    return Err(peer, 4, 1, Reason.EXPIRE, remote, low, high)


# -- an end that was not told ---------------------------------------------------------------------------------------


def test_what_was_skipped_is_expired_at_both_ends():  # QS-L2-013
    t = alice()
    for n in range(3):
        t >> herald(n)
    t >> Skipped(2, 3, 5) << Send(2, LOST) << expired(3, 5)
    t >> herald(5) << Ok(2, 4, 1, 5, 0, 0.9, 5, 15, remote=False, basis=-1, outcome=-1)
    t >> LinkExpireAck(UNASSIGNED, 6, 3, 5)
    assert all(timer.housekeeping for timer in t.timers)


def test_an_expiry_is_repeated_until_it_is_heard():  # QS-L2-015
    t = alice()
    t >> Skipped(2, 3, 5)
    for _ in range(20):
        t.wait(SHORTEST) << Send(2, LOST)
    t >> LinkExpireAck(UNASSIGNED, 6, 3, 6)  # of another one
    t.wait(SHORTEST) << Send(2, LOST)
    t >> LinkExpireAck(UNASSIGNED, 6, 3, 5)
    t.wait(10 * SHORTEST).never(LinkExpire, more_than=22)


def test_the_end_that_was_told_takes_it_back_and_asks_for_more():  # QS-L2-002, QS-L2-005, QS-L2-015
    t = bob(number=6)
    for n in range(6):
        t >> herald(n, peer=1)
    assert t.last(Attempt).aid == -1
    t >> replace(LOST, origin=1) << expired(3, 4, peer=1, remote=True) << expired(4, 5, peer=1, remote=True)
    t << Attempt(1, 0, 1, 0, keep=True, bases=()) << Send(1, LinkExpireAck(UNASSIGNED, 6, 3, 5))
    t >> replace(LOST, origin=1)
    t.exactly(Send(1, LinkExpireAck(UNASSIGNED, 6, 3, 5)))  # the same answer, and no other effect
    t >> herald(6, peer=1) >> herald(7, peer=1)
    assert [ok.sequence for ok in t.all(Ok)] == [*range(8)]
    assert t.last(Attempt).aid == -1
    t >> herald(8, peer=1) << Free(18)


def test_an_expiry_that_overtakes_the_herald_is_remembered():  # QS-L2-002
    t = bob()
    for n in range(3):
        t >> herald(n, peer=1)
    t >> LOST << Send(1, LinkExpireAck(UNASSIGNED, 3, 3, 5))
    t.never(Err)
    t >> herald(3, peer=1) << Free(13)
    t >> herald(4, peer=1) << Free(14)
    t >> herald(5, peer=1) << Ok(1, 4, 1, 5, 0, 0.9, 5, 15, remote=True, basis=-1, outcome=-1)


def test_after_an_expiry_both_ends_agree_on_the_turns_of_all_lanes():  # QS-L2-014
    a, b = alice(), bob()
    for n in range(9):
        b >> herald(n, peer=1)
        if n not in {3, 4}:
            a >> Skipped(2, 3, 5) if n == 5 else a
            a >> herald(n)
    b >> LOST
    assert a.layers[0].links[2].turns == b.layers[0].links[1].turns == [8, 5, 6, 7]


@pytest.mark.requirement("QS-L2-201")
@pytest.mark.parametrize("missed", range(4))
def test_a_lane_without_a_success_counts_as_older_than_every_lost_one(missed):
    """One end sees the first success of the last lane, the other does not; both must choose alike afterwards."""
    a, b = alice(), bob()
    a >> Create(2, 5, 100, 0.8) >> AddAck(2, 2)
    b >> replace(ADD, cseq=2, aid=2, purpose=5, create_id=2, number=100)
    a.wait(2 * RTT)
    b.wait(2 * RTT)
    for n in range(missed + 2):
        b >> herald(n, peer=1, lane=3 if n == missed else n % 3)
        if n != missed:
            a >> Skipped(2, missed, missed + 1) if n > missed else a
            a >> herald(n, lane=n % 3)
    b >> LinkExpire(UNASSIGNED, 0, 1, missed, missed + 1)
    mine, theirs = a.layers[0].links[2], b.layers[0].links[1]
    assert mine.standing == theirs.standing
    assert mine.turns[3] == theirs.turns[3] == missed


def test_an_expiry_of_the_last_turn_of_the_numbers_is_no_repetition():
    t = bob(number=60_000)
    t >> LOST
    link = t.layers[0].links[1]
    link.newest = 40_000
    t >> LOST << Send(1, LinkExpireAck(UNASSIGNED, 40_001, 3, 5))


# -- requests that one end has given up -----------------------------------------------------------------------------


def test_a_pair_of_a_request_that_timed_out_here_is_expired_there():  # QS-L2-002
    t = node(2, 1)
    t >> replace(ADD, deadline=9 * RTT)
    t.wait(9 * RTT) << Err(1, 4, 1, Reason.TIMEOUT, remote=True)
    t >> herald(0, peer=1) << Free(10) << Send(1, LinkExpire(1, 1, 1, 0, 1))


def test_a_pair_too_many_is_freed_at_both_ends_and_nobody_is_told():
    t = bob(number=1)
    t >> herald(0, peer=1) >> herald(1, peer=1)
    t.exactly(Free(11))


def test_an_orphan_is_given_up():  # QS-L2-010
    t = bob()
    t >> LinkExpire(1, 1, 1, 1, 1) << Err(1, 4, 1, Reason.NOTIME, remote=True) << Send(1, LinkExpireAck(1, 0, 1, 1))
    assert t.last(Attempt).aid == -1
    t >> LinkExpire(1, 1, 1, 1, 1)
    t.exactly(Send(1, LinkExpireAck(1, 0, 1, 1)))


def test_an_add_that_comes_much_too_late_is_refused():  # QS-L2-011
    t = node(2, 1)
    t.at(10 * RTT) >> ADD
    assert t.layers[0].links[1].items == {}


# -- numbers that come again ----------------------------------------------------------------------------------------


def test_a_number_is_not_given_to_a_second_pair_while_the_first_may_be_alive():  # QS-L2-003
    t = alice(number=65_535)
    link = t.layers[0].links[2]
    t >> herald(0, lane=3)
    for n in (1, 2, 3):
        t >> herald(n, lane=n - 1)
    link.newest = SEQUENCES - 1
    t >> herald(SEQUENCES, lane=0) << Free(10 + SEQUENCES)  # pair 0 of lane 3 may still be alive
    t >> herald(SEQUENCES + 1, lane=0) << Ok(2, 4, ANY, 1, 0, 0.9, 5, ANY, remote=False, basis=-1, outcome=-1)


# -- distillation ---------------------------------------------------------------------------------------------------


def test_after_a_loss_both_ends_pair_up_anew_from_the_same_pair():
    a, b = alice(distil=True), bob(distil=True)
    for n in range(5):  # 0 and 1 are a round; bob has 2 and 3, alice was not told of 3
        b >> herald(n, peer=1)
        if n != 3:
            a >> herald(n) if n < 3 else a >> Skipped(2, 3, 4) >> herald(n)
    assert [(d.keep, d.spare) for d in b.all(Distil)] == [(11, 10), (13, 12)]
    assert [(d.keep, d.spare) for d in a.all(Distil)] == [(11, 10)]
    b >> Distilled(13, 12, 0)
    b >> LinkExpire(UNASSIGNED, 0, 1, 3, 4) << (Free(14), Free(13)) << Send(1, LinkExpireAck(UNASSIGNED, 5, 3, 4))
    a >> LinkExpireAck(UNASSIGNED, 5, 3, 4) << (Free(12), Free(14))
    for n in (5, 6):
        a >> herald(n)
        b >> herald(n, peer=1)
    assert a.last(Distil).keep == b.last(Distil).keep == 16
    a >> Distilled(11, 10, 1) >> DistilBit(1, 0, 1) << Ok(2, 4, 1, 1, 0, ANY, 5, 11, remote=False, basis=-1, outcome=-1)


def test_a_lost_bit_is_asked_for_until_it_comes():
    a, b = alice(distil=True), bob(distil=True)
    for n in (0, 1):
        a >> herald(n)
        b >> herald(n, peer=1)
    a >> Distilled(11, 10, 1)  # its bit is lost
    b >> Distilled(11, 10, 1) << Send(1, DistilBit(1, 0, 1))
    a >> DistilBit(1, 0, 1) << Ok(2, 4, 1, 1, 0, ANY, 5, 11, remote=False, basis=-1, outcome=-1)
    b.wait(2 * max(BIT_PATIENCE * RTT, SHORTEST)) << Send(1, DistilBit(1, 0, 1))
    a >> DistilBit(1, 0, 1)
    a.exactly(Send(2, DistilBit(1, 0, 1, seen=True)))
    b >> DistilBit(1, 0, 1, seen=True) << Ok(1, 4, 1, 1, 0, ANY, 5, 11, remote=True, basis=-1, outcome=-1)
    b >> DistilBit(1, 0, 1, seen=True)
    b.silent()


def test_a_round_that_the_neighbour_does_not_know_is_given_up():
    t = alice(distil=True)
    t >> herald(0) >> herald(1) >> Distilled(11, 10, 1)
    t.wait((REMINDERS + 2) * max(BIT_PATIENCE * RTT, SHORTEST))
    assert t.last(Free).qubit == 11
    assert t.last(LinkExpire) == LinkExpire(1, 1, 1, 1, 2)
    t.never(DistilBit, more_than=REMINDERS + 2)


def test_verdicts_are_passed_in_the_order_of_their_rounds():  # QS-L2-005
    t = alice(number=1, distil=True)
    for n in range(4):
        t >> herald(n)
    t >> Distilled(11, 10, 1) >> Distilled(13, 12, 1)
    t >> DistilBit(3, 2, 1)  # the bit of the first round is late
    t.never(Ok)
    t >> DistilBit(1, 0, 1)
    assert [ok.sequence for ok in t.all(Ok)] == [1]
    assert t.last(Free).qubit == 13


def test_a_distilled_pair_that_only_the_neighbour_delivered_is_taken_back():
    a = node(1, 2, distil=True)
    a >> Create(2, 4, 5, 0.9, max_time=50 * RTT) >> AddAck(1, 1)
    a.wait(2 * RTT)
    a >> herald(0) >> herald(1) >> Distilled(11, 10, 1)
    a.wait(48 * RTT) << Send(2, LinkExpire(1, 1, 1, 1, 2)) << Free(11) << Err(2, 4, 1, Reason.TIMEOUT, remote=False)
    b = bob(distil=True)
    b >> herald(0, peer=1) >> herald(1, peer=1) >> Distilled(11, 10, 1) >> DistilBit(1, 0, 1)
    b.never(Err)
    b >> LinkExpire(1, 1, 1, 1, 2) << expired(1, 2, peer=1, remote=True)


def test_drops_and_expiries_are_repeated_by_one_timer_until_both_are_answered():
    t = alice()
    t >> Withdraw(2, 4) >> Skipped(2, 0, 1)
    t.wait(SHORTEST) << Send(2, Drop(4, 2)) << Send(2, LinkExpire(UNASSIGNED, 0, 1, 0, 1))
    t >> LinkExpireAck(UNASSIGNED, 1, 0, 1) >> DropAck(4, 3)  # the latter is of another one
    t.wait(SHORTEST) << Send(2, Drop(4, 2))
    t >> DropAck(4, 2)
    assert not t.timers


@pytest.mark.parametrize("low", [0, 30_000, 65_530])
def test_ranges_of_numbers_may_wrap(low):
    t = bob(number=1000)
    link = t.layers[0].links[1]
    link.newest = (low - 1) % SEQUENCES
    for n in range(8):
        t >> Heralded(1, n % 4, 1, (low + n) % SEQUENCES, 0, 10 + n, 5, -1, -1)
    t >> LinkExpire(UNASSIGNED, 0, 1, (low + 5) % SEQUENCES, (low + 9) % SEQUENCES)
    taken = [err.low for err in t.all(Err)]
    assert taken == [(low + n) % SEQUENCES for n in (5, 6, 7)]
    assert set(link.special) == {(low + 8) % SEQUENCES}
