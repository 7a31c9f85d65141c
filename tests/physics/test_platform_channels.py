"""Channels: Raman light against integrals over the fibre, installed fibre and free space against their parts, satellites."""

from __future__ import annotations

from math import degrees, exp, log, pi, radians

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial.transform import Rotation

import qstack
from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Fibre
from qstack.quantum import freespace, raman

MANAGER = qstack.manager()
ION = MANAGER.platforms["ion-projected"]


def link(medium, fibre, platform=ION, **options):
    offer = MANAGER.offers("media", "")[medium]
    return offer.make(offer.options.model_validate(options), a=platform, b=platform, fibre=fibre)


@pytest.mark.parametrize("length", [0.1, 10.0, 80.0])
@pytest.mark.parametrize("attenuation", [0.0, 0.2, 0.35])
def test_raman_light_is_the_integral_over_the_fibre(length, attenuation):
    """Each piece scatters what has arrived there; what it scatters is attenuated on its way to the receiver."""
    a = attenuation * log(10) / 10
    with_it = quad(lambda z: exp(-a * z) * exp(-a * (length - z)), 0, length)[0]
    against = quad(lambda z: exp(-a * z) * exp(-a * z), 0, length)[0]
    args = (1e-3, length, attenuation, 3e-9, 0.8)
    assert raman.forward(*args) == pytest.approx(1e-3 * 3e-9 * 0.8 * with_it, rel=1e-9)
    assert raman.backward(*args) == pytest.approx(1e-3 * 3e-9 * 0.8 * against, rel=1e-9)


def test_photons_of_a_power():
    assert raman.photon_rate(1.0, 1550.0) == pytest.approx(7.803e18, rel=1e-3)


@pytest.mark.parametrize(
    "values", [(-1, 1, 0.2, 1e-9, 1), (1, -1, 0.2, 1e-9, 1), (1, 1, -0.2, 1e-9, 1), (1, 1, 0.2, -1e-9, 1)]
)
def test_negative_light_is_refused(values):
    for function in (raman.forward, raman.backward):
        with pytest.raises(PhysicsError, match="is not negative"):
            function(*values)


def test_plain_installed_fibre_is_the_midpoint():
    fibre = Fibre(40.0, 8.0, 2e5)
    assert link("installed-fibre", fibre) == link("midpoint", fibre)


def test_connectors_are_loss():
    lossy = link("installed-fibre", Fibre(40.0, 8.0, 2e5), connectors=4, connector_loss="0.5 dB")
    assert lossy == link("midpoint", Fibre(40.0, 10.0, 2e5))


def test_data_traffic_is_dark_clicks_of_the_right_number():
    fibre = Fibre(40.0, 8.0, 2e5)
    options = {
        "classical": {"power": "1 mW", "raman": 3e-9},
        "receiver": {"filter": 0.8, "window": "1 ns", "efficiency": 0.5},
    }
    arrived = 1e-3 * 10**-0.4
    power = 2 * (raman.forward(1e-3, 20, 0.2, 3e-9, 0.8) + raman.backward(arrived, 20, 0.2, 3e-9, 0.8))
    clicks = -np.expm1(-power / 2 * 0.5 * 1550e-9 / raman.PLANCK_TIMES_LIGHT * 1e-9)
    dark = ION.interface.dark_click
    noisy = ION.model_copy(
        update={"interface": ION.interface.model_copy(update={"dark_click": dark + clicks - dark * clicks})}
    )
    found, expected = link("installed-fibre", fibre, **options), link("midpoint", fibre, noisy)
    assert found.heralds[0].probability == pytest.approx(expected.heralds[0].probability)
    assert found.heralds[0].fidelity == pytest.approx(expected.heralds[0].fidelity)
    assert found.heralds[0].fidelity < link("midpoint", fibre).heralds[0].fidelity - 0.001


@pytest.mark.parametrize("platform", ["nv-projected", "afc-er-yso-2024", "spdc-sagnac-2008", "ensemble-hefei-2024"])
def test_every_interface_that_has_dark_counts_takes_background_light(platform):
    if platform not in MANAGER.platforms:
        pytest.skip("its distribution is not installed")
    sheet, fibre = MANAGER.platforms[platform], Fibre(20.0, 4.0, 2e5)
    options = {"classical": {"power": "10 mW"}}
    clean, lit = link("midpoint", fibre, sheet), link("installed-fibre", fibre, sheet, **options)
    assert lit.heralds[0].probability > clean.heralds[0].probability
    assert lit.heralds[0].fidelity < clean.heralds[0].fidelity


