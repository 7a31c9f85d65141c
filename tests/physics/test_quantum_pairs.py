"""Closed forms for pairs against circuits simulated gate by gate with full matrices."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from qstack.quantum import exact
from qstack.quantum.bounds import chsh_max
from qstack.quantum.memory import decay_pair, depolarising, t1_t2, twirl_bound
from qstack.quantum.multiparty import ghz_star_fidelity
from qstack.quantum.purification import bbpssw, dejmps, double_selection, pumping, purification_factors, select
from qstack.quantum.states import bell_from_correlators, correlators_from_bell, fidelity, werner
from qstack.quantum.swapping import swap, swap_chain, swap_factors, teleport_fidelity

ID, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
H = np.array([[1, 1], [1, -1]]) / 2**0.5
ZERO, ONE = np.diag([1, 0]), np.diag([0, 1])
BELL = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0]]) / 2**0.5
SEEDS = pytest.mark.parametrize("seed", range(3))


def on(n, **gates):
    """Operator on n qubits; gates are named q0, q1, ..."""
    return functools.reduce(np.kron, [gates.get(f"q{k}", ID) for k in range(n)])


def pair(bell):
    return sum(c * np.outer(v, v) for c, v in zip(bell, BELL, strict=True))


def cnot(rho, n, control, target, q):
    c, t = f"q{control}", f"q{target}"
    gate = on(n, **{c: ZERO}) + on(n, **{c: ONE, t: X})
    rho = gate @ rho @ gate.T
    paulis = [on(n, **{c: a, t: b}) for a in (ID, X, Y, Z) for b in (ID, X, Y, Z)]
    return (1 - q) * rho + q * sum(p @ rho @ p.conj().T for p in paulis) / 16


def reported(rho, n, qubit, bit, m):
    right, wrong = (ZERO, ONE) if bit == 0 else (ONE, ZERO)
    right, wrong = on(n, **{f"q{qubit}": right}), on(n, **{f"q{qubit}": wrong})
    return (1 - m) * right @ rho @ right + m * wrong @ rho @ wrong


def reduced(rho, n, kept):
    tensor = rho.reshape((2,) * (2 * n))
    for k in sorted(set(range(n)) - set(kept), reverse=True):
        tensor = np.trace(tensor, axis1=k, axis2=tensor.ndim // 2 + k)
    return tensor.reshape(2 ** len(kept), -1)


def overlaps(rho):
    return [float(np.real(v @ rho @ v)) for v in BELL]


def random_bell(rng):
    return rng.dirichlet([3, 1, 1, 1]).tolist()


def brute_swap(left, right, q, m):
    """Qubits A, B1, B2, C; any two states."""
    rho = cnot(np.kron(left, right), 4, 1, 2, q)
    h = on(4, q1=H)
    rho = h @ rho @ h
    total = 0
    for a, b in itertools.product((0, 1), repeat=2):
        branch = reported(reported(rho, 4, 1, a, m), 4, 2, b, m)
        fix = on(4, q3=np.linalg.matrix_power(Z, a) @ np.linalg.matrix_power(X, b))
        total = total + reduced(fix @ branch @ fix.conj().T, 4, (0, 3))
    return total


@pytest.mark.requirement("QS-CV-003")
@SEEDS
def test_swap(seed):
    rng = np.random.default_rng(seed)
    c1, c2, q, m = random_bell(rng), random_bell(rng), rng.uniform(0, 0.3), rng.uniform(0, 0.3)
    expected = overlaps(brute_swap(pair(c1), pair(c2), q, m))
    joined = swap(correlators_from_bell(c1), correlators_from_bell(c2), swap_factors(q, m))
    assert bell_from_correlators(joined) == pytest.approx(expected, abs=1e-12)


@SEEDS
def test_swap_of_any_two_states_multiplies_correlators(seed):
    rng = np.random.default_rng(seed)
    states = []
    for _ in range(2):
        g = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        states.append(g @ g.conj().T / np.trace(g @ g.conj().T))
    expected = overlaps(brute_swap(*states, 0.05, 0.02))
    left, right = (exact.to_correlators(exact.from_density(rho)) for rho in states)
    assert bell_from_correlators(swap(left, right, swap_factors(0.05, 0.02))) == pytest.approx(expected, abs=1e-12)


@SEEDS
def test_exact_swap_per_outcome(seed):
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(2, 4, 4)) + 1j * rng.normal(size=(2, 4, 4))
    left, right = (a @ a.conj().T / np.trace(a @ a.conj().T) for a in g)
    q, m = 0.1, 0.07
    rho = cnot(np.kron(left, right), 4, 1, 2, q)
    h = on(4, q1=H)
    rho = h @ rho @ h
    for a, b in itertools.product((0, 1), repeat=2):
        expected = reduced(reported(reported(rho, 4, 1, a, m), 4, 2, b, m), 4, (0, 3))
        found = exact.swap(exact.from_density(left), exact.from_density(right), 2 * b + a, q, m)
        assert np.allclose(exact.to_density(found), expected, atol=1e-12)


def test_chain_is_repeated_swaps():
    rng = np.random.default_rng(1)
    bell = random_bell(rng)
    joined = pair(bell)
    for _ in range(4):
        joined = brute_swap(joined, pair(bell), 0.02, 0.03)
    found = swap_chain(correlators_from_bell(bell), 5, swap_factors(0.02, 0.03))
    assert bell_from_correlators(found) == pytest.approx(overlaps(joined), abs=1e-12)


@pytest.mark.requirement("QS-L4-004")
@SEEDS
def test_teleportation(seed):
    rng = np.random.default_rng(seed)
    bell, q, m = random_bell(rng), rng.uniform(0, 0.3), rng.uniform(0, 0.3)
    total = 0
    for axis in (X, Y, Z):
        for sign in (1, -1):
            data = (ID + sign * axis) / 2
            rho = cnot(np.kron(data, pair(bell)), 3, 0, 1, q)
            h = on(3, q0=H)
            rho = h @ rho @ h
            for a, b in itertools.product((0, 1), repeat=2):
                branch = reduced(reported(reported(rho, 3, 0, a, m), 3, 1, b, m), 3, (2,))
                fix = np.linalg.matrix_power(Z, a) @ np.linalg.matrix_power(X, b)
                total += np.real(np.trace(data @ fix @ branch @ fix.conj().T)) / 6
    assert teleport_fidelity(correlators_from_bell(bell), swap_factors(q, m)) == pytest.approx(total, abs=1e-12)


def brute_two_to_one(first, second, q, m, keep, rotate=0.0):
    """Qubits A1, B1, A2, B2."""
    rho = np.kron(first, second)
    turn = {k: np.cos(s * rotate / 2) * ID - 1j * np.sin(s * rotate / 2) * X for k, s in ((0, 1), (1, -1))}
    u = on(4, q0=turn[0], q1=turn[1], q2=turn[0], q3=turn[1])
    rho = u @ rho @ u.conj().T
    rho = cnot(cnot(rho, 4, 0, 2, q), 4, 1, 3, q)
    kept = sum(reported(reported(rho, 4, 2, a, m), 4, 3, b, m) for a, b in keep)
    probability = float(np.real(np.trace(kept)))
    return probability, reduced(kept, 4, (0, 1)) / probability


EQUAL = ((0, 0), (1, 1))


@SEEDS
@pytest.mark.parametrize(("scheme", "rotate"), [(bbpssw, 0.0), (dejmps, np.pi / 2)])
def test_purification(seed, scheme, rotate):
    rng = np.random.default_rng(seed)
    c1, c2, q, m = random_bell(rng), random_bell(rng), rng.uniform(0, 0.3), rng.uniform(0, 0.3)
    probability, rho = brute_two_to_one(pair(c1), pair(c2), q, m, EQUAL, rotate)
    kept, out = scheme(correlators_from_bell(c1), correlators_from_bell(c2), *purification_factors(q, m))
    assert kept == pytest.approx(probability, abs=1e-12)
    assert bell_from_correlators(out) == pytest.approx(overlaps(rho), abs=1e-12)


@SEEDS
def test_epl_and_general_two_to_one(seed):
    rng = np.random.default_rng(seed)
    alpha, v, q, m = rng.uniform(0, 0.5, 2), rng.uniform(), rng.uniform(0, 0.2), rng.uniform(0, 0.2)
    states = []
    for a in alpha:
        rho = np.diag([0, (1 - a) / 2, (1 - a) / 2, a])
        rho[1, 2] = rho[2, 1] = v * (1 - a) / 2
        states.append(rho)
    probability, rho = brute_two_to_one(*states, q, m, ((1, 1),))
    found = exact.epl(*(exact.single_click_state(a, v) for a in alpha), q, m)
    assert found[0, 0] == pytest.approx(probability, abs=1e-12)
    assert np.allclose(exact.to_density(found / found[0, 0]), rho, atol=1e-12)


def test_double_selection_of_different_pairs():
    rng = np.random.default_rng(7)
    bells, q, m = [random_bell(rng) for _ in range(3)], rng.uniform(0, 0.2), rng.uniform(0, 0.2)
    rho = functools.reduce(np.kron, [pair(b) for b in bells])  # A0 B0 A1 B1 A2 B2
    for control, target in ((0, 1), (2, 1)):
        for side in (0, 1):
            rho = cnot(rho, 6, 2 * control + side, 2 * target + side, q)
    h = on(6, q4=H, q5=H)
    rho = h @ rho @ h
    kept = 0
    for z, x in itertools.product((0, 1), repeat=2):
        branch = rho
        for qubit, bit in ((2, z), (3, z), (4, x), (5, x)):
            branch = reported(branch, 6, qubit, bit, m)
        kept = kept + branch
    probability = float(np.real(np.trace(kept)))
    found, out = double_selection([correlators_from_bell(b) for b in bells], q, m)
    assert found == pytest.approx(probability, abs=1e-12)
    assert bell_from_correlators(out) == pytest.approx(overlaps(reduced(kept, 6, (0, 1)) / probability), abs=1e-12)


def test_pumping_is_repeated_dejmps():
    bell, q, m = [0.8, 0.1, 0.06, 0.04], 0.01, 0.02
    total, rho = 1.0, pair(bell)
    for _ in range(3):
        probability, rho = brute_two_to_one(rho, pair(bell), q, m, EQUAL, np.pi / 2)
        total *= probability
    start = correlators_from_bell(bell)
    found, out = pumping(start, start, 3, *purification_factors(q, m))
    assert found == pytest.approx(total, abs=1e-12)
    assert bell_from_correlators(out) == pytest.approx(overlaps(rho), abs=1e-12)


def test_select_of_one_check_is_bbpssw():
    first, second = (0.7, 0.6, 0.8), (0.9, 0.7, 0.6)
    closed = bbpssw(first, second, *purification_factors(0.03, 0.02))
    kept, out = select([first, second], ((0, 1),), ((1, "Z"),), 0.03, 0.02)
    assert (kept, *out) == pytest.approx((closed[0], *closed[1]), abs=1e-14)


@SEEDS
@pytest.mark.parametrize("parties", [2, 3, 4])
def test_ghz_star(seed, parties):
    rng = np.random.default_rng(seed)
    bell, q, m = random_bell(rng), rng.uniform(0, 0.2), rng.uniform(0, 0.2)
    pairs = parties - 1
    n = 2 * pairs  # c0 v0 c1 v1 ...
    rho = functools.reduce(np.kron, [pair(bell)] * pairs)
    for i in range(1, pairs):
        rho = cnot(rho, n, 0, 2 * i, q)
        flip = on(n, **{f"q{2 * i + 1}": X})
        rho = reported(rho, n, 2 * i, 0, m) + flip @ reported(rho, n, 2 * i, 1, m) @ flip
    rho = reduced(rho, n, (0, *range(1, n, 2)))
    ghz = np.zeros(2**parties)
    ghz[0] = ghz[-1] = 2**-0.5
    expected = float(np.real(ghz @ rho @ ghz))
    assert ghz_star_fidelity(correlators_from_bell(bell), parties, q, m) == pytest.approx(expected, abs=1e-12)


def damp_and_dephase(rho, qubit, t, t1, t2):
    """Amplitude damping, then the pure dephasing that is left of T2."""
    gamma = 1 - np.exp(-t / t1)
    phase = (1 - np.exp(-t / t2 + t / (2 * t1))) / 2
    kraus = [np.diag([1, (1 - gamma) ** 0.5]), np.array([[0, gamma**0.5], [0, 0]])]
    for operators in (kraus, [(1 - phase) ** 0.5 * ID, phase**0.5 * Z]):
        big = [on(2, **{f"q{qubit}": k}) for k in operators]
        rho = sum(k @ rho @ k.conj().T for k in big)
    return rho


@SEEDS
def test_memory(seed):
    rng = np.random.default_rng(seed)
    bell = random_bell(rng)
    rho, halves = pair(bell), []
    for qubit in (0, 1):
        t1 = rng.uniform(0.5, 5)
        t, t2 = rng.uniform(0, 2), t1 * rng.uniform(0.1, 2)
        rho = damp_and_dephase(rho, qubit, t, t1, t2)
        halves.append(t1_t2(t, t1, t2).check())
    start = correlators_from_bell(bell)
    kept = decay_pair(start, *halves, sign=1)
    assert bell_from_correlators(kept) == pytest.approx(overlaps(rho), abs=1e-12)
    channels = [exact.decay_channel(half) for half in halves]
    assert np.allclose(exact.to_density(exact.apply(exact.from_bell(tuple(bell)), *channels)), rho, atol=1e-12)
    twirled = fidelity(decay_pair(start, *halves))
    assert abs(twirled - overlaps(rho)[0]) == pytest.approx(twirl_bound(*halves), abs=1e-12)


def test_psi_loses_what_phi_gains_by_damping():
    half = t1_t2(0.3, 1.0, 1.5)
    for index in range(4):
        rho = pair(np.eye(4)[index])
        for qubit in (0, 1):
            rho = damp_and_dephase(rho, qubit, 0.3, 1.0, 1.5)
        framed = decay_pair((1.0, 1.0, 1.0), half, half, sign=1 if index < 2 else -1)
        assert fidelity(framed) == pytest.approx(overlaps(rho)[index], abs=1e-12)


def test_depolarising_memory():
    rho, factor = pair([0.9, 0.05, 0.03, 0.02]), np.exp(-0.4)
    for qubit in (0, 1):
        paulis = [on(2, **{f"q{qubit}": p}) for p in (ID, X, Y, Z)]
        rho = factor * rho + (1 - factor) * sum(p @ rho @ p.conj().T for p in paulis) / 4
    half = depolarising(0.8, 2.0)
    found = decay_pair(correlators_from_bell([0.9, 0.05, 0.03, 0.02]), half, half)
    assert bell_from_correlators(found) == pytest.approx(overlaps(rho), abs=1e-12)


@pytest.mark.requirement("QS-L5-007")
def test_chsh_maximum_over_directions():
    rng = np.random.default_rng(3)
    correlators = correlators_from_bell(random_bell(rng))
    x, y, z = correlators
    matrix = np.diag([x, -y, z])
    best = 0.0
    # For given Bob directions b, c the best Alice gives |T(b+c)| + |T(b-c)|; b+c and b-c are orthogonal, their lengths
    # 2 cos t and 2 sin t.
    for _ in range(8000):
        u = rng.normal(size=3)
        v = np.cross(u, rng.normal(size=3))
        u, v = matrix @ u / np.linalg.norm(u), matrix @ v / np.linalg.norm(v)
        best = max(best, 2 * float(np.hypot(np.linalg.norm(u), np.linalg.norm(v))))
    assert best <= chsh_max(correlators) + 1e-12
    assert best == pytest.approx(chsh_max(correlators), rel=1e-2)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (fidelity(swap(werner(0.95), werner(0.9))), 0.856666666667),
        (fidelity(swap(werner(0.9), werner(0.9), swap_factors(0.02, 0))), 0.802066666667),
        (fidelity(swap_chain(werner(0.95), 8)), 0.681872426081),
        (fidelity(swap((0.9, 0.9, 0.8), (0.9, 0.9, 0.8))), 0.815),
        (teleport_fidelity(werner(0.9)), 0.933333333333),
        (dejmps(werner(0.7), werner(0.7))[0], 0.68),
        (pumping(werner(0.7), werner(0.7), 1)[0], 0.68),
        (chsh_max(werner(0.780330085890)), 2.0),
        (ghz_star_fidelity(werner(0.95), 5), 0.816010493827),
    ],
)
def test_published_values(found, expected):
    assert found == pytest.approx(expected, abs=1e-10)
