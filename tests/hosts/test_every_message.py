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
from qstack.wire.physical import NO_CLASSICAL_OTHER, OUT_OF_WINDOW

ACTIONS = [
    {"action": "drop"},
    {"action": "duplicate", "by": "3 ms"},
    {"action": "delay", "by": "5 ms"},  # longer than a datagram waits for its answer, so that others overtake it
    {"action": "corrupt"},
]
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

FAINT = {"node": "n2", "use": {"like": "textbook", "interface": {"probability": 2.5e-4}}}
FULL: dict[str, Any] = {
    "network": {
        "nodes": ["n0", "n1", "n2"],
        "links": [{"a": "n0", "b": "n1", "length": "20 km"}, {"a": "n2", "b": "n1", "length": "20 km"}],
        "hardware": {"all": "textbook", "at": [FAINT]},
    },
    "stack": {"network": {"cutoff": "never", "give_way": 0}},
    "flow": {"min_fidelity": 0.3, "number": 10},
}
"""Halves wait for those of a link four hundred times slower, until no memory is left at either end of the fast one."""

PLAIN: dict[str, Any] = {}
EACH = {"run": {"attempts": "each"}}
CASES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("Add", "AddAck", "Drop", "DropAck", "SetupReq", "SetupRsp", "Forward"), PLAIN),
    **dict.fromkeys(("Track", "Expire", "Complete", "Teardown", "ChannelAck", "Reply"), PLAIN),
    "Gen": EACH,
    **{key: {"faults": [DEAF]} for key in ("LinkExpire", "LinkExpireAck")},
    **dict.fromkeys(("MemReq", "MemAck"), FULL),
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
    "Loss": {"app": "teleport", "faults": [CUT], "reasons": {"pairs": Reason.LOST_PEER}},
    "Steer": {"app": "rsp"},
    "Played": {"app": "chsh", "run": {"tier": "exact"}},
}
"""What has to be done, beside the usual three nodes, for a kind of message to be sent; and how flows that fail end."""

ELSEWHERE = {"Hello": "its sources name no sender: KEEPALIVE does its work"}
"""Messages that no scenario sends, and why."""


def dressed(kind, action, three):
    case = CASES[kind]
    data = three(run={"until": "20 s", "seed": 3, **case.get("run", {})})
    data["stack"] = {"network": {"cutoff": "6 ms"}, **case.get("stack", {})}
    data["network"] |= case.get("network", {})
    if "links" in data["network"]:
        del data["network"]["chain"]
    data["flows"][0] |= {"app": case.get("app", "pairs"), "start": case.get("start", "0 s"), **case.get("flow", {})}
    data["flows"] += case.get("flows", [])
    data["faults"] = [*case.get("faults", []), {"message": kind, "nth": 1, **action}]
    return data


def everything():
    for kind in CASES:
        for action in ACTIONS:
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
    told = [line[5] for lines in ran.lines.values() for line in lines if line[4] == "Lost"]
    lost = {fields["pair"] if "pair" in fields else fields["sequence"] for fields in told}
    for flow, record in zip(data["flows"], ran.network.recorder.flows, strict=True):
        assert record.half.keys() <= lost, "consumed at one end only, and nobody was told"
        reason = reasons.get(flow["name"])
        if reason:
            assert list(record.finished.values()) == [reason, reason]
        else:
            assert not record.half
            assert len(record.pairs) == flow["number"]
            assert len(record.finished) == 2


@pytest.mark.requirement("QS-L2-312", "QS-L2-313")
@pytest.mark.parametrize("kinds", [("MemReq",), ("MemAck",), ("MemReq", "MemAck")], ids="-".join)
@pytest.mark.parametrize(
    "action", [*ACTIONS, {"action": "delay", "by": "700 ms"}], ids=lambda a: f"{a['action']}-{a.get('by', '')}"
)
def test_no_pair_waits_for_a_word_about_memories(kinds, action, three, run):
    """Of which every one is lost, doubled, broken, or so late that others have overtaken it."""
    data = dressed("MemReq", action, three) | {"faults": [{"message": kind, **action} for kind in kinds]}
    ran = run(data)
    assert ran.delivered == 10
    assert ran.held == 0
    assert not ran.kept


@pytest.mark.requirement("QS-L1-018", "QS-L1-020")
@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ("drop", NO_CLASSICAL_OTHER),
        ("corrupt", NO_CLASSICAL_OTHER),
        ("delay", OUT_OF_WINDOW),
        ("duplicate", None),
    ],
)
def test_what_the_midpoint_says_of_a_gen(action, refused, three, run):
    """The other end was alone; the one that came late is told so too; and a second GEN is none."""
    rule = {"message": "Gen", "from": "n1", "to": "n0", "action": action}
    if action == "delay":
        rule["by"] = "1 ms"
    data = three(faults=[rule], run={"until": "100 ms", "seed": 3, "attempts": "each"})
    ran, calm = run(data, settle=0), run(data | {"faults": []}, settle=0)
    link = ran.network.medium.links[0, 1]
    if refused is None:
        assert ran.lines == calm.lines
        return
    assert link.successes == 0
    assert link.refused[NO_CLASSICAL_OTHER] > 50
    assert link.refused.get(OUT_OF_WINDOW, 0) == (link.refused[NO_CLASSICAL_OTHER] if refused == OUT_OF_WINDOW else 0)
    assert ran.network.medium.links[1, 2].successes > 0


@pytest.mark.requirement("QS-L1-022")
@pytest.mark.parametrize("attempts", ["skip", "each"])
def test_a_second_reply_is_ignored(attempts, three, run):
    rule = {"message": "Reply", "action": "duplicate", "by": "1 ms"}
    data = three(faults=[rule], run={"until": "20 s", "seed": 3, "attempts": attempts})
    ran = run(data)
    assert ran.delivered == 30
    told, heard = ran.count("up", "Heralded"), ran.count("up", "Herald")
    assert heard == 2 * told
    assert ran.held == 0
    assert not ran.kept


@pytest.mark.parametrize("attempts", ["skip", "each"])
@pytest.mark.parametrize("by", ["10 us", "3 ms", "500 ms"])
def test_a_reply_that_is_late_is_one_that_is_lost(by, attempts, three, run):
    rule = {"message": "Reply", "from": "n1", "to": "n0", "nth": [2, 5], "action": "delay", "by": by}
    ran = run(three(faults=[rule], run={"until": "20 s", "seed": 3, "attempts": attempts}))
    assert ran.delivered == 30
    skipped = [line[5] for line in ran.lines["n0"] if line[4] == "Skipped"]
    assert [(fields["low"], fields["high"]) for fields in skipped] == [(1, 2), (4, 5)]
    assert ran.held == 0
    assert not ran.kept


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
