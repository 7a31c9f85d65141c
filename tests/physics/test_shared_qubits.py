"""Nodes whose links share communication qubits, and storage that pairs are moved into."""

from __future__ import annotations

import itertools
from collections import deque
from math import sqrt

import numpy as np
import pytest
from scipy import stats
from tier_bench import CHAIN, CYCLE, MODES, NOISE, REPLY, RING, TIERS, Bench, platform, scenario, shared

import qstack
from qstack.core.errors import ConfigError
from qstack.services import device


def repeater(tier, attempts, qubits, number, seed=1, p=0.2):
    """Return cycles between deliveries, and fidelities, of a middle node that swaps at once; the ends are freed at once."""
    bench = Bench(tier, attempts, [platform(), platform(qubits), platform()], p=p, seed=seed)
    waiting, far, times, found = {0: deque(), 2: deque()}, {}, [], []

    def react(node, noun, now):
        if node == 1:
            waiting[noun.peer].append(noun.qubit)
        else:
            far[node] = noun.qubit
        if waiting[0] and waiting[2] and len(far) == 2:
            bench.do(1, device.Swap(waiting[0].popleft(), waiting[2].popleft()))
            times.append(now)
            found.append(bench.fidelity(0, far[0], now))
            for end in (0, 2):
                bench.do(end, device.Free(far.pop(end)))

    bench.react = react
    for ends in bench.links:
        bench.want(ends)
    while len(times) <= number:
        bench.clock.run(bench.clock.now + 1000 * CYCLE)
    return np.diff(times[: number + 1]) // CYCLE, np.array(found[:number])


@pytest.mark.requirement("QS-L1-029", "QS-L1-374", "QS-L1-375")
@pytest.mark.parametrize("tier", TIERS)
def test_one_communication_qubit_makes_one_pair_after_the_other(tier):
    """A + B + 1 cycles, A and B geometric: reply and move take 16 ns, so the second link begins two cycles later."""
    number, p = 800, 0.2
    samples = {}
    for seed, mode in enumerate(MODES, 5):
        samples[mode], fidelities = repeater(tier, mode, shared(), number, seed, p)
        assert fidelities == pytest.approx(np.full(number, (1 + 3 * (1 - NOISE)) / 4))  # one half of two was moved
        waits = samples[mode] - 1
        counts = np.bincount(waits, minlength=60)[2:40]
        expected = np.array([(n - 1) * p**2 * (1 - p) ** (n - 2) for n in range(2, 40)])
        keep = expected * number > 3
        assert stats.chisquare(counts[keep], expected[keep] / expected[keep].sum() * counts[keep].sum()).pvalue > 1e-4
        assert abs(waits.mean() - 2 / p) < 4 * sqrt(2 * (1 - p) / p**2 / number)
    assert stats.ks_2samp(samples["skip"], samples["each"]).pvalue > 1e-4


@pytest.mark.parametrize("attempts", MODES)
def test_two_communication_qubits_share_nothing(attempts):
    """Two lanes, a communication qubit for each: as many cycles as the slower link takes, and no move."""
    times, fidelities = repeater("correlators", attempts, shared(communication=2, storage=0), 500)
    assert fidelities == pytest.approx(np.ones(500))
    mean = 2 / 0.2 - 1 / (1 - 0.8**2)
    assert abs(times.mean() - mean) < 4 * times.std() / sqrt(500)


@pytest.mark.requirement("QS-L1-374")
def test_no_two_lanes_use_one_communication_qubit():
    bench = Bench("correlators", "each", [platform(), platform(shared(storage=3)), platform(), platform()], p=0.3)
    link = bench.medium.links[0, 1]
    emitted = []
    original = type(link)._emit

    def emit(self, lane, now, number):
        emitted.append((now, self.ends[0].node))
        return original(self, lane, now, number)

    type(link)._emit = emit
    try:
        for ends in ((0, 1), (1, 2)):
            bench.want(ends)
        held = deque()

        def react(node, noun, now):
            if node == 1:
                held.append(noun.qubit)
                if len(held) == 2:
                    for _ in range(2):
                        bench.do(1, device.Free(held.popleft()))
            else:
                bench.do(node, device.Free(noun.qubit))

        bench.react = react
        bench.clock.run(3000 * CYCLE)
    finally:
        type(link)._emit = original
    times = [now for now, _ in emitted]
    assert len(times) == len(set(times))  # one lane at a time
    changes = [(a, b) for a, b in itertools.pairwise(emitted) if a[1] != b[1]]
    assert len(changes) > 100
    assert all(later[0] - earlier[0] >= CYCLE for earlier, later in changes)  # no photon before the last one's answer


