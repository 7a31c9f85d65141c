"""Data sheets that cannot be: every command says file, line, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_sheet import SHEET

ROOT = Path(__file__).parents[2]

WRONG = {  # what is changed in a good sheet, and what is said of it: line, key, value, what is allowed
    "more than twice T1": (
        "coherence_time: 1 s",
        "coherence_time: 30 s",
        ":4 memory  T2 exceeds 2 T1: coherence_time 30 s",
    ),
    "efficiency": ("detection: 0.1", "detection: 1.2", ":7 interface.detection  '1.2': must lie between 0 and 1."),
    "not a number": (
        "detection: 0.1",
        "detection: .nan",
        ":7 interface.detection  'nan': expected a number from 0 to 1",
    ),
    "unit": ("overhead: 10 us", "overhead: 10 km", ":9 interface.overhead  '10 km': 'km' is not a unit of duration"),
    "no unit": ("overhead: 10 us", "overhead: 10", ":9 interface.overhead  '10': a duration needs a unit: ps, ns"),
    "infinite": ("overhead: 10 us", "overhead: inf", ":9 interface.overhead  'inf': a duration must be finite here"),
    "huge": (
        "overhead: 10 us",
        "overhead: 1e400 us",
        ":9 interface.overhead  '1e400 us': a duration must be finite here",
    ),
    "unknown key": ("visibility: 0.95", "visibilty: 0.95", ":8 interface.visibilty  is not a key here."),
    "temperature": (
        "relaxing, relaxation",
        "spin, temperature: -4, relaxation",
        ":4 memory.temperature  '-4': must be at least 0",
    ),
    "times": (
        "status: projected",
        "cold: [[2 s, 1 s]]",
        ":3 cold  '[['2 s', '1 s']]': times must rise, as in [[0 s, 10 min]",
    ),
    "nothing warms up": ("status: projected", "warm_loses: true", ":3 warm_loses  true: nothing warms up; give cold"),
    "readout": (
        "status: projected",
        "readout_error: [0.1, x]",
        ":3 readout_error  '[0.1, 'x']': expected numbers from 0 to 1",
    ),
    "reach": (
        "status: projected",
        "qubits: {communication: 1, reach: [[0], [1]]}",
        ":3 qubits.reach  '[[0], [1]]': 2 lists for 1",
    ),
}


@pytest.mark.parametrize(
    "command", [("hardware", "show"), ("hardware", "sweep", "--set", "memories=1..2"), ("conform",)]
)
@pytest.mark.parametrize("name", WRONG)
def test_a_sheet_that_cannot_be_is_refused_with_line_key_value_and_what_is_allowed(qstack, tmp_path, command, name):
    old, new, words = WRONG[name]
    assert old in SHEET
    path = tmp_path / "wrong.yaml"
    path.write_text(SHEET.replace(old, new, 1))
    said = qstack(*command, path)
    assert said.code == 2
    assert f"wrong.yaml{words}" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is empty"), ("- a\n", "a data sheet is a mapping"), ("hello\n", "a data sheet is a mapping")],
)
def test_a_file_that_is_no_sheet_is_told(qstack, tmp_path, text, words):
    path = tmp_path / "no.yaml"
    path.write_text(text)
    for command in (("hardware", "show"), ("conform",)):
        said = qstack(*command, path)
        assert (said.code, words in said.err) == (2, True)


@pytest.mark.parametrize("command", [("run",), ("check",), ("cost",), ("hardware", "pass")])
def test_a_sheet_in_the_place_of_a_scenario_is_told(qstack, tmp_path, command):
    path = tmp_path / "sheet.yaml"
    path.write_text(SHEET)
    said = qstack(*command, path)
    assert said.code == 2
    assert said.err.count("\n") == 2
    assert "is a data sheet, not a scenario: `qstack hardware show` takes it" in said.err


def test_a_sheet_in_a_file_is_judged(qstack, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SHEET)
    said = qstack("conform", path)
    assert (said.code, "0 failed" in said.out) == (0, True)


def test_an_infinite_length_is_refused(qstack, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SHEET)
    for command in (("hardware", "show"), ("hardware", "sweep", "--set", "memories=1..2")):
        said = qstack(*command, path, "--length", "inf")
        assert (said.code, "--length 'inf'  a length must be finite." in said.err) == (2, True)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("highest", "[-5, 60]", "medium.highest.0  '-5': must be greater than 0"),
        ("highest", "[95, 60]", "medium.highest.0  '95': must be at most 90"),
        ("highest", "[8, 8]", "it lies between the horizon and the highest, 8"),
        ("sky", "noon", "medium.sky  'noon': expected day, full-moon, night, or a radiance, zero or more"),
        ("sky", "-1", "medium.sky  '-1': expected day, full-moon, night, or a radiance, zero or more"),
        ("culminations", "[inf]", "medium.culminations.0  'inf': a duration must be finite here"),
    ],
)
def test_a_pass_that_cannot_be_is_refused(qstack, tmp_path, key, value, words):
    text = (ROOT / "examples" / "satellite-and-fibre.yaml").read_text()
    head, _, tail = text.partition("        use: satellite-pass\n")
    for name in ("highest", "culminations"):
        if name == key:
            before, _, rest = tail.partition(f"        {name}:\n")
            lines = rest.splitlines(keepends=True)
            while lines[0].startswith("          - "):
                lines.pop(0)
            tail = before + "".join(lines)
    tail = tail.replace("        sky: night\n", "") if key == "sky" else tail
    path = tmp_path / "pass.yaml"
    path.write_text(f"{head}        use: satellite-pass\n        {key}: {value}\n{tail}")
    for command in (("hardware", "pass"), ("run",)):
        said = qstack(*command, path)
        assert said.code == 2
        assert words in said.err
