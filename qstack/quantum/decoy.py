"""Decoy-state BB84 in the limit of infinitely many pulses and decoys."""

from __future__ import annotations

from math import exp, expm1

from qstack.core.errors import PhysicsError
from qstack.quantum.bounds import binary_entropy
from qstack.quantum.states import probability


def fibre_transmission(length_km: float, attenuation_db_km: float) -> float:
    """Return 10^(-attenuation length / 10).

    Raises
    ------
    PhysicsError
        If length [km] or attenuation [dB/km] is negative.
    """
    if not (length_km >= 0 and attenuation_db_km >= 0):
        raise PhysicsError(f"{length_km} km at {attenuation_db_km} dB/km: neither is negative")
    return float(10 ** (-attenuation_db_km * length_km / 10))


def gllp_rate(
    transmission: float, intensity: float, dark: float, optical_error: float, correction_inefficiency: float
) -> float:
    """Return the secret bits per pulse of GLLP with the single-photon terms known exactly, sifting factor 1/2.

    Ma, Qi, Zhao and Lo, Phys. Rev. A 72, 012326 (2005); the small term -Y0 eta of Y1 is left out.

    Parameters
    ----------
    transmission
        From the source to a click, detector included.
    intensity
        Mean photon number mu of a signal pulse.
    dark
        Y0, probability of a click without a photon.
    optical_error
        Probability that a photon hits the wrong detector.
    correction_inefficiency
        f of error correction, at least 1.

    Raises
    ------
    PhysicsError
        If a value is impossible.
    """
    eta = probability("transmission", transmission)
    y0 = probability("dark yield Y0", dark)
    ed = probability("optical error", optical_error)
    if not (intensity > 0 and correction_inefficiency >= 1):
        raise PhysicsError(f"mu = {intensity}, f = {correction_inefficiency}: need mu > 0 and f >= 1")
    clicks = -expm1(-eta * intensity)
    gain, yield_1 = y0 + clicks, y0 + eta
    if gain == 0 or yield_1 == 0:
        return 0.0
    error = min((y0 / 2 + ed * clicks) / gain, 1.0)
    error_1 = min((y0 / 2 + ed * eta) / yield_1, 1.0)
    secret = yield_1 * intensity * exp(-intensity) * (1 - binary_entropy(error_1))
    return max(0.0, (secret - gain * correction_inefficiency * binary_entropy(error)) / 2)
