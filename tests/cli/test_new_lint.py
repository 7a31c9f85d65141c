"""What `qstack new` writes passes the rules of this project; the tools are those of `tox -e lint`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qstack.cli import invoke
from qstack.cli.new import KINDS_OF_PLUGIN, LEVELS

ROOT = Path(__file__).parents[2]
RUFF = f"""\
extend = "{ROOT / "pyproject.toml"}"
src = ["src"]
[lint.per-file-ignores]
"tests/*" = ["INP001"]  # tests are files, not a package
"""
MYPY = """\
[mypy]
strict = True
plugins = pydantic.mypy
explicit_package_bases = True
follow_imports = silent
"""


@pytest.fixture
def everything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in KINDS_OF_PLUGIN:
        for level in LEVELS if kind == "layer" else ("",):
            options = ["--level", level] if level else []
            assert invoke(["new", kind, *options, f"mine-{level or kind}"]) == 0
    return tmp_path


def run(*command, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_ruff_finds_nothing(everything):
    pytest.importorskip("ruff")
    for folder in everything.iterdir():
        (folder / "ruff.toml").write_text(RUFF)
    for command in (("ruff", "check", "."), ("ruff", "format", "--check", ".")):
        done = run(*command, cwd=everything)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_mypy_finds_nothing(everything):
    pytest.importorskip("mypy")
    (everything / "mypy.ini").write_text(MYPY)
    sources = sorted(everything.glob("*/src"))
    done = run(
        "mypy", "--cache-dir", ".cache", *(str(path) for source in sources for path in source.iterdir()),
        cwd=everything, MYPYPATH=os.pathsep.join(map(str, [ROOT, *sources])),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
