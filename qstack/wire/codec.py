"""From messages to bytes and back: the common header, the table of layouts, lists behind the fixed part, checksum.

====================  ====  ======================================================================
field                 bits  content
====================  ====  ======================================================================
version               4     1
plane                 4     `Plane`
type                  8     which message of the plane
flags                 8     `CHECKED`, `EXTENDED`, `ACK_WANTED`; `AUTHENTICATED` is refused: no key
words                 8     length of header and fixed part in 32-bit words
length                16    of everything [byte]
sequence              16    number of the message, per sender, modulo 2**16
====================  ====  ======================================================================

Behind the fixed part stand the lists, one TLV each (type 16, length 16, value filled up to four bytes with zeros), then
the CRC-32 of everything before it.

Reserved bits are sent as 0, and a message in which they are set is refused: it is of another version.  The bytes of the
link service are the exception, because their document wants unused bits ignored.  An unknown TLV is skipped unless bit
15 of its type says that it must be understood.  Byte order is big-endian.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any, TypeVar
from zlib import crc32

from qstack.core.errors import PluginError, WireError
from qstack.core.nouns import Noun, noun
from qstack.wire.kinds import enumeration
from qstack.wire.layout import HEADER, Entry, Field, Fixed, Layout, List

N = TypeVar("N", bound=Noun)
C = TypeVar("C", bound=type[Noun])


class Plane(IntEnum):
    """Who speaks."""

    PHYSICAL = 0
    LINK = 1
    NETWORK = 2
    SIGNALLING = 3
    TRANSPORT = 4
    HOST = 5
    CLASSICAL = 6
    MANAGEMENT = 7
    EXPERIMENTAL = 15


AUTHENTICATED = 0x80
"""An authentication trailer follows."""
CHECKED = 0x40
"""A CRC-32 follows."""
EXTENDED = 0x20
"""TLVs follow the fixed part."""
ACK_WANTED = 0x10
"""The sender repeats this message until it is acknowledged (`qstack.wire.channel`)."""

MANDATORY = 0x8000
"""Bit of a TLV's type: a receiver that does not know it refuses the message."""

LAYOUTS: dict[type[Noun], Layout] = {}
"""Every message that has a layout."""
_BY_CODE: dict[tuple[int, int], Layout] = {}
_BY_PREFIX: dict[bytes, Layout] = {}


def pdu(title: str, plane: Plane, code: int, *entries: Entry) -> Callable[[C], C]:
    """Give a message its layout behind the common header.

    Parameters
    ----------
    title
        Name in documents and dumps.
    plane, code
        Where the header says that it belongs.
    entries
        Fields in the order of the wire; their bits add up to a multiple of 32.

    Raises
    ------
    PluginError
        If fields and attributes do not fit together, or another message has this plane and type.
    """

    def declare(cls: C) -> C:
        layout = Layout(title, cls, entries, plane, code)
        other = _BY_CODE.get((plane, code))
        if other is not None and (other.cls.__module__, other.cls.__qualname__) != (cls.__module__, cls.__qualname__):
            raise PluginError(
                f"{cls.__module__}.{cls.__qualname__} and {other.title} both are plane {plane} type {code}"
            )
        LAYOUTS[cls] = _BY_CODE[plane, code] = layout
        if not layout.lists:
            _BY_PREFIX[(layout.prefix >> layout.bits).to_bytes(HEADER, "big")[:6]] = layout
        return cls

    return declare


def bare(title: str, *entries: Entry) -> Callable[[C], C]:
    """Give a noun the layout of bytes that travel without the common header."""

    def declare(cls: C) -> C:
        LAYOUTS[cls] = Layout(title, cls, entries)
        return cls

    return declare


@bare(
    "HEADER",
    Fixed("version", 4, 1),
    Field("plane", 4, enumeration("plane", {p: p.name.lower() for p in Plane})),
    Field("type", 8),
    Field("flags", 8),
    Field("words", 8),
    Field("length", 16),
    Field("sequence", 16),
)
@noun
class Header(Noun):
    """The common header.

    Parameters
    ----------
    plane, type
        Which message.
    flags
        What follows the fixed part.
    words
        Length of header and fixed part [4 byte].
    length
        Length of everything [byte].
    sequence
        Number of the message, per sender, modulo 2**16.
    """

    plane: int
    type: int
    flags: int
    words: int
    length: int
    sequence: int


