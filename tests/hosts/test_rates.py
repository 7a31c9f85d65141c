"""The rate of a flow: the head lets no more through than was asked for, and no more is asked for than the way can carry."""

from __future__ import annotations

import numpy as np
import pytest

import qstack
from qstack.core.errors import ConfigError
from qstack.services.reasons import Reason

UNTIL = 5


def flow(name, **more):
    return {"name": name, "from": "n0", "to": "n2", "min_fidelity": 0.7, **more}


def scenario(*flows, **network):
    return {
        "name": "rates",
        "network": {"chain": {"segments": 2, "length": "20 km"}, "hardware": {"all": "textbook"}},
        "stack": {"network": {"cutoff": "20 ms", **network}},
        "flows": list(flows),
        "run": {"until": f"{UNTIL} s", "seed": 3, "tier": "exact"},
    }


@pytest.mark.requirement("QS-L3-008", "QS-L4-470", "QS-L5-470")
@pytest.mark.parametrize("app", ["pairs", "bbm92", "correlate", "teleport", "chsh", "rsp"])
def test_no_more_than_the_rate_is_let_through(app):
    """A way that carries 326 pairs/s; a second flow without a rate takes what it can get."""
    slow, fast = qstack.load(scenario(flow("slow", rate="20 Hz", app=app), flow("fast"))).run().flows
    assert 0.95 * 20 * UNTIL < slow.delivered <= 20 * UNTIL + 1
    assert fast.delivered > 5 * slow.delivered


@pytest.mark.requirement("QS-L3-008", "QS-L3-356")
@pytest.mark.parametrize("rate", [2.5, 50.0])
def test_in_every_second_and_not_only_on_average(rate):
    """What could not be delivered in its time is not made up for in a burst."""
    (slow,) = qstack.load(scenario(flow("slow", rate=f"{rate} Hz"))).run().flows
    times = np.sort(slow.times_s)
    assert len(times) > 0.9 * rate * UNTIL
    for begin in times:
        assert np.count_nonzero((times >= begin) & (times < begin + 1)) <= rate + 1 + 0.1 * rate  # some are late


def test_what_the_way_cannot_carry_is_refused_before_the_run():
    with pytest.raises(ConfigError, match=r"flows\.0\.rate  '500 Hz': more than the \d+ pairs/s .* over n0 - n1 - n2"):
        qstack.load(scenario(flow("slow", rate="500 Hz")))


@pytest.mark.requirement("QS-L3-008")
def test_flows_that_share_a_circuit_share_its_rate():
    """Two fit, the third would be too much, and is told so."""
    flows = [flow(name, rate="130 Hz", start=f"{i} s") for i, name in enumerate("abc")]
    first, second, third = qstack.load(scenario(*flows, aggregate=True)).run().flows
    assert first.delivered > second.delivered > 100
    assert third.delivered == 0
    assert third.reason == Reason.NORES


@pytest.mark.parametrize("value", ["0 Hz", "-3 Hz", 20, "20 Hzz", "0.0001 Hz", "5 MHz", "fast", True])
def test_what_is_no_rate(value):
    with pytest.raises(ConfigError, match="rate"):
        qstack.load(scenario(flow("slow", rate=value)))
