"""The fault kit: does to datagrams what a user has ordered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from qstack.plugin.chance import generator
from qstack.plugin.protocols import Fate
from qstack.scenario.faults import ANY, Fault
from qstack.wire.layout import HEADER

Flight = tuple[int, bytes]
"""When a datagram arrives [ps], and its bytes."""


class Rule:
    """One fault, and how often it might have struck.

    Parameters
    ----------
    fault
        What was ordered.
    hop
        Numbers of the sending and of the receiving node; None stands for every node.
    draw
        Random stream of this rule.
    """

    def __init__(self, fault: Fault, hop: tuple[int | None, int | None], draw: np.random.Generator) -> None:
        self.fault = fault
        self.hop = hop
        self.draw = draw
        self.seen = 0
        self.struck = 0

    def strikes(self, kind: str, source: int, target: int) -> bool:
        """Tell whether this datagram is to suffer."""
        fault = self.fault
        here, there = self.hop
        if fault.message not in (ANY, kind) or (here, there) not in {
            (source, target),
            (source, None),
            (None, target),
            (None, None),
        }:
            return False
        self.seen += 1
        if fault.nth is not None:
            hit = self.seen in fault.nth
        else:
            hit = fault.probability is None or self.draw.random() < fault.probability
        self.struck += hit
        return hit

    def suffer(self, flights: Iterable[Flight]) -> list[Flight]:
        """Return what becomes of the copies of a datagram."""
        action, by = self.fault.action, self.fault.by or 0
        if action == "drop":
            return []
        if action == "duplicate":
            return [copy for at, data in flights for copy in ((at, data), (at + by, data))]
        if action == "delay":
            return [(at + by, data) for at, data in flights]
        return [(at, self._corrupted(data)) for at, data in flights]

    def _corrupted(self, data: bytes) -> bytes:
        """Flip one bit behind the header: a stream can still be cut into messages, and the checksum tells."""
        bit = int(self.draw.integers(8 * HEADER, 8 * len(data)))
        changed = bytearray(data)
        changed[bit // 8] ^= 0x80 >> bit % 8
        return bytes(changed)


class Faults:
    """All rules of a run.

    Parameters
    ----------
    faults
        What was ordered.
    names
        Of the nodes, by number.
    seed, shot
        Of the run.
    """

    def __init__(self, faults: Sequence[Fault], names: Sequence[str], seed: int, shot: int) -> None:
        number: dict[str | None, int | None] = {name: i for i, name in enumerate(names)} | {None: None}
        self.rules = [
            Rule(fault, (number[fault.source], number[fault.target]), generator(seed, shot, f"fault {i}"))
            for i, fault in enumerate(faults)
        ]

    def apply(self, kind: str, hop: tuple[int, int], flights: Sequence[Flight]) -> Sequence[Flight]:
        """Return when which copies of a datagram arrive; every rule sees what the rules before it have left."""
        for rule in self.rules:
            if rule.strikes(kind, *hop):
                flights = rule.suffer(flights)
        return flights

    @property
    def at_midpoints(self) -> bool:
        """Whether messages with midpoints are to suffer."""
        return any(rule.fault.with_midpoint for rule in self.rules)

    def fate(self, kind: str, source: int, target: int) -> Fate:
        """Return what happens to a message with a midpoint; the midpoint stands for the node at the other end."""
        struck = [
            rule.fault for rule in self.rules if rule.fault.message == kind and rule.strikes(kind, source, target)
        ]
        return min(((_ORDER[fault.action], fault.by or 0) for fault in struck), default=None)


_ORDER = {"drop": "drop", "corrupt": "drop", "delay": "late", "duplicate": "twice"}
"""What the midpoint's channel makes of an action; where several rules strike, the first in the alphabet counts."""
