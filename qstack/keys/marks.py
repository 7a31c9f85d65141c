"""Drawing marks: one random word a click, whatever the number of things to decide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qstack.keys.records import Marks

_COLUMN_BITS = 6
_FRACTION_BITS = 64 - _COLUMN_BITS
MARKS = 1 << _COLUMN_BITS
"""Number of different marks."""


def alias_table(weights: NDArray[np.float64]) -> tuple[NDArray[np.uint64], Marks]:
    """Return the thresholds and aliases of Walker's method for 64 marks, shapes (64,).

    A random 64-bit word chooses a column with its upper six bits and, by comparing the rest with the column's
    threshold, either the column itself or its alias (Vose, IEEE Trans. Softw. Eng. 17, 972 (1991)).
    """
    scaled = weights * weights.size
    aliases = np.arange(weights.size, dtype=np.uint8)
    small = [i for i, value in enumerate(scaled) if value < 1]
    large = [i for i, value in enumerate(scaled) if value >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        aliases[low] = high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            small.append(large.pop())
    for rest in small + large:
        scaled[rest] = 1.0  # rounding left them short of one, or they never lent anything
    thresholds = np.minimum(scaled * 2.0**_FRACTION_BITS, 2.0**_FRACTION_BITS).astype(np.uint64)
    return thresholds, aliases


def draw_marks(generator: np.random.Generator, size: int, thresholds: NDArray[np.uint64], aliases: Marks) -> Marks:
    """Return marks drawn from an alias table."""
    words = generator.integers(0, 1 << 64, size, dtype=np.uint64)
    column = (words >> np.uint64(_FRACTION_BITS)).view(np.int64)
    words &= np.uint64((1 << _FRACTION_BITS) - 1)
    own = words < thresholds.take(column)
    return np.where(own, column.astype(np.uint8), aliases.take(column))
