"""Photonics against published numbers and against sums that were not written for it."""

from __future__ import annotations

import json
from math import exp, factorial
from pathlib import Path

import numpy as np
import pytest
from qstack_photonics import BenchInterface, Detector, parts, plugin
from ruamel.yaml import YAML

import qstack
import qstack.builtins
from qstack.core.errors import ConfigError, PhysicsError
from qstack.plugin.contracts import Fibre
from qstack.plugin.discovery import Plugin
from qstack.plugin.manager import Manager
from qstack.plugin.sheet import parameters
from qstack.quantum.sources import coincidence
from qstack.quantum.states import bell_from_correlators, werner
from qstack.study.keys_link import read_link

PLATFORMS = Manager([Plugin("qstack-photonics", "1", plugin)]).platforms
PUBLISHED = {
    path.stem: json.loads(path.read_text())["parameters"]
    for path in (Path(qstack.__file__).parent / "data" / "hardware" / "published").glob("*.json")
}
NEAR = Fibre(0.001, 0.0, 2e5).arms


def value(where, name):
    return PUBLISHED[where][name]["value"]


DETECTORS = [
    ("snspd-2017", "snspd_2017"),
    ("snspd-record-2021", "snspd_record_2021"),
    ("snspd-field-2024", "snspd_field_2024"),
    ("ingaas-free-running-2012", "ingaas_free_running"),
    ("ingaas-vendor-class", "ingaas_vendor_class"),
    ("snspd-vendor-class", "snspd_vendor_class"),
]


@pytest.mark.parametrize(("name", "published"), DETECTORS)
def test_detectors_have_the_published_values(name, published):
    detector = parts()[name]
    assert detector.efficiency == value("detectors", f"{published}.efficiency")
    if f"{published}.dark_rate" in PUBLISHED["detectors"]:
        assert detector.dark_counts == value("detectors", f"{published}.dark_rate")
    if f"{published}.jitter" in PUBLISHED["detectors"]:
        assert detector.jitter == value("detectors", f"{published}.jitter") // 1 or detector.jitter == 15


def test_every_published_converter_is_a_part():
    for name, entry in PUBLISHED["conversion"].items():
        part = parts()[f"converter-{name.replace('_', '-')}"]
        assert part.efficiency == pytest.approx(np.mean(entry["value"]), rel=1e-3)
        assert part.origins[0].source == entry["source"]


def test_dark_counts_double_with_temperature():
    detector = Detector(efficiency=0.2, dark_rate="100 Hz", temperature=223 + 18, measured_at=223, doubling=9)
    assert detector.dark_counts == pytest.approx(400)


def test_warm_superconductor_is_refused():
    with pytest.raises(PhysicsError, match=r"works up to 4\.2 K"):
        _ = parts()["snspd-uv-2017"].model_copy(update={"temperature": 5.0}).dark_counts


def test_dead_time_against_the_spacing_of_bins():
    assert parts()["snspd-vendor-class"].dead_between(50_000)
    assert not parts()["snspd-vendor-class"].dead_between(70_000)


def test_coincidences_summed_photon_by_photon():
    mean, (a, b), (da, db) = 0.2, (0.3, 0.15), (0.01, 0.02)
    both = singles_a = singles_b = 0.0
    for n in range(40):
        p = exp(-mean) * mean**n / factorial(n)
        dark_a, dark_b = (1 - da) * (1 - a) ** n, (1 - db) * (1 - b) ** n
        neither = (1 - da) * (1 - db) * ((1 - a) * (1 - b)) ** n
        both += p * (1 - dark_a - dark_b + neither)
        singles_a += p * (1 - dark_a)
        singles_b += p * (1 - dark_b)
    found = coincidence(bell_from_correlators(werner(0.97)), mean, (a, b), (da, db))
    assert found.probability == pytest.approx(both, rel=1e-12)
    real = 1 - singles_a * singles_b / both
    assert found.fidelity == pytest.approx(0.97 * real + 0.25 * (1 - real), rel=1e-12)


def test_visibility_of_a_bright_source_falls_with_its_brightness():
    """V = 1 - mu to first order at low gain (Kuzucu and Wong 2008)."""
    for mean in (0.001, 0.01):
        found = coincidence((1.0, 0.0, 0.0, 0.0), mean, (0.1, 0.1))
        assert (4 * found.fidelity - 1) / 3 == pytest.approx(1 - mean, abs=mean**2 + mean * 0.02)


def test_dispersion_washes_out_interference():
    """Overlap of two Gaussian photons, one dispersed, by a sum over the spectrum."""
    fibre = parts()["fibre-c-band"].model_copy(update={"dispersion": 17.0})
    length, width, duration = 10.0, 0.02, 5.0
    spread = fibre.broadening(length, width)
    omega = np.linspace(-8, 8, 20001)
    weight = np.exp(-(omega**2) / 2)
    phase = spread / (2 * duration) * omega**2 / 2
    overlap = abs((weight * np.exp(1j * phase)).sum() / weight.sum()) ** 2
    assert fibre.wash_out(length, width, duration) == pytest.approx(overlap, rel=1e-6)


def test_delay_of_a_fibre_follows_temperature():
    fibre = parts()["fibre-c-band"]
    assert fibre.delay(1.0) == pytest.approx(1.468 / 299792.458 * 1e12)
    assert fibre.delay(10.0, kelvin=2.0) - fibre.delay(10.0) == pytest.approx(740, rel=1e-6)


