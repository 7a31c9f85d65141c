"""Hardware models: data sheets with one pure function each.

Memories say how a stored half decays; interfaces say what a heralded link between two of them gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, inf
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import Field, model_validator

from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Arm, Decay, Herald, InterfaceModel, MemoryModel, Outcome
from qstack.plugin.units import FOR_EVER, Fraction, PositiveDuration, PositiveSpan, Span
from qstack.quantum import heralding
from qstack.quantum.memory import t1_t2
from qstack.quantum.photons import arrival_jitter
from qstack.services.strategies import Storage

Interface = TypeVar("Interface", bound=InterfaceModel)
Sigma = Annotated[float, Field(ge=0)]


class _Memory(MemoryModel):
    """What memories with a relaxation and a coherence time have in common."""

    relaxation_time: PositiveDuration = Field(FOR_EVER, description="T1 [ps]")
    coherence_time: PositiveDuration = Field(FOR_EVER, description="T2, damping included [ps]; T2 <= 2 T1")

    @model_validator(mode="after")
    def _physical(self) -> Self:
        if self.relaxation_time < FOR_EVER and self.coherence_time > 2 * self.relaxation_time:
            raise ValueError(
                f"T2 exceeds 2 T1: coherence_time {self.coherence_time * 1e-12:g} s is more than twice "
                f"relaxation_time {self.relaxation_time * 1e-12:g} s, which no qubit can have."
            )
        return self

    @property
    def times_s(self) -> tuple[float, float]:
        """T1 and T2 [s]."""
        return _seconds(self.relaxation_time), _seconds(self.coherence_time)


class RelaxingMemory(_Memory):
    """Energy relaxation (T1) to |0> and dephasing (total coherence time T2), both exponential."""

    kind: ClassVar[str] = "relaxing"

    def decay(self, age_s: float) -> Decay:
        """Return exp(-t/T2) on the coherences and exp(-t/T1) on the population (amplitude and phase damping)."""
        return t1_t2(age_s, *self.times_s)

    def survival(self) -> Storage:
        """Return (2 exp(-t/T2) + exp(-t/T1)) / 3 of an age [ps]."""
        a, b = (-1e-12 / time for time in self.times_s)
        if a == 0:
            return lambda age: (2 * exp(age * b) + 1) / 3
        return lambda age: (2 * exp(age * b) + exp(age * a)) / 3


class StretchedMemory(_Memory):
    """Energy relaxation, and a bath in which the coherence falls as exp(-(t/T)^n).

    n = 2 in slow noise (Gaussian), 3 after an echo: de Sousa, Top. Appl. Phys. 115, 183 (2009).  T follows from T2, at
    which the whole coherence, damping included, has fallen to 1/e.
    """

    kind: ClassVar[str] = "stretched"
    exponent: Annotated[float, Field(ge=1, le=4)] = Field(2.0, description="n [1]")

    def decay(self, age_s: float) -> Decay:
        """Return damping and the bath together."""
        t1, t2 = self.times_s
        damping = t1_t2(age_s, t1, 2 * t1)
        bath = (1 - t2 / (2 * t1)) * (age_s / t2) ** self.exponent if t2 < inf else 0.0
        return Decay(damping.xy * exp(-bath), damping.z, damping.shift)


def _seconds(time: int) -> float:
    return inf if time >= FOR_EVER else time * 1e-12


class TextbookInterface(InterfaceModel):
    """A link that is given, not derived: success probability, fidelity and timing are parameters."""

    kind: ClassVar[str] = "textbook"
    probability: Annotated[Fraction, Field(gt=0)]
    fidelity: Annotated[Fraction, Field(ge=0.25)]
    attempt_period: PositiveSpan = Field(description="time from one attempt of a lane to the next [ps]")
    herald_after: Span | None = Field(None, description="when both ends know [ps]; default: when light allows")

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return one setting: a Werner pair in the frame of Phi+."""
        same_kind(self, other)
        w = (4 * self.fidelity - 1) / 3
        return (Herald(0.0, self.probability, (Outcome(1.0, 0, (w, w, w)),)),)

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the time between attempts [ps]."""
        return self.attempt_period

    def reply(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when both ends know [ps]; never before light could tell them."""
        earliest = super().reply(arms)
        if self.herald_after is None:
            return earliest
        if self.herald_after < max(earliest):
            raise PhysicsError(
                f"herald_after {self.herald_after * 1e-6:g} us is faster than light: "
                f"the answer of the station needs {max(earliest) * 1e-6:g} us"
            )
        return self.herald_after, self.herald_after


def either(one: float, other: float) -> float:
    """Return the probability that at least one of two independent things happens."""
    return one + other - one * other


