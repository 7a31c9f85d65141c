"""A link one end of which is full: the other one stops sending photons that nobody meets, and goes on in time."""

from __future__ import annotations

import pytest

from qstack.core.clock import MILLISECOND, SECOND
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Device, Medium
from qstack.hosts.simulation import Simulation
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.link.room import SILENCE
from qstack.physical.layer import PhysicalLayer
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Outcome
from qstack.services.device import Free
from qstack.services.l2_link import Accepted, Create, Ok
from qstack.services.strategies import Row
from qstack.wire.physical import NO_CLASSICAL_OTHER

DELAY = MILLISECOND // 10
LANES = 2
ROW = Row(0.1, 10e-3, 0.9)
QUIET = int(SILENCE * ROW.seconds_per_pair * SECOND)
"""After so long without a success an end asks [ps]."""


class Pairs:
    """Nodes 1 and 2; node 1 frees its halves at once, node 2 keeps them all."""

    def __init__(self, attempts: str) -> None:
        self.simulation = Simulation()
        self.medium = Medium(self.simulation, 1, attempts=attempts, midpoint=lambda ends: Midpoint(ends, window=1))
        self.told: dict[int, list[Ok]] = {1: [], 2: []}
        for node in (1, 2):
            peer = 3 - node
            feed = lambda noun, now, node=node: self.simulation.nodes[node].feed(noun, now)  # noqa: E731 - two nodes
            self.medium.add_node(node, Device(None), feed)
            link = Link(peer, LANES, 2 * DELAY, (ROW,), master=node == 1, cycle=MILLISECOND)
            layers = (PhysicalLayer({peer: LANES}), LinkLayer({peer: link}))
            user = {Ok: self.take, Accepted: lambda noun, ctx: ()}
            table = self.medium.effects(node, f"node {node}")
            self.simulation.add_node(node, layers, table, lambda a, b: DELAY, user)
        setting = Setting(MILLISECOND, 0.1, (Outcome(1.0, 0, (0.9, 0.9, 0.9)),))
        self.medium.add_link((1, 2), LANES, (setting,), (0, 0), (DELAY, DELAY), "link")

    def take(self, ok, ctx):
        self.told[ctx.node].append(ok)
        return (Free(ok.qubit),) if ctx.node == 1 else ()

    def feed(self, node, noun):
        self.simulation.nodes[node].feed(noun, self.simulation.now)

    def alone(self) -> int:
        return self.medium.links[1, 2].refused.get(NO_CLASSICAL_OTHER, 0)


@pytest.fixture(params=["skip", "each"])
def pairs(request):
    made = Pairs(request.param)
    made.feed(1, Create(peer=2, purpose=3, number=9, min_fidelity=0.8))
    made.simulation.at(20 * SECOND, lambda _: None, None)  # something else goes on
    return made


@pytest.mark.requirement("QS-L2-016", "QS-L2-311")
def test_attempts_rest_while_the_other_end_is_full(pairs):
    run, told = pairs.simulation.run, pairs.told
    run(2 * QUIET)
    assert len(told[1]) == len(told[2]) == LANES
    messages = dict(pairs.simulation.messages)
    if pairs.medium.midpoint:
        before = pairs.alone()
        assert before > 100, "nobody has said anything yet"
    run(10 * SECOND)
    assert len(told[1]) == LANES
    assert pairs.simulation.messages[1] - messages[1] < 10 * SECOND / QUIET + 2
    if pairs.medium.midpoint:
        assert pairs.alone() == before, "no photon for an end that is full"
    pairs.feed(2, Free(told[2][0].qubit))
    run(11 * SECOND)
    assert len(told[1]) == len(told[2]) == LANES + 1, "the memory that was freed has another half"
    for place in range(1, 8):
        pairs.feed(2, Free(told[2][place].qubit))
        run(pairs.simulation.now + SECOND)
    assert len(told[1]) == len(told[2]) == 9
    assert [ok.sequence for ok in told[1]] == [ok.sequence for ok in told[2]]