def test_key_falls_with_distance_and_ends():
    laser, fibre, detector = (parts()[name] for name in ("decoy-1550", "fibre-c-band", "ingaas-vendor-class"))
    rates = [laser.key_rate(length, fibre, detector, 1000) for length in (10.0, 50.0, 100.0, 400.0)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0
    assert rates[-1] == 0


def test_unknown_detector_is_refused_with_the_known_ones():
    sheet = PLATFORMS["spdc-sagnac-2008"].interface.model_dump(mode="json")
    with pytest.raises(ValueError, match="'snspd-2071' is not a detector"):
        BenchInterface.model_validate({**sheet, "detector": "snspd-2071"})


def test_bench_takes_what_its_parts_say():
    bench = PLATFORMS["spdc-sagnac-2008"].interface
    assert bench.pairs.detection == pytest.approx(0.33 * value("detectors", "snspd_2017.efficiency"))
    assert bench.pair_fidelity == value("spdc", "pulsed_sagnac.fidelity")
    assert bench.pulse_rate == value("spdc", "pulsed_sagnac.repetition_rate")
    assert bench.period(NEAR) == round(1e12 / value("spdc", "pulsed_sagnac.repetition_rate"))
    converted = bench.model_copy(update={"converter": parts()["converter-rb-780-1522"]})
    assert converted.pairs.detection == pytest.approx(0.33 * 0.92 * 0.57)


def test_dots_and_memories_have_the_published_values():
    gaas, ingaas = PLATFORMS["qd-gaas-2019"].interface, PLATFORMS["qd-ingaas-2019"].interface
    assert gaas.pair_probability == value("quantum_dot", "gaas.pair_collection")
    assert gaas.pair_fidelity == value("quantum_dot", "gaas.fidelity")
    extraction = value("quantum_dot", "ingaas.extraction")
    assert ingaas.pair_probability == pytest.approx(
        value("quantum_dot", "ingaas.pair_generation") * extraction**2, abs=1e-4
    )
    er, pr = PLATFORMS["afc-er-yso-2024"].interface, PLATFORMS["afc-pr-yso-2021"].interface
    assert er.storage == value("afc_rare_earth", "er_yso.efficiency")
    assert er.modes == value("afc_rare_earth", "er_yso.temporal_modes")
    assert pr.storage == value("afc_rare_earth", "pr_yso.efficiency")


def test_modes_multiply_the_rate_and_not_the_state():
    one = PLATFORMS["afc-er-yso-2024"].interface.model_copy(update={"modes": 1})
    many = PLATFORMS["afc-er-yso-2024"].interface
    single, multiplexed = one.herald(one, NEAR)[0], many.herald(many, NEAR)[0]
    assert multiplexed.probability == pytest.approx(1 - (1 - single.probability) ** 70)
    assert multiplexed.outcomes == single.outcomes


@pytest.mark.parametrize("name", sorted(PLATFORMS))
def test_every_value_of_a_sheet_has_an_origin(name):
    given_ = {parameter for origin in PLATFORMS[name].origins for parameter in origin.gives}
    written = YAML(typ="safe", pure=True).load(plugin.DATA / "platforms" / f"{name}.yaml")
    named = {parameter for parameter in parameters(written) if parameter != "interface.detector"}
    assert {parameter for parameter in given_ if not parameter.startswith("interface.detector.")} == named


BOTH = Manager([Plugin("qstack-reference", "1", qstack.builtins), Plugin("qstack-photonics", "1", plugin)])


def test_sheets_make_a_key_link_and_single_values_replace_theirs(tmp_path):
    (tmp_path / "link.yaml").write_text(
        "source: decoy-1550\ndetector: {like: snspd-vendor-class, dark_rate: 7 Hz}\nchannel: fibre-deployed-boston\n"
        "length: 35 km\nself_test: 1%\n"
    )
    link = read_link(BOTH, tmp_path / "link.yaml", ["detector.dead_time=80 ns", "source.intensity=0.4"])
    setup = link.setup()
    assert setup.source.rate_hz == 2e6
    assert setup.source.intensities == pytest.approx((0.4, 0.12, 0.0))
    assert setup.receiver.optical_error == 0.033
    assert (setup.receiver.efficiency, setup.receiver.dark_rate_hz, setup.receiver.self_test) == (0.9, 7.0, 0.01)
    assert setup.receiver.dead_time_s == pytest.approx(80e-9)
    assert setup.fibre.extra_loss_db == pytest.approx(0.49 * 35)


def test_every_sheet_of_a_role_can_stand_in_a_key_link_or_says_why_not():
    for role, place in (("source", "source"), ("channel", "channel"), ("detector", "detector")):
        offered = BOTH.offers("hardware", role)
        assert len(offered) > 1
        for name in offered:
            setup = read_link(BOTH, None, [f"{place}={name}", "length=1 km"]).setup()
            assert 0 < setup.transmittance < 1


def test_decoys_of_a_laser_must_be_weaker_than_its_signal():
    with pytest.raises(ConfigError, match="decoys must be weaker than the signal"):
        read_link(BOTH, None, ["source=decoy-1550", "source.decoys=[0.6, 0.0]"])
    with pytest.raises(ConfigError, match="2 intensities need as many probabilities"):
        read_link(BOTH, None, ["source=decoy-1550", "source.decoys=[0.1]"])
