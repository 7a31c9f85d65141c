"""What a path can give: fidelity budget and predicted rate.

The budget divides a wanted fidelity over the links of a path: every link has to reach the same Werner parameter w with
``w**n * (swaps) * (waiting) >= (4F - 1) / 3``.  Waiting is estimated: at a repeater, the pair of the faster link waits
for the slower one, one mean time between its pairs and at most the cutoff.  With a cutoff, a pair finds its partner in
time with probability ``1 - exp(-rate * cutoff)``.  These are estimates of a continuous run, not bounds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from math import expm1

from qstack.plugin.sites import NetworkView
from qstack.services.strategies import Edge, NoRoute, Route, Row, best_row

Links = Mapping[tuple[int, int], Edge]

ROUNDS = 64
"""Most times the need is raised; every round excludes at least one setting of one link, and few are ever needed."""


def links_of(view: NetworkView) -> dict[tuple[int, int], Edge]:
    """Return every link by its ends, in both directions."""
    return {ends: edge for edge in view.edges for ends in ((edge.a, edge.b), (edge.b, edge.a))}


def evaluate(view: NetworkView, links: Links, path: Sequence[int], least: float) -> Route | None:
    """Return what a path gives when every link serves at its fastest setting of a least fidelity.

    Parameters
    ----------
    view
        The network.
    links
        From `links_of`.
    path
        Node numbers.
    least
        Least fidelity of every link.

    Returns
    -------
    Route or None
        With predicted mean fidelity and rate [pairs/s]; None if a link cannot reach the fidelity.
    """
    steps = [links[step] for step in itertools.pairwise(path)]
    rows: list[Row] = []
    for edge in steps:
        best = best_row(edge.rows, least)
        if best is None:
            return None
        rows.append(edge.rows[best])
    rates = [edge.lanes / row.seconds_per_pair for edge, row in zip(steps, rows, strict=True)]
    werner = 1.0
    for row in rows:
        werner *= (4 * row.fidelity - 1) / 3
    werner *= _waiting(view, path, steps, rates)
    rate = min(rates)
    if view.cutoff:
        for left, right in itertools.pairwise(rates):
            rate *= -expm1(-min(left, right) * view.cutoff * 1e-12)
    return Route(tuple(path), (least,) * len(steps), (1 + 3 * werner) / 4, rate)


def _waiting(view: NetworkView, path: Sequence[int], steps: Sequence[Edge], rates: Sequence[float]) -> float:
    """Return the factor on the Werner parameter of swaps, waiting and tracking along a path."""
    factor = 1.0
    for node, left, right in zip(path[1:-1], rates, rates[1:], strict=False):
        wait = round(min(1e12 / min(left, right), view.cutoff or float("inf"), 1e18))
        factor *= view.swap_factors[node] * view.storage[node](wait)
    tracking = sum(edge.delay for edge in steps)
    return factor * view.storage[path[0]](tracking) * view.storage[path[-1]](tracking)


def required(view: NetworkView, links: Links, path: Sequence[int], wanted: float, least: float) -> float:
    """Return the fidelity that every link of a path must reach, given that all run at settings of a least one.

    Above 1 if no link fidelity suffices.
    """
    steps = [links[step] for step in itertools.pairwise(path)]
    rows = [edge.rows[best_row(edge.rows, least) or 0] for edge in steps]
    rates = [edge.lanes / row.seconds_per_pair for edge, row in zip(steps, rows, strict=True)]
    kept = _waiting(view, path, steps, rates)
    share = (4 * wanted - 1) / 3
    if share <= 0:
        return 0.0
    return (1 + 3 * (share / kept) ** (1 / len(steps))) / 4 if kept > 0 else 2.0


def settle(
    view: NetworkView, links: Links, find: Callable[[float], Sequence[int]], wanted: float
) -> Route | NoRoute | None:
    """Return the first path that satisfies its own need; None if there is no path at all.

    What a path needs of its links depends on the path, and the path on the links that are good enough.  The need starts
    at zero; a path is found at that need; if the path itself needs more, the need is raised to that and the search
    repeats.  The need only grows, so the search ends.

    Parameters
    ----------
    view, links
        The network, and `links_of` it.
    find
        Returns the best path over links that reach a fidelity, or an empty one.
    wanted
        Fidelity of the delivered pairs.
    """
    need = 0.0
    last: Sequence[int] = ()
    for _ in range(ROUNDS):
        path = find(need)
        if not path:
            break
        last = path
        least = required(view, links, path, wanted, need)
        route = evaluate(view, links, path, max(need, least)) if least <= 1 else None
        if route is not None and route.expected >= wanted - 1e-9:
            return route
        if least <= need or least > 1:
            break
        need = least
    return refuse(view, links, last, wanted) if last else None


def refuse(view: NetworkView, links: Links, path: Sequence[int], wanted: float) -> NoRoute:
    """Return the refusal for a path that cannot reach a fidelity, with what it can reach."""
    best = max((row.fidelity for step in itertools.pairwise(path) for row in links[step].rows), default=0.0)
    levels = sorted({row.fidelity for step in itertools.pairwise(path) for row in links[step].rows})
    found = [route for level in levels if (route := evaluate(view, links, path, level)) is not None]
    slack = evaluate(view, links, path, 0.0)
    reach = max((route.expected for route in (*found, *((slack,) if slack else ()))), default=best)
    walk = " - ".join(view.names[node] for node in path)
    return NoRoute(f"fidelity {wanted:g} is out of reach over {walk}: about {reach:.3f} can be expected.", tuple(path))
