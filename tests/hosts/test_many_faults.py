"""Many seeds of loss, doubles, delays, broken bytes, lost REPLYs and shuffled ties: nothing twice, nothing lost without a word, no leak."""

from __future__ import annotations

import pytest

FAULTS = [
    {"probability": 0.08, "action": "drop"},
    {"probability": 0.05, "action": "duplicate", "by": "300 us"},
    {"probability": 0.08, "action": "delay", "by": "500 us"},
    {"probability": 0.03, "action": "corrupt"},
    {"message": "Reply", "probability": 0.04, "action": "drop"},
]
CUTOFFS = ("6 ms", "1 ms", "30 ms")
MANY = 300


def weather(seed, three):
    """Return two flows in opposite directions, three or four nodes, and one of three cutoffs."""
    data = three(faults=FAULTS, run={"until": "40 s", "seed": seed, "shuffle_ties": seed})
    data["stack"] = {"network": {"cutoff": CUTOFFS[seed % 3]}}
    if seed % 2:
        back = {"name": "back", "from": "n2", "to": "n0", "min_fidelity": 0.7, "number": 10, "start": "20 ms"}
        data["flows"].append(back)
    if seed % 5 == 0:
        data["network"] = {**data["network"], "chain": {"segments": 3, "length": "20 km"}}
    return data


def check(seed, three, run):
    data = weather(seed, three)
    ran = run(data)
    assert ran.held == 0
    assert not ran.kept
    for flow, record in zip(data["flows"], ran.network.recorder.flows, strict=True):
        assert not record.half, "consumed at one end only"
        assert len(record.finished) == 2
        assert len(record.pairs) == flow["number"] or any(record.finished.values())


@pytest.mark.parametrize("seed", range(6))
def test_random_faults(seed, three, run):
    check(seed, three, run)


@pytest.mark.slow
def test_random_faults_of_many_seeds(three, run):
    for seed in range(100, 100 + MANY):
        check(seed, three, run)
