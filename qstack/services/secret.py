"""Secrets: bytes that never show themselves.

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
