"""Plane 6: the reliable ordered channel per hop, where the carrier is neither; and cutting a stream into messages.

Over TLS or TCP the carrier itself is reliable and ordered: messages follow each other in the stream, `Stream` cuts it.
Over datagrams, messages of planes 2 to 4 carry the flag `ACK_WANTED` and count in the header's `sequence` from 0,
modulo 2**16, per sender and hop.  The receiver hands up number `expected` only, and answers each message, also a
repeated one, with `ChannelAck`.  The sender keeps what is not acknowledged, at most 2**15 messages, and repeats it from
the oldest on when nothing has been acknowledged for longer than a round trip.  A new incarnation in a neighbour's
`Keepalive` begins the numbers anew on both sides.  Every datagram of these planes carries a `Tag` in a TLV: which start
of the sender speaks, and to which start of the receiver.  What does not fit both is dropped, so that nothing that was
under way when an end began anew can be taken for what its successor says.
"""

from __future__ import annotations

from collections.abc import Iterator

from qstack.core.errors import WireError
from qstack.core.nouns import Message, Noun, noun
from qstack.wire.codec import Plane, bare, decode_as, encode, header, inspect, pdu, tlv, tlvs
from qstack.wire.layout import HEADER, Field, Reserved


@pdu("CHANNEL_ACK", Plane.CLASSICAL, 1, Field("expected", 16), Reserved(16))
@noun
class ChannelAck(Message):
    """Everything before a number has arrived.

    Parameters
    ----------
    expected
        Number of the message that the sender expects next.
    """

    expected: int


TAG = 0x0F01
"""Code of the TLV; a receiver that does not know it may skip it, and has less protection."""


@bare("CHANNEL_TAG", Field("sender", 32), Field("receiver", 32))
@noun
class Tag(Noun):
    """Between which starts of two nodes a datagram travels.

    Parameters
    ----------
    sender
        Incarnation of the sending end.
    receiver
        Incarnation of the receiving end as the sender knows it; 0 in a question to an end that is not known.
    """

    sender: int
    receiver: int


def tagged(message: Message, sequence: int, flags: int, tag: Tag) -> bytes:
    """Return the bytes of a datagram of the reliable channel."""
    return encode(message, sequence, flags, tlv(TAG, encode(tag)))


def tag_of(data: bytes) -> Tag | None:
    """Return the tag of a datagram, None if it has none.

    Raises
    ------
    WireError
        If the bytes are no message, or the tag is malformed.
    """
    layout, end = inspect(data)
    return next((decode_as(Tag, content) for code, content, _ in tlvs(layout, data, end) if code == TAG), None)


class Stream:
    """Cuts a stream of bytes into messages; holds less than one message and what was fed last.

    >>> stream = Stream()
    >>> data = bytes.fromhex("1304000400100000 00000009 00000000")
    >>> list(stream.feed(data + data[:3])) == [data]
    True
    >>> list(stream.feed(data[3:])) == [data]
    True
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages that are complete now, undecoded.

        Raises
        ------
        WireError
            If what follows is no header: a stream cannot be taken up again after that.
        """
        self._rest += data
        while len(self._rest) >= HEADER:
            length = header(bytes(self._rest[:HEADER])).length
            if length < HEADER:
                raise WireError(f"a length of {length} is shorter than the header", 4)
            if len(self._rest) < length:
                return
            message = bytes(self._rest[:length])
            del self._rest[:length]
            yield message

    @property
    def pending(self) -> int:
        """Bytes of a message that is not complete [byte]; not 0 when a stream ends means that it was cut off."""
        return len(self._rest)
