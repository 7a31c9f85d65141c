"""Ready-made pairs against photons counted one by one, and the timing of schemes."""

from __future__ import annotations

import itertools
from collections import defaultdict
from math import comb, factorial, prod, sqrt

import numpy as np
import pytest

from qstack.core.errors import PhysicsError
from qstack.quantum import exact, timing
from qstack.quantum.heralding import Arm, Detectors, single_click
from qstack.quantum.sources import SqueezedArm, absorptive_single_click, multiplexed, source_in_the_middle

BELL = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0]]) / 2**0.5


def photons(n, modes):
    """n photons in one mode, as amplitudes over numbers of photons in other modes: {(n1, n2, ...): amplitude}."""
    out = {}
    for numbers in itertools.product(range(n + 1), repeat=len(modes)):
        if sum(numbers) == n:
            ways = factorial(n) / prod(map(factorial, numbers))
            out[numbers] = sqrt(ways) * prod(a**k for a, k in zip(modes, numbers, strict=True))
    return out


def merge(left, right):
    """Two sets of photons in the same modes: amplitudes multiply, bosons enhance."""
    total = defaultdict(float)
    for (m, a), (n, b) in itertools.product(left.items(), right.items()):
        boost = prod(sqrt(comb(i + j, i)) for i, j in zip(m, n, strict=True))
        total[tuple(i + j for i, j in zip(m, n, strict=True))] += a * b * boost
    return total


def brute_absorptive(arms, visibility, detectors, most):
    """Unnormalised memories after "+", up to `most` pairs a source; also its trace.

    Modes: + same, - same, + other, - other, lost A, lost B same, lost B other.
    """
    a, b = arms
    v, w, ha, hb = sqrt(visibility), sqrt(1 - visibility), sqrt(a.transmission / 2), sqrt(b.transmission / 2)
    from_a = (ha, ha, 0, 0, sqrt(1 - a.transmission), 0, 0)
    lost = sqrt(1 - b.transmission)
    from_b = (hb * v, -hb * v, hb * w, -hb * w, 0, lost * v, lost * w)
    single_a = [photons(n, from_a) for n in range(most + 1)]
    single_b = [photons(n, from_b) for n in range(most + 1)]
    single_a, single_b = ([{k: x for k, x in d.items() if x} for d in s] for s in (single_a, single_b))
    seen = defaultdict(dict)
    for m, n in itertools.product(range(most + 1), repeat=2):
        weight = prod(
            sqrt((arm.mean_pairs / (1 + arm.mean_pairs)) ** k / (1 + arm.mean_pairs))
            for arm, k in zip(arms, (m, n), strict=True)
        )
        for modes, amplitude in merge(single_a[m], single_b[n]).items():
            seen[modes][m, n] = weight * amplitude
    trace, rho = 0.0, np.zeros((4, 4))
    dark = detectors.dark
    for modes, memories in seen.items():
        here, there = modes[0] + modes[2], modes[1] + modes[3]
        if there:
            continue
        click = ({0: dark, 1: 1 - dark}.get(here, 0) if detectors.number_resolving else 1 if here else dark) * (
            1 - dark
        )
        trace += click * sum(x * x for x in memories.values())
        vectors = defaultdict(lambda: np.zeros(4))  # by what the memories lost
        for (m, n), x in memories.items():
            for k, j in itertools.product((0, 1), repeat=2):
                if k <= m and j <= n:
                    stored = prod(
                        sqrt(comb(total, held) * arm.storage**held * (1 - arm.storage) ** (total - held))
                        for arm, total, held in zip(arms, (m, n), (k, j), strict=True)
                    )
                    vectors[m - k, n - j][2 * k + j] += stored * x
        rho += click * sum(np.outer(vector, vector) for vector in vectors.values())
    return trace, rho


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("number", [False, True])
def test_absorptive_memories(seed, number):
    rng = np.random.default_rng(seed)
    arms = tuple(SqueezedArm(rng.uniform(0.01, 0.06), rng.uniform(0.2, 1), rng.uniform(0.3, 1)) for _ in range(2))
    visibility, detectors = rng.uniform(0.3, 1), Detectors(rng.uniform(0, 0.05), number)
    trace, rho = brute_absorptive(arms, visibility, detectors, 5)
    plus, minus = absorptive_single_click(arms, visibility, detectors)
    assert plus.probability == minus.probability == pytest.approx(trace, rel=1e-5)
    assert plus.leak == pytest.approx(1 - np.trace(rho) / trace, abs=1e-5)
    expected = rho / trace + plus.leak * np.eye(4) / 4
    assert exact.to_density(plus.matrix) == pytest.approx(expected, abs=1e-5)
    assert minus.fidelity == pytest.approx(plus.fidelity, abs=1e-12)
    exact.check_state(plus.matrix)


