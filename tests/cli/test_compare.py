"""`qstack compare`: paired differences with honest intervals, runs that are kept, and what is refused."""

from __future__ import annotations

import json
from math import isnan, nan
from pathlib import Path

import pytest
from scipy import stats

import qstack
from qstack.cli import invoke
from qstack.core.errors import ConfigError
from qstack.study import comparison
from qstack.study.comparison import Interval, interval, student, variants

SCENARIO = """\
name: two ways
network:
  nodes: [Alice, Bob, Over, Left, Right]
  links:
    - {a: Alice, b: Over, length: 5 km}
    - {a: Over, b: Bob, length: 40 km}
    - {a: Alice, b: Left, length: 30 km}
    - {a: Left, b: Right, length: 30 km}
    - {a: Right, b: Bob, length: 30 km}
  hardware: {all: ion-projected}
flows:
  - {name: pairs, from: Alice, to: Bob}
run: {until: 1 s}
"""
ROUTING = "stack.network.routing=shortest,widest"


@pytest.fixture
def scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("two-ways.yaml").write_text(SCENARIO)
    return "two-ways.yaml"


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 9, 19, 99])
def test_students_t_is_that_of_scipy(freedom):
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1.5e-3)


def test_an_interval_covers_its_mean_as_often_as_it_says():
    draw = stats.norm.rvs(size=(4000, 5), random_state=1)
    covered = sum(abs(found.mean) <= found.half for found in map(interval, draw.tolist()))
    assert abs(covered - 3800) / (4000 * 0.95 * 0.05) ** 0.5 < 4


def test_values_that_a_run_cannot_tell_are_left_out():
    assert interval([1.0, nan, 3.0]) == interval([1.0, 3.0])
    assert isnan(interval([nan]).mean)
    assert isnan(interval([2.0]).half)
    assert Interval(0.1, nan).sign == 0
    assert (Interval(0.1, 0.05).sign, Interval(-0.1, 0.05).sign, Interval(0.1, 0.2).sign) == (1, -1, 0)


def test_commas_inside_of_values_separate_nothing():
    (first, second) = variants(["stack.network.routing={use: qcast, paths: [1, 2]},'a,b'"])
    assert first.settings == ("stack.network.routing={use: qcast, paths: [1, 2]}",)
    assert second.settings == ("stack.network.routing='a,b'",)


def test_several_keys_give_every_combination():
    assert [v.label for v in variants(["x.a=1,2", "x.b=3,4"])] == ["a=1, b=3", "a=1, b=4", "a=2, b=3", "a=2, b=4"]


def test_the_table_tells_what_differs_and_that_it_is_significant(scenario, capsys):
    assert invoke(["compare", scenario, "--vary", ROUTING, "--runs", "3"]) == 0
    told = capsys.readouterr().out
    assert "Difference from routing=shortest:" in told
    assert "Means of 3 runs of each" in told
    (row,) = (line for line in told.splitlines() if line.startswith("routing=widest") and "*" in line)
    assert "+" in row
    assert row.count("*") == 3


def test_differences_are_taken_run_by_run(scenario, capsys):
    assert invoke(["compare", scenario, "--vary", ROUTING, "--runs", "4", "--json"]) == 0
    _, widest = json.loads(capsys.readouterr().out)["rows"]
    by_hand = []
    for shot in range(4):
        rates = [
            qstack.load(scenario, settings=[f"stack.network.routing={name}"]).run(shot=shot).flows[0].rate_hz
            for name in ("shortest", "widest")
        ]
        by_hand.append(rates[1] - rates[0])
    expected = interval(by_hand)
    assert widest["rate_hz"]["difference"] == pytest.approx(expected.mean)
    assert widest["rate_hz"]["difference_half"] == pytest.approx(expected.half)


def test_the_same_seed_prints_the_same_bytes(scenario, capsys):
    told = []
    for _ in range(2):
        invoke(["compare", scenario, "--vary", ROUTING, "--runs", "2", "--seed", "5"])
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]


def test_runs_that_are_kept_are_not_run_again(scenario, capsys, monkeypatch):
    command = ["compare", scenario, "--vary", ROUTING, "--out", "runs.jsonl", "--json"]
    assert invoke([*command, "--runs", "2"]) == 0
    assert invoke([*command, "--runs", "3"]) == 0
    assert len(Path("runs.jsonl").read_text().splitlines()) == 6
    first = capsys.readouterr().out
    Path("runs.jsonl").write_text(Path("runs.jsonl").read_text()[:-20])  # as after a cut in mid-line
    assert invoke([*command, "--runs", "3"]) == 0
    assert len(Path("runs.jsonl").read_text().splitlines()) == 6
    monkeypatch.setattr(comparison.Experiment, "run", None)  # nothing is left to run
    assert invoke([*command, "--runs", "3"]) == 0
    assert capsys.readouterr().out == first[first.index("}\n{") + 2 :] * 2


def test_an_interrupted_comparison_shows_what_has_ended(scenario, capsys, monkeypatch):
    run = comparison.Experiment.run
    count = []

    def stopped(self, **options):
        result = run(self, **options)
        count.append(1)
        return result if len(count) < 6 else type("R", (), {"interrupted": True})

    monkeypatch.setattr(comparison.Experiment, "run", stopped)
    assert invoke(["compare", scenario, "--vary", ROUTING, "--runs", "9"]) == 1
    told = capsys.readouterr()
    assert "interrupted" in told.err
    assert "Means of 2 runs" in told.out


def test_a_variant_that_cannot_run_is_named_and_the_others_run(scenario, capsys):
    assert invoke(["compare", scenario, "--vary", "stack.network.routing=shortest,wdest,widest", "--runs", "2"]) == 2
    told = capsys.readouterr()
    assert "Did you mean 'widest'?" in told.err
    assert "routing=widest" in told.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vary", "stack.network.routing"], "expected KEY=A,B"),
        (["--vary", "stack.network.routing=shortest"], "two variants or more"),
        (["--vary", "stack.network.routing=shortest,"], "expected KEY=A,B"),
        (["--vary", "stack.network.routing=a,b"], "'a' is not a router"),
        (["--vary", ROUTING, "--out", "two-ways.yaml"], "two-ways.yaml:1  is not a run of a comparison"),
        (["--vary", ROUTING, "--out", "no/where/runs.jsonl"], "cannot be written"),
        (["--vary", ROUTING, "--runs", "1"], "--runs"),
    ],
)
def test_bad_input(scenario, capsys, options, message):
    assert invoke(["compare", scenario, "--runs", "2", *options]) == 2
    assert message in capsys.readouterr().err
    assert Path(scenario).read_text() == SCENARIO


def test_a_comparison_of_one_variant_is_refused_by_the_library_too():
    with pytest.raises(ConfigError):
        variants([])
