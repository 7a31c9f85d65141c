"""Nouns that may go unheard, at nodes whose layers or devices do not know them: the others go on without an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import qstack
from qstack.core.errors import LocalProtocolError
from qstack.hosts.build import build
from qstack.hosts.optional import INDICATIONS, MESSAGES, REQUESTS
from qstack.hosts.simulation import Simulation
from qstack.services.device import AskRoom, Free, Spoiled
from qstack.services.l2_link import Receive, StopReceive
from qstack.services.l3_network import Rerouted
from qstack.trace.node import Tracer
from qstack.trace.sinks import Memory
from qstack.wire.link import Drop, Hello, LinkTest, MemAck, MemReq
from qstack.wire.network import CircuitTest
from qstack.wire.transport import FidelityReport

EXAMPLE = Path(__file__).parents[2] / "examples" / "table-link"
MIXED = """
from qstack import Offer, hookimpl, load
from qstack.builtins.layers import LinkOptions, _link
from .rules import TableLink

QSTACK_API = (1, 0)


def mixed(options, site):
    return TableLink(site.number, site.neighbours) if site.number == {table} else _link(options, site)


@hookimpl
def qstack_layers():
    return [Offer("mixed", mixed, LinkOptions, "one node has another link layer", "link")]
"""
FAINT = {"node": "n2", "use": {"like": "textbook", "interface": {"probability": 2.5e-4}}}
SCENARIO = {
    "name": "two link layers",
    "network": {
        "nodes": ["n0", "n1", "n2"],
        "links": [{"a": "n0", "b": "n1", "length": "20 km"}, {"a": "n2", "b": "n1", "length": "20 km"}],
        "hardware": {"all": "textbook", "at": [FAINT]},
    },
    "stack": {"link": "mixed", "network": {"cutoff": "never", "give_way": 0}},
    "flows": [{"name": "pairs", "from": "n0", "to": "n2", "min_fidelity": 0.3, "number": 10}],
    "run": {"until": "60 s", "seed": 3},
}
"""Halves on the fast link wait for those of the slow one, so that both ends of it are full."""


@pytest.mark.requirement("QS-CV-400", "QS-L2-313")
@pytest.mark.parametrize("table", [0, 1])
@pytest.mark.parametrize("encode", [False, True], ids=["objects", "bytes"])
def test_a_link_layer_that_knows_no_words_about_memories(table, encode, tmp_path):
    """At one end of a link, the reference at the other, which asks in vain and goes on."""
    (tmp_path / "table.py").write_text((EXAMPLE / "table.py").read_text())
    (tmp_path / "rules.py").write_text((EXAMPLE / "qstackfile.py").read_text())
    (tmp_path / "qstackfile.py").write_text(MIXED.replace("{table}", str(table)))
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(json.dumps({**SCENARIO, "run": {**SCENARIO["run"], "encode": encode}}))  # JSON is YAML
    experiment = qstack.load(scenario)
    memory = Memory()
    network = build(experiment.plan, seed=experiment.seed, node_class=Tracer(experiment.plan.names, memory).node)
    network.simulation.run(experiment.plan.scenario.run.until)
    came = [r for r in memory.records if r["noun"] == "MemReq" and r["node"] == f"n{table}"]
    notes = [r for r in memory.records if r["noun"] == "Note" and r["node"] == f"n{table}"]
    assert len(came) >= 3
    assert len(notes) == len(came)
    assert not [r for r in memory.records if r["noun"] == "MemAck"]
    assert [len(flow.pairs) for flow in network.recorder.flows] == [10]


SAID = {
    "messages": (
        Hello(),
        MemReq(0, 0),
        MemAck(0, 0),
        LinkTest(3, 0, 1),
        CircuitTest(1, 0, 3, 0, 1),
        FidelityReport(1, 4, 0.9),
    ),
    "requests": (AskRoom(2), Receive(2, 4), StopReceive(2, 4)),
    "indications": (Spoiled(2, 0, 7), Rerouted(3, (0, 1, 2))),
}


def alone():
    """Return a node that knows nothing, and what its trace holds."""
    memory = Memory()
    simulation = Simulation(Tracer(("n0", "n1"), memory).node)
    return simulation.add_node(0, (), {}, lambda a, b: 1, {}), memory.records


@pytest.mark.requirement("QS-CV-400")
def test_each_falls_with_a_note():
    assert {type(noun) for nouns in SAID.values() for noun in nouns} == {*MESSAGES, *REQUESTS, *INDICATIONS}
    node, records = alone()
    for message in SAID["messages"]:
        node.receive(message, 1, 0)
    for noun in (*SAID["requests"], *SAID["indications"]):
        node.feed(noun, 0)
    assert [r["fields"]["text"] for r in records if r["noun"] == "Note"] == [
        f"unheard: {noun!r}" for nouns in SAID.values() for noun in nouns
    ]


@pytest.mark.requirement("QS-CV-004")
@pytest.mark.parametrize("noun", [Drop(4, 1), Free(3)])
def test_what_something_waits_for_is_refused(noun):
    node, _ = alone()
    with pytest.raises(LocalProtocolError, match=type(noun).__name__):
        node.receive(noun, 1, 0)
