"""Reading a pair that has aged: what it costs to ask for a state that decoheres lazily."""

from __future__ import annotations

from math import inf
from time import process_time

from qstack.hardware.pairs import Exponential, Half, Pair

STEP = 1_000_000
"""Time between two readings [ps]."""


def reads(number: int = 200_000) -> float:
    """Return readings per CPU-second of a pair of which one half has aged a little more each time."""
    pair = Pair(0, 0.96, 0.96, 0.96)
    law = Exponential(inf, 1e11)
    pair.a, pair.b = Half(pair, law, 0, None, 0), Half(pair, law, 0, None, 1)
    half, times = pair.a, range(STEP, (number + 1) * STEP, STEP)
    begin = process_time()
    for now in times:
        half.age(now)
        _ = pair.fidelity
    return number / (process_time() - begin)
