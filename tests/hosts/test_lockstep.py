"""The test of the whole design: over TLS sockets in lock-step, everything is as in the simulation, times included."""

from __future__ import annotations

import pytest

import qstack
from qstack.core.errors import HostError
from qstack.hosts.lockstep import LockStep
from qstack.hosts.ports import Identity
from qstack.trace.node import Tracer
from qstack.trace.sinks import Memory

pytest.importorskip("cryptography")
from qstack.integration.certificates import make_certificates

NAMES = ("n0", "n1", "n2")
LOST_ADD = {"message": "Add", "from": "n0", "to": "n1", "nth": 1, "action": "drop"}


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    made = make_certificates(tmp_path_factory.mktemp("certificates"), NAMES)
    return {name: Identity(tls.certificate, tls.key, tls.authority) for name, tls in made.items()}


def on_sockets(data, identities, by_node):
    experiment = qstack.load(data)
    memory = Memory()
    host = LockStep(
        experiment.plan,
        identities,
        seed=experiment.seed,
        node_class=Tracer(experiment.plan.names, memory).node,
    )
    until = experiment.plan.scenario.run.until
    host.run(until)
    network = host.network
    network.simulation.stopped = False
    host.run(max(until, network.simulation.now) + 10**12)
    return host, by_node(memory.records)


@pytest.mark.requirement("QS-CL-003")
def test_transcript_with_swap_cutoff_and_retransmission(three, run, lines, identities):
    data = three(run__encode=True, faults=[LOST_ADD])
    expected = run(data)
    assert expected.count("down", "Swap") >= 30
    assert expected.count("timer", "Cutoff") > 0
    assert expected.count("timer", "AddDue") == 1
    host, transcript = on_sockets(data, identities, lines)
    assert sum(host.carriage.came.values()) > 100
    assert host.carriage.bytes > 5_000
    for name in NAMES:
        assert transcript[name] == expected.lines[name]
    assert host.network.simulation.now == expected.network.simulation.now
    assert [f.pairs for f in host.network.recorder.flows] == [f.pairs for f in expected.network.recorder.flows]


@pytest.mark.requirement("QS-CL-003")
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"run__encode": False},
        {"faults": [{"message": "Track", "probability": 0.2, "action": "corrupt"}]},
        {"faults": [{"message": "any", "probability": 0.1, "action": "duplicate", "by": "1 ms"}]},
        {"run__shuffle_ties": 3},
        {"flows": [{"name": f"at {n}", "from": "n0", "to": "n2", "number": 15, "priority": n} for n in (0, 5)]},
    ],
    ids=["bytes", "objects", "corrupt", "duplicate", "ties", "priorities"],
)
def test_transcript_equals_the_simulation(change, three, run, lines, identities):
    data = three(**{"run__encode": True, **change})
    expected = run(data)
    _, transcript = on_sockets(data, identities, lines)
    assert transcript == expected.lines


@pytest.mark.requirement("QS-CL-003")
def test_words_about_memories_are_those_of_the_simulation(three, run, lines, identities):
    """Pairs of a fast link wait for those of a slow one, until its memories are full."""
    data = three(run__encode=True, stack={"network": {"cutoff": "never", "give_way": 0}})
    slow = {"like": "textbook", "interface": {"probability": 2.5e-4}}
    links = [{"a": "n0", "b": "n1", "length": "20 km"}, {"a": "n2", "b": "n1", "length": "20 km"}]
    hardware = {"all": "textbook", "at": [{"node": "n2", "use": slow}]}
    data["network"] = {"nodes": list(NAMES), "links": links, "hardware": hardware}
    data["flows"][0] |= {"number": 4, "min_fidelity": 0.3}
    data["run"]["until"] = "20 s"
    expected = run(data)
    assert expected.count("in", "MemReq") > 3
    assert expected.count("in", "MemAck") > 3
    _, transcript = on_sockets(data, identities, lines)
    assert transcript == expected.lines


@pytest.mark.requirement("QS-CL-003")
@pytest.mark.parametrize("app", ["teleport", "chsh", "rsp", {"use": "pairs", "consumption": "T"}], ids=str)
def test_sessions_with_cutoff_and_retransmission(app, three, run, lines, identities):
    """Everything is equal: numbers and causes of the records, times, draws, and what the applications counted."""
    data = three(faults=[LOST_ADD, {"message": "Track", "nth": [3, 9], "action": "drop"}], run__tier="exact")
    data["flows"][0] |= {"app": app, "number": 12}
    data["stack"]["network"]["cutoff"] = "2 ms"
    expected = run(data)
    assert expected.delivered >= 12
    assert expected.count("timer", "Cutoff") > 0
    assert expected.count("timer", "AddDue") == 1
    assert expected.network.carriage.counts["repeated"] > 0
    host, transcript = on_sockets(data, identities, lines)
    assert transcript == expected.lines
    assert [f.pairs for f in host.network.recorder.flows] == [f.pairs for f in expected.network.recorder.flows]


@pytest.mark.requirement("QS-CL-243")
@pytest.mark.parametrize("channel", ["ideal", {"use": "lossy", "loss": 0.1, "duplicate": 0.1}], ids=str)
def test_causes_survive_bytes(channel, three, run):
    data = three(run__encode=True)
    data["network"]["channel"] = channel
    records = [line for lines in run(data).lines.values() for line in lines]
    nouns = {line[6]: line for line in records}
    arrived = [line for line in records if line[1] == "in"]
    assert len(arrived) > 100
    for line in arrived:
        sent = nouns[line[7]]
        assert sent[1] == "out"
        assert sent[5]["message"]["noun"] == line[4]


def test_transcript_on_a_lossy_channel_that_reorders(three, run, lines, identities):
    data = three()
    data["network"]["channel"] = {"use": "lossy", "loss": 0.1, "reorder": 0.2, "held": "1 ms", "duplicate": 0.1}
    expected = run(data)
    _, transcript = on_sockets(data, identities, lines)
    assert transcript == expected.lines


def test_bytes_that_do_not_arrive_are_noticed(three, identities, monkeypatch):
    experiment = qstack.load(three())
    host = LockStep(experiment.plan, {**identities, "n1": identities["n2"]}, seed=1)
    with pytest.raises(HostError, match=r"n1 at 127\.0\.0\.1:\d+: the certificate is that of 'n2'"):
        host.run(10**12)
