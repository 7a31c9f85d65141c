"""The greedy search of Q-CAST: an extended Dijkstra over paths of every width.

EXT of a path never grows with a further hop, so the node with the largest EXT so far is final, as in Dijkstra's
algorithm.  The metric is not isotonic: of two paths to a node the better one may be the worse beginning.  The search is
therefore greedy, as published; for width 1 it is exact, because EXT is then a product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from qstack_router_qcast.metric import Distribution, channels, extend, mean

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hop:
    """One link as the search sees it: success probability of a channel in a slot, and number of channels."""

    probability: float
    width: int


Network = Mapping[int, Mapping[int, Hop]]
"""Neighbours of every node."""


def best_path(
    network: Network, source: int, target: int, swap: float = 1.0, most_hops: int = 15
) -> tuple[float, Path] | None:
    """Return the largest EXT that the search finds, and its path; None if there is no path.

    Parameters
    ----------
    network
        Both directions of every link.
    source, target
        Two different nodes.
    swap
        Success probability of a swap.
    most_hops
        Longest path.

    Notes
    -----
    Equal paths are settled by fewer hops, then by the order of nodes.
    """
    widths = sorted({hop.width for hops in network.values() for hop in hops.values()}, reverse=True)
    found = [path for width in widths if (path := _search(network, source, target, width, swap, most_hops))]
    return min(found, key=lambda item: (-item[0], len(item[1]), item[1]), default=None)


def _search(
    network: Network, source: int, target: int, width: int, swap: float, most_hops: int
) -> tuple[float, Path] | None:
    """Return the best path of one width: every link on it has at least that many channels."""
    known: dict[tuple[float, int], Distribution] = {}
    final: set[int] = set()
    heap: list[tuple[float, int, Path, Distribution]] = [(-float("inf"), 0, (source,), ())]
    while heap:
        ext, hops, path, survivors = heappop(heap)
        here = path[-1]
        if here == target:
            return -ext, path
        if here in final or hops == most_hops:
            continue
        final.add(here)
        for there, hop in network.get(here, {}).items():
            if there in final or hop.width < width:
                continue
            key = (hop.probability, width)
            one = known.get(key) or known.setdefault(key, channels(hop.probability, width))
            longer = extend(survivors, one) if survivors else one
            heappush(heap, (-(swap**hops) * mean(longer), hops + 1, (*path, there), longer))
    return None
