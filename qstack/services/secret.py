"""Octets that must not be seen by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Octets that show themselves only when asked to.

    Neither `repr`, `str`, formatting nor pickling give them away. Python cannot wipe immutable copies: reveal late.

    Parameters
    ----------
    octets
        Copied into a buffer that `wipe` overwrites.
    """

    __slots__ = ("_octets",)
    __hash__ = None  # type: ignore[assignment]  # a hash of a secret would be a fingerprint of it

    def __init__(self, octets: bytes | bytearray | memoryview) -> None:
        self._octets = bytearray(octets)

    def reveal(self) -> bytes:
        """Return an immutable copy."""
        return bytes(self._octets)

    def wipe(self) -> None:
        """Overwrite with zeros."""
        self._octets[:] = bytes(len(self._octets))

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._octets, other._octets)

    def __repr__(self) -> str:
        return f"<secret of {8 * len(self._octets)} bits>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled")
