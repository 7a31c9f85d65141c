"""What fibre does to the time and the shape of a photon: chromatic dispersion, and its length that follows the temperature.

Photons are Gaussian in time and frequency.  Dispersion is of second order: where the third matters (at the zero of D, or
for bandwidths of many nanometres) this breaks.
"""

from __future__ import annotations

from math import erf, hypot, pi, sqrt

from qstack.core.errors import PhysicsError

LIGHT_NM_PS = 299_792.458
"""Speed of light in vacuum [nm/ps]."""


def spectrum(bandwidth_nm: float, wavelength_nm: float) -> float:
    """Return the standard deviation of the angular frequency [rad/ps] for one of the wavelength [nm].

    Raises
    ------
    PhysicsError
        If one of them is not positive.
    """
    if not (bandwidth_nm > 0 and wavelength_nm > 0):
        raise PhysicsError(f"bandwidth {bandwidth_nm} nm at {wavelength_nm} nm: both are positive")
    return 2 * pi * LIGHT_NM_PS * bandwidth_nm / wavelength_nm**2


def delay_dispersion(parameter: float, wavelength_nm: float, length_km: float) -> float:
    """Return the group delay dispersion of a fibre [ps^2], -D L wavelength^2 / (2 pi c).

    Agrawal, Fiber-Optic Communication Systems (4th edition, 2010), section 2.3.

    Parameters
    ----------
    parameter
        D [ps/(nm km)].
    wavelength_nm
        Of the photon [nm].
    length_km
        Of the fibre [km].
    """
    return -parameter * length_km * wavelength_nm**2 / (2 * pi * LIGHT_NM_PS)


def broadened(width_ps: float, dispersion_ps2: float, spectrum_rad_ps: float, offset_ps: float = 0.0) -> float:
    """Return the standard deviation of a photon's arrival [ps] behind a dispersive fibre of varying length.

    Its own width, the spread of group delays of its spectrum, and the wandering of the arrival, in quadrature: exact for a
    pulse without chirp (Agrawal, section 2.4).

    Parameters
    ----------
    width_ps
        Standard deviation in time before the fibre [ps].
    dispersion_ps2
        Group delay dispersion [ps^2].
    spectrum_rad_ps
        Standard deviation of the angular frequency [rad/ps].
    offset_ps
        Standard deviation of the arrival by itself [ps].

    Raises
    ------
    PhysicsError
        If the photon is shorter than its spectrum allows, or something negative.
    """
    if not (width_ps > 0 and spectrum_rad_ps > 0 and offset_ps >= 0):
        raise PhysicsError("width and spectrum of a photon are positive, the spread of its arrival not negative")
    if width_ps * spectrum_rad_ps < 0.5 * (1 - 1e-9):
        raise PhysicsError(
            f"a photon of width {width_ps:g} ps and bandwidth {spectrum_rad_ps:g} rad/ps is shorter than its spectrum "
            f"allows: their product is at least 1/2"
        )
    return sqrt(width_ps**2 + (dispersion_ps2 * spectrum_rad_ps) ** 2 + offset_ps**2)


def in_window(window_ps: float, width_ps: float) -> float:
    """Return the share of a Gaussian photon of a standard deviation inside a window centred on it, erf(W / (sqrt8 s)).

    Raises
    ------
    PhysicsError
        If one of them is not positive.
    """
    if not (window_ps > 0 and width_ps > 0):
        raise PhysicsError(f"window {window_ps} ps and width {width_ps} ps are positive")
    return erf(window_ps / (sqrt(8) * width_ps))


def interference(spectrum_rad_ps: float, difference_ps2: float, offset_ps: float = 0.0) -> float:
    """Return the overlap |<a|b>|^2 of two equal pure photons behind fibres of unequal dispersion and delay.

    With u = difference times the variance of the spectrum, 1/sqrt(1 + u^2) exp(-(spectrum offset)^2 / (1 + u^2)) for a
    fixed offset; the mean over a Gaussian offset is 1/sqrt(1 + u^2 + 2 (spectrum offset)^2).  Equal dispersion on both
    sides cancels (compare Steinberg, Kwiat and Chiao, Phys. Rev. Lett. 68, 2421, 1992).

    Parameters
    ----------
    spectrum_rad_ps
        Standard deviation of the angular frequency of |amplitude|^2 [rad/ps].
    difference_ps2
        Group delay dispersion of one arm less that of the other [ps^2].
    offset_ps
        Standard deviation of the difference of both arrivals [ps].

    Raises
    ------
    PhysicsError
        If the spectrum is not positive or the offset negative.
    """
    if not (spectrum_rad_ps > 0 and offset_ps >= 0):
        raise PhysicsError("the spectrum of a photon is positive, the spread of its arrival not negative")
    return 1 / hypot(sqrt(1 + 2 * (spectrum_rad_ps * offset_ps) ** 2), difference_ps2 * spectrum_rad_ps**2)
