"""Links over fibre in the ground: connectors, data traffic beside the photons, dispersion, temperature and drift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import hypot, log10, sqrt
from typing import Literal

from pydantic import Field

from qstack.hardware.channels import NotNegative, Positive, Receiver, lit
from qstack.hardware.midpoint import midpoint
from qstack.plugin.contracts import Fibre, Herald, LinkSheet, Platform
from qstack.plugin.offers import Options
from qstack.plugin.units import Fraction, Loss, PositiveSpan, Power
from qstack.quantum import dispersion, raman
from qstack.quantum.heralding import phase_factor
from qstack.quantum.raman import GAIN


class DataChannel(Options):
    """One data channel of a wavelength plan.

    Parameters
    ----------
    wavelength
        Of its light [nm].
    power
        Launched, at each end that launches.
    launched
        By the ``first`` end of the link, the ``second``, or ``both``.
    raman
        Coefficient at the photons' wavelength, where it was measured [1/(km nm)]; else it follows from the wavelengths.
    """

    wavelength: Positive
    power: Power
    launched: Literal["first", "second", "both"] = "both"
    raman: NotNegative | None = None


class Classical(Options):
    """Data channels in the same fibre.

    Parameters
    ----------
    power
        Of all channels together, that both ends launch; without a wavelength plan.
    raman
        Coefficient at the photons' wavelength for `power` [1/(km nm)].
    channels
        A wavelength plan.
    temperature
        Of the fibre [K].
    gain
        Raman gain of the fibre at its peak [1/(W km)].
    isolation
        How much of the data light itself the receiver's filters keep out.
    """

    power: Power = 0.0
    raman: NotNegative = Field(3e-9, description="coefficient at the photons' wavelength [1/(km nm)]")
    channels: tuple[DataChannel, ...] = ()
    temperature: Positive = 293.0
    gain: NotNegative = GAIN
    isolation: Loss | None = None

    def launched(self, photon_nm: float) -> Iterator[tuple[tuple[float, float], float]]:
        """Yield the powers [W] that either end launches, with their Raman coefficient."""
        if self.power:
            yield (self.power, self.power), self.raman
        for one in self.channels:
            ends = (one.power * (one.launched != "second"), one.power * (one.launched != "first"))
            given = one.raman
            yield (
                ends,
                raman.coefficient(one.wavelength, photon_nm, self.temperature, self.gain) if given is None else given,
            )


class Photon(Options):
    """The shape of the photons, and what fibre does to it.

    Parameters
    ----------
    width
        Standard deviation of their intensity in time.
    bandwidth
        Standard deviation of their wavelength [nm]; without it they are as narrow as their width allows.
    dispersion
        D of the fibre at their wavelength [ps/(nm km)].
    compensated
        Share of the dispersion that is taken back before detection [1].
    temperature_swing
        Standard deviation of each arm's temperature since the delays were last set [K], arms by themselves.
    thermal_delay
        [ps/(km K)].
    """

    width: PositiveSpan
    bandwidth: Positive | None = None
    dispersion: float = 17.0
    compensated: Fraction = 0.0
    temperature_swing: NotNegative = 0.0
    thermal_delay: NotNegative = 37.0

    def spectrum(self, wavelength_nm: float) -> float:
        """Return the standard deviation of the angular frequency [rad/ps]."""
        return dispersion.spectrum(self.bandwidth, wavelength_nm) if self.bandwidth else 1 / (2 * self.width)

    def delays(
        self, wavelength_nm: float, lengths: tuple[float, float]
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return group delay dispersion [ps^2] and wandering of the arrival [ps] of both arms."""
        left = self.dispersion * (1 - self.compensated)
        spread = tuple(dispersion.delay_dispersion(left, wavelength_nm, length) for length in lengths)
        wander = tuple(self.thermal_delay * self.temperature_swing * length for length in lengths)
        return (spread[0], spread[1]), (wander[0], wander[1])


class InstalledFibre(Options):
    """A fibre in the ground.

    Parameters
    ----------
    connectors, connector_loss
        Beside what the fibre itself loses; half of them on either arm.
    classical
        Data traffic in the same fibre.
    receiver
        Of the station; of both ends, where photons fly to them.
    photon
        Shape of the photons; without it they are narrow, and arrive when they should.
    phase_drift
        Standard deviation of the phase between the arms since it was last set [rad]: for one-photon heralding.
    polarisation_drift
        Standard deviation of the angle, about any axis, by which each arm turns the polarisation [rad]: for schemes that
        keep a qubit in it.
    """

    connectors: int = Field(0, ge=0, le=10_000, strict=True)
    connector_loss: Loss = 0.3
    classical: Classical | None = None
    receiver: Receiver = Receiver()
    photon: Photon | None = None
    phase_drift: NotNegative = 0.0
    polarisation_drift: NotNegative = 0.0


