"""Sums over photon numbers, for the closed forms of attacks."""

from __future__ import annotations

from math import exp, factorial

from qstack.keys.models import Setup

MOST_PHOTONS = 40
"""Pulses with more are left out of sums: one in 10^19 at a mean of 3."""


def photons(mean: float) -> list[float]:
    """Return the probability of 0, 1, 2 ... photons in a pulse of a mean number."""
    return [exp(-mean) * mean**n / factorial(n) for n in range(MOST_PHOTONS)]


def click(setup: Setup, number: int) -> tuple[float, float]:
    """Return the probabilities of a click, and of a wrong bit in the right basis, of photons at the receiver's entrance.

    Notes
    -----
    Each of n photons is seen by the right detector with probability h(1-e), by the wrong one with h e.  A double click
    is a random bit: P(wrong clicks) - P(both click)/2.
    """
    seen, wrong = setup.receiver.efficiency, setup.receiver.optical_error
    quiet = 1 - setup.dark
    silent_right = quiet * (1 - seen * (1 - wrong)) ** number
    silent_wrong = quiet * (1 - seen * wrong) ** number
    silent = quiet**2 * (1 - seen) ** number
    both = 1 - silent_right - silent_wrong + silent
    return 1 - silent, 1 - silent_wrong - both / 2
