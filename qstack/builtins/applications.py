"""Applications that a scenario may name."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from qstack.application.bbm92 import Bbm92
from qstack.application.chsh import Chsh
from qstack.application.correlate import Correlate
from qstack.application.layer import Application
from qstack.application.pairs import Pairs, Wish
from qstack.application.rsp import Preparer, Target
from qstack.application.teleport import TeleportReceiver, TeleportSender
from qstack.plugin.contracts import (
    Offer,
    Options,
    chosen,
)
from qstack.plugin.hooks import hookimpl
from qstack.plugin.sites import FlowEnd
from qstack.plugin.units import Fraction
from qstack.services.bell import Basis
from qstack.services.l4_transport import DETERMINISTIC, REACTIVE, TOLERANT

CLASSES = {"B": TOLERANT, "C": REACTIVE, "T": DETERMINISTIC}
"""Consumption classes by their letters."""


def _wish(end: FlowEnd) -> Wish:
    return Wish(end.peer, end.min_fidelity, end.number, end.priority, end.rate)


DIRECTIONS = frozenset({"directions"})
CERTAIN = frozenset({"certain-bell"})
"""Measurements along any direction, not only X, Y and Z."""


class PairOptions(Options):
    """Options of pairs taken as they come."""

    consumption: Literal["B", "C", "T"] = Field(
        "C", description="what a pair waits for; B: halves come early; T: its frame is applied"
    )
    window: int = Field(0, ge=0, le=(1 << 16) - 1, strict=True, description="most pairs at hand [1]; 0 no limit")


def _pairs(options: PairOptions, end: FlowEnd) -> Application:
    return Pairs(end.flow, _wish(end), consumption=CLASSES[options.consumption], window=options.window)


class KeyOptions(Options):
    """Options of the key application."""

    sample: Fraction = Field(0.5, description="share of the sifted Z bits that is revealed to count errors")
    early: bool = Field(
        default=False, strict=True, description="measure halves before it is known what they are (class B)"
    )
    reconciliation: chosen("reconciliation", "a reconciliation scheme") = Field(  # type: ignore[valid-type]  # made at run time
        "ldpc", validate_default=True, description="scheme that corrects the errors, where keys are served"
    )


def _bbm92(options: KeyOptions, end: FlowEnd) -> Application:
    return Bbm92(end.flow, _wish(end), initiator=end.initiator, sample=options.sample, early=options.early)


class TeleportOptions(Options):
    """Options of the teleportation check."""

    consumption: Literal["C", "T"] = Field(
        "T", description="C: frames are tracked; T: they are applied before delivery"
    )
    window: int = Field(8, ge=1, le=(1 << 16) - 1, strict=True, description="most qubits in flight [1]")


def _teleport(options: TeleportOptions, end: FlowEnd) -> Application:
    if not end.initiator:
        return TeleportReceiver(end.flow, end.peer)
    return TeleportSender(end.flow, _wish(end), consumption=CLASSES[options.consumption], window=options.window)


def _chsh(options: Options, end: FlowEnd) -> Application:
    return Chsh(end.flow, _wish(end), initiator=end.initiator)


class CorrelationOptions(Options):
    """Options of correlations that are measured as pairs are made."""

    basis: Literal["X", "Y", "Z"] = Field("Z", description="what both ends measure as soon as a pair is made")
    window: int = Field(0, ge=0, le=(1 << 16) - 1, strict=True, description="most bits at hand [1]; 0 no limit")


def _correlate(options: CorrelationOptions, end: FlowEnd) -> Application:
    basis = Basis[options.basis]
    return Correlate(end.flow, _wish(end), initiator=end.initiator, basis=basis, window=options.window)


class PreparationOptions(Options):
    """Options of remote state preparation."""

    states: Literal[4, 8, 16, 32, 64] = Field(
        4, description="states at equal distances on the equator; more than 4 need the exact tier"
    )
    basis: Literal["X", "Y"] | None = Field(
        None, description="measure halves in this basis as they are made: each bit chooses one of two states"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.basis is not None and "states" in self.model_fields_set:
            raise ValueError(f"states are those of basis {self.basis}: give 'states' or 'basis', not both")
        return self


def _rsp(options: PreparationOptions, end: FlowEnd) -> Application:
    if end.initiator:
        basis = Basis[options.basis] if options.basis else None
        return Preparer(end.flow, _wish(end), choice=options.states.bit_length() - 1, basis=basis)
    return Target(end.flow, _wish(end))


@hookimpl
def qstack_applications() -> list[Offer]:
    """Offer the reference applications."""
    return [
        Offer("pairs", _pairs, PairOptions, "take entangled pairs as they come"),
        Offer("bbm92", _bbm92, KeyOptions, "a sifted key from measured pairs, errors counted by both ends"),
        Offer(
            "correlate",
            _correlate,
            CorrelationOptions,
            "bits of pairs that both ends measure as they are made, compared",
        ),
        Offer(
            "teleport",
            _teleport,
            TeleportOptions,
            "qubits in six known states, and how many arrive as they were",
            needs=lambda options: CERTAIN,
        ),
        Offer(
            "chsh",
            _chsh,
            summary="a CHSH game: S from counted bits, above 2 only with entanglement; exact tier",
            needs=lambda options: DIRECTIONS,
        ),
        Offer(
            "rsp",
            _rsp,
            PreparationOptions,
            "remote state preparation: half a pair and one bit for a known state",
            needs=lambda options: DIRECTIONS if options.states > 4 else frozenset(),
        ),
    ]
