"""What signalling asks of forwarding, and the waits that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError
from qstack.core.nouns import Request, noun
from qstack.services.l3_network import Connect
from qstack.wire.network import KEEP

SLOWEST = 1e-3
"""Least rate of a request [pairs/s]."""
LONGEST = 1 << 62
"""A wait that fits into a message [ps]."""


@noun
class Install(Request):
    """Signalling tells forwarding of a circuit through this node.

    Parameters
    ----------
    circuit, session
        Which one, and for whom.
    position, path
        Where this node stands on the path.
    labels
        Purpose ids of the circuit on the link before and behind this node; -1 where there is none.
    fidelity
        Least fidelity asked of the link behind this node.
    cutoff
        How long a half may wait here [ps]; 0 for ever.
    priority
        What the link behind this node is asked with.
    moved
        Sessions that had another circuit before: their users have heard that they are connected.
    """

    circuit: int
    session: int
    position: int
    path: tuple[int, ...]
    labels: tuple[int, int]
    fidelity: float
    cutoff: int
    priority: int = 0
    moved: tuple[int, ...] = ()


@noun
class Uninstall(Request):
    """Signalling tells forwarding to forget a circuit and to free all that it holds.

    Parameters
    ----------
    circuit
        Which one.
    reason
        Why it has failed: what was said on its path may not have arrived.  0 if it has not.
    """

    circuit: int
    reason: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session has come: pairs asked for, pairs handed up, and those between as (number, asked at [ps])."""

    started: int
    delivered: int
    wanted: tuple[tuple[int, int], ...]


@noun
class Activate(Request):
    """Signalling tells the head to make pairs for one more request; number 0 means without end.

    Parameters
    ----------
    circuit, session
        For which circuit and session.
    number
        Pairs wanted.
    kind, basis
        As in `qstack.services.l3_network.Connect`.
    rate
        Most pairs to ask for in a second [1/s]; 0 unlimited.
    progress
        How far the session came on another circuit; None for a new one.
    """

    circuit: int
    number: int
    session: int
    kind: int = KEEP
    basis: int = 0
    rate: float = 0.0
    progress: Progress | None = None


@noun
class Deactivate(Request):
    """Signalling tells an end that one of several sessions on a circuit has ended."""

    circuit: int
    session: int


def activate(circuit: int, req: Connect, progress: Progress | None = None) -> Activate:
    """Return what a session asks of the head of a circuit."""
    return Activate(circuit, req.number, req.session, req.kind, req.basis, req.rate, progress)


def longest_wait(times: float, rate: float) -> int:
    """Return how long a half may wait where there is no cutoff [ps]; 0 for ever (QS-L3-201).

    Parameters
    ----------
    times
        For how many mean times between pairs.
    rate
        Pairs that the route is expected to give [1/s]; one where the router does not predict it.
    """
    if not times:
        return 0
    pause = 1 / rate if 0 < rate < inf else 1.0
    return max(1, int(min(LONGEST, times * pause * SECOND)))


def pause_of(rate: float) -> int:
    """Return the least time between two pairs of a request [ps]; 0 where it has no rate.

    Raises
    ------
    LocalProtocolError
        If the rate is neither 0 nor one that a message can carry, which counts thousandths of a pair per second.
    """
    if rate and not rate >= SLOWEST:
        raise LocalProtocolError(f"a rate of {rate:g} pairs/s: expected 0 (no limit) or at least {SLOWEST:g}")
    return round(SECOND / rate) if rate else 0
