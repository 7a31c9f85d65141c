"""Two nodes with physical and link layers only, on the simulated medium: what a link gives its user."""

from __future__ import annotations

from collections import Counter
from typing import Any

from qstack.core.clock import MILLISECOND, SECOND
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Medium
from qstack.hosts.simulation import Simulation
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.link.schedulers import weighted_fair
from qstack.physical.layer import PhysicalLayer
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Outcome
from qstack.services.device import Free
from qstack.services.l2_link import Accepted, Create, Err, Ok
from qstack.services.strategies import Row

DELAY = MILLISECOND // 10
ROW = Row(0.1, 10e-3, 0.9)
PAIR = (0.9, 0.8, 0.9)
"""Correlations of a pair in X, Y and Z."""


class Pairs:
    """Nodes 1 and 2, which free their halves at once; `keeping` does not."""

    def __init__(
        self, attempts: str, *, lanes: int = 4, scheduler: Any = weighted_fair, keeping: int = 0, test_period: int = 0
    ) -> None:
        self.simulation = Simulation()
        self.medium = Medium(self.simulation, 1, attempts=attempts, midpoint=lambda ends: Midpoint(ends, window=1))
        self.keeping = keeping
        self.told: dict[int, list[tuple[int, Any]]] = {1: [], 2: []}
        for node in (1, 2):
            peer = 3 - node
            self.medium.add_node(node, Device(None), lambda noun, now, node=node: self.feed(node, noun))
            link = Link(peer, lanes, 2 * DELAY, (ROW,), master=node == 1, cycle=MILLISECOND)
            layers = (PhysicalLayer({peer: lanes}), LinkLayer({peer: link}, scheduler, None, test_period))
            user = dict.fromkeys((Ok, Err, Accepted), self.take)
            table = self.medium.effects(node, f"node {node}")
            self.simulation.add_node(node, layers, table, lambda a, b: DELAY, user)
        setting = Setting(MILLISECOND, 0.1, (Outcome(1.0, 0, PAIR),))
        self.medium.add_link((1, 2), lanes, (setting,), (0, 0), (DELAY, DELAY), "link")

    def take(self, noun, ctx):
        self.told[ctx.node].append((ctx.now, noun))
        frees = isinstance(noun, Ok) and noun.qubit >= 0 and ctx.node != self.keeping
        return (Free(noun.qubit),) if frees else ()

    def feed(self, node, noun):
        self.simulation.nodes[node].feed(noun, self.simulation.now)

    def ask(self, node: int, purpose: int, number: int, **fields: Any) -> None:
        self.feed(node, Create(peer=3 - node, purpose=purpose, number=number, min_fidelity=0.8, **fields))

    def run(self, seconds: float) -> Pairs:
        self.simulation.run(self.simulation.now + int(seconds * SECOND))
        return self

    def of(self, kind: type, node: int = 1) -> list[Any]:
        return [noun for _, noun in self.told[node] if isinstance(noun, kind)]

    def times(self, purpose: int, node: int = 1) -> list[int]:
        return [at for at, noun in self.told[node] if isinstance(noun, Ok) and noun.purpose == purpose]

    def counts(self, node: int = 1) -> Counter[int]:
        return Counter(ok.purpose for ok in self.of(Ok, node))

    @property
    def held(self) -> int:
        return sum(len(qubits) for qubits in self.medium.qubits.values())