def test_drifting_phase_takes_coherence_only():
    fibre = Fibre(20.0, 4.0, 2e5)
    clean, drifted = link("midpoint", fibre), link("installed-fibre", fibre, phase_drift=0.5)
    for one, two in zip(clean.heralds[0].outcomes, drifted.heralds[0].outcomes, strict=True):
        assert two.correlators[0] == pytest.approx(one.correlators[0] * exp(-0.125))
        assert two.correlators[2] == one.correlators[2]


def test_drifting_polarisation_is_the_mean_over_rotations():
    """Random axis, Gaussian angle: the mean rotation matrix of many draws, for both arms."""
    rng = np.random.default_rng(5)
    sigma, draws = 0.4, 20_000
    axes = rng.normal(size=(draws, 3))
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    turned = Rotation.from_rotvec(axes * rng.normal(scale=sigma, size=draws)[:, None]).as_matrix()
    mean = np.trace(turned.mean(axis=0)) / 3
    fibre = Fibre(20.0, 4.0, 2e5)
    clean, drifted = link("midpoint", fibre), link("installed-fibre", fibre, polarisation_drift=sigma)
    for one, two in zip(clean.heralds[0].outcomes, drifted.heralds[0].outcomes, strict=True):
        for before, after in zip(one.correlators, two.correlators, strict=True):
            assert after == pytest.approx(before * mean**2, rel=0.01)


# -- free space ---------------------------------------------------------------------------------------------------------


def test_free_space_is_the_product_of_its_parts():
    found = link("free-space", Fibre(10.0, 99.0, 2e5), aperture="0.2 m", half_divergence=2e-5, air=0.2, optics=0.5)
    share = freespace.aperture_share(5.0, 2e-5, 0.2) * 0.5 * 10 ** (-0.2 * 5 / 10)
    fibre = Fibre(10.0, -20 * np.log10(share), 299_792.458)
    expected = link("midpoint", fibre)
    assert found.heralds[0].probability == pytest.approx(expected.heralds[0].probability)
    assert found.delay == round(10 / 299_792.458 * 1e12)


def test_unequal_arms_of_free_space_are_not_in_proportion():
    near, far = link("free-space", Fibre(10.0, 0.0, 2e5, station=0.2)), link("free-space", Fibre(10.0, 0.0, 2e5))
    assert near.heralds[0].probability != pytest.approx(far.heralds[0].probability, rel=0.01)


def test_turbulence_pointing_and_daylight_each_cost():
    fibre = Fibre(10.0, 0.0, 2e5)
    clear = link("free-space", fibre).heralds[0]
    turbulent = link("free-space", fibre, coherence="0.02 m").heralds[0]
    shaken = link("free-space", fibre, jitter=1e-5).heralds[0]
    bright = link("free-space", fibre, background="0.000001 mW").heralds[0]
    assert turbulent.probability < clear.probability
    assert shaken.probability < clear.probability
    assert bright.fidelity < clear.fidelity


def test_pointing_is_the_mean_over_angles():
    rng = np.random.default_rng(3)
    angles = rng.normal(scale=2e-6, size=(200_000, 2))
    mean = np.exp(-2 * (angles**2).sum(axis=1) / 5e-6**2).mean()
    assert freespace.pointing_transmission(2e-6, 5e-6) == pytest.approx(mean, rel=0.01)


def test_seeing_is_that_of_a_gaussian_of_the_same_half_width():
    """At half of 0.98 wavelength / r0 a beam of the seeing alone has fallen to a half."""
    wavelength, r0 = 800e-9, 0.05
    spread = freespace.turbulent_divergence(1e-15, wavelength, r0)
    half_width = 0.98 * wavelength / r0 / 2
    assert exp(-2 * half_width**2 / spread**2) == pytest.approx(0.5)


