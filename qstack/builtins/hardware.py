"""Hardware models and data sheets, link media, owners of quantum state, classical channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from qstack.channels import models as channels
from qstack.hardware import parts
from qstack.hardware.channels import FreeSpace, Satellite, free_space, satellite
from qstack.hardware.installed import InstalledFibre, installed_fibre
from qstack.hardware.midpoint import midpoint, sender_receiver
from qstack.hardware.models import (
    DoubleClickInterface,
    RelaxingMemory,
    SingleClickInterface,
    StretchedMemory,
    TextbookInterface,
)
from qstack.hardware.pairsources import AbsorptiveInterface, PairSourceInterface, SourceInterface
from qstack.hardware.passes import SatelliteLink, SatellitePass, satellite_link, satellite_pass
from qstack.hardware.tier import CorrelatorTier
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import (
    Fibre,
    HardwareModel,
    LinkSheet,
    Offer,
    Options,
    Platform,
    Sheet,
    load_platforms,
)
from qstack.plugin.distilling import Combine
from qstack.plugin.hooks import hookimpl
from qstack.plugin.optics import Part

DATA = Path(__file__).parent.parent / "data"


@hookimpl
def qstack_hardware() -> list[type[HardwareModel] | Sheet | Part]:
    """Offer the reference models, the data sheets in ``qstack/data/hardware``, and parts of key links."""
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
    return [*models, *load_platforms(DATA / "hardware", models), *parts.MODELS, *parts.SHEETS]


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
        Offer("satellite-pass", satellite_pass, SatellitePass, "a satellite that rises, passes two stations and sets"),
        Offer("satellite-link", satellite_link, SatelliteLink, "a station, and a satellite that passes over it"),
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


class DensityOptions(Options):
    """What may be chosen of the density tier.

    Parameters
    ----------
    qubits
        Qubits that may share one density matrix; n of them take 16 x 4^n bytes.
    """

    qubits: int = Field(8, ge=2, le=10, strict=True, description="qubits that may share one density matrix")


def _density(options: DensityOptions, *, schemes: Mapping[str, Combine], **given: Any) -> Any:
    from qstack.hardware.exact import known_schemes  # noqa: PLC0415 - only those who ask for it need it
    from qstack.hardware.matrices import DensityTier  # noqa: PLC0415 - only those who ask for it need it

    known_schemes(schemes, "density")
    tier = DensityTier(**given, midpoint=lambda ends: Midpoint(ends, window=1))
    tier.most = options.qubits
    return tier


def _stabiliser(options: Options, *, schemes: Mapping[str, Combine], **given: Any) -> Any:
    from qstack.hardware.exact import known_schemes  # noqa: PLC0415 - only those who ask for it need it
    from qstack.hardware.stabilisers import StabiliserTier  # noqa: PLC0415 - only those who ask for it need it

    known_schemes(schemes, "stabiliser")
    return StabiliserTier(**given, midpoint=lambda ends: Midpoint(ends, window=1))


@hookimpl
def qstack_tiers() -> list[Offer]:
    """Offer the reference owners of quantum state."""
    return [
        Offer("correlators", _correlators, summary="pairs as three correlators; exact for Pauli noise"),
        Offer(
            "exact",
            _exact,
            summary="pairs as 4 x 4 matrices; exact for T1, unequal readout and every direction",
            gives=frozenset({"directions"}),
        ),
        Offer(
            "density",
            _density,
            DensityOptions,
            "qubits that share a state as one density matrix; gates really applied, slow, to judge by",
            gives=frozenset({"directions"}),
        ),
        Offer(
            "stabiliser",
            _stabiliser,
            summary="all qubits as one stabiliser state, Pauli noise drawn; needs the extra 'stabiliser'",
            module="stim",
        ),
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
