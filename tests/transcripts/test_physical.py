"""Dialogues with the physical layer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qstack.conformance.transcript import Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.physical.layer import PhysicalLayer
from qstack.services.device import Herald, Missed, Trigger
from qstack.services.l1_physical import Attempt, Heralded, Skipped

NEIGHBOUR = 2
HERALD = Herald(NEIGHBOUR, 0, 17, 0, 2, qubit=5, emitted=100, basis=-1, outcome=-1)


@pytest.fixture
def t() -> Transcript:
    return Transcript(PhysicalLayer({NEIGHBOUR: 2}), node=1)


@pytest.mark.requirement("QS-L1-001")
def test_nothing_is_triggered_while_the_link_layer_is_silent(t):  # QS-L1-001
    t.at(10**12).never(Trigger)
    t >> HERALD
    t.never(Trigger)


@pytest.mark.requirement("QS-L1-001")
def test_an_answer_to_the_poll_goes_to_the_device_unchanged(t):
    t >> Attempt(NEIGHBOUR, 1, 17, 3, keep=False, bases=(0, 1))
    t.exactly(Trigger(NEIGHBOUR, 1, 17, 3, keep=False, bases=(0, 1)))
    t >> Attempt(NEIGHBOUR, 1, -1, 0, keep=True, bases=())
    t.exactly(Trigger(NEIGHBOUR, 1, -1, 0, keep=True, bases=()))


@pytest.mark.requirement("QS-L1-023")
def test_a_success_is_reported_with_all_that_the_midpoint_said(t):
    t >> HERALD
    t.exactly(Heralded(NEIGHBOUR, 0, 17, 0, 2, qubit=5, emitted=100, basis=-1, outcome=-1))


@pytest.mark.requirement("QS-L1-004")
def test_successes_are_numbered_without_gaps_and_wrap(t):  # QS-L1-004
    for n in range((1 << 16) + 2):
        t.handlers[Herald](replace(HERALD, sequence=n % (1 << 16)), t.context)
    t >> replace(HERALD, sequence=2) << Heralded(NEIGHBOUR, 0, 17, 2, 2, 5, 100, -1, -1)


@pytest.mark.requirement("QS-L1-044", "QS-L2-013")
@pytest.mark.parametrize("sequence", [1, 2, 32766])
def test_a_gap_in_the_numbers_is_a_reply_that_was_lost(t, sequence):  # QS-L2-013
    t >> replace(HERALD, sequence=sequence)
    t.exactly(Skipped(NEIGHBOUR, 0, sequence), Heralded(NEIGHBOUR, 0, 17, sequence, 2, 5, 100, -1, -1))


@pytest.mark.requirement("QS-L1-044", "QS-L2-013")
def test_a_later_reply_tells_of_a_lost_one(t):  # QS-L2-013
    t >> HERALD >> Missed(NEIGHBOUR, 0)
    t.silent()
    t >> Missed(NEIGHBOUR, 2)
    t.exactly(Skipped(NEIGHBOUR, 1, 3))
    t >> Missed(NEIGHBOUR, 2)
    t.silent()
    t >> replace(HERALD, sequence=3)
    t.exactly(Heralded(NEIGHBOUR, 0, 17, 3, 2, 5, 100, -1, -1))
    with pytest.raises(RemoteProtocolError, match="no neighbour"):
        t >> Missed(9, 0)


@pytest.mark.requirement("QS-L1-022")
@pytest.mark.parametrize("sequence", [65535, 65534, 32767])
def test_a_success_is_reported_once(t, sequence):  # QS-L1-004
    t >> replace(HERALD, sequence=sequence)
    t.silent()


@pytest.mark.requirement("QS-L1-013")
@pytest.mark.parametrize(("peer", "lane"), [(NEIGHBOUR, 2), (NEIGHBOUR, -1), (9, 0)])
def test_a_lane_that_does_not_exist_is_refused(t, peer, lane):  # QS-L1-013
    with pytest.raises(LocalProtocolError, match="no lane"):
        t >> Attempt(peer, lane, 17, 0, keep=True, bases=())


@pytest.mark.requirement("QS-L1-025")
def test_a_herald_of_no_neighbour_is_refused(t):
    with pytest.raises(RemoteProtocolError, match="no neighbour"):
        t >> replace(HERALD, peer=9)
