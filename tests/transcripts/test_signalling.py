"""Dialogues with the network layer's control plane."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.network.entries import Broken, Joined, Left, Uninstalled
from qstack.network.requests import LONGEST, Activate, Deactivate, Install, Uninstall
from qstack.network.signalling import LABELS, SignallingLayer
from qstack.services.l3_network import Connect, Disconnect, Disconnected
from qstack.services.reasons import Reason
from qstack.services.strategies import NoRoute, Route
from qstack.wire.network import Reject, SetupReq, SetupRsp, Teardown

PATH = (1, 2, 3)
FIDELITIES = (58981 / 65535, 0.8)
CIRCUIT = 1 << 16 | 1
CONNECT = Connect(session=7, peer=3, min_fidelity=0.7, number=5)
SETUP = SetupReq(CIRCUIT, 7, PATH, FIDELITIES, label=0, cutoff=50)


def router(source: int, target: int, min_fidelity: float) -> Route | NoRoute:
    return Route(PATH, FIDELITIES, 0.72, 1.0) if (source, target) == (1, 3) and min_fidelity < 0.72 else NoRoute("none")


def node(number: int, **options) -> Transcript:
    return Transcript(SignallingLayer(router, cutoff=50, **options), node=number)


@pytest.fixture
def head() -> Transcript:
    return node(1).from_(2)


@pytest.fixture
def middle() -> Transcript:
    return node(2).from_(1)


@pytest.fixture
def tail() -> Transcript:
    return node(3).from_(2)


def nothing_is_left(t: Transcript) -> bool:
    layer = t.layers[0]
    return not (layer.entries or layer.sessions or any(layer.labels.values()) or t.timers)


def test_request_travels_down_and_installs_everywhere(head, middle, tail):
    head >> CONNECT
    head.exactly(Install(CIRCUIT, 7, 0, PATH, (-1, 0), FIDELITIES[0], 50), Send(2, SETUP))
    middle >> SETUP
    middle.exactly(Install(CIRCUIT, 7, 1, PATH, (0, 0), 0.8, 50), Send(3, SETUP))
    tail >> SETUP
    tail.exactly(Install(CIRCUIT, 7, 2, PATH, (0, -1), 0.0, 50), Send(2, SetupRsp(CIRCUIT)))


@pytest.mark.requirement("QS-L3-201")
@pytest.mark.parametrize(
    ("rate", "cutoff"), [(4.0, 5 * SECOND), (inf, 20 * SECOND), (0.0, 20 * SECOND), (1e-30, LONGEST), (1e18, 1)]
)
def test_without_a_cutoff_halves_give_way_after_a_number_of_mean_times(rate, cutoff):
    layer = SignallingLayer(lambda *_: Route(PATH, FIDELITIES, 0.72, rate), give_way=20.0)
    t = Transcript(layer, node=1).from_(2) >> CONNECT
    assert t.last(SetupReq).cutoff == t.last(Install).cutoff == cutoff


def test_a_cutoff_comes_before_giving_way_and_nothing_before_both():
    assert (node(1, give_way=20.0) >> CONNECT).last(SetupReq).cutoff == 50
    assert (Transcript(SignallingLayer(router), node=1) >> CONNECT).last(SetupReq).cutoff == 0


def test_acceptance_travels_back_and_starts_the_head(head, middle):
    middle >> SETUP
    middle.from_(3) >> SetupRsp(CIRCUIT)
    middle.exactly(Send(1, SetupRsp(CIRCUIT)))
    head >> CONNECT >> SetupRsp(CIRCUIT)
    head.exactly(Activate(CIRCUIT, 5, 7))
    assert not head.timers


@pytest.mark.requirement("QS-L3-036")
@pytest.mark.parametrize(
    "request_", [replace(CONNECT, peer=9), replace(CONNECT, peer=1), replace(CONNECT, min_fidelity=0.8)]
)
def test_no_route_is_told_at_once(head, request_):
    head >> request_
    head.exactly(Disconnected(7, Reason.NO_ROUTE))
    assert nothing_is_left(head)


@pytest.mark.requirement("QS-L3-013")
def test_rejection_leaves_nothing_on_its_way_back(head, middle):  # QS-L3-013
    middle >> SETUP
    middle.from_(3) >> Reject(CIRCUIT, 3, Reason.NORES)
    middle.exactly(Uninstall(CIRCUIT), Send(1, Reject(CIRCUIT, 3, Reason.NORES)))
    assert nothing_is_left(middle)
    head >> CONNECT >> Reject(CIRCUIT, 3, Reason.NORES)
    head.exactly(Uninstall(CIRCUIT), Disconnected(7, Reason.NORES))
    assert nothing_is_left(head)


@pytest.mark.requirement("QS-L3-014")
def test_a_full_link_rejects_for_lack_of_resources():  # QS-L3-014
    t = node(2, capacity=1).from_(1)
    t >> SETUP
    t >> replace(SETUP, circuit=CIRCUIT + 1, session=8, label=2)
    t.exactly(Send(1, Reject(CIRCUIT + 1, 2, Reason.NORES)))
    t >> Teardown(CIRCUIT, 0) >> Uninstalled(CIRCUIT)
    assert nothing_is_left(t)
    t >> replace(SETUP, circuit=CIRCUIT + 1, session=8, label=2) << Send(3, ANY)


def test_a_full_link_at_the_head_is_told_to_the_user():
    t = node(1, capacity=0)
    t >> CONNECT
    t.exactly(Disconnected(7, Reason.NORES))
    assert nothing_is_left(t)


@pytest.mark.requirement("QS-L3-014")
def test_a_path_to_no_neighbour_is_rejected():
    t = node(2, neighbours={1}).from_(1)
    t >> SETUP
    t.exactly(Send(1, Reject(CIRCUIT, 2, Reason.NO_ROUTE)))
    assert nothing_is_left(t)


@pytest.mark.requirement("QS-L3-041")
def test_a_label_or_a_session_in_use_is_rejected(middle, tail):
    middle >> SETUP
    middle >> replace(SETUP, circuit=CIRCUIT + 1, session=8)
    middle.exactly(Send(1, Reject(CIRCUIT + 1, 2, Reason.REJECTED)))
    tail >> SETUP
    tail >> replace(SETUP, circuit=CIRCUIT + 1, label=2)
    tail.exactly(Send(2, Reject(CIRCUIT + 1, 3, Reason.REJECTED)))
    tail >> Teardown(CIRCUIT, 0) >> Uninstalled(CIRCUIT) << Disconnected(7, 0)
    assert nothing_is_left(tail)


@pytest.mark.requirement("QS-L3-022")
def test_repetitions_change_nothing(middle, tail):  # QS-L3-022
    for t in (middle, tail):
        t >> SETUP >> SETUP
        t.silent()
        t >> Teardown(CIRCUIT, 0) >> Teardown(CIRCUIT, 0)
        t.silent()


@pytest.mark.requirement("QS-L3-011")
def test_tear_down_reaches_both_ends(head, middle, tail):
    head >> CONNECT >> SetupRsp(CIRCUIT) >> Disconnect(7)
    middle >> SETUP >> Teardown(CIRCUIT, 0)
    tail >> SETUP >> Teardown(CIRCUIT, 0)
    for t in (head, middle, tail):
        t.exactly(Uninstall(CIRCUIT))  # what is said of its pairs goes ahead of what follows
        t >> Uninstalled(CIRCUIT)
    head.exactly(Send(2, Teardown(CIRCUIT, 0)), Disconnected(7, 0))
    middle.exactly(Send(3, Teardown(CIRCUIT, 0)))
    tail.exactly(Disconnected(7, 0))
    assert all(map(nothing_is_left, (head, middle, tail)))


@pytest.mark.requirement("QS-L3-031")
def test_what_cannot_go_on_is_torn_down_in_both_directions(middle):
    middle >> SETUP >> Broken(CIRCUIT, Reason.UNSUPP)
    gone = Teardown(CIRCUIT, Reason.UNSUPP)
    middle.exactly(Uninstall(CIRCUIT, Reason.UNSUPP))
    middle >> Uninstalled(CIRCUIT)
    middle.exactly(Send(1, gone), Send(3, gone))
    middle.from_(3) >> gone  # crossing
    middle.silent()


def test_disconnect_while_asking(head):
    head >> CONNECT >> Disconnect(7)
    head.exactly(Uninstall(CIRCUIT))
    head >> Uninstalled(CIRCUIT)
    head.exactly(Send(2, Teardown(CIRCUIT, 0)), Disconnected(7, 0))
    head >> SetupRsp(CIRCUIT)
    head.silent()
    assert nothing_is_left(head)


@pytest.mark.requirement("QS-L3-037")
def test_no_answer_is_a_lost_peer(head):
    head >> CONNECT
    head.wait(3 * SECOND - 1).silent()
    head.wait(1) << Uninstall(CIRCUIT, Reason.LOST_PEER)
    head >> Uninstalled(CIRCUIT) << Send(2, Teardown(CIRCUIT, Reason.LOST_PEER)) << Disconnected(7, Reason.LOST_PEER)
    assert nothing_is_left(head)


def test_waiting_tells_who_does_not_answer(head):
    head.at(11) >> CONNECT
    (wait,) = head.layers[0].waiting()
    assert (wait.peer, wait.since) == (2, 11)
    head >> SetupRsp(CIRCUIT)
    assert not list(head.layers[0].waiting())


@pytest.mark.requirement("QS-L3-038")
def test_both_ends_of_a_link_choose_different_labels():
    up = Transcript(SignallingLayer(lambda *_: Route((5, 4), (0.8,), 0.8, 1.0)), node=5)
    up >> replace(CONNECT, peer=4) << Send(4, SetupReq(5 << 16 | 1, 7, (5, 4), (0.8,), 1, 0))
    up >> replace(CONNECT, peer=4, session=8) << Send(4, SetupReq(5 << 16 | 2, 8, (5, 4), (0.8,), 3, 0))


@pytest.mark.requirement("QS-L3-039")
def test_labels_and_numbers_wrap_and_skip_what_is_in_use(head):
    head >> CONNECT
    layer = head.layers[0]
    layer.last_label[2] = LABELS - 1
    layer.last_circuit = (1 << 16) - 1
    head >> replace(CONNECT, session=8)
    head << Send(2, replace(SETUP, circuit=1 << 16, session=8, label=2))
    head >> replace(CONNECT, session=9)
    head << Send(2, replace(SETUP, circuit=(1 << 16) + 2, session=9, label=4))


@pytest.mark.requirement("QS-L3-040")
def test_a_session_cannot_be_connected_twice(head):
    head >> CONNECT
    with pytest.raises(LocalProtocolError, match="session 7"):
        head >> CONNECT


@pytest.mark.requirement("QS-L3-020")
@pytest.mark.parametrize("path", [(1, 2), (2, 3), (1, 2, 1, 3), (3,), (1, 3)])
def test_a_router_that_lies_is_named(path):  # QS-L3-020
    t = Transcript(SignallingLayer(lambda *_: Route(path, FIDELITIES, 0.7, 1.0)), node=1)
    with pytest.raises(LocalProtocolError, match="QS-L3-020"):
        t >> CONNECT


@pytest.mark.requirement("QS-L3-042")
@pytest.mark.parametrize(
    "message",
    [
        replace(SETUP, path=(1, 3)),  # not for this node
        replace(SETUP, path=(2, 3)),  # it would be the head
        replace(SETUP, path=(3, 2, 1)),  # the sender does not stand before it
        replace(SETUP, path=(1, 2, 1)),
        replace(SETUP, fidelities=(0.9,)),
        replace(SETUP, path=()),
    ],
)
def test_a_senseless_path_is_a_broken_peer(middle, message):
    with pytest.raises(RemoteProtocolError):
        middle >> message


@pytest.mark.requirement("QS-L3-043")
@pytest.mark.parametrize("message", [SetupRsp(CIRCUIT), Reject(CIRCUIT, 3, 8), Teardown(CIRCUIT, 0)])
def test_only_neighbours_on_the_path_may_speak_of_a_circuit(middle, message):
    middle >> SETUP
    with pytest.raises(RemoteProtocolError):
        middle.from_(9) >> message
    middle.from_(9) >> replace(message, circuit=5)
    middle.silent()


@pytest.mark.parametrize("message", [SetupRsp(CIRCUIT), Reject(CIRCUIT, 3, 8)])
def test_an_answer_cannot_come_from_the_head(middle, message):
    middle >> SETUP
    with pytest.raises(RemoteProtocolError):
        middle >> message


# -- sessions that share a circuit ----------------------------------------------------------------------------------


def standing(**fields) -> Transcript:
    """Return a head with one circuit that stands."""
    t = node(1, aggregate=True).from_(2)
    t >> replace(CONNECT, **fields) >> SetupRsp(CIRCUIT)
    return t


def test_sessions_share_nothing_unless_told_to():
    t = node(1).from_(2)
    t >> CONNECT >> SetupRsp(CIRCUIT) >> replace(CONNECT, session=8)
    assert t.last(SetupReq).circuit == CIRCUIT + 1


def test_a_session_to_the_same_end_at_the_same_fidelity_shares_the_circuit():
    t = standing()
    t >> replace(CONNECT, session=8, number=0)
    t.exactly(Activate(CIRCUIT, 0, 8))
    t >> Disconnect(7)
    t.exactly(Deactivate(CIRCUIT, 7), Disconnected(7, 0))
    t >> Disconnect(8) << Uninstall(CIRCUIT)
    t >> Uninstalled(CIRCUIT)
    t.exactly(Send(2, Teardown(CIRCUIT, 0)), Disconnected(8, 0))
    assert nothing_is_left(t)


@pytest.mark.parametrize("fields", [{"min_fidelity": 0.6}, {"kind": 1}])
def test_other_sessions_get_a_circuit_of_their_own(fields):
    t = standing()
    t >> replace(CONNECT, session=8, **fields)
    t.never(Activate, more_than=1)
    assert t.last(SetupReq).circuit == CIRCUIT + 1


def test_all_sessions_of_a_circuit_end_with_it():
    t = standing()
    t >> replace(CONNECT, session=8) >> Teardown(CIRCUIT, Reason.LOST_PEER) >> Uninstalled(CIRCUIT)
    t.exactly(Disconnected(7, Reason.LOST_PEER), Disconnected(8, Reason.LOST_PEER))
    assert nothing_is_left(t)


@pytest.mark.parametrize("end", ["head", "tail"])
def test_a_session_that_the_other_end_leaves_ends_here_too(end):
    if end == "head":
        t = standing()
        t >> replace(CONNECT, session=8)
    else:
        t = node(3).from_(2)
        t >> SETUP >> Joined(CIRCUIT, 8)
    t >> Left(CIRCUIT, 7)
    t.exactly(Disconnected(7, 0))
    t >> Left(CIRCUIT, 7)
    t.silent()
    t >> Disconnect(8) << (Uninstall(CIRCUIT) if end == "head" else Deactivate(CIRCUIT, 8))


def test_the_tail_hears_when_the_head_has_ended_what_it_asked_it_to_end():
    t = node(3).from_(2)
    t >> SETUP >> Disconnect(7)
    t.exactly(Deactivate(CIRCUIT, 7))
    h = standing()
    h >> Left(CIRCUIT, 7) << Uninstall(CIRCUIT)
    h >> Uninstalled(CIRCUIT) << Send(2, Teardown(CIRCUIT, 0)) << Disconnected(7, 0)
    t >> Teardown(CIRCUIT, 0) >> Uninstalled(CIRCUIT) << Disconnected(7, 0)
    assert nothing_is_left(t)
    assert nothing_is_left(h)


@pytest.mark.requirement("QS-L3-008")
def test_rates_add_up_to_at_most_what_the_circuit_carries():  # QS-L3-008
    t = node(1, aggregate=True).from_(2)
    t >> replace(CONNECT, rate=1.5)  # the router predicts 1
    t.exactly(Disconnected(7, Reason.NORES))
    t >> replace(CONNECT, rate=0.7) >> SetupRsp(CIRCUIT)
    t >> replace(CONNECT, session=8, rate=0.4)
    t.exactly(Disconnected(8, Reason.NORES))
    t >> replace(CONNECT, session=8, rate=0.3)
    t.exactly(Activate(CIRCUIT, 5, 8, rate=0.3))


@pytest.mark.requirement("QS-L3-008")
@pytest.mark.parametrize("rate", [-0.5, 1e-4, 7e-301, float("nan")])
def test_rates_that_cannot_be_are_the_users_error(rate):
    """A negative one would make room for others that the circuit cannot carry."""
    t = node(1, aggregate=True).from_(2)
    with pytest.raises(LocalProtocolError, match="expected 0"):
        t >> replace(CONNECT, rate=rate)
    assert not t.layers[0].entries
