"""Reference parts of a key link, and the sheets that demonstrations and plans take where nothing is named.

The values of these sheets are assumed, not measured: a laboratory's good link and a plain field link.  Data sheets of
real parts come from plugins.
"""

from __future__ import annotations

from math import isclose
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from qstack.plugin.optics import ChannelPart, DetectorPart, Gates, Part, Passage, Pulses, SourcePart
from qstack.plugin.sheet import Origin
from qstack.plugin.units import Attenuation, Fraction, Loss, Rate, Span

Share = Annotated[Fraction, Field(gt=0)]
Wrong = Annotated[Fraction, Field(le=0.5)]


class DecoySource(SourcePart):
    """An attenuated laser whose pulses have a random phase, an intensity drawn from a list, and one of four states."""

    kind: ClassVar[str] = "decoy-pulses"

    rate: Annotated[Rate, Field(gt=0)] = Field(description="pulses per second [Hz]")
    intensities: tuple[Annotated[float, Field(ge=0, le=10)], ...] = Field(
        (0.3, 0.09, 0.0), min_length=2, max_length=3, description="mean photon numbers, the signal first, falling [1]"
    )
    probabilities: tuple[Share, ...] = Field((0.2, 0.48, 0.32), description="of each intensity [1]")
    p_key: Annotated[Fraction, Field(gt=0, lt=1)] = Field(0.8, description="of the key basis [1]")
    optical_error: Wrong = Field(0.0, description="a photon is in the opposite state [1]")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.probabilities) != len(self.intensities):
            raise ValueError(f"{len(self.intensities)} intensities need as many probabilities.")
        if not isclose(sum(self.probabilities), 1, abs_tol=1e-9):
            raise ValueError(f"probabilities add up to {sum(self.probabilities):g}, not to 1.")
        if list(self.intensities) != sorted(set(self.intensities), reverse=True):
            raise ValueError("intensities must fall strictly, the signal first.")
        return self

    def pulses(self) -> Pulses:
        """Return the values of the sheet."""
        return Pulses(self.rate, self.intensities, self.probabilities, self.p_key, self.optical_error)


class PlainFibre(ChannelPart):
    """A fibre that takes the same share of the light from every kilometre, and something at its ends."""

    kind: ClassVar[str] = "plain-fibre"

    attenuation: Attenuation = Field(description="[dB/km]")
    fixed_loss: Loss = Field(0.0, description="connectors, splices, filters [dB]")
    light: Rate = Field(0.0, description="photons of other traffic that pass the receiver's filter [Hz]")

    def passage(self, length_km: float) -> Passage:
        """Return a loss that grows with the length."""
        return Passage(self.attenuation * length_km + self.fixed_loss, self.light)


class ThresholdDetector(DetectorPart):
    """A receiver of two detectors per basis that click or do not."""

    kind: ClassVar[str] = "threshold-detector"

    efficiency: Share = Field(description="receiver optics included [1]")
    dark_rate: Rate = Field(0.0, description="dark counts of one detector [Hz]")
    dead_time: Span = Field(0, description="all detectors are held off after a click [ps]")
    optical_error: Wrong = Field(0.0, description="a photon takes the wrong exit [1]")

    def gates(self, rate_hz: float) -> Gates:
        """Return the values of the sheet, the same at every rate."""
        return Gates(self.efficiency, self.dark_rate, self.dead_time * 1e-12, self.optical_error)


MODELS: tuple[type[Part], ...] = (DecoySource, PlainFibre, ThresholdDetector)


def _assumed(why: str, *names: str) -> tuple[Origin, ...]:
    return (Origin(assumption=why, gives=dict.fromkeys(names, "")),)


_LIGHT = ("rate", "intensities", "probabilities", "p_key")
_CHOICE = "Intensities and shares near the best ones for blocks of a million bits; clock assumed."
_CLICKS = ("efficiency", "dark_rate", "dead_time", "optical_error")

SHEETS: tuple[Part, ...] = (
    DecoySource(
        name="decoy-80mhz", title="Two decoys, 80 MHz; assumed", rate="80 MHz", origins=_assumed(_CHOICE, *_LIGHT)
    ),
    DecoySource(
        name="decoy-100mhz", title="Two decoys, 100 MHz; assumed", rate="100 MHz", origins=_assumed(_CHOICE, *_LIGHT)
    ),
    PlainFibre(
        name="fibre-0.2",
        title="Fibre of 0.2 dB/km; assumed",
        attenuation="0.2 dB/km",
        origins=_assumed("Telecommunication fibre at 1550 nm, nothing else on it.", "attenuation", "light"),
    ),
    ThresholdDetector(
        name="cold-80",
        title="Superconducting detectors of 80 %; assumed",
        efficiency=0.8,
        dark_rate="10 Hz",
        optical_error=0.015,
        origins=_assumed("A good laboratory receiver without dead time.", *_CLICKS),
    ),
    ThresholdDetector(
        name="diode-20",
        title="Avalanche diodes of 20 %; assumed",
        efficiency=0.2,
        dark_rate="100 Hz",
        dead_time="50 ns",
        optical_error=0.01,
        origins=_assumed("A plain field receiver.", *_CLICKS),
    ),
)
