"""The tiers agree: correlators, exact matrices and density matrices over random circuits and noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.core.errors import PhysicsError
from qstack.quantum import density, exact
from qstack.quantum.memory import Decay, between, decay_pair, depolarising, t1_t2
from qstack.quantum.purification import dejmps, purification_factors
from qstack.quantum.states import bell_from_correlators, check_correlators, correlators_from_bell
from qstack.quantum.swapping import swap, swap_factors
from qstack.services.bell import Basis

unit = st.floats(0, 1)
small = st.floats(0, 0.3)
age = st.floats(0, 3)


@st.composite
def bell_lists(draw):
    weights = [draw(st.floats(0.001, 1)) for _ in range(4)]
    return tuple(w / sum(weights) for w in weights)


@st.composite
def decays(draw):
    t1 = draw(st.floats(0.3, 10))
    return t1_t2(draw(age), t1, t1 * draw(st.floats(0.05, 2)))


@given(bell_lists(), st.integers(0, 3))
def test_bell_list_and_correlators_are_inverse(bell, announced):
    correlators = correlators_from_bell(bell, announced)
    assert bell_from_correlators(check_correlators(correlators), announced) == pytest.approx(bell)
    assert exact.to_correlators(exact.from_bell(bell), announced) == pytest.approx(correlators)
    assert exact.to_bell(exact.from_correlators(correlators, announced)) == pytest.approx(bell)
    assert exact.from_density(density.bell_diagonal(bell)) == pytest.approx(exact.from_bell(bell), abs=1e-12)


@pytest.mark.requirement("QS-L1-015")
def test_correlators_that_belong_to_no_state_are_refused():
    with pytest.raises(PhysicsError, match="Psi-"):
        check_correlators((1.0, -1.0, 0.5))


@pytest.mark.requirement("QS-L1-015")
@given(decays(), unit, unit, unit)
def test_channels_are_physical(decay, gamma, p, q):
    channels = [
        exact.decay_channel(decay.check()),
        exact.amplitude_damping(gamma),
        exact.dephasing(p),
        exact.depolarising(q),
        exact.unitary(density.HADAMARD),
    ]
    for channel in [*channels, channels[0] @ channels[1] @ channels[2]]:
        assert channel[0] == pytest.approx([1, 0, 0, 0])  # keeps the trace
        assert np.linalg.eigvalsh(exact.choi(channel)).min() > -1e-9


@pytest.mark.requirement("QS-L1-031")
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_decay_check_is_the_choi_matrix(xy, z, shift):
    decay = Decay(xy, z, shift)
    lowest = np.linalg.eigvalsh(exact.choi(exact.decay_channel(decay))).min()
    if lowest > 1e-6:
        assert decay.check() is decay
    elif lowest < -1e-6:
        with pytest.raises(PhysicsError):
            decay.check()


@pytest.mark.requirement("QS-L1-032")
@given(decays(), st.floats(0, 1))
def test_between_composes_to_the_total(later, share):
    earlier = Decay(later.xy**share, later.z**share, 1 - later.z**share)
    step = between(earlier, later)
    composed = exact.decay_channel(step) @ exact.decay_channel(earlier)
    assert composed == pytest.approx(exact.decay_channel(later), abs=1e-9)


def test_a_law_by_total_age_need_not_be_exponential():
    def law(t):
        return Decay(math.exp(-(t**2)), 1.0)

    pair = decay_pair((1.0, 1.0, 1.0), law(0.7), law(0.0))
    pair = decay_pair(pair, between(law(0.7), law(1.3)), law(0.0))
    assert pair == pytest.approx((math.exp(-(1.3**2)), math.exp(-(1.3**2)), 1.0))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_chain_in_three_tiers(data):
    """Pairs decay without shifts and are swapped: all three tiers give the same overlaps after every step."""
    bell = data.draw(bell_lists())
    fast, slow, rho = correlators_from_bell(bell), exact.from_bell(bell), density.bell_diagonal(bell)
    for _ in range(data.draw(st.integers(1, 4))):
        half = depolarising(data.draw(age), 2.0)
        dephased = t1_t2(data.draw(age), math.inf, 1.5)
        fast = decay_pair(decay_pair(fast, half, dephased), Decay(1, 1), Decay(1, 1))
        slow = exact.apply(slow, exact.decay_channel(half), exact.decay_channel(dephased))
        rho = density.mixed(rho, (0,), 1 - half.z)
        flip = (1 - dephased.xy) / 2
        rho = density.apply(rho, [(1 - flip) ** 0.5 * np.eye(2), flip**0.5 * density.Z], (1,))
        other = data.draw(bell_lists())
        q, m = data.draw(small), data.draw(small)
        fast = swap(fast, correlators_from_bell(other), swap_factors(q, m))
        slow = sum(exact.correct(exact.swap(slow, exact.from_bell(other), o, q, m), o) for o in range(4))
        rho = swap_densities(rho, density.bell_diagonal(other), q, m)
        assert exact.off_diagonal(slow) < 1e-12
        assert exact.to_correlators(slow) == pytest.approx(fast, abs=1e-10)
        assert exact.to_density(slow) == pytest.approx(rho, abs=1e-10)
    exact.check_state(slow)


def swap_densities(left, right, q, m):
    rho = density.cnot(density.product(left, right), 1, 2, q)
    rho = density.apply(rho, [density.HADAMARD], (1,))
    total = np.zeros((4, 4), complex)
    for a in (0, 1):
        for b in (0, 1):
            branch = density.keep(density.read(density.read(rho, 1, a, m), 2, b, m), (0, 3))
            fix = np.linalg.matrix_power(density.Z, a) @ np.linalg.matrix_power(density.X, b)
            total += density.apply(branch, [fix], (1,))
    return total


@settings(max_examples=30, deadline=None)
@given(bell_lists(), bell_lists(), decays(), decays(), small, small)
def test_damped_pairs_need_the_exact_tier(first, second, a, b, q, m):
    """With T1 the exact tier follows the density matrix through a swap, outcome by outcome."""
    one = exact.apply(exact.from_bell(first), exact.decay_channel(a), exact.decay_channel(b))
    two = exact.apply(exact.from_bell(second), exact.decay_channel(b), exact.decay_channel(a))
    average = sum(exact.correct(exact.swap(one, two, o, q, m), o) for o in range(4))
    rho = swap_densities(exact.to_density(one), exact.to_density(two), q, m)
    assert exact.to_density(average) == pytest.approx(rho, abs=1e-10)
    assert exact.to_correlators(average) == pytest.approx(
        swap(exact.to_correlators(one), exact.to_correlators(two), swap_factors(q, m)), abs=1e-10
    )


@settings(max_examples=40, deadline=None)
@given(bell_lists(), bell_lists(), small, small)
def test_dejmps_in_the_exact_tier(first, second, q, m):
    turn = (np.eye(2) - 1j * density.X) / 2**0.5
    on_a, on_b = exact.unitary(turn), exact.unitary(turn.conj().T)
    one, two = (exact.apply(exact.from_bell(bell), on_a, on_b) for bell in (first, second))
    bits = [exact.effect(Basis.Z, bit, m) for bit in (0, 1)]
    kept = sum(exact.two_to_one(one, two, e, e, q) for e in bits)
    pair = correlators_from_bell(first), correlators_from_bell(second)
    probability, correlators = dejmps(*pair, *purification_factors(q, m))
    assert kept[0, 0] == pytest.approx(probability, abs=1e-12)
    assert exact.to_correlators(kept) == pytest.approx(correlators, abs=1e-10)
    assert exact.off_diagonal(kept) < 1e-10
    check_correlators(correlators)


@given(bell_lists(), decays(), st.sampled_from(Basis), st.sampled_from(Basis), unit, unit, small)
def test_measured_bits(bell, decay, basis_a, basis_b, wrong0, wrong1, m):
    """Joint bits add up to one, and agree with projectors on the density matrix."""
    t = exact.apply(exact.from_bell(bell), exact.decay_channel(decay))
    rho = exact.to_density(t)
    axis = {Basis.X: 1, Basis.Y: 2, Basis.Z: 3}
    total = 0.0
    for a in (0, 1):
        for b in (0, 1):
            on_a, on_b = exact.effect(basis_a, a, wrong0, wrong1), exact.effect(basis_b, b, m)
            found = exact.joint_probability(t, on_a, on_b)
            expected = 0.0
            for c in (0, 1):
                for d in (0, 1):
                    p_a = (1 - (wrong0, wrong1)[c]) if a == c else (wrong0, wrong1)[c]
                    p_b = 1 - m if b == d else m
                    projectors = [
                        (np.eye(2) + (-1) ** bit * exact.PAULIS[axis[basis]]) / 2
                        for bit, basis in ((c, basis_a), (d, basis_b))
                    ]
                    expected += p_a * p_b * np.real(np.trace(np.kron(*projectors) @ rho))
            assert found == pytest.approx(expected, abs=1e-12)
            assert exact.bloch_after(t, on_a) @ on_b == pytest.approx(found)
            total += found
    assert total == pytest.approx(1)


def test_density_tier_refuses_what_it_cannot_hold():
    pair = density.bell_diagonal((1, 0, 0, 0))
    with pytest.raises(PhysicsError, match="12 qubits"):
        density.product(*[pair] * 6)


def test_ghz_by_density_matrix():
    pair = density.bell_diagonal((1, 0, 0, 0))
    rho = density.cnot(density.product(pair, pair), 0, 2)
    flipped = density.apply(density.read(rho, 2, 1), [density.X], (3,))
    star = density.keep(density.read(rho, 2, 0) + flipped, (0, 1, 3))
    ghz = np.zeros(8, complex)
    ghz[[0, 7]] = 2**-0.5
    assert density.overlap(star, ghz) == pytest.approx(1)
