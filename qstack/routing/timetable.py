"""When links come and go, and the ways around those that are down; any router will do for these."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from qstack.plugin.sites import NetworkView
from qstack.services.strategies import NoRoute, Route, Router


class Windows:
    """The timetable of a network, as every node has it.

    Parameters
    ----------
    view
        The network.
    make
        Makes the router of a part of it.
    """

    def __init__(self, view: NetworkView, make: Callable[[NetworkView], Router]) -> None:
        self.view = view
        self.make = make
        self.windows = {frozenset((e.a, e.b)): e.windows for e in view.edges if e.windows}
        self.routers: dict[frozenset[frozenset[int]], Router] = {}

    def falls(self, path: tuple[int, ...], now: int) -> int:
        """Return when next a link of a path goes down [ps]; -1 if none does."""
        steps = map(frozenset, itertools.pairwise(path))
        return min((end for step in steps for _, end in self.windows.get(step, ()) if end > now), default=-1)

    def around(self, path: tuple[int, ...], min_fidelity: float, now: int) -> Route | NoRoute:
        """Return a route between the ends of a path over links that are up now, or why there is none."""
        down = frozenset(e for e, spans in self.windows.items() if not any(a <= now < b for a, b in spans))
        router = self.routers.get(down)
        if router is None:
            edges = tuple(e for e in self.view.edges if frozenset((e.a, e.b)) not in down)
            router = self.routers[down] = self.make(replace(self.view, edges=edges))
        return router(path[0], path[-1], min_fidelity)
