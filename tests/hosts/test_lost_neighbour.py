"""A hop that is cut for good while a flow is running, in virtual time: both ends are told, nothing is left behind."""

from __future__ import annotations

import pytest

from qstack.services.reasons import Reason


@pytest.mark.parametrize("cut", [("n0", "n1"), ("n1", "n0"), ("n1", "n2"), ("n2", "n1")])
def test_a_cut_hop_is_noticed_and_both_ends_are_told(cut, three, run):
    source, target = cut
    faults = [{"from": source, "to": target, "nth": list(range(30, 3000)), "action": "drop"}]
    data = three(faults=faults, run__until="20 s")
    data["flows"][0]["number"] = 1000
    ran = run(data)
    assert 0 < ran.delivered < 1000
    assert ran.network.carriage.counts["lost sight of"] > 0
    finished = ran.network.recorder.flows[0].finished
    assert finished == {0: Reason.LOST_PEER, 2: Reason.LOST_PEER}
    assert ran.held == 0
    head, tail = ran.consumed("n0"), ran.consumed("n2")
    both = head.keys() & tail.keys()
    assert {pair: head[pair] for pair in both} == {pair: tail[pair] for pair in both}
