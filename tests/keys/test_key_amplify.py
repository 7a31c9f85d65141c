"""Privacy amplification, bit for bit."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.core.errors import ConfigError, PhysicsError
from qstack.keys import amplify
from qstack.keys.amplify import fast_length, seed_bits, toeplitz


def bits(generator, size):
    return generator.integers(0, 2, size, dtype=np.uint8)


def naive(key, seed, rows):
    """The definition: row i is the seed from i on, backwards over the key."""
    reverse = key[::-1].astype(np.int64)
    return np.array([int(reverse @ seed[i : i + key.size]) & 1 for i in rows], np.uint8)


@pytest.mark.requirement("QS-KY-010")
@given(size=st.integers(1, 300), share=st.floats(0, 1), number=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_equal_to_the_matrix_product(size, share, number):
    generator = np.random.Generator(np.random.Philox(number))
    length = int(share * size)
    key, seed = bits(generator, size), bits(generator, seed_bits(size, length))
    matrix = np.array([[seed[i - j + size - 1] for j in range(size)] for i in range(length)], np.int64)
    expected = (matrix @ key) & 1 if length else []
    assert toeplitz(key, seed, length).tolist() == list(expected)


@pytest.mark.parametrize(("size", "length"), [(100_003, 40_000), (1_000_000, 500_000)])
def test_equal_to_the_naive_product_on_slices(size, length):
    generator = np.random.Generator(np.random.Philox(size))
    key, seed = bits(generator, size), bits(generator, seed_bits(size, length))
    rows = np.concatenate([np.arange(64), np.arange(length - 64, length), generator.integers(0, length, 200)])
    assert np.array_equal(toeplitz(key, seed, length)[rows], naive(key, seed, rows))


@pytest.mark.slow
def test_ten_million_bits_are_exact_on_slices():
    generator = np.random.Generator(np.random.Philox(7))
    key, seed = bits(generator, 10_000_000), bits(generator, 14_999_999)
    rows = generator.integers(0, 5_000_000, 40)
    assert np.array_equal(toeplitz(key, seed, 5_000_000)[rows], naive(key, seed, rows))


def test_without_scipy_the_result_is_the_same(monkeypatch):
    generator = np.random.Generator(np.random.Philox(3))
    key, seed = bits(generator, 5000), bits(generator, 6999)
    with_scipy = toeplitz(key, seed, 2000)

    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(amplify, "import_module", refuse)
    assert np.array_equal(toeplitz(key, seed, 2000), with_scipy)


def test_single_precision_is_never_used(monkeypatch):
    class Single:
        rfft = staticmethod(lambda x, n: np.fft.rfft(x, n).astype(np.complex64))
        irfft = staticmethod(np.fft.irfft)

    monkeypatch.setattr(amplify, "_transform", lambda size: (Single, fast_length(size)))
    with pytest.raises(PhysicsError, match="complex64"):
        toeplitz(np.ones(10, np.uint8), np.ones(14, np.uint8), 5)


@pytest.mark.requirement("QS-KY-010")
def test_rounding_errors_are_noticed(monkeypatch):
    class Rough:
        rfft = staticmethod(np.fft.rfft)
        irfft = staticmethod(lambda x, n: np.fft.irfft(x, n) + 0.2)

    monkeypatch.setattr(amplify, "_transform", lambda size: (Rough, fast_length(size)))
    with pytest.raises(PhysicsError, match="rounding error"):
        toeplitz(np.ones(10, np.uint8), np.ones(14, np.uint8), 5)


@pytest.mark.parametrize("size", [1, 2, 7, 97, 1000, 1021, 65537, 1_000_003])
def test_fast_lengths_are_smooth_and_not_too_long(size):
    fast = rest = fast_length(size)
    assert size <= fast <= 1.1 * size + 2
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1


def test_sizes_must_fit():
    with pytest.raises(ConfigError, match="cannot hash 4 bits to 5"):
        toeplitz(np.ones(4, np.uint8), np.ones(8, np.uint8), 5)
    with pytest.raises(ConfigError, match="need 5 seed bits, not 4"):
        toeplitz(np.ones(4, np.uint8), np.ones(4, np.uint8), 2)


def test_the_family_is_universal():
    """Two keys collide under at most 2^-l of the seeds: counted over all of them."""
    one, two = np.array([1, 0, 1, 1], np.uint8), np.array([0, 0, 1, 0], np.uint8)
    seeds = [np.array([s >> i & 1 for i in range(6)], np.uint8) for s in range(64)]
    collisions = sum(np.array_equal(toeplitz(one, s, 3), toeplitz(two, s, 3)) for s in seeds)
    assert collisions == 64 // 8
    assert builtins.sum(toeplitz(one, s, 3).any() for s in seeds) == 64 - 8
