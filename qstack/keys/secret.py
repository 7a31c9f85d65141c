"""Secrets: bytes and bit strings that never show themselves.

A secret has one door, `reveal`.  Its representation, its text, and the text of every exception it raises name its
size and nothing else; it cannot be pickled, hashed, iterated or formatted into a log by accident.
"""

from __future__ import annotations

import hmac
from typing import NoReturn

from qstack.core.errors import ConfigError


class Secret:
    """Bytes that never show themselves.

    Parameters
    ----------
    data
        The secret; it is copied, so the caller may wipe its own buffer.

    Notes
    -----
    `wipe` overwrites this object's own buffer.  CPython may hold copies that no program can reach (the bytes that
    `reveal` returned, for one), so zeroising is an effort, not a promise.
    """

    __slots__ = ("_data", "_wiped")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = bytearray(data)
        self._wiped = False

    def reveal(self) -> bytes:
        """Return the bytes.

        Raises
        ------
        ConfigError
            When the secret was wiped.
        """
        if self._wiped:
            raise ConfigError("this secret was wiped and cannot be revealed")
        return bytes(self._data)

    def wipe(self) -> None:
        """Overwrite the buffer; the secret cannot be revealed afterwards."""
        for i in range(len(self._data)):
            self._data[i] = 0
        self._wiped = True

    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time; a wiped secret equals nothing."""
        if not isinstance(other, Secret) or self._wiped or other._wiped:
            return False
        return hmac.compare_digest(self._data, other._data)

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret is a fingerprint of it

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{len(self._data)} bytes>)"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied: reveal it where it is used")


class SecretBits(Secret):
    """A bit string that never shows itself: what privacy amplification hands to a key store.

    Parameters
    ----------
    data
        Packed bits, the first bit in the highest place of the first byte; unused places of the last byte are zero.
    bits
        Number of bits.
    """

    __slots__ = ("_bits", "_taken")

    def __init__(self, data: bytes | bytearray | memoryview, bits: int) -> None:
        super().__init__(data)
        if (bits + 7) // 8 != len(self._data):
            raise ConfigError(f"{bits} bits need {(bits + 7) // 8} bytes, not {len(self._data)}")
        self._bits = bits
        self._taken = 0

    @property
    def bits(self) -> int:
        """Number of bits [bit]."""
        return self._bits

    @property
    def remaining(self) -> int:
        """Bits that `take` has not handed out yet [bit]."""
        return self._bits - self._taken

    def take(self, size_bits: int) -> Secret:
        """Return the next bits as a secret of their own; no bit is ever handed out twice.

        Parameters
        ----------
        size_bits
            Size of the key; a multiple of 8 [bit].

        Raises
        ------
        ConfigError
            When the size is not a positive multiple of 8 or more than what remains.
        """
        if size_bits <= 0 or size_bits % 8:
            raise ConfigError(f"key size {size_bits} bit: need a positive multiple of 8")
        if size_bits > self.remaining:
            raise ConfigError(f"key size {size_bits} bit: only {self.remaining} bit remain of this block")
        whole = self.reveal()
        first = self._taken // 8
        self._taken += size_bits
        return Secret(whole[first : first + size_bits // 8])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{self._bits} bits>)"
