"""What factories are told: the place of a layer, the end of a flow, the network as a router sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeVar

from qstack.services.strategies import Edge, Row, Storage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NetworkView:
    """A network as a router sees it.

    Parameters
    ----------
    names
        Of the nodes, by number.
    edges
        All links.
    swap_factors
        Factor on the Werner parameter of a swap, by node [1].
    storage
        Factor on the Werner parameter after one half has waited, by node.
    cutoff
        How long a half may wait at an intermediate node [ps]; 0 for ever.
    swap_success
        Probability that a swap has an outcome, by node; empty if all have [1].
    """

    names: tuple[str, ...]
    edges: tuple[Edge, ...]
    swap_factors: tuple[float, ...]
    storage: tuple[Storage, ...]
    cutoff: int = 0
    swap_success: tuple[float, ...] = ()

    def succeeds(self, path: Sequence[int]) -> float:
        """Return the probability that all swaps along a path have an outcome [1]."""
        return prod(self.swap_success[node] for node in path[1:-1]) if self.swap_success else 1.0

    def walk(self, path: Sequence[int], most: int = 12) -> str:
        """Return a path in words; of a long one the two ends and how many nodes lie between."""
        names = [self.names[node] for node in path]
        if len(names) > most:
            names[3:-3] = [f"({len(names) - 6} more)"]
        return " - ".join(names)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a node knows of a link of its own; `delay` and `period` (between attempts of a lane) in [ps]."""

    number: int
    lanes: int
    delay: int
    rows: tuple[Row, ...]
    period: int


@dataclass(frozen=True, slots=True)
class FlowEnd:
    """One end of a flow, as its application is told.

    Parameters
    ----------
    flow
        Number of the flow; also the number of its session.
    initiator
        Whether this end asks.
    peer
        The other end.
    min_fidelity
        Promise asked for.
    number
        Pairs wanted; 0 without end.
    priority
        0 to 7; its links serve a higher one earlier, or more often.
    rate
        Most pairs in a second [1/s]; 0 unlimited.
    """

    flow: int
    initiator: bool
    peer: int
    min_fidelity: float
    number: int
    priority: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where a layer will stand.

    Parameters
    ----------
    number, name
        Of the node.
    neighbours
        By number.
    storage
        What the node knows of its memories.
    swap_factor
        Factor on the Werner parameter of one of its swaps [1].
    view
        The network as a router sees it.
    gate_noise, readout_error
        Of the node's two-qubit gates and of its bits, as on its data sheet [1].
    applications
        Ends of flows at this node, built.
    shared
        Things that all nodes share, by name; see `once`.
    """

    number: int
    name: str
    neighbours: Mapping[int, Neighbour]
    storage: Storage
    swap_factor: float
    view: NetworkView
    gate_noise: float = 0.0
    readout_error: float = 0.0
    applications: tuple[Any, ...] = ()
    shared: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what the first node to ask has made: a router is the same object at every node."""
        if name not in self.shared:
            self.shared[name] = make()
        found: T = self.shared[name]
        return found
