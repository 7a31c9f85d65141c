"""The main job: the real fibre from Delft to Eindhoven with projected ions, pairs and a key at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import sqrt
from pathlib import Path

import pytest

import qstack
from qstack.services.bell import Basis

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "delft-eindhoven.yaml"


@pytest.fixture(scope="module")
def result():
    return qstack.load(EXAMPLE).run()


def test_every_flow_delivers_what_was_asked_for(result):
    assert [(flow.name, flow.delivered, flow.requested) for flow in result.flows] == [
        ("pairs", 500, 500),
        ("key", 400, 400),
    ]
    assert result.failures == []
    assert result.simulated_s < 120


def test_the_promise_about_the_mean_fidelity_is_kept(result):
    for flow in result.flows:
        assert flow.fidelity.mean > flow.min_fidelity
        assert 0 < flow.fidelity.sem < 0.01
        assert abs(flow.estimates.mean() - flow.fidelity.mean) < 0.02


def test_it_agrees_with_an_independent_estimate(result):
    """About 9 pairs/s at F = 0.87 (docs/delft-eindhoven.md says where the differences come from)."""
    together = sum(flow.rate_hz for flow in result.flows)
    assert 9 * 0.7 < together < 9 * 1.3
    for flow in result.flows:
        assert abs(flow.fidelity.mean - 0.87) < 0.02


def test_errors_of_the_key_are_counted_and_agree_with_the_estimate():
    """e_X = 0.109 and e_Z = 0.039, each within four standard errors of a longer count."""
    settings = ["flows.key.number=6000", "flows.pairs.number=10"]
    flow = qstack.load(EXAMPLE, until="3000 s", settings=settings).run().flows["key"]
    assert flow.delivered == 6000
    summary = flow.summary()
    for key, expected, slack in (("e_x", 0.109, 0.01), ("e_z", 0.039, 0.01)):
        counts = flow.errors[Basis.X if key == "e_x" else Basis.Z]
        assert counts.bits > 300
        assert abs(summary[key] - expected) < slack + 4 * sqrt(expected * (1 - expected) / counts.bits)
    assert 2500 < summary["sifted_bits"] < 3500


def test_every_memory_is_accounted_for(result):
    for node in result.nodes:
        assert 0 <= node["memories_busy"] <= node["memories"]
    middle = [node for node in result.nodes if node["name"].startswith("M")]
    assert all(node["swaps"] >= 900 for node in middle)
    assert all(node["messages"] > 0 for node in result.nodes)
    assert all(link["pairs"] >= 900 and link["requests"] >= 2 for link in result.links)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_the_command_is_light():
    """Under 150 MB."""
    code = (
        "from qstack.cli import invoke\n"
        f"code = invoke(['run', {str(EXAMPLE)!r}, '--quiet'])\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]\n"
        "print(code, peak)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    exit_code, kilobytes = map(int, said.stdout.split())
    assert exit_code == 0
    assert kilobytes < 150_000


def test_the_manifest_is_plain_data(result):
    experiment = qstack.load(EXAMPLE)
    manifest = json.loads(json.dumps(experiment.manifest(result)))
    assert manifest["scenario"]["network"]["hardware"]["all"]["interface"]["detection"] == 0.4
