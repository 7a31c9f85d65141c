"""The inner loop of the LDPC decoder, compiled; importing this module needs numba.

Messages are 16-bit integers, sixteenths of a unit of log-likelihood, so that one vector instruction takes as many of
them as it can.  The casts keep every step at 16 bits: numba would widen each sum to 64.  Integers also make the result
the same on every machine, to the bit, and the same as that of `qstack.keys.reconcile.ldpc_decode.sweep_numpy`.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from qstack.keys.reconcile.ldpc_scale import CLIP, CORRECTION

Messages = NDArray[np.int16]
Integers = NDArray[np.int32]
Bytes = NDArray[np.uint8]

numba = import_module("numba")  # an extra; by name, because type checkers may not find it
_word = np.int16
_HIGH, _LOW, _LN2 = np.int16(CLIP), np.int16(-CLIP), np.int16(CORRECTION)


def _magnitude(value: np.int16) -> np.int16:
    """Return the absolute value."""
    return _word(-value) if value < 0 else value


def _greater(a: np.int16, b: np.int16) -> np.int16:
    """Return the greater one."""
    return max(b, a)


def _box_plus(a: np.int16, b: np.int16) -> np.int16:
    """Return the box-plus of two log-likelihood ratios, its correction made linear: u/2 + c(u) is a maximum of lines."""
    total = _size(_word(a + b))
    gap = _size(_word(a - b))
    above = _most(_word(total >> 1), _word(_word(total >> 2) + _LN2))
    below = _most(_word(gap >> 1), _word(_word(gap >> 2) + _LN2))
    return _word(above - below)


def _clip(message: np.int16) -> np.int16:
    """Keep a message within bounds: sums of them must fit into 16 bits."""
    below = min(message, _HIGH)
    return max(below, _LOW)


def _take(bits: Messages, turn: int, old: Messages, into: Messages) -> None:
    """Take an edge's old message out of the beliefs of its bits."""
    rest = bits.size - turn
    first, before, found = bits[turn:], old[:rest], into[:rest]
    for t in range(rest):
        found[t] = _word(first[t] - before[t])
    first, before, found = bits[:turn], old[rest:], into[rest:]
    for t in range(turn):
        found[t] = _word(first[t] - before[t])


def _put(bits: Messages, turn: int, new: Messages, into: Messages) -> None:
    """Put an edge's new message into the beliefs of its bits."""
    rest = bits.size - turn
    first, after, found = bits[turn:], new[:rest], into[:rest]
    for t in range(rest):
        first[t] = _word(found[t] + after[t])
    first, after, found = bits[:turn], new[rest:], into[rest:]
    for t in range(turn):
        first[t] = _word(found[t] + after[t])


def _signed(messages: Messages, parity: Messages, into: Messages) -> None:
    """Turn the signs of messages where the parity is 1, written as -1: x -> (x ^ p) - p."""
    for t in range(messages.size):
        into[t] = _word(_word(messages[t] ^ parity[t]) - parity[t])


def _onward(before: Messages, own: Messages, after: Messages) -> None:
    """Combine what came from the left with an edge's own message."""
    for t in range(before.size):
        after[t] = _box(before[t], own[t])


def _bounded(messages: Messages, into: Messages) -> None:
    """Clip messages."""
    for t in range(messages.size):
        into[t] = _kept(messages[t])


def _both_ways(before: Messages, back: Messages, own: Messages, new: Messages) -> None:
    """Give an edge what came from both sides, and take its own message on to the left."""
    for t in range(before.size):
        right = back[t]
        new[t] = _kept(_box(before[t], right))
        back[t] = _box(right, own[t])


def _combine(into: Messages, forward: Messages, back: Messages, parity: Messages, new: Messages) -> None:
    """Combine all messages into a row but one, for each edge, forwards and backwards."""
    degree = into.shape[0]
    _sign(into[0], parity, forward[0])
    back[:] = into[degree - 1]
    for e in range(1, degree - 1):
        _on(forward[e - 1], into[e], forward[e])
    _bound(forward[degree - 2], new[degree - 1])
    for e in range(degree - 2, 0, -1):
        _both(forward[e - 1], back, into[e], new[e])
    _sign(back, parity, forward[0])
    _bound(forward[0], new[0])


def _sweep(
    belief: Messages,
    message: Messages,
    parity: Messages,
    starts: Integers,
    column: Integers,
    shift: Integers,
    work: Messages,
) -> None:
    """Visit every row once: take its old messages out of the beliefs, combine, put the new ones in.

    Parameters
    ----------
    belief
        Log-likelihood ratios of the bits, shape (columns, lift); changed.
    message
        Messages from checks to bits, shape (edges, lift); changed.
    parity
        0 or -1 for each parity, shape (rows, lift).
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
        _combined(into, work[degree : 2 * degree], work[-1], parity[row], message[low:high])
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


_inline = numba.njit(inline="always")
_compiled = numba.njit()
_size = _inline(_magnitude)
_most = _inline(_greater)
_box = _inline(_box_plus)
_kept = _inline(_clip)
_taken = _compiled(_take)
_stored = _compiled(_put)
_sign = _compiled(_signed)
_on = _compiled(_onward)
_bound = _compiled(_bounded)
_both = _compiled(_both_ways)
_combined = _compiled(_combine)
sweep = numba.njit(cache=True)(_sweep)
xor = numba.njit(cache=True)(_xor)
