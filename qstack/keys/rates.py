"""Asymptotic key rates: what an endless block would give. Never the length of a key.

Every function returns secret bits per sifted bit or per pulse, negative where there is none, so that a root finder
can use it; `threshold` is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, expm1, log2, sqrt

from qstack.keys.information import binary_entropy
from qstack.keys.models import Setup


def bb84(error_x: float, error_z: float, efficiency: float = 1.0) -> float:
    """Return 1 - h(e_X) - f h(e_Z) [bit/sifted bit]; BB84 and BBM92 with single photons (Shor and Preskill 2000)."""
    return 1 - binary_entropy(error_x) - efficiency * binary_entropy(error_z)


def six_state(error: float) -> float:
    """Return the six-state rate [bit/sifted bit].

    Notes
    -----
    1 + (1 - 3Q/2) log2(1 - 3Q/2) + (3Q/2) log2(Q/2) (Lo, QIC 1, 81 (2001)).
    """
    if error <= 0:
        return 1.0
    kept = 1 - 1.5 * error
    return 1 + kept * log2(kept) + 1.5 * error * log2(error / 2)


def device_independent(error: float) -> float:
    """Return the CHSH rate for a symmetric channel [bit/sifted bit] (Acin et al., PRL 98, 230501 (2007))."""
    chsh = 2 * sqrt(2) * (1 - 2 * error)
    if chsh <= 2:
        return -1.0
    return 1 - binary_entropy(error) - binary_entropy((1 + sqrt((chsh / 2) ** 2 - 1)) / 2)


def threshold(rate: Callable[[float], float], low: float = 1e-6, high: float = 0.25) -> float:
    """Return the error rate at which a falling rate crosses zero, by bisection."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if rate(middle) > 0 else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Yields:
    """What infinitely many decoys would tell.

    Parameters
    ----------
    gain, error
        Probability of a click and error rate of the signal.
    single_gain, single_error
        The same of its single photons.
    """

    gain: float
    error: float
    single_gain: float
    single_error: float


def gys(
    length_km: float,
    mean: float,
    *,
    loss_db_per_km: float = 0.21,
    receiver: float = 0.045,
    background: float = 1.7e-6,
    misalignment: float = 0.033,
) -> Yields:
    """Return gains and errors in the model of Ma et al., PRA 72, 012326 (2005), by default for the GYS experiment.

    Parameters
    ----------
    length_km
        Fibre [km].
    mean
        Mean photon number of the signal.
    loss_db_per_km
        [dB/km].
    receiver
        Efficiency of Bob's side.
    background
        Y_0, probability of a click without a photon.
    misalignment
        e_d, probability that a photon takes the wrong exit.
    """
    transmittance = receiver * 10 ** (-loss_db_per_km * length_km / 10)
    hit = -expm1(-transmittance * mean)
    gain = background + hit
    yield_one = background + transmittance
    return Yields(
        gain=gain,
        error=(background / 2 + misalignment * hit) / gain,
        single_gain=yield_one * mean * exp(-mean),
        single_error=(background / 2 + misalignment * transmittance) / yield_one,
    )


def gllp(yields: Yields, efficiency: float, sifting: float = 0.5) -> float:
    """Return q (-Q f h(E) + Q_1 (1 - h(e_1))) [bit/pulse] (Gottesman, Lo, Luetkenhaus, Preskill 2004; Ma et al. 2005)."""
    leak = yields.gain * efficiency * binary_entropy(yields.error)
    return sifting * (yields.single_gain * (1 - binary_entropy(yields.single_error)) - leak)


def decoy_bb84(setup: Setup, efficiency: float = 1.16) -> float:
    """Return the rate of a link with endless blocks, exact yields and the key taken from every intensity [bit/pulse].

    Notes
    -----
    The vacuum contribution is left out, as in `gllp`; single photons are those of all intensities together.
    """
    source, receiver = setup.source, setup.receiver
    sifting = source.p_key * receiver.p_key
    pairs = list(zip(source.intensities, source.probabilities, strict=True))
    gain = sum(p * setup.gain(k) for k, p in pairs)
    error = sum(p * setup.error(k) for k, p in pairs) / gain
    dark = setup.dark
    wrong = receiver.optical_error
    yield_one = 1 - (1 - dark) ** 2 * (1 - setup.transmittance)
    # One photon: it takes the right exit, the wrong one or is lost; a dark count on the other side is a coin.
    error_one = setup.transmittance * (wrong * (1 - dark / 2) + (1 - wrong) * dark / 2)
    error_one += (1 - setup.transmittance) * dark * (2 - dark) / 2
    singles = sum(p * k * exp(-k) for k, p in pairs) * yield_one
    return sifting * (singles * (1 - binary_entropy(error_one / yield_one)) - gain * efficiency * binary_entropy(error))