def test_a_half_that_is_used_before_its_move_has_ended_is_used_where_it_was():
    """The other lane waits, the move of 50 ns begins at the herald; the half is read after 20 ns, unspoilt."""
    bench = Bench("exact", "skip", [platform(), platform(shared(move_time="50 ns")), platform()], p=1.0)
    bench.want((0, 1))
    bench.want((1, 2))
    bench.clock.at(REPLY + 20_000, lambda _: bench.do(1, device.Measure(bench.heard[1][2].qubit, 0, 0)), None)
    bench.clock.run(REPLY + 20_000)
    register = bench.medium.exchange.registers[1]
    assert bench.fidelity(0, bench.heard[0][2].qubit, bench.clock.now) == pytest.approx(1)
    bench.clock.run(20 * CYCLE)
    assert [node for node, _, _ in bench.heard[:6]].count(2) == 1  # the other lane went on at once
    assert (register.communication, register.storage) == (0, 1)  # its half waits: nobody else wants the qubit


@pytest.mark.requirement("QS-L1-412")
@pytest.mark.parametrize("attempts", MODES)
@pytest.mark.parametrize(
    ("reach", "moved"), [((), {0, 1}), (((), (0, 1)), {1}), (((0, 1), ()), {0}), (((1,), (0,)), {0, 1})]
)
def test_a_pair_is_moved_only_where_its_communication_qubit_reaches(attempts, reach, moved):
    """Four lanes fill two communication and two storage qubits, whatever reaches what; who cannot move stays unspoilt."""
    middle = platform(shared(communication=2, storage=2, reach=reach))
    bench = Bench("correlators", attempts, [platform(), middle, platform()], p=1.0, lanes=2)
    for ends in bench.links:
        for lane in (0, 1):
            bench.want(ends, lane=lane)
    bench.clock.run(50 * CYCLE)
    places = bench.medium.exchange.registers[1].places
    assert len(places) == 4
    assert {place.emitter for place in places if place.stored} == moved
    assert sorted(place.store for place in places if place.stored) == [0, 1]
    assert all(not reach or place.store in reach[place.emitter] for place in places if place.stored)
    for place in places:
        assert place.half.pair.fidelity == pytest.approx((1 + 3 * (1 - NOISE)) / 4 if place.stored else 1)


@pytest.mark.parametrize("attempts", MODES)
@pytest.mark.parametrize("keep", [True, False])
def test_what_is_no_longer_wanted_gives_its_qubit_back(attempts, keep):
    bench = Bench("correlators", attempts, [platform(), platform(shared()), platform()], p=1e-9)
    bench.want((0, 1), keep=keep)
    bench.clock.at(35_000, lambda _: bench.want((1, 2), keep=keep), None)  # waits
    bench.clock.at(42_000, lambda _: bench.want((0, 1), -1, keep=keep), None)
    bench.clock.run(49_999)
    lanes = [bench.medium.links[ends].lanes[0] for ends in bench.links]
    assert not any(lane.open for lane in lanes)  # the last attempt's answer is still to come
    bench.clock.run(50_000)
    assert [lane.open for lane in lanes] == [False, True]
    bench.clock.at(60_000, lambda _: bench.want((1, 2), -1, keep=keep), None)
    bench.clock.run(70_001)
    assert bench.medium.exchange.registers[1].communication == 1


# -- through the whole stack ------------------------------------------------------------------------------------------

NV = {"communication": 1, "storage": 5, "move_time": "300 us", "move_noise": 0.02}


@pytest.mark.requirement("QS-L1-029")
@pytest.mark.parametrize("memories", [1, 2])
def test_attempt_by_attempt_equals_skip_ahead_in_a_chain(memories):
    runs = {mode: qstack.load(scenario(CHAIN, mode, memories=memories, qubits=NV)).run().flows[0] for mode in MODES}
    skip, each = runs["skip"], runs["each"]
    assert skip.delivered == each.delivered == 150
    for x, y in ((skip.fidelities, each.fidelities), (np.diff(skip.times_s), np.diff(each.times_s))):
        assert abs(x.mean() - y.mean()) < 4 * np.hypot(x.std(), y.std()) / sqrt(len(x))
        assert stats.ks_2samp(x, y).pvalue > 1e-4


def test_both_tiers_move_alike():
    fast, slow = (qstack.load(scenario(CHAIN, tier=tier, qubits=NV)).run().flows[0] for tier in TIERS)
    assert slow.fidelities == pytest.approx(fast.fidelities, abs=1e-9)
    assert list(slow.times_s) == list(fast.times_s)


@pytest.mark.parametrize("attempts", MODES)
def test_nobody_waits_for_ever_in_a_ring(attempts):
    flows = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("b", "d")]
    result = qstack.load(scenario(RING, attempts, flows=flows, number=40, qubits=NV)).run()
    assert [flow.delivered for flow in result.flows] == [40] * 5


