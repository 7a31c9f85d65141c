"""Satellite passes as links that come and go: geometry by vectors, steps against their parts, runs, refusals."""

from __future__ import annotations

from copy import deepcopy
from math import pi

import numpy as np
import pytest
from scipy import stats

import qstack
from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Fibre
from qstack.quantum import freespace
from qstack.quantum.photons import dark_click
from qstack.quantum.raman import photon_rate

MANAGER = qstack.manager()
S = 10**12
SOURCE = {
    "memories": 2000,
    "memory": {"kind": "relaxing"},
    "interface": {"kind": "source", "pulse_period": "1 us", "pair_probability": 0.5, "loading": 0.8},
}
PASS = {"use": "satellite-pass", "highest": [70, 60], "culminations": ["200 s"]}


def scenario(medium=None, until="500 s", length="1120 km", hardware=None, **flow):
    return {
        "name": "a pass",
        "network": {
            "nodes": ["a", "b"],
            "links": [{"a": "a", "b": "b", "length": length, "medium": {**PASS, **(medium or {})}}],
            "hardware": {"all": hardware or SOURCE},
        },
        "flows": [{"name": "pairs", "from": "a", "to": "b", "min_fidelity": 0.25, **flow}],
        "run": {"until": until, "seed": 3},
    }


def sheet(**medium):
    return qstack.load(scenario(medium)).plan.links[0].sheet


def midpoint(ups, platform, **given):
    offer = MANAGER.offers("media", "")["satellite"]
    options = offer.options.model_validate({"elevations": ups, "zenith_loss": "3 dB", **given})
    return offer.make(options, a=platform, b=platform, fibre=Fibre(1.0, 0.0, 2e5))


@pytest.mark.parametrize("opposite", [False, True])
def test_the_lag_between_two_stations_by_vectors(opposite):
    """Two stations that see the pass at 70 and 40 degrees, at the turn of the orbit that the lag gives, are 900 km apart."""
    altitude, radius = 500.0, freespace.EARTH_RADIUS_KM
    lag = freespace.pass_lag(altitude, (70.0, 40.0), 900.0, opposite=opposite)
    turn = lag * (freespace.EARTH_GRAVITY / (radius + altitude) ** 3) ** 0.5
    a, b = (freespace.track_angle(altitude, up) for up in (70.0, 40.0))
    b = -b if opposite else b
    one = np.array([np.cos(a), 0.0, np.sin(a)])
    two = np.array([np.cos(b) * np.cos(turn), np.cos(b) * np.sin(turn), np.sin(b)])
    assert np.arccos(one @ two) * radius == pytest.approx(900.0)


def test_a_zenith_pass_is_as_long_as_its_orbit_says():
    """At 500 km and 10 degrees, overhead: an arc of twice acos(R/r cos 10) - 10 degrees, at 5 677 s for a turn."""
    arc = np.arccos(6371 / 6871 * np.cos(np.radians(10))) - np.radians(10)
    period = 2 * pi * (6871.0**3 / freespace.EARTH_GRAVITY) ** 0.5
    assert period == pytest.approx(5668, abs=2)
    assert 2 * freespace.pass_half(500.0, 90.0, 10.0) == pytest.approx(2 * arc / (2 * pi) * period)


def test_every_step_is_a_satellite_that_stands_still():
    found = sheet(sky=0.0)
    (window,) = found.windows
    platform = qstack.load(scenario()).plan.platforms[0]
    lag = freespace.pass_lag(500.0, (70.0, 60.0), 1120.0)
    begin = 0
    for phase in found.phases:
        middle = (begin + phase.until) / 2 * 1e-12 - 200
        if phase.heralds:
            ups = [freespace.elevation(500.0, 70.0, middle), freespace.elevation(500.0, 60.0, middle - lag)]
            assert min(ups) > 10
            still = midpoint(ups, platform)
            assert phase.heralds[0].probability == pytest.approx(still.heralds[0].probability, rel=1e-6)
            assert found.reply[0] >= still.reply[0] - 10  # elevations are rounded
            assert found.emit[0] >= still.emit[0] - 10
        begin = phase.until
    first, last = (t * 1e-12 - 200 for t in window)
    assert freespace.elevation(500.0, 60.0, first - lag) == pytest.approx(10.0)
    assert freespace.elevation(500.0, 70.0, last) == pytest.approx(10.0)
    best = max(found.phases[1:], key=lambda phase: phase.heralds[0].probability)
    assert best.until * 1e-12 - 200 == pytest.approx(lag / 2, abs=12)


