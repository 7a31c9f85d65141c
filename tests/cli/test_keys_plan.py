"""``qstack keys plan``: what it prints, and how it takes bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = """\
name: two places
network:
  nodes: [A, B, C]
  links:
    - {a: A, b: B, length: 10 km}
    - {a: B, b: C, length: 10 km, loss: 3 dB}
bb84:
  block: 100000
demands:
  - {name: mail, class: payment, from: A, to: C, sessions: 2}
incidents:
  - {name: digger, cut: [[A, B]]}
"""


@pytest.fixture
def plan(qstack, tmp_path):
    def run(text, *options):
        path = tmp_path / "plan.yaml"
        path.write_text(text, encoding="utf-8")
        return qstack("keys", "plan", path, *options)

    return run


@pytest.mark.parametrize("name", ["bank", "hospital", "grid"])
def test_the_examples_are_served(qstack, name):
    said = qstack("keys", "plan", ROOT / "examples" / "keys" / f"{name}.yaml")
    assert said.code == 0
    assert said.out.count("\n-- ") >= 3
    assert max(map(len, said.out.splitlines())) <= 150
    again = qstack("keys", "plan", ROOT / "examples" / "keys" / f"{name}.yaml")
    assert again.out == said.out


def test_a_plan_tells_what_it_yields_as_data(plan):
    said = plan(GOOD, "--json")
    assert said.code == 0
    data = json.loads(said.out)
    quiet, digger = data["cases"]
    assert [one["ends"] for one in quiet["yields"]] == [["A", "B"], ["B", "C"]]
    assert quiet["served"][0] == {
        "demand": "mail", "method": "QKD+PQC", "path": ["A", "B", "C"], "rejected": [], "event": "served",
    }  # fmt: skip
    assert digger["served"][0]["event"] == "falls back to PQC, reported"
    assert digger["served"][0]["path"] == []


def test_a_demand_that_the_quiet_network_refuses_is_a_failure(plan):
    said = plan(GOOD.replace("class: payment", "class: health").replace("sessions: 2", "sessions: 100000"))
    assert said.code == 1
    assert "mail: no QKD+PQC: no path with 426,667 bit/s left between A and C" in said.out
    assert "refused" in said.out


def test_hardware_that_reaches_no_fidelity_is_told(plan):
    pairs = "bbm92: {hardware: textbook, min_fidelity: 0.99}\n"
    said = plan(GOOD.replace("bb84:\n  block: 100000\n", pairs))
    assert said.code == 0
    assert "PQC" in said.out
    assert "mail: no QKD+PQC" in said.out


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("class: payment", "class: payments", 10, "Did you mean 'payment'?"),
        ("class: payment", "class: payment, prefer: classical", 10, "the class 'payment' allows QKD+PQC, PQC only"),
        ("from: A, to: C", "from: A, to: D", 10, "'D' is not a node"),
        ("from: A, to: C", "from: A, to: A", 10, "a demand needs two ends"),
        ("sessions: 2", "sessions: 0", 10, "must be at least 1"),
        ("sessions: 2", "session: 2", 10, "Did you mean 'sessions'?"),
        ("block: 100000", "block: 10", 8, "must be at least 10000"),
        ("block: 100000", "rate: 0 Hz", 8, "a source that sends nothing"),
        ("block: 100000", "dark_rate: 1 GHz", 8, "dark counts fill every gate"),
        ("block: 100000", "efficiency: 120 %", 8, "120 %"),
        ("bb84:\n  block: 100000\n", "", 1, "in exactly one way: 'bb84' or 'bbm92'"),
        ("bb84:\n  block: 100000\n", "bbm92: {hardware: ion-projcted}\n", 7, "Did you mean 'ion-projected'?"),
        ("cut: [[A, B]]", "cut: [[A, C]]", 12, "there is no fibre A - C.  Fibres: A - B, B - C."),
        ("cut: [[A, B]]", "share: 1", 12, "give 'cut' or 'tap'"),
        ("cut: [[A, B]]", "cut: [[A]]", 12, "incidents.0.cut.0"),
        ("nodes: [A, B, C]", "topology: topologies/madrid_madqi.json", 3, "in exactly one way: 'topology'"),
        ("length: 10 km}", "length: -10 km}", 5, "-10 km"),
        ("b: B, length", "b: A, length", 5, "a link from 'A' to itself"),
        ("demands:\n", "demands: []\nold:\n", 10, "old"),
    ],
)
def test_mistakes_are_named_with_their_line(plan, old, new, line, message):
    said = plan(GOOD.replace(old, new, 1))
    assert said.code == 2, said.out
    assert message in said.err
    assert "plan.yaml" in said.err
    assert "nothing was run" in said.err
    assert "Traceback" not in said.err
    if new:
        assert any(f"plan.yaml:{n} " in said.err for n in range(line - 1, line + 2)), said.err


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("- a\n", "expected a mapping"), ("a: [", "broken YAML"), ("\x00", "plan.yaml")],
)
def test_files_that_are_no_plans(plan, text, message):
    said = plan(text)
    assert said.code == 2
    assert message in said.err


def test_a_topology_that_is_not_there_is_named(plan):
    text = GOOD.replace("  nodes: [A, B, C]\n", "").split("  links:")[0]
    text += (
        "  topology: topologies/madrid_madqi.json\nbb84: {}\ndemands: [{name: m, class: public, from: UPM, to: DIS}]\n"
    )
    said = plan(text)
    assert said.code == 2
    assert "Did you mean 'topologies/madrid_madqci.json'?" in said.err


def test_a_file_that_is_not_there(qstack):
    said = qstack("keys", "plan", "/nowhere.yaml")
    assert said.code == 2
    assert "there is no such file" in said.err
