"""One random circuit of pairs, noise, swaps and distillation, told to every tier: they agree step by step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.quantum import density, exact
from qstack.quantum.memory import Decay, attempts, decay_pair
from qstack.quantum.purification import dejmps, purification_factors
from qstack.quantum.stabiliser import StabiliserCircuit
from qstack.quantum.states import correlators_from_bell
from qstack.quantum.swapping import swap, swap_factors
from qstack.services.bell import Basis

SHOTS = 40_000
TURN = (np.eye(2) - 1j * density.X) / math.sqrt(2)
BACK = TURN.conj().T


class InCorrelators:
    """Three numbers."""

    def __init__(self, bell):
        self.pair, self.kept = correlators_from_bell(bell), 1.0

    def wait(self, mixed, tries, p):
        self.pair = decay_pair(self.pair, Decay(1 - mixed, 1 - mixed), attempts(tries, p))

    def swap(self, bell, q, m):
        self.pair = swap(self.pair, correlators_from_bell(bell), swap_factors(q, m))

    def distil(self, bell, q, m):
        chance, self.pair = dejmps(self.pair, correlators_from_bell(bell), *purification_factors(q, m))
        self.kept *= chance


class InPairs:
    """A real 4 x 4 matrix."""

    def __init__(self, bell):
        self.t, self.kept = exact.from_bell(bell), 1.0

    def wait(self, mixed, tries, p):
        self.t = exact.apply(self.t, exact.depolarising(mixed))
        for _ in range(tries):
            self.t = exact.apply(self.t, None, exact.dephasing(p))

    def swap(self, bell, q, m):
        self.t = sum(exact.correct(exact.swap(self.t, exact.from_bell(bell), o, q, m), o) for o in range(4))

    def distil(self, bell, q, m):
        turned = [exact.apply(t, exact.unitary(TURN), exact.unitary(BACK)) for t in (self.t, exact.from_bell(bell))]
        bits = [exact.effect(Basis.Z, bit, m) for bit in (0, 1)]
        found = sum(exact.two_to_one(*turned, e, e, q) for e in bits)
        self.kept *= found[0, 0]
        self.t = found / found[0, 0]


class InMatrices:
    """Density matrices of four qubits."""

    def __init__(self, bell):
        self.rho, self.kept = density.bell_diagonal(bell), 1.0

    def wait(self, mixed, tries, p):
        self.rho = density.mixed(self.rho, (0,), mixed)
        for _ in range(tries):
            self.rho = density.apply(self.rho, [(1 - p) ** 0.5 * np.eye(2), p**0.5 * density.Z], (1,))

    def swap(self, bell, q, m):
        rho = density.cnot(density.product(self.rho, density.bell_diagonal(bell)), 1, 2, q)
        rho = density.apply(rho, [density.HADAMARD], (1,))
        total = 0
        for a in (0, 1):
            for b in (0, 1):
                branch = density.keep(density.read(density.read(rho, 1, a, m), 2, b, m), (0, 3))
                fix = np.linalg.matrix_power(density.Z, a) @ np.linalg.matrix_power(density.X, b)
                total = total + density.apply(branch, [fix], (1,))
        self.rho = total

    def distil(self, bell, q, m):
        rho = density.product(self.rho, density.bell_diagonal(bell))
        for qubit, turn in enumerate((TURN, BACK, TURN, BACK)):
            rho = density.apply(rho, [turn], (qubit,))
        rho = density.cnot(density.cnot(rho, 0, 2, q), 1, 3, q)
        found = sum(density.keep(density.read(density.read(rho, 2, b, m), 3, b, m), (0, 1)) for b in (0, 1))
        chance = np.real(np.trace(found))
        self.kept *= chance
        self.rho = found / chance


class InStabilisers:
    """A circuit of all the qubits there ever were, sampled at the end."""

    def __init__(self, bell):
        self.circuit, self.ends, self.qubits, self.equal = StabiliserCircuit(), [0, 1], 2, []
        self.circuit.pair(0, 1, bell)

    def fresh(self, bell):
        made = self.qubits, self.qubits + 1
        self.circuit.pair(*made, bell)
        self.qubits += 2
        return made

    def wait(self, mixed, tries, p):
        self.circuit.mix(self.ends[0], mixed)
        for _ in range(tries):
            self.circuit.dephase(self.ends[1], p)

    def swap(self, bell, q, m):
        near, far = self.fresh(bell)
        self.circuit.swap(self.ends[1], near, far, q, m)
        self.ends[1] = far

    def distil(self, bell, q, m):
        spare = self.fresh(bell)
        self.circuit.gate("SQRT_X", self.ends[0], spare[0])
        self.circuit.gate("SQRT_X_DAG", self.ends[1], spare[1])
        for control, target in zip(self.ends, spare, strict=True):
            self.circuit.cnot(control, target, q)
        self.equal.append(tuple(self.circuit.read(qubit, m) for qubit in spare))


small = st.floats(0, 0.2)


@st.composite
def bell_lists(draw):
    weights = [draw(st.floats(0.5, 1)), *(draw(st.floats(0.001, 0.2)) for _ in range(3))]
    return tuple(w / sum(weights) for w in weights)


STEPS = {
    "wait": st.tuples(small, st.integers(0, 5), small),
    "swap": st.tuples(bell_lists(), small, small),
    "distil": st.tuples(bell_lists(), small, small),
}
steps = st.sampled_from(sorted(STEPS)).flatmap(lambda name: st.tuples(st.just(name), STEPS[name]))


@pytest.mark.requirement("QS-L1-015")
@settings(max_examples=60, deadline=None)
@given(bell_lists(), st.lists(steps, min_size=1, max_size=8))
def test_three_tiers_agree_after_every_step(bell, program):
    fast, slow, whole = InCorrelators(bell), InPairs(bell), InMatrices(bell)
    for name, given_ in program:
        for tier in (fast, slow, whole):
            getattr(tier, name)(*given_)
        exact.check_state(slow.t)
        assert exact.off_diagonal(slow.t) < 1e-9
        assert exact.to_correlators(slow.t) == pytest.approx(fast.pair, abs=1e-9)
        assert exact.to_density(slow.t) == pytest.approx(whole.rho, abs=1e-9)
        assert slow.kept == pytest.approx(fast.kept, abs=1e-9)
        assert whole.kept == pytest.approx(fast.kept, abs=1e-9)


def program_of(rng, length):
    """Return a random program whose distillations keep enough to count."""
    made = []
    for name in rng.choice(["wait", "swap", "distil"], length, p=[0.4, 0.35, 0.25]):
        bell = tuple(rng.dirichlet([20, 1, 1, 1]).tolist())
        noise = rng.uniform(0, 0.05, 2).tolist()
        made.append((name, (noise[0], int(rng.integers(0, 6)), noise[1]) if name == "wait" else (bell, *noise)))
    return made


@pytest.mark.parametrize("seed", range(8))
def test_the_stabiliser_tier_agrees_by_statistics(seed):
    pytest.importorskip("stim")
    rng = np.random.default_rng([seed, 20])
    bell = tuple(rng.dirichlet([20, 1, 1, 1]).tolist())
    fast, sampled = InCorrelators(bell), InStabilisers(bell)
    for name, given_ in program_of(rng, 7):
        for tier in (fast, sampled):
            getattr(tier, name)(*given_)
    kept, found, errors = sampled.circuit.correlators(*sampled.ends, SHOTS, seed, sampled.equal)
    assert abs(kept - fast.kept) < 4 * math.sqrt(max(kept * (1 - kept), 1e-9) / SHOTS) + 1e-9
    assert all(abs(f - c) < 4 * e for f, c, e in zip(found, fast.pair, errors, strict=True))
