"""What a user is told of a run that was disturbed or tested: faults that have struck, and what test rounds have shown."""

from __future__ import annotations

import json

import pytest

from qstack.cli import invoke
from qstack.link.testing import Trials
from qstack.services.bell import Basis
from qstack.services.l1_physical import Heralded
from qstack.wire.link import LinkTest


@pytest.fixture
def told(three, tmp_path, capsys):
    def ran(*options, **more):
        path = tmp_path / "scenario.yaml"
        path.write_text(json.dumps(three(run={"until": "20 s", "seed": 3}, **more)))
        assert invoke(["run", str(path), "--out", str(tmp_path / "out"), *options]) == 0
        return capsys.readouterr().out, json.loads((tmp_path / "out" / "summary.json").read_text())

    return ran


def test_faults_say_how_often_they_have_struck(told):
    """One that never did was perhaps meant otherwise."""
    faults = [
        {"message": "Track", "from": "n1", "nth": [2, 5], "action": "corrupt"},
        {"message": "Hello", "action": "drop"},
    ]
    text, summary = told(faults=faults)
    first, second = summary["faults"]
    assert (first["struck"], second) == (2, {"seen": 0, "struck": 0})
    assert first["seen"] >= 62, "30 TRACKs towards each end, and two repetitions"
    assert f"Fault: corrupt Track from n1 struck 2 of {first['seen']} messages." in text
    assert "Fault: drop Hello struck 0 of 0 messages." in text


def test_a_run_without_faults_says_nothing_of_them(told):
    text, summary = told()
    assert "Fault" not in text
    assert "tested" not in text
    assert "faults" not in summary


def test_test_rounds_of_a_circuit_stand_in_the_table(told):
    text, summary = told(stack={"network": {"cutoff": "6 ms", "test_share": 0.3}})
    shown = summary["flows"][0]["fidelity_tested"]
    assert shown["rounds"] > 5
    row = f"{shown['fidelity']:.3f} ({shown['low']:.3f} to {shown['high']:.3f})"
    assert row in " ".join(text.split())


def test_test_rounds_of_a_link_stand_in_the_trace(told, tmp_path):
    """Both ends count the same rounds, and say the same of them."""
    trace = tmp_path / "trace.jsonl"
    told("--trace", str(trace), stack={"link": {"test_period": 2}, "network": {"cutoff": "6 ms"}})
    notes = [r for r in map(json.loads, trace.read_text().splitlines()) if r["noun"] == "Note"]
    said = {name: [r["fields"]["text"] for r in notes if r["node"] == name] for name in ("n0", "n2")}
    for name, texts in said.items():
        assert any("after 4 test rounds" in text for text in texts), name
        assert all(text.startswith("link to node 1, row 0: fidelity ") for text in texts)


@pytest.mark.parametrize("mine_first", [True, False])
def test_it_is_said_after_1_2_4_8_rounds(mine_first):
    """Perfect pairs in X; of rounds in two different bases nothing is said."""
    trials, notes = Trials(), []
    for number in range(10):
        herald = Heralded(4, 0, -2, number, 0, -1, 0, Basis.X, number % 2)
        message = LinkTest(number, Basis.X if number != 3 else Basis.Z, number % 2)
        both = [lambda h=herald: trials.measured(h), lambda m=message: trials.heard(4, m)]
        for take in both if mine_first else both[::-1]:
            notes += [noun.text for noun in take() if not hasattr(noun, "peer")]
    assert [text.split(" after ")[1] for text in notes] == [f"{n} test rounds" for n in (1, 2, 4, 8)]
    assert notes[-1].startswith("link to node 4, row 0: fidelity")
