"""Fibre in the ground: dispersion and temperature against integrals, Raman light of a wavelength plan, and their refusals."""

from __future__ import annotations

from math import erf, exp, pi, sqrt

import numpy as np
import pytest
from scipy.integrate import quad

import qstack
from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Fibre
from qstack.quantum import dispersion, raman

MANAGER = qstack.manager()
FIBRE = Fibre(40.0, 8.0, 2e5)
PULSE = {"kind": "pair-source", "pulse_period": "10 ns", "mean_pairs": [0.01], "detection": 0.5}
CLICK = {"kind": "double-click", "detection": 0.1, "visibility": 0.9, "overhead": "1 us"}


def platform(interface):
    data = {
        "name": "n",
        "network": {
            "chain": {"segments": 1, "length": "1 km"},
            "hardware": {"all": {"memory": {"kind": "relaxing"}, "interface": interface}},
        },
        "flows": [{"name": "f", "from": "n0", "to": "n1", "min_fidelity": 0.25}],
        "run": {"until": "10 s"},
    }
    return qstack.load(data).plan.platforms[0]


def link(interface, fibre=FIBRE, **options):
    offer = MANAGER.offers("media", "")["installed-fibre"]
    one = platform(interface)
    return offer.make(offer.options.model_validate(options), a=one, b=one, fibre=fibre).heralds[0]


# -- photons in dispersive fibre ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spectrum", "difference", "offset"), [(0.8, 2.3, 0.7), (0.1, 40.0, 3.0), (0.5, 0.0, 1.0)])
def test_overlap_of_two_photons_is_the_integral_over_their_spectrum(spectrum, difference, offset):
    """|the mean of exp(i (G w^2/2 + w t))|^2 over a Gaussian spectrum, and its mean over a Gaussian t."""
    w, step = np.linspace(-8 * spectrum, 8 * spectrum, 4001, retstep=True)
    weight = np.exp(-(w**2) / 2 / spectrum**2) * step / sqrt(2 * pi) / spectrum

    def overlap(t):
        return abs(np.sum(weight * np.exp(1j * (difference * w**2 / 2 + w * t)))) ** 2

    mean = quad(lambda t: overlap(t) * exp(-(t**2) / 2 / offset**2) / sqrt(2 * pi) / offset, -9 * offset, 9 * offset)[0]
    assert dispersion.interference(spectrum, difference) == pytest.approx(overlap(0.0), rel=1e-9)
    assert dispersion.interference(spectrum, difference, offset) == pytest.approx(mean, rel=1e-7)


def test_a_pulse_spreads_as_its_fourier_transform_says():
    """A transform-limited Gaussian, each frequency delayed: the second moment of |amplitude(t)|^2."""
    width, gdd = 3.0, 25.0
    spectrum = 1 / (2 * width)
    w, step = np.linspace(-10 * spectrum, 10 * spectrum, 3001, retstep=True)
    t = np.linspace(-120, 120, 1201)
    amplitude = np.exp(-(w**2) / 4 / spectrum**2 + 0.5j * gdd * w**2)
    intensity = abs(np.exp(-1j * np.outer(t, w)) @ amplitude * step) ** 2
    found = sqrt(np.sum(intensity * t**2) / np.sum(intensity))
    assert dispersion.broadened(width, gdd, spectrum) == pytest.approx(found, rel=1e-6)
    assert dispersion.broadened(width, gdd, spectrum, 4.0) == pytest.approx(sqrt(found**2 + 16), rel=1e-6)


def test_dispersion_of_standard_fibre():
    """17 ps/(nm km) at 1550 nm are -21.7 ps^2 a kilometre; 1 nm over 10 km spreads by 170 ps."""
    assert dispersion.delay_dispersion(17.0, 1550.0, 1.0) == pytest.approx(-21.68, abs=0.01)
    spread = dispersion.delay_dispersion(17.0, 1550.0, 10.0) * dispersion.spectrum(1.0, 1550.0)
    assert abs(spread) == pytest.approx(170.0)


