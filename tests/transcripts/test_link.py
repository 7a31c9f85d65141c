"""Dialogues with the link layer."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Cancel, Send, Set
from qstack.link.endings import SHORTEST, TRIES
from qstack.link.layer import LinkLayer, Serve
from qstack.link.queue import QUEUE, UNANSWERED, WINDOW, Link
from qstack.link.schedulers import first_come, strict_priority
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.services.strategies import Row
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Drop, DropAck, LinkExpire, LinkExpireAck

RTT = 1000
ROWS = (Row(0.1, 2e-3, 0.9), Row(0.3, 1e-3, 0.7))
CREATE = Create(peer=2, purpose=4, number=3, min_fidelity=0.8)


def link(node: int, peer: int, lanes: int = 2, **options) -> Transcript:
    layer = LinkLayer({peer: Link(peer, lanes, RTT, ROWS, master=node < peer, cycle=100)}, **options)
    return Transcript(layer, node=node).from_(peer)


@pytest.fixture
def alice() -> Transcript:
    """The master of a queue."""
    return link(1, 2)


@pytest.fixture
def bob() -> Transcript:
    """The slave of a queue."""
    return link(2, 1)


def add(cseq: int = 1, aid: int = 1, **fields) -> Add:
    base = Add(cseq, aid, 4, 1, 3, 0.8, 0, keep=True, bases=(), start=2 * RTT, deadline=0, consecutive=True)
    return replace(base, **fields)


def herald(aid: int, sequence: int, lane: int = 0, qubit: int = 7, **fields) -> Heralded:
    return replace(Heralded(2, lane, aid, sequence, 2, qubit, 5, -1, -1), **fields)


def served(t: Transcript, create: Create = CREATE) -> Transcript:
    """Bring a request of the master to the point where it is served."""
    t >> create
    t >> AddAck(t.last(Add).cseq, t.last(Add).aid)
    return t.wait(2 * RTT)


# -- acceptance -----------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L2-001")
def test_accepted_before_anything_else(alice):  # QS-L2-001
    alice >> CREATE << Accepted(2, 4, 1) << Send(2, add())
    alice.never(Err)
    alice.never(Accepted, more_than=1)


@pytest.mark.requirement("QS-L2-006", "QS-L2-025", "QS-L2-026", "QS-L2-028", "QS-L2-030")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"peer": 1}, Reason.CREATE),  # oneself: QS-L2-026
        ({"peer": 9}, Reason.CREATE),  # no neighbour: QS-L2-026
        ({"number": 0}, Reason.CREATE),  # QS-L2-025
        ({"number": 1 << 16}, Reason.CREATE),
        ({"purpose": -1}, Reason.CREATE),
        ({"min_fidelity": 1.01}, Reason.CREATE),
        ({"min_fidelity": -0.1}, Reason.CREATE),
        ({"min_fidelity": float("nan")}, Reason.CREATE),
        ({"priority": 8}, Reason.CREATE),
        ({"max_time": -1}, Reason.CREATE),
        ({"bases": (0,)}, Reason.CREATE),  # a kept qubit has no basis
        ({"keep": False}, Reason.CREATE),  # a measured one needs one
        ({"keep": False, "bases": (3,)}, Reason.CREATE),
        ({"min_fidelity": 0.91}, Reason.UNSUPP),  # QS-L2-006
        ({"max_time": 199}, Reason.UNSUPP),  # three pairs on two lanes take two cycles
    ],
)
def test_rejected_by_exactly_one_err(alice, fields, reason):  # QS-L2-001
    request = replace(CREATE, **fields)
    alice >> request
    alice.exactly(Err(request.peer, request.purpose, -1, reason, remote=False))


@pytest.mark.requirement("QS-L2-022")
def test_slowest_row_that_still_reaches_the_fidelity_is_not_taken(alice):  # QS-L2-022
    served(alice, replace(CREATE, min_fidelity=0.6)) << Attempt(2, 0, 1, 1, keep=True, bases=())


@pytest.mark.requirement("QS-L2-007")
@pytest.mark.parametrize(
    ("wanted", "asked"), [(0.8, 0.8), (0.87, 57016 / 65535), (0.9, 58981 / 65535), (0.9 + 1e-12, 58981 / 65535)]
)
def test_the_fidelity_is_rounded_up_but_not_beyond_what_the_table_reaches(alice, wanted, asked):  # QS-L2-007
    alice >> replace(CREATE, min_fidelity=wanted)
    assert alice.last(Add).min_fidelity == asked


# -- queue agreement ------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L2-012")
def test_master_serves_after_the_ack_and_the_start(alice):  # QS-L2-012
    alice >> CREATE
    alice.wait(2 * RTT).never(Attempt)  # the start has come, the answer has not
    alice >> AddAck(1, 1) << (Attempt(2, 0, 1, 0, keep=True, bases=()), Attempt(2, 1, 1, 0, keep=True, bases=()))


@pytest.mark.requirement("QS-L2-012")
def test_nothing_is_served_before_its_start(alice):  # QS-L2-012
    alice >> CREATE >> AddAck(1, 1)
    alice.wait(2 * RTT - 1).never(Attempt)
    alice.wait(1) << Attempt(2, 0, 1, 0, keep=True, bases=())


@pytest.mark.requirement("QS-L2-008")
def test_slave_takes_the_number_that_the_master_assigns(bob):  # QS-L2-008
    bob >> replace(CREATE, peer=1) << Send(1, add(aid=UNASSIGNED))
    bob >> AddAck(1, 77)
    bob.wait(2 * RTT) << Attempt(1, 0, 77, 0, keep=True, bases=())


@pytest.mark.requirement("QS-L2-031")
def test_order_is_that_of_the_ids_not_of_arrival():  # QS-L2-008
    t = link(2, 1, scheduler=first_come)
    t >> add(cseq=2, aid=6, purpose=8) << Send(1, AddAck(2, 6))
    t >> add(cseq=1, aid=5, purpose=4) << Send(1, AddAck(1, 5))
    t.wait(2 * RTT) << Attempt(1, 0, 5, 0, keep=True, bases=())
    t.never(Attempt, more_than=2)


@pytest.mark.requirement("QS-L2-011")
def test_repeated_add_is_one_entry(bob):  # QS-L2-011
    bob >> add() << Send(1, AddAck(1, 1))
    bob >> add() << Send(1, AddAck(1, 1))
    bob.wait(2 * RTT).never(Attempt, more_than=2)
    assert len(bob.layers[0].links[1].items) == 1


@pytest.mark.requirement("QS-L2-011")
def test_repeated_add_gets_its_answer_after_the_request_has_ended(bob):  # QS-L2-011
    bob >> add(number=1) << Send(1, AddAck(1, 1))
    bob.wait(2 * RTT)
    bob >> herald(1, 0, peer=1) << Ok(1, 4, 1, 0, 2, 0.9, 5, 7, remote=True, basis=-1, outcome=-1)
    bob >> add(number=1) << Send(1, AddAck(1, 1))
    bob.wait(2 * RTT)
    assert bob.last(Attempt).aid == -1


def test_repeated_add_is_refused_again_with_the_same_reason(bob):
    bob >> add(min_fidelity=0.95) << Send(1, AddRej(1, Reason.UNSUPP))
    bob >> add(min_fidelity=0.95) << Send(1, AddRej(1, Reason.UNSUPP))


@pytest.mark.requirement("QS-L2-010")
@pytest.mark.parametrize("losses", [1, 2])
def test_a_lost_answer_is_asked_for_again(alice, losses):  # QS-L2-010
    alice >> CREATE
    for _ in range(losses):
        alice.wait(3 * RTT) << Send(2, add())
    alice >> AddAck(1, 1) << Attempt(2, 0, 1, 0, keep=True, bases=())
    alice.wait(100 * RTT).never(Err)
    alice.never(Add, more_than=losses + 1)


@pytest.mark.requirement("QS-L2-032")
def test_three_losses_are_a_failure_at_both_ends(alice):  # QS-L2-010
    alice >> CREATE
    alice.wait(9 * RTT) << Err(2, 4, 1, Reason.NOTIME, remote=False) << Send(2, LinkExpire(1, 1, 1, 1, 1))
    alice.never(Add, more_than=3)
    alice >> LinkExpireAck(1, 0, 1, 1)
    alice >> AddAck(1, 1)  # much too late
    alice.wait(100 * RTT).never(Attempt)
    assert not alice.layers[0].links[2].items


@pytest.mark.requirement("QS-L2-034")
def test_a_refusal_ends_the_request(alice):
    alice >> CREATE
    alice >> AddRej(1, Reason.UNSUPP)
    alice.exactly(Err(2, 4, 1, Reason.UNSUPP, remote=False))
    alice.wait(100 * RTT).never(Err, more_than=1)
    assert not alice.layers[0].links[2].items


@pytest.mark.requirement("QS-L2-039")
def test_a_repeated_ack_changes_nothing(alice):
    served(alice)
    alice >> AddAck(1, 1)
    alice.silent()


@pytest.mark.requirement("QS-L2-041")
def test_many_requests_at_once_wait_for_their_turn(alice):
    for purpose in range(UNANSWERED + 10):
        alice >> replace(CREATE, purpose=2 * purpose)
    assert len(alice.all(Add)) == UNANSWERED
    alice >> AddAck(1, 1)
    assert len(alice.all(Add)) == UNANSWERED + 1
    for message in list(alice.all(Add))[1:]:
        alice >> AddAck(message.cseq, message.aid)
    for message in list(alice.all(Add))[UNANSWERED + 1 :]:
        alice >> AddAck(message.cseq, message.aid)
    assert [m.purpose for m in alice.all(Add)] == [2 * p for p in range(UNANSWERED + 10)]
    assert len(alice.layers[0].links[2].items) == UNANSWERED + 10


@pytest.mark.requirement("QS-L2-043")
def test_numbers_of_messages_and_of_the_queue_wrap(alice):  # full wrap-around
    for n in range(QUEUE + 300):
        alice >> replace(CREATE, number=1)
        message = alice.last(Add)
        assert message.cseq == (n + 1) % 256
        assert message.aid == (n + 1) % QUEUE
        alice >> AddAck(message.cseq, message.aid)
        alice.wait(2 * RTT)
        (
            alice
            >> herald(message.aid, n % (1 << 16))
            << Ok(2, 4, ANY, ANY, 2, 0.9, 5, 7, remote=False, basis=-1, outcome=-1)
        )


def test_a_request_that_outlives_the_numbers_keeps_its_own(alice):
    served(alice, replace(CREATE, number=1000, purpose=6))
    for _ in range(QUEUE + 10):
        alice >> replace(CREATE, number=1)
        message = alice.last(Add)
        assert message.aid != 1
        alice >> AddAck(message.cseq, message.aid) >> Withdraw(2, 4)
        alice >> DropAck(4, alice.last(Drop).cseq)


@pytest.mark.requirement("QS-L2-042")
def test_a_full_queue_is_a_lack_of_resources():
    t = link(1, 2)
    for n in range(WINDOW):
        t >> add(cseq=n % 256, aid=UNASSIGNED, purpose=n) << Send(2, AddAck(n % 256, ANY))
    t >> add(cseq=0, aid=UNASSIGNED, purpose=5000) << Send(2, AddRej(0, Reason.NORES))
    t >> CREATE << Err(2, 4, ANY, Reason.NORES, remote=False)


@pytest.mark.requirement("QS-L2-052")
@pytest.mark.parametrize("message", [add(number=0), add(purpose=1 << 16), add(priority=9), add(aid=QUEUE), add(aid=-1)])
def test_a_malformed_add_is_refused(bob, message):
    bob >> message << Send(1, AddRej(1, Reason.CREATE))
    bob.wait(9 * RTT).never(Attempt)


@pytest.mark.requirement("QS-L2-008")
def test_an_ack_for_another_number_is_a_broken_peer(alice, bob):  # QS-L2-008
    alice >> CREATE
    with pytest.raises(RemoteProtocolError, match="QS-L2-008"):
        alice >> AddAck(1, 2)
    bob >> replace(CREATE, peer=1)
    with pytest.raises(RemoteProtocolError, match="QS-L2-008"):
        bob >> AddAck(1, QUEUE)


@pytest.mark.requirement("QS-L2-040")
@pytest.mark.parametrize("message", [add(), AddAck(1, 1), AddRej(1, 3), Drop(4), DropAck(4)])
def test_messages_of_strangers_are_refused(alice, message):
    with pytest.raises(RemoteProtocolError, match="no neighbour"):
        alice.from_(9) >> message


# -- delivery -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L2-002", "QS-L2-018", "QS-L2-027")
def test_ok_carries_the_label_and_the_midpoints_words(alice):  # QS-L2-002, QS-L2-027
    served(alice)
    alice >> herald(1, 0)
    alice.exactly(Ok(2, 4, 1, 0, 2, 0.9, 5, 7, remote=False, basis=-1, outcome=-1))


@pytest.mark.requirement("QS-L2-002")
def test_the_answerer_sees_the_same_with_opposite_direction(bob):  # QS-L2-002
    bob >> add(create_id=9)
    bob.wait(2 * RTT)
    bob >> herald(1, 0, peer=1)
    bob.exactly(Ok(1, 4, 9, 0, 2, 0.9, 5, 7, remote=True, basis=-1, outcome=-1))


@pytest.mark.requirement("QS-L2-005")
def test_number_is_never_exceeded(alice):  # QS-L2-005
    served(alice)
    for n in range(5):
        alice >> herald(1, n, lane=n % 2, qubit=10 + n)
    alice.never(Ok, more_than=3)
    assert len(alice.all(Ok)) == 3
    assert [f.qubit for f in alice.all(Free)] == [13, 14]  # in flight when the request ended
    assert {a.lane: a.aid for a in alice.all(Attempt)} == {0: -1, 1: -1}


@pytest.mark.requirement("QS-L2-019")
def test_a_measured_pair_brings_basis_and_bit_and_no_memory(alice):  # QS-L2-019
    served(alice, replace(CREATE, keep=False, bases=(0, 1), number=1)) << Attempt(2, 0, 1, 0, keep=False, bases=(0, 1))
    alice >> herald(1, 0, qubit=-1, basis=1, outcome=1)
    alice << Ok(2, 4, 1, 0, 2, 0.9, 5, -1, remote=False, basis=1, outcome=1)
    alice >> herald(1, 1, qubit=-1, basis=0, outcome=0)
    alice.silent()
    alice.never(Free)


def test_a_herald_of_an_unknown_lane_is_refused(alice):
    with pytest.raises(LocalProtocolError, match="no lane"):
        alice >> herald(1, 0, lane=5)


# -- schedulers -----------------------------------------------------------------------------------------------------


def queue_of(t: Transcript, *requests: tuple[int, int]) -> Transcript:
    for n, (purpose, priority) in enumerate(requests, 1):
        t >> replace(CREATE, purpose=purpose, priority=priority, number=1000)
        t >> AddAck(n, n)
    return t.wait(2 * RTT)


def shares(t: Transcript, pairs: int) -> dict[int, int]:
    for n in range(pairs):
        standing = {a.lane: a.aid for a in t.all(Attempt)}
        t >> herald(standing[n % 2], n, lane=n % 2)
    counts: dict[int, int] = {}
    for ok in t.all(Ok):
        counts[ok.purpose] = counts.get(ok.purpose, 0) + 1
    return counts


def test_first_come_serves_the_oldest_alone():
    assert shares(queue_of(link(1, 2, scheduler=first_come), (4, 0), (6, 7)), 50) == {4: 50}


@pytest.mark.requirement("QS-L2-021")
def test_strict_priority_serves_the_highest_alone():  # QS-L2-021
    assert shares(queue_of(link(1, 2, scheduler=strict_priority), (4, 0), (6, 7), (8, 7)), 50) == {6: 25, 8: 25}


@pytest.mark.requirement("QS-L2-020")
def test_weighted_fair_shares_by_priority_plus_one():  # QS-L2-020
    counts = shares(queue_of(link(1, 2), (4, 0), (6, 2)), 400)
    assert counts[6] / counts[4] == pytest.approx(3, rel=0.05)


@pytest.mark.requirement("QS-L2-020")
@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_weighted_fair_shares_hold_whatever_lane_succeeds(lanes):
    """Lanes succeed in random order; three requests with the weights 1, 3 and 8 share 1,200 pairs within 5 %."""
    draw = random.Random(lanes)
    t = queue_of(link(1, 2, lanes=lanes), (4, 0), (6, 2), (8, 7))
    standing, counts = t.layers[0].links[2].standing, {4: 0, 6: 0, 8: 0}
    for n in range(1200):
        lane = draw.randrange(lanes)
        counts[2 + 2 * standing[lane]] += 1
        t >> herald(standing[lane], n, lane=lane)
    assert [counts[p] for p in (4, 6, 8)] == pytest.approx([100, 300, 800], rel=0.05)
    assert len(t.all(Ok)) == 1200


@pytest.mark.requirement("QS-L2-050")
def test_one_purpose_is_served_in_its_order():  # QS-L2-008
    t = queue_of(link(1, 2), (4, 0), (4, 0))
    assert {a.aid for a in t.all(Attempt)} == {1}


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
