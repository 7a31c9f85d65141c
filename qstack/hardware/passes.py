"""Satellites that rise, pass and set: links that come and go, and whose losses change from second to second.

A pass is cut into steps; within one the satellite is taken to stand where it does in the middle of it.  Cycle and delays
are those of the longest ranges of the pass throughout, so that no answer is ever faster than light.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, log10
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from qstack.core.errors import PhysicsError
from qstack.hardware.channels import NotNegative, Positive, Receiver, lit
from qstack.hardware.midpoint import midpoint
from qstack.plugin.contracts import Fibre, Herald, LinkSheet, Phase, Platform
from qstack.plugin.offers import Options
from qstack.plugin.units import LIGHT, Fraction, Length, Loss, PositiveSpan, Span
from qstack.quantum import freespace, raman

SECOND = 10**12
MOST_STEPS = 20_000
SKY = {"day": 1.5, "full-moon": 1.5e-3, "night": 1.5e-5}
"""Radiance of a clear sky [W/(m^2 sr um)]: orders of magnitude as they are quoted after Er-long et al., New J. Phys. 7,
215 (2005), not checked there; give a number where it was measured."""


Elevation = Annotated[float, Field(gt=0, le=90)]
"""Above the horizon [degree]."""


def _sky(value: object) -> object:
    known = isinstance(value, str) and value in SKY
    radiance = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < inf
    if not (known or radiance):
        raise ValueError(f"expected {', '.join(SKY)}, or a radiance, zero or more [W/(m^2 sr um)].")
    return value


class _Optics(Options):
    """What a link to a satellite consists of, whoever stands at its ends.

    Parameters
    ----------
    altitude
        Of the circular orbit.
    lowest
        Elevation below which a station does not see the satellite [degree].
    culminations
        When the first end sees the satellite at its highest: one time per pass, each after the one before.
    half_divergence
        Half of the full angle of the beam at 1/e^2 [rad].
    aperture
        Diameter of the telescope that receives.
    jitter
        Standard deviation of pointing per axis [rad].
    optics
        Transmission of both telescopes of one way together [1].
    zenith_loss
        Of the whole atmosphere, straight up.
    sky
        ``night``, ``full-moon`` or ``day`` of a clear sky, or its radiance [W/(m^2 sr um)].
    view
        Full angle of the receiving telescope's field of view [rad].
    receiver
        Filter, window and detectors of who receives.
    step
        Length of the steps into which a pass is cut.
    """

    altitude: Length = 500.0
    lowest: Annotated[float, Field(gt=0, lt=90)] = 10.0
    culminations: Annotated[tuple[Span, ...], Field(min_length=1, examples=[("400 s",)])]
    half_divergence: Positive = 5e-6
    aperture: Length = 1.2e-3
    jitter: NotNegative = 0.0
    optics: Annotated[Fraction, Field(gt=0)] = 0.5
    zenith_loss: Loss = 3.0
    sky: Annotated[Literal["night", "full-moon", "day"] | NotNegative, BeforeValidator(_sky)] = "night"
    view: Positive = 1e-4
    receiver: Receiver = Receiver(wavelength=810)
    step: PositiveSpan = SECOND

    def loss(self, up: float) -> float:
        """Return the loss of one way [dB] at an elevation [degree]."""
        reach = freespace.slant_range(self.altitude, up)
        pointed = freespace.pointing_transmission(self.jitter, self.half_divergence)
        share = freespace.aperture_share(reach, self.half_divergence, self.aperture * 1e3)
        return -10 * log10(share * freespace.air_transmission(self.zenith_loss, up) * pointed * self.optics)

    @property
    def sky_power(self) -> float:
        """Power of the sky behind the receiver's filter [W]."""
        radiance = SKY[self.sky] if isinstance(self.sky, str) else self.sky
        return self.optics * freespace.sky_power(radiance, self.view, self.aperture * 1e3, self.receiver.filter)

    def lit(self, platform: Platform) -> Platform:
        """Return a platform whose detectors also see the sky."""
        return lit(platform, self.receiver.clicks(self.sky_power / 2))  # half of it for either detector


