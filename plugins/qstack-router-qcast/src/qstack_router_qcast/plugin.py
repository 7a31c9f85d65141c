"""What this distribution offers to qstack: the router ``qcast``."""

from __future__ import annotations

from math import expm1
from typing import Annotated

from pydantic import Field

from qstack import Offer, Options, hookimpl
from qstack.plugin.sites import NetworkView
from qstack.plugin.units import Fraction, PositiveDuration
from qstack.routing.budget import links_of, settle
from qstack.services.strategies import NoRoute, Route, best_row
from qstack_router_qcast.search import Hop, best_path

QSTACK_API = (1, 0)


class QcastOptions(Options):
    """What a scenario may set.

    `slot` is the time within which all links of a path must succeed; without it, the network's cutoff, and without a
    cutoff, the mean time of a pair on the slowest link.
    """

    slot: PositiveDuration | None = None
    swap_success: Annotated[Fraction, Field(gt=0)] = 1.0
    most_hops: Annotated[int, Field(ge=1, strict=True)] = 15


class Qcast:
    """Chooses the path with the largest expected throughput among those that can give the wanted fidelity.

    Parameters
    ----------
    options
        Of the scenario.
    view
        The network.
    """

    def __init__(self, options: QcastOptions, view: NetworkView) -> None:
        self.options = options
        self.view = view
        self.links = links_of(view)
        slowest = max((min(row.seconds_per_pair for row in edge.rows) for edge in view.edges), default=1.0)
        slot = view.cutoff if options.slot is None else options.slot
        self.slot = slot * 1e-12 or slowest
        """Time within which all links of a path must succeed [s]."""

    def __call__(self, source: int, target: int, min_fidelity: float) -> Route | NoRoute:
        """Return a route that reaches a fidelity, or why there is none."""

        def find(need: float) -> tuple[int, ...]:
            found = best_path(self.network(need), source, target, self.options.swap_success, self.options.most_hops)
            return found[1] if found else ()

        route = settle(self.view, self.links, find, min_fidelity)
        if route is not None:
            return route
        names = self.view.names
        most = self.options.most_hops
        return NoRoute(f"there is no path of at most {most} hops from {names[source]} to {names[target]}.")

    def network(self, need: float) -> dict[int, dict[int, Hop]]:
        """Return the links that reach a fidelity, each at its fastest setting that does."""
        network: dict[int, dict[int, Hop]] = {}
        for (here, there), edge in self.links.items():
            row = best_row(edge.rows, need)
            if row is not None:
                probability = -expm1(-self.slot / edge.rows[row].seconds_per_pair)
                network.setdefault(here, {})[there] = Hop(probability, edge.lanes)
        return network


@hookimpl
def qstack_routers() -> list[Offer]:
    """Offer Q-CAST's path selection."""
    return [
        Offer("qcast", Qcast, QcastOptions, "largest expected throughput (EXT)"),
    ]
