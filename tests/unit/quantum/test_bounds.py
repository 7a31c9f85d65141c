"""Entropies, key fractions, capacities, optics in free space: published values and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstack.core.errors import PhysicsError
from qstack.quantum import bounds, decoy, freespace, memory, swapping
from qstack.quantum.states import fidelity, werner


@pytest.mark.parametrize(
    ("km", "bits"), [(50, 0.152003093445), (100, 0.0144995696951), (200, 1.44276718045e-4), (1000, 1.44269504e-20)]
)
def test_plob(km, bits):
    assert bounds.plob_bound(decoy.fibre_transmission(km, 0.2)) == pytest.approx(bits, rel=1e-8)


def test_plob_limits():
    assert bounds.plob_bound(1.0) == math.inf
    assert bounds.plob_bound(0.0) == 0.0
    with pytest.raises(PhysicsError, match="transmission"):
        bounds.plob_bound(1.01)


def test_thresholds_of_werner_pairs():
    assert bounds.hashing_bound(werner(0.810710375085)) == pytest.approx(0, abs=1e-9)
    e_x, e_z = bounds.error_rates(werner(0.834958203342))
    assert e_x == e_z == pytest.approx(0.110027864438)
    assert bounds.bbm92_fraction(e_x, e_z) == pytest.approx(0, abs=1e-9)
    assert bounds.chsh_max(werner(1.0)) == pytest.approx(2 * math.sqrt(2))


@given(st.floats(0, 1))
def test_binary_entropy(x):
    assert 0 <= bounds.binary_entropy(x) <= 1 + 1e-15
    assert bounds.binary_entropy(x) == pytest.approx(bounds.binary_entropy(1 - x), abs=1e-12)


def test_binary_entropy_at_its_ends():
    assert bounds.binary_entropy(0) == bounds.binary_entropy(1) == 0
    assert bounds.binary_entropy(0.5) == 1
    with pytest.raises(PhysicsError):
        bounds.binary_entropy(-0.1)


@given(st.floats(0.25, 1))
def test_hashing_is_von_neumann(f):
    rho = np.diag([f] + [(1 - f) / 3] * 3)
    spectrum = np.linalg.eigvalsh(rho)
    assert bounds.hashing_bound(werner(f)) == pytest.approx(1 - bounds.entropy(spectrum), abs=1e-12)


def test_decoy_rate_ends_where_it_was_published():
    def rate(km):
        return decoy.gllp_rate(0.045 * decoy.fibre_transmission(km, 0.21), 0.48, 1.7e-6, 0.033, 1.22)

    assert rate(100) == pytest.approx(1.71844447639e-5, rel=1e-10)
    assert rate(142.0) > 0 == rate(142.03)
    assert decoy.gllp_rate(0.0, 0.5, 0.0, 0.01, 1.2) == 0


@pytest.mark.parametrize(
    "arguments", [(1.1, 0.5, 0, 0, 1), (0.1, 0, 0, 0, 1), (0.1, 0.5, 0, 0, 0.9), (0.1, 0.5, -1, 0, 1)]
)
def test_decoy_refuses(arguments):
    with pytest.raises(PhysicsError):
        decoy.gllp_rate(*arguments)


def test_fibre_refuses():
    with pytest.raises(PhysicsError, match="km"):
        decoy.fibre_transmission(-1, 0.2)


@pytest.mark.parametrize(("elevation", "km"), [(90, 500), (30, 909.424938262), (10, 1694.56722115)])
def test_slant_range(elevation, km):
    assert freespace.slant_range(500, elevation) == pytest.approx(km, rel=1e-11)


@pytest.mark.parametrize(("km", "db"), [(500, 11.1416598660), (1200, 18.6034493967)])
def test_geometric_loss(km, db):
    assert -10 * math.log10(freespace.aperture_share(km, 5e-6, 1)) == pytest.approx(db, rel=1e-10)


def test_below_the_horizon():
    with pytest.raises(PhysicsError, match=r"elevation = -0.1"):
        freespace.slant_range(500, -0.1)
    with pytest.raises(PhysicsError, match="altitude"):
        freespace.slant_range(0, 45)
    with pytest.raises(PhysicsError, match="aperture"):
        freespace.aperture_share(500, 5e-6, 0)


def test_memories_refuse_impossible_times():
    for call in (
        lambda: memory.t1_t2(1, 1, 2.01),
        lambda: memory.t1_t2(1, 0, 1),
        lambda: memory.t1_t2(-1, 1, 1),
        lambda: memory.depolarising(1, 0),
        lambda: memory.depolarising(math.nan, 1),
        lambda: memory.depolarising_gate(1.2),
    ):
        with pytest.raises(PhysicsError):
            call()


def test_infinite_times_do_nothing():
    assert memory.t1_t2(5.0, math.inf, math.inf) == memory.Decay(1.0, 1.0, 0.0)
    assert memory.depolarising(5.0, math.inf) == memory.Decay(1.0, 1.0)
    assert memory.between(memory.Decay(0.0, 0.0, 1.0), memory.Decay(0.0, 0.0, 1.0)) == memory.Decay(0.0, 0.0, 1.0)


def test_a_one_qubit_p_is_not_a_two_qubit_q():
    """Both halves of a gate with the one-qubit p keep (1 - p)^2, q = p keeps 1 - p."""
    half = memory.depolarising_gate(0.1)
    both = memory.decay_pair(werner(1.0), half, half)
    assert both == pytest.approx((0.81,) * 3)
    assert swapping.swap_factors(0.1, 0.0) == pytest.approx((0.9,) * 3)


def test_noise_out_of_range():
    with pytest.raises(PhysicsError, match=r"gate noise q = 1.1"):
        swapping.swap_factors(1.1, 0)
    with pytest.raises(PhysicsError, match="readout noise m"):
        swapping.swap_factors(0, -0.1)
    with pytest.raises(PhysicsError, match="segments"):
        swapping.swap_chain(werner(1), 0)
    with pytest.raises(PhysicsError, match="fidelity"):
        werner(1.5)


@given(st.floats(0, 1))
def test_werner_and_back(f):
    assert fidelity(werner(f)) == pytest.approx(f)
