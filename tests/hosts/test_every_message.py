"""Every message of the protocols once: lost, doubled, late, out of order or broken, by name and as a user orders it."""

from __future__ import annotations

from typing import Any

import pytest

import qstack
from qstack.core.errors import ConfigError
from qstack.hardware.tier import CorrelatorTier
from qstack.hosts.build import build
from qstack.scenario.faults import message_names
from qstack.services.reasons import Reason

ACTIONS = [
    {"action": "drop"},
    {"action": "duplicate", "by": "3 ms"},
    {"action": "delay", "by": "5 ms"},  # longer than a datagram waits for its answer, so that others overtake it
    {"action": "corrupt"},
]
MIDPOINT = [{"action": "drop"}]
LATE_ADDS = {"message": "Add", "from": "n0", "to": "n1", "nth": [1, 2, 3], "action": "delay", "by": "20 ms"}
CUT = {"message": "Track", "from": "n0", "to": "n1", "action": "drop"}
DEAF = {"message": "Reply", "nth": [3, 9], "action": "drop"}
SLOW = {"message": "Acknowledgement", "action": "delay", "by": "60 ms"}
SECOND = {"name": "second", "from": "n1", "to": "n2", "min_fidelity": 0.7, "number": 30}
BACK = {"name": "back", "from": "n1", "to": "n0", "min_fidelity": 0.7, "number": 5}
CROWDED = {
    "stack": {"network": {"cutoff": "6 ms", "circuits_per_link": 1}},
    "flows": [SECOND],
    "start": "1 ms",
    "reasons": {"pairs": Reason.NORES},
}

PLAIN: dict[str, Any] = {}
EACH = {"run": {"attempts": "each"}}
CASES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("Add", "AddAck", "Drop", "DropAck", "SetupReq", "SetupRsp", "Forward"), PLAIN),
    **dict.fromkeys(("Track", "Expire", "Complete", "Teardown", "ChannelAck", "Reply"), PLAIN),
    "Gen": EACH,
    **{key: {"faults": [DEAF]} for key in ("LinkExpire", "LinkExpireAck")},
    "LinkTest": {"stack": {"link": {"test_period": 5}}},
    "CircuitTest": {"stack": {"network": {"cutoff": "6 ms", "test_share": 0.3}}},
    "DistilBit": {"stack": {"link": {"distillation": "dejmps"}}},
    "AddRej": {"faults": [LATE_ADDS], "reasons": {"pairs": Reason.NOTIME}},
    **dict.fromkeys(("Reject", "SessionReset"), CROWDED),
    "Keepalive": {"faults": [CUT], "reasons": {"pairs": Reason.LOST_PEER}},
    **{key: {"app": "teleport"} for key in ("SessionOpen", "SessionOpenAck", "SessionAccept", "SessionClose")},
    **{key: {"app": "teleport"} for key in ("Correction", "Acknowledgement", "Claim", "Finding")},
    "Discard": {"app": {"use": "teleport", "window": 1}, "faults": [SLOW]},
    **{key: {"app": "bbm92"} for key in ("Have", "Bases", "Reveal")},
    "FidelityReport": {
        "app": {"use": "pairs", "window": 6},
        "stack": {"network": {"cutoff": "6 ms", "test_share": 0.3}},
    },
    "Steer": {"app": "rsp"},
    "Played": {"app": "chsh", "run": {"tier": "exact"}},
}
"""What has to be done, beside the usual three nodes, for a kind of message to be sent; and how flows that fail end."""

ELSEWHERE = {
    **dict.fromkeys(("Hello", "MemReq", "MemAck"), "laid out after the draft; no layer sends it"),
    "Loss": "tests/unit/transport/test_transport_exactly_once.py",
}
"""Messages that no scenario sends at will, and why, or which dialogues lose, double and delay them."""


def dressed(kind, action, three):
    case = CASES[kind]
    data = three(run={"until": "20 s", "seed": 3, **case.get("run", {})})
    data["stack"] = {"network": {"cutoff": "6 ms"}, **case.get("stack", {})}
    data["flows"][0] |= {"app": case.get("app", "pairs"), "start": case.get("start", "0 s")}
    data["flows"] += case.get("flows", [])
    data["faults"] = [*case.get("faults", []), {"message": kind, "nth": 1, **action}]
    return data


