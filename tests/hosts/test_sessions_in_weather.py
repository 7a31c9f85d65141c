"""Every application over hops that lose, double, delay and spoil messages, with lost REPLYs: nothing leaks, everything ends."""

from __future__ import annotations

import pytest

from qstack.services.reasons import Reason

STORM = [
    {"probability": 0.08, "action": "drop"},
    {"probability": 0.05, "action": "duplicate", "by": "300 us"},
    {"probability": 0.08, "action": "delay", "by": "500 us"},
    {"probability": 0.03, "action": "corrupt"},
    {"message": "Reply", "probability": 0.04, "action": "drop"},
]
DEAF = [{"message": "Reply", "probability": 0.2, "action": "drop"}]
APPS = [
    {"use": "pairs", "window": 1},
    {"use": "pairs", "consumption": "B"},
    {"use": "pairs", "consumption": "B", "window": 2},
    {"use": "pairs", "consumption": "T", "window": 2},
    {"use": "bbm92", "early": True},
    {"use": "correlate", "basis": "Y"},
    {"use": "correlate", "basis": "X", "window": 1},
    {"use": "rsp", "basis": "X"},
    {"use": "teleport", "window": 2},
    {"use": "teleport", "consumption": "C", "window": 3},
]
NUMBER = 40


def check(app, faults, seed, three, run):
    hardware = {"all": {"like": "textbook", "interface": {"kind": "textbook", "probability": 0.5}}}
    data = three(faults=faults, network__hardware=hardware, run={"until": "60 s", "seed": seed, "shuffle_ties": seed})
    data["stack"] = {"network": {"cutoff": ("6 ms", "1 ms", "30 ms")[seed % 3]}}
    data["flows"][0] |= {"app": app, "number": NUMBER}
    ran = run(data, settle=30 * 10**12)
    record = ran.network.recorder.flows[0]
    assert ran.held == 0
    assert not ran.kept
    for node in ran.network.simulation.nodes.values():
        assert not any(layer.sessions for layer in node.layers if layer.name == "transport")
    lost = {line[5]["pair"] for lines in ran.lines.values() for line in lines if line[4] == "Lost"}
    assert record.half.keys() <= lost, "consumed at one end only, and nobody was told"
    assert len(record.finished) == 2
    reasons = set(record.finished.values())
    assert reasons in ({0}, {Reason.NOTIME}), record.finished
    assert len(record.pairs) == NUMBER or any(reasons)
    early = [line[5]["qubit"] for lines in ran.lines.values() for line in lines if line[4] == "EarlyDelivery"]
    known = [line for lines in ran.lines.values() for line in lines if line[4] in {"Delivery", "Expired"}]
    if app.get("consumption") == "B" or app.get("early"):
        assert early or any(reasons)
        fates = [(line[2], line[5]["qubit"]) for line in known if line[5]["qubit"] in set(early)]
        assert len(early) == len(fates), "an early half without a fate, or with two"


@pytest.mark.parametrize("faults", [STORM, DEAF], ids=["storm", "deaf"])
@pytest.mark.parametrize("app", APPS, ids=str)
def test_sessions_in_weather(app, faults, three, run):
    check(app, faults, 1, three, run)


@pytest.mark.slow
@pytest.mark.parametrize("app", APPS, ids=str)
def test_sessions_in_many_weathers(app, three, run):
    for seed in range(2, 10):
        check(app, STORM, seed, three, run)
        check(app, DEAF, seed, three, run)


@pytest.mark.parametrize(
    ("app", "action"),
    [
        ("pairs", {"action": "drop"}),
        ("pairs", {"action": "duplicate", "by": "3 ms"}),
        ({"use": "pairs", "window": 2}, {"action": "delay", "by": "5 ms"}),
        ("teleport", {"action": "corrupt"}),
    ],
    ids=str,
)
def test_both_ends_hear_why_a_session_was_refused(app, action, three, run):
    """No circuit can be had: the links already carry as many as they may."""
    first = {"name": "first", "from": "n0", "to": "n1", "min_fidelity": 0.7}
    data = three(run={"until": "2 s", "seed": 3})
    data["stack"] = {"network": {"cutoff": "6 ms", "circuits_per_link": 1}}
    data["flows"][0] |= {"app": app, "start": "50 ms"}
    data["flows"].append(first)
    data["faults"] = [{"message": "SessionReset", "nth": 1, **action}]
    ran = run(data, settle=0)
    assert ran.network.recorder.flows[0].finished == {0: Reason.NORES, 2: Reason.NORES}
    (refused,) = [line[5] for line in ran.lines["n2"] if line[4] == "Refused"]
    assert (refused["session"], refused["reason"]) == (0, Reason.NORES)


def test_both_ends_count_the_same_test_rounds(three, run):
    """And tell each other so, after 1, 2, 4 ... rounds."""
    data = three(run={"until": "60 s", "seed": 3})
    data["stack"] = {"network": {"cutoff": "6 ms", "test_share": 0.3}}
    data["flows"][0] |= {"app": {"use": "pairs", "window": 6}, "number": 60}
    ran = run(data)
    told, heard = {}, {}
    for node in ("n0", "n2"):
        told[node] = {line[5]["rounds"]: line[5]["fidelity"] for line in ran.lines[node] if line[4] == "Assessed"}
        heard[node] = {line[5]["rounds"]: line[5]["fidelity"] for line in ran.lines[node] if line[4] == "PeerReported"}
        assert max(told[node]) > 10
    for here, there in (("n0", "n2"), ("n2", "n0")):
        assert list(heard[here]) == [n for n in (1, 2, 4, 8, 16, 32) if n in told[there]]
        for rounds, fidelity in heard[here].items():
            assert fidelity == pytest.approx(told[there][rounds], abs=1e-4)
    final = ran.network.recorder.flows[0].tested
    assert final is not None
    assert final[3] == max(told["n0"])
