"""Privacy amplification: Toeplitz hashing by one real FFT, in double precision and checked.

The l x n Toeplitz matrix T[i, j] = s[i - j + n - 1] is made of n + l - 1 public random bits s.  Then
y[i] = sum_j s[i - j + n - 1] x[j] is entry n - 1 + i of the convolution of s and x; a cyclic one of length
n + l - 1 is long enough, because its wrapped entries fall below n - 1.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError, PhysicsError
from qstack.keys.reconcile.strategy import Bits

ROUNDING_LIMIT = 0.1
"""Largest distance from an integer that counts as certain; float64 stays below 1e-8 at 1e8 bits."""


def seed_bits(key_bits: int, length: int) -> int:
    """Return how many seed bits a Toeplitz matrix of this shape needs [bit]."""
    return key_bits + length - 1 if length else 0


def toeplitz(key: Bits, seed: Bits, length: int) -> Bits:
    """Hash a key.

    Parameters
    ----------
    key
        Bits, shape (n,).
    seed
        Public random bits, independent of the key, shape (n + length - 1,).
    length
        Bits to keep, at most n.

    Returns
    -------
    ndarray
        Bits, shape (length,).

    Raises
    ------
    ConfigError
        When the sizes do not fit.
    PhysicsError
        When the transform was not precise enough to tell bits apart; it is never used then.
    """
    if not 0 <= length <= key.size:
        raise ConfigError(f"cannot hash {key.size} bits to {length}")
    if seed.size != seed_bits(key.size, length):
        raise ConfigError(f"{key.size} bits to {length} need {seed_bits(key.size, length)} seed bits, not {seed.size}")
    if length == 0:
        return np.empty(0, np.uint8)
    fft, size = _transform(seed.size)
    spectrum = fft.rfft(seed.astype(np.float64), size)
    spectrum *= fft.rfft(key.astype(np.float64), size)
    if spectrum.dtype != np.complex128:
        raise PhysicsError(f"the transform ran in {spectrum.dtype}: single precision gives wrong bits above 1e6")
    sums: NDArray[np.float64] = fft.irfft(spectrum, size)[key.size - 1 : key.size - 1 + length]
    whole = np.rint(sums)
    if np.abs(sums - whole).max() > ROUNDING_LIMIT:
        raise PhysicsError("the transform's rounding error reached 0.1: hash the block in parts")
    bits: Bits = (whole.astype(np.int64) & 1).astype(np.uint8)
    return bits


def _transform(size: int) -> tuple[Any, int]:
    """Return a module with rfft and irfft, scipy's where it is installed, and a fast length of at least `size`."""
    try:
        fft = import_module("scipy.fft")  # an extra, imported where used
    except ImportError:
        return np.fft, fast_length(size)
    return fft, int(fft.next_fast_len(size, real=True))


def fast_length(size: int) -> int:
    """Return the smallest 2^a 3^b 5^c that is not below `size`."""
    best = 1 << (size - 1).bit_length() if size > 1 else 1
    fives = 1
    while fives < best:
        threes = fives
        while threes < best:
            rest = -(-size // threes)
            best = min(best, threes << (rest - 1).bit_length() if rest > 1 else threes)
            threes *= 3
        fives *= 5
    return best
