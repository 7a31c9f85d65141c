"""Heralding against photons written out one by one.

A state is a polynomial in creation operators: {(spin A, spin B, photons): amplitude}, photons being a sorted tuple of
modes (place, bin, shape).  Loss and the beam splitter replace creation operators; detectors look at places and bins
only, so shapes and lost photons are traced out.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from math import factorial, prod, sqrt

import numpy as np
import pytest

from qstack.core.errors import PhysicsError
from qstack.quantum import exact
from qstack.quantum.heralding import (
    Arm,
    Detectors,
    double_click,
    mean_correlators,
    single_click,
    success_probability,
)

BELL = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0]]) / 2**0.5
SEEDS = pytest.mark.parametrize("seed", range(3))


def emission(node, time_bin, visibility, twice):
    """Terms {photons: amplitude} of one excited emitter."""
    shapes = {"same": 1.0} if node == "A" else {"same": sqrt(visibility), "other": sqrt(1 - visibility)}
    terms = {((node, time_bin, shape),): sqrt(1 - twice) * a for shape, a in shapes.items() if a}
    if twice:
        terms[(node, time_bin, "first" + node), (node, time_bin, "second" + node)] = sqrt(twice)
    return terms


def product(*factors):
    total = {(): 1.0}
    for factor in factors:
        grown = defaultdict(float)
        for (left, a), (right, b) in itertools.product(total.items(), factor.items()):
            grown[tuple(sorted(left + right))] += a * b
        total = grown
    return total


def propagate(terms, eta, phase):
    """Loss on each arm, a phase on arm B, then the beam splitter."""
    out = defaultdict(complex)
    for photons, amplitude in terms.items():
        factors = []
        for node, time_bin, shape in photons:
            arrive = sqrt(eta[node] / 2) * (np.exp(1j * phase[time_bin]) if node == "B" else 1)
            factors.append(
                {
                    (("+", time_bin, shape),): arrive,
                    (("-", time_bin, shape),): arrive if node == "A" else -arrive,
                    (("lost" + node, time_bin, shape),): sqrt(1 - eta[node]),
                }
            )
        for modes, a in product(*factors).items():
            out[modes] += amplitude * a
    return {modes: a * sqrt(prod(factorial(n) for n in Counter(modes).values())) for modes, a in out.items()}


def announces(photons, dark, detectors):
    """Probability that a detector announces, and that it does not announce and saw nothing."""
    if detectors.number_resolving:
        return {0: dark, 1: 1 - dark}.get(photons, 0.0), (1 - dark) * (photons == 0)
    return (1.0 if photons else dark), (1 - dark) * (photons == 0)


def brute(spins, eta, pattern, detectors, phase):
    """Unnormalised state of the nodes given the pattern; `spins` maps (a, b) to (amplitude, photon terms)."""
    vectors = defaultdict(lambda: np.zeros(4, complex))
    for (a, b), (amplitude, terms) in spins.items():
        for modes, value in propagate(terms, eta, phase).items():
            vectors[modes][2 * a + b] += amplitude * value
    rho = np.zeros((4, 4), complex)
    for modes, vector in vectors.items():
        seen = Counter((place, time_bin) for place, time_bin, _ in modes)
        weight = 1.0
        for time_bin, port in enumerate(pattern):
            other = "-" if port == "+" else "+"
            weight *= announces(seen[port, time_bin], detectors.dark, detectors)[0]
            blind = detectors.dead_between_bins and time_bin == 1 and pattern[0] == other
            weight *= 1.0 if blind else announces(seen[other, time_bin], detectors.dark, detectors)[1]
        rho += weight * np.outer(vector, vector.conj())
    return rho


def averaged(spins, eta, pattern, detectors, sigma, bins):
    """Average over a Gaussian phase of the last bin by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    weights = weights / weights.sum()
    return sum(
        w * brute(spins, eta, pattern, detectors, [0.0] * (bins - 1) + [sigma * node])
        for node, w in zip(nodes, weights, strict=True)
        if w > 1e-14
    )


def depolarised(rho, goodness):
    paulis = [np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])]
    for qubit, w in enumerate(goodness):
        big = [np.kron(p, np.eye(2)) if qubit == 0 else np.kron(np.eye(2), p) for p in paulis]
        rho = w * rho + (1 - w) * sum(p @ rho @ p.conj().T for p in big) / 4
    return rho


def compare(outcomes, brute_force):
    for outcome in outcomes:
        rho = brute_force(outcome.pattern)
        probability = np.real(np.trace(rho))
        assert outcome.probability == pytest.approx(probability, rel=1e-9)
        assert exact.to_density(outcome.matrix) == pytest.approx(rho / probability, abs=1e-9)
        expected = [np.real(v @ rho @ v) / probability for v in BELL]
        assert outcome.bell_list == pytest.approx(expected, abs=1e-9)
        assert outcome.fidelity == pytest.approx(expected[outcome.bell], abs=1e-9)
        exact.check_state(outcome.matrix)


def random_setting(rng, twice):
    arms = tuple(Arm(rng.uniform(0.05, 1), rng.uniform(0.8, 1), rng.uniform(0, 0.3) * twice) for _ in range(2))
    return arms, rng.uniform(0.2, 1), rng.uniform(0, 0.1), rng.uniform(0, 0.8)


