"""Graphs: packaged topologies, repeaters on long fibres, chains, stations out of the middle."""

from __future__ import annotations

import pytest

import qstack
from qstack.scenario import topology
from qstack.scenario.problems import Faulty

PACKAGED = sorted(f"topologies/{path.name}" for path in (topology.data_folder() / "topologies").glob("*.json"))


def scenario(network, source="A", target="B", **flow):
    return {
        "name": "x",
        "network": {"hardware": {"all": "textbook"}, **network},
        "flows": [{"name": "f", "from": source, "to": target, **flow}],
        "run": {"until": "1 s"},
    }


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_topology_is_good(name, tmp_path):
    found = topology.load(name, tmp_path)
    assert found.nodes
    assert found.source


def test_there_are_packaged_topologies():
    assert len(PACKAGED) >= 30
    with pytest.raises(Faulty):
        topology.load("none.json", topology.data_folder())


def test_repeaters_cut_long_fibres_into_equal_parts():
    network = {"nodes": ["A", "B", "C"], "repeaters": {"at_most": "25 km"}}
    network["links"] = [
        {"a": "A", "b": "B", "length": "60 km", "loss": "15 dB"},
        {"a": "B", "b": "C", "length": "25 km"},
    ]
    plan = qstack.load(scenario(network, target="C")).plan
    assert plan.names == ("A", "B", "C", "A-B-r1", "A-B-r2")
    assert [link.name for link in plan.links] == ["A - A-B-r1", "A-B-r1 - A-B-r2", "A-B-r2 - B", "B - C"]
    assert [link.fibre.length for link in plan.links] == pytest.approx([20, 20, 20, 25])
    assert [link.fibre.loss for link in plan.links] == pytest.approx([5, 5, 5, 5])
    assert plan.flows[0].route.path == (0, 3, 4, 1, 2)


def test_repeaters_may_be_ends_and_have_hardware_of_their_own():
    network = {
        "nodes": ["A", "B"],
        "links": [{"a": "A", "b": "B", "length": "60 km"}],
        "repeaters": {"at_most": "30 km"},
    }
    network["hardware"] = {"all": "textbook", "at": [{"node": "A-B-r1", "use": {"like": "textbook", "memories": 9}}]}
    plan = qstack.load(scenario(network, target="A-B-r1")).plan
    assert plan.flows[0].route.path == (0, 2)
    assert [platform.memories for platform in plan.platforms] == [4, 4, 9]
    assert {link.sheet.lanes for link in plan.links} == {4}  # the smaller of both ends


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"nodes": ["A", "B", "A-B-r1"], "links": [{"a": "A", "b": "B", "length": "60 km"}]}, "named like nodes"),
        (
            {"nodes": ["A", "B"], "links": [{"a": "A", "b": "B", "length": "10002 km"}]},
            "more than 10000 repeaters on A - B",
        ),
        (
            {"nodes": list("ABCDEFGHIJKL"), "links": [{"a": "A", "b": b, "length": "9900 km"} for b in "BCDEFGHIJKL"]},
            "more than 100000 nodes",
        ),
    ],
)
def test_repeaters_that_cannot_be(network, words):
    with pytest.raises(qstack.ConfigError, match=words):
        qstack.load(scenario({**network, "repeaters": {"at_most": "1 km" if "more" in words else "30 km"}}))


def test_a_chain_and_its_limits():
    plan = qstack.load(scenario({"chain": {"segments": 3, "length": "10 km"}}, "n0", "n3")).plan
    assert plan.names == ("n0", "n1", "n2", "n3")
    assert [link.fibre.loss for link in plan.links] == [2.0] * 3
    with pytest.raises(qstack.ConfigError, match="less than 100000"):
        qstack.load(scenario({"chain": {"segments": 10**12, "length": "10 km"}}, "n0", "n3"))


def test_hardware_must_stand_everywhere_once():
    network = {"nodes": ["A", "B"], "links": [{"a": "A", "b": "B", "length": "5 km"}]}
    with pytest.raises(qstack.ConfigError, match="none at B: give 'all', or 'at' for each"):
        qstack.load(scenario({**network, "hardware": {"at": [{"node": "A", "use": "textbook"}]}}))
    twice = {"all": "textbook", "at": [{"node": "A", "use": "textbook"}, {"node": "A", "use": "ion-projected"}]}
    with pytest.raises(qstack.ConfigError, match="this node has its hardware already"):
        qstack.load(scenario({**network, "hardware": twice}))
    unknown = {"all": "textbook", "at": [{"node": "a", "use": "textbook"}]}
    with pytest.raises(qstack.ConfigError, match=r"'a' is not a node\.  Did you mean 'A'"):
        qstack.load(scenario({**network, "hardware": unknown}))


def test_platforms_that_do_not_fit_are_told_once():
    network = {"chain": {"segments": 5, "length": "10 km"}, "hardware": {"all": "textbook"}}
    network["hardware"]["at"] = [{"node": "n1", "use": "ion-projected"}, {"node": "n3", "use": "ion-projected"}]
    with pytest.raises(qstack.ConfigError, match=r"link n0 - n1: interfaces of kind") as error:
        qstack.load(scenario(network, "n0", "n5"))
    assert 1 <= str(error.value).count("cannot make a link") <= 2


def test_a_link_that_never_makes_a_pair_is_named():
    links = [{"a": "A", "b": "B", "length": "5 km", "loss": "1000000 dB"}]
    network = {"nodes": ["A", "B"], "links": links, "hardware": {"all": {"like": "ion-projected"}}}
    network["hardware"]["all"]["interface"] = {"dark_click": 0}
    with pytest.raises(qstack.ConfigError, match=r"network.hardware  link A - B: no attempt can succeed"):
        qstack.load(scenario(network))
