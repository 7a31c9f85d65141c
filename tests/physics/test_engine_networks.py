"""Whole networks: who gets which pair, what is left behind, what fails without messages."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest

from benchmarks.p1 import BORN, PERIOD, Flow, Network, chain, mesh
from qstack.core.clock import SECOND
from qstack.core.layer import Layer
from qstack.core.nouns import Cancel, Message, Noun, Send, Set, Timer
from qstack.hardware.device import Device
from qstack.hardware.pairs import Exponential
from qstack.network.forwarding import ForwardingLayer
from qstack.network.signalling import SignallingLayer
from qstack.services.bell import Basis
from qstack.services.l4_transport import Close
from qstack.services.l5_application import Start
from qstack.services.reasons import Reason
from qstack.wire import link as link_messages
from qstack.wire import network as network_messages
from qstack.wire.codec import decode, encode

CROSS = [(0, 2), (1, 2), (2, 3), (3, 4), (3, 5)]


def halves_left(net: Network) -> dict[int, int]:
    return {node: len(qubits) for node, qubits in net.medium.qubits.items() if qubits}


def tables_left(net: Network) -> list[object]:
    left: list[object] = []
    for node in net.simulation.nodes.values():
        _, link, forwarding, signalling, transport, _ = node.layers
        assert isinstance(forwarding, ForwardingLayer)
        assert isinstance(signalling, SignallingLayer)
        for neighbour in link.links.values():
            left += [neighbour.items, neighbour.adding, neighbour.backlog, neighbour.dropping]
            left += [aid for aid in neighbour.standing if aid >= 0]
        left += [forwarding.circuits, forwarding.swapping, *forwarding.labels.values()]
        left += [signalling.entries, signalling.sessions, *signalling.labels.values(), transport.sessions]
    return [table for table in left if table]


@pytest.mark.requirement("QS-L3-009", "QS-L3-011")
@pytest.mark.parametrize("distilled", [False, True])
@pytest.mark.parametrize("segments", [1, 2, 5])
def test_after_tear_down_every_memory_is_free(segments, distilled):
    net = chain(segments, number=200, distilled=distilled)
    net.start()
    net.run(20)
    assert net.tally.delivered == [200]
    assert sorted(net.tally.finished) == [(0, 0, Reason.NONE), (segments, 0, Reason.NONE)]
    assert not halves_left(net)
    assert not tables_left(net)
    assert net.simulation.idle
    assert all(lane.next is None for link in net.medium.links.values() for lane in link.lanes)


@pytest.mark.requirement("QS-L2-050", "QS-L3-010")
def test_circuits_that_share_links_in_both_directions_get_their_own_pairs():
    """Four flows cross on one link, two of them backwards; each ends where it should, with the announced state."""
    flows = [Flow(0, 4, 300), Flow(5, 1, 300), Flow(4, 1, 300), Flow(2, 3, 300)]
    net = Network(CROSS, flows, seed=4)
    net.start()
    net.run(20)
    assert net.tally.delivered == [300] * 4
    assert len(net.tally.finished) == 8
    assert not halves_left(net)
    assert not tables_left(net)
    assert min(net.tally.fidelities) > 0.3  # a pair in another's frame would have 0.0 to 0.02
    # every consumed pair was one pair: the two halves that were told the same number were halves of each other
    assert net.tally.strangers == 0


def test_a_mesh_serves_every_flow_and_is_left_clean():
    net = mesh(40, 12, seed=2)
    net = Network(list(net.medium.links), [replace(flow, number=50) for flow in net.flows], seed=2, lanes=4)
    net.start()
    net.run(20)
    assert net.tally.delivered == [50] * 12
    assert net.tally.strangers == 0
    assert not halves_left(net)
    assert not tables_left(net)


@pytest.mark.requirement("QS-L1-012")
def test_same_seed_same_run():
    runs = []
    for seed in (1, 1, 2):
        net = Network(CROSS, [Flow(0, 4, 50, key=True), Flow(5, 1, 50)], seed=seed)
        net.start()
        net.run(5)
        runs.append((net.tally.times, net.tally.fidelities, net.tally.errors, net.simulation.events))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.requirement("QS-CL-013")
@pytest.mark.parametrize("distilled", [False, True])
def test_nothing_changes_when_every_message_travels_as_bytes(distilled):
    tallies = []
    for encoded in (False, True):
        net = Network(CROSS[1:], [Flow(1, 4, 100, key=True), Flow(5, 2, 100)], seed=5, distilled=distilled)
        for node in net.simulation.nodes.values() if encoded else ():
            inner = node.table[Send]
            node.table[Send] = lambda noun, context, inner=inner: inner(
                Send(noun.peer, decode(encode(noun.message))), context
            )
        net.start()
        net.run(10)
        tallies.append(net.tally)
    assert tallies[0].delivered == [100, 100]
    assert tallies[0] == tallies[1]


# -- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L3-026", "QS-L5-006")
@pytest.mark.parametrize("segments", [1, 3])
def test_errors_are_counted_and_agree_with_the_state(segments):
    """e_X and e_Z follow (1 - x) / 2 and (1 - z) / 2 of the pairs that were measured (QS-L5-006)."""
    net = chain(segments, number=12_000, key=True, seed=2)
    net.start()
    net.run(30)
    a, b = (net.applications[node][0] for node in (0, segments))
    assert net.tally.delivered == [12_000]
    assert len(net.tally.finished) == 2
    assert a.counts == b.counts
    assert list(a.key) == list(b.key)
    revealed = sum(n for n, _ in a.counts.values())
    sifted = revealed + len(a.key)
    assert abs(sifted - 6000) < 4 * sqrt(3000)
    assert abs(len(a.key) - sifted / 4) < 4 * sqrt(sifted * 3 / 16)
    z = ((4 * BORN - 1) / 3) ** segments
    mean = sum(net.tally.fidelities) / len(net.tally.fidelities)
    x = (4 * mean - 1 - z) / 2
    key_errors = sum(a.key[pair] != b.key[pair] for pair in a.key)
    for errors, bits, correlator in (
        (a.counts[Basis.Z][1], a.counts[Basis.Z][0], z),
        (a.counts[Basis.X][1], a.counts[Basis.X][0], x),
        (key_errors, len(a.key), z),
    ):
        rate = (1 - correlator) / 2
        assert abs(errors / bits - rate) < 4 * sqrt(rate * (1 - rate) / bits)


# -- without messages -----------------------------------------------------------------------------------------------


def deaf_to(net: Network, plane: tuple[type[Message], ...]) -> None:
    """Lose every message of a plane."""
    for node in net.simulation.nodes.values():
        inner = node.table[Send]
        node.table[Send] = lambda noun, context, inner=inner: (
            () if isinstance(noun.message, plane) else inner(noun, context)
        )


LINK = tuple(getattr(link_messages, name) for name in ("Add", "AddAck", "AddRej", "Drop", "DropAck", "DistilBit"))
SIGNALLING = tuple(getattr(network_messages, name) for name in ("SetupReq", "SetupRsp", "Reject", "Teardown"))


@pytest.mark.requirement("QS-L4-015")
@pytest.mark.parametrize(
    ("plane", "reason"), [(LINK, Reason.NOTIME), (LINK[1:2], Reason.NOTIME), (SIGNALLING[1:2], Reason.LOST_PEER)]
)
def test_a_lost_plane_is_a_failure_with_a_reason(plane, reason):
    net = chain(3, number=5)
    deaf_to(net, plane)
    net.start()
    net.run(30)
    assert net.tally.delivered == [0]
    assert (0, 0, reason) in net.tally.finished
    assert not halves_left(net)
    assert net.simulation.idle


def test_without_signalling_at_all_both_ends_are_told():
    net = chain(3, number=5)
    deaf_to(net, SIGNALLING)
    net.start()
    net.run(30)
    assert net.tally.finished == [(0, 0, Reason.LOST_PEER), (3, 0, Reason.LOST_PEER)]
    assert not tables_left(net)


def test_without_tracks_nothing_is_delivered_and_the_standstill_has_names():
    net = chain(3, number=5)
    deaf_to(net, (network_messages.Track,))
    net.start()
    net.run(30)
    assert net.tally.delivered == [0]
    (held,) = [w for w in net.simulation.nodes[0].layers[2].waiting() if "TRACK" in w.what]
    assert held.peer == 3


@pytest.mark.requirement("QS-L2-010")
def test_every_queue_agreement_message_may_be_lost_once():  # QS-L2-010
    for kind in LINK[:5]:
        for nth in range(3):
            net = chain(2, number=20)
            drop_one(net, kind, nth)
            net.start()
            net.run(5)
            assert net.tally.delivered == [20], (kind, nth)
            assert not halves_left(net)
            assert not tables_left(net)


def drop_one(net: Network, kind: type[Message], nth: int) -> None:
    """Lose the nth message of a kind, counted over all nodes."""
    count = 0

    def lossy(inner):
        def send(noun, context):
            nonlocal count
            if isinstance(noun.message, kind):
                count += 1
                if count == nth + 1:
                    return ()
            return inner(noun, context)

        return send

    for node in net.simulation.nodes.values():
        node.table[Send] = lossy(node.table[Send])


# -- ends in the middle ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_us", [0, 150, 450, 1234, 20_000, 54_321])
@pytest.mark.parametrize("who", [0, 3])
def test_an_early_close_leaves_nothing_behind(who, at_us):
    net = chain(3, seed=at_us + 1)
    net.start()
    net.run(at_us * 1e-6)
    node = net.simulation.nodes[who]
    node.feed(Close(0), net.simulation.now)
    net.run(at_us * 1e-6 + 1)
    if who == 3 and at_us < 1000:
        node.feed(Close(0), net.simulation.now)  # the first one came before there was a session
        net.run(at_us * 1e-6 + 2)
    assert len(net.tally.finished) == 2
    assert not halves_left(net)
    assert not tables_left(net)


def test_two_sessions_one_after_the_other():
    net = chain(2, number=30)
    net.start()
    net.run(1)
    net.simulation.nodes[0].feed(Start(0), net.simulation.now)
    net.run(2)
    assert net.tally.delivered == [60]
    assert not halves_left(net)
    assert not tables_left(net)


def test_a_flow_to_nowhere_is_refused():
    net = Network([(0, 1), (2, 3)], [Flow(0, 3)])
    net.start()
    net.run(1)
    assert net.tally.finished == [(0, 0, Reason.NO_ROUTE), (3, 0, Reason.NO_ROUTE)]


@pytest.mark.requirement("QS-L3-007")
def test_cutoffs_discard_and_both_ends_still_agree():
    """A short cutoff: many pairs expire, none is delivered at one end only, what is wanted comes in the end."""
    net = chain(4, number=300, lanes=2, cutoff=2 * PERIOD)
    net.start()
    net.run(30)
    assert net.tally.delivered == [300]
    assert net.tally.strangers == 0
    assert sum(box.discards for box in net.medium.boxes.values()) > 1000
    assert not net.tally.open
    assert not halves_left(net)
    assert not tables_left(net)


def test_slow_swaps_and_readout_change_nothing_but_time():
    device = Device(Exponential(1e14, 1e11), (0.98, 0.97, 0.98), 0.99, 30 * 10**6, 70 * 10**6)
    net = chain(3, number=400, device=device, key=True)
    net.start()
    net.run(10)
    a, b = (net.applications[node][0] for node in (0, 3))
    assert net.tally.delivered == [400]
    assert len(net.tally.finished) == 2
    assert a.counts == b.counts
    assert not a.results
    assert not b.results
    assert not halves_left(net)
    assert not tables_left(net)


def test_timers_are_armed_by_layers_only():
    """Every Set that leaves a node is a timer of a layer in its pile: nothing else could take it back."""
    net = chain(2, number=10)
    kinds: set[type[Noun]] = set()
    for node in net.simulation.nodes.values():
        for kind in (Set, Cancel):
            inner = node.table[kind]
            node.table[kind] = lambda noun, context, inner=inner: (kinds.add(type(noun.timer)), inner(noun, context))[1]
    net.start()
    net.run(1)
    handled = {kind for node in net.simulation.nodes.values() for layer in node.layers for kind in handles(layer)}
    assert kinds
    assert all(issubclass(kind, Timer) for kind in kinds)
    assert kinds <= handled
    assert net.simulation.now <= SECOND


def handles(layer: Layer) -> set[type[Noun]]:
    return set(layer.handlers())