def test_the_sheet_says_the_mean_and_promises_the_worst():
    found = sheet(sky="full-moon")
    heralds = [phase.heralds[0] for phase in found.phases if phase.heralds]
    assert found.heralds[0].probability == pytest.approx(np.mean([h.probability for h in heralds]))
    assert found.heralds[0].fidelity == pytest.approx(min(h.fidelity for h in heralds))
    assert max(h.fidelity for h in heralds) > found.heralds[0].fidelity


def test_light_of_the_sky_is_that_of_its_radiance():
    """A disc of 1.2 m sees a cone of 100 urad: H pi (50e-6)^2 pi 0.6^2 B, as clicks of a window."""
    power = freespace.sky_power(1.5e-3, 1e-4, 1.2, 0.8)
    assert power == pytest.approx(1.5e-3 * pi * 50e-6**2 * pi * 0.36 * 0.8e-3)
    dark = sheet(sky=1.5e-3)
    hand = deepcopy(SOURCE)
    hand["interface"]["false_herald"] = float(dark_click(photon_rate(power * 0.5, 810) * 0.9, 1e-9))  # both detectors
    clean = qstack.load(scenario({"sky": 0.0}, hardware=hand)).plan.links[0].sheet
    assert dark.heralds[0].probability == pytest.approx(clean.heralds[0].probability, rel=1e-12)


def test_day_is_worse_than_night():
    day, night = sheet(sky="day"), sheet(sky="night")
    assert day.heralds[0].fidelity < night.heralds[0].fidelity - 0.01
    assert sheet(sky=1.5).heralds[0].fidelity == day.heralds[0].fidelity


@pytest.mark.requirement("QS-L1-380", "QS-L1-381")
def test_a_run_makes_as_many_pairs_as_the_pass_gives_and_only_while_it_is_up():
    experiment = qstack.load(scenario())
    result = experiment.run()
    link = experiment.plan.links[0].sheet
    (window,) = link.windows
    expected = sum(
        (phase.until - begin) / link.kept_cycle * phase.heralds[0].probability * 2000
        for begin, phase in zip([0, *(p.until for p in link.phases)], link.phases, strict=False)
        if phase.heralds
    )
    times = result.flows[0].times_s
    assert abs(len(times) - expected) < 4 * expected**0.5
    assert times.min() > window[0] * 1e-12
    assert times.max() < window[1] * 1e-12 + 0.1
    assert result.simulated_s == 500
    assert result.failures == []


@pytest.mark.requirement("QS-L1-380")
def test_attempt_by_attempt_equals_skip_ahead_over_a_pass():
    """A short pass of slow attempts: times and number of all pairs agree, and the pairs at which the sky is worse."""
    hardware = {**SOURCE, "memories": 1}
    hardware["interface"] = {**SOURCE["interface"], "pulse_period": "20 ms", "pair_probability": 1.0}
    wide = {"aperture": "12 m", "sky": 0.03, "step": "5 s", "lowest": 30, "highest": [80, 75], "culminations": ["60 s"]}
    found = {}
    for mode, seed in (("skip", 5), ("each", 6)):
        data = scenario(wide, "250 s", "300 km", hardware)
        data["run"].update(attempts=mode, seed=seed)
        found[mode] = [qstack.load(data).run(shot=shot).flows[0] for shot in range(6)]
    times = {mode: np.concatenate([flow.times_s for flow in flows]) for mode, flows in found.items()}
    assert min(map(len, times.values())) > 400
    assert stats.ks_2samp(times["skip"], times["each"]).pvalue > 1e-4
    assert abs(len(times["skip"]) - len(times["each"])) < 4 * (len(times["skip"]) + len(times["each"])) ** 0.5
    states = {mode: np.concatenate([flow.fidelities for flow in flows]) for mode, flows in found.items()}
    assert stats.ks_2samp(states["skip"], states["each"]).pvalue > 1e-4


