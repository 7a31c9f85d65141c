"""Atoms and ions against published numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qstack_atoms import plugin
from ruamel.yaml import YAML

import qstack
from qstack.plugin.contracts import Fibre
from qstack.plugin.discovery import Plugin
from qstack.plugin.manager import Manager
from qstack.plugin.sheet import parameters

PLATFORMS = Manager([Plugin("qstack-atoms", "1", plugin)]).platforms
PUBLISHED = {
    path.stem: json.loads(path.read_text())["parameters"]
    for path in (Path(qstack.__file__).parent / "data" / "hardware" / "published").glob("*.json")
}


def value(where, name):
    return PUBLISHED[where][name]["value"]


def best(name, length, attenuation):
    sheet = PLATFORMS[name].interface
    return sheet.herald(sheet, Fibre(length, attenuation * length, 2e5).arms)


def test_success_of_strontium_ions_is_the_published_one():
    (herald,) = best("ion-sr-oxford-2020", 0.002, 0)
    assert herald.probability == pytest.approx(value("ion_sr_oxford", "p_attempt"), rel=0.01)


def test_success_of_rubidium_atoms_over_33_km_is_the_published_one():
    (herald,) = best("rb-munich-2022", 33, value("rb_atom_munich_2022", "attenuation"))
    assert herald.probability == pytest.approx(value("rb_atom_munich_2022", "p_attempt_33km"), rel=0.02)


@pytest.mark.parametrize("length", [7.9, 12.5])
def test_success_of_ensembles_lies_in_the_published_range(length):
    herald = next(h for h in best("ensemble-hefei-2024", length, 0.3) if h.parameter == 0.03)
    low, high = value("atomic_ensemble_hefei_2024", "p_attempt")
    assert 0.85 * low < herald.probability < 1.15 * high


CALCIUM = [
    ("interface.detection", "p_detect_telecom"),
    ("interface.visibility", "visibility"),
    ("interface.emitter_fidelity", "ion_photon_fidelity"),
    ("interface.dark_click", "p_dark"),
]


@pytest.mark.parametrize(("parameter", "published"), CALCIUM)
def test_values_of_the_calcium_sheet_are_the_published_ones(parameter, published):
    part, name = parameter.split(".")
    sheet = PLATFORMS["ion-ca-innsbruck-2023"]
    assert getattr(getattr(sheet, part), name) == value("ion_ca_innsbruck", published)


def test_durations_and_gates_of_the_calcium_sheet():
    sheet = PLATFORMS["ion-ca-innsbruck-2023"]
    ps = {
        name: round(value("ion_ca_innsbruck", name) * 1e12)
        for name in ("init_time", "gate_1q_time", "gate_2q_time", "readout_time")
    }
    assert sheet.interface.overhead == ps["init_time"] + ps["gate_1q_time"]
    assert sheet.swap_time == ps["gate_2q_time"] + ps["readout_time"]
    assert sheet.memory.coherence_time == round(value("ion_ca_innsbruck", "T2_repeater_protocol") * 1e12)
    assert sheet.gate_noise == pytest.approx(1 - (1 - value("ion_ca_innsbruck", "gate_2q_depolarising_p")) ** 2)


def test_values_of_the_other_sheets():
    yb = PLATFORMS["ion-yb-bonn-2021"]
    assert yb.interface.detection == value("ion_yb", "cavity_p_attempt")
    assert yb.interface.emitter_fidelity == value("ion_yb", "cavity_ion_photon_fidelity")
    assert yb.interface.overhead == pytest.approx(
        1e12 * value("ion_yb", "cavity_p_attempt") / value("ion_yb", "cavity_rate"), rel=1e-3
    )
    for name in ("ion-yb-bonn-2021", "ion-ba-duke-2024"):
        assert PLATFORMS[name].memory.coherence_time == value("ion_yb", "T2_idle") * 10**12
    assert PLATFORMS["ion-sr-oxford-2020"].interface.overhead == 1e12 / value("ion_sr_oxford", "attempt_rate")
    assert PLATFORMS["rb-munich-2022"].memory.coherence_time == round(value("rb_atom_munich_2022", "T2") * 1e12)
    assert PLATFORMS["ensemble-hefei-2024"].memory.coherence_time == round(
        value("atomic_ensemble_hefei_2024", "storage_time") * 1e12
    )
    (barium,) = best("ion-ba-duke-2024", 1e-6, 0)
    assert barium.fidelity == pytest.approx(value("ion_ba_duke", "reported_time_bin_fidelity"), abs=0.001)
    assert barium.probability * 1e6 == pytest.approx(value("ion_ba_duke", "reported_rate"), rel=0.01)


@pytest.mark.requirement("QS-L1-043")
@pytest.mark.parametrize("name", sorted(PLATFORMS))
def test_every_value_of_a_sheet_has_an_origin(name):
    sheet = PLATFORMS[name]
    given_ = {parameter for origin in sheet.origins for parameter in origin.gives}
    written = YAML(typ="safe", pure=True).load(plugin.DATA / "platforms" / f"{name}.yaml")
    assert set(parameters(written)) == given_
    assert all(origin.assumption or origin.confidence for origin in sheet.origins)


@given(age=st.floats(0, 1e4))
def test_every_memory_is_a_physical_channel(age):
    for sheet in PLATFORMS.values():
        sheet.memory.decay(age).check()
