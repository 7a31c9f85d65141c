"""Keys of a satellite's pass: the planned pairs and errors are those of an integral over the orbit, and of runs of the stack."""

from __future__ import annotations

import json
from functools import cache
from math import acos, atan2, cos, exp, pi, sin, sqrt

import numpy as np
import pytest
from scipy.integrate import quad

import qstack
from qstack.cli import invoke
from qstack.keys.finite import Counts
from qstack.keys.store.measured import pair_terms
from qstack.scenario.schema import dump
from qstack.services.bell import Basis
from qstack.study.platforms import bound_hz
from qstack.study.sky import CAUTION, pass_keys

ALTITUDE, EARTH, GM = 500e3, 6371e3, 3.986004418e14
HIGHEST, LOWEST, TOP = (80.0, 75.0), 20.0, 130.0
DIVERGENCE, APERTURE, ZENITH_DB = 2.2e-6, 1.2, 1.0
SOURCE = {
    "kind": "source",
    "pulse_period": "1 us",
    "pair_probability": 0.9,
    "pair_fidelity": 0.985,
    "loading": 0.9,
    "false_herald": 0.0,
}


@cache
def flow(medium, lanes, tops=(TOP,), until=300):
    """Return an experiment with a key flow over one link."""
    sky = {
        "altitude": "500 km",
        "lowest": LOWEST,
        "culminations": [f"{top} s" for top in tops],
        "half_divergence": DIVERGENCE,
        "aperture": f"{APERTURE} m",
        "zenith_loss": f"{ZENITH_DB} dB",
        "sky": 0,
        "highest": list(HIGHEST) if medium == "satellite-pass" else HIGHEST[0],
    }
    memory = {"kind": "relaxing", "coherence_time": "1 s"}
    node = {"name": "memory", "memories": lanes, "memory": memory, "interface": SOURCE}
    link = {"a": "a", "b": "b", "length": "200 km", "medium": {"use": medium, **sky}}
    key = {"name": "key", "app": {"use": "bbm92", "sample": 1}, "from": "a", "to": "b", "min_fidelity": 0.8}
    return qstack.load(
        {
            "name": "keys of a pass",
            "network": {"nodes": ["a", "b"], "links": [link], "hardware": {"all": node}},
            "flows": [{**key, "number": 65000}],
            "run": {"until": f"{until} s", "seed": 1},
        }
    )


def planned(experiment):
    link = experiment.plan.links[0]
    return link, pass_keys(link.sheet, experiment.plan.platforms)


def up(highest, seconds):
    """Return the elevation [rad] of a satellite so long after its highest point [degree], by spherical trigonometry."""
    radius = EARTH + ALTITUDE
    top = highest * pi / 180
    nearest = acos(EARTH / radius * cos(top)) - top
    angle = acos(cos(nearest) * cos(sqrt(GM / radius**3) * seconds))
    return atan2(cos(angle) - EARTH / radius, sin(angle))


def light(highest, seconds):
    """Return the transmission of one way, up to a factor: a Gaussian beam into an aperture, and the air."""
    rising = up(highest, seconds)
    reach = sqrt((EARTH * sin(rising)) ** 2 + 2 * EARTH * ALTITUDE + ALTITUDE**2) - EARTH * sin(rising)
    share = 1 - exp(-2 * (APERTURE / 2) ** 2 / (DIVERGENCE * reach) ** 2)
    return share * 10 ** (-ZENITH_DB / 10 / sin(rising))


def integral(link, start, end, lag, *, both):
    """Return the mean number of pairs between two times [s], scaled at the first end's highest point."""

    def weight(seconds):
        one = light(HIGHEST[0], seconds)
        return one * light(HIGHEST[1], seconds - lag) if both else one

    def pace(seconds):
        p = most * weight(seconds) / weight(centre)
        return link.sheet.lanes / (cycle * (1 / p + 1))  # its memory is full for one cycle more

    cycle = link.sheet.kept_cycle * 1e-12
    begin = 0
    for phase in link.sheet.phases:
        if begin <= TOP * 1e12 < phase.until:
            most = phase.heralds[0].probability
            centre = (begin + phase.until) / 2e12 - TOP
        begin = phase.until
    return quad(pace, start - TOP, end - TOP, limit=200)[0]


