"""Three nodes and a laboratory as processes on loopback."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("cryptography")
from processes import NODES, consumed

pytestmark = pytest.mark.slow
DELIVERED = {"flow": 0, "reason": 0}


def test_three_processes_deliver_pairs(network):
    net = network()
    net.start("laboratory", *NODES)
    net.wait("n0", "Finished", **DELIVERED)
    net.wait("n2", "Finished", **DELIVERED)
    head, tail = consumed(net, "n0"), consumed(net, "n2")
    assert head == tail
    assert sorted(head) == list(range(20))
    assert set(net.stop().values()) == {0}
    assert not net.events("laboratory", "refused"), "no qubit was used twice or leaked to a stranger"


@pytest.mark.parametrize("app", ["teleport", "chsh"])
def test_three_processes_keep_a_session_in_bad_weather(app, network):
    net = network(12)
    path = net.folder / "scenario.yaml"
    data = json.loads(path.read_text())
    data["flows"][0]["app"] = app
    data["run"]["tier"] = "exact"
    data["network"]["channel"] = {"use": "lossy", "loss": 0.05, "duplicate": 0.05}
    data["faults"] = [{"message": "Add", "from": "n0", "to": "n1", "nth": 1, "action": "drop"}]
    path.write_text(json.dumps(data))
    net.start("laboratory", *NODES)
    for name in ("n0", "n2"):
        net.wait(name, "Finished", **DELIVERED)
    head, tail = consumed(net, "n0"), consumed(net, "n2")
    assert len(head.keys() & tail.keys()) >= 12
    assert set(net.stop().values()) == {0}
    assert not net.events("laboratory", "refused")


def test_a_second_process_at_the_same_port_is_refused(network):
    net = network()
    net.start("laboratory", *NODES)
    net.wait("n1", "listening")
    first = net.running.pop("n1")
    try:
        net.start("n1")
        assert net.running.pop("n1").wait(30) == 1
        assert "cannot listen at" in net.errors("n1")
        assert "another process listens there already" in net.errors("n1")
    finally:
        net.running["n1"] = first


def test_without_a_laboratory_there_is_no_node(network):
    net = network()
    net.write("n0", again=None)
    net.start("laboratory", "n0")
    net.wait("n0", "listening")
    net.kill("laboratory")
    assert net.running.pop("n0").wait(30) == 1
    assert f"the laboratory at {net.addresses['laboratory']} is gone" in net.errors("n0")