class SatellitePass(_Optics):
    """A satellite that passes over two ground stations, the length of the link apart on the ground.

    Parameters
    ----------
    highest
        Elevation at the highest point of a pass, as either end sees it [degree].
    sides
        Whether both ends stand on the same side of the satellite's track, or it passes between them.
    """

    highest: tuple[Elevation, Elevation] = (60.0, 60.0)
    sides: Literal["same", "opposite"] = "same"


class SatelliteLink(_Optics):
    """A ground station, the first end, and a satellite, the second end, that passes over it.

    Parameters
    ----------
    highest
        Elevation at the highest point of a pass [degree].
    station
        Where photons are detected: ``ground`` for a downlink, ``satellite`` for an uplink.
    coherence
        For an uplink: Fried's length over the way; without it there is no turbulence.
    """

    highest: Elevation = 60.0
    station: Literal["ground", "satellite"] = "ground"
    coherence: Length | None = None

    def spread(self) -> SatelliteLink:
        """Return the link with the beam as wide as the air makes it: where it begins in the air, an uplink."""
        if self.station == "ground" or self.coherence is None:
            return self
        wide = freespace.turbulent_divergence(
            self.half_divergence, self.receiver.wavelength * 1e-9, self.coherence * 1e3
        )
        return self.model_copy(update={"half_divergence": wide, "coherence": None})

    def budget(self) -> list[tuple[float, float]]:
        """Return the steps of one pass: how long each takes [s], and its loss [dB]; see `qstack.plugin.contracts.Passing`.

        Raises
        ------
        PhysicsError
            If the satellite never stands high enough.
        """
        beam, seen = self.spread(), _Seen(self.highest, 0)
        rise, fall = seen.window(self.altitude, self.lowest)
        return [
            ((end - start) * 1e-12, beam.loss(seen.up(self.altitude, (start + end) // 2)))
            for start, end in pairwise(_edges(rise, fall, self.step, len(self.culminations)))
        ]

    def stray(self, rate_hz: float) -> float:
        """Return photons of the sky that reach the detectors in the gates of a clock [Hz], both together [Hz]."""
        if self.station != "ground":
            return 0.0  # a telescope in orbit looks down on a dark Earth
        return raman.photon_rate(self.sky_power, self.receiver.wavelength) * min(
            1.0, self.receiver.window * 1e-12 * rate_hz
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A satellite as one station sees it: highest elevation [degree], and when [ps] after the first end sees its own."""

    highest: float
    lag: int

    def up(self, altitude: float, time: int) -> float:
        """Return its elevation [degree] at a time [ps] from the first end's culmination."""
        return freespace.elevation(altitude, self.highest, (time - self.lag) * 1e-12)

    def window(self, altitude: float, lowest: float) -> tuple[int, int]:
        """Return from when to when it stands high enough [ps], from the first end's culmination."""
        freespace.track_angle(altitude, self.highest)  # says so if it never rises
        half = round(freespace.pass_half(altitude, self.highest, lowest) * 1e12)
        return self.lag - half, self.lag + half


def satellite_pass(options: SatellitePass, a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
    """Return what a link by way of a satellite can do while it passes over two stations.

    What the satellite carries is for the interfaces to say, as in `qstack.hardware.channels.satellite`.  Both ways have
    the loss of a downlink.

    Raises
    ------
    PhysicsError
        If the stations cannot both see the pass, passes overlap, or the platforms do not fit together.
    """
    opposite = options.sides == "opposite"
    lag = round(freespace.pass_lag(options.altitude, options.highest, fibre.length, opposite=opposite) * 1e12)
    stations = (_Seen(options.highest[0], 0), _Seen(options.highest[1], lag))
    a, b = options.lit(a), options.lit(b)

    def way(ups: tuple[float, ...]) -> Fibre:
        ranges = [freespace.slant_range(options.altitude, up) for up in ups]
        losses = (options.loss(ups[0]), options.loss(ups[1]))
        return Fibre(sum(ranges), sum(losses), LIGHT, ranges[0] / sum(ranges), losses)

    return _passing(options, stations, lambda ups: midpoint(a, b, way(ups)))


def satellite_link(options: SatelliteLink, a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
    """Return what a link between a ground station and a satellite can do while it passes; the fibre is not used.

    Raises
    ------
    PhysicsError
        If the satellite never stands high enough, passes overlap, or the platforms do not fit together.
    """
    down = options.station == "ground"
    options = options.spread()
    if down:  # a telescope in orbit looks down on a dark Earth
        a, b = options.lit(a), options.lit(b)

    def way(ups: tuple[float, ...]) -> Fibre:
        reach, loss = freespace.slant_range(options.altitude, ups[0]), options.loss(ups[0])
        return Fibre(reach, loss, LIGHT, 0.0 if down else 1.0, (0.0, loss) if down else (loss, 0.0))

    return _passing(options, (_Seen(options.highest, 0),), lambda ups: midpoint(a, b, way(ups)))


def _passing(
    options: _Optics, stations: tuple[_Seen, ...], make: Callable[[tuple[float, ...]], LinkSheet]
) -> LinkSheet:
    """Return the sheet of a link that can do what `make` says of the elevations that all stations see."""
    windows = [station.window(options.altitude, options.lowest) for station in stations]
    rise, fall = max(start for start, _ in windows), min(end for _, end in windows)
    if rise >= fall:
        raise PhysicsError(
            f"the two ends never see the satellite together above {options.lowest:g} degrees: it sets at the first "
            f"{windows[0][1] * 1e-12:.4g} s after its highest point there, and rises at the second "
            f"{windows[1][0] * 1e-12:.4g} s after it"
        )
    if any(later - sooner < fall - rise for sooner, later in pairwise(options.culminations)):
        raise PhysicsError(f"culminations are less than the {(fall - rise) * 1e-12:.4g} s of a pass apart")
    edges = _edges(rise, fall, options.step, len(options.culminations))
    # Steps at which both ends see the same again, such as before and after the top, are computed once.
    known: dict[tuple[float, ...], LinkSheet] = {}
    sheets: list[LinkSheet] = []
    for start, end in pairwise(edges):
        ups = tuple(round(station.up(options.altitude, (start + end) // 2), 9) for station in stations)
        if ups not in known:
            known[ups] = make(ups)
        sheets.append(known[ups])
    far = max(sheets, key=lambda sheet: sheet.delay)
    phases = tuple(_phases(options.culminations, edges, [sheet.heralds for sheet in sheets]))
    lengths = [end - start for start, end in pairwise(edges)]
    rows = range(len(far.heralds))
    heralds = tuple(
        _usual([(length, s.heralds[row]) for length, s in zip(lengths, sheets, strict=True)]) for row in rows
    )
    return LinkSheet(
        heralds,
        max(sheet.period for sheet in sheets),
        _latest([sheet.emit for sheet in sheets]),
        _latest([sheet.reply for sheet in sheets]),
        far.lanes,
        far.delay,
        phases,
    )


def _edges(rise: int, fall: int, step: int, passes: int) -> list[int]:
    """Return the ends of the steps of a pass [ps]."""
    steps = ceil((fall - rise) / step)
    if steps * passes > MOST_STEPS:
        raise PhysicsError(f"the passes have more than {MOST_STEPS} steps of {step * 1e-12:g} s: take longer ones")
    return [rise + (fall - rise) * k // steps for k in range(steps + 1)]


def _latest(times: list[tuple[int, int]]) -> tuple[int, int]:
    return max(a for a, _ in times), max(b for _, b in times)


def _usual(steps: list[tuple[int, Herald]]) -> Herald:
    """Return the mean probability of a setting over all steps, and the worst state that it announces in any."""
    total = sum(length for length, _ in steps)
    mean = sum(length * herald.probability for length, herald in steps) / total
    possible = [herald for _, herald in steps if herald.probability > 0] or [herald for _, herald in steps]
    worst = min(possible, key=lambda herald: herald.fidelity)
    return Herald(worst.parameter, mean, worst.outcomes)


def _phases(culminations: tuple[int, ...], edges: list[int], heralds: list[tuple[Herald, ...]]) -> Iterator[Phase]:
    """Return the stretches of all passes, dark between them; what was before time 0 is left out."""
    now = 0
    for top in culminations:
        for (start, end), found in zip(pairwise(edges), heralds, strict=True):
            if top + end <= now:
                continue
            if top + start > now:
                yield Phase(top + start)
            yield Phase(top + end, found)
            now = top + end
