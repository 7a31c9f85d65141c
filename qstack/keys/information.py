"""Entropies and the bounds of information theory that key rates are made of."""

from __future__ import annotations

from math import log, log1p, log2


def binary_entropy(x: float) -> float:
    """Return h(x) = -x log2 x - (1-x) log2(1-x) [bit]; zero at and beyond the ends of [0, 1]."""
    if x <= 0 or x >= 1:
        return 0.0
    return -x * log2(x) - (1 - x) * log1p(-x) / log(2)


def phase_entropy(error: float) -> float:
    """Return what an adversary may know of a bit whose phase error rate is at most `error` [bit].

    h is increasing up to one half only, and an upper bound beyond it says nothing: the answer is 1 there.
    """
    return 1.0 if error >= 0.5 else binary_entropy(max(error, 0.0))


def plob(transmittance: float) -> float:
    """Return the repeaterless bound of a lossy channel [secret bit per mode].

    Notes
    -----
    -log2(1 - eta), Pirandola et al., Nat. Commun. 8, 15043 (2017); log1p keeps its digits at 1000 km.
    """
    return -log1p(-transmittance) / log(2)
