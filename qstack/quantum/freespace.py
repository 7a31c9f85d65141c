"""Light between a ground station and a satellite: how far it is, and how much of the beam the telescope collects."""

from __future__ import annotations

from math import acos, atan2, cos, degrees, expm1, hypot, log, pi, radians, sin, sqrt

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


EARTH_GRAVITY = 398_600.4418
"""Standard gravitational parameter of the Earth [km^3/s^2]."""


def elevation(altitude_km: float, highest_deg: float, time_s: float) -> float:
    """Return how high a satellite stands [degree] at a time before or after its highest point; negative below the horizon.

    Circular orbit over a spherical Earth that is taken as still during a pass.  With the central angle c between
    station and satellite, cos c = cos c0 cos(w t), and tan e = (cos c - R/r) / sin c.

    Parameters
    ----------
    altitude_km
        Height of the orbit [km].
    highest_deg
        Elevation at the highest point of the pass [degree].
    time_s
        From the highest point [s].

    Raises
    ------
    PhysicsError
        If the orbit is not above the ground or the highest point not above the horizon.
    """
    nearest = track_angle(altitude_km, highest_deg)
    radius = EARTH_RADIUS_KM + altitude_km
    rate = sqrt(EARTH_GRAVITY / radius**3)
    cosine = cos(nearest) * cos(rate * time_s)
    away = sqrt(max(0.0, 1 - cosine**2))
    return degrees(atan2(cosine - EARTH_RADIUS_KM / radius, away))


def pass_half(altitude_km: float, highest_deg: float, lowest_deg: float) -> float:
    """Return how long after its highest point a satellite sinks to an elevation [s].

    Raises
    ------
    PhysicsError
        If it never stands as high as `lowest_deg`, or that is below the horizon.
    """
    if not 0 <= lowest_deg <= highest_deg:
        raise PhysicsError(
            f"lowest elevation = {lowest_deg} degrees: it lies between the horizon and the highest, {highest_deg} degrees"
        )
    radius = EARTH_RADIUS_KM + altitude_km
    nearest, furthest = (track_angle(altitude_km, e) for e in (highest_deg, lowest_deg))
    return acos(min(1.0, cos(furthest) / cos(nearest))) / sqrt(EARTH_GRAVITY / radius**3)


def track_angle(altitude_km: float, highest_deg: float) -> float:
    """Return how far a station stands from the ground track of a satellite, as an angle at the Earth's centre [rad].

    Raises
    ------
    PhysicsError
        If the orbit is not above the ground or the highest point not above the horizon.
    """
    slant_range(altitude_km, highest_deg)
    up = radians(highest_deg)
    return acos(EARTH_RADIUS_KM / (EARTH_RADIUS_KM + altitude_km) * cos(up)) - up


def pass_lag(
    altitude_km: float, highest_deg: tuple[float, float], distance_km: float, *, opposite: bool = False
) -> float:
    """Return how long after the first of two stations the second sees a satellite at its highest point [s].

    Spherical trigonometry: two stations at latitudes a and b above the satellite's great circle, a length l apart along
    it, are an angle D apart with cos D = sin a sin b + cos a cos b cos l.

    Parameters
    ----------
    altitude_km
        Height of the orbit [km].
    highest_deg
        Elevation at the highest point, as either station sees it [degree].
    distance_km
        Between the stations, along the ground [km].
    opposite
        Whether the satellite passes between the stations; else both stand on the same side of its track.

    Raises
    ------
    PhysicsError
        If stations so far apart cannot see the same pass so high.
    """
    a, b = (track_angle(altitude_km, up) for up in highest_deg)
    b = -b if opposite else b
    cosine = (cos(distance_km / EARTH_RADIUS_KM) - sin(a) * sin(b)) / (cos(a) * cos(b))
    if abs(cosine) > 1 + 1e-12:
        least = abs(a - b) * EARTH_RADIUS_KM
        side = "opposite sides" if opposite else "the same side"
        raise PhysicsError(
            f"stations {distance_km:g} km apart on {side} of a track at {altitude_km:g} km cannot see one pass at "
            f"{highest_deg[0]:g} and {highest_deg[1]:g} degrees: they are at least {least:.4g} km apart"
        )
    return acos(max(-1.0, min(1.0, cosine))) / sqrt(EARTH_GRAVITY / (EARTH_RADIUS_KM + altitude_km) ** 3)


