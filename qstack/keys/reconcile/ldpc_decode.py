"""Layered belief propagation on a quasi-cyclic code, towards a syndrome.

Messages are log-likelihood ratios; a check combines them by

    a [+] b = (|a+b| - |a-b|)/2 + c(|a+b|) - c(|a-b|),    c(u) = log(1 + e^-u), taken as max(0, ln 2 - u/4)

forwards and backwards over its edges.  Rows are visited one after the other, so news travels within one sweep.  Ratios
are integers of 16 bits.  With numba the sweep is compiled; without it the same arithmetic runs in numpy, several times
slower, to the same bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import log

import numpy as np
from numpy.typing import NDArray

from qstack.keys.reconcile.ldpc_code import COLUMNS, Code
from qstack.keys.reconcile.ldpc_scale import CLIP, CORRECTION, SCALE
from qstack.keys.reconcile.strategy import Bits

CALM = 200
"""The syndrome is looked at when fewer than one bit in so many changed in a sweep."""
STILL = 20_000
"""A sweep that changes fewer than one bit in so many has not helped."""
PATIENCE = 4
"""Sweeps in a row that may not help before the decoder asks for more parities."""

Messages = NDArray[np.int16]
_LN2 = np.int16(CORRECTION)


def decode(code: Code, word: Bits, syndrome: Bits, error_rate: float, sweeps: int) -> Bits | None:
    """Return the most plausible word with a syndrome, or None when the sweeps do not find one.

    Parameters
    ----------
    code
        The code; every row has at least two edges.
    word
        Bob's bits, shape (columns, lift).
    syndrome
        Alice's parities, shape (rows, lift).
    error_rate
        Share of bits that differ.
    sweeps
        Most sweeps over all rows.
    """
    plausible = np.int16(max(1, round(SCALE * log((1 - error_rate) / error_rate))))
    belief = plausible * (1 - 2 * word.astype(np.int16))
    message = np.zeros((code.column.size, code.lift), np.int16)
    parity = -syndrome.astype(np.int16)
    degree = int(np.diff(code.starts).max())
    work = np.empty((2 * degree + 1, code.lift), np.int16)
    step = sweeper()
    before, stuck = word, 0
    for _ in range(sweeps):
        step(belief, message, parity, code.starts, code.column, code.shift, work)
        found = (belief < 0).view(np.uint8)
        changed = np.count_nonzero(found != before)
        if changed * CALM < found.size and np.array_equal(code.syndrome(found), syndrome):
            return found
        stuck = stuck + 1 if changed * STILL < found.size else 0
        if stuck == PATIENCE:
            break
        before = found
    return None


@cache
def sweeper() -> Callable[..., None]:
    """Return the compiled sweep where numba is installed, else the one in numpy."""
    try:
        from qstack.keys.reconcile.ldpc_compiled import sweep  # noqa: PLC0415 - needs an extra
    except ImportError:
        return sweep_numpy
    compiled: Callable[..., None] = sweep
    return compiled


def sweep_numpy(
    belief: Messages,
    message: Messages,
    parity: Messages,
    starts: NDArray[np.int32],
    column: NDArray[np.int32],
    shift: NDArray[np.int32],
    work: Messages,
) -> None:
    """Do what `qstack.keys.reconcile.ldpc_compiled.sweep` does; same arguments, same result."""
    assert belief.shape[0] == COLUMNS
    lift = belief.shape[1]
    places = np.arange(lift)
    for row in range(starts.size - 1):
        edges = slice(starts[row], starts[row + 1])
        degree = starts[row + 1] - starts[row]
        where = (column[edges, None], (places + shift[edges, None]) % lift)
        into = belief[where] - message[edges]
        forward = work[:degree]
        forward[0] = (into[0] ^ parity[row]) - parity[row]
        for e in range(1, degree - 1):
            forward[e] = _box(forward[e - 1], into[e])
        back = into[degree - 1].copy()
        new = message[edges]
        new[degree - 1] = forward[degree - 2]
        for e in range(degree - 2, 0, -1):
            new[e] = _box(forward[e - 1], back)
            back = _box(back, into[e])
        new[0] = (back ^ parity[row]) - parity[row]
        np.clip(new, -CLIP, CLIP, out=new)
        belief[where] = into + new


def _box(a: Messages, b: Messages) -> Messages:
    total, gap = np.abs(a + b), np.abs(a - b)
    value: Messages = np.maximum(total >> 1, (total >> 2) + _LN2) - np.maximum(gap >> 1, (gap >> 2) + _LN2)
    return value
