"""A process that is killed: noticed by its neighbours, told to both ends, recovered from when it comes back."""

from __future__ import annotations

import pytest

pytest.importorskip("cryptography")
from processes import NODES, consumed

pytestmark = pytest.mark.slow
DELIVERED = {"flow": 0, "reason": 0}
LOST_PEER = 20


@pytest.mark.parametrize("victim", NODES)
def test_a_killed_process_is_noticed_told_and_recovered_from(victim, network):
    net = network(number=150)
    net.start("laboratory", *NODES)
    witnesses = [name for name in ("n0", "n2") if name != victim]
    for name in witnesses:
        net.wait(name, "Consumed", 20)
    net.kill(victim)
    for name in witnesses:
        net.wait(name, "Finished", flow=0, reason=LOST_PEER)
    if victim != "n1":
        net.wait("n1", "lost", peer=victim)
    net.start(victim)
    again = max((net.wait(name, "Finished", flow=0, reason=LOST_PEER)["time_ps"] for name in witnesses), key=int)
    for name in ("n0", "n2"):
        net.wait(name, "Finished", **DELIVERED)
    head, tail = consumed(net, "n0", again), consumed(net, "n2", again)
    if victim != "n2":
        assert len(head) >= 150
    both = head.keys() & tail.keys()
    assert len(both) > 60
    assert {pair: head[pair] for pair in both} == {pair: tail[pair] for pair in both}
    assert set(net.stop().values()) == {0}
