"""What the planner predicts, held against runs: the stated limits of its estimates."""

from __future__ import annotations

from itertools import pairwise
from math import exp

import pytest

import qstack
from qstack.routing.budget import meeting

RATE_WITHIN = 1.6
"""Where waiting pairs are seldom given up, predicted and simulated rates differ at most by this factor ..."""
RATE_CUT = 3.0
"""... and by this one where a cutoff takes most of them."""
FIDELITY_WITHIN = 0.035
"""Predicted and simulated mean fidelities differ at most by this."""


def chain(lengths, *, hardware, memories, cutoff, until, seed=1):
    nodes = [f"n{i}" for i in range(len(lengths) + 1)]
    links = [{"a": a, "b": b, "length": f"{km} km"} for (a, b), km in zip(pairwise(nodes), lengths, strict=True)]
    return qstack.load(
        {
            "name": "chain",
            "network": {"nodes": nodes, "links": links, "hardware": {"all": {**hardware, "memories": memories}}},
            "stack": {"network": {"cutoff": cutoff}},
            "flows": [{"name": "f", "from": nodes[0], "to": nodes[-1], "min_fidelity": 0.25}],
            "run": {"until": until, "seed": seed},
        }
    )


def textbook(probability):
    return {
        "memory": {"kind": "relaxing", "coherence_time": "1 s"},
        "interface": {"kind": "textbook", "probability": probability, "fidelity": 0.97, "attempt_period": "1 ms"},
    }


IONS = {"like": "ion-projected"}

CASES = [
    # lengths, hardware, memories, cutoff, until, factor allowed
    ([20], textbook(0.1), 4, "never", "10 s", 1.05),
    ([20] * 2, textbook(0.1), 1, "never", "20 s", 1.1),
    ([20] * 2, textbook(0.1), 10, "30 ms", "5 s", 1.1),
    ([20] * 2, textbook(0.01), 4, "30 ms", "40 s", 1.2),
    ([20] * 4, textbook(0.1), 4, "never", "10 s", 1.1),
    ([20] * 8, textbook(0.1), 10, "never", "5 s", 1.1),
    ([20] * 8, textbook(0.01), 4, "100 ms", "30 s", RATE_WITHIN),
    ([20] * 8, textbook(0.01), 10, "10 ms", "60 s", RATE_CUT),
    ([80, 60, 80, 40, 80], IONS, 4, "1 s", "100 s", RATE_WITHIN),
    ([40, 10, 40, 80, 20, 40], IONS, 8, "100 ms", "40 s", RATE_WITHIN),
    ([10, 80], IONS, 2, "never", "200 s", RATE_WITHIN),
    ([14.6, 68.2, 19.1, 75.1, 49.5], IONS, 4, "250 ms", "60 s", RATE_WITHIN),
]


@pytest.mark.parametrize(("lengths", "hardware", "memories", "cutoff", "until", "factor"), CASES)
def test_predictions_stay_within_their_limits(lengths, hardware, memories, cutoff, until, factor):
    experiment = chain(lengths, hardware=hardware, memories=memories, cutoff=cutoff, until=until)
    route = experiment.plan.flows[0].route
    flow = experiment.run().flows[0]
    assert flow.delivered > 300
    assert 1 / factor < route.rate / flow.rate_hz < factor
    assert abs(route.expected - flow.fidelity.mean) < FIDELITY_WITHIN


def test_a_fidelity_is_refused_only_where_no_setting_reaches_it():
    """What is promised at the edge of the prediction is kept within its limits."""
    reachable = chain([20] * 2, hardware=textbook(0.1), memories=4, cutoff="never", until="5 s")
    expected = reachable.plan.flows[0].route.expected
    wanted = {**_resolved(reachable)}
    wanted["flows"][0]["min_fidelity"] = expected - 1e-6
    flow = qstack.load(wanted).run().flows[0]
    assert flow.failure is None
    wanted["flows"][0]["min_fidelity"] = expected + 1e-3
    with pytest.raises(qstack.ConfigError, match=r"out of reach over n0 - n1 - n2: about 0\.93"):
        qstack.load(wanted)


def _resolved(experiment):
    return experiment.resolved()


def test_two_single_memories_meet_as_two_exponentials():
    """Rate 1/E[max] and wait E|X - Y| of two exponentials of unequal rates: closed forms."""
    a, b = 2.0, 5.0
    found = meeting(a, 1, b, 1, 0.0)
    assert found.rate == pytest.approx(1 / (1 / a + 1 / b - 1 / (a + b)))
    assert found.wait == pytest.approx((a / b + b / a) / (a + b))
    assert found.kept == 1


def test_a_cutoff_of_two_single_memories_is_exact():
    """Renewal: first at rate 2r, then the partner in time with 1 - exp(-rc), after min(Exp(r), c) on average."""
    r, c = 10.0, 0.03
    in_time = 1 - exp(-r * c)
    found = meeting(r, 1, r, 1, c)
    assert found.rate * found.kept == pytest.approx(in_time / (1 / (2 * r) + in_time / r), rel=1e-9)
    assert 0 < found.wait < c


@pytest.mark.parametrize("cutoff", [1e-12, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize(("left", "right"), [(1e-9, 1e9), (1.0, 1.0), (1e-3, 1e5)])
def test_extreme_links_give_finite_answers(left, right, cutoff):
    found = meeting(left, 64, right, 1, cutoff)
    assert 0 <= found.kept <= 1 + 1e-9
    assert 0 < found.rate <= min(64 * left, right) * (1 + 1e-9)
    assert found.wait >= 0


@pytest.mark.parametrize("cutoff", [0.0, 0.1])
def test_thousands_of_lanes_beside_a_slow_link(cutoff):
    """Then pairs of the fast link always wait: they meet as often as the slow one makes any."""
    found = meeting(1e6, 4096, 1e-4, 4096, cutoff)
    assert found.rate == pytest.approx(1e-4 * 4096)
    swapped = meeting(1e-4, 4096, 1e6, 4096, cutoff)
    assert (found.rate, found.wait, found.kept) == pytest.approx((swapped.rate, swapped.wait, swapped.kept))
    assert 0 < found.kept <= 1 + 1e-9
