"""A circuit as signalling sees it at one node: its path, and the node's place on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qstack.network.requests import Progress
from qstack.services.l3_network import Connect
from qstack.services.strategies import Route


@dataclass(slots=True)
class Entry:
    """A circuit through this node, as signalling sees it.

    Attributes
    ----------
    sessions
        At the ends: for whom, by session; at the head with what each has asked for.
    path, position
        The nodes from head to tail, and where this one stands.
    labels
        Its labels on the links before and behind.
    asked
        When the head began [ps], -1 once the circuit stands.
    rate
        Pairs that the head's router predicts [1/s].
    closing
        Why the circuit ends and the neighbour that has said so, None while it stands.
    next
        At the head: the route that it gives way to.
    progress
        At the head, while it is set up: how far its sessions came on the circuit before it.
    """

    sessions: dict[int, Connect | None]
    path: tuple[int, ...]
    position: int
    labels: tuple[int, int] = (-1, -1)
    asked: int = -1
    rate: float = 0.0
    closing: tuple[int, int] | None = None
    next: Route | None = None
    progress: Mapping[int, Progress] = field(default_factory=dict)

    @property
    def before(self) -> int:
        """The node before this one, -1 at the head."""
        return self.path[self.position - 1] if self.position else -1

    @property
    def behind(self) -> int:
        """The node behind this one, -1 at the tail."""
        return self.path[self.position + 1] if self.position + 1 < len(self.path) else -1

    @property
    def partners(self) -> tuple[int, ...]:
        """Nodes without which the circuit is of no use here: its neighbours, and at an end the other end."""
        ends = (self.path[0], self.path[-1]) if self.before < 0 or self.behind < 0 else ()
        return self.before, self.behind, *ends


def simple(path: tuple[int, ...]) -> bool:
    """Tell whether a path has at least one link and visits no node twice."""
    return len(path) == len(set(path)) > 1


def terms(req: Connect) -> tuple[int, float, int]:
    """Return what sessions that share a circuit have to agree on."""
    return req.kind, req.min_fidelity, req.priority
