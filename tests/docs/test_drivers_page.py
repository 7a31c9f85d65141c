"""The page for vendors: its protocol is the one that is spoken, and its example is read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from qstack.cli.serve import load
from qstack.hosts.laboratory import PROTOCOL
from qstack.hosts.plain import INDICATIONS, REQUESTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "drivers.md").read_text()
DEVICE = (ROOT / "examples" / "loopback" / "device.py").read_text()
OF_A_STATION = {"Interfere", "Clicked"}


def test_every_request_and_indication_of_a_node_is_told():
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert (REQUESTS.keys() | INDICATIONS.keys()) - OF_A_STATION <= named


def test_greeting_is_that_of_this_version():
    greeting = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
    assert greeting["laboratory"] == PROTOCOL
    assert greeting.keys() == {"laboratory", "node", "origin_ns", "slow"}


@pytest.mark.parametrize("name", ["n0", "n1", "n2"])
def test_node_files_of_the_example_have_the_driver_of_the_page(name):
    found, plan = load(ROOT / "examples" / "loopback" / f"{name}.yaml")
    assert plan.names == ("n0", "n1", "n2")
    assert found.driver.name == "socket"
    assert found.driver.options.name == "device"
    assert found.driver.options.address == ("127.0.0.1", 52250)
    memories = re.search(r"^LANES = (\d+)$", DEVICE, re.MULTILINE)
    assert {link.sheet.lanes for link in plan.links} == {int(memories[1])}
    line = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1].strip()
    assert line in (ROOT / "examples" / "loopback" / f"{name}.yaml").read_text()


def test_the_example_needs_nothing_of_qstack():
    modules = set(re.findall(r"^(?:import|from) (\w+)", DEVICE, re.MULTILINE))
    assert modules == {"asyncio", "json", "math", "random", "ssl", "sys", "time", "pathlib"}
