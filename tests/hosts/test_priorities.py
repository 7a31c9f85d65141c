"""The priority of a flow, from the scenario to every link on its way: what users get of each scheduler."""

from __future__ import annotations

from math import sqrt

import pytest

import qstack
from qstack.services.l2_link import Create
from qstack.services.l4_transport import Open
from qstack.trace.node import Tracer
from qstack.trace.sinks import Memory

HARDWARE = {
    "like": "textbook",
    "memories": 4,
    "memory": "perfect",
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
    assert total > 5_000
    assert abs(many - share * total) / sqrt(total * share * (1 - share)) < 4


@pytest.mark.requirement("QS-L3-400", "QS-L2-021")
def test_the_higher_one_gets_all_while_it_wants():
    """And the other one what is left."""
    result = qstack.load(scenario(flow("low", 1), flow("high", 2, 2_000), link={"scheduler": "strict"})).run()
    low, high = result.flows
    assert high.delivered == 2_000
    before = [pair for pair in low.pairs if pair.delivered < high.pairs[-1].delivered]
    assert len(before) <= 4  # begun before the first herald of the other
    assert low.delivered > 2_000


def test_first_come_takes_no_notice():
    low, high = delivered(flow("low", 0), flow("high", 7), link={"scheduler": "fcfs"})
    assert low > 1_000
    assert high <= 4


def asked(data):
    """Return the priorities in what layers ask, by node and kind."""
    experiment = qstack.load(data)
    return experiment


@pytest.mark.requirement("QS-L3-402")
@pytest.mark.parametrize("value", [-1, 8, 1.5, "high", True])
def test_what_is_no_priority(value):
    with pytest.raises(qstack.InputError, match="priority"):
        qstack.load(scenario(flow("one", value)))