@pytest.mark.parametrize("number", [False, True])
def test_weak_sources_are_single_click_emitters(number):
    """Few pairs: a pair source with perfect memories is an emitter with that bright-state population."""
    weak, detectors = 1e-7, Detectors(0.0, number)
    source = absorptive_single_click((SqueezedArm(weak, 0.3), SqueezedArm(weak, 0.2)), 0.9, detectors, 0.3)
    emitter = single_click((weak, weak), (Arm(0.3), Arm(0.2)), 0.9, detectors, 0.3)
    assert source[0].probability == pytest.approx(emitter[0].probability, rel=1e-6)
    assert source[0].fidelity == pytest.approx(emitter[0].fidelity, abs=1e-6)


def test_source_in_the_middle():
    """Every combination of loaded and falsely heralded memories, added up."""
    bell, loading, false = (0.9, 0.05, 0.03, 0.02), (0.3, 0.6), (0.02, 0.1)
    pair = sum(c * np.outer(v, v) for c, v in zip(bell, BELL, strict=True))
    total = np.zeros((4, 4))
    for loaded in itertools.product((True, False), repeat=2):
        weight = prod(n if yes else (1 - n) * f for n, f, yes in zip(loading, false, loaded, strict=True))
        total += weight * (pair if all(loaded) else np.eye(4) / 4)  # a Bell-diagonal pair leaves I/2 behind
    outcome = source_in_the_middle(bell, loading, false)
    assert outcome.probability == pytest.approx(np.trace(total))
    assert exact.to_density(outcome.matrix) == pytest.approx(total / np.trace(total), abs=1e-12)
    assert source_in_the_middle(bell, loading).bell_list == pytest.approx(bell)


def test_multiplexing():
    assert multiplexed(0.1, 3) == pytest.approx(1 - 0.9**3)
    assert multiplexed(1e-20, 1000) == pytest.approx(1e-17)
    assert multiplexed(1.0, 5) == 1.0
    with pytest.raises(PhysicsError, match="modes"):
        multiplexed(0.1, 0)


def test_timing():
    middle = timing.meet_in_the_middle(3.0, 5.0)
    assert middle == timing.Timing((2.0, 0.0), (8.0, 10.0), 10.0)
    assert timing.sender_receiver(8.0) == timing.Timing((0.0, 8.0), (16.0, 8.0), 16.0)
    assert timing.source_in_the_middle(4.0, 4.0) == timing.Timing((4.0, 4.0), (12.0, 12.0), 8.0)
    assert timing.source_in_the_middle(3.0, 5.0) == timing.Timing((3.0, 5.0), (13.0, 11.0), 10.0)
    with pytest.raises(PhysicsError, match="delay"):
        timing.meet_in_the_middle(-1.0, 1.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SqueezedArm(1.0, 0.5), "mean pairs"),
        (lambda: SqueezedArm(0.1, 1.5), "transmission"),
        (lambda: SqueezedArm(0.1, 0.5, -1), "storage"),
        (lambda: absorptive_single_click((SqueezedArm(0.0, 0.5),) * 2), "no attempt can succeed"),
        (lambda: source_in_the_middle((1, 0, 0, 0), (0.0, 0.5)), "never heralds"),
        (lambda: source_in_the_middle((1, 0, 0, 0), (1.5, 0.5)), "loading"),
    ],
)
def test_impossible_values_are_refused(call, words):
    with pytest.raises(PhysicsError, match=words):
        call()
