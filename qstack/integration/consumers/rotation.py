r"""Rotation with overlap: when a key comes, when it goes, and what happens when none follows.

    new key --> current --next key--> previous, still accepted for `overlap_s` --> wiped
                   \--`lifetime_s` without a next key--> wiped: nobody gets in

Both ends take the same keys in the same order, but not at the same moment; the overlap covers the difference. There is no
way from an old key to a longer life: that is what fail closed means.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qstack.core.errors import QstackError
from qstack.integration.consumers.psk import Psk


class NoKeyError(QstackError):
    """No key is valid; the session is refused."""


@dataclass(slots=True)
class _Held:
    psk: Psk
    until: float


@dataclass(slots=True)
class KeyRing:
    """The keys one end accepts. Times are handed in, in seconds on any clock that does not run backwards.

    Parameters
    ----------
    overlap_s
        A replaced key is accepted for this long [s].
    lifetime_s
        A key that is not replaced is accepted for this long [s].
    """

    overlap_s: float
    lifetime_s: float
    _held: list[_Held] = field(default_factory=list, repr=False)

    def add(self, psk: Psk, now: float) -> None:
        """Make a key the current one."""
        self._expire(now)
        for held in self._held:
            held.until = min(held.until, now + self.overlap_s)
        self._held.append(_Held(psk, now + self.lifetime_s))

    def current(self, now: float) -> Psk:
        """Return the key a new session starts with; raises `NoKeyError`."""
        accepted = self.accepted(now)
        if not accepted:
            raise NoKeyError(f"no key is valid: none came within {self.lifetime_s:g} s of the last one")
        return accepted[0]

    def accepted(self, now: float) -> list[Psk]:
        """Return the keys a server takes, the current one first; an empty list refuses everybody."""
        self._expire(now)
        return [held.psk for held in reversed(self._held)]

    def _expire(self, now: float) -> None:
        for held in self._held:
            if held.until <= now:
                held.psk.key.wipe()
        self._held = [held for held in self._held if held.until > now]
