"""What qstack itself offers, through the same hooks as every plugin; the only module that names a reference implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from pydantic import BeforeValidator, Field

from qstack.application.bbm92 import Bbm92
from qstack.application.layer import Application, ApplicationLayer
from qstack.application.pairs import Pairs, Wish
from qstack.channels import models as channels
from qstack.core.errors import ConfigError
from qstack.core.layer import Layer
from qstack.correction.codes import FIVE_QUBIT, SHOR, STEANE
from qstack.correction.distillation import Bbpssw, Dejmps, Distillation
from qstack.hardware.channels import FreeSpace, InstalledFibre, Satellite, free_space, installed_fibre, satellite
from qstack.hardware.midpoint import midpoint, sender_receiver
from qstack.hardware.models import (
    DoubleClickInterface,
    RelaxingMemory,
    SingleClickInterface,
    StretchedMemory,
    TextbookInterface,
)
from qstack.hardware.pairsources import AbsorptiveInterface, PairSourceInterface, SourceInterface
from qstack.hardware.tier import CorrelatorTier
from qstack.link.distil import Distiller
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.link.schedulers import first_come, strict_priority, weighted_fair
from qstack.network.forwarding import ForwardingLayer
from qstack.network.signalling import SignallingLayer
from qstack.physical.layer import PhysicalLayer
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import (
    Fibre,
    HardwareModel,
    LinkSheet,
    Offer,
    Options,
    Platform,
    Sheet,
    chosen,
    load_platforms,
)
from qstack.plugin.distilling import Combine
from qstack.plugin.hooks import API_VERSION, hookimpl
from qstack.plugin.sites import FlowEnd, Site
from qstack.plugin.units import FOR_EVER, Fraction, PositiveDuration
from qstack.routing.shortest import ShortestPath, WidestPath
from qstack.services.strategies import Router, Storage
from qstack.transport.layer import TransportLayer

QSTACK_API = API_VERSION
DATA = Path(__file__).parent / "data"
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


# -- layers -----------------------------------------------------------------------------------------------------------


class LinkOptions(Options):
    """Options of the reference link layer."""

    scheduler: chosen("schedulers", "a scheduler") = _field("wfq")  # type: ignore[valid-type]
    distillation: chosen("distillation", "a distillation scheme") = _field("none")  # type: ignore[valid-type]
    test_period: int = Field(0, ge=0, strict=True, description="successes from one test round to the next; 0 for none")


class NetworkOptions(Options):
    """Options of the reference network layer; a cutoff may be written as a time."""

    routing: chosen("routers", "a router") = _field("shortest")  # type: ignore[valid-type]
    swap: chosen("swap_policies", "a swap policy") = _field("asap")  # type: ignore[valid-type]
    cutoff: Annotated[chosen("cutoffs", "a cutoff policy"), BeforeValidator(_fixed), _A_TIME] = _field("never")  # type: ignore[valid-type]
    circuits_per_link: int = Field(1 << 15, ge=1, le=1 << 15, strict=True)
    aggregate: bool = Field(default=False, description="sessions with the same ends and fidelity share a circuit")
    test_share: float = Field(0.0, ge=0, lt=1, description="share of the pairs that are measured as test rounds")


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
    router: Router = site.once("router", lambda: options.routing.make(view=site.view))
    lanes = {peer: n.lanes for peer, n in site.neighbours.items()}
    return (
        ForwardingLayer(
            site.storage, site.swap_factor, lanes, RECORD_LIFETIME, options.swap.make(), options.test_share
        ),
        SignallingLayer(router, site.view.cutoff, options.circuits_per_link, lanes.keys(), aggregate=options.aggregate),
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
        Offer("reference", _link, LinkOptions, "distributed queue, fidelity estimation, distillation", "link"),
        Offer("reference", _network, NetworkOptions, "label-switched circuits, lazy tracking", "network"),
        Offer("reference", _transport, summary="sessions over circuits", level="transport"),
        Offer("reference", _application, summary="one table of applications", level="application"),
    ]


# -- strategies -------------------------------------------------------------------------------------------------------


def _just(thing: Any) -> Callable[..., Any]:
    """Return a factory that always gives the same stateless thing."""
    return lambda options: thing


@hookimpl
def qstack_schedulers() -> list[Offer]:
    """Offer the reference schedulers."""
    return [
        Offer("fcfs", _just(first_come), summary="the oldest request until it is done"),
        Offer("wfq", _just(weighted_fair), summary="all requests in proportion to priority + 1"),
        Offer("strict", _just(strict_priority), summary="the oldest request of the highest priority"),
    ]


@hookimpl
def qstack_swap_policies() -> list[Offer]:
    """Offer ways to choose a partner."""
    return [
        Offer("asap", _just(None), summary="swap at once, oldest with oldest"),  # the network layer's own choice
        Offer(
            "asap-youngest", _just(lambda waiting: waiting - 1), summary="swap at once, with the youngest that waits"
        ),
    ]


class FixedCutoff(Options):
    """A half waits this long and no longer."""

    after: PositiveDuration


class KeepingCutoff(Options):
    """A half is given up when its storage has cost this much."""

    least: Annotated[Fraction, Field(gt=0, lt=1)] = 0.7


def _keeping(options: KeepingCutoff) -> Callable[[Sequence[Storage]], int]:
    def cutoff(storage: Sequence[Storage]) -> int:
        return min((_age_at(survival, options.least) for survival in storage), default=0)

    return cutoff


def _age_at(survival: Storage, least: float) -> int:
    """Return the age at which a decreasing survival falls below a value [ps]; 0 (for ever) if it does not."""
    low, high = 0, 1
    while survival(high) > least:
        low, high = high, high * 2
        if high >= FOR_EVER:
            return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if survival(middle) > least else (low, middle)
    return high


@hookimpl
def qstack_cutoffs() -> list[Offer]:
    """Offer the reference discard policies."""
    return [
        Offer("never", lambda options: lambda storage: 0, summary="keep every pair"),
        Offer("fixed", lambda options: lambda storage: options.after, FixedCutoff, "discard after a time"),
        Offer("keeping", _keeping, KeepingCutoff, "discard when storage has cost a share of the Werner parameter"),
    ]


@hookimpl
def qstack_routers() -> list[Offer]:
    """Offer the reference routers."""
    return [
        Offer("shortest", lambda options, view: ShortestPath(view), summary="least sum of seconds per pair"),
        Offer("widest", lambda options, view: WidestPath(view), summary="fastest slowest link"),
    ]


@hookimpl
def qstack_distillation() -> list[Offer]:
    """Offer the reference distillation schemes."""
    return [
        Offer("none", lambda options, **noise: None, summary="deliver every pair as it is"),
        *(Offer(scheme.name, partial(_distillation, scheme), summary=_title(scheme)) for scheme in (Bbpssw, Dejmps)),
    ]


def _distillation(
    scheme: type[Distillation], options: Options, *, gate_noise: float, readout_error: float
) -> Distillation:
    return scheme(gate_noise, readout_error)


def _title(thing: type) -> str:
    """Return the first line of a docstring."""
    return (thing.__doc__ or "").splitlines()[0]


@hookimpl
def qstack_codes() -> list[Offer]:
    """Offer the small codes, each decoded to its most likely logical class."""
    codes = {"five-qubit": FIVE_QUBIT, "steane": STEANE, "shor": SHOR}
    return [Offer(name, _just(code), summary=code.name) for name, code in codes.items()]


class CascadeOptions(Options):
    """How Cascade chooses its blocks."""

    variant: Literal["patient", "yan", "original"] = "patient"


class LdpcOptions(Options):
    """How much LDPC sends at once, in units of n h(q), and how long it decodes."""

    efficiency: Annotated[float, Field(gt=1, lt=4)] = 1.13
    sweeps: Annotated[int, Field(ge=1, strict=True)] = 40


def _cascade(options: CascadeOptions) -> Any:
    from qstack.keys.reconcile.cascade import Cascade  # noqa: PLC0415 - only key users need it

    return Cascade(options.variant)


def _ldpc(options: LdpcOptions) -> Any:
    from qstack.keys.reconcile.ldpc import Ldpc  # noqa: PLC0415 - only key users need it

    return Ldpc(options.efficiency, options.sweeps)


@hookimpl
def qstack_reconciliation() -> list[Offer]:
    """Offer the reference reconciliation schemes."""
    return [
        Offer("cascade", _cascade, CascadeOptions, "many short questions, least leakage"),
        Offer("ldpc", _ldpc, LdpcOptions, "one syndrome, more when it does not suffice"),
    ]


# -- applications -----------------------------------------------------------------------------------------------------


def _pairs(options: Options, end: FlowEnd) -> Application:
    return Pairs(end.flow, Wish(end.peer, end.min_fidelity, end.number))


class KeyOptions(Options):
    """Options of the key application."""

    sample: Fraction = Field(0.5, description="share of the sifted Z bits that is revealed to count errors")


def _bbm92(options: KeyOptions, end: FlowEnd) -> Application:
    wish = Wish(end.peer, end.min_fidelity, end.number)
    return Bbm92(end.flow, wish, initiator=end.initiator, sample=options.sample)


@hookimpl
def qstack_applications() -> list[Offer]:
    """Offer the reference applications."""
    return [
        Offer("pairs", _pairs, summary="take entangled pairs as they come"),
        Offer("bbm92", _bbm92, KeyOptions, "a sifted key from measured pairs, errors counted by both ends"),
    ]


# -- hardware and media -----------------------------------------------------------------------------------------------


@hookimpl
def qstack_hardware() -> list[type[HardwareModel] | Sheet]:
    """Offer the reference models, and the data sheets in ``qstack/data/hardware``."""
    models: list[type[HardwareModel]] = [
        RelaxingMemory,
        StretchedMemory,
        TextbookInterface,
        DoubleClickInterface,
        SingleClickInterface,
        SourceInterface,
        PairSourceInterface,
        AbsorptiveInterface,
    ]
    return [*models, *load_platforms(DATA / "hardware", models)]


def _medium(make: Callable[[Platform, Platform, Fibre], LinkSheet]) -> Callable[..., LinkSheet]:
    return lambda options, a, b, fibre: make(a, b, fibre)


@hookimpl
def qstack_media() -> list[Offer]:
    """Offer the reference link media."""
    return [
        Offer("midpoint", _medium(midpoint), summary="a heralding station, or a source, on the fibre"),
        Offer("sender-receiver", _medium(sender_receiver), summary="the station stands at the second end"),
        Offer("installed-fibre", installed_fibre, InstalledFibre, "connectors, data traffic beside the photons, drift"),
        Offer("satellite", satellite, Satellite, "a satellite above two ground stations, standing still"),
        Offer("free-space", free_space, FreeSpace, "telescopes in sight of each other: air, turbulence, pointing"),
    ]


def _correlators(options: Options, *, schemes: Mapping[str, Combine], **given: Any) -> CorrelatorTier:
    tier = CorrelatorTier(**given, midpoint=lambda ends: Midpoint(ends, window=1))
    tier.schemes = schemes
    return tier


def _exact(options: Options, *, schemes: Mapping[str, Combine], **given: Any) -> Any:
    from qstack.hardware.exact import ExactTier, known_schemes  # noqa: PLC0415 - only those who ask for it need it

    known_schemes(schemes)
    return ExactTier(**given, midpoint=lambda ends: Midpoint(ends, window=1))


@hookimpl
def qstack_tiers() -> list[Offer]:
    """Offer the reference owners of quantum state."""
    return [
        Offer("correlators", _correlators, summary="pairs as three correlators; exact for Pauli noise"),
        Offer("exact", _exact, summary="pairs as 4 x 4 matrices; exact for T1, unequal readout and every direction"),
    ]


@hookimpl
def qstack_channels() -> list[Offer]:
    """Offer the reference classical channels."""
    return [
        Offer("ideal", channels.ideal, summary="the speed of light, nothing lost"),
        Offer("lossy", channels.conditioned, channels.Lossy, "loses datagrams"),
        Offer("delayed", channels.conditioned, channels.Delayed, "slower than light"),
        Offer("jittered", channels.conditioned, channels.Jittered, "now faster, now slower"),
        Offer("reordered", channels.conditioned, channels.Reordered, "datagrams overtake each other"),
        Offer("rate-limited", channels.conditioned, channels.RateLimited, "so many bits per second"),
    ]


# -- around a run -----------------------------------------------------------------------------------------------------


def _json_lines(options: Options, path: Path) -> Any:
    from qstack.trace.sinks import JsonLines  # noqa: PLC0415 - traces stand above the parts that a run is built from

    try:
        return JsonLines(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}.") from error


@hookimpl
def qstack_sinks() -> list[Offer]:
    """Offer JSON lines."""
    return [Offer("jsonl", _json_lines, summary="one JSON object a line; `qstack trace` reads it")]


@hookimpl
def qstack_commands() -> Iterable[click.Command]:
    """Offer the commands of the command line."""
    from qstack.cli import commands  # noqa: PLC0415 - built-in parts are loaded without a command line too

    return commands()


@hookimpl
def qstack_specs() -> list[Path]:
    """Offer the specifications: in the package of a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    return [folder for folder in (package / "specs", package.parent / "specs") if folder.is_dir()][:1]
