"""A correct network layer that is built otherwise passes too: the suite forbids what its texts forbid and nothing more."""

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
EXAMPLE = ROOT / "examples" / "ledger-network"


@pytest.mark.requirement("QS-CF-007")
def test_it_passes_and_claims_no_more_than_it_has():
    subject = profiles.find(api.manager(EXAMPLE), "ledger", "network")
    verdicts = judge(subject.profile.suite, subject.make, load(ROOT / "specs"))
    assert {v.id: v.detail for v in verdicts if v.verdict == "fail"} == {}
    assert {v.detail for v in verdicts if v.verdict == "unsupported"} <= {
        "sessions of other kinds than KEEP",
        "test rounds of circuits",
    }
    assert sum(v.verdict == "pass" for v in verdicts) >= 55


def test_it_shares_nothing_with_the_reference():
    for file in EXAMPLE.glob("*.py"):
        assert not re.search(r"^from qstack\.(link|physical|network|routing)", file.read_text(), re.MULTILINE)


@pytest.mark.parametrize("settings", [[], ["network.channel={use: lossy, loss: 10 %}"], ["stack.network=reference"]])
def test_it_delivers_between_nodes_of_itself(settings):
    run = qstack.load(EXAMPLE / "ledger.yaml", settings=settings).run()
    assert [flow.delivered for flow in run.flows] == [50, 50]
    assert min(min(flow.fidelities) for flow in run.flows) > 0.7
