"""Dialogues with the link layer: requests, the queue that two ends share, delivery, schedulers."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from link_dialogue import CREATE, RTT, add, herald, link, queue_of, served

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.link.queue import QUEUE, UNANSWERED, WINDOW
from qstack.link.schedulers import first_come, strict_priority
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt
from qstack.services.l2_link import Accepted, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Drop, DropAck, LinkExpire, LinkExpireAck

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
