"""Networks whose cryostats warm up and lose what is stored: the layers are told, and deliver nothing that is gone."""

from __future__ import annotations

import pytest

import qstack
from qstack.hosts.build import build
from qstack.trace.node import Tracer
from qstack.trace.sinks import Memory

COLD = [[f"{300 * k} ms", f"{300 * k + 200} ms"] for k in range(60)]
LINKS = [{"a": "a", "b": "b", "length": "2 km"}, {"a": "b", "b": "c", "length": "60 km"}]


def scenario(where, loses, number=150, *, link=None, app="pairs", until="17 s"):
    """Return a path of a fast and a slow link: pairs of the fast one wait.  No cutoff."""
    sheet = {"like": "ion-projected", "cold": COLD, "warm_loses": loses}
    hardware = {"all": "ion-projected", "at": [{"node": where, "use": sheet}]}
    return {
        "name": "warm-ups",
        "network": {"nodes": ["a", "b", "c"], "links": LINKS, "hardware": hardware},
        "stack": {"link": link or {}, "network": {"cutoff": "never"}},
        "flows": [{"name": "pairs", "app": app, "from": "a", "to": "c", "min_fidelity": 0.6, "number": number}],
        "run": {"until": until, "seed": 3},
    }


@pytest.mark.requirement("QS-L1-450", "QS-L2-451")
@pytest.mark.parametrize(
    ("where", "scheme"), [("a", None), ("b", None), ("a", "dejmps"), ("b", "dejmps"), ("c", "dejmps")]
)
def test_no_pair_that_a_warm_up_has_spoilt_is_delivered_without_a_cutoff(where, scheme):
    """They are as good as those of hardware that keeps what it has; told in silence, a third of them were fully mixed."""
    link = {"distillation": scheme} if scheme else None
    number = 60 if scheme else 150
    kept, lost = (qstack.load(scenario(where, loses, number, link=link)).run() for loses in (False, True))
    flow = lost.flows[0]
    assert flow.delivered >= number - 2  # one that was delivered at the other end, and taken back, is not made again
    assert flow.fidelities.min() > 0.88
    assert flow.fidelities.mean() > kept.flows[0].fidelities.mean() - 0.005
    kept_b, lost_b = (run.summary()["nodes"][1]["discards"] for run in (kept, lost))
    assert lost_b > kept_b


@pytest.mark.requirement("QS-L2-451")
def test_a_loss_is_told_at_both_ends_of_the_link_and_every_memory_is_given_back():
    experiment = qstack.load(scenario("b", loses=True, number=60))
    memory = Memory()
    network = build(experiment.plan, seed=3, node_class=Tracer(experiment.plan.names, memory).node)
    network.simulation.run(experiment.plan.scenario.run.until)
    of = {name: [r for r in memory.records if r["noun"] == name] for name in ("Spoiled", "LinkExpire", "Err", "Free")}
    assert len(of["Spoiled"]) > 10
    assert {r["node"] for r in of["Spoiled"]} == {"b"}
    taken = {node: sorted(r["fields"]["low"] for r in of["Err"] if r["node"] == node) for node in "abc"}
    assert sorted(taken["a"] + taken["c"]) == taken["b"]
    assert len(taken["b"]) == len(of["Spoiled"])
    assert not any(network.medium.qubits.values())


def test_the_exact_tier_distils_when_one_end_has_let_its_half_go():
    """The first end gives its round up as soon as its bit is there; the other one measures after that."""
    data = scenario("a", loses=True, number=30, link={"distillation": "dejmps"})
    data["run"]["tier"] = "exact"
    flow = qstack.load(data).run().flows[0]
    assert flow.delivered >= 28
    assert flow.fidelities.min() > 0.95


@pytest.mark.parametrize("message", ["LinkExpire", "LinkExpireAck", "any"])
def test_losses_of_messages_do_no_harm_to_what_is_told_of_a_loss(message):
    data = scenario("b", loses=True, number=60)
    data["faults"] = [{"message": message, "action": "drop", "probability": 0.05 if message == "any" else 0.4}]
    flow = qstack.load(data).run().flows[0]
    assert flow.delivered >= 58
    assert flow.fidelities.min() > 0.93