@pytest.mark.parametrize("medium", ["satellite-pass", "satellite-link"])
def test_planned_pairs_are_the_integral_over_the_orbit(medium):
    link, (key,) = planned(flow(medium, 64))
    (start, end), lag = [t * 1e-12 for t in link.sheet.windows[0]], 0.0
    if medium == "satellite-pass":  # it ends when the satellite sets at one end, and begins when it rises at the other
        half = [quad_half(one) for one in HIGHEST]
        lag = (start - TOP) + half[1]
        assert end - TOP == pytest.approx(half[0], abs=0.01)
    assert key.pairs == pytest.approx(integral(link, start, end, lag, both=medium == "satellite-pass"), rel=2e-3)


def quad_half(highest):
    """Return how long a satellite stands above the lowest elevation after its highest point [s]."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if up(highest, middle) > LOWEST * pi / 180 else (low, middle)
    return low


@pytest.mark.slow
@pytest.mark.parametrize(("medium", "lanes"), [("satellite-pass", 256), ("satellite-link", 16)])
def test_a_run_of_the_stack_has_the_planned_pairs_errors_and_key(medium, lanes):
    """Within four standard deviations, which are 0.5 % of the pairs and 10 % of the errors; the key by its own spread."""
    experiment = flow(medium, lanes)
    _, (key,) = planned(experiment)
    ran = experiment.run().flows[0]
    assert abs(ran.delivered - key.pairs) < 4 * sqrt(key.pairs)
    for basis, error in ((Basis.Z, key.error_key), (Basis.X, key.error_test)):
        seen = ran.errors[basis]
        assert abs(seen.bits - ran.delivered / 4) < 4 * sqrt(ran.delivered * 3 / 16)
        assert abs(seen.errors - seen.bits * error) < 4 * sqrt(seen.bits * error * (1 - error))
    x, z = ran.errors[Basis.X], ran.errors[Basis.Z]
    found = length(key, Counts((z.bits,), (x.bits,), (x.errors,), (z.errors,)))
    assert abs(found - key.bits) < 4 * spread(key)
    assert spread(key) < 0.1 * key.bits


def length(key, counts):
    error = key.error_key + CAUTION * sqrt(key.error_key * (1 - key.error_key) / (key.pairs / 4))
    terms = pair_terms(error, key.pairs)
    return terms.length(terms.bounds(counts), int(sum(counts.key)))


def spread(key):
    """Return the standard deviation of the length of the key over blocks of as many pairs [bit]."""
    rng = np.random.default_rng(5)
    lengths = []
    for _ in range(100):
        number = rng.poisson(key.pairs)
        z, x = rng.multinomial(number, [0.25, 0.25, 0.5])[:2]
        errors = rng.binomial(x, key.error_test), rng.binomial(z, key.error_key)
        lengths.append(length(key, Counts((z,), (x,), (errors[0],), (errors[1],))))
    return float(np.std(lengths))


@pytest.mark.parametrize("medium", ["satellite-pass", "satellite-link"])
def test_no_key_is_longer_than_the_bound_of_its_worse_arm(medium):
    link, (key,) = planned(flow(medium, 256))
    assert 0 < key.bits < key.long_bits < key.pairs / 4
    best = bound_hz(link.fibre, link.sheet)
    assert key.long_bits < best * (key.end_s - key.start_s)


def test_passes_in_one_block_give_more_than_each_by_itself():
    _, (first, second, both) = planned(flow("satellite-pass", 64, (TOP, TOP + 5000), 6000))
    assert first.bits == second.bits == 0
    assert first.pairs == pytest.approx(second.pairs)
    assert both.pairs == pytest.approx(first.pairs + second.pairs)
    assert both.bits > 0
    assert "too few pairs: a block needs about" in first.why


def test_the_command_prints_the_key_of_every_pass(tmp_path, capsys):
    path = tmp_path / "scenario.yaml"
    experiment = flow("satellite-link", 16)
    path.write_text(json.dumps(dump(experiment.plan.scenario)))
    assert invoke(["hardware", "pass", str(path), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    (key,) = planned(experiment)[1]
    assert said["keys"] == [key.data()]
    assert invoke(["hardware", "pass", str(path)]) == 0
    assert f"{key.bits:d}" in capsys.readouterr().out
