"""The priority of a flow, from the scenario to every link on its way: what users get of each scheduler."""

from __future__ import annotations

from math import sqrt

import pytest

import qstack
from qstack.core.errors import ConfigError

HARDWARE = {
    "like": "textbook",
    "memories": 4,
    "interface": {"kind": "textbook", "probability": 0.5, "fidelity": 0.95},
}


def flow(name, priority, number=None, **more):
    wanted = {} if number is None else {"number": number}
    return {"name": name, "from": "n0", "to": "n1", "min_fidelity": 0.5, "priority": priority, **wanted, **more}


def scenario(*flows, segments=1, until="1 s", **stack):
    return {
        "name": "priorities",
        "network": {"chain": {"segments": segments, "length": f"{10 * segments} km"}, "hardware": {"all": HARDWARE}},
        "stack": stack,
        "flows": list(flows),
        "run": {"until": until, "seed": 3},
    }


def delivered(*flows, **options):
    return [one.delivered for one in qstack.load(scenario(*flows, **options)).run().flows]


@pytest.mark.requirement("QS-L3-400", "QS-L2-020")
@pytest.mark.parametrize(("low", "high", "share"), [(0, 3, 4 / 5), (0, 0, 1 / 2), (1, 7, 4 / 5)])
def test_shares_of_two_flows_over_one_link(low, high, share):
    """In proportion to priority + 1, within four standard deviations of a draw for each pair."""
    few, many = delivered(flow("low", low), flow("high", high))
    total = few + many
    assert total > 1_500
    assert abs(many - share * total) / sqrt(total * share * (1 - share)) < 4


@pytest.mark.requirement("QS-L3-400", "QS-L2-021")
def test_the_higher_one_gets_all_while_it_wants():
    """And the other one what is left."""
    low, high = qstack.load(scenario(flow("low", 1), flow("high", 2, 1_000), link={"scheduler": "strict"})).run().flows
    assert high.delivered == 1_000
    assert low.delivered > 500
    assert min(low.times_s) > max(high.times_s)


def test_first_come_takes_no_notice():
    low, high = delivered(flow("low", 0), flow("high", 7), link={"scheduler": "fcfs"})
    assert low > 1_000
    assert high == 0


@pytest.mark.requirement("QS-L3-400", "QS-L4-400", "QS-L5-400")
@pytest.mark.parametrize("app", ["pairs", "bbm92", "correlate", "teleport", "chsh", "rsp"])
def test_it_is_said_at_every_link(run, app):
    """Two flows across three nodes that meet on the second link; whatever the application."""
    flows = (flow("far", 6, 4, to="n2", app=app), {**flow("near", 2, 4, to="n2", app=app), "from": "n1"})
    data = scenario(*flows, segments=2)
    data["run"] |= {"tier": "exact"}
    lines = run(data).lines
    said = {
        (node, noun, fields["priority"])
        for node, rows in lines.items()
        for _, direction, _, _, noun, fields, _, _ in rows
        if noun in {"Open", "Connect", "Create", "SetupReq"} and direction in {"down", "in"}
    }
    far = {("n0", noun, 6) for noun in ("Open", "Connect", "Create")} | {("n1", "SetupReq", 6)}
    near = {("n1", noun, 2) for noun in ("Open", "Connect", "Create")}
    assert said == far | near | {("n1", "Create", 6), ("n2", "SetupReq", 6), ("n2", "SetupReq", 2)}


@pytest.mark.requirement("QS-L3-402")
@pytest.mark.parametrize("value", [-1, 8, 1.5, "high", True])
def test_what_is_no_priority(value):
    with pytest.raises(ConfigError, match="priority"):
        qstack.load(scenario(flow("one", value)))