def test_a_request_waits_for_the_next_pass():
    data = scenario({"culminations": ["200 s", "2000 s"]}, "2500 s", start="900 s", number=20)
    flow = qstack.load(data).run().flows[0]
    assert flow.delivered == 20
    assert flow.times_s.min() > 1900


@pytest.mark.parametrize(
    ("medium", "length", "flow", "until", "words"),
    [
        ({"highest": [70, -3]}, "1120 km", {}, "500 s", r"medium\.highest\.1  '-3': must be greater than 0"),
        ({"highest": [70, 8]}, "1600 km", {}, "500 s", "it lies between the horizon and the highest, 8"),
        ({}, "20 km", {}, "500 s", "they are at least 96.62 km apart"),
        ({}, "4500 km", {}, "500 s", "never see the satellite together above 10 degrees"),
        ({"culminations": ["200 s", "300 s"]}, "1120 km", {}, "500 s", "culminations are less than the 280.2 s of a pass"),
        ({"step": "1 ms"}, "1120 km", {}, "500 s", "more than 20000 steps"),
        ({"culminations": []}, "1120 km", {}, "500 s", "culminations"),
        ({}, "1120 km", {"start": "450 s"}, "500 s", r"no pair can come from 450 to 500 s: a - b is up 139\.9 to 420\.1 s"),
        ({}, "1120 km", {}, "100 s", r"Links that come and go: a - b is up 139\.9 to 420\.1 s"),
        ({}, "1120 km", {"start": "419.9 s"}, "500 s", "fewer than 0.1 in the 80.1 s of the run"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_reason(medium, length, flow, until, words):
    with pytest.raises(qstack.ConfigError, match=words):
        qstack.load(scenario(medium, until, length, **flow))


def test_a_way_that_is_always_there_may_be_the_faster_one():
    """A pass of 280 s in a run of an hour gives less than a slow fibre; in a run of the pass it gives more."""
    ion = {
        **SOURCE,
        "memories": 2000,
        "interface": {**SOURCE["interface"], "pair_probability": 0.5, "pulse_period": "1 us"},
    }
    data = scenario(hardware=ion, number=1)
    data["network"]["nodes"].append("c")
    data["network"]["links"] += [{"a": "a", "b": "c", "length": "130 km"}, {"a": "c", "b": "b", "length": "130 km"}]
    data["network"]["fibre"] = {"attenuation": "0.25 dB/km"}
    data["network"]["hardware"]["at"] = [{"node": "c", "use": {**ion, "memories": 1}}]
    paths = {}
    for until in ("420 s", "53 h"):
        data["run"]["until"] = until
        paths[until] = qstack.load(deepcopy(data)).plan.flows[0].route.path
    assert paths == {"420 s": (0, 1), "53 h": (0, 2, 1)}


def test_a_link_to_the_satellite_itself():
    """Down: the station sees its own sky.  Up: the air spreads the beam where it begins, and the Earth below is dark."""
    click = {"kind": "double-click", "detection": 0.5, "dark_click": 1e-7, "overhead": "1 us"}
    hardware = {"memory": {"kind": "relaxing"}, "interface": click}
    found = {}
    for name, given in {
        "down": {"station": "ground"},
        "day": {"station": "ground", "sky": "day"},
        "up": {"station": "satellite", "sky": "day"},
        "turbulent": {"station": "satellite", "coherence": "0.05 m"},
    }.items():
        medium = {"use": "satellite-link", "culminations": ["200 s"], "highest": 60, **given}
        data = scenario(hardware=hardware, until="500 s")
        data["network"]["links"][0]["medium"] = medium
        found[name] = qstack.load(data).plan.links[0].sheet.heralds[0]
    assert found["day"].fidelity < found["down"].fidelity
    assert found["up"].probability == pytest.approx(found["down"].probability, rel=0.01)
    assert found["turbulent"].probability < found["up"].probability / 3
    with pytest.raises(PhysicsError, match="none is negative"):
        freespace.sky_power(-1.0, 1.0, 1.0, 1.0)