def test_share_in_the_window_is_the_integral():
    share = quad(lambda t: exp(-(t**2) / 2 / 300**2) / sqrt(2 * pi) / 300, -500, 500)[0]
    assert dispersion.in_window(1000.0, 300.0) == pytest.approx(share)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dispersion.broadened(1.0, 0.0, 0.4), "shorter than its spectrum"),
        (lambda: dispersion.broadened(-1.0, 0.0, 0.4), "are positive"),
        (lambda: dispersion.spectrum(0.0, 1550.0), "both are positive"),
        (lambda: dispersion.in_window(0.0, 1.0), "are positive"),
        (lambda: dispersion.interference(0.0, 1.0), "is positive"),
    ],
)
def test_photons_that_cannot_be_are_refused(call, words):
    with pytest.raises(PhysicsError, match=words):
        call()


# -- links --------------------------------------------------------------------------------------------------------------


def test_blurred_photons_miss_the_window():
    """Two arms of 20 km: both photons of a pair lose what the spread leaves outside 1 ns."""
    photon = {"width": "50 ps", "bandwidth": 0.5, "temperature_swing": 0.3}
    spread = sqrt(50**2 + (17 * 20 * 0.5) ** 2 + (37 * 20 * 0.3) ** 2)
    share = erf(500 / sqrt(2) / spread) / erf(500 / sqrt(2) / 50)
    found = link(PULSE, photon=photon)
    expected = link(PULSE, Fibre(40.0, 8.0 - 20 * np.log10(share), 2e5))
    assert found.probability == pytest.approx(expected.probability, rel=1e-9)
    assert found.fidelity == pytest.approx(expected.fidelity, rel=1e-9)
    assert link(PULSE, photon={**photon, "compensated": 1.0, "temperature_swing": 0.0}).probability == pytest.approx(
        link(PULSE).probability
    )


def test_unequal_arms_cost_interference():
    """Equal arms cancel dispersion; of 10 and 30 km the difference stays.  Wandering arms cost either."""
    photon = {"width": "20 ps"}
    window = {"window": "100 ns"}
    even = link(CLICK, photon=photon, receiver=window)
    assert even.fidelity == pytest.approx(link(CLICK).fidelity)
    uneven = Fibre(40.0, 8.0, 2e5, 0.25)
    overlap = 1 / sqrt(1 + (17 * 20 * 1550**2 / (2 * pi * 299792.458) / (4 * 20**2)) ** 2)
    worse = link({**CLICK, "visibility": 0.9 * overlap}, uneven)
    assert link(CLICK, uneven, photon=photon, receiver=window).fidelity == pytest.approx(worse.fidelity, rel=1e-6)
    warm = link(CLICK, photon={**photon, "temperature_swing": 0.05}, receiver=window)
    shaken = 1 / sqrt(1 + 2 * (2 * (37 * 0.05 * 20) ** 2) / (4 * 20**2))
    assert warm.fidelity == pytest.approx(link({**CLICK, "visibility": 0.9 * shaken}).fidelity, rel=1e-6)


def test_a_scheme_that_does_not_say_what_overlap_does_is_refused():
    textbook = {"kind": "textbook", "probability": 0.1, "fidelity": 0.9, "attempt_period": "1 ms"}
    with pytest.raises(PhysicsError, match="do not say what the overlap of photons does"):
        link(textbook, Fibre(40.0, 8.0, 2e5, 0.25), photon={"width": "20 ps"})
    assert link(textbook, photon={"width": "20 ps"}, receiver={"window": "100 ns"}).fidelity == pytest.approx(0.9)


# -- data beside the photons --------------------------------------------------------------------------------------------


def test_the_coefficient_follows_from_gain_and_phonons():
    """1 THz towards longer waves at 293 K: 0.4/13.2 per W and km, 6.6 phonons, 1.27e-19 J, 124 GHz a nanometre."""
    photon = 1550.0
    light = 1 / (1 / photon + 1 / 299_792.458)
    phonons = 1 / (exp(6.62607015e-34 * 1e12 / 1.380649e-23 / 293) - 1)
    band, energy = 299_792.458e12 / photon**2, 6.62607015e-34 * 299_792.458e12 / photon
    expected = 0.4 / 13.2 * (phonons + 1) * band * energy
    assert raman.coefficient(light, photon) == pytest.approx(expected)
    assert 1e-9 < expected < 6e-9  # measured: some 1e-9 per km and nm (Eraerds et al. 2010)


def test_shorter_waves_are_the_quieter_side():
    """The two sides differ by the Boltzmann factor: 10 THz at 293 K is a factor of 5."""
    photon, shift = 1550.0, 10.0
    nu = 299_792.458 / photon
    up, down = (raman.coefficient(299_792.458 / (nu + s), photon) for s in (shift, -shift))
    assert up / down == pytest.approx(exp(6.62607015e-34 * 1e13 / 1.380649e-23 / 293))


