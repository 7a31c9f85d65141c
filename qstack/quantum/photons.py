"""From what a laboratory measures of photons to what the heralding models take: windows, dark clicks, visibility.

A photon of an emitter with decay rate G has the field correlation <E*(t) E(t+s)> = G exp(-G t - (G/2 + g) s), where g is
the rate of pure dephasing.  Rates and times in any matching units; frequencies in radian per time.
"""

from __future__ import annotations

from math import erfc, exp, expm1, inf, pi, sqrt

from qstack.core.errors import PhysicsError


def dark_click(rate: float, window: float) -> float:
    """Return the probability of at least one dark click in a window, 1 - exp(-rate window)."""
    return -expm1(-_not_negative("dark rate", rate) * _not_negative("window", window))


def caught_in_window(lifetime: float, window: float, delay: float = 0.0) -> float:
    """Return the share of an exponential photon that falls into a window opening `delay` after its rise.

    Raises
    ------
    PhysicsError
        If the lifetime is not positive, the window or the delay negative.
    """
    _positive("lifetime", lifetime)
    start = exp(-_not_negative("delay", delay) / lifetime)
    return -expm1(-_not_negative("window", window) / lifetime) * start


def interference(
    rates: tuple[float, float],
    dephasing: tuple[float, float] = (0.0, 0.0),
    detuning: float = 0.0,
    offset: float = 0.0,
) -> float:
    """Return the visibility V = Tr(rho_A rho_B) of two emitters' photons.

    Twice the real part of the integral of the product of both correlations, 2 G_A G_B / (G_A + G_B) a / (a^2 + D^2)
    with a = (G_A + G_B)/2 + g_A + g_B; a photon that rises first has lost exp(-G offset) before the other comes.
    Kambs and Becher, New J. Phys. 20, 115003 (2018).

    Parameters
    ----------
    rates
        Decay rates of emitters A and B.
    dephasing
        Rates of pure dephasing.
    detuning
        Difference D of the angular frequencies.
    offset
        How much later B's photon arrives; negative if A's is the later one.

    Raises
    ------
    PhysicsError
        If a rate is impossible.
    """
    a, b = (_positive("decay rate", rate) for rate in rates)
    width = (a + b) / 2 + sum(_not_negative("pure dephasing", rate) for rate in dephasing)
    lost = exp(-(a if offset >= 0 else b) * abs(offset))
    return 2 * a * b / (a + b) * width / (width**2 + detuning**2) * lost


def arrival_jitter(rate: float, sigma: float) -> float:
    """Return the factor on the visibility when the offset of two equal photons is Gaussian.

    The mean of exp(-G |offset|) is exp(u^2) erfc(u) with u = G sigma / sqrt2.

    Parameters
    ----------
    rate
        Decay rate G of both emitters.
    sigma
        Standard deviation of the offset, both emitters taken together.

    Raises
    ------
    PhysicsError
        If the rate is not positive or sigma negative.
    """
    u = _positive("decay rate", rate) * _not_negative("sigma", sigma) / sqrt(2)
    if u > 20:
        return (1 - 1 / (2 * u * u)) / (u * sqrt(pi))  # the next term of the asymptotic series is below 1e-5 of it
    return exp(u * u) * erfc(u)


def _not_negative(name: str, value: float) -> float:
    if not 0 <= value < inf:
        raise PhysicsError(f"{name} = {value}: it is finite and not negative")
    return value


def _positive(name: str, value: float) -> float:
    if not 0 < value < inf:
        raise PhysicsError(f"{name} = {value}: it is finite and positive")
    return value
