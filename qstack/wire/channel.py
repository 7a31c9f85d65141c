"""Plane 6: the reliable ordered channel per hop, where the carrier is neither; and cutting a stream into messages.

Over TLS or TCP the carrier itself is reliable and ordered: messages follow each other in the stream, `Stream` cuts it.
Over datagrams, messages of planes 2 to 4 carry the flag `ACK_WANTED` and count in the header's `sequence` from 0,
modulo 2**16, per sender and hop.  The receiver hands up number `expected` only, and answers each message, also a
repeated one, with `ChannelAck`.  The sender keeps what is not acknowledged, at most 2**15 messages, and repeats it from
the oldest on when nothing has been acknowledged for longer than a round trip.  A new incarnation in a neighbour's
`Keepalive` begins the numbers anew on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator

from qstack.core.errors import WireError
from qstack.core.nouns import Message, noun
from qstack.wire.codec import Plane, header, pdu
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
