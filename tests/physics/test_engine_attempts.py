"""Skip-ahead and attempt by attempt are the same link; measured pairs, unequal arms, noise, durations."""

from __future__ import annotations

from math import exp, inf, sqrt

import numpy as np
import pytest
from scipy import stats

from qstack.core.clock import MICROSECOND
from qstack.core.errors import ConfigError, LocalProtocolError, PhysicsError
from qstack.core.layer import Context
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Medium
from qstack.hardware.pairs import Exponential, Half, Pair, measure, swap
from qstack.hardware.randomness import Stream
from qstack.hosts.simulation import Simulation
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Outcome
from qstack.quantum.purification import dejmps, purification_factors
from qstack.services.bell import flip
from qstack.services.device import (
    Apply,
    Distil,
    Distilled,
    Free,
    Herald,
    Measure,
    Measured,
    Swap,
    Swapped,
    Trigger,
)
from qstack.wire.physical import NO_CLASSICAL_OTHER, QUEUE_MISMATCH

PERIOD = 10 * MICROSECOND
GOOD = (Outcome(1.0, 0, (1.0, 1.0, 1.0)),)
MODES = ("skip", "each")


class Bench:
    """Two or three nodes without layers: device requests in, indications out."""

    def __init__(
        self,
        attempts: str,
        settings: tuple[Setting, ...] = (Setting(PERIOD, 0.1, GOOD),),
        *,
        lanes: int = 1,
        emit: tuple[int, int] = (0, 0),
        reply: tuple[int, int] = (MICROSECOND, MICROSECOND),
        device: Device | None = None,
        nodes: int = 2,
        seed: int = 1,
    ) -> None:
        self.clock = Simulation()
        self.medium = Medium(self.clock, seed, attempts=attempts, midpoint=lambda ends: Midpoint(ends, window=1))
        self.heard: list[tuple[int, int, object]] = []
        self.react = lambda node, noun: ()
        self.tables = {}
        self.context = Context(0)
        for node in range(nodes):
            self.medium.add_node(node, device or Device(None), lambda noun, now, node=node: self.hear(node, noun, now))
            self.tables[node] = self.medium.effects(node, f"node {node}")
        for node in range(nodes - 1):
            self.medium.add_link((node, node + 1), lanes, settings, emit, reply, f"link {node}")

    def hear(self, node: int, noun: object, now: int) -> None:
        assert now == self.clock.now
        self.heard.append((node, now, noun))
        for request in self.react(node, noun):
            self.do(node, request)

    def do(self, node: int, request) -> list:
        self.context.now = self.clock.now
        return list(self.tables[node][type(request)](request, self.context))

    def both(self, aid: int, *, keep: bool = True, bases: tuple[int, ...] = (), row: int = 0, lane: int = 0) -> None:
        for node in (0, 1):
            self.do(node, Trigger(1 - node, lane, aid, row, keep, bases))

    def heralds(self, node: int = 0) -> list[tuple[int, Herald]]:
        return [(now, noun) for n, now, noun in self.heard if n == node and isinstance(noun, Herald)]


def free_at_once(node: int, noun: object) -> tuple[Free, ...]:
    return (Free(noun.qubit),) if isinstance(noun, Herald) and noun.qubit >= 0 else ()


def intervals(attempts: str, *, keep: bool, seconds: float, probability: float = 0.1, reply: int = MICROSECOND):
    b = Bench(attempts, (Setting(PERIOD, probability, GOOD),), reply=(reply, reply))
    b.react = free_at_once
    b.both(3, keep=keep, bases=() if keep else (0, 1))
    b.clock.run(int(seconds * 1e12))
    return np.diff([noun.emitted for _, noun in b.heralds()]) // PERIOD


