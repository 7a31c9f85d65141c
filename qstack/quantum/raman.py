"""Raman light of classical channels in the same fibre: photons that a quantum receiver sees though nobody sent them.

Eraerds, Walenta, Legre, Gisin and Zbinden, New J. Phys. 12, 063027 (2010).  The coefficient is the share of the classical
power that scatters per length of fibre and width of the receiver's filter; classical and scattered light are taken to be
attenuated alike.
"""

from __future__ import annotations

from math import exp, expm1, log

from qstack.core.errors import PhysicsError

PLANCK_TIMES_LIGHT = 1.986445857e-25
"""h c [J m]."""
PLANCK = 6.62607015e-34
"""[J s]."""
BOLTZMANN = 1.380649e-23
"""[J/K]."""
LIGHT_NM_THZ = 299_792.458
"""Speed of light in vacuum [nm THz]."""


def photon_rate(power_w: float, wavelength_nm: float) -> float:
    """Return photons per second of a power [W] at a wavelength [nm]."""
    _check(power=power_w)
    if not wavelength_nm > 0:
        raise PhysicsError(f"wavelength = {wavelength_nm} nm: it is positive")
    return power_w * wavelength_nm * 1e-9 / PLANCK_TIMES_LIGHT


PEAK_THZ = 13.2
GAIN = 0.4
"""Raman gain of standard fibre at its peak, light unpolarised [1/(W km)]: of the order that is usual at 1550 nm
(Agrawal, Nonlinear Fiber Optics, chapter 8); fibres differ by a factor of two."""
WIDEST_THZ = 15.0


def coefficient(light_nm: float, photon_nm: float, kelvin: float = 293.0, gain: float = GAIN) -> float:
    """Return the Raman coefficient of classical light at the wavelength of photons [1/(km nm)].

    Spontaneous scattering has the power of the gain times that of the phonons, g (n + 1) h nu per band of frequency towards
    longer waves and g n h nu towards shorter ones, n = 1/(exp(h Delta/kT) - 1); the gain grows in proportion to the
    difference Delta of frequencies up to its peak at 13.2 THz (Chraplyvy, J. Lightwave Technol. 8, 1548, 1990).

    Parameters
    ----------
    light_nm, photon_nm
        Wavelengths of the classical light and of the photons [nm].
    kelvin
        Temperature of the fibre [K].
    gain
        Raman gain at its peak [1/(W km)].

    Raises
    ------
    PhysicsError
        If the triangle does not reach so far, both wavelengths are the same, or something is not positive.
    """
    if not (light_nm > 0 and photon_nm > 0 and kelvin > 0 and gain >= 0):
        raise PhysicsError(
            f"wavelengths {light_nm} and {photon_nm} nm and temperature {kelvin} K are positive, gain {gain} not negative"
        )
    shift = (1 / light_nm - 1 / photon_nm) * LIGHT_NM_THZ
    if shift == 0:
        raise PhysicsError(f"data and photons share the wavelength {photon_nm:g} nm: no filter tells them apart")
    if abs(shift) > WIDEST_THZ:
        raise PhysicsError(
            f"data at {light_nm:g} nm is {abs(shift):.3g} THz from photons at {photon_nm:g} nm: the triangular gain holds "
            f"up to {WIDEST_THZ:g} THz, so the channel needs its own 'raman', as it was measured"
        )
    phonons = 1 / expm1(PLANCK * abs(shift) * 1e12 / (BOLTZMANN * kelvin))
    scattered = phonons + 1 if shift > 0 else phonons
    photon = PLANCK * LIGHT_NM_THZ / photon_nm * 1e12
    band = LIGHT_NM_THZ / photon_nm**2 * 1e12
    return gain * min(1.0, abs(shift) / PEAK_THZ) * scattered * photon * band


def forward(power_w: float, length_km: float, attenuation: float, coefficient: float, filter_nm: float) -> float:
    """Return the Raman power [W] at the far end of a fibre into which classical light is launched.

    P rho B L exp(-a L), with a the attenuation in nepers.

    Parameters
    ----------
    power_w
        Launched [W].
    length_km
        Of the fibre [km].
    attenuation
        [dB/km].
    coefficient
        rho [1/(km nm)].
    filter_nm
        Width B of the receiver's filter [nm].

    Raises
    ------
    PhysicsError
        If one of them is negative.
    """
    _check(power=power_w, length=length_km, attenuation=attenuation, coefficient=coefficient, filter=filter_nm)
    return power_w * coefficient * filter_nm * length_km * exp(-_nepers(attenuation) * length_km)


def backward(power_w: float, length_km: float, attenuation: float, coefficient: float, filter_nm: float) -> float:
    """Return the Raman power [W] that comes back to the end at which classical light is launched.

    P rho B (1 - exp(-2 a L)) / (2 a); parameters as for `forward`.

    Raises
    ------
    PhysicsError
        If one of them is negative.
    """
    _check(power=power_w, length=length_km, attenuation=attenuation, coefficient=coefficient, filter=filter_nm)
    a = _nepers(attenuation)
    reach = -expm1(-2 * a * length_km) / (2 * a) if a else length_km
    return power_w * coefficient * filter_nm * reach


def _nepers(attenuation: float) -> float:
    return attenuation * log(10) / 10


def _check(**values: float) -> None:
    for name, value in values.items():
        if not value >= 0:
            raise PhysicsError(f"{name} = {value}: it is not negative")
