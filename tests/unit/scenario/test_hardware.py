"""Hardware models and data sheets: closed forms, unequal arms, light speed, and round trips."""

from __future__ import annotations

import json
from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qstack
from qstack.hardware.midpoint import midpoint
from qstack.hardware.models import DoubleClickInterface, RelaxingMemory, SingleClickInterface, TextbookInterface
from qstack.plugin.contracts import Fibre, Platform

MANAGER = qstack.manager()
SECOND = 10**12


def platform(**parts):
    return Platform.model_validate(parts, context={"plugins": MANAGER})


def photon(kind, **parts):
    return {"kind": kind, "detection": 0.5, "overhead": "10 us", **parts}


MEMORY = {"kind": "relaxing", "coherence_time": "1 s"}


@pytest.mark.requirement("QS-L1-039")
@pytest.mark.parametrize("name", sorted(MANAGER.platforms))
def test_every_installed_platform_survives_writing_and_reading(name):
    sheet = MANAGER.platforms[name]
    text = json.dumps(sheet.model_dump(mode="json"))
    again = platform(**json.loads(text))
    assert again == sheet
    assert hash(again) == hash(sheet)


@settings(max_examples=50)
@given(
    memories=st.integers(1, 64),
    noise=st.floats(0, 1),
    t1=st.integers(1, 10**18),
    share=st.floats(0.001, 2),
    overhead=st.integers(1, 10**12),
    detection=st.floats(1e-6, 1),
)
def test_any_platform_survives_writing_and_reading(memories, noise, t1, share, overhead, detection):
    sheet = platform(
        memory={"kind": "relaxing", "relaxation_time": f"{t1} ps", "coherence_time": f"{max(1, int(t1 * share))} ps"},
        interface=photon("double-click", detection=detection, overhead=f"{overhead} ps"),
        memories=memories,
        gate_noise=noise,
    )
    assert platform(**json.loads(json.dumps(sheet.model_dump(mode="json")))) == sheet


def test_relaxing_memory_is_amplitude_and_phase_damping():
    memory = RelaxingMemory(relaxation_time="10 s", coherence_time="5 s")
    decay = memory.decay(1.0)
    assert (decay.xy, decay.z, decay.shift) == pytest.approx((exp(-0.2), exp(-0.1), 1 - exp(-0.1)))
    # Phi+ with one half stored, from the reference table: T1 = 10, T2 = 5, t = 1.
    assert (1 + decay.z + 2 * decay.xy) / 4 == pytest.approx(0.885574731048)
    assert memory.survival()(SECOND) == pytest.approx((2 * decay.xy + decay.z) / 3)
    for_ever = RelaxingMemory().decay(1e9)
    assert (for_ever.xy, for_ever.z, for_ever.shift) == (1, 1, 0)


@pytest.mark.requirement("QS-L1-033")
def test_t2_is_bounded_by_t1():
    RelaxingMemory(relaxation_time="1 s", coherence_time="2 s")
    with pytest.raises(ValueError, match="T2 exceeds 2 T1"):
        RelaxingMemory(relaxation_time="1 s", coherence_time="2.000001 s")


def test_double_click_without_noise_is_the_closed_form():
    """p = eta_A eta_B / 2 and F = (1 + V)/2 (vectors: eta = .1, V = .81 gives p = .005, F = .905)."""
    interface = DoubleClickInterface(detection=1, visibility=0.81)
    arms = Fibre(0.0001, 20.0, 2e5).arms  # 10 dB an arm
    (herald,) = interface.herald(interface, arms)
    assert herald.probability == pytest.approx(0.005)
    assert herald.fidelity == pytest.approx(0.905)
    assert {outcome.bell for outcome in herald.outcomes} == {2, 3}
    assert sum(outcome.share for outcome in herald.outcomes) == pytest.approx(1)


def test_double_click_depends_on_the_product_of_unequal_arms():
    interface = DoubleClickInterface(detection=0.8)
    middle, side = (interface.herald(interface, Fibre(20, 8, 2e5, s).arms)[0] for s in (0.5, 0.2))
    assert side.probability == pytest.approx(middle.probability)
    assert side.fidelity == pytest.approx(1)


