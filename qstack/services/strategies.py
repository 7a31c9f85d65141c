"""Protocols of strategies: plain data in, plain data out, no state between calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a link's table: what a setting of the hardware gives.

    Parameters
    ----------
    parameter
        The setting, such as a bright-state population [1].
    seconds_per_pair
        Mean time per pair and lane [s].
    fidelity
        Fidelity at emission.
    """

    parameter: float
    seconds_per_pair: float
    fidelity: float


def best_row(rows: Sequence[Row], min_fidelity: float) -> int | None:
    """Return the fastest row that reaches a fidelity, or None (QS-L2-022).

    The fidelity estimation unit of a link is this function over its table.
    """
    fitting = [i for i, row in enumerate(rows) if row.fidelity >= min_fidelity]
    return min(fitting, key=lambda i: rows[i].seconds_per_pair, default=None)


class Storage(Protocol):
    """What a layer knows of its own memories: how much of a pair survives one half's waiting."""

    def __call__(self, age: int, /) -> float:
        """Return the factor on the Werner parameter after `age` [ps]."""
        ...


class CutoffPolicy(Protocol):
    """Decides how long a half may wait at an intermediate node."""

    def __call__(self, storage: Sequence[Storage]) -> int:
        """Return the cutoff for a network whose nodes store like this [ps]; 0 for ever."""
        ...


class SwapPolicy(Protocol):
    """Chooses the partner of a new pair among those that wait on the other side."""

    def __call__(self, waiting: int) -> int:
        """Return the index of the partner, given how many wait (at least one), the oldest at 0."""
        ...


class QueueItem(Protocol):
    """What a scheduler may see of a request in the link's queue."""

    @property
    def purpose(self) -> int:
        """Label of the request."""
        ...

    @property
    def priority(self) -> int:
        """0 to 7."""
        ...


class Scheduler(Protocol):
    """Chooses which request a lane serves next; both ends must choose alike.

    Only agreed knowledge may enter: the ready requests in queue order, the lane, and the number of the last success
    on it.  Nothing is remembered between calls, so the two ends cannot drift apart.
    """

    def __call__(self, ready: Sequence[QueueItem], turn: int) -> int:
        """Return the index of the chosen request.

        Parameters
        ----------
        ready
            Ready requests, the oldest of each purpose, in queue order; never empty.
        turn
            Sequence number of the lane's last success; before the first one the number of the lane.
        """
        ...


@dataclass(frozen=True, slots=True)
class Edge:
    """What a router knows of one link; `windows` says from when to when it is up [ps], nothing for one that always is."""

    a: int
    b: int
    rows: tuple[Row, ...]
    lanes: int
    delay: int
    windows: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A path and what is asked of it.

    Parameters
    ----------
    path
        Node numbers from source to destination.
    fidelities
        Least fidelity for each link.
    expected
        Predicted mean fidelity of the delivered pairs.
    rate
        Predicted rate [pairs/s]; infinite where a router does not predict it.
    """

    path: tuple[int, ...]
    fidelities: tuple[float, ...]
    expected: float
    rate: float = float("inf")


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Why there is no route, in words a user can act on; `path` is the best there is, if there is one at all."""

    why: str
    path: tuple[int, ...] = ()


class Timetable(Protocol):
    """Knows when links come and go, as an orbit tells it, and the ways around those that are down."""

    def falls(self, path: tuple[int, ...], now: int) -> int:
        """Return when next a link of a path goes down [ps]; -1 if none does."""
        ...

    def around(self, path: tuple[int, ...], min_fidelity: float, now: int) -> Route | NoRoute:
        """Return a route between the ends of a path over links that are up now, or why there is none."""
        ...


class Router(Protocol):
    """Finds a path that reaches a fidelity; deterministic, simple paths only (QS-L3-020)."""

    def __call__(self, source: int, target: int, min_fidelity: float) -> Route | NoRoute:
        """Return the route, or why there is none."""
        ...
