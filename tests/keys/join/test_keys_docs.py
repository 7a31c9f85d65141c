"""The pages on keys say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qstack.cli.keys import command
from qstack.study.keys_plan import Bb84, Bbm92, Demand, Ground, Incident, KeyPlan
from qstack.study.keys_policy import CLASSES

ROOT = Path(__file__).parents[3]
PAGES = ROOT / "docs" / "keys"
TREE = {"": KeyPlan, "network.": Ground, "bb84.": Bb84, "bbm92.": Bbm92, "demands.": Demand, "incidents.": Incident}


def test_every_key_of_a_plan_is_documented_and_no_other():
    text = (PAGES / "plans.md").read_text(encoding="utf-8").partition("## Every key of a plan")[2]
    told = set(re.findall(r"^\| `([a-z_0-9.]+)` \|", text, re.MULTILINE))
    wanted = {prefix + (f.alias or name) for prefix, model in TREE.items() for name, f in model.model_fields.items()}
    assert told == wanted - {"network"}


@pytest.mark.parametrize("name", CLASSES)
def test_the_table_of_classes_is_the_table(name):
    row = CLASSES[name]
    line = f"| `{name}` | {row.title} | {', '.join(row.methods)} | {row.rekey_s} s | {row.mode} |"
    assert line in (PAGES / "plans.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "limit",
    [
        "Authentication without a first secret",
        "Availability",
        "Protection of end systems",
        "Metadata",
        "Information-theoretic secrecy once AES or TLS uses the key",
    ],
)
def test_what_keys_do_not_give_is_said_plainly(limit):
    assert f"**{limit}.**" in (PAGES / "limits.md").read_text(encoding="utf-8")


def test_every_command_is_on_the_page():
    text = (PAGES / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `qstack keys (\w+)", text, re.MULTILINE)) == set(command.commands)


def test_every_module_of_the_diagram_is_there():
    diagram = (PAGES / "README.md").read_text(encoding="utf-8").split("```")[1]
    named = re.findall(r"\b((?:keys|study|application|integration)/\w+)", diagram)
    assert len(named) > 10
    for name in named:
        path = ROOT / "qstack" / name
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
