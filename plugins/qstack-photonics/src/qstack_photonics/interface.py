"""A pair source between two benches: what `pair-source` needs, from the parts that are named."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field

from qstack.core.errors import PhysicsError
from qstack.hardware.models import either
from qstack.hardware.pairsources import PairSourceInterface
from qstack.plugin.contracts import Arm, Herald, InterfaceModel
from qstack.plugin.units import Fraction, PositiveSpan, Rate
from qstack.quantum.photons import dark_click
from qstack_photonics.parts import Converter, Detector, part

CLICKERS = 2
"""Detectors of a bench that tells two values apart."""

Share = Annotated[Fraction, Field(gt=0)]


class BenchInterface(InterfaceModel):
    """A pulsed pair source in the middle, and at each end a bench of two detectors, perhaps behind a converter."""

    kind: ClassVar[str] = "bench"
    outward: ClassVar[bool] = True
    mean_pairs: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.001, 0.003, 0.01, 0.03, 0.1), min_length=1, description="mean pairs per pulse to choose from [1]"
    )
    pulse_rate: Rate = Field(description="of the source [Hz]")
    pair_fidelity: Annotated[Fraction, Field(ge=0.25)] = Field(description="of a pair at low brightness [1]")
    collection: Share = Field(description="a photon of a pair enters the fibre [1]")
    window: PositiveSpan = Field(description="of a coincidence [ps]")
    detector: part(Detector)  # type: ignore[valid-type]  # made by a function
    converter: part(Converter) | None = None  # type: ignore[valid-type]  # as above
    background: Annotated[Fraction, Field(lt=1)] = Field(
        0.0, description="clicks of light that nobody sent, per detector and window [1]"
    )

    @property
    def pairs(self) -> PairSourceInterface:
        """The same as qstack's own pair source takes it."""
        detector: Detector = self.detector
        efficiency = self.converter.efficiency if self.converter else 1.0
        noise = self.converter.noise_rate * detector.efficiency if self.converter else 0.0
        quiet = 1 - dark_click(CLICKERS * detector.dark_counts + noise, self.window * 1e-12)
        return PairSourceInterface(
            pulse_period=f"{1e12 / self.pulse_rate:.0f} ps",
            mean_pairs=self.mean_pairs,
            pair_fidelity=self.pair_fidelity,
            detection=self.collection * efficiency * detector.efficiency,
            dark_click=1 - quiet * (1 - self.background) ** CLICKERS,
        )

    def lit(self, clicks: float) -> Self:
        """Return this interface with background light on both detectors of the bench."""
        return self.model_copy(update={"background": either(self.background, clicks)})

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return one setting per brightness."""
        if not isinstance(other, BenchInterface):
            raise PhysicsError(f"interfaces of kind {self.kind} and {other.kind} cannot make a link")
        return self.pairs.herald(other.pairs, arms)

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the period of the pulses [ps]."""
        return self.pairs.period(arms)

    def emit(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each photon arrives [ps]."""
        return self.pairs.emit(arms)

    def reply(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each end knows of both [ps]."""
        return self.pairs.reply(arms)
