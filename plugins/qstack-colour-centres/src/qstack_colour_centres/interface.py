"""Single-click entanglement between colour centres, from the parameters that laboratories publish.

The photon budget is a product: zero-phonon emission, collection, frequency conversion, detector, and the share of the
exponential emission that falls into the detection window.  What a station announces follows from
`qstack.quantum.heralding.single_click`.
"""

from __future__ import annotations

from math import expm1, log1p
from typing import Annotated, ClassVar, Self

from pydantic import Field

from qstack.core.errors import PhysicsError
from qstack.hardware.models import announced
from qstack.plugin.contracts import Arm, Herald, InterfaceModel
from qstack.plugin.units import Fraction, PositiveSpan
from qstack.quantum import heralding

Share = Annotated[Fraction, Field(gt=0)]


class ColourCentreInterface(InterfaceModel):
    """An optical transition of a spin, excited weakly; one click at the station heralds entanglement.

    Cabrillo et al., Phys. Rev. A 59, 1025 (1999); Humphreys et al., Nature 558, 268 (2018).
    """

    kind: ClassVar[str] = "colour-centre"
    zero_phonon: Share = Field(description="share of the emission into the zero-phonon line [1]")
    collection: Share = Field(description="a zero-phonon photon enters the fibre [1]")
    conversion: Share = Field(1.0, description="frequency conversion, its losses included [1]")
    detector_efficiency: Share = Field(description="of the station's detectors [1]")
    lifetime: PositiveSpan = Field(description="of the excited state: time constant of the emission [ps]")
    window: PositiveSpan = Field(description="detection window, from the excitation on [ps]")
    dark_rate: float = Field(0.0, ge=0, description="dark counts per detector [Hz]")
    visibility: Fraction = Field(1.0, description="squared overlap of two photons' wave packets [1]")
    phase_noise: float = Field(0.0, ge=0, description="standard deviation of the phase between the arms [rad]")
    double_excitation: Fraction = Field(0.0, description="an excited centre emits two photons [1]")
    emitter_fidelity: Annotated[Fraction, Field(ge=0.25)] = Field(1.0, description="of spin and photon [1]")
    attempt: PositiveSpan = Field(description="reset and excitation: least time between attempts [ps]")
    bright_states: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5), min_length=1, description="populations to choose from [1]"
    )

    @property
    def detection(self) -> float:
        """Probability that one excitation gives a click, fibre apart [1]."""
        in_time = -expm1(-self.window / self.lifetime)
        return self.zero_phonon * self.collection * self.conversion * self.detector_efficiency * in_time

    @property
    def dark_click(self) -> float:
        """Probability of a dark click per detector and window [1], of a Poisson process."""
        return -expm1(-self.dark_rate * self.window * 1e-12)

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return one setting per bright-state population, equal at both ends.

        Where the two data sheets differ in what belongs to the pair of them, the worse value holds.
        """
        if not isinstance(other, ColourCentreInterface):
            raise PhysicsError(f"interfaces of kind {self.kind} and {other.kind} cannot make a link")
        a, b = (
            heralding.Arm(end.detection * arm.transmission, end.emitter_fidelity, end.double_excitation)
            for end, arm in zip((self, other), arms, strict=True)
        )
        station = heralding.Detectors(dark=max(self.dark_click, other.dark_click))
        visibility = min(self.visibility, other.visibility)
        sigma = max(self.phase_noise, other.phase_noise)
        return tuple(
            announced(alpha, heralding.single_click((alpha, alpha), (a, b), visibility, station, sigma))
            for alpha in self.bright_states
        )

    def lit(self, clicks: float) -> Self:
        """Return this interface with background light: more counts in the window."""
        return self.model_copy(update={"dark_rate": self.dark_rate - log1p(-clicks) / (self.window * 1e-12)})

    def blurred(self, overlap: float) -> Self:
        """Return this interface with photons that overlap less."""
        return self.model_copy(update={"visibility": self.visibility * overlap})

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return reset, excitation and the slowest way to the station and back [ps]."""
        return self.attempt + 2 * max(arm.delay for arm in arms)
