"""What `qstack serve` reads: the examples, and what is wrong with files that are not like them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import qstack
from qstack.cli import invoke
from qstack.cli.serve import load
from qstack.core.errors import ConfigError

EXAMPLES = Path(__file__).parents[2] / "examples" / "sockets"
NAMES = ("n0", "n1", "n2", "laboratory")


@pytest.fixture
def folder(tmp_path):
    for path in EXAMPLES.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_read(name, folder):
    found, plan = load(folder / f"{name}.yaml")
    assert found.node == name
    assert found.addresses["n2"] == ("127.0.0.1", 52243)
    assert found.certificate == folder / "certificates" / f"{name}.pem"
    assert plan.names == ("n0", "n1", "n2")
    assert found.slow == (20.0 if name == "laboratory" else 1.0)


def test_bad_weather_example_delivers_everything():
    result = qstack.load(EXAMPLES / "lossy.yaml").run()
    assert result.flows["pairs"].delivered == 100


CHANGES = {
    "no node": ({"node": "n7"}, "n7"),
    "nearest name": (
        {"node": "laboratry", "addresses": {"laboratry": "h:1", "laboratory": "h:2"}},
        "Did you mean 'laboratory'",
    ),
    "a node without address": ({"addresses": {"n0": "h:1", "laboratory": "h:2"}}, "lacks n1, n2"),
    "no laboratory": ({"addresses": {"n0": "h:1"}}, "lacks 'laboratory'"),
    "no port": ({"addresses": {"n0": "h", "laboratory": "h:2"}}, "host:port"),
    "port too large": ({"addresses": {"n0": "h:70000", "laboratory": "h:2"}}, "host:port"),
    "unknown key": ({"certifcate": "x"}, "certifcate"),
    "backwards": ({"slow": -1}, "slow"),
    "no scenario": ({"scenario": "nowhere.yaml"}, "there is no such file"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_bad_node_files_are_refused_with_a_reason(case, folder):
    change, why = CHANGES[case]
    good = {
        "scenario": "three-nodes.yaml",
        "node": "n0",
        "addresses": dict.fromkeys(NAMES, "127.0.0.1:52240"),
        "certificate": "a.pem",
        "key": "a.key",
        "authority": "ca.pem",
    }
    path = folder / "bad.yaml"
    path.write_text(json.dumps({**good, **change}))
    with pytest.raises(ConfigError, match=why):
        load(path)


def test_missing_files_are_bad_input(folder, capfd):
    assert invoke(["serve", str(folder / "nothing.yaml")]) == 2
    assert "cannot be read" in capfd.readouterr().err
    assert invoke(["serve", str(folder / "n0.yaml")]) == 2
    assert "certificates/n0.pem" in capfd.readouterr().err