def encode(message: Noun, sequence: int = 0, flags: int = 0, extra: bytes = b"") -> bytes:
    """Return the bytes of a message.

    Parameters
    ----------
    message
        Any noun that has a layout.
    sequence
        Number of the message, taken modulo 2**16.
    flags
        `CHECKED` adds a CRC-32; `ACK_WANTED` is passed on.
    extra
        TLVs that do not belong to the message, made by `tlv`.

    Raises
    ------
    WireError
        If a value of the message cannot be represented, or the noun has no layout.
    """
    layout = LAYOUTS.get(type(message))
    if layout is None:
        raise WireError(f"{type(message).__name__} has no layout")
    body = layout.pack(message)
    if layout.lists or flags or extra:
        return _encode_long(layout, message, body, sequence, flags, extra)
    if layout.plane is not None:
        body |= layout.prefix | (sequence & 0xFFFF) << layout.bits
    return body.to_bytes(layout.size, "big")


def _encode_long(layout: Layout, message: Noun, body: int, sequence: int, flags: int, extra: bytes) -> bytes:
    """Encode a message with lists, flags or further TLVs."""
    if layout.plane is None or flags & ~(CHECKED | ACK_WANTED):
        raise WireError(f"{layout.title} cannot carry flags {flags:#04x}", 2)
    lists = b"".join(_encode_list(layout, entry, message) for entry in layout.lists) + extra
    if lists:
        flags |= EXTENDED
    length = layout.size + len(lists) + (4 if flags & CHECKED else 0)
    if length > 0xFFFF:
        raise WireError(f"{layout.title} would be {length} bytes long; at most 65535 have room", 4)
    header = Header(layout.plane, layout.code, flags, layout.size // 4, length, sequence & 0xFFFF)
    data = encode(header) + body.to_bytes(layout.bits // 8, "big") + lists
    return data + crc32(data).to_bytes(4, "big") if flags & CHECKED else data


def _encode_list(layout: Layout, entry: List, message: Noun) -> bytes:
    """Return one list as a TLV."""
    name, width = entry.attribute, entry.bits // 8
    value = getattr(message, name)
    try:
        content = b"".join(entry.kind.encode(item).to_bytes(width, "big") for item in value)
        return tlv(entry.code, content)
    except (ValueError, TypeError, OverflowError) as error:
        raise WireError(f"{layout.title}.{name} = {value!r}: {error}", layout.size) from error


def tlv(code: int, content: bytes) -> bytes:
    """Return a TLV, filled up with zeros."""
    return code.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content + bytes(-len(content) % 4)


def decode(data: bytes) -> Noun:
    """Return the message that these bytes are.

    Parameters
    ----------
    data
        Exactly one message.

    Raises
    ------
    WireError
        If they are none; the sentence says why, `offset` where.
    """
    layout = _BY_PREFIX.get(data[:6])
    if layout is not None and len(data) == layout.size:
        return layout.cls(*layout.unpack(int.from_bytes(data, "big")))
    layout, end = inspect(data)
    values: dict[str, Any] = dict(zip(layout.names, layout.unpack(_fixed_part(layout, data)), strict=True))
    for entry, content, offset in split_lists(layout, data, end):
        values[entry.attribute] = _decode_list(layout, entry, content, offset)
    for entry in layout.lists:
        if entry.attribute not in values:
            raise WireError(f"{layout.title} lacks its {entry.attribute}", end)
    return layout.cls(**values)


def decode_as(cls: type[N], data: bytes) -> N:
    """Return the noun of a known type that travels without the common header.

    Raises
    ------
    WireError
        If the bytes are not such a noun.
    """
    layout = LAYOUTS[cls]
    if len(data) != layout.size:
        raise WireError(f"{layout.title} has {layout.size} bytes, here are {len(data)}", min(len(data), layout.size))
    return cls(*layout.unpack(int.from_bytes(data, "big")))


def header(data: bytes) -> Header:
    """Return the common header of a message; what follows is not looked at.

    Raises
    ------
    WireError
        If there is no header of this version.
    """
    if len(data) < HEADER:
        raise WireError(f"a message has at least {HEADER} bytes, here are {len(data)}", len(data))
    return decode_as(Header, data[:HEADER])


def inspect(data: bytes) -> tuple[Layout, int]:
    """Check everything about a message but its content.

    Returns
    -------
    tuple
        Its layout, and where its lists end [byte].

    Raises
    ------
    WireError
        If header, length or checksum are wrong.
    """
    head = header(data)
    layout = _BY_CODE.get((head.plane, head.type))
    if layout is None:
        known = sorted(code for plane, code in _BY_CODE if plane == head.plane)
        raise WireError(f"plane {head.plane} has no type {head.type}; known are {known}", 1)
    if head.flags & 0x0F:
        raise WireError(f"flags {head.flags & 0x0F:#04x} are reserved and must be 0", 2)
    if head.flags & AUTHENTICATED:
        raise WireError("an authentication trailer cannot be checked without a key", 2)
    if head.words * 4 != layout.size:
        raise WireError(f"{layout.title} has {layout.size // 4} header words, not {head.words}", 3)
    end = head.length - (4 if head.flags & CHECKED else 0)
    if end < layout.size or (end > layout.size) != bool(head.flags & EXTENDED):
        raise WireError(f"a length of {head.length} does not fit {layout.title} with flags {head.flags:#04x}", 4)
    if len(data) < head.length:
        raise WireError(f"truncated: {head.length} bytes are announced, here are {len(data)}", len(data))
    if len(data) > head.length:
        raise WireError(f"over-long: {head.length} bytes are announced, here are {len(data)}", head.length)
    if head.flags & CHECKED and crc32(data[:end]).to_bytes(4, "big") != data[end:]:
        raise WireError(f"the checksum should be {crc32(data[:end]):08x}, not {data[end:].hex()}", end)
    return layout, end


def split_lists(layout: Layout, data: bytes, end: int) -> Iterator[tuple[List, bytes, int]]:
    """Yield the lists behind the fixed part: entry, content, and where the content begins [byte].

    Raises
    ------
    WireError
        If a TLV is malformed, doubled, or must be understood and is not.
    """
    known = {entry.code: entry for entry in layout.lists}
    for code, content, start in tlvs(layout, data, end):
        if code in known:
            yield known[code], content, start
        elif code & MANDATORY:
            raise WireError(f"TLV {code:#06x} must be understood and is not", start - 4)


def tlvs(layout: Layout, data: bytes, end: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield all TLVs behind the fixed part: code, content, and where the content begins [byte].

    Raises
    ------
    WireError
        If a TLV is malformed or doubled.
    """
    seen: set[int] = set()
    place = layout.size
    while place < end:
        if end - place < 4:
            raise WireError(f"{end - place} bytes are too few for a TLV", place)
        code = int.from_bytes(data[place : place + 2], "big")
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        start, stop = place + 4, place + 4 + length
        place = stop + -length % 4
        if place > end:
            raise WireError(f"TLV {code:#06x} of {length} bytes runs beyond the message", start - 2)
        if any(data[stop:place]):
            raise WireError(f"TLV {code:#06x} must be filled up with zeros", stop)
        if code in seen:
            raise WireError(f"TLV {code:#06x} stands twice", start - 4)
        seen.add(code)
        yield code, data[start:stop], start


def _decode_list(layout: Layout, entry: List, content: bytes, offset: int) -> tuple[Any, ...]:
    """Return the elements of a list."""
    width = entry.bits // 8
    if len(content) % width:
        raise WireError(
            f"{layout.title}.{entry.attribute}: {len(content)} bytes are no multiple of {width}", offset - 2
        )
    numbers = [int.from_bytes(content[i : i + width], "big") for i in range(0, len(content), width)]
    if entry.kind.decode is None:
        return tuple(numbers)
    try:
        return tuple(map(entry.kind.decode, numbers))
    except ValueError as error:
        raise WireError(f"{layout.title}.{entry.attribute}: {error}", offset) from error


def _fixed_part(layout: Layout, data: bytes) -> int:
    return int.from_bytes(data[: layout.size], "big")
