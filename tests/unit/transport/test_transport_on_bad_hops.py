"""Sessions in a whole network whose hops lose, double, delay and spoil messages, or are cut."""

from __future__ import annotations

from typing import Any

import pytest

import qstack
from qstack.hosts.build import Network, build
from qstack.services.reasons import Reason

ACTIONS = [
    {"action": "drop"},
    {"action": "duplicate", "by": "3 ms"},
    {"action": "delay", "by": "5 ms"},
    {"action": "corrupt"},
]
TELEPORT = {"use": "teleport", "window": 3}
STREAM = {"use": "pairs", "consumption": "T", "window": 3}
CASES = [
    *((kind, TELEPORT) for kind in ("SessionOpen", "SessionOpenAck", "SessionAccept", "Correction", "Acknowledgement")),
    *((kind, TELEPORT) for kind in ("SessionClose", "Claim", "Finding", "Discard")),
    *((kind, STREAM) for kind in ("SessionOpen", "Acknowledgement")),
    ("Steer", "rsp"),
    ("Finding", "rsp"),
]


def run(app: Any, faults: list[dict[str, Any]], *, number: int = 20, seed: int = 3, until: int = 60) -> Network:
    """Run a flow over one repeater until nothing moves any more."""
    data = {
        "name": "bad hops",
        "network": {
            "chain": {"segments": 2, "length": "20 km"},
            "hardware": {"all": {"like": "textbook", "interface": {"kind": "textbook", "fidelity": 1.0}}},
        },
        "stack": {"network": {"cutoff": "20 ms"}},
        "flows": [{"name": "f", "app": app, "from": "n0", "to": "n2", "min_fidelity": 0.5, "number": number}],
        "faults": faults,
        "run": {"until": f"{until} s", "seed": seed},
    }
    experiment = qstack.load(data)
    network = build(experiment.plan, seed=seed)
    network.simulation.run(until * 10**12)
    settled = network.simulation.now + 30 * 10**12
    while network.simulation.now < settled and network.simulation.heap:
        network.simulation.stopped = network.simulation.idle = False
        network.simulation.run(settled)
        if network.simulation.idle:
            break
    return network


def held(network: Network) -> int:
    qubits: dict[int, dict[int, Any]] = network.medium.qubits  # type: ignore[attr-defined]  # of the reference tiers
    return sum(map(len, qubits.values()))


def open_sessions(network: Network) -> int:
    layers = [layer for node in network.simulation.nodes.values() for layer in node.layers if layer.name == "transport"]
    assert len(layers) == 3
    return sum(len(layer.sessions) for layer in layers)  # type: ignore[attr-defined]  # of the reference layer


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: str(a["action"]))
@pytest.mark.parametrize(("kind", "app"), CASES, ids=str)
def test_any_message_once(kind: str, app: Any, action: dict[str, Any]) -> None:
    network = run(app, [{"message": kind, "nth": 1, **action}])
    record = network.recorder.flows[0]
    assert record.finished == {0: 0, 2: 0}
    assert len(record.pairs) == 20
    assert not record.half
    assert held(network) == 0
    assert open_sessions(network) == 0
    for number, passed in record.checked.values():
        assert passed >= number - 2  # perfect pairs; memories forget a little
    assert sum(number for number, _ in record.checked.values()) in {0, 20}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("app", [TELEPORT, STREAM, "rsp"], ids=str)
def test_everything_at_random(app: Any, seed: int) -> None:
    network = run(app, [{"probability": 0.05, **action} for action in ACTIONS], seed=seed, until=200)
    record = network.recorder.flows[0]
    assert record.finished == {0: 0, 2: 0}
    assert len(record.pairs) == 20
    assert held(network) == 0
    assert open_sessions(network) == 0


@pytest.mark.parametrize("cut", [("n0", "n1"), ("n1", "n2"), ("n2", "n1")])
@pytest.mark.parametrize("app", [TELEPORT, STREAM], ids=str)
def test_a_cut_hop_ends_the_session_at_both_ends(app: Any, cut: tuple[str, str]) -> None:
    faults = [{"from": cut[0], "to": cut[1], "nth": list(range(30, 3000)), "action": "drop"}]
    network = run(app, faults, number=1000)
    record = network.recorder.flows[0]
    assert 0 < len(record.pairs) < 1000
    assert record.finished == {0: Reason.LOST_PEER, 2: Reason.LOST_PEER}
    assert held(network) == 0
    assert open_sessions(network) == 0


@pytest.mark.parametrize("cut", [("n0", "n2"), ("n2", "n0")])
@pytest.mark.parametrize("app", [TELEPORT, STREAM, "rsp"], ids=str)
def test_ends_that_cannot_talk_to_each_other_give_up(app: Any, cut: tuple[str, str]) -> None:
    faults = [{"from": cut[0], "to": cut[1], "nth": list(range(8, 3000)), "action": "drop"}]
    network = run(app, faults, number=100, until=300)
    assert held(network) == 0
    assert open_sessions(network) == 0
