"""For every kind of interface, attempts made one by one and skip-ahead give the same times and the same pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import qstack
from qstack import api
from qstack.plugin.contracts import InterfaceModel

KINDS = {
    "source": {"kind": "source", "pulse_period": "7 us", "pair_fidelity": 0.95, "loading": 0.5, "false_herald": 0.01},
    "pair-source": {"kind": "pair-source", "pulse_period": "7 us", "mean_pairs": [0.3], "detection": 0.6},
    "absorptive": {"kind": "absorptive", "mean_pairs": [0.05], "detection": 0.5, "modes": 8, "overhead": "5 us"},
    "double-click": {
        "kind": "double-click",
        "detection": 0.6,
        "visibility": 0.9,
        "overhead": "5 us",
        "phase_drift": 0.2,
    },
    "single-click": {
        "kind": "single-click",
        "detection": 0.3,
        "bright_states": [0.2],
        "phase_noise": 0.3,
        "overhead": "5 us",
    },
    "textbook": {"kind": "textbook", "probability": 0.05, "fidelity": 0.9, "attempt_period": "30 us"},
    "colour-centre": {
        "kind": "colour-centre",
        "zero_phonon": 0.6,
        "collection": 0.8,
        "detector_efficiency": 0.9,
        "lifetime": "12 ns",
        "window": "30 ns",
        "bright_states": [0.2],
        "phase_noise": 0.3,
        "attempt": "5 us",
    },
    "bench": {
        "kind": "bench",
        "pulse_rate": "100 kHz",
        "mean_pairs": [0.2],
        "pair_fidelity": 0.95,
        "collection": 0.8,
        "window": "1 ns",
        "detector": "snspd-2017",
    },
}
INSTALLED = [kind for kind, model in api.manager().models.items() if issubclass(model, InterfaceModel)]


def delivered(kind, medium, attempts, seed):
    hardware = {"memory": {"kind": "stretched", "coherence_time": "2 ms"}, "interface": KINDS[kind], "memories": 1}
    data = {
        "name": "attempts",
        "network": {
            "nodes": ["a", "b"],
            "links": [{"a": "a", "b": "b", "length": "10 km"}],
            "fibre": {"station": 0.3},
            "hardware": {"all": hardware},
            "medium": medium,
        },
        "flows": [{"name": "pairs", "from": "a", "to": "b", "min_fidelity": 0.3, "number": 400}],
        "run": {"until": "60 s", "seed": seed, "attempts": attempts},
    }
    flow = qstack.load(data).run().flows[0]
    assert flow.delivered == 400
    return np.diff(flow.times_s), flow.fidelities


def test_every_scheme_that_exists_is_compared():
    assert set(INSTALLED) <= set(KINDS)


@pytest.mark.requirement("QS-L1-029")
@pytest.mark.parametrize("medium", ["midpoint", "sender-receiver"])
@pytest.mark.parametrize("kind", sorted(INSTALLED))
def test_attempt_by_attempt_equals_skip_ahead(kind, medium):
    (skip_times, skip_pairs), (each_times, each_pairs) = (
        delivered(kind, medium, attempts, seed) for attempts, seed in (("skip", 11), ("each", 12))
    )
    assert stats.ks_2samp(skip_times, each_times).pvalue > 1e-4
    error = np.hypot(skip_pairs.std() / 20, each_pairs.std() / 20)
    assert abs(skip_pairs.mean() - each_pairs.mean()) < 4 * error + 1e-9
    assert abs(skip_times.mean() - each_times.mean()) < 4 * np.hypot(skip_times.std(), each_times.std()) / 20


@pytest.mark.parametrize("kind", sorted(INSTALLED))
def test_rate_of_a_run_is_that_of_the_sheet(kind):
    times, _ = delivered(kind, "midpoint", "skip", 5)
    hardware = {"memory": {"kind": "relaxing"}, "interface": KINDS[kind], "memories": 1}
    network = {"nodes": ["a", "b"], "links": [{"a": "a", "b": "b", "length": "10 km"}], "fibre": {"station": 0.3}}
    flow = {"name": "pairs", "from": "a", "to": "b", "min_fidelity": 0.3, "number": 1}
    data = {
        "name": "x",
        "network": {**network, "hardware": {"all": hardware}},
        "flows": [flow],
        "run": {"until": "1 s"},
    }
    sheet = qstack.load(data).plan.links[0].sheet
    cycle = sheet.kept_cycle * 1e-12
    p = sheet.heralds[0].probability
    error = 4 * times.std() / np.sqrt(len(times))
    assert cycle / p - error < times.mean() < cycle / p + cycle + error  # a delivered pair holds its memories a little
