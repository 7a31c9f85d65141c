"""Where a judged layer stands: a chain of three nodes whose numbers, lanes and tables are the same for everybody."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from qstack.conformance.transcript import Transcript
from qstack.core.layer import Layer
from qstack.plugin.sites import Neighbour, NetworkView, Site
from qstack.services.strategies import Edge, Row

Make: TypeAlias = Callable[[Site], Layer | tuple[Layer, ...]]
"""What a vendor gives: a layer, or several that belong together, for the place where they stand."""

NODES = 3
LANES = 2
DELAY = 1_000_000
ROUND_TRIP = 2 * DELAY
PERIOD = 100_000
"""Time between two attempts of a lane [ps]."""
ROWS = (Row(0.1, 2e-3, 0.9), Row(0.3, 1e-3, 0.7))
"""A good setting and a fast one."""
FAST, GOOD = 1, 0


def kept(age: int) -> float:
    """Return what is left of a pair after one half has waited [ps]."""
    return float(0.5 ** (age / 1e12))


def site(number: int) -> Site:
    """Return the place of a node in the chain 0 - 1 - 2."""
    names = tuple(f"n{node}" for node in range(NODES))
    edges = tuple(Edge(node, node + 1, ROWS, LANES, DELAY) for node in range(NODES - 1))
    view = NetworkView(names, edges, (0.98,) * NODES, (kept,) * NODES)
    neighbours = {
        peer: Neighbour(peer, LANES, DELAY, ROWS, PERIOD) for peer in (number - 1, number + 1) if 0 <= peer < NODES
    }
    return Site(number, names[number], neighbours, kept, view.swap_factors[number], view)


def layers(make: Make, number: int) -> tuple[Layer, ...]:
    """Return the subject's layers for a node."""
    made = make(site(number))
    return made if isinstance(made, tuple) else (made,)


def talk(make: Make, number: int, peer: int) -> Transcript:
    """Begin a dialogue with the subject at a node; messages come from a neighbour."""
    return Transcript(*layers(make, number), node=number).from_(peer)


def expect(t: Transcript, holds: bool, missing: str) -> None:  # noqa: FBT001 - reads as a sentence: expect(t, condition, words)
    """Show the dialogue if something does not hold.

    Raises
    ------
    TranscriptError
        If it does not.
    """
    if not holds:
        raise t.mismatch(f"- {missing}")
