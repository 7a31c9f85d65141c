"""Links that are told which purposes circuits have (`gate`): a neighbour gets pairs for no other."""

from __future__ import annotations

from pathlib import Path

import pytest

import qstack
from qstack.conformance.judge import failed, judge
from qstack.conformance.network import NetworkSuite
from qstack.conformance.specification import load
from qstack.core.clock import SECOND
from qstack.hosts.build import build
from qstack.network.forwarding import ForwardingLayer
from qstack.network.signalling import SignallingLayer
from qstack.routing.shortest import ShortestPath
from qstack.services.l2_link import Create
from qstack.services.reasons import Reason
from qstack.trace.node import Tracer
from qstack.trace.sinks import Memory

ROOT = Path(__file__).parents[2]
STRANGE = 998


def settled(data, ask_at=None):
    """Run a scenario to its end, with a request of n0's link that no circuit needs; return the network and its records."""
    experiment = qstack.load(data)
    memory = Memory()
    network = build(experiment.plan, seed=experiment.seed, node_class=Tracer(experiment.plan.names, memory).node)
    simulation = network.simulation
    if ask_at is not None:
        strange = Create(1, STRANGE, 3, 0.6)
        simulation.at(ask_at, lambda _: simulation.nodes[0].feed(strange, simulation.now), None)
    for _ in range(20):
        simulation.stopped = False
        simulation.run(20 * SECOND)
    return network, memory.records


def of(records, node, noun):
    return [r["fields"] for r in records if (r["node"], r["noun"]) == (node, noun)]


@pytest.mark.requirement("QS-L3-403", "QS-L2-024")
@pytest.mark.parametrize("gate", [True, False])
def test_a_purpose_of_no_circuit_is_refused(gate, three):
    """Only by a gate; without one its pairs are made and freed."""
    data = three(stack={"network": {"cutoff": "6 ms", "gate": gate}})
    network, records = settled(data, ask_at=SECOND // 10)
    assert [len(flow.pairs) for flow in network.recorder.flows] == [30]
    refused = [err["reason"] for err in of(records, "n0", "Err") if err["purpose"] == STRANGE]
    made = [ok for ok in of(records, "n1", "Ok") if ok["purpose"] == STRANGE]
    assert (refused, len(made)) == (([Reason.REJECTED], 0) if gate else ([], 3))


@pytest.mark.requirement("QS-L3-403")
def test_a_gate_is_opened_with_a_circuit_and_closed_with_it(three):
    """By the node behind the link, for as long as the circuit stands; the others are open as before."""
    data = three(stack={"network": {"cutoff": "6 ms", "gate": True}})
    network, records = settled(data)
    assert [r["noun"] for r in records if r["noun"] in {"Receive", "StopReceive"}] == ["Receive"] * 2 + [
        "StopReceive"
    ] * 2
    for node, before in (("n1", 0), ("n2", 1)):
        (label,) = [asked["label"] for asked in of(records, node, "SetupReq")]
        for noun in ("Receive", "StopReceive"):
            assert of(records, node, noun) == [{"peer": before, "purpose": label}]
    links = [node.layers[1].links for node in network.simulation.nodes.values()]
    assert [links[0][1].accepts, links[1][0].accepts, links[1][2].accepts, links[2][1].accepts] == [
        None,
        set(),
        None,
        set(),
    ]


def test_nobody_is_told_without_a_gate(three):
    _, records = settled(three())
    assert not [r for r in records if r["noun"] in {"Receive", "StopReceive"}]


@pytest.mark.requirement("QS-L3-403", "QS-CV-400")
def test_a_link_layer_without_gates_goes_on():
    experiment = qstack.load(ROOT / "examples/table-link/table.yaml", settings=["stack.network.gate=true"])
    assert [flow.delivered for flow in experiment.run().flows] == [50, 50]


@pytest.mark.requirement("QS-L3-403")
def test_layers_with_and_without_a_gate_conform():
    def gated(site):
        lanes = {peer: n.lanes for peer, n in site.neighbours.items()}
        return (
            ForwardingLayer(site.storage, site.swap_factor, lanes, 10**12, gate=True),
            SignallingLayer(ShortestPath(site.view), site.view.cutoff, neighbours=lanes.keys(), give_way=20.0),
        )

    verdicts = judge(NetworkSuite, gated, load(ROOT / "specs"))
    assert not failed(verdicts, strict=True)
