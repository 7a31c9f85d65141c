"""Windows and visibility against wave packets on a grid."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qstack.core.errors import PhysicsError
from qstack.quantum import photons

TIMES = np.linspace(0, 24, 1601)
STEP = TIMES[1]


def packet(rate, dephasing, detuning, start):
    """Density matrix of one photon over times of arrival, midpoints of a grid."""
    t = TIMES[:-1] + STEP / 2 - start
    amplitude = np.where(t > 0, np.sqrt(rate) * np.exp(-rate * np.maximum(t, 0) / 2), 0) * np.exp(1j * detuning * t)
    return np.outer(amplitude, amplitude.conj()) * np.exp(-dephasing * abs(t[:, None] - t[None, :])) * STEP


@pytest.mark.parametrize(
    ("rates", "dephasing", "detuning", "offset"),
    [
        ((1.0, 1.0), (0.0, 0.0), 0.0, 0.0),
        ((1.0, 0.6), (0.1, 0.3), 0.0, 0.0),
        ((0.8, 1.2), (0.05, 0.0), 0.9, 0.0),
        ((0.8, 1.2), (0.05, 0.2), 0.4, 0.75),
        ((0.8, 1.2), (0.05, 0.2), 0.4, -0.75),
    ],
)
def test_visibility_is_the_overlap_of_density_matrices(rates, dephasing, detuning, offset):
    a = packet(rates[0], dephasing[0], 0.0, max(-offset, 0))
    b = packet(rates[1], dephasing[1], detuning, max(offset, 0))
    assert np.trace(a).real == pytest.approx(1, abs=1e-3)
    overlap = float(np.einsum("ij,ji->", a, b).real)
    assert photons.interference(rates, dephasing, detuning, offset) == pytest.approx(overlap, abs=2e-3)


def test_lifetime_limited_photons_are_equal():
    assert photons.interference((2.0, 2.0)) == 1.0
    assert photons.interference((1.0, 1.0), (0.5, 0.5)) == pytest.approx(0.5)  # T2 / (2 T1)


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0, 27.0, 30.0, 300.0])
def test_arrival_jitter_is_the_mean_over_offsets(sigma):
    offsets = np.linspace(-8 * sigma, 8 * sigma, 400_001)
    weights = np.exp(-((offsets / sigma) ** 2) / 2) if sigma else np.ones_like(offsets)
    expected = (weights * np.exp(-abs(offsets))).sum() / weights.sum()
    assert photons.arrival_jitter(1.0, sigma) == pytest.approx(expected, rel=2e-5)


def test_windows():
    t = np.arange(0, 4, 1e-3) + 5e-4
    inside = (t > 0.5) & (t < 2.5)
    assert photons.caught_in_window(1.5, 2.0, 0.5) == pytest.approx(
        (np.exp(-t / 1.5) / 1.5 * 1e-3)[inside].sum(), rel=1e-4
    )
    assert photons.dark_click(20, 25e-9) == pytest.approx(5e-7)
    assert photons.dark_click(0, 1) == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: photons.dark_click(-1, 1),
        lambda: photons.caught_in_window(0, 1),
        lambda: photons.caught_in_window(1, math.nan),
        lambda: photons.interference((0, 1)),
        lambda: photons.interference((1, 1), (-1, 0)),
        lambda: photons.arrival_jitter(1, -1),
    ],
)
def test_impossible_values_are_refused(call):
    with pytest.raises(PhysicsError):
        call()
