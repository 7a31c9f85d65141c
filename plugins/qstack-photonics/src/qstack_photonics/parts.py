"""Parts of an optical bench: detectors, frequency converters, fibres, attenuated lasers; each a data sheet with origins.

A part stands in a platform by name (``detector: snspd-2017``) or inline.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import hypot, isclose
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator
from ruamel.yaml import YAML

from qstack.core.errors import PhysicsError
from qstack.plugin.offers import NotOffered, Options
from qstack.plugin.optics import (
    ChannelPart,
    DetectorPart,
    Gates,
    Part,
    PartSheet,
    Passage,
    Pulses,
    SourcePart,
    load_parts,
)
from qstack.plugin.sheet import Origin, check_origins
from qstack.plugin.units import Attenuation, Fraction, Rate, Span
from qstack.quantum.decoy import fibre_transmission, gllp_rate
from qstack.quantum.photons import dark_click

FOLDER = Path(__file__).parent / "data" / "parts"
Share = Annotated[Fraction, Field(gt=0)]
P = TypeVar("P", bound=Options)


class Detector(DetectorPart):
    """A single-photon detector.

    Its dark counts double every so many kelvin above the temperature at which they were measured: the empirical law of
    avalanche diodes.  Superconducting detectors simply stop above their limit.
    """

    kind: ClassVar[str] = "bench-detector"

    efficiency: Share = Field(description="of the whole detector, coupling included [1]")
    dark_rate: Rate = Field(0.0, description="dark counts [Hz] at `measured_at`")
    jitter: Span = Field(0, description="timing, full width at half maximum unless the source says otherwise [ps]")
    dead_time: Span = Field(0, description="after a click [ps]")
    number_resolving: bool = False
    temperature: Annotated[float, Field(gt=0, le=400)] | None = Field(None, description="in use [K]")
    measured_at: Annotated[float, Field(gt=0, le=400)] | None = Field(None, description="of `dark_rate` [K]")
    warmest: Annotated[float, Field(gt=0, le=400)] | None = Field(None, description="works up to here [K]")
    doubling: Annotated[float, Field(gt=0)] | None = Field(None, description="dark counts double every [K]")

    @property
    def dark_counts(self) -> float:
        """Dark counts at the temperature in use [Hz].

        Raises
        ------
        PhysicsError
            If the detector is too warm to work.
        """
        if self.temperature is not None and self.warmest is not None and self.temperature > self.warmest:
            raise PhysicsError(
                f"detector {self.name} at {self.temperature:g} K: it works up to {self.warmest:g} K only"
            )
        if self.temperature is None or self.measured_at is None or self.doubling is None:
            return self.dark_rate
        return self.dark_rate * float(2 ** ((self.temperature - self.measured_at) / self.doubling))

    def gates(self, rate_hz: float) -> Gates:
        """Return what a receiver of such detectors does, open all the time; its optics are taken as perfect.

        Raises
        ------
        PhysicsError
            If the detector is too warm to work.
        """
        return Gates(self.efficiency, self.dark_counts, self.dead_time * 1e-12)

    def dark_click(self, window: int) -> float:
        """Return the probability of a dark click in a window [ps]."""
        return dark_click(self.dark_counts, window * 1e-12)

    def dead_between(self, spacing: int) -> bool:
        """Return whether a click in one bin blinds the detector in the next, `spacing` [ps] later."""
        return self.dead_time > spacing


class Converter(Options):
    """Quantum frequency conversion: external efficiency, and noise photons per second in the band of the filter."""

    name: str = "inline"
    title: str = ""
    origins: tuple[Origin, ...] = ()
    efficiency: Share
    noise_rate: Rate = 0.0
    from_nm: Annotated[float, Field(gt=0)] | None = None
    to_nm: Annotated[float, Field(gt=0)] | None = None


class FibreSheet(ChannelPart):
    """A kind of fibre."""

    kind: ClassVar[str] = "bench-fibre"

    attenuation: Attenuation
    group_index: Annotated[float, Field(ge=1, le=4)] = 1.468
    thermal_delay: Annotated[float, Field(ge=0)] = Field(0.0, description="change of delay [ps/(km K)]")
    dispersion: float = Field(0.0, description="chromatic [ps/(nm km)]")

    def passage(self, length_km: float) -> Passage:
        """Return the loss of a dark fibre of this length [km]."""
        return Passage(self.attenuation * length_km)

    def delay(self, length: float, kelvin: float = 0.0) -> float:
        """Return the time of flight [ps] over a length [km], so many kelvin above the temperature it was measured at."""
        return length * (self.group_index / 299_792.458 * 1e12 + self.thermal_delay * kelvin)

    def broadening(self, length: float, width: float) -> float:
        """Return by how much dispersion spreads a photon [ps] of a spectral width [nm] over a length [km]."""
        return abs(self.dispersion) * width * length

    def wash_out(self, length: float, width: float, duration: float) -> float:
        """Return the visibility between one photon that went through dispersion and one that did not.

        Transform-limited Gaussian photons of intensity width s = `duration` [ps, standard deviation] have the
        spectral width 1/(2 s); a quadratic phase that spreads them by t = D w L leaves of the squared overlap
        1 / sqrt(1 + (t / 2s)^2), the Gaussian integral of the spectrum with that phase.
        """
        return 2 / hypot(2, self.broadening(length, width) / duration)


class PulseSource(SourcePart):
    """An attenuated laser that prepares states and sends them: decoy-state BB84.

    A sheet that says nothing of decoys leaves them to the operator: 0.3 of the signal and empty pulses unless he chooses.
    """

    kind: ClassVar[str] = "bench-laser"

    intensity: Annotated[float, Field(gt=0, le=10)] = Field(description="mean photons of a signal pulse [1]")
    pulse_rate: Annotated[Rate, Field(gt=0)]
    optical_error: Annotated[Fraction, Field(le=0.5)] = Field(description="a photon reaches the wrong detector [1]")
    decoys: tuple[Annotated[float, Field(ge=0, le=10)], ...] | None = Field(
        None, description="mean photons of the other pulses, falling [1]", min_length=1, max_length=2
    )
    probabilities: tuple[Share, ...] = Field((0.2, 0.48, 0.32), description="of signal and decoys [1]")
    p_key: Annotated[Fraction, Field(gt=0, lt=1)] = Field(0.8, description="of the key basis [1]")

    @property
    def intensities(self) -> tuple[float, ...]:
        """Signal and decoys."""
        return self.intensity, *((0.3 * self.intensity, 0.0) if self.decoys is None else self.decoys)

    @model_validator(mode="after")
    def _decoys_fit(self) -> Self:
        if len(self.probabilities) != len(self.intensities):
            raise ValueError(f"{len(self.intensities)} intensities need as many probabilities.")
        if not isclose(sum(self.probabilities), 1, abs_tol=1e-9):
            raise ValueError(f"probabilities add up to {sum(self.probabilities):g}, not to 1.")
        if list(self.intensities) != sorted(set(self.intensities), reverse=True):
            raise ValueError("decoys must be weaker than the signal, and fall.")
        return self

    def pulses(self) -> Pulses:
        """Return what it sends with two decoys, or with those chosen."""
        return Pulses(self.pulse_rate, self.intensities, self.probabilities, self.p_key, self.optical_error)

    def key_rate(
        self, length: float, fibre: FibreSheet, detector: Detector, window: int, inefficiency: float = 1.16
    ) -> float:
        """Return secret bits per second over a fibre [km] with two detectors that look for `window` [ps]."""
        transmission = detector.efficiency * fibre_transmission(length, fibre.attenuation)
        dark = -((1 - detector.dark_click(window)) ** 2) + 1
        return self.pulse_rate * gllp_rate(transmission, self.intensity, dark, self.optical_error, inefficiency)


KINDS: Mapping[str, type[Options]] = {
    "detectors": Detector,
    "converters": Converter,
    "fibres": FibreSheet,
    "pulse-sources": PulseSource,
}
"""One file of parts for each kind."""


@cache
def _of_kind(file: str) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name, sheet in YAML(typ="safe").load(FOLDER / f"{file}.yaml").items():
        found[name] = KINDS[file].model_validate({"name": name, **sheet})
        check_origins(found[name].origins, sheet)
    return found


def key_parts() -> list[PartSheet]:
    """Return the parts that stand in a link of weak pulses: what the hardware hook offers."""
    kinds: Mapping[str, type[Part]] = {"detectors": Detector, "fibres": FibreSheet, "pulse-sources": PulseSource}
    return [sheet for file, kind in kinds.items() for sheet in load_parts(FOLDER / f"{file}.yaml", kind)]


def parts() -> Mapping[str, Any]:
    """Return all packaged parts by name."""
    return {name: thing for file in KINDS for name, thing in _of_kind(file).items()}


def part(kind: type[P]) -> Any:
    """Return a pydantic type for a part of a kind: its name, or its data sheet."""

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        offered = next(_of_kind(file) for file, found in KINDS.items() if found is kind)
        if value not in offered:
            raise NotOffered(value, f"a {kind.__name__.lower()}", sorted(offered))
        return offered[value]

    return Annotated[kind, BeforeValidator(read)]
