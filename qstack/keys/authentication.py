"""Wegman-Carter authentication: a pool of key that is spent, refilled, watched, and never reused.

    tag = universal_hash(point, transcript) + pad    (mod 2^128)

The hash point is kept; every tag takes a fresh pad of 128 bits.  Pads come in *slots* of two, one per direction, and
a block uses one slot.  A slot that was touched is destroyed, whether the tag was good or not: a pad that answered a
forger once is worth less.

Both ends add the same bits of a finished block to their pools.  Because the last message of a block can be lost, a
refill stays *pending* until a later block, authenticated by older pads, says that the other end finished as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qstack.core.errors import ConfigError, QstackError
from qstack.keys.hashing import TAG_BITS, TAG_BYTES
from qstack.keys.secret import Secret

SLOT_BITS = 2 * TAG_BITS
SLOT_BYTES = 2 * TAG_BYTES
FIRST_OCTETS = TAG_BYTES + 20 * SLOT_BYTES
"""A first secret with room for twenty blocks; every block that passes brings its own successor."""
WINDOW = 64
"""Slots that a peer may be ahead: blocks that it gave up after spending their tag."""


SIGN = (1 << 64) - 1
"""Slot number of a block that is signed instead."""


class Signer(Protocol):
    """Signs for one end and knows the peer's public key: how a pool that ran dry, or never was full, is bootstrapped.

    Authentication has to hold only while the round runs: keys made in a signed block stay secret when the signature
    scheme is broken later (Mosca, Stebila, Ustaoglu, PQCrypto 2013).
    """

    def sign(self, text: bytes) -> bytes:
        """Return a signature."""
        ...

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Return whether a signature is the peer's."""
        ...


class OutOfKeyError(QstackError):
    """The pool is dry; nothing is ever sent unauthenticated instead."""


@dataclass(frozen=True, slots=True)
class Pads:
    """The two pads of a slot."""

    alice: Secret
    bob: Secret


class KeyPool:
    """Authentication key shared by two ends; both start from the same secret.

    Parameters
    ----------
    first
        Preshared secret: 16 bytes of hash point and any number of 32-byte slots.
    floor_slots
        `low` is true below this reserve.
    """

    def __init__(self, first: Secret, floor_slots: int = 8) -> None:
        size = len(first)
        if size < TAG_BYTES:
            raise ConfigError(f"an authentication secret of {size} bytes: need {TAG_BYTES} and {SLOT_BYTES} per block")
        material = first.reveal()
        self._point = Secret(material[:TAG_BYTES])
        self._pads = bytearray(material[TAG_BYTES:])
        self._first_slot = 0
        self._floor = floor_slots
        self._pending: tuple[int, Secret, float] | None = None
        self.epsilon = 0.0
        """Summed failure probabilities of the blocks that this pool was refilled from."""

    def __repr__(self) -> str:
        return f"KeyPool(<{self.slots} slots>)"

    @property
    def point(self) -> bytes:
        """The hash point."""
        return self._point.reveal()

    @property
    def next_slot(self) -> int:
        """Number of the next unused slot."""
        return self._first_slot

    @property
    def slots(self) -> int:
        """Whole slots that remain."""
        return len(self._pads) // SLOT_BYTES

    @property
    def low(self) -> bool:
        """Whether the reserve is below its floor: time to raise an alarm."""
        return self.slots < self._floor

    def spend(self, slot: int) -> Pads:
        """Return the pads of a slot and destroy it and all before it.

        Raises
        ------
        OutOfKeyError
            When the slot is not there yet.
        ConfigError
            When it was spent, or lies further ahead than any honest peer could be.
        """
        ahead = slot - self._first_slot
        if not 0 <= ahead <= WINDOW:
            raise ConfigError(f"authentication slot {slot}: only {self._first_slot} to {self._first_slot + WINDOW}")
        if ahead >= self.slots:
            raise OutOfKeyError(f"authentication slot {slot} needs {SLOT_BITS} bits that the pool does not hold")
        start = ahead * SLOT_BYTES
        alice, bob = self._pads[start : start + TAG_BYTES], self._pads[start + TAG_BYTES : start + SLOT_BYTES]
        pads = Pads(Secret(alice), Secret(bob))
        end = start + SLOT_BYTES
        self._pads[:end] = bytes(end)
        del self._pads[:end]
        self._first_slot = slot + 1
        return pads

    def refill(self, block: int, secret: Secret, epsilon: float) -> None:
        """Set bits of a finished block aside for authentication, until `settle` learns that the peer has them too.

        Parameters
        ----------
        block
            Number of the block that they come from.
        secret
            Whole slots.
        epsilon
            Failure probability of that block, which every later tag inherits.
        """
        if len(secret) % SLOT_BYTES:
            raise ConfigError(f"a refill of {len(secret)} bytes is not a whole number of {SLOT_BYTES}-byte slots")
        self._pending = (block, secret, epsilon)

    @property
    def pending(self) -> int:
        """Number of the block whose refill waits, or -1."""
        return self._pending[0] if self._pending else -1

    def settle(self, finished: int) -> None:
        """Add the pending refill if the peer finished its block, else forget it.

        Parameters
        ----------
        finished
            The last block that Alice finished, from an authenticated transcript.
        """
        if self._pending is None:
            return
        block, secret, epsilon = self._pending
        self._pending = None
        if block == finished:
            self._pads += secret.reveal()
            self.epsilon += epsilon
        secret.wipe()


class Backoff:
    """How long to wait after blocks that failed: doubling, so that an attacker cannot drain the pool by disturbing."""

    def __init__(self, first_s: float = 1.0, most_s: float = 3600.0) -> None:
        self._first, self._most, self.failures = first_s, most_s, 0

    def record(self, *, accepted: bool) -> None:
        """Take note of a block's end."""
        self.failures = 0 if accepted else self.failures + 1

    @property
    def wait_s(self) -> float:
        """Least time before the next block [s]."""
        return 0.0 if not self.failures else float(min(self._most, self._first * 2 ** min(self.failures - 1, 60)))