@SEEDS
@pytest.mark.parametrize("number", [False, True])
@pytest.mark.parametrize("twice", [False, True])
def test_single_click(seed, number, twice):
    rng = np.random.default_rng(seed)
    arms, visibility, dark, sigma = random_setting(rng, twice)
    alpha = rng.uniform(0.02, 0.6, 2)
    detectors = Detectors(dark, number)
    photon = [emission(node, 0, visibility, arm.double_excitation) for node, arm in zip("AB", arms, strict=True)]
    nothing = {(): 1.0}
    spins = {
        (a, b): (
            prod(sqrt(p if bright else 1 - p) for p, bright in zip(alpha, (a, b), strict=True)),
            product(photon[0] if a else nothing, photon[1] if b else nothing),
        )
        for a, b in itertools.product((0, 1), repeat=2)
    }
    eta = {"A": arms[0].transmission, "B": arms[1].transmission}
    outcomes = single_click(tuple(alpha), arms, visibility, detectors, sigma)
    assert [(o.pattern, o.bell) for o in outcomes] == [("+", 2), ("-", 3)]
    goodness = [arm.goodness for arm in arms]
    compare(outcomes, lambda p: depolarised(averaged(spins, eta, p, detectors, sigma, 1), goodness))


@SEEDS
@pytest.mark.parametrize("number", [False, True])
@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize("twice", [False, True])
def test_double_click(seed, number, dead, twice):
    rng = np.random.default_rng(seed)
    arms, visibility, dark, sigma = random_setting(rng, twice)
    detectors = Detectors(dark, number, dead)
    photon = {
        (node, when): emission(node, when, visibility, arm.double_excitation)
        for node, arm in zip("AB", arms, strict=True)
        for when in (0, 1)
    }
    spins = {(a, b): (0.5, product(photon["A", a], photon["B", b])) for a, b in itertools.product((0, 1), repeat=2)}
    eta = {"A": arms[0].transmission, "B": arms[1].transmission}
    outcomes = double_click(arms, visibility, detectors, sigma)
    assert {o.pattern for o in outcomes} == ({"+-", "-+"} if dead else {"++", "--", "+-", "-+"})
    goodness = [arm.goodness for arm in arms]
    compare(outcomes, lambda p: depolarised(averaged(spins, eta, p, detectors, sigma, 2), goodness))


def figures(outcomes):
    return success_probability(outcomes), outcomes[0].fidelity


@pytest.mark.parametrize(
    ("outcomes", "p", "f"),
    [
        (single_click((0.1, 0.1), (Arm(0.1), Arm(0.1))), 0.0199, 0.904522613065),
        (single_click((0.1, 0.1), (Arm(0.1),) * 2, detectors=Detectors(number_resolving=True)), 0.0198, 0.909090909091),
        (single_click((0.1, 0.1), (Arm(1.0), Arm(1.0))), 0.19, 0.947368421053),
        (single_click((1e-9, 1e-9), (Arm(0.3), Arm(0.3)), visibility=0.81), None, 0.95),
        (double_click((Arm(1.0), Arm(1.0))), 0.5, 1.0),
        (double_click((Arm(0.1), Arm(0.1)), visibility=0.81), 0.005, 0.905),
    ],
)
def test_published_values(outcomes, p, f):
    probability, fidelity = figures(outcomes)
    assert fidelity == pytest.approx(f, abs=1e-8)
    if p is not None:
        assert probability == pytest.approx(p, rel=1e-12)


def test_dead_time_leaves_psi_minus_and_half_of_the_successes():
    arms = Arm(0.4), Arm(0.4)
    ready, dead = double_click(arms, 0.9), double_click(arms, 0.9, Detectors(dead_between_bins=True))
    assert {o.bell for o in dead} == {3}
    assert success_probability(dead) == pytest.approx(success_probability(ready) / 2, rel=1e-12)
    assert dead[0].fidelity == pytest.approx(ready[0].fidelity, abs=1e-12)


def test_without_dark_counts_double_click_states_are_bell_diagonal():
    outcomes = double_click((Arm(0.4), Arm(0.02)), 0.9)
    assert all(exact.off_diagonal(o.matrix) < 1e-12 for o in outcomes)
    assert mean_correlators(outcomes) == pytest.approx(outcomes[0].correlators)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Arm(1.2), "transmission"),
        (lambda: Arm(0.5, 0.2), "emitter fidelity"),
        (lambda: Arm(0.5, 1.0, -0.1), "double excitation"),
        (lambda: Detectors(-1e-9), "dark clicks"),
        (lambda: single_click((0.1, 1.1), (Arm(1.0), Arm(1.0))), "alpha"),
        (lambda: single_click((0.1, 0.1), (Arm(1.0), Arm(1.0)), visibility=2.0), "visibility"),
        (lambda: single_click((0.1, 0.1), (Arm(1.0), Arm(1.0)), sigma=-1.0), "sigma"),
        (lambda: double_click((Arm(0.0), Arm(0.5))), "no attempt can succeed"),
    ],
)
def test_impossible_values_are_refused(call, words):
    with pytest.raises(PhysicsError, match=words):
        call()
