"""Waiting times against direct sums, exact exponentials and a chain walked slot by slot."""

from __future__ import annotations

import itertools
from collections import defaultdict
from math import comb, exp

import numpy as np
import pytest

from qstack.core.errors import PhysicsError
from qstack.quantum import waiting
from qstack.quantum.cutoff import _explore, count_states, swap_asap_cutoff
from qstack.quantum.waiting import dephasing_swap_asap, mean_max_geometric, mean_nested_restart


@pytest.mark.parametrize("p", [1.0, 0.7, 0.1, 1e-3, 9e-4, 1e-7])
@pytest.mark.parametrize("segments", [1, 2, 5, 12])
def test_max_geometric_by_inclusion_and_exclusion(segments, p):
    expected = (
        sum((-1) ** (k + 1) * comb(segments, k) / -np.expm1(k * np.log1p(-p)) for k in range(1, segments + 1))
        if (p < 1)
        else 1
    )
    assert mean_max_geometric(segments, p) == pytest.approx(expected, rel=1e-10)


def test_max_geometric_of_many():
    by_sum = mean_max_geometric(1024, 0.0011)
    by_integral = sum(1 / k for k in range(1, 1025)) / -np.log1p(-0.0011) + 0.5
    assert by_sum == pytest.approx(by_integral, rel=1e-12)
    assert mean_max_geometric(64, 0.01) == pytest.approx(472.513, abs=5e-4)


def exact_nested(levels, p, ps):
    """Survival as a sum of powers {v: weight}, S(t) = sum of weight * (1 - p v)^t; v in units of p keeps digits."""
    survival = {1.0: 1.0}
    for level in range(levels):
        larger = defaultdict(float)
        for (v, a), (u, b) in itertools.product(survival.items(), repeat=2):
            larger[v + u - p * v * u] -= a * b
        for v, a in survival.items():
            larger[v] += 2 * a
        if level == levels - 1:
            return float(np.real(sum(a / (p * v) for v, a in larger.items()))) / ps
        poles, weights = np.array(list(larger)), np.array(list(larger.values()))
        # With A(z) = sum of a / (1 - rz), the survival of a geometric sum is A / (ps + (1-ps) (1-z) A); in v, where
        # 1/z = 1 - p v, that is N / D with N = sum a prod(v - v_j), D = ps prod(v - v_k) + (1-ps) v N.
        above = sum(a * np.poly(np.delete(poles, k)) for k, a in enumerate(weights))
        roots = np.roots(np.polyadd(ps * np.poly(poles), (1 - ps) * np.append(above, 0.0)))
        survival = {root: np.polyval(above, root) / np.prod(root - np.delete(roots, k)) for k, root in enumerate(roots)}
    return 1 / p


@pytest.mark.parametrize(("p", "ps"), [(0.1, 0.5), (0.3, 0.9), (0.002, 0.4), (1e-5, 0.7), (0.01, 0.02), (0.3, 1e-5)])
@pytest.mark.parametrize("levels", [1, 2, 3])
def test_nested_restart_by_exact_exponentials(levels, p, ps):
    assert mean_nested_restart(levels, p, ps) == pytest.approx(exact_nested(levels, p, ps), rel=1e-7)


def test_nested_restart_without_failures_is_the_largest_of_all():
    assert mean_nested_restart(4, 0.03, 1.0) == pytest.approx(mean_max_geometric(16, 0.03), rel=1e-9)
    assert mean_nested_restart(10, 1e-4, 1.0) == pytest.approx(mean_max_geometric(1024, 1e-4), rel=1e-7)
    assert mean_nested_restart(1, 1.0, 0.5) == pytest.approx(2.0)
    assert mean_nested_restart(2, 1.0, 0.5) == pytest.approx(2 * mean_max_geometric(2, 0.5))
    assert mean_nested_restart(0, 0.25, 0.5) == 4.0


