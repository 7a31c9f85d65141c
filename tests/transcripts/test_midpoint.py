"""Dialogues with the midpoint of a link."""

from __future__ import annotations

import pytest

from qstack.conformance.transcript import Transcript
from qstack.core.errors import RemoteProtocolError
from qstack.core.nouns import Send
from qstack.physical.midpoint import Midpoint
from qstack.physical.serial import step
from qstack.services.device import Clicked, Interfere
from qstack.wire.physical import NO_CLASSICAL_OTHER, NO_ERROR, OUT_OF_WINDOW, QUEUE_MISMATCH, Gen, Reply

LAST = (1 << 16) - 1


@pytest.fixture
def t() -> Transcript:
    return Transcript(Midpoint((1, 2), window=10), node=99)


def gen(t: Transcript, node: int, cycle: int, aid: int = 5, lane: int = 0) -> Transcript:
    return t.from_(node) >> Gen(node, cycle, aid, lane, row=3)


def success(t: Transcript, cycle: int, bell: int = 2) -> Transcript:
    gen(t, 1, cycle)
    gen(t, 2, cycle)
    return t >> Clicked(0, cycle, bell)


@pytest.mark.requirement("QS-L1-007")
def test_two_photons_for_the_same_request_are_measured(t):
    gen(t, 1, 7).silent()
    gen(t, 2, 7).exactly(Interfere(0, 7, 3))
    t >> Clicked(0, 7, 2)
    reply = Reply(1, NO_ERROR, 2, 0, 5, 5, 7, 0)
    t.exactly(Send(1, reply), Send(2, reply))
    assert not t.timers


@pytest.mark.requirement("QS-L1-004", "QS-L1-021")
def test_a_failure_is_told_too_and_counts_nothing(t):  # QS-L1-004
    gen(t, 1, 7)
    gen(t, 2, 7)
    t >> Clicked(0, 7, -1)
    t.exactly(*(Send(node, Reply(0, NO_ERROR, 0, LAST, 5, 5, 7, 0)) for node in (1, 2)))
    success(t, 8) << Send(2, Reply(1, NO_ERROR, 2, 0, 5, 5, 8, 0))


@pytest.mark.requirement("QS-L1-002", "QS-L1-016")
def test_different_requests_are_not_measured(t):  # QS-L1-002
    gen(t, 2, 7, aid=6)
    gen(t, 1, 7, aid=5)
    t.exactly(
        Send(1, Reply(3, QUEUE_MISMATCH, 0, LAST, 5, 6, 7, 0)), Send(2, Reply(3, QUEUE_MISMATCH, 0, LAST, 6, 5, 7, 0))
    )
    t.never(Interfere)


@pytest.mark.requirement("QS-L1-003", "QS-L1-018")
@pytest.mark.parametrize("node", [1, 2])
def test_one_alone_is_told_when_the_window_closes(t, node):  # QS-L1-003
    gen(t, node, 7)
    t.wait(9).silent()
    t.wait(1).exactly(Send(node, Reply(3, NO_CLASSICAL_OTHER, 0, LAST, 5, -1, 7, 0)))
    gen(t, 3 - node, 7)
    t.exactly(Send(3 - node, Reply(3, OUT_OF_WINDOW, 0, LAST, 5, -1, 7, 0)))
    t.never(Interfere)


@pytest.mark.requirement("QS-L1-005", "QS-L1-020")
def test_nothing_of_a_window_is_carried_into_another(t):  # QS-L1-005
    gen(t, 1, 7, aid=5)
    gen(t, 2, 8, aid=5).silent()
    gen(t, 1, 7, aid=6).silent()  # a repetition, whatever it says
    gen(t, 1, 7, aid=5, lane=1).silent()
    t.never(Interfere)
    gen(t, 2, 7).exactly(Interfere(0, 7, 3))


@pytest.mark.requirement("QS-L1-004")
def test_lanes_share_the_count_of_successes(t):
    for lane in (0, 1):
        gen(t, 1, 7, lane=lane)
        gen(t, 2, 7, lane=lane)
    t >> Clicked(1, 7, 0) << Send(1, Reply(1, NO_ERROR, 0, 0, 5, 5, 7, 1))
    t >> Clicked(0, 7, 0) << Send(1, Reply(1, NO_ERROR, 0, 1, 5, 5, 7, 0))
    t >> Clicked(0, 7, 0)
    t.silent()


@pytest.mark.requirement("QS-L1-004")
def test_the_count_wraps(t):  # QS-L1-004
    t.layers[0].sequence = LAST
    success(t, 7)
    assert t.last(Reply).sequence == LAST
    success(t, 8)
    assert t.last(Reply).sequence == 0


@pytest.mark.requirement("QS-L1-024")
def test_cycles_compare_as_serial_numbers(t):
    success(t, (1 << 64) - 1)
    success(t, 0)
    assert len(t.all(Interfere)) == 2
    gen(t, 1, (1 << 64) - 1)
    assert t.last(Reply).error == OUT_OF_WINDOW


@pytest.mark.requirement("QS-L1-019")
@pytest.mark.parametrize(("sender", "node"), [(9, 9), (1, 2), (9, 1)])
def test_nobody_speaks_for_another(t, sender, node):
    with pytest.raises(RemoteProtocolError):
        t.from_(sender) >> Gen(node, 7, 5, 0, 0)


@pytest.mark.requirement("QS-L1-024")
@pytest.mark.parametrize(
    ("old", "new", "ahead"), [(0, 0, 0), (65535, 0, 1), (0, 65535, -1), (0, 32767, 32767), (0, 32768, -32768)]
)
def test_serial_numbers(old, new, ahead):
    assert step(old, new, 1 << 16) == ahead
