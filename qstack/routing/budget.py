"""What a path can give: fidelity budget and predicted rate.

The budget divides a wanted fidelity over the links of a path: every link has to reach the same Werner parameter w with
``w**n * (swaps) * (waiting) >= (4F - 1) / 3``.

Waiting is estimated node by node.  At a repeater, the pairs of two links wait for each other; how many more have come
from one side than from the other is a birth-and-death process, because what waits occupies its lane: with m lanes a
side, of which k hold waiting pairs, m - k of them attempt.  Its stationary state gives the rate of meetings, and by
Little's law the mean wait; a cutoff takes the oldest away.  Both halves of a waiting pair age.  Along a path, nodes are
not independent.  Three rules stand for that, taken from simulated chains of 2 to 8 links.  The rate is that of the
slowest link, slowed down by its meeting with the next slower one, that one's with the third, and so on, wherever they
stand.  The meeting that slows most counts in full, each further one half as much as the one before.  The longest wait
counts in full towards the fidelity, the others with 0.7.

These are estimates of a continuous run of one flow alone, not bounds: `tests/unit/routing/test_budget.py` holds how
far off they may be.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import expm1, prod

from qstack.plugin.sites import NetworkView
from qstack.services.strategies import Edge, NoRoute, Route, Row, best_row

FURTHER_RATE = 0.5
FURTHER_WAIT = 0.7
"""How much the second meeting on a path counts, compared with the worst one: see above."""

LARGE = 1e200
"""Weights of a chain's states beyond this are made smaller, all alike: thousands of lanes beside a slow link are many."""

Links = Mapping[tuple[int, int], Edge]

ROUNDS = 64
"""Most times the need is raised; every round excludes at least one setting of one link, and few are ever needed."""


def links_of(view: NetworkView) -> dict[tuple[int, int], Edge]:
    """Return every link by its ends, in both directions."""
    return {ends: edge for edge in view.edges for ends in ((edge.a, edge.b), (edge.b, edge.a))}


@dataclass(frozen=True, slots=True)
class Meeting:
    """How the pairs of two links meet at a repeater.

    Parameters
    ----------
    rate
        Of meetings if no pair is ever given up [1/s].
    wait
        Mean time that the earlier of two pairs that meet has waited [s].
    kept
        Factor on the rate by a cutoff.
    """

    rate: float
    wait: float
    kept: float


@lru_cache(maxsize=1024)
def meeting(left: float, lanes_left: int, right: float, lanes_right: int, cutoff: float) -> Meeting:
    """Return how the pairs of two links meet.

    Parameters
    ----------
    left, right
        Pairs per second of one lane of either link.
    lanes_left, lanes_right
        How many lanes they have.
    cutoff
        How long a pair may wait [s]; 0 for ever.
    """
    sides = ((left, lanes_left, right * lanes_right), (right, lanes_right, left * lanes_left))
    rate, waiting = _stationary(sides, (0.0, 0.0))
    wait = waiting / rate
    if not cutoff:
        return Meeting(rate, wait, 1.0)
    # The oldest is given up before its partner comes with probability exp(-partners * cutoff).
    lost = tuple(partners / expm1(min(700.0, partners * cutoff)) for _, _, partners in sides)
    limited, _ = _stationary(sides, (lost[0], lost[1]))
    in_time = wait - cutoff / expm1(min(700.0, cutoff / wait))  # mean of an exponential, cut off
    return Meeting(rate, in_time, limited / rate)


def _stationary(sides: Sequence[tuple[float, int, float]], lost: tuple[float, float]) -> tuple[float, float]:
    """Return the rate of meetings and the mean number of waiting pairs.

    The state is how many pairs of which side wait; weights are relative to that of nobody waiting, until they grow too
    large for a float.
    """
    nobody, total, meetings, waiting = 1.0, 1.0, 0.0, 0.0
    for (rate, lanes, partners), given_up in zip(sides, lost, strict=True):
        weight = nobody
        for number in range(1, lanes + 1):
            weight *= rate * (lanes - number + 1) / (partners + given_up)
            total += weight
            meetings += weight * partners
            waiting += weight * number
            if weight > LARGE:
                nobody, total, meetings, waiting = nobody / weight, total / weight, meetings / weight, waiting / weight
                weight = 1.0
    return meetings / total, waiting / total


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
    werner = 1.0
    for row in rows:
        werner *= (4 * row.fidelity - 1) / 3
    lanes = [(1 / row.seconds_per_pair, edge.lanes) for edge, row in zip(steps, rows, strict=True)]
    met = _meetings(view, lanes)
    werner *= _kept(view, path, steps, met)
    return Route(tuple(path), (least,) * len(steps), (1 + 3 * werner) / 4, _rate(lanes, met) * view.succeeds(path))


def _rate(lanes: Sequence[tuple[float, int]], met: Sequence[Meeting]) -> float:
    """Return the rate of a path [pairs/s]: the slowest links have to meet, wherever they stand on it."""
    order = sorted(lanes, key=lambda link: link[0] * link[1])
    slowed = [meeting(*a, *b, 0.0).rate / (a[0] * a[1]) for a, b in itertools.pairwise(order)]
    rate = order[0][0] * order[0][1]
    for place, share in enumerate(sorted(slowed)):
        rate *= share ** (FURTHER_RATE**place)
    return rate * prod(found.kept for found in met)


def _meetings(view: NetworkView, lanes: Sequence[tuple[float, int]]) -> list[Meeting]:
    """Return the meetings at the repeaters of a path; links are given by pairs per second and lane, and lanes."""
    return [meeting(*left, *right, view.cutoff * 1e-12) for left, right in itertools.pairwise(lanes)]


def _kept(view: NetworkView, path: Sequence[int], steps: Sequence[Edge], met: Sequence[Meeting]) -> float:
    """Return the factor on the Werner parameter of swaps, waiting and tracking along a path."""
    factor = 1.0
    order = sorted(range(len(met)), key=lambda i: -met[i].wait)
    for place, i in enumerate(order):
        node = path[i + 1]
        survived = view.storage[node](round(met[i].wait * 1e12)) ** 2
        factor *= view.swap_factors[node] * survived ** (FURTHER_WAIT if place else 1.0)
    tracking = sum(edge.delay for edge in steps)
    return factor * view.storage[path[0]](tracking) * view.storage[path[-1]](tracking)


def required(view: NetworkView, links: Links, path: Sequence[int], wanted: float, least: float) -> float:
    """Return the fidelity that every link of a path must reach, given that all run at settings of a least one.

    Above 1 if no link fidelity suffices.
    """
    steps = [links[step] for step in itertools.pairwise(path)]
    rows = [edge.rows[best_row(edge.rows, least) or 0] for edge in steps]
    lanes = [(1 / row.seconds_per_pair, edge.lanes) for edge, row in zip(steps, rows, strict=True)]
    kept = _kept(view, path, steps, _meetings(view, lanes))
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
    return NoRoute(
        f"fidelity {wanted:g} is out of reach over {view.walk(path)}: about {reach:.3f} can be expected.", tuple(path)
    )
