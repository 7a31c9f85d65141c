"""Faults by rule and by seed: what is ordered happens, and the stack survives it."""

from __future__ import annotations

import pytest

import qstack
from qstack.core.errors import ConfigError

ACTIONS = [
    {"action": "drop"},
    {"action": "duplicate", "by": "3 ms"},
    {"action": "delay", "by": "5 ms"},
    {"action": "corrupt"},
]


def struck(ran):
    return sum(rule.struck for rule in ran.network.carriage.conditions.faults.rules)


@pytest.mark.parametrize("seed", range(6))
def test_everything_at_random(seed, three, run):
    faults = [{"probability": 0.05, **action} for action in ACTIONS]
    ran = run(three(faults=faults, run__until="60 s", run__seed=seed))
    assert struck(ran) > 4
    head, tail = ran.consumed("n0"), ran.consumed("n2")
    assert head == tail
    assert ran.held == 0
    assert len(head) == 30


def test_a_lost_add_is_repeated(three, run):
    ran = run(three(faults=[{"message": "Add", "from": "n0", "to": "n1", "nth": 1, "action": "drop"}]))
    assert ran.count("out", "Send") > 0
    sent = [line for line in ran.lines["n0"] if line[4] == "Send" and line[5]["message"]["noun"] == "Add"]
    assert len(sent) == 2
    assert ran.delivered == 30


@pytest.mark.requirement("QS-CL-007")
def test_corrupted_bytes_are_counted_and_dropped(three, run):
    ran = run(three(faults=[{"message": "Track", "probability": 0.3, "action": "corrupt"}], run__until="20 s"))
    counts = ran.network.carriage.counts
    assert counts["refused"] == struck(ran) > 0
    assert counts["repeated"] > 0
    assert ran.delivered == 30


def test_a_rule_keeps_to_its_hop(three, run):
    ran = run(
        three(
            faults=[{"message": "Track", "from": "n2", "to": "n1", "nth": [1, 3], "action": "drop"}], run__until="9 s"
        )
    )
    assert struck(ran) == 2
    ran = run(three(faults=[{"message": "Track", "from": "n0", "to": "n2", "nth": 1, "action": "drop"}]))
    assert struck(ran) == 0


@pytest.mark.requirement("QS-CL-001")
def test_planes_2_to_4_stay_in_order(three, run):
    faults = [{"message": "Track", "probability": 0.3, "action": "delay", "by": "2 ms"}]
    ran = run(three(faults=faults, run__until="20 s"))
    sent = [
        line[5]["message"] for line in ran.lines["n0"] if line[4] == "Send" and line[5]["message"]["noun"] == "Track"
    ]
    there = [line[5] for line in ran.lines["n1"] if line[4] == "Track" and line[2] == "n0"]
    assert [m["origin_pair"] for m in sent] == [m["origin_pair"] for m in there]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"message": "Trak", "action": "drop"}, "Did you mean 'Track'"),
        ({"action": "drp"}, "drop"),
        ({"action": "delay"}, "needs 'by'"),
        ({"action": "drop", "by": "1 ms"}, "means nothing"),
        ({"action": "drop", "nth": 0}, "nth"),
        ({"action": "drop", "nth": []}, "empty"),
        ({"action": "drop", "nth": 1, "probability": 0.5}, "not both"),
        ({"action": "drop", "probability": 1.5}, "between 0 and 1"),
        ({"action": "drop", "from": "n7"}, "'n7' is not a node"),
        ({"action": "drop", "from": "n1", "to": "n1"}, "themselves"),
        ({"action": "drop", "form": "n1"}, "form"),
        ({}, "action"),
    ],
)
def test_bad_faults_are_refused(fault, message, three):
    with pytest.raises(ConfigError, match=message):
        qstack.load(three(faults=[fault]))


def test_faults_survive_a_manifest(three):
    experiment = qstack.load(
        three(faults=[{"message": "Track", "from": "n0", "nth": 2, "action": "delay", "by": "3 ms"}])
    )
    again = qstack.load(experiment.resolved())
    assert again.plan.scenario.faults == experiment.plan.scenario.faults
