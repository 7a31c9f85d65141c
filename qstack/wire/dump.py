"""Annotated dumps: bytes with their meaning, a line per field."""

from __future__ import annotations

from collections.abc import Iterator

from qstack.core.errors import WireError
from qstack.core.nouns import Noun
from qstack.wire.channel import TAG
from qstack.wire.codec import LAYOUTS, Header, decode, decode_as, inspect, tlvs
from qstack.wire.layout import HEADER, Fixed, Layout, Place, Reserved

OTHERS = {TAG: "channel tag"}
"""TLVs that belong to no message."""


def hexdump(data: bytes, cls: type[Noun] | None = None) -> str:
    """Return a dump of one message: byte, bits, hexadecimal, name, value with unit.

    What is no message is dumped as far as it goes, with a last line on what is wrong.

    Parameters
    ----------
    data
        One message.
    cls
        Its type, for bytes that travel without the common header.

    Examples
    --------
    >>> from qstack.wire import encode
    >>> from qstack.wire.signalling import Teardown
    >>> print(hexdump(encode(Teardown(circuit=9, reason=16))))
    TEARDOWN, 16 bytes
       0  0-3  13               version           1
       0  4-7  13               plane             3 signalling
       1       04               type              4
       2       00               flags             0
       3       04               words             4
       4       0010             length            16
       6       0000             sequence          0
       8       00000009         circuit           9
      12       10               reason            16 CUTOFF
      13       000000           (reserved)        0
    """
    try:
        layout, end = inspect(data) if cls is None else (LAYOUTS[cls], len(data))
    except WireError as error:
        lines = [f"no message, {len(data)} bytes"]
        start = HEADER if len(data) >= HEADER else 0
        lines += _places(LAYOUTS[Header], data[:start])
        lines += [_line(i, "", data[i : i + 8], "?", "") for i in range(start, len(data), 8)]
        return "\n".join([*lines, f"  wrong: {error}"])
    lines = [f"{layout.title}, {len(data)} bytes"]
    if cls is None:
        lines += _places(LAYOUTS[Header], data[:HEADER])
    lines += _places(layout, data)
    try:
        lines.extend(_behind(layout, data, end))
        decode(data) if cls is None else decode_as(cls, data)
    except WireError as error:
        lines.append(f"  wrong: {error}")
    return "\n".join(lines)


def _places(layout: Layout, data: bytes) -> Iterator[str]:
    """Yield the fields of the fixed part that are there."""
    whole = data[: layout.size]
    number = int.from_bytes(whole, "big") << 8 * (layout.size - len(whole))
    for place in layout.places:
        first, last = place.bit // 8, (place.bit + place.entry.bits - 1) // 8
        if last < len(whole):
            name, text = _read(layout, place, layout.raw(number, place))
            yield _line(first, _bits(place), whole[first : last + 1], name, text)


def _bits(place: Place) -> str:
    """Return which bits of its first byte a field begins in, counted from the most significant; empty for all."""
    begin, width = place.bit % 8, place.entry.bits
    return "" if begin == 0 and width % 8 == 0 else f"{begin}-{begin + width - 1}"


def _read(layout: Layout, place: Place, raw: int) -> tuple[str, str]:
    """Return name and value of a field for people."""
    entry = place.entry
    if isinstance(entry, Fixed):
        return entry.name, str(raw)
    if isinstance(entry, Reserved):
        return "(unused)" if entry.ignored else "(reserved)", str(raw)
    return entry.title, str(raw) if entry.attribute in layout.spread else entry.kind.show(raw)


def _behind(layout: Layout, data: bytes, end: int) -> Iterator[str]:
    """Yield the lists and the checksum."""
    known = {entry.code: entry for entry in layout.lists}
    for code, content, start in tlvs(layout, data, end):
        if code not in known:
            yield _line(start - 4, "", data[start - 4 : start], OTHERS.get(code, "(unknown)"), f"TLV {code:#06x}")
            for i in range(0, len(content), 4):
                yield _line(start + i, "", content[i : i + 4], "", "")
            continue
        entry = known[code]
        yield _line(start - 4, "", data[start - 4 : start - 2], f"{entry.attribute} type", f"{entry.code:#06x}")
        yield _line(start - 2, "", data[start - 2 : start], f"{entry.attribute} length", f"{len(content)}")
        width = entry.bits // 8
        for i in range(0, len(content), width):
            item = content[i : i + width]
            name = f"{entry.attribute}[{i // width}]"
            yield _line(start + i, "", item, name, entry.kind.show(int.from_bytes(item, "big")))
    if layout.plane is not None and end < len(data):
        yield _line(end, "", data[end:], "checksum", "CRC-32")


def _line(offset: int, bits: str, data: bytes, name: str, value: str) -> str:
    return f"{offset:>4}  {bits:<5}{data.hex():<17}{name:<18}{value}".rstrip()
