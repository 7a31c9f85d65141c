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


def photon_rate(power_w: float, wavelength_nm: float) -> float:
    """Return photons per second of a power [W] at a wavelength [nm]."""
    _check(power=power_w)
    if not wavelength_nm > 0:
        raise PhysicsError(f"wavelength = {wavelength_nm} nm: it is positive")
    return power_w * wavelength_nm * 1e-9 / PLANCK_TIMES_LIGHT


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
