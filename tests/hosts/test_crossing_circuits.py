"""Two flows that come to two links in opposite orders: both are served, whatever shares the lanes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import qstack
from qstack.link.schedulers import strict_priority


def opposite(scheduler, start, cutoff, priorities=(0, 0)):
    """Return results of a flow there, which starts a moment later, and one back."""
    there = {"name": "there", "from": "n0", "to": "n2", "start": start, "priority": priorities[0]}
    back = {"name": "back", "from": "n2", "to": "n0", "priority": priorities[1]}
    data = {
        "name": "opposite",
        "network": {"chain": {"segments": 2, "length": "20 km"}, "hardware": {"all": "textbook"}},
        "stack": {"link": {"scheduler": scheduler}, "network": {"cutoff": cutoff}},
        "flows": [flow | {"min_fidelity": 0.7, "number": 50} for flow in (there, back)],
        "run": {"until": "5 s", "seed": 3},
    }
    return qstack.load(data).run().flows


@pytest.mark.requirement("QS-L2-470")
@pytest.mark.parametrize("cutoff", ["20 ms", "never"])
@pytest.mark.parametrize("start", ["1 ns", "50 us", "150 us", "1 ms"])
@pytest.mark.parametrize("scheduler", ["strict", "wfq"])
def test_both_are_served(scheduler, start, cutoff):
    assert [flow.delivered for flow in opposite(scheduler, start, cutoff)] == [50, 50]


@pytest.mark.parametrize("priorities", [(0, 3), (3, 0)])
def test_the_higher_one_is_first(priorities):
    there, back = opposite("strict", "50 us", "20 ms", priorities)
    assert [there.delivered, back.delivered] == [50, 50]
    first, last = (there, back) if priorities[0] else (back, there)
    assert first.times_s.max() < last.times_s.min() + 0.05, "what the first one leaves is the other's"


@pytest.mark.requirement("QS-L2-470", "QS-L2-021")
def test_equal_ones_take_turns():
    ready = [SimpleNamespace(priority=priority) for priority in (2, 5, 0, 5, 5)]
    chosen = [strict_priority(ready, turn) for turn in range(300)]
    assert {index: chosen.count(index) for index in set(chosen)} == {1: 100, 3: 100, 4: 100}