class StationInterface(InterfaceModel):
    """Interfaces whose photons interfere at a station: what light, mismatch and distance do to them."""

    if TYPE_CHECKING:  # each declares them in its data sheet, in its own place and words
        dark_click: float
        visibility: float
        overhead: int

    def lit(self, clicks: float) -> Self:
        """Return this interface with background light."""
        return self.model_copy(update={"dark_click": either(self.dark_click, clicks)})

    def blurred(self, overlap: float) -> Self:
        """Return this interface with photons that overlap less."""
        return self.model_copy(update={"visibility": self.visibility * overlap})

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the slowest way to the station and back, plus the overhead [ps]."""
        period = 2 * max(arms[0].delay, arms[1].delay) + self.overhead
        if period == 0:
            raise PhysicsError("a cycle of no length: give the interface an overhead")
        return period


class PhotonInterface(StationInterface):
    """What every emitter-and-station interface has in common."""

    detection: Annotated[Fraction, Field(gt=0)] = Field(description="an emitted photon is detected, fibre apart [1]")
    visibility: Fraction = Field(1.0, description="squared overlap of two photons' wave packets [1]")
    emitter_fidelity: Annotated[Fraction, Field(ge=0.25)] = Field(1.0, description="fidelity of qubit and photon [1]")
    dark_click: Annotated[Fraction, Field(lt=1)] = Field(0.0, description="per detector and window [1]")
    double_excitation: Fraction = Field(0.0, description="an excited emitter sends two photons [1]")
    detectors: Literal["threshold", "number"] = Field("threshold", description="number: tells one photon from two")
    photon_lifetime: Span = Field(0, description="of the emitter: time constant of a photon's decay [ps]")
    arrival_jitter: Span = Field(0, description="standard deviation of the offset of two photons [ps]")
    overhead: Span = Field(0, description="of every cycle, beside the light's way [ps]")

    def ends(self, peer: PhotonInterface, arms: tuple[Arm, Arm]) -> tuple[heralding.Arm, heralding.Arm]:
        """Return both nodes and their fibres as the heralding formulas take them."""
        a, b = (
            heralding.Arm(end.detection * arm.transmission, end.emitter_fidelity, end.double_excitation)
            for end, arm in zip((self, peer), arms, strict=True)
        )
        return a, b

    def station(self, peer: PhotonInterface) -> heralding.Detectors:
        """Return the station's detectors; where the two data sheets differ, the worse value holds."""
        return heralding.Detectors(
            dark=max(self.dark_click, peer.dark_click),
            number_resolving=self.detectors == peer.detectors == "number",
        )

    def overlap(self, peer: PhotonInterface) -> float:
        """Return the visibility of photons of both ends: the worse of the sheets, and what arrival jitter leaves of it."""
        visibility = min(self.visibility, peer.visibility)
        jitter = max(self.arrival_jitter, peer.arrival_jitter)
        if not jitter:
            return visibility
        lifetime = min(self.photon_lifetime, peer.photon_lifetime)
        if not lifetime:
            raise PhysicsError("arrival_jitter needs photon_lifetime: it spoils short photons more than long ones")
        return visibility * arrival_jitter(1 / lifetime, jitter)


class DoubleClickInterface(PhotonInterface):
    """Two-photon heralding, one click in each of two bins (Barrett and Kok, Phys. Rev. A 71, 060310, 2005).

    A dead time that is longer than the spacing of the bins leaves outcomes at different detectors only; one that reaches
    into the next attempt breaks the model.
    """

    kind: ClassVar[str] = "double-click"
    phase_drift: Sigma = Field(
        0.0, description="standard deviation of the change of the arms' phase from bin to bin [rad]; a constant cancels"
    )
    dead_time: Span = Field(0, description="of a detector after a click [ps]")
    bin_spacing: Span = Field(0, description="from the early to the late bin [ps]")

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return one setting: equal or different detectors announce Psi+ or Psi-."""
        peer = same_kind(self, other)
        drift = max(self.phase_drift, peer.phase_drift)
        found = heralding.double_click(self.ends(peer, arms), self.overlap(peer), self.station(peer), drift)
        return (announced(0.0, found),)

    def station(self, peer: PhotonInterface) -> heralding.Detectors:
        """Return the station's detectors; one that is still dead in the late bin announces nothing there."""
        assert isinstance(peer, DoubleClickInterface)
        spacing = min(self.bin_spacing, peer.bin_spacing)
        dead = max(self.dead_time, peer.dead_time)
        return replace(super().station(peer), dead_between_bins=dead > spacing)


class SingleClickInterface(PhotonInterface):
    """One-photon heralding with a bright-state population (Cabrillo et al., Phys. Rev. A 59, 1025, 1999)."""

    kind: ClassVar[str] = "single-click"
    phase_noise: Sigma = Field(0.0, description="standard deviation of the phase between the arms [rad]")
    bright_states: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5), min_length=1, description="populations to choose from [1]"
    )

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return one setting per bright-state population."""
        peer = same_kind(self, other)
        ends, station = self.ends(peer, arms), self.station(peer)
        visibility, sigma = self.overlap(peer), max(self.phase_noise, peer.phase_noise)
        return tuple(
            announced(alpha, heralding.single_click((alpha, alpha), ends, visibility, station, sigma))
            for alpha in self.bright_states
        )


def same_kind(mine: Interface, other: InterfaceModel) -> Interface:
    """Return the other end's interface if both speak the same scheme."""
    if type(other) is not type(mine):
        raise PhysicsError(f"interfaces of kind {mine.kind} and {other.kind} cannot make a link")
    return other


def announced(parameter: float, found: Sequence[heralding.Announcement]) -> Herald:
    """Return a setting from what the station announces; patterns of one Bell index are one outcome each."""
    total = heralding.success_probability(found)
    outcomes = tuple(Outcome(f.probability / total, int(f.bell), f.correlators, f.beyond_bell) for f in found)
    return Herald(parameter, total, outcomes)