def test_single_click_trades_rate_for_fidelity():
    """Reference: alpha = .1, eta = .1, V = 1, threshold detectors: p = .0199, F = .904522613065."""
    interface = SingleClickInterface(detection=1, bright_states=[0.05, 0.1, 0.3])
    heralds = interface.herald(interface, Fibre(0.0001, 20.0, 2e5).arms)
    assert [h.parameter for h in heralds] == [0.05, 0.1, 0.3]
    assert heralds[1].probability == pytest.approx(0.0199)
    assert heralds[1].fidelity == pytest.approx(0.904522613065)
    assert heralds[0].probability < heralds[1].probability < heralds[2].probability
    assert heralds[0].fidelity > heralds[1].fidelity > heralds[2].fidelity


def test_the_link_takes_the_fastest_setting_that_reaches_the_fidelity():
    sheet = platform(memory=MEMORY, interface=photon("single-click"))
    rows = midpoint(sheet, sheet, Fibre(10, 2, 2e5)).rows

    def reached(wanted):
        scenario = {
            "name": "x",
            "network": {
                "chain": {"segments": 1, "length": "10 km"},
                "hardware": {"all": sheet.model_dump(mode="json")},
            },
            "flows": [{"name": "f", "from": "n0", "to": "n1", "min_fidelity": wanted, "number": 400}],
            "run": {"until": "100 s"},
        }
        return qstack.load(scenario).run().flows[0]

    loose, tight = reached(0.6), reached(0.9)
    assert loose.rate_hz > 2 * tight.rate_hz
    assert tight.fidelity.mean > 0.9 > loose.fidelity.mean > 0.6
    best = max(row.fidelity for row in rows)
    with pytest.raises(qstack.ConfigError, match="out of reach"):
        reached(best + 0.001)


@pytest.mark.requirement("QS-L1-006")
@pytest.mark.parametrize("station", [0.5, 0.1, 0.99])
def test_no_herald_is_faster_than_light(station):
    sheet = platform(memory=MEMORY, interface=photon("double-click"))
    fibre = Fibre(40, 8, 2e5, station)
    link = midpoint(sheet, sheet, fibre)
    for arm, emit, reply in zip(fibre.arms, link.emit, link.reply, strict=True):
        assert emit >= 0
        assert reply - emit == 2 * arm.delay  # to the station and back
    assert link.emit[0] + fibre.arms[0].delay == link.emit[1] + fibre.arms[1].delay  # photons meet
    assert link.period >= 2 * max(arm.delay for arm in fibre.arms)
    assert link.delay == round(40 / 2e5 * SECOND)


@pytest.mark.requirement("QS-L1-006")
def test_a_textbook_link_cannot_outrun_light_either():
    slow = TextbookInterface(probability=0.1, fidelity=0.9, attempt_period="1 ms", herald_after="1 ms")
    assert slow.reply(Fibre(40, 8, 2e5).arms) == (10**9, 10**9)
    fast = TextbookInterface(probability=0.1, fidelity=0.9, attempt_period="1 ms", herald_after="1 us")
    with pytest.raises(qstack.PhysicsError, match="faster than light"):
        fast.reply(Fibre(40, 8, 2e5).arms)


def test_an_end_nearer_to_the_station_hears_earlier_and_the_run_agrees():
    """The pair's halves age from their own emission, whatever the place of the station."""
    found = []
    for station in (0.5, 0.1):
        scenario = {
            "name": "x",
            "network": {
                "chain": {"segments": 1, "length": "100 km", "loss": "10 dB"},
                "fibre": {"station": station},
                "hardware": {
                    "all": {"memory": {**MEMORY, "coherence_time": "20 ms"}, "interface": photon("double-click")}
                },
            },
            "flows": [{"name": "f", "from": "n0", "to": "n1", "number": 300}],
            "run": {"until": "1000 s"},
        }
        found.append(qstack.load(scenario).run().flows[0].fidelity.mean)
    # Middle: both halves are 0.5 ms old when the answer comes.  At 0.1: 0.1 ms and 0.9 ms old; at delivery the sum differs
    # only by what the ends wait for messages, so that both runs lie within a per cent.
    assert found[0] == pytest.approx(found[1], abs=0.02)
    assert all(0.85 < mean < 0.99 for mean in found)
