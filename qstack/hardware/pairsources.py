"""Interfaces whose photons come in pairs: a source between the nodes, or a source beside each memory.

Each stands where an emitter and a heralding station would: what a link is, is for the interfaces of its ends to say.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field

from qstack.hardware.models import Sigma, StationInterface, announced, either, same_kind
from qstack.plugin.contracts import Arm, Herald, InterfaceModel
from qstack.plugin.units import Fraction, PositiveSpan, Span
from qstack.quantum import heralding, sources, timing
from qstack.quantum.states import bell_from_correlators, werner

Share = Annotated[Fraction, Field(gt=0)]


class _BetweenNodes(InterfaceModel):
    """A source between two nodes: photons fly outwards, the nodes tell each other what came."""

    outward: ClassVar[bool] = True
    pulse_period: PositiveSpan = Field(description="from one pulse of the source to the next [ps]")

    def emit(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each photon arrives [ps]: a qubit begins to age in its memory."""
        return arms[0].delay, arms[1].delay

    def reply(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each node knows of both photons [ps]."""
        a, b = timing.source_in_the_middle(arms[0].delay, arms[1].delay).known
        return round(a), round(b)

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the period of the pulses [ps]; a memory that keeps what comes waits until both nodes know."""
        return self.pulse_period


class SourceInterface(_BetweenNodes):
    """A source of single pairs between two memories that herald what they take up.

    Jones, Kim, Rakher, Kwiat and Ladd, New J. Phys. 18, 083015 (2016).  Where the data sheets of two ends differ in
    the source, the worse value holds.  At most one pair per pulse: the model breaks for a source that is bright.
    """

    kind: ClassVar[str] = "source"
    pair_probability: Share = Field(1.0, description="a pulse gives a pair, collection into both fibres included [1]")
    pair_fidelity: Annotated[Fraction, Field(ge=0.25)] = Field(1.0, description="of the emitted pair [1]")
    loading: Share = Field(description="a memory takes up a photon that arrives, and heralds it [1]")
    false_herald: Fraction = Field(0.0, description="a memory without a photon heralds one [1]")

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return one setting: both memories have heralded."""
        peer = same_kind(self, other)
        bell = bell_from_correlators(werner(min(self.pair_fidelity, peer.pair_fidelity)))
        loads = (self.loading * arms[0].transmission, peer.loading * arms[1].transmission)
        found = sources.emitted_or_not(
            bell, min(self.pair_probability, peer.pair_probability), loads, (self.false_herald, peer.false_herald)
        )
        return (announced(0.0, (found,)),)

    def lit(self, clicks: float) -> Self:
        """Return this interface with background light: a memory takes it for the photon, in either polarisation."""
        return self.model_copy(update={"false_herald": either(self.false_herald, either(clicks, clicks))})


class PairSourceInterface(_BetweenNodes):
    """A down-conversion source between two nodes that detect at once: pairs are known by their coincidence.

    Pair numbers are Poissonian (many modes), detectors threshold.  Coincidences of one pair carry its state, all others
    are fully mixed: the excess over the product of the single rates is the share of the former.
    """

    kind: ClassVar[str] = "pair-source"
    mean_pairs: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.001, 0.003, 0.01, 0.03, 0.1), min_length=1, description="mean pairs per pulse to choose from [1]"
    )
    pair_fidelity: Annotated[Fraction, Field(ge=0.25)] = Field(1.0, description="at low brightness [1]")
    detection: Share = Field(description="a photon of a pair is collected and detected, fibre apart [1]")
    dark_click: Annotated[Fraction, Field(lt=1)] = Field(0.0, description="all detectors of a node, per window [1]")

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return one setting per brightness."""
        peer = same_kind(self, other)
        etas = (self.detection * arms[0].transmission, peer.detection * arms[1].transmission)
        darks = (self.dark_click, peer.dark_click)
        bell = bell_from_correlators(werner(min(self.pair_fidelity, peer.pair_fidelity)))
        return tuple(announced(mean, (sources.coincidence(bell, mean, etas, darks),)) for mean in self.mean_pairs)

    def lit(self, clicks: float) -> Self:
        """Return this interface with background light on both detectors of a node."""
        return self.model_copy(update={"dark_click": either(self.dark_click, either(clicks, clicks))})


class AbsorptiveInterface(StationInterface):
    """A memory beside a pair source, or an ensemble that is both: one photon stays, the other flies to a station.

    One click heralds one excitation in two memories: Simon et al., Phys. Rev. Lett. 98, 190503 (2007).  Many temporal
    modes are tried per cycle and the first that succeeds is kept: what a cycle gives is one pair at most.
    """

    kind: ClassVar[str] = "absorptive"
    mean_pairs: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.005, 0.01, 0.02, 0.05, 0.1), min_length=1, description="mean pairs per mode to choose from [1]"
    )
    detection: Share = Field(description="a photon sent to the station is detected, fibre apart [1]")
    storage: Share = Field(1.0, description="the other photon is taken up; 1 for an ensemble [1]")
    modes: int = Field(1, ge=1, le=1_000_000, strict=True, description="temporal modes per cycle")
    visibility: Fraction = Field(1.0, description="squared overlap of two photons' wave packets [1]")
    phase_noise: Sigma = Field(0.0, description="standard deviation of the phase between the arms [rad]")
    dark_click: Annotated[Fraction, Field(lt=1)] = Field(0.0, description="per detector and mode [1]")
    overhead: Span = Field(0, description="of every cycle, beside the light's way [ps]")

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return one setting per brightness; the fewer modes of both ends are those that can meet."""
        peer = same_kind(self, other)
        station = heralding.Detectors(dark=max(self.dark_click, peer.dark_click))
        visibility, sigma = min(self.visibility, peer.visibility), max(self.phase_noise, peer.phase_noise)
        modes = min(self.modes, peer.modes)
        found = []
        for mean in self.mean_pairs:
            a, b = (
                sources.SqueezedArm(mean, end.detection * arm.transmission, end.storage)
                for end, arm in zip((self, peer), arms, strict=True)
            )
            one = announced(mean, sources.absorptive_single_click((a, b), visibility, station, sigma))
            found.append(Herald(mean, sources.multiplexed(one.probability, modes), one.outcomes))
        return tuple(found)
