"""Universal hashing: the polynomial of Poly1305 as an incremental hash, keyed by a point and hidden by a pad.

A message of L bytes becomes a polynomial of degree ceil(L/16) over the integers modulo 2^130 - 5, evaluated at a
secret point.  Two messages give values that differ by any chosen amount with probability at most
8 ceil(L/16) 2^-106 (Bernstein, FSE 2005), which is what both a Wegman-Carter tag and error verification need.
The compiled code of the `cryptography` package is used where it is installed; the result is the same.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

from qstack.core.errors import ConfigError

TAG_BYTES = 16
TAG_BITS = 8 * TAG_BYTES
_PRIME = (1 << 130) - 5
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
_MASK = (1 << TAG_BITS) - 1


class Poly:
    """The polynomial hash, in portable Python.

    Parameters
    ----------
    point
        16 bytes; where the polynomial is evaluated, clamped as RFC 8439 section 2.5 says.
    """

    def __init__(self, point: bytes) -> None:
        self._point = int.from_bytes(point, "little") & _CLAMP
        self._sum = 0
        self._rest = b""

    def update(self, data: bytes) -> None:
        """Append to the message."""
        data = self._rest + data
        whole = len(data) - len(data) % TAG_BYTES
        point, total = self._point, self._sum
        for i in range(0, whole, TAG_BYTES):
            total = (total + int.from_bytes(data[i : i + TAG_BYTES], "little") + (1 << TAG_BITS)) * point % _PRIME
        self._sum = total
        self._rest = data[whole:]

    def value(self) -> int:
        """Return the value of the polynomial modulo 2^128; call it once."""
        if self._rest:
            last = int.from_bytes(self._rest + b"\1", "little")
            self._sum = (self._sum + last) * self._point % _PRIME
        return self._sum & _MASK


class _Compiled:
    """The same hash by compiled code: Poly1305 with a pad of zero."""

    def __init__(self, point: bytes) -> None:
        from cryptography.hazmat.primitives.poly1305 import Poly1305  # noqa: PLC0415 - an extra, imported where used

        self._state = Poly1305(point + bytes(TAG_BYTES))

    def update(self, data: bytes) -> None:
        """Append to the message."""
        self._state.update(data)

    def value(self) -> int:
        """Return the value of the polynomial modulo 2^128; call it once."""
        return int.from_bytes(self._state.finalize(), "little")


class Hash(Protocol):
    """A running universal hash."""

    def update(self, data: bytes) -> None:
        """Append to the message."""
        ...

    def value(self) -> int:
        """Return the hash; call it once."""
        ...


@cache
def _compiled() -> bool:
    """Return whether compiled code can be used."""
    try:
        _Compiled(bytes(TAG_BYTES))
    except ImportError:
        return False
    return True


def universal(point: bytes) -> Hash:
    """Return a new universal hash.

    Raises
    ------
    ConfigError
        When the point is not 16 bytes; the message does not repeat it.
    """
    if len(point) != TAG_BYTES:
        raise ConfigError(f"a hash point has {TAG_BYTES} bytes, not {len(point)}")
    return _Compiled(point) if _compiled() else Poly(point)


def seal(value: int, pad: bytes) -> bytes:
    """Return a hash hidden by a one-time pad: with the point of a key's first half this is Poly1305 itself."""
    return ((value + int.from_bytes(pad, "little")) & _MASK).to_bytes(TAG_BYTES, "little")


def collision(length_bytes: int) -> float:
    """Return the probability that two given messages of at most this length collide, or differ as Eve wishes."""
    return float(8 * max(1, -(-length_bytes // TAG_BYTES)) * 2.0**-106)
