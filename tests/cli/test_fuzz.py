"""However a scenario is spoilt, the answer is an exit code and a message, never a traceback."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORDS = [
    *("null", "true", "-1", "0", "1e999", ".nan", ".inf", "''", "[]", "{}", "[[]]", "{a: b}", "~", "- x", "*a", "&a x"),
    *(
        "9" * 30,
        "0x10",
        "0o7",
        "2020-01-01",
        "!!binary aGk=",
        "!x y",
        "'\\0'",
        '"\\u0000"',
        "<<: {}",
        "? k",
        ": v",
        "|",
    ),
    *("-5 km", "5 parsec", "1e-300 km", "1e6 km", "1000 dB", "100 %", "101 %", "inf", "1 ps", "53 days", "0 s", "\t"),
    *("textbook", "wfq", "Alice", "alice", "n0", "each", "topologies/zoo_esnet.json", "never", "dejmps", "asap"),
]


@st.composite
def spoilt(draw, texts):
    """A shipped scenario with a few characters, lines or values changed."""
    lines = draw(st.sampled_from(texts)).splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        kind = draw(st.sampled_from(["value", "key", "delete", "double", "indent", "character", "swap"]))
        if kind == "value" and ":" in line:
            lines[at] = line.split(":")[0] + ": " + draw(st.sampled_from(WORDS))
        elif kind == "key":
            lines[at] = (
                line.replace(line.strip().split(":")[0], draw(st.sampled_from(WORDS)), 1) if line.strip() else "x"
            )
        elif kind == "delete" and len(lines) > 1:
            del lines[at]
        elif kind == "double":
            lines.insert(at, line)
        elif kind == "indent":
            lines[at] = draw(st.sampled_from(["  ", " ", "\t", "- "])) + line
        elif kind == "character":
            place = draw(st.integers(0, len(line)))
            lines[at] = line[:place] + draw(st.characters(codec="utf-8")) + line[place:]
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("command", ["check", pytest.param("run", marks=pytest.mark.slow)])
def test_a_spoilt_scenario_gives_a_clean_answer(qstack, tmp_path, good, examples, command):
    texts = [good, *examples.values()]

    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(spoilt(texts))
    def answer(text):
        path = tmp_path / "spoilt.yaml"
        path.write_bytes(text.encode())
        arguments = ["--until", "50 ms", "--quiet"] if command == "run" else []
        said = qstack(command, path, *arguments)
        assert said.code in {0, 1, 2, 3}
        assert "Traceback" not in said.err
        assert said.code == 0 or said.err

    answer()


def test_random_bytes_give_a_clean_answer(qstack, tmp_path):
    draw = random.Random(5)
    for _ in range(100):
        path = tmp_path / "bytes.yaml"
        path.write_bytes(draw.randbytes(draw.randrange(1, 60)))
        said = qstack("check", path)
        assert said.code == 2
        assert said.err.endswith("nothing was run.\n")


@pytest.mark.slow
def test_random_settings_give_a_clean_answer(qstack, tmp_path, good):
    path = tmp_path / "good.yaml"
    path.write_text(good)
    draw = random.Random(6)
    keys = [
        "run",
        "run.until",
        "flows",
        "flows.0",
        "flows.0.from",
        "flows.x",
        "network",
        "network.hardware",
        "stack.link",
    ]
    keys += ["network.hardware.all", "network.hardware.all.memory.kind", "network.links.0.length", "name", "x.y.z", "."]
    for _ in range(150):
        setting = f"{draw.choice(keys)}={draw.choice(WORDS)}"
        said = qstack("check", path, "--set", setting)
        assert said.code in {0, 2}, setting
        assert said.code == 0 or setting in said.err or "nothing was run" in said.err
