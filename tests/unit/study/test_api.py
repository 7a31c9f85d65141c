"""The Python interface: the same path as the command line, with arrays."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest

import qstack
from qstack import builtins
from qstack.plugin.discovery import Plugin
from qstack.plugin.manager import Manager
from qstack.scenario.load import from_data
from qstack.services.reasons import Reason
from qstack.study.experiment import Experiment, own_version
from qstack.study.result import Errors, Estimate, FlowResult, batch_means, to_json

EXAMPLES = Path(__file__).parents[3] / "examples"


def scenario(**run):
    return {
        "name": "x",
        "network": {"chain": {"segments": 2, "length": "20 km"}, "hardware": {"all": "textbook"}},
        "flows": [
            {"name": "first", "from": "n0", "to": "n2", "number": 30},
            {"name": "second", "from": "n2", "to": "n1", "number": 20, "start": "10 ms"},
        ],
        "run": {"until": "10 s", "seed": 3, **run},
    }


def test_a_script_of_six_lines():
    net = qstack.load(EXAMPLES / "delft-eindhoven.yaml", seed=7)
    result = net.run(until="8 s")
    for flow in result.flows:
        assert flow.delivered > 5
        assert 0.8 < flow.fidelity.mean < 0.95
        assert flow.fidelity.sem > 0
    assert result.flows["pairs"].latencies_s.shape == (result.flows["pairs"].delivered,)
    assert result.flows["pairs"] is result.flows[0]
    assert result.simulated_s == 8


def test_results_are_arrays_in_order_of_delivery():
    flow = qstack.load(scenario()).run().flows["first"]
    assert flow.delivered == 30
    for values in (flow.times_s, flow.latencies_s, flow.fidelities, flow.estimates):
        assert values.dtype == np.float64
        assert values.shape == (30,)
    assert (np.diff(flow.times_s) >= 0).all()
    assert ((flow.latencies_s > 0) & (flow.latencies_s <= flow.times_s)).all()
    with pytest.raises(KeyError, match="flows: first, second"):
        qstack.load(scenario()).run(until="1 ms").flows["third"]


@pytest.mark.requirement("QS-CV-016")
def test_runs_repeat_and_shots_differ():
    experiment = qstack.load(scenario())
    first, again, other = experiment.run(), experiment.run(), experiment.run(shot=1)
    assert to_json(first.summary()) == to_json(again.summary())
    assert first.simulated_s != other.simulated_s
    assert experiment.manifest(other)["shot"] == 1


def test_the_plan_says_nothing_about_the_seed():
    a, b = qstack.load(scenario(), seed=1), qstack.load(scenario(), seed=2)
    assert a.plan.flows[0].route == b.plan.flows[0].route
    assert a.run().summary()["seed"] == 1


def test_a_mapping_is_left_alone():
    mine = scenario()
    qstack.load(mine, seed=9, until="2 s", settings=["flows.first.number=1"])
    assert mine == scenario()


def test_settings_and_until_reach_the_run():
    result = qstack.load(scenario(), until="200 ms", settings=["flows.first.number=2", "flows.second.number=1"]).run()
    assert [flow.delivered for flow in result.flows] == [2, 1]
    assert result.asked.end == 200 * 10**9
    with pytest.raises(qstack.ConfigError, match="until  '3': a duration needs a unit"):
        qstack.load(scenario()).run(until="3")


@pytest.mark.requirement("QS-CV-016", "QS-PL-003")
def test_the_order_of_plugins_changes_nothing(tmp_path):
    """Two plugins beside the built-in parts, in every order."""
    modules = [Plugin("qstack-reference", own_version(), builtins)]
    for name in ("alpha", "beta"):
        path = tmp_path / f"{name}.py"
        path.write_text(
            "import qstack\nQSTACK_API = (1, 0)\n@qstack.hookimpl\ndef qstack_routers():\n"
            f"    return [qstack.Offer('{name}', lambda options, view: None)]\n"
        )
        modules.append(Plugin(name, "1", _imported(path)))
    found = set()
    for order in itertools.permutations(modules):
        manager = Manager(order)
        experiment = Experiment(from_data(scenario(), manager), manager)
        found.add(to_json(experiment.run().summary()))
    assert len(found) == 1


def _imported(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_progress_is_told_between_events():
    seen = []
    qstack.load(scenario()).run(progress=lambda network, end: seen.append((network.simulation.now, end)))
    assert seen
    assert [now for now, _ in seen] == sorted(now for now, _ in seen)
    assert {end for _, end in seen} == {10 * 10**12}


def test_an_exception_of_a_sink_still_closes_it():
    class Broken:
        closed = False

        def write(self, record):
            raise OSError("disk full")

        def close(self):
            self.closed = True

    sink = Broken()
    with pytest.raises(OSError, match="disk full"):
        qstack.load(scenario()).run(trace=sink)
    assert sink.closed


# -- numbers ----------------------------------------------------------------------------------------------------------


def flow(**changes):
    values = {
        "name": "f",
        "application": "pairs",
        "source": "a",
        "destination": "b",
        "requested": None,
        "min_fidelity": 0.9,
        "times_s": np.array([]),
        "latencies_s": np.array([]),
        "fidelities": np.array([]),
        "estimates": np.array([]),
        "errors": {},
        "kept": 0,
        "seconds": 1.0,
        "reason": None,
    }
    return FlowResult(**{**values, **changes})


def with_fidelities(*values):
    array = np.array(values, dtype=float)
    return flow(times_s=array, latencies_s=array, fidelities=array, estimates=array)


def test_batch_means_see_correlation():
    draw = np.random.default_rng(1)
    white = draw.normal(size=20_000)
    walk = np.repeat(draw.normal(size=200), 100)  # blocks of 100 equal values
    assert batch_means(white).sem == pytest.approx(1 / np.sqrt(20_000), rel=0.5)
    assert batch_means(walk).sem == pytest.approx(1 / np.sqrt(200), rel=0.5)
    assert batch_means(np.array([0.5])).mean == 0.5
    assert np.isnan(batch_means(np.array([0.5])).sem)
    assert np.isnan(batch_means(np.array([])).mean)


def test_a_promise_is_broken_only_significantly():
    assert with_fidelities(*[0.8, 0.82] * 50).failure == "mean fidelity 0.810 is below the promised 0.9"
    assert with_fidelities(0.8).failure is None  # one pair tells nothing
    assert with_fidelities(*[0.7, 1.0] * 10).failure is None
    assert flow().failure is None
    assert flow(reason=Reason.LOST_PEER).failure == "ended early: LOST_PEER"
    assert flow(reason=Reason.NONE).failure is None


def test_wilson_interval_is_the_textbook_one():
    """Wilson score interval of 10 in 100 at 95 %: 0.0552 to 0.1744."""
    low, high = Errors(100, 10).interval()
    assert (low, high) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert Errors(0, 0).interval() == (0, 1)
    assert Errors(50, 0).interval()[0] == 0
    assert Errors(50, 50).interval()[1] == pytest.approx(1)


def test_nan_never_reaches_json():
    assert with_fidelities(0.5).summary()["fidelity"] == {"mean": 0.5, "sem": None}
    with pytest.raises(ValueError, match="Out of range"):
        to_json({"x": float("nan")})
    assert Estimate(1.0, 2.0).sem == 2.0