@pytest.mark.parametrize(
    ("p", "ps"),
    [(0.9, 0.05), pytest.param(0.2, 0.5, marks=pytest.mark.slow), pytest.param(1e-4, 0.9, marks=pytest.mark.slow)],
)
def test_nested_restart_does_not_depend_on_the_grid(p, ps, monkeypatch):
    coarse = mean_nested_restart(9, p, ps)
    monkeypatch.setattr(waiting, "GRID", waiting.GRID * 2)
    assert coarse == pytest.approx(mean_nested_restart(9, p, ps), rel=1e-7)


def test_nested_restart_published():
    found = [mean_nested_restart(levels, 0.1, 0.5) for levels in (1, 2, 3)]
    assert found == pytest.approx([29.4736842105, 84.8175804097, 242.348372423], rel=1e-11)


def walk(segments, p, ps, cutoff, steps=100_000):
    """Distribution over rows of segment owners and ages, slot by slot, until nothing is left."""
    empty = (None,) * segments  # cell: (left end of the link, age)
    chain, first, second = {empty: 1.0}, 0.0, 0.0
    for slot in range(1, steps):
        following = defaultdict(float)
        for row, weight in chain.items():
            free = [i for i, cell in enumerate(row) if cell is None]
            for up in itertools.product((0, 1), repeat=len(free)):
                chance = weight
                cells = list(row)
                for i, success in zip(free, up, strict=True):
                    chance *= p if success else 1 - p
                    if success:
                        cells[i] = (i, 0)
                if not chance:
                    continue
                for result, share in swap_all(cells, ps):
                    if all(result):
                        first += slot * chance * share
                        second += slot * slot * chance * share
                        continue
                    aged = tuple(None if c is None or c[1] + 1 >= cutoff else (c[0], c[1] + 1) for c in result)
                    following[aged] += chance * share
        chain = following
        if sum(chain.values()) * slot * slot < 1e-12:
            return first, second - first**2
    raise AssertionError("does not end")


def swap_all(cells, ps):
    """Yield (cells, probability) after every filled stretch swapped or was lost."""
    options = [([], 1.0)]
    for filled, group in itertools.groupby(range(len(cells)), key=lambda i: cells[i] is not None):
        stretch = [cells[i] for i in group]
        links = len({left for left, _ in stretch}) if filled else 1
        merged = [(stretch[0][0], max(age for _, age in stretch))] * len(stretch) if filled else stretch
        lost = [None] * len(stretch)
        chance = ps ** (links - 1)
        options = [(row + out, w * c) for row, w in options for out, c in ((merged, chance), (lost, 1 - chance)) if c]
    return options


@pytest.mark.parametrize(
    ("segments", "p", "ps", "cutoff"),
    [
        (2, 0.3, 0.7, 1),
        (2, 0.3, 0.7, 4),
        (3, 0.4, 0.6, 3),
        (3, 0.5, 1.0, 2),
        (4, 0.5, 0.8, 3),
        (5, 0.6, 0.9, 2),
        (2, 1.0, 1.0, 1),
    ],
)
def test_cutoff_by_walking(segments, p, ps, cutoff):
    assert swap_asap_cutoff(segments, p, ps, cutoff) == pytest.approx(walk(segments, p, ps, cutoff), rel=1e-8, abs=1e-9)


def test_cutoff_limits():
    assert swap_asap_cutoff(2, 0.1, 1.0, 1) == pytest.approx((100, 9900))
    assert [swap_asap_cutoff(2, 0.1, 1.0, t)[0] for t in (5, 20)] == pytest.approx([22.5170370782, 15.4320052965])
    assert swap_asap_cutoff(3, 0.2, 1.0, 60)[0] == pytest.approx(mean_max_geometric(3, 0.2), rel=1e-4)
    assert swap_asap_cutoff(16, 0.9, 0.9, 1)[0] == pytest.approx(0.9**-31)
    assert swap_asap_cutoff(3, 1e-4, 0.5, 1)[0] == pytest.approx(1e12 / 0.25, rel=1e-9)


@pytest.mark.parametrize(("segments", "cutoff"), [(2, 1), (2, 6), (3, 4), (4, 3), (5, 3), (6, 2)])
def test_number_of_states(segments, cutoff):
    assert len(_explore(segments, 0.5, 0.5, cutoff)[0]) == count_states(segments, cutoff)


