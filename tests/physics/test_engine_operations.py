"""Operations of a device: how long they take, what they do to pairs, and what is no operation."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import pytest
from device_bench import GOOD, MODES, PERIOD, Bench
from scipy import stats

from qstack.core.clock import MICROSECOND
from qstack.core.errors import ConfigError, LocalProtocolError, PhysicsError
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Medium
from qstack.hardware.pairs import Half, Pair, measure, swap
from qstack.hardware.randomness import Stream
from qstack.hosts.simulation import Simulation
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