@pytest.mark.parametrize("attempts", MODES)
def test_lost_answers_cost_pairs_and_no_qubits(attempts):
    data = scenario(CHAIN, attempts, flows=[("n0", "n3"), ("n2", "n1")], number=60, qubits=NV)
    lost = {"message": "Reply", "probability": 0.2, "action": "drop", "to": "n1"}
    data["faults"] = [{**lost, "from": "n0"}, {**lost, "from": "n2"}]
    assert [flow.delivered for flow in qstack.load(data).run().flows] == [60, 60]


def test_sharing_costs_what_the_router_expects_of_it():
    alone, together = (qstack.load(scenario(CHAIN, **sheet)).plan.view for sheet in ({}, {"qubits": NV}))
    for before, after in zip(alone.edges, together.edges, strict=True):
        assert after.rows[0].seconds_per_pair == pytest.approx(2 * before.rows[0].seconds_per_pair)
    assert together.swap_factors[1] == pytest.approx(0.98 * alone.swap_factors[1])


@pytest.mark.requirement("QS-L1-376")
def test_links_that_could_fill_every_qubit_are_refused():
    """Two links of two memories, one communication and two storage qubits: both pairs of one side leave one place."""
    few = {**NV, "storage": 2}
    with pytest.raises(ConfigError, match=r"(?s)'n1'.*up to 4 pairs.*3 qubits.*qubits\.storage"):
        qstack.load(scenario(CHAIN, memories=2, qubits=few))
    assert qstack.load(scenario(CHAIN, memories=2, qubits={**NV, "storage": 3}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"communication": 0}, "qubits.communication"),
        ({"communication": 1.5}, "qubits.communication"),
        ({"storage": -1}, "qubits.storage"),
        ({"move_noise": 1.2}, "between 0 and 1"),
        ({"move_time": "-1 us"}, "negative"),
        ({"move_tim": "1 us"}, "move_time"),
        ({"reach": [[0, 1], [2, 3, 4]]}, "2 lists for 1 communication"),
        ({"reach": [[0, 1, 2, 3, 4, 5]]}, "no storage qubit 5"),
        ({"reach": [[0, 1, 2, 4]]}, "no communication qubit reaches storage qubit 3"),
    ],
)
def test_wrong_registers_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        qstack.load(scenario(CHAIN, qubits={**NV, **change}))


# -- measured at once -------------------------------------------------------------------------------------------------


def measured(attempts, seed, cycles=12_000):
    """Return how many pairs of either link a node with one communication qubit makes, and their times [cycles]."""
    bench = Bench("correlators", attempts, [platform(), platform(shared()), platform()], p=0.1, seed=seed)
    bench.react = lambda node, noun, now: bench.do(node, device.Free(noun.qubit)) if noun.qubit >= 0 else None
    bench.want((0, 1), keep=False)
    bench.want((1, 2), keep=True)
    bench.clock.run(cycles * CYCLE)
    return [np.array([now // CYCLE for node, now, _ in bench.heard if node == end]) for end in (0, 2)]


@pytest.mark.requirement("QS-L1-029", "QS-L1-374")
def test_a_link_that_measures_takes_turns_with_one_that_keeps():
    """One success of each link after the other: A + B attempts, geometric, and no pair of a link follows its own."""
    samples = {}
    for seed, mode in enumerate(MODES, 8):
        one, two = measured(mode, seed)
        assert abs(len(one) - len(two)) <= 1
        turns = sorted([(t, 0) for t in one] + [(t, 1) for t in two])
        assert all(a[1] != b[1] for a, b in itertools.pairwise(turns))
        samples[mode] = np.diff(one)
        number = len(samples[mode])
        assert number > 400
        assert abs(samples[mode].mean() - 20) < 4 * sqrt(2 * 0.9 / 0.01 / number) + 1
    skip, each = samples["skip"], samples["each"]
    assert stats.ks_2samp(skip, each).pvalue > 1e-4
    assert abs(skip.mean() - each.mean()) < 4 * np.hypot(skip.std() / sqrt(len(skip)), each.std() / sqrt(len(each)))


@pytest.mark.parametrize("attempts", MODES)
def test_two_links_that_measure_take_turns_too(attempts):
    bench = Bench("correlators", attempts, [platform(), platform(shared()), platform()], p=0.2, seed=4)
    for ends in bench.links:
        bench.want(ends, keep=False)
    bench.clock.run(4000 * CYCLE)
    nodes = [node for node, _, _ in bench.heard if node != 1]
    assert len(nodes) > 300
    assert all(a != b for a, b in itertools.pairwise(nodes))
