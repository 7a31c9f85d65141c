"""Sums that closed forms of attacks share: clicks of pulses with so many photons, and counts of a block."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, factorial

from qstack.keys.finite import Counts
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


def counts(setup: Setup, pulses: float, gain: Callable[[float], float], error: Callable[[float], float]) -> Counts:
    """Return the mean counts of a block.

    Parameters
    ----------
    setup
        The link.
    pulses
        Pulses of the block.
    gain, error
        Probability of a click, and of a click with the wrong bit in the right basis, by intensity.
    """
    source, receiver = setup.source, setup.receiver
    live = pulses * (1 - receiver.self_test)
    key, test = live * source.p_key * receiver.p_key, live * (1 - source.p_key) * (1 - receiver.p_key)
    pairs = list(zip(source.intensities, source.probabilities, strict=True))
    gains, errors = [p * gain(k) for k, p in pairs], [p * error(k) for k, p in pairs]
    return Counts(
        key=tuple(key * part for part in gains),
        test=tuple(test * part for part in gains),
        test_errors=tuple(test * part for part in errors),
        key_errors=tuple(key * part for part in errors),
    )
