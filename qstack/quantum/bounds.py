"""What a state or a channel is worth: CHSH, entropies, hashing, one-way key, the repeaterless bound."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log, log1p, log2, sqrt

from qstack.quantum.states import Correlators, bell_from_correlators, probability


def chsh_max(correlators: Correlators) -> float:
    """Return the largest CHSH value over all directions.

    Twice the root of the sum of the two largest squared correlators: Horodecki, Horodecki and Horodecki,
    Phys. Lett. A 200, 340 (1995).
    """
    _, middle, largest = sorted(c * c for c in correlators)
    return 2 * sqrt(middle + largest)


def entropy(probabilities: Sequence[float]) -> float:
    """Return the Shannon entropy [bit]; of the spectrum of a state it is the von Neumann entropy.

    Entries that rounding pushed below zero count as zero.
    """
    return -sum(p * log2(p) for p in probabilities if p > 0)


def binary_entropy(x: float) -> float:
    """Return h(x) = -x log2 x - (1 - x) log2 (1 - x) [bit].

    Raises
    ------
    PhysicsError
        If `x` is no probability.
    """
    return entropy((probability("argument of the binary entropy", x), 1 - x))


def hashing_bound(correlators: Correlators) -> float:
    """Return 1 - S(rho), the ebits per pair of one-way hashing; negative when it gives none.

    Bennett, DiVincenzo, Smolin and Wootters, Phys. Rev. A 54, 3824 (1996).
    """
    return 1 - entropy(bell_from_correlators(correlators))


def error_rates(correlators: Correlators) -> tuple[float, float]:
    """Return (e_X, e_Z): how often the two ends disagree in X and in Z, after correction to the announced frame."""
    x, _, z = correlators
    return (1 - x) / 2, (1 - z) / 2


def bbm92_fraction(e_x: float, e_z: float) -> float:
    """Return the asymptotic one-way secret bits per sifted bit, 1 - h(e_X) - h(e_Z); negative when there are none.

    Shor and Preskill, Phys. Rev. Lett. 85, 441 (2000), with separate rates for bit and phase errors.
    """
    return 1 - binary_entropy(e_x) - binary_entropy(e_z)


def plob_bound(eta: float) -> float:
    """Return the repeaterless bound -log2(1 - eta) [bit per mode], infinite for a lossless channel.

    Pirandola, Laurenza, Ottaviani and Banchi, Nat. Commun. 8, 15043 (2017).  ``log1p`` keeps it right at 1000 km,
    where 1 - eta is 1 in floating point.

    Raises
    ------
    PhysicsError
        If the transmission is no probability.
    """
    if probability("transmission", eta) == 1.0:
        return inf
    return -log1p(-eta) / log(2)
