"""Bit strings that never show themselves, beside the bytes of `qstack.services.secret`."""

from __future__ import annotations

from qstack.core.errors import ConfigError
from qstack.services.secret import Secret

__all__ = ["Secret", "SecretBits"]


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
