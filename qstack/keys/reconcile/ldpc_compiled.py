"""The inner loop of the LDPC decoder, compiled; importing this module needs numba."""

from __future__ import annotations

from importlib import import_module

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Bytes = NDArray[np.uint8]

LIMIT = np.float32(25)
"""Largest message [log-likelihood ratio]."""

numba = import_module("numba")  # an extra; by name, because type checkers may not find it


def _box_plus(a: np.float32, b: np.float32) -> np.float32:
    """Return the box-plus of two log-likelihood ratios, its correction made linear: u/2 + c(u) is a maximum of lines."""
    total = abs(a + b)
    gap = abs(a - b)
    half, quarter, two = np.float32(0.5), np.float32(0.25), np.float32(0.6931472)
    return max(half * total, quarter * total + two) - max(half * gap, quarter * gap + two)


def _clip(message: np.float32) -> np.float32:
    """Keep a message within bounds: beliefs that grow without end lose their last digits, and then everything."""
    return min(max(message, -LIMIT), LIMIT)


def _take(bits: Floats, turn: int, old: Floats, into: Floats) -> None:
    """Take an edge's old message out of the beliefs of its bits."""
    lift = bits.size
    for t in range(lift - turn):
        into[t] = bits[t + turn] - old[t]
    for t in range(lift - turn, lift):
        into[t] = bits[t + turn - lift] - old[t]


def _put(bits: Floats, turn: int, new: Floats, into: Floats) -> None:
    """Put an edge's new message into the beliefs of its bits."""
    lift = bits.size
    for t in range(lift - turn):
        bits[t + turn] = into[t] + new[t]
    for t in range(lift - turn, lift):
        bits[t + turn - lift] = into[t] + new[t]


def _combine(into: Floats, forward: Floats, back: Floats, parity: Floats, new: Floats) -> None:
    """Combine all messages into a row but one, for each edge, forwards and backwards."""
    degree, lift = into.shape
    for t in range(lift):
        forward[0, t] = into[0, t] * parity[t]
        back[t] = into[degree - 1, t]
    for e in range(1, degree - 1):
        before, own, after = forward[e - 1], into[e], forward[e]
        for t in range(lift):
            after[t] = _box(before[t], own[t])
    for t in range(lift):
        new[degree - 1, t] = _kept(forward[degree - 2, t])
    for e in range(degree - 2, 0, -1):
        before, own, after = forward[e - 1], into[e], new[e]
        for t in range(lift):
            after[t] = _kept(_box(before[t], back[t]))
            back[t] = _box(back[t], own[t])
    for t in range(lift):
        new[0, t] = _kept(back[t] * parity[t])


def _sweep(
    belief: Floats, message: Floats, sign: Floats, starts: Integers, column: Integers, shift: Integers, work: Floats
) -> None:
    """Visit every row once: take its old messages out of the beliefs, combine, put the new ones in.

    Parameters
    ----------
    belief
        Log-likelihood ratios of the bits, shape (columns, lift); changed.
    message
        Messages from checks to bits, shape (edges, lift); changed.
    sign
        +1 or -1 for each parity, shape (rows, lift).
    starts, column, shift
        The code.
    work
        Room for two messages per edge of a row and one more, shape (2 degrees + 1, lift).
    """
    for row in range(starts.size - 1):
        low, high = starts[row], starts[row + 1]
        degree = high - low
        into = work[:degree]
        for edge in range(low, high):
            _taken(belief[column[edge]], shift[edge], message[edge], into[edge - low])
        _combined(into, work[degree : 2 * degree], work[-1], sign[row], message[low:high])
        for edge in range(low, high):
            _stored(belief[column[edge]], shift[edge], message[edge], into[edge - low])


def _xor(word: Bytes, first: Integers, last: Integers, column: Integers, shift: Integers, parities: Bytes) -> None:
    """Add up the blocks of the edges first to last of each row, each turned by its shift."""
    lift = word.shape[1]
    for row in range(first.size):
        parity = parities[row]
        for edge in range(first[row], last[row]):
            bits, turn = word[column[edge]], shift[edge]
            for t in range(lift - turn):
                parity[t] ^= bits[t + turn]
            for t in range(lift - turn, lift):
                parity[t] ^= bits[t + turn - lift]


_box = numba.njit(fastmath=True, inline="always")(_box_plus)
_kept = numba.njit(fastmath=True, inline="always")(_clip)
_taken = numba.njit(fastmath=True)(_take)
_stored = numba.njit(fastmath=True)(_put)
_combined = numba.njit(fastmath=True)(_combine)
sweep = numba.njit(fastmath=True, cache=True)(_sweep)
xor = numba.njit(cache=True)(_xor)
