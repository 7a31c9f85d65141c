"""BBM92: pairs from a model and pairs from measurements."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from qstack.core.errors import ConfigError
from qstack.keys import bbm92, rates
from qstack.keys.bbm92 import Pairs
from qstack.services.bell import Basis, Bell


@pytest.mark.requirement("QS-L5-006")
@pytest.mark.parametrize("fidelity", [0.25, 0.835, 0.97, 1.0])
def test_werner_pairs_have_the_same_error_in_both_bases(fidelity):
    pairs = Pairs.werner(fidelity)
    assert pairs.error_key == pytest.approx(2 * (1 - fidelity) / 3)
    assert pairs.error_test == pytest.approx(2 * (1 - fidelity) / 3)


def test_bell_diagonal_weights_are_the_errors():
    weights = np.array([0.8, 0.1, 0.07, 0.03])  # Phi+, Phi-, Psi+, Psi-
    x, y, z = weights @ np.array([[1, 1, 1], [-1, -1, 1], [1, -1, -1], [-1, 1, -1]])
    pairs = Pairs(x=x, y=y, z=z)
    assert pairs.error_key == pytest.approx(weights[2] + weights[3])
    assert pairs.error_test == pytest.approx(weights[1] + weights[3])


@pytest.mark.parametrize("pairs", [Pairs.werner(0.95, 0.5), Pairs(x=0.8, y=0.75, z=0.93, p_key=0.8)])
def test_sampled_pairs_agree_with_the_closed_form(pairs):
    number = 2_000_000
    found, mean = bbm92.sample(pairs, number, 6).sifted(), bbm92.expected(pairs, number)
    for seen, part in zip(found, (mean.key, mean.key_errors, mean.test, mean.test_errors), strict=True):
        assert abs(seen - sum(part)) < 4 * sqrt(sum(part))


def test_the_rate_is_that_of_the_correlators():
    pairs = Pairs(x=0.9, y=0.85, z=0.95)
    assert rates.bb84(pairs.error_test, pairs.error_key) == pytest.approx(1 - 0.2864 - 0.1687, abs=1e-4)


def test_measurements_of_any_bell_state_read_like_phi_plus():
    """Perfect pairs of every index, measured by the book: no error is left."""
    generator = np.random.Generator(np.random.Philox(4))
    number = 4000
    bell = generator.integers(0, 4, number, dtype=np.uint8)
    basis = generator.integers(0, 2, (2, number), dtype=np.uint8)
    alice = generator.integers(0, 2, number, dtype=np.uint8)
    # ZZ = +1 for Phi, XX = +1 for Phi+ and Psi+: the table of qstack.services.bell.
    differ = np.where(basis[0] == Basis.Z, bell >= Bell.PSI_PLUS, (bell == Bell.PHI_MINUS) | (bell == Bell.PSI_MINUS))
    noise = generator.integers(0, 2, number, dtype=np.uint8)
    bob = np.where(basis[0] == basis[1], alice ^ differ, noise).astype(np.uint8)
    experiment = bbm92.from_measurements((basis[0], basis[1]), (alice, bob), bell)
    key, key_errors, test, test_errors = experiment.sifted()
    assert (key_errors, test_errors) == (0, 0)
    assert key > 800
    assert test > 800
    assert bbm92.from_measurements((basis[0], basis[1]), (alice, bob ^ 1), bell).sifted()[1] == key


def test_bad_measurements_are_refused():
    zeros = np.zeros(3, np.uint8)
    with pytest.raises(ConfigError, match="differ in shape"):
        bbm92.from_measurements((zeros, zeros), (zeros, zeros[:2]), zeros)
    with pytest.raises(ConfigError, match="Z or X"):
        bbm92.from_measurements((zeros + 2, zeros), (zeros, zeros), zeros)
    with pytest.raises(ConfigError, match="at least one"):
        bbm92.sample(Pairs(), 0, 1)