def installed_fibre(options: InstalledFibre, a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
    """Return what a link over a fibre in the ground can do.

    Raises
    ------
    PhysicsError
        If the two platforms do not fit together, do not say how background light or a blurred photon spoils them, or the
        photons cannot be.
    """
    whole = replace(fibre, loss=fibre.loss + options.connectors * options.connector_loss)
    if options.classical is not None:
        powers = _noise(options, options.classical, fibre, outward=a.interface.outward)
        clicks = [options.receiver.clicks(power / 2) for power in powers]  # half of it for either detector
        a, b = (lit(platform, click) for platform, click in zip((a, b), clicks, strict=True))
    if options.photon is not None:
        a, b, whole = _spread(options.photon, options.receiver, (a, b), whole)
    turned = ((1 + 2 * phase_factor(options.polarisation_drift)) / 3) ** 2
    coherence = phase_factor(options.phase_drift) * turned
    return _drifted(midpoint(a, b, whole), coherence, turned)


def _noise(options: InstalledFibre, classical: Classical, fibre: Fibre, *, outward: bool) -> tuple[float, float]:
    """Return the power [W] of data and its Raman light in the filter of who detects: the station, or else each end.

    Light runs both ways through both arms.  At the station both its detectors see all of it; an end sees what its own arm
    brings, which has scattered all along the fibre.
    """
    lengths = (fibre.length * fibre.station, fibre.length * (1 - fibre.station))
    losses = (fibre.loss * fibre.station, fibre.loss * (1 - fibre.station))
    attenuation = fibre.loss / fibre.length
    width = options.receiver.filter
    kept = 0.0 if classical.isolation is None else 10 ** (-classical.isolation / 10)
    arms = [0.0, 0.0]
    for ends, rho in classical.launched(options.receiver.wavelength):
        for arm, length in enumerate(lengths):
            mine, theirs = ends[arm], ends[1 - arm]
            arrived = theirs * 10 ** (-losses[1 - arm] / 10)  # at the station, from the other end
            if outward:
                arms[arm] += raman.forward(theirs, fibre.length, attenuation, rho, width)
                arms[arm] += raman.backward(mine, fibre.length, attenuation, rho, width)
                arms[arm] += kept * theirs * 10 ** (-fibre.loss / 10)
            else:
                arms[arm] += raman.forward(mine, length, attenuation, rho, width)
                arms[arm] += raman.backward(arrived, length, attenuation, rho, width)
                arms[arm] += kept * mine * 10 ** (-losses[arm] / 10)
    return (arms[0], arms[1]) if outward else (sum(arms), sum(arms))


def _spread(
    photon: Photon, receiver: Receiver, ends: tuple[Platform, Platform], fibre: Fibre
) -> tuple[Platform, Platform, Fibre]:
    """Return both ends and the fibre with what blurred photons lose: interference, and what misses the window.

    The loss is that beyond what misses the window without fibre: a data sheet's detection efficiency has that in it.
    """
    lengths = (fibre.length * fibre.station, fibre.length * (1 - fibre.station))
    spectrum = photon.spectrum(receiver.wavelength)
    spreads, wanders = photon.delays(receiver.wavelength, lengths)
    fresh = dispersion.in_window(receiver.window, photon.width)
    missed = []
    for spread, wander in zip(spreads, wanders, strict=True):
        width = dispersion.broadened(photon.width, spread, spectrum, wander)
        missed.append(-10 * log10(dispersion.in_window(receiver.window, width) / fresh))
    kept = fibre.arm_losses or (fibre.loss * fibre.station, fibre.loss * (1 - fibre.station))
    losses = (kept[0] + missed[0], kept[1] + missed[1])
    overlap = dispersion.interference(spectrum, spreads[0] - spreads[1], hypot(*wanders))
    a, b = (
        end if overlap == 1 else end.model_copy(update={"interface": end.interface.blurred(overlap)}) for end in ends
    )
    return a, b, replace(fibre, loss=sum(losses), arm_losses=losses)


def _drifted(sheet: LinkSheet, coherence: float, population: float) -> LinkSheet:
    """Return a link whose pairs have lost a part of what they had."""
    if coherence == population == 1:
        return sheet
    return replace(sheet, heralds=tuple(_worse(herald, coherence, population) for herald in sheet.heralds))


def _worse(herald: Herald, coherence: float, population: float) -> Herald:
    half = sqrt(population)  # polarisation turns in both arms, the phase between them is that of one
    first, second = (half, half, half), (coherence / half, coherence / half, half)
    return Herald(herald.parameter, herald.probability, tuple(o.spoiled(first, second) for o in herald.outcomes))
