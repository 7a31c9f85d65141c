"""Requirements, prose, lock, code and tests say the same."""

from __future__ import annotations

import os
import subprocess
import sys
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
