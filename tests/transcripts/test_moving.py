"""Dialogues about circuits that give way to one over another path: the head's hour, and the tail's two ways to hear of it."""

from __future__ import annotations

import pytest

from qstack.conformance.transcript import Transcript
from qstack.core.nouns import Cancel, Send, Set
from qstack.network.entries import Uninstalled
from qstack.network.moving import Falls, MoveDue
from qstack.network.requests import Activate, Install, Progress, Uninstall
from qstack.network.signalling import SignallingLayer
from qstack.services.l3_network import Connect, Disconnect, Disconnected, Rerouted
from qstack.services.reasons import Reason
from qstack.services.strategies import NoRoute, Route
from qstack.wire.network import Reject, SetupReq, SetupRsp, Teardown

PATH, ROUND = (1, 3), (1, 2, 3)
OLD, NEW = 1 << 16 | 1, 1 << 16 | 2
CONNECT = Connect(session=7, peer=3, min_fidelity=0.7, number=5)
FIRST = SetupReq(OLD, 7, PATH, (0.8,), label=0, cutoff=50)
SECOND = SetupReq(NEW, 7, ROUND, (0.8, 0.8), label=0, cutoff=50)
ROUTE = Route(ROUND, (0.8, 0.8), 0.72, 1.0)
SETS = 1000


class Table:
    """A link of the first path goes down once; there may be a way round."""

    def __init__(self, around):
        self.found = around

    def falls(self, path, now):
        return SETS if path == PATH and now < SETS else -1

    def around(self, path, min_fidelity, now):
        return self.found


def node(number, around=ROUTE):
    layer = SignallingLayer(lambda *_: Route(PATH, (0.8,), 0.72, 1.0), cutoff=50, timetable=Table(around))
    return Transcript(layer, node=number)


def standing_head(around=ROUTE):
    t = node(1, around).from_(3) >> CONNECT >> SetupRsp(OLD)
    assert Set(Falls(OLD), SETS) in t.answers
    return t


@pytest.mark.requirement("QS-L3-452")
def test_the_head_moves_with_all_that_its_session_still_wants():
    t = standing_head().at(SETS)
    t << Uninstall(OLD, Reason.REROUTED)
    progress = Progress(4, 2, ((2, 10), (3, 11)))
    t >> Uninstalled(OLD, {7: progress}) << Send(3, Teardown(OLD, Reason.REROUTED))
    assert t.last(SetupReq).path == ROUND
    t.never(Disconnected)
    t.from_(2) >> SetupRsp(NEW) << Activate(NEW, 5, 7, progress=progress) << Rerouted(7, ROUND)


@pytest.mark.requirement("QS-L3-452")
def test_without_a_way_round_the_head_waits():
    t = standing_head(NoRoute("none")).at(SETS)
    t.never(Uninstall)
    assert not t.timers
    t >> Disconnect(7) << Uninstall(OLD, 0)


def test_a_head_that_ends_in_time_has_no_hour_left():
    t = standing_head() >> Disconnect(7) << Cancel(Falls(OLD))
    assert not t.timers


def test_a_way_round_that_is_refused_ends_the_session_at_the_head():
    t = standing_head().at(SETS) >> Uninstalled(OLD, {7: Progress(0, 0, ())})
    t.from_(2) >> Reject(NEW, 2, Reason.NORES) << Disconnected(7, Reason.NORES)
    assert not t.timers


@pytest.mark.parametrize("overtaken", [False, True])
def test_the_tail_takes_either_message_as_the_sign(overtaken):
    """Its user hears nothing, whichever comes first, and the new circuit knows that it has heard."""
    t = node(3).from_(1) >> FIRST
    if not overtaken:
        t >> Teardown(OLD, Reason.REROUTED) << Uninstall(OLD, Reason.REROUTED)
        t >> Uninstalled(OLD)
        assert list(t.timers) == [MoveDue(OLD)]
    t.from_(2) >> SECOND << Install(NEW, 7, 2, ROUND, (0, -1), 0.0, 50, moved=(7,)) << Send(2, SetupRsp(NEW))
    if overtaken:
        t.from_(1) >> Teardown(OLD, Reason.REROUTED) << Uninstall(OLD, Reason.REROUTED)
        t >> Uninstalled(OLD)
    t.never(Disconnected)
    assert not t.timers
    t.from_(2) >> Teardown(NEW, Reason.NONE) >> Uninstalled(NEW) << Disconnected(7, Reason.NONE)


def test_a_tail_that_waits_in_vain_tells_its_user():
    t = node(3).from_(1) >> FIRST >> Teardown(OLD, Reason.REROUTED) >> Uninstalled(OLD)
    ((at, _),) = t.timers.values()
    t.at(at) << Disconnected(7, Reason.LOST_PEER)
    assert not t.timers


def test_a_tail_whose_user_has_ended_the_session_meanwhile_refuses():
    t = node(3).from_(1) >> FIRST >> Teardown(OLD, Reason.REROUTED) >> Uninstalled(OLD)
    t >> Disconnect(7) << Disconnected(7, Reason.NONE)
    (t >> Disconnect(7)).never(Disconnected, more_than=1)
    t.from_(2) >> SECOND << Send(2, Reject(NEW, 3, Reason.REJECTED))


def test_what_a_user_has_ended_is_forgotten_in_time():
    t = node(3).from_(1) >> FIRST >> Teardown(OLD, Reason.REROUTED) >> Uninstalled(OLD) >> Disconnect(7)
    ((at, _),) = t.timers.values()
    t.at(at).never(Disconnected, more_than=1)
    t.from_(2) >> SECOND << Send(2, SetupRsp(NEW))
