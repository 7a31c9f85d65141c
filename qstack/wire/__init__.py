"""The standard, part 2: what peers say, field by field.

A message is a noun with a layout above it.  Both are declared once; encoding, decoding, the annotated dump and the
tables of ``docs/wire.md`` follow from the layout.  Layers pass message objects and never encode; hosts do.

>>> from qstack.wire import Field, Plane, Reserved, decode, encode, hexdump, pdu
>>> from qstack.wire.kinds import BELL, PAIR
>>> from qstack.core.nouns import Message, noun
>>> @pdu("PING", Plane.EXPERIMENTAL, 1, Field("pair", 16, PAIR), Field("bell", 2, BELL), Reserved(14))
... @noun
... class Ping(Message):
...     '''Ask whether the peer still holds this pair.'''
...
...     pair: int
...     bell: int
>>> encode(Ping(pair=7, bell=2)).hex()
'1f010003000c000000078000'
>>> decode(bytes.fromhex("1f010003000c000000078000"))
Ping(pair=7, bell=2)
>>> decode(bytes.fromhex("1f010003000c000000078001"))
Traceback (most recent call last):
...
qstack.core.errors.WireError: PING: reserved bits must be 0, not 0x1 (at byte 10)

Fields stand in the order of the wire, most significant bit first; an attribute of several fields names the lowest bit of
each part (``low=``); a tuple travels as a `List`.  Kinds of numbers are in `qstack.wire.kinds`.  A number that is wrong
raises `qstack.core.errors.WireError`, in either direction, and nothing else does.
"""

from __future__ import annotations

from qstack.wire import application, channel, compact, link, network, physical, service, signalling, transport
from qstack.wire.channel import Stream
from qstack.wire.codec import (
    ACK_WANTED,
    CHECKED,
    Header,
    Plane,
    bare,
    decode,
    decode_as,
    encode,
    header,
    pdu,
)
from qstack.wire.dump import hexdump
from qstack.wire.layout import Field, Fixed, List, Reserved
from qstack.wire.service import decode_service

__all__ = [
    "ACK_WANTED",
    "CHECKED",
    "Field",
    "Fixed",
    "Header",
    "List",
    "Plane",
    "Reserved",
    "Stream",
    "application",
    "bare",
    "channel",
    "compact",
    "decode",
    "decode_as",
    "decode_service",
    "encode",
    "header",
    "hexdump",
    "link",
    "network",
    "pdu",
    "physical",
    "service",
    "signalling",
    "transport",
]