def sky_power(radiance: float, view_rad: float, aperture_m: float, filter_nm: float) -> float:
    """Return the power [W] of the sky that a telescope collects, H Omega A B.

    Er-long, Zheng-fu, Shun-sheng, Tao, Da-sheng and Guang-can, New J. Phys. 7, 215 (2005).

    Parameters
    ----------
    radiance
        H [W/(m^2 sr um)].
    view_rad
        Full angle of the field of view; Omega is pi times the square of its half [rad].
    aperture_m
        Diameter of the telescope, of area A [m].
    filter_nm
        Width B of the receiver's filter [nm].

    Raises
    ------
    PhysicsError
        If one of them is negative.
    """
    if not (radiance >= 0 and view_rad >= 0 and aperture_m >= 0 and filter_nm >= 0):
        raise PhysicsError(
            f"radiance {radiance} W/(m^2 sr um), view {view_rad} rad, aperture {aperture_m} m, filter {filter_nm} nm: "
            "none is negative"
        )
    return radiance * pi * (view_rad / 2) ** 2 * pi * (aperture_m / 2) ** 2 * filter_nm * 1e-3


def air_transmission(zenith_db: float, elevation_deg: float) -> float:
    """Return the transmission of the atmosphere, whose loss at the zenith grows as 1/sin(elevation) (plane layers).

    Raises
    ------
    PhysicsError
        If the loss is negative or the satellite is not above the horizon.
    """
    if not zenith_db >= 0:
        raise PhysicsError(f"zenith loss = {zenith_db} dB: it is not negative")
    if not 0 < elevation_deg <= 90:
        raise PhysicsError(f"elevation = {elevation_deg} degrees: light comes from above the horizon, up to 90")
    return float(10 ** (-zenith_db / sin(radians(elevation_deg)) / 10))


def pointing_transmission(jitter_rad: float, half_divergence_rad: float) -> float:
    """Return the mean share that a beam of Gaussian pointing error keeps on a small aperture, 1 / (1 + 4 (s/d)^2).

    The far-field intensity exp(-2 a^2/d^2), averaged over angles a of standard deviation s per axis.

    Raises
    ------
    PhysicsError
        If the jitter is negative or the divergence not positive.
    """
    if not (jitter_rad >= 0 and half_divergence_rad > 0):
        raise PhysicsError(f"jitter {jitter_rad} rad, half divergence {half_divergence_rad} rad: need >= 0 and > 0")
    return 1 / (1 + 4 * (jitter_rad / half_divergence_rad) ** 2)


def turbulent_divergence(half_divergence_rad: float, wavelength_m: float, coherence_m: float) -> float:
    """Return the half divergence of a beam that starts in turbulence, its own and that of the seeing in quadrature.

    Long exposure: the seeing disc of Fried's coherence length r0 has a full width at half maximum of 0.98 wavelength/r0
    (Fried, J. Opt. Soc. Am. 56, 1372, 1966), so a 1/e^2 half width of that over sqrt(2 ln 2).  It holds for an uplink;
    a downlink meets the air last and is hardly spread.

    Raises
    ------
    PhysicsError
        If one of them is not positive.
    """
    if not (half_divergence_rad > 0 and wavelength_m > 0 and coherence_m > 0):
        raise PhysicsError("divergence, wavelength and coherence length are positive")
    return hypot(half_divergence_rad, 0.98 / sqrt(2 * log(2)) * wavelength_m / coherence_m)