# -- satellites ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("highest", [90.0, 60.0, 25.0])
def test_elevation_of_a_pass_by_vectors(highest):
    """A station on the equator's plane turned by the smallest angle; the satellite on a circle around the Earth."""
    altitude = 500.0
    radius = freespace.EARTH_RADIUS_KM + altitude
    omega = (freespace.EARTH_GRAVITY / radius**3) ** 0.5
    up = radians(highest)
    nearest = np.arccos(freespace.EARTH_RADIUS_KM / radius * np.cos(up)) - up
    station = freespace.EARTH_RADIUS_KM * np.array([np.cos(nearest), 0, np.sin(nearest)])
    for time in (0.0, 40.0, 150.0, 400.0):
        satellite = radius * np.array([np.cos(omega * time), np.sin(omega * time), 0])
        line = satellite - station
        sine = line @ station / np.linalg.norm(line) / np.linalg.norm(station)
        assert freespace.elevation(altitude, highest, time) == pytest.approx(degrees(np.arcsin(sine)), abs=1e-9)


def test_a_pass_ends_where_it_should():
    end = freespace.pass_half(500.0, 60.0, 10.0)
    assert freespace.elevation(500.0, 60.0, end) == pytest.approx(10.0)
    assert freespace.elevation(500.0, 60.0, end + 60) < 10
    assert freespace.elevation(500.0, 60.0, 2 * pi / 1e-3) < 0


def test_impossible_passes_are_refused():
    with pytest.raises(PhysicsError, match="lowest elevation"):
        freespace.pass_half(500.0, 20.0, 30.0)
    with pytest.raises(PhysicsError, match="visible satellite"):
        freespace.elevation(500.0, -5.0, 0.0)
    with pytest.raises(PhysicsError, match="light comes from above the horizon"):
        freespace.air_transmission(3.0, 0.0)
    with pytest.raises(PhysicsError, match="zenith loss"):
        freespace.air_transmission(-3.0, 10.0)


def test_air_at_the_zenith_and_low_down():
    assert freespace.air_transmission(3.0, 90.0) == pytest.approx(10**-0.3)
    assert freespace.air_transmission(3.0, 30.0) == pytest.approx(10**-0.6)


def test_a_scenario_over_installed_fibre():
    data = {
        "name": "shared fibre",
        "network": {
            "chain": {"segments": 1, "length": "10 km"},
            "hardware": {"all": "ion-projected"},
            "medium": {"use": "installed-fibre", "connectors": 2, "classical": {"power": "0.1 mW"}},
        },
        "flows": [{"name": "pairs", "from": "n0", "to": "n1", "min_fidelity": 0.5, "number": 20}],
        "run": {"until": "20 s", "seed": 2},
    }
    assert qstack.load(data).run().flows[0].delivered == 20
    data["network"]["medium"]["connectors"] = -2
    with pytest.raises(qstack.ConfigError, match=r"network\.medium\.connectors  '-2': must be at least 0"):
        qstack.load(data)


def test_a_satellite_is_two_downlinks():
    found = link("satellite", Fibre(1000.0, 0.0, 2e5), elevations=[30.0, 60.0], zenith_loss="2 dB", optics=0.4)
    arms = []
    for up in (30.0, 60.0):
        reach = freespace.slant_range(500.0, up)
        share = freespace.aperture_share(reach, 5e-6, 1.2) * freespace.air_transmission(2.0, up) * 0.4
        arms.append((reach, -10 * np.log10(share)))
    (near, loss_a), (far, loss_b) = arms
    way = Fibre(near + far, 0.0, 299_792.458, near / (near + far), (loss_a, loss_b))
    assert found == link("midpoint", way)
    assert found.emit == (0, pytest.approx((near - far) / 299_792.458 * 1e12, abs=2))


def test_a_satellite_below_the_horizon_is_refused_with_the_reason():
    data = {
        "name": "below",
        "network": {
            "chain": {"segments": 1, "length": "1000 km"},
            "hardware": {"all": "ion-projected"},
            "medium": {"use": "satellite", "elevations": [20, -3]},
        },
        "flows": [{"name": "pairs", "from": "n0", "to": "n1"}],
        "run": {"until": "1 s"},
    }
    with pytest.raises(qstack.ConfigError, match=r"elevation = -3\.0 degrees: a visible satellite stands at 0 to 90"):
        qstack.load(data)
