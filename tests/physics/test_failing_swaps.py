"""Bell measurements that see only some outcomes: how often they fail, and what is left then, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import qstack
from qstack.hardware.exactpairs import ExactPair
from qstack.quantum.waiting import mean_max_geometric, mean_nested_restart

P = 0.1


def chain(sheet, *, segments=2, pairs=1500, tier="correlators", seed=4, app="pairs", fidelity=0.97, **more):
    """Links of 2 km whose answer comes within the 100 us of an attempt."""
    interface = {"kind": "textbook", "probability": P, "fidelity": fidelity, "attempt_period": "100 us"}
    hardware = {"memory": {"kind": "relaxing", **more}, "interface": interface, **sheet}
    return qstack.load(
        {
            "name": "failing swaps",
            "network": {"chain": {"segments": segments, "length": "2 km"}, "hardware": {"all": hardware}},
            "flows": [
                {"name": "f", "from": "n0", "to": f"n{segments}", "min_fidelity": 0.4, "number": pairs, "app": app}
            ],
            "run": {"until": "100 s", "seed": seed, "tier": tier},
        }
    )


SHEETS = {
    "linear optics": ({"bell_outcomes": 2}, 0.5),
    "linear optics with loss": ({"bell_outcomes": 2, "bell_efficiency": 0.6}, 0.3),
    "ancilla photons": ({"bell_efficiency": 0.75}, 0.75),
}


@pytest.mark.requirement("QS-L1-382", "QS-L3-380")
@pytest.mark.parametrize("tier", ["correlators", "exact"])
@pytest.mark.parametrize("name", sorted(SHEETS))
def test_swaps_fail_as_often_as_the_sheet_says_and_nothing_else_changes(name, tier):
    sheet, p = SHEETS[name]
    result = chain(sheet, tier=tier, pairs=600).run()
    (flow,), node = result.flows, result.nodes[1]
    assert flow.delivered == 600
    swaps, failed = node["swaps"], node["swaps_failed"]
    assert abs(failed - (1 - p) * swaps) < 4 * (p * (1 - p) * swaps) ** 0.5
    assert swaps - failed >= 600
    certain = chain({}, tier=tier, pairs=600).run().flows[0]
    assert flow.fidelity.mean == pytest.approx(certain.fidelity.mean, abs=1e-9)
    assert result.standstill is None


@pytest.mark.requirement("QS-L3-380")
@pytest.mark.parametrize("name", sorted(SHEETS))
def test_the_rate_is_that_of_the_closed_form(name):
    """A failed swap restarts both links: the mean time is that of the larger of two geometric ones, over p."""
    sheet, p = SHEETS[name]
    flow = chain(sheet).run().flows[0]
    gaps = np.diff(flow.times_s) / 100e-6
    expected = mean_max_geometric(2, P) / p
    assert mean_nested_restart(1, P, p) == pytest.approx(expected)
    assert abs(gaps.mean() - expected) < 4 * gaps.std() / len(gaps) ** 0.5


def test_early_bits_know_nothing_of_a_swap_that_failed():
    """What the exact tier leaves of two halves: each by itself, and no correlation."""
    pair = ExactPair(2, 0.9, 0.8, 0.7)
    pair.t[3, 0] = 0.2
    pair.part()
    assert pair.t[3, 0] == 0.2
    assert np.linalg.matrix_rank(pair.t) == 1
    assert pair.overlap(2) == pytest.approx(0.25)


def test_keys_over_failing_swaps_have_the_errors_of_the_pairs():
    flow = chain({"bell_outcomes": 2}, app="bbm92", pairs=3000, fidelity=0.95).run().flows[0]
    error = (1 - ((4 * 0.95 - 1) / 3) ** 2) / 2
    for counts in flow.errors.values():
        assert stats.binomtest(counts.errors, counts.bits, error).pvalue > 1e-4


def test_planners_know_that_swaps_fail():
    sure, half = (chain(sheet, segments=3).plan.flows[0].route.rate for sheet in ({}, {"bell_outcomes": 2}))
    assert half == pytest.approx(sure / 4)


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        ({"bell_outcomes": 3}, r"hardware\.all\.bell_outcomes"),
        ({"bell_efficiency": 0}, r"hardware\.all\.bell_efficiency"),
        ({"bell_efficiency": 1.2}, "must lie between 0 and 1"),
    ],
)
def test_impossible_measurements_are_refused(sheet, words):
    with pytest.raises(qstack.ConfigError, match=words):
        chain(sheet)


def test_data_is_not_given_to_a_measurement_that_may_lose_it():
    with pytest.raises(qstack.ConfigError, match=r"have an outcome with probability 0\.5 only"):
        chain({"bell_outcomes": 2}, app="teleport")
