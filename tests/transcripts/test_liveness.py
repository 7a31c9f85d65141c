"""A neighbour that is lost: what the link forgets, what signalling tears down, and who is told."""

from __future__ import annotations

import pytest

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Cancel, Send
from qstack.link.endings import AddDue
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.network.entries import Uninstalled
from qstack.network.requests import Uninstall
from qstack.network.signalling import SignallingLayer
from qstack.physical.layer import PhysicalLayer
from qstack.services.classical import NeighbourLost
from qstack.services.device import Herald
from qstack.services.l1_physical import Attempt, Heralded, Renumber
from qstack.services.l2_link import Create, Unreachable
from qstack.services.l3_network import Disconnected
from qstack.services.reasons import Reason
from qstack.services.strategies import Row
from qstack.wire.link import Add, AddAck
from qstack.wire.network import SetupReq, SetupRsp, Teardown

ROWS = (Row(0.1, 1e-3, 0.9),)
MS = 10**9


def link(*, master=True):
    return LinkLayer({2: Link(2, 1, MS, ROWS, master=master)})


def serving():
    t = Transcript(link(), node=1).from_(2)
    t >> Create(2, 7, 5, 0.8) << Send(2, ANY)
    t >> AddAck(1, 1)
    t.wait(3 * MS) << Attempt(2, 0, 1, 0, keep=True, bases=())
    return t


@pytest.mark.requirement("QS-L2-056")
def test_link_stops_attempting_and_says_that_nothing_holds():
    serving() >> NeighbourLost(2) << Attempt(2, 0, -1, 0, keep=True, bases=()) << Renumber(2) << Unreachable(2)


def test_link_stops_repeating_what_nobody_answers():
    t = Transcript(link(), node=1).from_(2)
    t >> Create(2, 7, 5, 0.8) << Send(2, ANY)
    t >> NeighbourLost(2) << Cancel(AddDue(2, 1)) << Unreachable(2)


@pytest.mark.requirement("QS-L2-056")
def test_a_neighbour_that_starts_anew_is_answered_anew():
    """Its numbers begin again: an answer to a request of its former life must not be given for a new one."""
    t = Transcript(link(master=False), node=3).from_(2)
    t >> add(purpose=4, aid=1) << Send(2, AddAck(1, 1))
    t >> NeighbourLost(2) << Unreachable(2)
    t >> add(purpose=6, aid=9) << Send(2, AddAck(1, 9))


def add(purpose, aid):
    return Add(
        cseq=1,
        aid=aid,
        purpose=purpose,
        create_id=1,
        number=3,
        min_fidelity=0.8,
        priority=0,
        keep=True,
        bases=(),
        start=0,
        deadline=0,
    )


def test_a_node_that_is_no_neighbour_is_passed_on():
    Transcript(link(), node=1).from_(2) >> NeighbourLost(9) << Unreachable(9)


def herald(sequence):
    return Herald(2, 0, 1, sequence, 0, 50, 0, -1, -1)


def test_physical_takes_any_number_next_and_then_counts_on():
    t = Transcript(PhysicalLayer({2: 1}), node=1)
    t >> herald(0) << Heralded(2, 0, 1, 0, 0, 50, 0, -1, -1)
    t >> Renumber(2)
    t >> herald(40) << Heralded(2, 0, 1, 40, 0, 50, 0, -1, -1)
    t >> herald(41) << Heralded(2, 0, 1, 41, 0, 50, 0, -1, -1)


def middle():
    t = Transcript(SignallingLayer(lambda *_: None), node=1).from_(0)
    t >> SetupReq(5, 3, (0, 1, 2), (0.9, 0.9), 0, 0) << Send(2, ANY)
    t.from_(2) >> SetupRsp(5) << Send(0, SetupRsp(5))
    return t


def test_a_circuit_through_a_lost_neighbour_is_torn_down_away_from_it():
    for lost, other in ((2, 0), (0, 2)):
        t = middle()
        t >> Unreachable(lost) << Uninstall(5, Reason.LOST_PEER)
        t >> Uninstalled(5)
        t.exactly(Send(other, Teardown(5, Reason.LOST_PEER)))


def test_other_circuits_stay():
    t = middle()
    t >> Unreachable(7)
    t.never(Uninstall)


def test_an_end_is_told():
    t = Transcript(SignallingLayer(lambda *_: None), node=2).from_(1)
    t >> SetupReq(5, 3, (0, 1, 2), (0.9, 0.9), 0, 0) << Send(1, SetupRsp(5))
    t >> Unreachable(1) << Uninstall(5, Reason.LOST_PEER)
    t >> Uninstalled(5) << Disconnected(3, Reason.LOST_PEER)
