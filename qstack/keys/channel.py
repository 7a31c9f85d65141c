"""The classical channel of a block, as one end sees it: it encodes, remembers, counts and authenticates.

Whoever speaks through it cannot speak without being counted, and nobody else counts: leak, authentication key and the
epsilon of a tag are facts of this object.
"""

from __future__ import annotations

from enum import IntEnum
from hmac import compare_digest

from qstack.core.errors import RemoteProtocolError
from qstack.keys.authentication import KeyPool, Pads
from qstack.keys.hashing import TAG_BITS, collision, seal, universal
from qstack.keys.messages import Abort, Message, Tag, decode, encode


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

    Attributes
    ----------
    disclosed
        Key-dependent bits that each side has said [bit].
    traffic
        Bytes that each side has said [byte].
    authentication_bits
        Authentication key spent, both directions [bit].
    """

    def __init__(self, side: Side, pool: KeyPool) -> None:
        self._side = side
        self._pool = pool
        self._transcript = universal(pool.point)
        self._length = 0
        self._value: int | None = None
        self._pads: Pads | None = None
        self.disclosed = [0, 0]
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
        # Speaker and length frame every message: nothing can be reflected, cut or joined without changing the hash.
        framed = bytes([speaker]) + len(data).to_bytes(8, "big") + data
        self._length += len(framed)
        self._transcript.update(framed)

    def claim(self, slot: int) -> None:
        """Take the pads of this block out of the pool; they are gone, whatever follows.

        Raises
        ------
        OutOfKeyError
            When the pool is dry.
        ConfigError
            When no honest peer could name this slot.
        """
        self._pads = self._pool.spend(slot)

    @property
    def epsilon(self) -> float:
        """Probability that a forged transcript passes: two tags, and what the pool inherited."""
        return 2 * collision(self._length) + self._pool.epsilon

    def tag(self, side: Side) -> Tag:
        """Return a side's tag over the transcript so far; after the first one nothing can be added to it.

        Both tags hide the same hash, each under its own pad: one returned to its sender says nothing.
        """
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
        expected = self.tag(Side(1 - self._side))
        if not compare_digest(expected.tag, message.tag):
            raise RemoteProtocolError("the transcript's tag is not the one expected: a message was changed on its way")
