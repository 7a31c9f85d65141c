"""Dialogues about memories: who is full, who asks, and when attempts go on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qstack.conformance.transcript import Transcript
from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Waiting
from qstack.core.nouns import Send
from qstack.link.endings import SHORTEST
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.link.room import SILENCE
from qstack.services.classical import NeighbourLost
from qstack.services.device import AskRoom, Room
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Create, Ok, Withdraw
from qstack.services.strategies import Row
from qstack.wire.link import Add, AddAck, DropAck, Hello, MemAck, MemReq

RTT = 1000
ROWS = (Row(0.1, 2e-3, 0.9), Row(0.3, 1e-3, 0.7))
CREATE = Create(peer=2, purpose=4, number=30, min_fidelity=0.8)
SILENT = int(SILENCE * ROWS[0].seconds_per_pair * 1e12)
"""After so long without a success [ps]."""
BEGUN = tuple(Attempt(2, lane, 1, 0, keep=True, bases=()) for lane in (0, 1))
STOPPED = tuple(Attempt(2, lane, -1, 0, keep=True, bases=()) for lane in (0, 1))


@pytest.fixture
def idle() -> Transcript:
    layer = LinkLayer({2: Link(2, 2, RTT, ROWS, master=True, cycle=100)})
    return Transcript(layer, node=1).from_(2)


def serve(t: Transcript, request: Create = CREATE) -> Transcript:
    t >> request
    t >> AddAck(t.last(Add).cseq, t.last(Add).aid)
    return t.wait(2 * RTT)


@pytest.fixture
def served(idle) -> Transcript:
    return serve(idle) << BEGUN


@pytest.fixture
def full(served) -> Transcript:
    """A neighbour that has said that it has no memory."""
    return served >> MemAck(0, 0) << STOPPED


def attempts(t: Transcript) -> bool:
    return t.last(Attempt).aid >= 0


@pytest.mark.requirement("QS-L2-310")
@pytest.mark.parametrize("free", [0, 1, 2])
def test_who_asks_is_answered(idle, free):
    idle >> MemReq(1, 0) << AskRoom(2)
    (idle >> Room(2, free)).exactly(Send(2, MemAck(free, 0)))
    idle >> MemReq(1, 0) << AskRoom(2)  # doubled
    (idle >> Room(2, free)).exactly(Send(2, MemAck(free, 0)))


@pytest.mark.requirement("QS-L2-016")
@pytest.mark.parametrize("message", [MemAck, MemReq])
def test_nothing_is_attempted_for_a_full_neighbour(served, message):
    served >> message(0, 0) << STOPPED
    served >> message(0, 0)
    served.never(Attempt, more_than=4)  # doubled
    served >> message(1, 0) << BEGUN


@pytest.mark.requirement("QS-L2-016")
def test_a_request_that_comes_later_waits_too(idle):
    idle >> MemAck(0, 0)
    serve(idle).never(Attempt)
    idle >> MemAck(3, 0) << BEGUN


@pytest.mark.requirement("QS-L2-016")
def test_a_pair_that_was_under_way_is_delivered(full):
    full >> Heralded(2, 0, 1, 0, 2, 7, 5, -1, -1) << Ok(2, 4, 1, 0, 2, 0.9, 5, 7, False, -1, -1)  # noqa: FBT003 - as asked here
    full.never(Attempt, more_than=4)


@pytest.mark.requirement("QS-L2-314")
@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({}, True),
        ({"keep": False, "bases": (0,)}, False),
        ({"prepare": True, "remote_bases": (0,)}, False),  # it measures what is kept here
        ({"keep": False, "bases": (0,), "prepare": True}, True),  # it keeps what is measured here
    ],
)
def test_only_what_the_neighbour_would_keep_is_held_up(idle, fields, held):
    serve(idle, replace(CREATE, **fields))
    idle >> MemAck(0, 0)
    assert attempts(idle) is not held


def test_no_other_request_takes_the_place_of_one_that_is_held_up(served):
    """The neighbour would not choose it: for the queue is the same there."""
    served >> replace(CREATE, purpose=5, keep=False, bases=(0,))
    served >> AddAck(served.last(Add).cseq, served.last(Add).aid)
    served.wait(2 * RTT)
    before = {attempt.lane: attempt.aid for attempt in served.all(Attempt)}
    served >> MemAck(0, 0)
    after = {attempt.lane: attempt.aid for attempt in served.all(Attempt)}
    assert {lane: aid if aid != 1 else -1 for lane, aid in before.items()} == after


def test_nobody_speaks_while_pairs_come(served):
    for n in range(20):
        served.wait(SILENT - 3 * RTT)
        served >> Heralded(2, 0, 1, n, 2, n, 5, -1, -1)
    served.never(MemReq).never(AskRoom)


def test_a_silent_link_asks_and_tells(served):
    served.wait(SILENT - 2 * RTT - 1).never(AskRoom)
    served.wait(1) << AskRoom(2)
    (served >> Room(2, 2)).exactly(Send(2, MemReq(2, 0)))
    served >> MemAck(1, 0)
    served.never(Attempt, more_than=2)
    served.wait(SILENT) << AskRoom(2)
    served >> Room(2, 2) << Send(2, MemReq(2, 0))


@pytest.mark.requirement("QS-L2-311")
def test_who_said_none_says_when_there_is_some(served):
    served >> MemReq(2, 0) >> Room(2, 0) << Send(2, MemAck(0, 0))
    (served >> Room(2, 1)).exactly(Send(2, MemReq(1, 0)))
    for _ in range(2):  # until it is answered
        served.wait(SHORTEST) << AskRoom(2)
        served >> Room(2, 1) << Send(2, MemReq(1, 0))
    served >> MemAck(2, 0)
    served.wait(10 * SHORTEST).never(MemReq, more_than=3)
    (served >> Room(2, 2)).silent()  # nobody has asked


@pytest.mark.requirement("QS-L2-311")
def test_news_that_cross_a_question_are_its_answer(served):
    served >> MemReq(2, 0) >> Room(2, 0) << Send(2, MemAck(0, 0))
    served >> MemReq(2, 0) << AskRoom(2)
    (served >> Room(2, 1)).exactly(Send(2, MemAck(1, 0)))
    (served >> Room(2, 1)).silent()


@pytest.mark.requirement("QS-L2-312")
def test_a_full_neighbour_is_asked_again(full):
    """The word that it has room may have been lost, and the word that it has none may have been late."""
    for round_ in range(8):
        full.wait(SILENT) << AskRoom(2)
        full >> Room(2, 2) << Send(2, MemReq(2, 0))
        full >> MemAck(0, 0)
        left = [timer for timer in full.timers if not timer.housekeeping]
        assert bool(left) is (round_ < 2), "a host stays awake for three questions"
    full.wait(SILENT)
    full >> Room(2, 2) >> MemAck(1, 0) << BEGUN


@pytest.mark.requirement("QS-L2-313")
def test_a_neighbour_that_does_not_answer_is_full_no_more(full):
    full.wait(SILENT)
    for _ in range(2):
        assert not attempts(full)
        full >> Room(2, 2)
        full.wait(SHORTEST)
    full >> Room(2, 2)
    full.never(MemReq, more_than=3)
    full.wait(SHORTEST) << BEGUN


def test_a_device_that_cannot_count_costs_nothing(served):
    served.wait(20 * SILENT).never(MemReq)
    assert attempts(served)
    (served >> MemReq(0, 0)).exactly(AskRoom(2), *STOPPED)
    served.wait(20 * SILENT)
    assert attempts(served)
    served.never(MemAck)


def test_an_end_without_requests_keeps_no_timer(full):
    full >> Withdraw(2, 4)
    full >> DropAck(4, 2)
    assert not full.timers
    full >> MemAck(0, 0) >> MemReq(0, 0) >> Room(2, 0)
    assert not full.timers


def test_what_a_neighbour_said_long_ago_is_asked_anew(full):
    full >> Withdraw(2, 4)
    full >> DropAck(4, 2)
    full.wait(100 * SILENT)
    full >> replace(CREATE, purpose=5)
    full >> AddAck(full.last(Add).cseq, full.last(Add).aid) << AskRoom(2)
    full >> Room(2, 2) << Send(2, MemReq(2, 0))
    full >> MemAck(2, 0)
    full.wait(2 * RTT)
    assert attempts(full)


def test_a_lost_neighbour_is_not_full(full):
    full >> MemReq(0, 0) >> Room(2, 0)
    full >> NeighbourLost(2)
    assert not [timer for timer in full.timers if "Room" in type(timer).__name__]
    (full >> Room(2, 1)).silent()
    serve(full, replace(CREATE, purpose=5))
    assert attempts(full)


def test_memories_of_a_stranger_are_refused(idle):
    for message in (MemReq(1, 0), MemAck(1, 0), Hello()):
        with pytest.raises(RemoteProtocolError, match="node 9 is no neighbour"):
            idle.from_(9) >> message


def test_nothing_follows_from_a_greeting(served):
    (served >> Hello()).silent()
    served.never(Attempt, more_than=2)


def test_a_layer_says_whose_memory_it_waits_for(served):
    (layer,) = served.layers
    assert list(layer.waiting()) == []
    now = served.wait(50).context.now
    served >> MemAck(0, 0)
    assert list(layer.waiting()) == [Waiting("a free memory", 2, now)]
    served.wait(50) >> MemAck(0, 0)
    assert list(layer.waiting()) == [Waiting("a free memory", 2, now)]
    served >> MemAck(1, 0)
    assert list(layer.waiting()) == []
