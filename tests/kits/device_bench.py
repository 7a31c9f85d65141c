"""Nodes without layers, joined in a row: device requests in, indications out."""

from __future__ import annotations

from qstack.core.clock import MICROSECOND
from qstack.core.layer import Context
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Medium
from qstack.hosts.simulation import Simulation
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Outcome
from qstack.services.device import Free, Herald, Trigger

PERIOD = 10 * MICROSECOND
GOOD = (Outcome(1.0, 0, (1.0, 1.0, 1.0)),)
MODES = ("skip", "each")


class Bench:
    """Two or three nodes without layers: device requests in, indications out."""

    def __init__(
        self,
        attempts: str,
        settings: tuple[Setting, ...] = (Setting(PERIOD, 0.1, GOOD),),
        *,
        lanes: int = 1,
        emit: tuple[int, int] = (0, 0),
        reply: tuple[int, int] = (MICROSECOND, MICROSECOND),
        device: Device | None = None,
        nodes: int = 2,
        seed: int = 1,
    ) -> None:
        self.clock = Simulation()
        self.medium = Medium(self.clock, seed, attempts=attempts, midpoint=lambda ends: Midpoint(ends, window=1))
        self.heard: list[tuple[int, int, object]] = []
        self.react = lambda node, noun: ()
        self.tables = {}
        self.context = Context(0)
        for node in range(nodes):
            self.medium.add_node(node, device or Device(None), lambda noun, now, node=node: self.hear(node, noun, now))
            self.tables[node] = self.medium.effects(node, f"node {node}")
        for node in range(nodes - 1):
            self.medium.add_link((node, node + 1), lanes, settings, emit, reply, f"link {node}")

    def hear(self, node: int, noun: object, now: int) -> None:
        assert now == self.clock.now
        self.heard.append((node, now, noun))
        for request in self.react(node, noun):
            self.do(node, request)

    def do(self, node: int, request) -> list:
        self.context.now = self.clock.now
        return list(self.tables[node][type(request)](request, self.context))

    def both(self, aid: int, *, keep: bool = True, bases: tuple[int, ...] = (), row: int = 0, lane: int = 0) -> None:
        for node in (0, 1):
            self.do(node, Trigger(1 - node, lane, aid, row, keep, bases))

    def heralds(self, node: int = 0) -> list[tuple[int, Herald]]:
        return [(now, noun) for n, now, noun in self.heard if n == node and isinstance(noun, Herald)]


def free_at_once(node: int, noun: object) -> tuple[Free, ...]:
    return (Free(noun.qubit),) if isinstance(noun, Herald) and noun.qubit >= 0 else ()
