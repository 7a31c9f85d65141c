"""Serial numbers: counting that wraps, compared by the half-range rule (RFC 1982)."""

from __future__ import annotations

SEQUENCES = 1 << 16
"""Successes of a link are counted modulo this number (QS-L1-004)."""


def step(old: int, new: int, modulus: int) -> int:
    """Return by how much a serial number is ahead of an older one: negative if it is behind.

    The number opposite to the old one counts as the one farthest behind.

    >>> step(65535, 1, 1 << 16), step(1, 65535, 1 << 16), step(0, 1 << 15, 1 << 16)
    (2, -2, -32768)
    """
    half = modulus // 2
    return (new - old + half) % modulus - half
