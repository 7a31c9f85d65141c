"""Sessions over TLS sockets in lock-step: both ends see and do what they do in the simulation, times included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import qstack
from qstack.hosts.build import build
from qstack.hosts.lockstep import LockStep
from qstack.hosts.ports import Identity
from qstack.trace.node import Tracer
from qstack.trace.sinks import Memory

pytest.importorskip("cryptography")
from qstack.integration.certificates import make_certificates

NAMES = ("n0", "n1", "n2")


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    folder: Path = tmp_path_factory.mktemp("certificates")
    made = make_certificates(folder, NAMES)
    return {name: Identity(tls.certificate, tls.key, tls.authority) for name, tls in made.items()}


def by_node(records: list[dict[str, Any]]) -> dict[str, list[tuple[Any, ...]]]:
    lines: dict[str, list[tuple[Any, ...]]] = {name: [] for name in NAMES}
    for r in records:
        lines[r["node"]].append((r["time_ps"], r["direction"], r["from"], r["to"], r["noun"], r["fields"]))
    return lines


@pytest.mark.parametrize(
    ("app", "tier"),
    [
        ({"use": "teleport", "window": 3}, "correlators"),
        ({"use": "pairs", "consumption": "T", "window": 3}, "exact"),
        ("chsh", "exact"),
        ({"use": "rsp", "states": 8}, "exact"),
        ({"use": "rsp", "basis": "Y"}, "exact"),
        ({"use": "bbm92", "early": True}, "correlators"),
        ({"use": "correlate", "basis": "X", "window": 3}, "correlators"),
    ],
    ids=["teleport", "pairs", "chsh", "rsp", "prepare", "early", "correlate"],
)
def test_transcript_equals_the_simulation(app: Any, tier: str, identities: dict[str, Identity]) -> None:
    data = {
        "name": "three nodes",
        "network": {"chain": {"segments": 2, "length": "20 km"}, "hardware": {"all": "textbook"}},
        "stack": {"network": {"cutoff": "10 ms"}},
        "flows": [{"name": "f", "app": app, "from": "n0", "to": "n2", "min_fidelity": 0.7, "number": 20}],
        "run": {"until": "2 s", "seed": 3, "tier": tier, "encode": True},
    }
    plan = qstack.load(data).plan
    simulated, on_sockets = Memory(), Memory()
    network = build(plan, seed=3, node_class=Tracer(plan.names, simulated).node)
    network.simulation.run(plan.scenario.run.until)
    host = LockStep(plan, identities, seed=3, node_class=Tracer(plan.names, on_sockets).node)
    host.run(plan.scenario.run.until)
    expected, found = by_node(simulated.records), by_node(on_sockets.records)
    assert sum(line[4] == "Consumed" for line in found["n2"]) == 20
    for name in NAMES:
        assert found[name] == expected[name]
    assert host.network.recorder.flows[0].checked == network.recorder.flows[0].checked
