"""Light between a ground station and a satellite: how far it is, and how much of the beam the telescope collects."""

from __future__ import annotations

from math import expm1, radians, sin, sqrt

from qstack.core.errors import PhysicsError

EARTH_RADIUS_KM = 6371.0


def slant_range(altitude_km: float, elevation_deg: float) -> float:
    """Return the distance [km] to a satellite over a spherical Earth.

    Parameters
    ----------
    altitude_km
        Height of the orbit [km].
    elevation_deg
        Angle above the horizon [degree].

    Raises
    ------
    PhysicsError
        If the altitude is not positive or the satellite is below the horizon or beyond the zenith.
    """
    if not altitude_km > 0:
        raise PhysicsError(f"altitude = {altitude_km} km: it is positive")
    if not 0 <= elevation_deg <= 90:
        raise PhysicsError(f"elevation = {elevation_deg} degrees: a visible satellite stands at 0 to 90")
    up = EARTH_RADIUS_KM * sin(radians(elevation_deg))
    rise = 2 * EARTH_RADIUS_KM * altitude_km + altitude_km**2
    return rise / (sqrt(up**2 + rise) + up)


def aperture_share(distance_km: float, half_divergence_rad: float, diameter_m: float) -> float:
    """Return the share of a far-field Gaussian beam inside a centred circular aperture.

    The beam has the 1/e^2 intensity radius w = half divergence times distance: Siegman, Lasers (1986), chapter 17.

    Parameters
    ----------
    distance_km
        Distance [km].
    half_divergence_rad
        Half of the full divergence angle [rad].
    diameter_m
        Of the receiving telescope [m].

    Raises
    ------
    PhysicsError
        If one of them is not positive.
    """
    if not (distance_km > 0 and half_divergence_rad > 0 and diameter_m > 0):
        raise PhysicsError(
            f"distance {distance_km} km, half divergence {half_divergence_rad} rad, aperture {diameter_m} m: "
            "all are positive"
        )
    radius_m = half_divergence_rad * distance_km * 1e3
    return -expm1(-(diameter_m**2) / (2 * radius_m**2))
