"""A correct layer that is built otherwise passes too: the suite forbids what its texts forbid and nothing more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qstack
from qstack import api
from qstack.conformance import profiles
from qstack.conformance.judge import judge
from qstack.conformance.specification import load

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "table-link"


@pytest.mark.requirement("QS-CF-007")
def test_it_passes_and_claims_no_more_than_it_has():
    subject = profiles.find(api.manager(EXAMPLE), "table", "link")
    verdicts = judge(subject.profile.suite, subject.make, load(ROOT / "specs"))
    assert {v.id: v.detail for v in verdicts if v.verdict == "fail"} == {}
    assert {v.detail for v in verdicts if v.verdict == "unsupported"} <= {
        "deadlines",
        "atomic requests",
        "pairs of type M",
        "pairs of type R",
        "requests that leave the queue id open",
        "purposes that a node was told to accept",
        "advertisements of memories",
        "losses of stored halves",
        "shares in proportion ([250, 250] of 500 pairs for priorities [0, 2])",
    }
    assert sum(v.verdict == "pass" for v in verdicts) >= 40


def test_it_shares_nothing_with_the_reference():
    for file in EXAMPLE.glob("*.py"):
        source = file.read_text()
        assert re.findall(r"qstack\.link\b", source) == []
        assert not re.search(r"^from qstack\.(link|physical|network)", source, re.MULTILINE)


@pytest.mark.requirement("QS-PL-014")
@pytest.mark.parametrize("channel", ["ideal", {"use": "lossy", "loss": "10 %"}])
def test_it_delivers_between_nodes_of_itself(channel):
    plain = qstack.load(EXAMPLE / "table.yaml").run()
    assert [flow.delivered for flow in plain.flows] == [50, 50]
    changed = qstack.load(EXAMPLE / "table.yaml", settings=[f"network.channel={_text(channel)}"]).run()
    assert [flow.delivered for flow in changed.flows] == [50, 50]


def _text(channel):
    if isinstance(channel, str):
        return channel
    return "{" + ", ".join(f"{key}: {value}" for key, value in channel.items()) + "}"