def test_large_cutoff_chains_by_sparse_matrices():
    sparse = swap_asap_cutoff(3, 0.3, 1.0, 80)
    assert sparse[0] == pytest.approx(mean_max_geometric(3, 0.3), rel=1e-8)
    with pytest.raises(PhysicsError, match="states: an exact solution takes at most"):
        swap_asap_cutoff(9, 0.5, 0.5, 30)
    assert swap_asap_cutoff(16, 1.0, 0.9, 1000)[0] == pytest.approx(0.9**-15)


@pytest.mark.parametrize(("segments", "p", "a"), [(2, 0.3, 0.1), (3, 0.4, 0.05), (4, 0.5, 0.3), (2, 0.6, 2.0)])
def test_dephasing_by_enumeration(segments, p, a):
    slots = {2: 160, 3: 80, 4: 40}[segments]
    axes = np.meshgrid(*[np.arange(1, slots + 1)] * segments, indexing="ij", sparse=True)
    weight = np.ones((1,) * segments)
    storage = np.zeros((1,) * segments)
    for n in axes:
        weight = weight * p * (1 - p) ** (n - 1)
    for n, m in itertools.pairwise(axes):
        storage = storage + abs(n - m)
    latest = np.maximum.reduce(np.broadcast_arrays(*axes))
    ends = 2 * latest - axes[0] - axes[-1]
    expected = (weight * np.exp(-a * storage)).sum(), (weight * np.exp(-a * (storage + ends))).sum()
    assert dephasing_swap_asap(segments, p, a) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("p", "a"), [(0.1, 0.01), (1e-3, 1e-4), (1e-6, 1e-6), (1e-6, 2e-5), (1e-3, 0.2)])
def test_dephasing_of_two_segments_in_closed_form(p, a):
    q = 1 - p
    measured = p / (2 - p) * (1 + q * exp(-a)) / (1 - q * exp(-a))
    stored = p / (2 - p) * (1 + q * exp(-2 * a)) / (1 - q * exp(-2 * a))  # D and the wait of one end are equal
    assert dephasing_swap_asap(2, p, a) == pytest.approx((measured, stored), abs=1e-10)


def test_dephasing_of_rare_successes_by_simulation():
    """Segments 8, p = 2e-4, against 40,000 draws."""
    rng = np.random.Generator(np.random.Philox(5))
    p, a = 2e-4, 5e-5
    ready = rng.geometric(p, (40_000, 8))
    storage = abs(np.diff(ready, axis=1)).sum(1)
    ends = 2 * ready.max(1) - ready[:, 0] - ready[:, -1]
    for exact, sample in zip(
        dephasing_swap_asap(8, p, a), (np.exp(-a * storage), np.exp(-a * (storage + ends))), strict=True
    ):
        assert abs(sample.mean() - exact) < 4 * sample.std() / 200


def test_dephasing_trivial():
    assert dephasing_swap_asap(5, 1.0, 0.3) == (1.0, 1.0)
    assert dephasing_swap_asap(5, 0.2, 0.0) == (1.0, 1.0)
    measured, stored = dephasing_swap_asap(3, 0.2, 800.0)
    assert 0 < stored <= measured < 0.04


@pytest.mark.parametrize(
    "call",
    [
        lambda: mean_max_geometric(0, 0.5),
        lambda: mean_max_geometric(2, 0.0),
        lambda: mean_max_geometric(2, float("nan")),
        lambda: mean_nested_restart(-1, 0.5, 0.5),
        lambda: mean_nested_restart(1, 0.5, 1.5),
        lambda: swap_asap_cutoff(2, 0.5, 0.5, 0),
        lambda: swap_asap_cutoff(2, 0.5, -0.5, 1),
        lambda: dephasing_swap_asap(2, 0.5, -1.0),
        lambda: dephasing_swap_asap(0, 0.5, 1.0),
    ],
)
def test_impossible_values_are_refused(call):
    with pytest.raises(PhysicsError):
        call()