@pytest.mark.requirement("QS-L1-014", "QS-L1-029")
@pytest.mark.parametrize("reply", [MICROSECOND, 37 * MICROSECOND])
@pytest.mark.parametrize("keep", [True, False])
def test_times_between_successes_are_geometric_in_both_modes(keep, reply):
    stride = -(-reply // PERIOD) if keep else 1  # a kept qubit waits for the answer
    samples = {mode: intervals(mode, keep=keep, seconds=0.4, reply=reply) for mode in MODES}
    for sample in samples.values():
        assert set(sample % stride) == {0}
        steps = sample // stride
        assert abs(steps.mean() - 10) < 4 * sqrt(90 / len(steps))
        expected = 0.1 * 0.9 ** np.arange(40)
        counts = np.bincount(steps, minlength=41)[1:41]
        assert stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 1e-4
    assert stats.ks_2samp(samples["skip"], samples["each"]).pvalue > 1e-4


def changes(attempts: str, *, keep: bool, seed: int) -> list[tuple[int, int]]:
    """Return (time, aid) of all heralds when one end changes its mind a moment after the other, again and again."""
    b = Bench(attempts, (Setting(PERIOD, 0.3, GOOD),), reply=(35 * MICROSECOND, 35 * MICROSECOND), seed=seed)
    b.react = free_at_once
    bases = () if keep else (0, 1)
    for step in range(8):
        at = step * 95 * MICROSECOND
        b.clock.at(at, lambda aid: b.do(0, Trigger(1, 0, aid, 0, keep, bases)), step)
        b.clock.at(at + 25 * MICROSECOND, lambda aid: b.do(1, Trigger(0, 0, aid, 0, keep, bases)), step)
    b.clock.run(760 * MICROSECOND)
    return [(now, noun.aid) for now, noun in b.heralds()]


@pytest.mark.requirement("QS-L1-028")
@pytest.mark.parametrize("keep", [True, False])
def test_a_change_redraws_only_what_was_not_emitted(keep):
    """Every 95 us both ends change their minds, 25 us apart: times and numbers of successes agree in both modes."""
    found = {mode: [h for seed in range(400) for h in changes(mode, keep=keep, seed=seed)] for mode in MODES}
    counts = {mode: np.bincount([aid for _, aid in found[mode]], minlength=8) for mode in MODES}
    table = np.array([counts["skip"], counts["each"]])
    assert stats.chi2_contingency(table).pvalue > 1e-4
    assert abs(table[0].sum() - table[1].sum()) < 4 * sqrt(table.sum())
    times = [np.array([now for now, _ in found[mode]]) for mode in MODES]
    assert stats.ks_2samp(*times).pvalue > 1e-4
    for mode in MODES:
        for now, aid in found[mode]:
            emitted = now - 35 * MICROSECOND
            assert aid * 95 * MICROSECOND + 25 * MICROSECOND <= emitted < (aid + 1) * 95 * MICROSECOND or aid == 7


@pytest.mark.requirement("QS-L1-026")
def test_one_sided_attempts_are_refused_by_the_midpoint():
    b = Bench("each", (Setting(PERIOD, 1.0, GOOD),))
    b.do(0, Trigger(1, 0, 5, 0, keep=True, bases=()))
    b.clock.run(100 * MICROSECOND)
    b.do(1, Trigger(0, 0, 6, 0, keep=True, bases=()))
    b.clock.run(200 * MICROSECOND)
    assert not b.heard
    link = b.medium.links[0, 1]
    assert link.refused == {NO_CLASSICAL_OTHER: 11, QUEUE_MISMATCH: 10}
    b.do(1, Trigger(0, 0, 5, 0, keep=True, bases=()))
    b.clock.run(211 * MICROSECOND)
    assert [(node, now, noun.aid, noun.sequence) for node, now, noun in b.heard] == [
        (0, 211 * MICROSECOND, 5, 0),
        (1, 211 * MICROSECOND, 5, 0),
    ]


@pytest.mark.requirement("QS-L1-026")
@pytest.mark.parametrize("attempts", MODES)
def test_no_agreement_no_attempt(attempts):
    b = Bench(attempts, (Setting(PERIOD, 1.0, GOOD),) * 2)
    b.do(0, Trigger(1, 0, 5, 0, keep=True, bases=()))
    for other in (
        Trigger(0, 0, 6, 0, keep=True, bases=()),
        Trigger(0, 0, 5, 1, keep=True, bases=()),
        Trigger(0, 0, -1, 0, keep=True, bases=()),
    ):
        b.do(1, other)
        b.clock.run(b.clock.now + 50 * MICROSECOND)
    assert not b.heard


@pytest.mark.requirement("QS-L1-027")
@pytest.mark.parametrize("attempts", MODES)
def test_a_full_memory_attempts_no_more_and_both_ends_are_told_alike(attempts):
    b = Bench(attempts, lanes=3)
    for lane in range(3):
        b.both(lane, lane=lane)
    b.clock.run(10**10)
    assert [h for _, h in b.heralds(0)] == [
        Herald(1, h.lane, h.aid, h.sequence, h.bell, h.qubit, h.emitted, -1, -1) for _, h in b.heralds(0)
    ]
    assert [h.sequence for _, h in b.heralds(0)] == [0, 1, 2]
    assert {h.lane for _, h in b.heralds(0)} == {0, 1, 2}
    mine, theirs = ([(now, h.lane, h.aid, h.sequence, h.qubit) for now, h in b.heralds(n)] for n in (0, 1))
    assert mine == theirs
    first = b.heralds(0)[0][1]
    b.do(0, Free(first.qubit))
    b.clock.run(2 * 10**10)
    assert len(b.heralds(0)) == 3  # the other half still fills its memory
    b.do(1, Free(first.qubit))
    b.clock.run(3 * 10**10)
    assert len(b.heralds(0)) == 4


@pytest.mark.parametrize("attempts", MODES)
def test_unequal_arms_tell_each_end_in_its_own_time(attempts):
    arms = (30 * MICROSECOND, 10 * MICROSECOND)
    law = Exponential(inf, 100.0 * MICROSECOND)
    b = Bench(
        attempts,
        emit=(0, 20 * MICROSECOND),
        reply=(60 * MICROSECOND, 40 * MICROSECOND),
        device=Device(law),
    )
    b.both(1)
    b.clock.run(10**11)
    (a, mine), (c, theirs) = b.heralds(0)[0], b.heralds(1)[0]
    assert a - c == 20 * MICROSECOND
    assert theirs.emitted - mine.emitted == 20 * MICROSECOND
    assert a - mine.emitted == 2 * arms[0]
    assert c - theirs.emitted == 2 * arms[1]
    now = mine.emitted + 100 * MICROSECOND
    for node in (0, 1):
        b.medium.qubits[node][mine.qubit].age(now)
    xy = exp(-(100 + 80) / 100)
    assert b.medium.qubits[0][mine.qubit].pair.fidelity == pytest.approx((2 + 2 * xy) / 4, rel=1e-12)


@pytest.mark.requirement("QS-L1-007", "QS-L1-014")
@pytest.mark.parametrize("attempts", MODES)
def test_outcomes_are_announced_with_their_shares(attempts):
    outcomes = (Outcome(0.3, 2, (0.9, 0.9, 0.9)), Outcome(0.7, 3, (0.8, 0.8, 0.8)))
    b = Bench(attempts, (Setting(PERIOD, 0.5, outcomes),))
    b.react = free_at_once
    b.both(1)
    b.clock.run(8 * 10**10)
    bells = np.array([h.bell for _, h in b.heralds()])
    assert abs((bells == 2).mean() - 0.3) < 4 * sqrt(0.21 / len(bells))
    assert set(bells) == {2, 3}


@pytest.mark.requirement("QS-CV-002", "QS-L1-009", "QS-L2-033")
@pytest.mark.parametrize("attempts", MODES)
def test_measured_pairs_follow_the_state_and_each_end_its_own_bases(attempts):
    """Error rates by basis are (1 - correlator) / 2, readout included; bases are independent and fair."""
    correlators, readout = (0.9, 0.7, 0.8), 0.95
    b = Bench(attempts, (Setting(PERIOD, 0.5, (Outcome(1.0, 3, correlators),)),), device=Device(None, readout=readout))
    b.both(1, keep=False, bases=(0, 1, 2))
    b.clock.run(int(2.5e11))
    pairs = list(zip(b.heralds(0), b.heralds(1), strict=True))
    assert len(pairs) > 10_000
    assert all(x.sequence == y.sequence and x.qubit == y.qubit == -1 for (_, x), (_, y) in pairs)
    assert not b.medium.qubits[0]
    joint = np.zeros((3, 3))
    for basis, value in zip((0, 1, 2), (0.8, 0.9, 0.7), strict=True):
        same = [(x, y) for (_, x), (_, y) in pairs if x.basis == y.basis == basis]
        wrong = np.mean([x.outcome ^ y.outcome ^ flip(3, basis) ^ (basis == 2) for x, y in same])
        expected = (1 - value * readout**2) / 2
        assert abs(wrong - expected) < 4 * sqrt(expected * (1 - expected) / len(same))
    for (_, x), (_, y) in pairs:
        joint[x.basis, y.basis] += 1
    assert stats.chisquare(joint.ravel()).pvalue > 1e-4
    bits = np.array([x.outcome for (_, x), _ in pairs])
    assert abs(bits.mean() - 0.5) < 4 * 0.5 / sqrt(len(bits))
    different = [x.outcome ^ y.outcome for (_, x), (_, y) in pairs if x.basis != y.basis]
    assert abs(np.mean(different) - 0.5) < 4 * 0.5 / sqrt(len(different))


# -- operations -----------------------------------------------------------------------------------------------------


def test_memories_are_busy_until_their_operation_ends():
    settings = (Setting(PERIOD, 1.0, GOOD),)
    b = Bench("skip", settings, device=Device(None, swap_time=3 * PERIOD, readout_time=2 * PERIOD), nodes=3)
    for left, right in ((0, 1), (1, 2)):
        b.do(left, Trigger(right, 0, 1, 0, keep=True, bases=()))
        b.do(right, Trigger(left, 0, 1, 0, keep=True, bases=()))
    b.clock.run(MICROSECOND)
    (left, right), (far,) = sorted(b.medium.qubits[1]), sorted(b.medium.qubits[2])
    b.do(0, Free(left))
    assert b.do(1, Swap(left, right)) == []
    assert b.do(2, Measure(far, 0, 9)) == []
    b.clock.run(MICROSECOND + 3 * PERIOD - 1)
    told = [(node, now, type(noun)) for node, now, noun in b.heard if not isinstance(noun, Herald)]
    assert told == [(2, MICROSECOND + 2 * PERIOD, Measured)]
    assert len([n for n, _, noun in b.heard if isinstance(noun, Herald)]) == 4
    b.clock.run(MICROSECOND + 6 * PERIOD)
    assert (1, MICROSECOND + 3 * PERIOD, Swapped) in [(node, now, type(noun)) for node, now, noun in b.heard]
    assert len([n for n, _, noun in b.heard if isinstance(noun, Herald)]) == 8


def halves(correlators: tuple[float, float, float], bell: int) -> tuple[Half, Half]:
    pair = Pair(bell, *correlators)
    pair.a, pair.b = Half(pair, None, 0, None, 0), Half(pair, None, 0, None, 1)
    return pair.a, pair.b


@pytest.mark.requirement("QS-L3-026")
@pytest.mark.parametrize(("basis", "index"), [(0, 2), (1, 0), (2, 1)])
@pytest.mark.parametrize("early", [(), (0,), (1,), (0, 1)])
def test_outcomes_of_ends_explain_the_swap_whenever_they_measured(early, basis, index):
    """Ends may measure before or after the swap: the error rate is that of the product of correlators."""
    one, two, factors, shots = (0.9, 0.8, 0.7), (0.8, 0.9, 0.95), (0.95, 0.9, 0.97), 3000
    draw = Stream(7, 0, "swap")
    wrong, outcomes = [], []
    for _ in range(shots):
        (head, left), (right, tail) = halves(one, 1), halves(two, 2)
        ends, bits = (head, tail), [0, 0]
        for end in early:
            bits[end] = measure(ends[end], basis, 1.0, draw, 0)
        outcomes.append(swap(left, right, factors, draw, 0))
        for end in {0, 1} - set(early):
            bits[end] = measure(ends[end], basis, 1.0, draw, 0)
        wrong.append(bits[0] ^ bits[1] ^ flip(1 ^ 2 ^ outcomes[-1], basis) ^ (basis == 2))
    expected = (1 - one[index] * two[index] * factors[index]) / 2
    assert abs(np.mean(wrong) - expected) < 4 * sqrt(expected * (1 - expected) / shots)
    assert stats.chisquare(np.bincount(outcomes, minlength=4)).pvalue > 1e-4


@pytest.mark.requirement("QS-L3-019")
@pytest.mark.parametrize(("q", "m"), [(0.0, 0.0), (0.05, 0.03)])
def test_distillation_is_what_the_pure_function_says(q, m):
    raw = (0.85, 0.75, 0.8)
    b = Bench(
        "skip",
        (Setting(PERIOD, 0.5, (Outcome(1.0, 2, raw),)),),
        lanes=2,
        device=Device(None, readout=1 - 2 * m, gate=1 - q),
    )
    kept, fidelity = 0, 0.0
    shots = 3000
    for shot in range(shots):
        for lane in (0, 1):
            b.both(shot + 1, lane=lane)
        while len(b.medium.qubits[0]) < 2:
            b.clock.run(b.clock.now + 20 * PERIOD)
        spare, keep = sorted(b.medium.qubits[0])
        (mine,) = b.do(0, Distil(keep, spare, "dejmps", 2, 2))
        (theirs,) = b.do(1, Distil(keep, spare, "dejmps", 0, 0))
        assert isinstance(mine, Distilled)
        pair = b.medium.qubits[0][keep].pair
        if mine.outcome == theirs.outcome:
            kept += 1
            fidelity = pair.fidelity
            assert pair.bell == 0
        for node in (0, 1):
            b.do(node, Free(keep))
    probability, correlators = dejmps(raw, raw, *purification_factors(q, m))
    assert abs(kept / shots - probability) < 4 * sqrt(probability * (1 - probability) / shots)
    assert fidelity == pytest.approx((1 + sum(correlators)) / 4, rel=1e-12)


@pytest.mark.requirement("QS-L1-032")
def test_a_law_that_is_not_exponential_is_read_by_total_age():
    class Gaussian:
        def survival(self, start: int, end: int) -> tuple[float, float]:
            return exp(-((end / 1e8) ** 2) + (start / 1e8) ** 2), 1.0

    b = Bench("skip", device=Device(Gaussian()))
    b.both(1)
    b.clock.run(10**10)
    half = next(iter(b.medium.qubits[0].values()))
    for step in (3, 5, 11):  # looking in between changes nothing
        half.age(half.born + step * 10**7)
    assert half.pair.x == pytest.approx(exp(-(1.1**2)), rel=1e-12)


# -- misuse ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L1-010", "QS-L1-017")
def test_a_qubit_is_gone_when_it_is_gone():  # QS-L1-010
    b = Bench("skip", lanes=2)
    for lane in (0, 1):
        b.both(1, lane=lane)
    b.clock.run(10**10)
    one, two = sorted(b.medium.qubits[0])
    b.do(0, Free(one))
    for request in (
        Free(one),
        Measure(one, 0, 0),
        Swap(one, two),
        Apply(one, 1),
        Distil(one, two, "dejmps", 0, 0),
        Trigger(1, 9, 0, 0, keep=True, bases=()),
        Trigger(7, 0, 0, 0, keep=True, bases=()),
        Swap(two, two),
    ):
        with pytest.raises(LocalProtocolError):
            b.do(0, request)
    assert list(b.medium.qubits[0]) == [two]


@pytest.mark.parametrize("given", [{"attempts": "every"}, {"attempts": "each"}])
def test_a_medium_without_a_way_to_attempt_is_refused(given):
    with pytest.raises(ConfigError, match="attempts"):
        Medium(Simulation(), 1, **given)


@pytest.mark.parametrize(("period", "probability"), [(0, 0.5), (-1, 0.5), (1, -0.1), (1, 1.1)])
def test_an_impossible_setting_is_refused(period, probability):
    with pytest.raises(PhysicsError):
        Setting(period, probability, GOOD)


@pytest.mark.parametrize("attempts", MODES)
def test_nothing_ever_succeeds_with_probability_zero(attempts):
    b = Bench(attempts, (Setting(PERIOD, 0.0, GOOD),))
    b.both(1)
    b.clock.run(1000 * PERIOD)
    assert not b.heard