@pytest.mark.parametrize(
    ("light", "photon", "words"),
    [
        (1310.0, 1550.0, "needs its own 'raman'"),
        (1550.0, 1550.0, "share the wavelength"),
        (0.0, 1550.0, "are positive"),
    ],
)
def test_coefficients_that_the_triangle_cannot_give_are_refused(light, photon, words):
    with pytest.raises(PhysicsError, match=words):
        raman.coefficient(light, photon)


def test_a_wavelength_plan_is_the_sum_of_its_channels():
    rho = raman.coefficient(1540.0, 1550.0)
    plan = {
        "channels": [
            {"wavelength": 1540.0, "power": "0.2 mW"},
            {"wavelength": 1310.0, "power": "0.3 mW", "raman": 2e-10},
        ]
    }
    mixed = (0.2 * rho + 0.3 * 2e-10) / 0.5
    found, expected = (link(CLICK, classical=c) for c in (plan, {"power": "0.5 mW", "raman": mixed}))
    assert found.probability == pytest.approx(expected.probability)
    assert found.fidelity == pytest.approx(expected.fidelity)
    with pytest.raises(PhysicsError, match="needs its own 'raman'"):
        link(CLICK, classical={"channels": [{"wavelength": 1310.0, "power": "1 mW"}]})


def test_light_that_runs_one_way_is_half_of_that_which_runs_both():
    """By the symmetry of the fibre; and what leaks through the filter is the light that has arrived."""
    clicks = {}
    for launched in ("first", "second", "both"):
        channel = {"wavelength": 1540.0, "power": "0.0003 mW", "launched": launched}
        clicks[launched] = link(CLICK, classical={"channels": [channel]}).probability - link(CLICK).probability
    assert clicks["first"] == pytest.approx(clicks["second"], rel=1e-6)
    assert clicks["both"] == pytest.approx(2 * clicks["first"], rel=0.01)
    leaking, tight = (
        link(CLICK, classical={"power": "1 mW", "raman": 0.0, "isolation": f"{db} dB"}) for db in (90, 130)
    )
    assert leaking.fidelity < tight.fidelity
    arrived = 2 * 1e-3 * 10 ** (-0.4 - 9)
    rate = raman.photon_rate(arrived / 2, 1550.0) * 0.9 * 1e-9
    assert leaking.probability == pytest.approx(link({**CLICK, "dark_click": -np.expm1(-rate)}).probability, rel=1e-9)


def test_a_source_in_the_middle_has_its_noise_at_the_ends():
    """An end sees the Raman light of all the fibre: forward of the other end's data, backward of its own."""
    power = raman.forward(1e-3, 40, 0.2, 3e-9, 0.8) + raman.backward(1e-3, 40, 0.2, 3e-9, 0.8)
    click = -np.expm1(-raman.photon_rate(power / 2, 1550.0) * 0.9 * 1e-9)
    both = 2 * click - click**2
    found, expected = link(PULSE, classical={"power": "1 mW"}), link({**PULSE, "dark_click": both})
    assert found.probability == pytest.approx(expected.probability)
    assert found.fidelity == pytest.approx(expected.fidelity)


def test_keys_are_checked_with_reasons():
    data = {
        "name": "n",
        "network": {
            "chain": {"segments": 1, "length": "10 km"},
            "hardware": {"all": {"memory": {"kind": "relaxing"}, "interface": CLICK}},
            "medium": {"use": "installed-fibre", "photon": {"width": "1 ps", "bandwidth": 0.1}},
        },
        "flows": [{"name": "f", "from": "n0", "to": "n1"}],
        "run": {"until": "10 s"},
    }
    with pytest.raises(qstack.ConfigError, match="shorter than its spectrum allows"):
        qstack.load(data)
    data["network"]["medium"]["photon"] = {"width": "100 ps", "temperature_swing": -1}
    with pytest.raises(qstack.ConfigError, match=r"photon\.temperature_swing  '-1': must be at least 0"):
        qstack.load(data)
    data["network"]["medium"] = {"use": "installed-fibre", "classical": {"chanels": []}}
    with pytest.raises(qstack.ConfigError, match="Did you mean 'channels'"):
        qstack.load(data)
