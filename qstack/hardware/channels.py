"""Links through air and by way of a satellite; see `qstack.hardware.installed` for fibre.

Each is a medium that makes a fibre, and what comes in beside the photons, of what a user says, and then asks the
midpoint's medium; so every interface works over every channel.
"""

from __future__ import annotations

from dataclasses import replace
from math import log10
from typing import Annotated

from pydantic import Field

from qstack.core.errors import PhysicsError
from qstack.hardware.midpoint import midpoint
from qstack.plugin.contracts import Fibre, LinkSheet, Platform
from qstack.plugin.offers import Options
from qstack.plugin.units import LIGHT, Fraction, Length, Loss, PositiveSpan, Power
from qstack.quantum import freespace, raman
from qstack.quantum.photons import dark_click

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Receiver(Options):
    """What a receiver lets through of light that nobody sent: filter width [nm], window, efficiency [1]."""

    wavelength: Positive = Field(1550.0, description="of the photons [nm]")
    filter: Positive = Field(0.8, description="width of the receiver's filter [nm]")
    window: PositiveSpan = Field(1000, description="detection window [ps]")
    efficiency: Fraction = Field(0.9, description="of the detectors [1]")

    def clicks(self, power_w: float) -> float:
        """Return false clicks per window of a power [W] in the filter's band."""
        return dark_click(raman.photon_rate(power_w, self.wavelength) * self.efficiency, self.window * 1e-12)


def lit(platform: Platform, clicks: float) -> Platform:
    """Return a platform whose interface sees light that nobody sent: false clicks per detector and window."""
    return platform.model_copy(update={"interface": platform.interface.lit(clicks)}) if clicks else platform


class FreeSpace(Options):
    """Two telescopes in sight of each other; the distance is the link's length.

    Parameters
    ----------
    half_divergence
        Half of the full angle of the beam at 1/e^2 [rad].
    aperture
        Diameter of the receiving telescope [km in the code, text with a unit in a file].
    coherence
        Fried's length over the path; without it there is no turbulence.
    jitter
        Standard deviation of pointing per axis [rad].
    air
        Loss of clear air [dB/km].
    optics
        Transmission of both telescopes together [1].
    background
        Light that enters with the photons in the filter's band: low at night, high by day.
    receiver
        Of the station.
    """

    half_divergence: Positive = 1e-5
    aperture: Length = 1e-4
    coherence: Length | None = None
    jitter: NotNegative = 0.0
    air: NotNegative = 0.1
    optics: Annotated[Fraction, Field(gt=0)] = 0.5
    background: Power = 0.0
    receiver: Receiver = Receiver(wavelength=810)


def free_space(options: FreeSpace, a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
    """Return what a link through air can do; loss and speed of the fibre are replaced.

    The station halves the way: each arm has its own telescope and its own share of the air.

    Raises
    ------
    PhysicsError
        As `installed_fibre`; also for a station at an end of the link.
    """
    if not 0 < fibre.station < 1:
        raise PhysicsError("a link through air has its station between the ends")
    spread = options.half_divergence
    if options.coherence is not None:
        spread = freespace.turbulent_divergence(spread, options.receiver.wavelength * 1e-9, options.coherence * 1e3)
    losses = []
    for share in (fibre.station, 1 - fibre.station):
        length = fibre.length * share
        caught = freespace.aperture_share(length, spread, options.aperture * 1e3)
        pointed = freespace.pointing_transmission(options.jitter, spread)
        losses.append(-10 * log10(caught * pointed * options.optics) + options.air * length)
    if options.background:
        clicks = options.receiver.clicks(options.background)
        a, b = (lit(platform, clicks) for platform in (a, b))
    return midpoint(a, b, replace(fibre, loss=sum(losses), speed=LIGHT, arm_losses=(losses[0], losses[1])))


class Satellite(Options):
    """A satellite above two ground stations, seen by each at an elevation; nothing moves.

    Parameters
    ----------
    altitude
        Of the orbit.
    elevations
        Of the satellite above the horizon, as the first and as the second end see it [degree].
    half_divergence, aperture, jitter, optics, background, receiver
        As in `FreeSpace`; `aperture` is that of each ground station, `optics` that of one way.
    zenith_loss
        Of the whole atmosphere, straight up.
    """

    altitude: Length = 500.0
    elevations: tuple[float, float] = (30.0, 30.0)
    half_divergence: Positive = 5e-6
    aperture: Length = 1.2e-3
    jitter: NotNegative = 0.0
    optics: Annotated[Fraction, Field(gt=0)] = 0.5
    zenith_loss: Loss = 3.0
    background: Power = 0.0
    receiver: Receiver = Receiver(wavelength=810)


def satellite(options: Satellite, a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
    """Return what a link by way of a satellite can do, while it stands where it stands; the fibre is not used.

    What the satellite carries is for the interfaces to say: a source of pairs sends down, a station takes what comes up.
    Both are given the same loss, which is that of a downlink: an uplink is spread by the air where it begins.

    Raises
    ------
    PhysicsError
        If the satellite is below a horizon, or as `installed_fibre`.
    """
    ranges = [freespace.slant_range(options.altitude, up) for up in options.elevations]
    pointed = freespace.pointing_transmission(options.jitter, options.half_divergence) * options.optics
    losses = [
        -10
        * log10(
            freespace.aperture_share(reach, options.half_divergence, options.aperture * 1e3)
            * freespace.air_transmission(options.zenith_loss, up)
            * pointed
        )
        for reach, up in zip(ranges, options.elevations, strict=True)
    ]
    if options.background:
        clicks = options.receiver.clicks(options.background)
        a, b = (lit(platform, clicks) for platform in (a, b))
    way = Fibre(sum(ranges), sum(losses), LIGHT, ranges[0] / sum(ranges), (losses[0], losses[1]))
    return midpoint(a, b, way)
