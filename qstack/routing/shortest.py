"""Routers on a weighted graph: cheapest sum (`shortest`) or widest bottleneck (`widest`).

Both look for a path among the links that reach a fidelity, and settle with the path which fidelity that is.  Equal costs
are settled by the order of nodes, so the same network gives the same path.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict

import rustworkx

from qstack.plugin.sites import NetworkView
from qstack.routing.budget import links_of, settle
from qstack.services.strategies import Edge, NoRoute, Route, best_row


class GraphRouter:
    """Base of routers that search a weighted graph.

    Parameters
    ----------
    view
        The network.
    """

    def __init__(self, view: NetworkView) -> None:
        self.view = view
        self.links = links_of(view)
        self.graphs: OrderedDict[float, rustworkx.PyGraph] = OrderedDict()

    @abstractmethod
    def search(self, graph: rustworkx.PyGraph, source: int, target: int) -> list[int]:
        """Return the best path, or an empty list."""

    def __call__(self, source: int, target: int, min_fidelity: float) -> Route | NoRoute:
        """Return a route that reaches a fidelity, or why there is none."""
        route = settle(self.view, self.links, lambda need: self.search(self._graph(need), source, target), min_fidelity)
        if route is not None:
            return route
        names = self.view.names
        return NoRoute(f"there is no path from {names[source]} to {names[target]}: the network is cut.")

    def _graph(self, need: float) -> rustworkx.PyGraph:
        """Return the graph of links that reach a fidelity, weighted by seconds per pair; a few are kept."""
        graph = self.graphs.get(need)
        if graph is None:
            graph = rustworkx.PyGraph(multigraph=False)
            graph.add_nodes_from(range(len(self.view.names)))
            graph.add_edges_from([(e.a, e.b, cost) for e in self.view.edges if (cost := seconds(e, need)) is not None])
            self.graphs[need] = graph
            if len(self.graphs) > 8:
                self.graphs.popitem(last=False)
        return graph


def seconds(edge: Edge, need: float) -> float | None:
    """Return the seconds per pair of a link at a least fidelity, or None if it cannot reach it."""
    row = best_row(edge.rows, need)
    return None if row is None else edge.rows[row].seconds_per_pair / edge.lanes


class ShortestPath(GraphRouter):
    """Least sum of seconds per pair (the link cost of draft-van-meter-qirg-quantum-network-architecture)."""

    def search(self, graph: rustworkx.PyGraph, source: int, target: int) -> list[int]:
        """Return the cheapest path (Dijkstra)."""
        paths = rustworkx.dijkstra_shortest_paths(graph, source, target=target, weight_fn=float)
        return list(paths[target]) if target in paths else []


class WidestPath(GraphRouter):
    """Least seconds per pair on the slowest link; among equals the cheapest sum."""

    def search(self, graph: rustworkx.PyGraph, source: int, target: int) -> list[int]:
        """Return the path with the fastest bottleneck: bisection over the link costs, then Dijkstra below the bound."""
        costs = sorted(set(graph.edges()))
        low, high = 0, len(costs) - 1
        best: list[int] = []
        while low <= high:
            middle = (low + high) // 2
            path = self._below(graph, costs[middle], source, target)
            if path:
                best, high = path, middle - 1
            else:
                low = middle + 1
        return best

    def _below(self, graph: rustworkx.PyGraph, bound: float, source: int, target: int) -> list[int]:
        kept = graph.copy()
        kept.remove_edges_from([(a, b) for a, b, cost in graph.weighted_edge_list() if cost > bound])
        paths = rustworkx.dijkstra_shortest_paths(kept, source, target=target, weight_fn=float)
        return list(paths[target]) if target in paths else []
