"""The classical channel of a block, as one end sees it: it encodes, remembers, counts and authenticates.

Whoever speaks through it cannot speak without being counted, and nobody else counts: leak, authentication key and the
epsilon of a tag are facts of this object.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from hmac import compare_digest

from qstack.core.errors import RemoteProtocolError
from qstack.keys.authentication import SIGN, KeyPool, OutOfKeyError, Pads, Signer
from qstack.keys.framing import LAST, price
from qstack.keys.hashing import TAG_BITS, collision, seal, universal
from qstack.keys.messages import Abort, Disclosure, Message, Tag, decode, encode


class Side(IntEnum):
    """Who speaks."""

    ALICE = 0
    BOB = 1


class Channel:
    """One end of the channel, for one block.

    Parameters
    ----------
    side
        Whose end this is.
    pool
        Authentication key.
    signer
        Signs instead while the pool is dry; None never does.

    Attributes
    ----------
    disclosed
        Key-dependent bits that each side has said, and what the lengths of its strings give away [bit].
    traffic
        Bytes that each side has said [byte].
    authentication_bits
        Authentication key spent, both directions [bit].
    """

    def __init__(self, side: Side, pool: KeyPool, signer: Signer | None = None) -> None:
        self._side = side
        self._pool = pool
        self._signer = signer
        self._digest = hashlib.sha3_512()
        self.signed = False
        self._transcript = universal(pool.point)
        self._length = 0
        self._value: int | None = None
        self._pads: Pads | None = None
        self.disclosed = [0, 0]
        self._said = 0
        self.traffic = [0, 0]
        self.authentication_bits = 0

    def send(self, message: Message) -> bytes:
        """Return the bytes to put on the wire."""
        data = encode(message)
        self._note(self._side, message, data)
        return data

    def receive(self, data: bytes) -> Message:
        """Return the message in bytes from the wire.

        Raises
        ------
        WireError
            When the bytes are no message.
        """
        message = decode(data)
        self._note(Side(1 - self._side), message, data)
        return message

    def _note(self, speaker: Side, message: Message, data: bytes) -> None:
        self.traffic[speaker] += len(data)
        if isinstance(message, (Tag, Abort)):
            return
        if self._value is not None:
            raise RemoteProtocolError(f"{type(message).__name__} after the transcript was sealed")
        self.disclosed[speaker] += message.disclosed
        if isinstance(message, Disclosure):
            self.disclosed[speaker] += price(message.bits.size, self._said) + (LAST if speaker == Side.ALICE else 0)
            self._said = int(message.bits.size)
        # Speaker and length frame every message: nothing can be reflected, cut or joined without changing the hash.
        framed = bytes([speaker]) + len(data).to_bytes(8, "big") + data
        self._length += len(framed)
        self._transcript.update(framed)
        if self._signer is not None:
            self._digest.update(framed)

    def claim(self, slot: int) -> None:
        """Take the pads of this block out of the pool; they are gone, whatever follows.

        Parameters
        ----------
        slot
            Number of the slot, or `SIGN` for a block that is signed because the pool is dry.

        Raises
        ------
        OutOfKeyError
            When the pool is dry, or signing is asked for where it is not agreed or not needed.
        ConfigError
            When no honest peer could name this slot.
        """
        if slot != SIGN:
            self._pads = self._pool.spend(slot)
        elif self._signer is None or self._pool.slots:
            raise OutOfKeyError("a signed block is refused: no signer, or the pool still holds key")
        else:
            self.signed = True

    @property
    def epsilon(self) -> float:
        """Probability that a forged transcript passes: two tags, and what the pool inherited."""
        return 0.0 if self.signed else 2 * collision(self._length) + self._pool.epsilon

    def tag(self, side: Side) -> Tag:
        """Return a side's tag over the transcript so far; after the first one nothing can be added to it.

        Both tags hide the same hash, each under its own pad: one returned to its sender says nothing.
        """
        if self._signer is not None and self.signed:
            self._value = 0
            return Tag(self._signer.sign(self._signed_text(side)))
        assert self._pads is not None
        if self._value is None:
            self._value = self._transcript.value()
        pad = self._pads.alice if side is Side.ALICE else self._pads.bob
        self.authentication_bits += TAG_BITS
        sealed = Tag(seal(self._value, pad.reveal()))
        pad.wipe()
        return sealed

    def check(self, message: Tag) -> None:
        """Compare the peer's tag with the one this end expects.

        Raises
        ------
        RemoteProtocolError
            When they differ: somebody changed a message, or is not who he says.
        """
        peer = Side(1 - self._side)
        if self._signer is not None and self.signed:
            if not self._signer.verify(self._signed_text(peer), message.tag):
                raise RemoteProtocolError(
                    "the transcript's signature is not the peer's: a message was changed on its way"
                )
            return
        expected = self.tag(peer)
        if not compare_digest(expected.tag, message.tag):
            raise RemoteProtocolError("the transcript's tag is not the one expected: a message was changed on its way")

    def _signed_text(self, side: Side) -> bytes:
        return bytes([side]) + self._digest.digest()
