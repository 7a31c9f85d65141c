"""Bytes of the post-processing messages: a kind byte, then the fields in order, integers big-endian.

=========  ==================================================
kind       form
=========  ==================================================
``u64``    8 bytes
``f64``    IEEE 754, 8 bytes
``text``   length in 2 bytes, UTF-8
``raw``    length in 4 bytes, bytes
``bits``   number in 4 bytes, packed, unused places zero
``u64s``   number in 2 bytes, 8 bytes each
``rising`` number in 4 bytes, width in 1, first differences
=========  ==================================================

Decoding allocates nothing before the bytes are there, and raises nothing but `WireError`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from qstack.core.errors import WireError


class Reader:
    """Reads fields off a message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.offset = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self.offset + size
        if end > len(self._data):
            raise WireError(f"message ends {end - len(self._data)} bytes too early", self.offset)
        taken = self._data[self.offset : end]
        self.offset = end
        return taken

    def number(self, size: int) -> int:
        """Return an unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def finish(self) -> None:
        """Refuse bytes that no field claimed."""
        if self.offset != len(self._data):
            raise WireError(f"{len(self._data) - self.offset} bytes after the last field", self.offset)


def _write_text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def _read_text(reader: Reader) -> str:
    data = reader.take(reader.number(2))
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise WireError("text is not UTF-8", reader.offset) from None


def _write_raw(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _read_raw(reader: Reader) -> bytes:
    return reader.take(reader.number(4))


def _write_bits(value: np.ndarray[Any, Any]) -> bytes:
    return value.size.to_bytes(4, "big") + np.packbits(value).tobytes()


def _read_bits(reader: Reader) -> np.ndarray[Any, Any]:
    count = reader.number(4)
    packed = np.frombuffer(reader.take((count + 7) // 8), np.uint8)
    bits = np.unpackbits(packed)
    if bits[count:].any():
        raise WireError("unused places of a bit string are not zero", reader.offset)
    return bits[:count]


def _write_u64s(value: tuple[int, ...]) -> bytes:
    return struct.pack(f">H{len(value)}Q", len(value), *value)


def _read_u64s(reader: Reader) -> tuple[int, ...]:
    count = reader.number(2)
    return struct.unpack(f">{count}Q", reader.take(8 * count))


def _write_rising(value: np.ndarray[Any, Any]) -> bytes:
    steps = np.diff(value, prepend=-1)
    widest = int(steps.max(initial=0))
    width = next(size for size in (1, 2, 4, 8) if widest < 1 << (8 * size))
    return struct.pack(">IB", value.size, width) + steps.astype(f">u{width}").tobytes()


def _read_rising(reader: Reader) -> np.ndarray[Any, Any]:
    count, width = reader.number(4), reader.number(1)
    if width not in {1, 2, 4, 8}:
        raise WireError(f"differences of {width} bytes: need 1, 2, 4 or 8", reader.offset)
    steps = np.frombuffer(reader.take(count * width), f">u{width}").astype(np.int64)
    if count and (steps.min() < 1 or float(steps.sum(dtype=np.float64)) >= 2.0**62):
        raise WireError("numbers do not rise, or rise beyond 62 bits", reader.offset)
    return np.cumsum(steps) - 1


def _read_f64(reader: Reader) -> float:
    value: float = struct.unpack(">d", reader.take(8))[0]
    if not np.isfinite(value):
        raise WireError("a number is not finite", reader.offset)
    return value


FORMS: dict[str, tuple[Callable[[Any], bytes], Callable[[Reader], Any]]] = {
    "u64": (lambda value: struct.pack(">Q", value), lambda reader: reader.number(8)),
    "f64": (lambda value: struct.pack(">d", value), _read_f64),
    "text": (_write_text, _read_text),
    "raw": (_write_raw, _read_raw),
    "bits": (_write_bits, _read_bits),
    "u64s": (_write_u64s, _read_u64s),
    "rising": (_write_rising, _read_rising),
}
