"""Decoy-state BB84: expected counts in closed form, and the same sampled click by click.

Pulses that give no click are never touched: without memory in the detectors the number of pulses until the next click
is geometric, and what a click looks like (intensity, bases, bits) is one draw from a table of 48 rows.  Both are
exact; the pulse-by-pulse mode in `qstack.keys.pulses` is their judge.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log1p

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError
from qstack.keys.finite import Counts
from qstack.keys.marks import MARKS, alias_table, draw_marks
from qstack.keys.models import Setup
from qstack.keys.randomness import stream
from qstack.keys.records import (
    ALICE_BASIS,
    ALICE_BIT,
    BOB_BASIS,
    BOB_BIT,
    INTENSITY,
    Experiment,
    Marks,
    Pulses,
    split,
)

BATCH = 1 << 20
"""Clicks drawn at once."""
MOST_PULSES = 1 << 40
"""Longest block, three hours at 80 MHz; keeps pulse numbers within 64 bits."""


def mark_probabilities(setup: Setup) -> NDArray[np.float64]:
    """Return the probability per pulse of a click with each mark, shape (64,); they add up to the click probability."""
    table = np.zeros(MARKS)
    source, receiver = setup.source, setup.receiver
    live = 1 - receiver.self_test
    for mark in range(table.size):
        index = mark >> INTENSITY
        if index >= len(source.intensities):
            continue
        alice_basis, bob_basis = mark >> ALICE_BASIS & 1, mark >> BOB_BASIS & 1
        mean = source.intensities[index]
        gain, error = setup.gain(mean), setup.error(mean)
        if alice_basis != bob_basis:
            outcome = gain / 2
        else:
            outcome = error if (mark >> ALICE_BIT ^ mark >> BOB_BIT) & 1 else gain - error
        alice = source.p_key if alice_basis == 0 else 1 - source.p_key
        bob = receiver.p_key if bob_basis == 0 else 1 - receiver.p_key
        table[mark] = live * source.probabilities[index] * alice * bob * outcome / 2
    return table


def expected(setup: Setup, pulses: float) -> Counts:
    """Return the mean counts of a block, key errors included.

    Parameters
    ----------
    setup
        The link.
    pulses
        Pulses sent in the block.
    """
    return counts_of(setup, pulses, setup.gain, setup.error)


def counts_of(setup: Setup, pulses: float, gain: Callable[[float], float], error: Callable[[float], float]) -> Counts:
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


def pulses_for(setup: Setup, sifted: int) -> int:
    """Return how many pulses give a number of sifted bits on average, both bases together."""
    counts = expected(setup, 1.0)
    return ceil(sifted / (sum(counts.key) + sum(counts.test)))


def gates(setup: Setup, pulses: float) -> float:
    """Return how many pulses must be sent for so many that meet detectors which are not held off, on average.

    After every click, of any basis, no detector sees `Setup.dead_pulses` pulses.
    """
    return pulses + pulses * float(mark_probabilities(setup).sum()) * setup.dead_pulses


def sample(setup: Setup, pulses: int, seed: int | None, block: int = 0) -> Experiment:
    """Send pulses and return what both ends wrote down.

    Parameters
    ----------
    setup
        The link.
    pulses
        Pulses of the block.
    seed, block
        As in `qstack.keys.randomness.stream`.

    Raises
    ------
    ConfigError
        When the number of pulses is not between 1 and 2^40, or the detectors have after-pulses: their memory does not allow
        skipping, and an approximation is not offered.
    """
    if not 0 < pulses <= MOST_PULSES:
        raise ConfigError(f"{pulses} pulses: a block needs at least one and at most {MOST_PULSES}")
    if setup.receiver.afterpulse:
        raise ConfigError(
            f"afterpulse {setup.receiver.afterpulse}: detectors with memory cannot be sampled by skipping"
        )
    generator = stream(seed, block, "bb84")
    table = mark_probabilities(setup)
    click = float(table.sum())
    if click == 0:
        return split(pulses, np.empty(0, np.int64), np.empty(0, np.uint8))
    thresholds, aliases = alias_table(table / click)
    chunks: list[tuple[Pulses, Marks]] = []
    last = -1 - setup.dead_pulses
    while last < pulses:
        size = min(BATCH, int(1.05 * click * (pulses - last)) + 64)
        pulse = _next_clicks(generator, click, size, last, setup.dead_pulses)
        last = int(pulse[-1])
        chunks.append((pulse, draw_marks(generator, size, thresholds, aliases)))
    pulse = np.concatenate([chunk for chunk, _ in chunks])
    kept = int(np.searchsorted(pulse, pulses))
    mark = np.concatenate([chunk for _, chunk in chunks])[:kept]
    tests = int(generator.binomial(pulses, setup.receiver.self_test)) if setup.receiver.self_test else 0
    return split(pulses, pulse[:kept], mark, tests, tests)


def _next_clicks(generator: np.random.Generator, click: float, size: int, last: int, dead: int) -> Pulses:
    """Return the numbers of the next clicks: gaps are geometric, drawn as rounded-down exponentials."""
    gaps = generator.standard_exponential(size)
    if click < 1:
        gaps *= -1 / log1p(-click)
    else:
        gaps[:] = 0
    pulse = np.minimum(gaps, 2.0 * MOST_PULSES).astype(np.int64)  # beyond the block is beyond the block
    pulse += 1 + dead
    np.cumsum(pulse, out=pulse)
    pulse += last
    return pulse
