"""Requirements, prose, lock, code and tests say the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from qstack.conformance.specification import load
from qstack.conformance.tracing import check

ROOT = Path(__file__).parents[2]


@pytest.mark.requirement("QS-CF-004", "QS-CF-005")
def test_this_checkout_is_in_step():
    assert [str(problem) for problem in check(load(ROOT / "specs"))] == []


def test_the_command_says_so_too(tmp_path):
    said = subprocess.run(
        [sys.executable, "-c", "from qstack.cli import main; main()", "spec", "check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.endswith("checked with code and tests: 0 problems\n")


@pytest.mark.parametrize(("chapter", "stem", "last"), [("link", "LNK", 27), ("network", "NET", 25)])
def test_every_candidate_is_a_tested_requirement_or_dropped_for_a_reason(chapter, stem, last):
    text = tomllib.loads((ROOT / "specs" / chapter / f"{chapter}.toml").read_text(encoding="utf-8"))
    taken = {name: one for one in text["requirement"] for name in one.get("candidates", ())}
    dropped = {name for one in text["dropped"] if len(one["reason"]) > 30 for name in one["candidates"]}
    wanted = {f"{stem}-{n}" for n in range(1, last + 1)}
    assert taken.keys() | dropped == wanted
    files = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "plugins").rglob("test_*.py")]
    marks = "\n".join(path.read_text(encoding="utf-8") for path in files)
    for name, one in taken.items():
        assert f'"{one["id"]}"' in marks, f"{name} is {one['id']}, which nothing tests"
