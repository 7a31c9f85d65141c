"""Every block of the README and of these pages runs, and what they show is what is printed.

A block after ``<!-- file: NAME -->`` is written to that file.  Blocks of `sh` and `python` run in the order of the page,
in one folder that holds the examples; ``<!-- exit: N -->`` names another exit code than 0.  A block after
``<!-- output -->`` is what the command before it prints, up to figures, which move with every change of a protocol.
Blocks of `text` are not run: they install things.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qstack.plugin.contracts import Platform
from qstack.scenario.schema import (
    Chain,
    Fault,
    FibreDefaults,
    Flow,
    Hardware,
    LinkEntry,
    Network,
    NodeEntry,
    NodeHardware,
    Repeaters,
    Run,
    Scenario,
    Stack,
)

ROOT = Path(__file__).parents[2]
KEYS = ["docs/keys/README.md", "docs/keys/limits.md", "docs/keys/plans.md", "docs/keys/tutorial.md"]
PAGES = ["README.md", "docs/tutorial.md", "docs/scenario.md", "docs/architecture.md", "docs/delft-eindhoven.md"]
PAGES += ["docs/specs.md", *KEYS]
LONG = [
    "docs/tutorial.md",
    "docs/delft-eindhoven.md",
    "docs/keys/plans.md",
    "docs/keys/tutorial.md",
    "docs/keys/demo.md",
]
UNRUN = {"docs/scenario.md", "docs/architecture.md", "docs/keys/README.md", "docs/keys/limits.md"}
BLOCK = re.compile(r"(?:<!-- (file|exit|output)(?:: (\S+))? -->\n)?```(\w*)\n(.*?)```", re.DOTALL)
RUN = {"sh": ["bash", "-e", "-c"], "python": [sys.executable, "-c"]}


@pytest.fixture
def place(tmp_path):
    """A folder with the examples, and an environment with `qstack` on its path."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(ROOT / "qstack" / "data" / "hardware", tmp_path / "hardware")
    binary = tmp_path / "bin" / "qstack"
    binary.parent.mkdir()
    binary.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c 'from qstack.cli import main; main()' \"$@\"\n")
    binary.chmod(0o755)
    path = f"{binary.parent}{os.pathsep}{os.environ['PATH']}"
    return tmp_path, {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def shape(text: str) -> list[str]:
    """Return lines without figures and without how wide they are."""
    text = re.sub(r"Installed: [^.]*\.", "Installed: ...", text)  # over as many lines as plugins make it
    text = re.sub(r"\b[0-9a-f]{8}(?:[0-9a-f]{56}|(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b", "ID", text)
    lines = (re.sub(r"[0-9][0-9.e-]*", "#", line) for line in text.strip().splitlines())
    return [" ".join(line.replace("# us", "# ms").replace("# s", "# ms").split()) for line in lines]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if p not in LONG] + [pytest.param(page, marks=pytest.mark.slow) for page in LONG]
)
def test_every_block_of_a_page_runs(page, place):
    folder, environment = place
    printed = ""
    ran = 0
    for mark, value, language, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        if mark == "file":
            (folder / value).write_text(text, encoding="utf-8")
        elif mark == "output":
            assert shape(printed) == shape(text)
        elif language in RUN:
            code = int(value) if mark == "exit" else 0
            said = subprocess.run(
                [*RUN[language], text],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert said.returncode == code, said.stdout + said.stderr
            assert "Traceback" not in said.stderr
            printed = said.stdout + said.stderr
            ran += 1
        else:
            assert language == "text"
    assert ran or page in UNRUN


TEXTS = [ROOT, *(ROOT / folder for folder in ("docs", "examples", "plugins", "specs"))]
LINKED = sorted(
    {str(path.relative_to(ROOT)) for folder in TEXTS for path in folder.glob("*.md" if folder == ROOT else "**/*.md")}
)


@pytest.mark.parametrize("page", LINKED)
def test_every_link_leads_somewhere(page):
    text = BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), target


TREE = {
    "": Scenario,
    "network.": Network,
    "network.chain.": Chain,
    "network.nodes.": NodeEntry,
    "network.links.": LinkEntry,
    "network.repeaters.": Repeaters,
    "network.fibre.": FibreDefaults,
    "network.hardware.": Hardware,
    "network.hardware.at.": NodeHardware,
    "stack.": Stack,
    "flows.": Flow,
    "faults.": Fault,
    "run.": Run,
}


def documented(part: str) -> set[str]:
    text = (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8")
    scenario, _, sheet = text.partition("## A data sheet")
    return set(re.findall(r"^\| `([a-z_.]+)` \|", sheet if part == "sheet" else scenario, re.MULTILINE))


def keys(model) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_every_key_of_a_scenario_is_documented_and_no_other():
    assert documented("scenario") == {prefix + key for prefix, model in TREE.items() for key in keys(model)}
    assert documented("sheet") == keys(Platform) | {"like"}
