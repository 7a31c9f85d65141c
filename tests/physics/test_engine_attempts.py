"""Skip-ahead and attempt by attempt are the same link; measured pairs, unequal arms, noise."""

from __future__ import annotations

from math import exp, inf, sqrt

import numpy as np
import pytest
from device_bench import GOOD, MODES, PERIOD, Bench, free_at_once
from scipy import stats

from qstack.core.clock import MICROSECOND
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.pairs import Exponential
from qstack.plugin.contracts import Outcome
from qstack.services.bell import flip
from qstack.services.device import (
    Free,
    Herald,
    Trigger,
)
from qstack.wire.physical import NO_CLASSICAL_OTHER, QUEUE_MISMATCH


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
