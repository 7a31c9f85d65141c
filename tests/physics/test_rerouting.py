"""Flows whose satellite sets: they go on over fibre if there is one, with all that they have, and the run says so."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import qstack
from qstack.cli import invoke
from qstack.hosts.build import build
from qstack.services.l3_network import Connected, Disconnected, Rerouted
from qstack.services.l5_application import Consumed

EXAMPLE = YAML(typ="safe").load(Path(__file__).parents[2] / "examples" / "satellite-and-fibre.yaml")
SET = 421.0
"""When the example's satellite sets, about [s]."""


def scenario(number=1200, **network):
    """Return the example with options of its network layer."""
    data = deepcopy(EXAMPLE)
    data["flows"][0]["number"] = number
    data["stack"]["network"].update(network)
    return data


def without_fibre():
    """Return the example with the satellite alone."""
    data = scenario()
    data["network"]["nodes"] = ["west", "east"]
    data["network"]["links"] = data["network"]["links"][:1]
    data["network"]["hardware"]["at"] = []
    return data


@pytest.mark.requirement("QS-L3-452")
def test_a_flow_whose_satellite_sets_goes_on_over_fibre():
    """Every pair is delivered at both ends under a number of its own, none between, and no memory is left behind."""
    experiment = qstack.load(scenario())
    network = build(experiment.plan, seed=1)
    told = {node: [] for node in (0, 1, 2)}
    for number, node in network.simulation.nodes.items():
        for kind in (Consumed, Connected, Disconnected, Rerouted):
            inner = node.table[kind]
            node.table[kind] = lambda noun, ctx, inner=inner, number=number: (
                told[number].append((ctx.now * 1e-12, noun)) or inner(noun, ctx)
            )
    network.simulation.run(experiment.plan.scenario.run.until)
    for end in (0, 2):
        pairs = [noun.pair for _, noun in told[end] if isinstance(noun, Consumed)]
        assert sorted(pairs) == list(range(1200))
        assert [type(noun) for _, noun in told[end] if isinstance(noun, Connected | Disconnected)] == [
            Connected,
            Disconnected,
        ]
    moves = [(at, noun.path) for at, noun in told[0] if isinstance(noun, Rerouted)]
    assert [path for _, path in moves] == [(0, 1, 2)]
    assert SET < moves[0][0] < SET + 0.1
    assert not any(network.medium.qubits.values())


def test_the_run_says_where_a_flow_went_on():
    flow = qstack.load(scenario()).run().flows[0]
    late = flow.times_s > SET
    assert flow.delivered == 1200
    assert flow.failure is None
    assert late.sum() > 100
    assert flow.fidelities[late].mean() > 0.75
    assert flow.summary()["moved"] == [{"at_s": pytest.approx(SET, abs=0.2), "path": ["west", "relay", "east"]}]


@pytest.mark.parametrize("data", [without_fibre(), scenario(reroute=False)], ids=["no fibre", "told to wait"])
def test_a_flow_without_another_path_waits_for_the_next_pass(data, tmp_path, capsys):
    path = tmp_path / "scenario.yaml"
    path.write_text(json.dumps(data))
    invoke(["run", str(path)])
    said = capsys.readouterr().out
    assert "Open: pairs has 1053 of 1200 pairs; west - east is up 7.048 to 421 s." in said
    assert "Moved" not in said


def test_sessions_that_share_a_circuit_move_together():
    data = scenario(620, aggregate=True)
    data["flows"].append({**data["flows"][0], "name": "more", "number": 560})
    result = qstack.load(data).run()
    assert [flow.delivered for flow in result.flows] == [620, 560]
    assert [len(flow.moves) for flow in result.flows] == [1, 1]


@pytest.mark.parametrize("app", ["bbm92", "teleport", "rsp"])
def test_sessions_of_every_kind_move(app):
    """Keys and qubits that are sent, acknowledged and numbered: nothing is missing, nothing comes twice."""
    data = scenario(1150)
    data["flows"][0]["app"] = app
    (flow,) = qstack.load(data).run().flows
    assert (flow.delivered, flow.failure, len(flow.moves)) == (1150, None, 1)
    assert flow.times_s.max() > SET