def everything():
    for kind in CASES:
        for action in MIDPOINT if kind in {"Gen", "Reply"} else ACTIONS:
            yield pytest.param(kind, action, id=f"{kind}-{action['action']}")


def test_the_table_is_whole():
    assert CASES.keys() | ELSEWHERE.keys() == set(message_names())
    assert not CASES.keys() & ELSEWHERE.keys()


@pytest.mark.parametrize(("kind", "action"), list(everything()))
def test_any_message_once(kind, action, three, run):
    data = dressed(kind, action, three)
    ran = run(data)
    *_, rule = ran.network.carriage.conditions.faults.rules
    assert rule.struck == 1
    assert ran.held == 0
    assert not ran.kept
    reasons = CASES[kind].get("reasons", {})
    lost = {line[5]["pair"] for lines in ran.lines.values() for line in lines if line[4] == "Lost"}
    for flow, record in zip(data["flows"], ran.network.recorder.flows, strict=True):
        assert record.half.keys() <= lost, "consumed at one end only, and nobody was told"
        reason = reasons.get(flow["name"])
        if reason:
            assert list(record.finished.values()) == [reason, reason]
        else:
            assert not record.half
            assert len(record.pairs) == flow["number"]
            assert len(record.finished) == 2


@pytest.mark.parametrize("action", [a for a in ACTIONS if a["action"] != "drop"], ids=lambda a: a["action"])
@pytest.mark.parametrize("kind", ["Gen", "Reply"])
def test_messages_with_midpoints_can_be_lost_and_nothing_else(kind, action, three):
    with pytest.raises(ConfigError, match=f"a {kind} that is late or broken is lost"):
        qstack.load(three(faults=[{"message": kind, **action}], run={"until": "1 s", "attempts": "each"}))


def test_a_run_without_attempts_has_no_gen(three):
    with pytest.raises(ConfigError, match="has no Gen"):
        qstack.load(three(faults=[{"message": "Gen", "action": "drop"}]))


@pytest.mark.parametrize("attempts", ["skip", "each"])
def test_a_rule_for_replies_names_the_end_that_misses_them(attempts, three, run):
    """The end that misses the second REPLY says so, and both ends of the link give that pair up."""
    rule = {"message": "Reply", "from": "n1", "to": "n0", "nth": 2, "action": "drop"}
    ran = run(three(faults=[rule], run={"until": "20 s", "seed": 3, "attempts": attempts}))
    assert ran.delivered == 30
    missed = [line for node in ran.lines for line in ran.lines[node] if line[4] == "Skipped"]
    assert [(node, line[5]["low"]) for node in ran.lines for line in ran.lines[node] if line[4] == "Skipped"] == [
        ("n0", 1)
    ]
    assert len(missed) == 1
    told = [line for line in ran.lines["n1"] if line[4] == "LinkExpire"]
    assert [(line[5]["low"], line[5]["high"]) for line in told] == [(1, 2)]


def test_without_gens_there_are_no_pairs(three, run):
    rule = {"message": "Gen", "from": "n1", "to": "n0", "action": "drop"}
    ran = run(three(faults=[rule], run={"until": "100 ms", "seed": 3, "attempts": "each"}), settle=0)
    assert ran.network.medium.pairs((0, 1)) == 0
    assert ran.network.medium.pairs((1, 2)) > 0


class Faultless(CorrelatorTier):
    """A tier that does not lose messages with midpoints."""

    disturb = None


def test_a_tier_that_loses_no_replies_says_so(three, monkeypatch):
    monkeypatch.setattr(
        "qstack.hosts.build.medium_of", lambda plan, clock, seed, shot: Faultless(clock, seed, shot, "skip")
    )
    experiment = qstack.load(three(faults=[{"message": "Reply", "action": "drop"}]))
    with pytest.raises(ConfigError, match="loses no messages with midpoints"):
        build(experiment.plan, seed=1)
