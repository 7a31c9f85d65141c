"""The reference layers, and how they are built for a site."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from qstack.application.layer import ApplicationLayer
from qstack.core.layer import Layer
from qstack.link.distil import Distiller
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.network.forwarding import ForwardingLayer
from qstack.network.signalling import SignallingLayer
from qstack.physical.layer import PhysicalLayer
from qstack.plugin.contracts import (
    Offer,
    Options,
    chosen,
)
from qstack.plugin.hooks import hookimpl
from qstack.plugin.sites import NetworkView, Site
from qstack.routing.timetable import Windows
from qstack.services.strategies import Router
from qstack.transport.layer import TransportLayer

RECORD_LIFETIME = 1_000_000_000_000
"""How long a swap record may wait for its TRACK per node of the path, beside the cutoff [ps]."""


def _field(default: str) -> Any:
    """Return a default that is looked up like a name that a user wrote."""
    return Field(default, validate_default=True)


_A_TIME = Field(json_schema_extra={"also": [{"type": "string", "pattern": "^[+0-9.]"}]})
"""Tells the JSON Schema of what `_fixed` reads."""


def _fixed(value: object) -> object:
    """Read a bare time as a fixed cutoff."""
    is_time = isinstance(value, str) and value[:1] in "+-.0123456789"
    return {"use": "fixed", "after": value} if is_time else value


class LinkOptions(Options):
    """Options of the reference link layer."""

    scheduler: chosen("schedulers", "a scheduler") = _field("wfq")
    distillation: chosen("distillation", "a distillation scheme") = _field("none")
    test_period: int = Field(0, ge=0, strict=True, description="successes from one test round to the next; 0 for none")


class NetworkOptions(Options):
    """Options of the reference network layer; a cutoff may be written as a time."""

    routing: chosen("routers", "a router") = _field("shortest")
    swap: chosen("swap_policies", "a swap policy") = _field("asap")
    cutoff: Annotated[chosen("cutoffs", "a cutoff policy"), BeforeValidator(_fixed), _A_TIME] = _field("never")
    give_way: float = Field(
        10.0,
        ge=0,
        le=1e9,
        description="without a cutoff: a half gives way after so many mean times between pairs, for each memory; 0 never",
    )
    circuits_per_link: int = Field(1 << 15, ge=1, le=1 << 15, strict=True)
    aggregate: bool = Field(default=False, description="sessions with the same ends and fidelity share a circuit")
    test_share: float = Field(0.0, ge=0, lt=1, description="share of the pairs that are measured as test rounds")
    reroute: bool = Field(
        default=True, strict=True, description="circuits whose link goes down at its hour move to a path that is up"
    )
    gate: bool = Field(
        default=False, strict=True, description="links refuse what a neighbour asks for under a purpose of no circuit"
    )


def _physical(options: Options, site: Site) -> Layer:
    return PhysicalLayer({peer: n.lanes for peer, n in site.neighbours.items()})


def _link(options: LinkOptions, site: Site) -> Layer:
    links = {
        peer: Link(peer, n.lanes, 2 * n.delay, n.rows, master=site.number < peer, cycle=n.period)
        for peer, n in site.neighbours.items()
    }
    scheme = options.distillation.make(gate_noise=site.gate_noise, readout_error=site.readout_error)
    distiller = Distiller(scheme, site.storage) if scheme else None
    return LinkLayer(links, options.scheduler.make(), distiller, options.test_period)


def _network(options: NetworkOptions, site: Site) -> tuple[Layer, Layer]:
    def make(view: NetworkView) -> Router:
        router: Router = options.routing.make(view=view)
        return router

    router = site.once("router", lambda: make(site.view))
    passing = any(edge.windows for edge in site.view.edges)
    lanes = {peer: n.lanes for peer, n in site.neighbours.items()}
    most = max((edge.lanes for edge in site.view.edges), default=1)
    return (
        ForwardingLayer(
            site.storage,
            site.swap_factor,
            lanes,
            RECORD_LIFETIME,
            options.swap.make(),
            options.test_share,
            gate=options.gate,
        ),
        SignallingLayer(
            router,
            site.view.cutoff,
            options.circuits_per_link,
            lanes.keys(),
            aggregate=options.aggregate,
            give_way=options.give_way * most,
            timetable=site.once("timetable", lambda: Windows(site.view, make)) if passing and options.reroute else None,
        ),
    )


def _transport(options: Options, site: Site) -> Layer:
    return TransportLayer()


def _application(options: Options, site: Site) -> Layer:
    return ApplicationLayer(site.applications)


@hookimpl
def qstack_layers() -> list[Offer]:
    """Offer the reference layers."""
    return [
        Offer("reference", _physical, summary="lanes, standing answers, heralds", level="physical"),
        Offer(
            "reference",
            _link,
            LinkOptions,
            "distributed queue, fidelity estimation, distillation",
            "link",
            features=(
                "accepted-purposes",
                "atomic-requests",
                "collected-pairs",
                "deadlines",
                "lost-neighbours",
                "measured-pairs",
                "proportional-shares",
            ),
        ),
        Offer("reference", _network, NetworkOptions, "label-switched circuits, lazy tracking", "network"),
        Offer(
            "reference",
            _transport,
            summary="sessions over circuits",
            level="transport",
            features=("teleported-qubits",),
        ),
        Offer("reference", _application, summary="one table of applications", level="application"),
    ]
