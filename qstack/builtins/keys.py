"""Key reconciliation, and attacks on a quantum or a classical channel."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from qstack.plugin.contracts import (
    Offer,
    Options,
)
from qstack.plugin.hooks import hookimpl
from qstack.plugin.units import Fraction


class CascadeOptions(Options):
    """How Cascade chooses its blocks."""

    variant: Literal["patient", "yan", "original"] = "patient"


class LdpcOptions(Options):
    """How much LDPC sends at once, in units of n h(q), and how long it decodes."""

    efficiency: Annotated[float, Field(gt=1, lt=4)] = 1.12
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


class PskOptions(Options):
    """How long a key must be."""

    least: Annotated[int, Field(ge=16, le=1024, strict=True, description="octets that a key must have [byte]")] = 32


def _psk(options: PskOptions) -> Any:
    from qstack.integration.consumers.adapter import PskLines  # noqa: PLC0415 - only key users need it

    return PskLines(options.least)


@hookimpl
def qstack_adapters() -> list[Offer]:
    """Offer the reference adapter."""
    return [Offer("tls-psk", _psk, PskOptions, "keys as lines of external pre-shared keys of TLS 1.3")]


class InterceptOptions(Options):
    """How many of the photons are measured and sent on."""

    share: Fraction = Field(1.0, description="of the pulses that are attacked")


class BlindingOptions(Options):
    """How often the blinded detectors are made to click."""

    share: Annotated[Fraction, Field(gt=0)] = Field(1.0, description="of the pulses with a photon that are repeated")


class SplittingOptions(Options):
    """What becomes of single photons."""

    single: Fraction = Field(0.5, description="of the single photons that are let through")


class TamperingOptions(Options):
    """Which message is changed, and where."""

    number: Annotated[int, Field(ge=0, strict=True)] = Field(3, description="of the message, counted from 0")
    place: Fraction = Field(0.5, description="of the bit that is flipped, as a share of the message")


class MiddleOptions(TamperingOptions):
    """What is done to which message."""

    action: Literal["edit", "drop", "repeat", "reflect", "delay"] = Field("edit", description="what is done to it")


def _intercept(options: InterceptOptions, *, between: bool = False) -> Any:
    from qstack.keys.eve.resend import InterceptResend  # noqa: PLC0415 - only key users need it

    return InterceptResend(share=options.share, between=between)


def _blinding(options: BlindingOptions) -> Any:
    from qstack.keys.eve.blinding import Blinding  # noqa: PLC0415 - only key users need it

    return Blinding(share=options.share)


def _splitting(options: SplittingOptions) -> Any:
    from qstack.keys.eve.splitting import PhotonNumberSplitting  # noqa: PLC0415 - only key users need it

    return PhotonNumberSplitting(single=options.single)


def _tampering(options: TamperingOptions) -> Any:
    from qstack.keys.eve.middle import Edit  # noqa: PLC0415 - only key users need it

    return Edit(options.number, place=options.place)


def _middle(options: MiddleOptions) -> Any:
    from qstack.keys.eve import middle  # noqa: PLC0415 - only key users need it

    if options.action == "edit":
        return middle.Edit(options.number, place=options.place)
    kinds = {"drop": middle.Drop, "repeat": middle.Repeat, "reflect": middle.Reflect, "delay": middle.Delay}
    return kinds[options.action](options.number)


@hookimpl
def qstack_eavesdroppers() -> list[Offer]:
    """Offer the known attacks on a decoy-state link."""
    return [
        Offer("intercept-resend", _intercept, InterceptOptions, "measure in the BB84 bases and send on"),
        Offer(
            "breidbart", partial(_intercept, between=True), InterceptOptions, "measure between the bases and send on"
        ),
        Offer("photon-number-splitting", _splitting, SplittingOptions, "keep a photon of every pulse that has two"),
        Offer("blinding", _blinding, BlindingOptions, "hold the detectors blind and make them click at will"),
        Offer("tampering", _tampering, TamperingOptions, "flip one bit of one classical message"),
        Offer("man-in-the-middle", _middle, MiddleOptions, "change, swallow, repeat, return or hold back a message"),
    ]
