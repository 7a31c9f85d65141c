"""Dialogues with the link layer about requests that end early: at their deadline, or withdrawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from link_dialogue import CREATE, RTT, add, herald, queue_of, served

from qstack.core.nouns import Cancel, Send, Set
from qstack.link.endings import SHORTEST, TRIES
from qstack.link.layer import Serve
from qstack.link.queue import UNANSWERED
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt
from qstack.services.l2_link import Accepted, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import Add, AddAck, AddRej, Drop, DropAck, LinkExpire, LinkExpireAck

# -- deadlines ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L2-004", "QS-L2-029")
def test_timeout_is_told_once_at_the_deadline(alice):  # QS-L2-004
    served(alice, replace(CREATE, max_time=5 * RTT))
    alice.wait(3 * RTT - 1).never(Err)
    alice.wait(1) << Err(2, 4, 1, Reason.TIMEOUT, remote=False)
    alice >> herald(1, 0) << Free(7)
    alice.wait(100 * RTT).never(Err, more_than=1)
    alice.never(Ok)


@pytest.mark.requirement("QS-L2-029")
def test_timeout_is_told_at_the_answerer_too(bob):  # QS-L2-004
    bob >> add(deadline=5 * RTT)
    bob.wait(5 * RTT) << Err(1, 4, 1, Reason.TIMEOUT, remote=True)
    assert bob.last(Attempt).aid == -1


@pytest.mark.requirement("QS-L2-029")
@pytest.mark.parametrize("lost", [False, True])
def test_timeout_comes_in_time_without_an_answer(alice, bob, lost):  # QS-L2-004
    for t, peer in ((alice, 2), (bob, 1)):
        t >> replace(CREATE, peer=peer, max_time=2 * RTT)
        t.wait(2 * RTT) << Err(peer, 4, 1, Reason.TIMEOUT, remote=False)
        if not lost:
            t >> AddAck(1, 1)
        t.wait(100 * RTT).never(Err, more_than=1)
        t.never(Attempt)
        assert not t.timers


@pytest.mark.requirement("QS-L2-029")
def test_a_request_in_the_backlog_can_be_too_late(alice):
    for _ in range(UNANSWERED):
        alice >> CREATE
    alice >> replace(CREATE, purpose=6, max_time=RTT)
    alice.wait(RTT) << Err(2, 6, UNANSWERED + 1, Reason.TIMEOUT, remote=False)


@pytest.mark.requirement("QS-L2-046")
def test_no_timer_is_left_when_nothing_is_asked(alice):
    served(alice, replace(CREATE, number=1, max_time=9 * RTT))
    alice >> herald(1, 0) << Cancel(Serve(2))
    assert not alice.timers


# -- withdrawal -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L2-035", "QS-L2-038")
def test_withdrawal_frees_what_arrives_later_and_tells_the_peer(alice):
    served(alice)
    alice >> Withdraw(2, 4) << Send(2, Drop(4, 2)) << Attempt(2, 0, -1, 0, keep=True, bases=())
    alice >> herald(1, 0) << Free(7) << Send(2, LinkExpire(1, 1, 1, 0, 1))  # the peer may have delivered it
    alice >> DropAck(4, 2) >> LinkExpireAck(1, 0, 0, 1)
    assert not alice.timers


@pytest.mark.requirement("QS-L2-037")
def test_a_drop_is_repeated_until_it_is_answered(alice):
    served(alice) >> Withdraw(2, 4)
    for _ in range(20):
        alice.wait(SHORTEST) << Send(2, Drop(4, 2))
        assert [timer.housekeeping for timer in alice.timers] == [len(alice.all(Drop)) > TRIES]
    alice >> DropAck(4, 2)
    assert not alice.timers


@pytest.mark.requirement("QS-L2-036")
def test_a_drop_is_obeyed_and_answered_every_time(bob):
    bob >> add()
    bob.wait(2 * RTT)
    bob >> Drop(4, 2) << Attempt(1, 0, -1, 0, keep=True, bases=()) << Send(1, DropAck(4, 2))
    bob >> Drop(4, 2) << Send(1, DropAck(4, 2))
    bob.never(Err)


@pytest.mark.requirement("QS-L2-054")
def test_a_late_repetition_of_a_drop_does_not_hit_a_later_request(bob):
    bob >> add() >> Drop(4, 2) << Send(1, DropAck(4, 2))
    bob >> add(cseq=3, aid=2) << Send(1, AddAck(3, 2))
    bob >> Drop(4, 2) << Send(1, DropAck(4, 2))
    bob.wait(2 * RTT) << Attempt(1, 0, 2, 0, keep=True, bases=())


@pytest.mark.requirement("QS-L2-055")
def test_a_drop_of_my_own_request_is_told_to_its_user(alice):
    served(alice)
    alice >> Drop(4, 9) << Err(2, 4, 1, Reason.TORN_DOWN, remote=False) << Send(2, DropAck(4, 9))
    assert alice.last(Attempt).aid == -1


@pytest.mark.requirement("QS-L2-035")
def test_withdrawal_of_an_unanswered_request_is_no_zombie(alice, bob):
    alice >> CREATE >> Withdraw(2, 4) << Send(2, Drop(4, 2))
    alice >> AddAck(1, 1) >> DropAck(4, 2)  # the answer to the add was on its way
    alice.wait(100 * RTT).never(Attempt)
    alice.never(Err)
    assert len(alice.all(Add)) == 1
    bob >> replace(CREATE, peer=1) >> Withdraw(1, 4) << Send(1, Drop(4, 2))
    bob >> AddAck(1, 1) >> DropAck(4, 2)
    bob.wait(100 * RTT).never(Attempt)


@pytest.mark.requirement("QS-L2-202")
@pytest.mark.parametrize("number", [2, 65, 128])
def test_an_add_that_its_drop_has_overtaken_is_refused(bob, number):
    bob >> Drop(4, number) << Send(1, DropAck(4, number))
    bob >> add() << Send(1, AddRej(1, Reason.NOTIME))
    bob.wait(100 * RTT).never(Attempt)
    bob >> add(cseq=number + 1, aid=2, start=102 * RTT) << Send(1, AddAck(number + 1, 2))


def test_a_drop_of_another_purpose_or_of_the_last_turn_overtakes_nothing(bob):
    bob >> Drop(5, 2) << Send(1, DropAck(5, 2))
    bob >> add() << Send(1, AddAck(1, 1))
    bob >> Drop(4, 3) << Send(1, DropAck(4, 3))
    bob >> add(cseq=131, aid=2, purpose=6) << Send(1, AddAck(131, 2))  # the number of the drop is half a turn old
    bob >> add(cseq=251, aid=3) << Send(1, AddAck(251, 3))


@pytest.mark.requirement("QS-L2-202")
def test_an_add_that_comes_after_it_was_disowned_is_refused(bob):
    bob >> LinkExpire(1, 1, 1, 1, 1) << Send(1, LinkExpireAck(1, 0, 1, 1))
    bob >> add() << Send(1, AddRej(1, Reason.NOTIME))
    bob.wait(100 * RTT).never(Attempt)
    bob >> add(cseq=2, start=102 * RTT) << Send(1, AddAck(2, 1))  # a later request may have the same number again


def test_withdrawal_of_what_nobody_asked_for_is_silent(alice):
    alice >> Withdraw(2, 4)
    alice.silent()


@pytest.mark.requirement("QS-L2-044")
def test_a_purpose_on_its_way_out_cannot_be_asked_for(alice):
    served(alice) >> Withdraw(2, 4)
    alice >> CREATE << Err(2, 4, -1, Reason.REJECTED, remote=False)
    alice >> DropAck(4, 2) >> CREATE << Accepted(2, 4, 2)


def test_withdrawal_takes_the_backlog_along(alice):
    for _ in range(UNANSWERED + 1):
        alice >> CREATE
    alice >> Withdraw(2, 4)
    for message in alice.all(Add):
        alice >> AddAck(message.cseq, message.aid)
    alice.never(Add, more_than=UNANSWERED)


@pytest.mark.requirement("QS-L2-045")
def test_other_purposes_go_on(alice):
    queue_of(alice, (4, 0), (6, 0))
    alice >> Withdraw(2, 4)
    assert {a.lane: a.aid for a in alice.all(Attempt)} == {0: 2, 1: 2}


def test_timers_are_set_once_for_the_earliest_change(alice):
    served(alice, replace(CREATE, max_time=50 * RTT))
    assert alice.last(Set) == Set(Serve(2), 50 * RTT)
