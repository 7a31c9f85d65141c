"""How a message is laid out in bits: declared once, compiled once into pack and unpack.

A layout is a list of entries in the order of the wire, most significant bit first, as in the diagrams of RFCs.  The
fixed part is read and written as one big integer, so a field is a shift and a mask wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from operator import attrgetter, index
from typing import Any, NamedTuple

from qstack.core.errors import PluginError, WireError
from qstack.core.nouns import Noun

HEADER = 8
"""Size of the common header [byte]."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a number on the wire means.

    Parameters
    ----------
    unit
        Unit or meaning, for people.
    encode
        From the attribute's value to the number; raises ValueError or TypeError for what has none.
    decode
        Back; raises ValueError for a number that means nothing; None takes the number as it is.
    show
        From the number to a text for people.
    values
        Names of the numbers of an enumeration.
    """

    unit: str = ""
    encode: Callable[[Any], int] = index
    decode: Callable[[int], Any] | None = None
    show: Callable[[int], str] = str
    values: Mapping[int, str] = field(default_factory=dict)


COUNT = Kind()
"""A plain number."""


@dataclass(frozen=True, slots=True)
class Field:
    """Some bits that carry an attribute, or a part of one.

    Parameters
    ----------
    attribute
        Name of the message's attribute.
    bits
        Width.
    kind
        Meaning.
    name
        Name on the wire where it differs.
    low
        Lowest bit of the attribute's number that stands here, for an attribute that is spread over several fields.
    """

    attribute: str
    bits: int
    kind: Kind = COUNT
    name: str = ""
    low: int = 0

    @property
    def title(self) -> str:
        """Name on the wire."""
        return self.name or self.attribute


@dataclass(frozen=True, slots=True)
class Fixed:
    """Bits that always have the same value; another one is refused."""

    name: str
    bits: int
    value: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """Bits without a meaning: sent as 0, refused when set unless they are to be ignored."""

    bits: int
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class List:
    """An attribute of variable length: a tuple that travels as a TLV behind the fixed part.

    Parameters
    ----------
    attribute
        Name of the message's attribute.
    code
        Type of the TLV; bit 15 tells that a receiver must understand it.
    bits
        Width of one element, a multiple of 8.
    kind
        Meaning of one element.
    """

    attribute: str
    code: int
    bits: int
    kind: Kind = COUNT


Entry = Field | Fixed | Reserved | List


class Place(NamedTuple):
    """An entry of the fixed part and its first bit, counted from the start of the message."""

    entry: Field | Fixed | Reserved
    bit: int


class _Span(NamedTuple):
    """Bits of the fixed part that carry bits of an attribute: where they end, how wide they are, which bits they are."""

    shift: int
    bits: int
    low: int


class Layout:
    """A message type, compiled.

    Parameters
    ----------
    title
        Name in the documents, such as ``TRACK``.
    cls
        The noun.
    entries
        Fields in the order of the wire.
    plane, code
        Plane and type in the common header; None for bytes that travel without it.

    Attributes
    ----------
    size
        Header and fixed part [byte].
    bits
        Width of the fixed part.
    places
        Entries of the fixed part with their positions.
    lists
        Entries of variable length.
    spread
        Attributes that stand in several fields.
    prefix
        The header's fields up to the message number, as they stand above the fixed part.

    Raises
    ------
    PluginError
        If the entries and the noun's attributes do not fit together.
    """

    def __init__(
        self, title: str, cls: type[Noun], entries: tuple[Entry, ...], plane: int | None = None, code: int = 0
    ) -> None:
        self.title = title
        self.cls = cls
        self.plane = plane
        self.code = code
        self.lists = tuple(e for e in entries if isinstance(e, List))
        start = 0 if plane is None else HEADER * 8
        self.places: list[Place] = []
        bit = start
        for entry in entries:
            if not isinstance(entry, List):
                self.places.append(Place(entry, bit))
                bit += entry.bits
        self.bits = bit - start
        self.size = bit // 8
        self._check(bit)
        self.names = tuple(f.name for f in fields(cls) if f.name not in {e.attribute for e in self.lists})  # type: ignore[arg-type]  # every noun is a dataclass
        kinds = self._kinds()
        spans = [self._spans(name, bit) for name in self.names]
        self.spread = {name for name, parts in zip(self.names, spans, strict=True) if len(parts) > 1}
        self._get = _getter(self.names)
        self._encoders = [(i, kind.encode) for i, kind in enumerate(kinds) if kind.encode is not index]
        self._decoders = [(i, kind.decode) for i, kind in enumerate(kinds) if kind.decode is not None]
        # The lowest part of each attribute, in the order of `names`; behind them the further parts, by attribute.
        further = [(i, part) for i, parts in enumerate(spans) for part in parts[1:]]
        places = [parts[0] for parts in spans] + [part for _, part in further]
        self._pieces = [(span.bits, span.shift) for span in places]
        self._masks = [(span.shift, (1 << span.bits) - 1) for span in places]
        self._parts = [(i, part.low, (1 << part.bits) - 1) for i, part in further]
        self._wholes = [
            (i, sum(p.bits for p in parts), (1 << parts[0].bits) - 1) for i, parts in enumerate(spans) if len(parts) > 1
        ]
        self.fixed = sum(p.entry.value << bit - p.bit - p.entry.bits for p in self.places if isinstance(p.entry, Fixed))
        self.zero = sum(_mask(p, bit) for p in self.places if p.entry == Reserved(p.entry.bits))
        self.zero |= sum(_mask(p, bit) for p in self.places if isinstance(p.entry, Fixed))
        self.prefix = 0
        if plane is not None:
            words = self.size // 4
            self.prefix = (1 << 60 | plane << 56 | code << 48 | words << 32 | self.size << 16) << self.bits

    def _check(self, bit: int) -> None:
        """Refuse a declaration that cannot work."""
        wanted = {f.name for f in fields(self.cls)}  # type: ignore[arg-type]  # every noun is a dataclass
        stated = {p.entry.attribute for p in self.places if isinstance(p.entry, Field)}
        stated |= {e.attribute for e in self.lists}
        if wanted != stated:
            raise PluginError(f"{self.title}: attributes and fields differ in {sorted(wanted ^ stated)}")
        unit = 8 if self.plane is None else 32
        if bit % unit:
            raise PluginError(f"{self.title}: {bit} bits are no multiple of {unit}")
        if self.plane is not None and not (0 <= self.plane <= 15 and 0 <= self.code <= 255 and self.size <= 1020):
            raise PluginError(f"{self.title}: a plane has 4 bits, a type 8, header and fixed part at most 255 words")

    def _kinds(self) -> list[Kind]:
        """Return the kind of each attribute of the fixed part."""
        kinds = {p.entry.attribute: p.entry.kind for p in self.places if isinstance(p.entry, Field)}
        return [kinds[name] for name in self.names]

    def _spans(self, name: str, end: int) -> list[_Span]:
        """Return where an attribute stands, its lowest bits first."""
        parts = [
            _Span(end - bit - entry.bits, entry.bits, entry.low)
            for entry, bit in self.places
            if isinstance(entry, Field) and entry.attribute == name
        ]
        parts.sort(key=lambda part: part.low)
        width = 0
        for part in parts:
            if part.low != width:
                raise PluginError(f"{self.title}.{name}: bit {width} of the attribute has no place, or two")
            width += part.bits
        return parts

    def pack(self, message: Noun) -> int:
        """Return the fixed part as a number.

        Raises
        ------
        WireError
            If a value cannot be represented.
        """
        number = self.fixed
        try:
            values = list(self._get(message))
            for i, encode in self._encoders:
                values[i] = encode(values[i])
            if self._parts:
                self._split(values)
            for raw, (bits, shift) in zip(map(index, values), self._pieces, strict=True):
                if raw >> bits:  # negative or too large
                    raise ValueError(bits)  # noqa: TRY301 - one handler explains all
                number |= raw << shift
        except (ValueError, TypeError) as error:
            raise self._blame(message) from error
        return number

    def _split(self, values: list[Any]) -> None:
        """Put the further parts of attributes behind the first ones."""
        wholes = values[:]
        for i, bits, mask in self._wholes:
            if index(values[i]) >> bits:
                raise ValueError(bits)
            values[i] &= mask
        values += [wholes[i] >> low & mask for i, low, mask in self._parts]

    def _blame(self, message: Noun) -> WireError:
        """Say which value cannot be packed, and why."""
        wrong = ((name, self._wrong(message, name, kind)) for name, kind in zip(self.names, self._kinds(), strict=True))
        name, why = next((name, why) for name, why in wrong if why)
        return WireError(f"{self.title}.{name} = {getattr(message, name)!r}: {why}", self.offset(name))

    def _wrong(self, message: Noun, name: str, kind: Kind) -> str:
        """Return why an attribute cannot be packed; empty if it can."""
        bits = sum(p.entry.bits for p in self.places if isinstance(p.entry, Field) and p.entry.attribute == name)
        try:
            fits = not index(kind.encode(getattr(message, name))) >> bits
        except (ValueError, TypeError) as error:
            return str(error)
        return "" if fits else f"must be 0 to {(1 << bits) - 1} ({bits} bits)"

    def unpack(self, number: int) -> list[Any]:
        """Return the values of the fixed part, in the order of `names`.

        Raises
        ------
        WireError
            If reserved bits are set or a number means nothing.
        """
        if number & self.zero != self.fixed:
            self._complain(number)
        values: list[Any] = [number >> shift & mask for shift, mask in self._masks]
        if self._parts:
            count = len(self.names)
            for (i, low, _), part in zip(self._parts, values[count:], strict=True):
                values[i] |= part << low
            del values[count:]
        i = 0
        try:
            for i, decode in self._decoders:
                values[i] = decode(values[i])
        except ValueError as error:
            name = self.names[i]
            raise WireError(f"{self.title}.{name}: {error}", self.offset(name)) from error
        return values

    def offset(self, attribute: str) -> int:
        """Return the byte in which an attribute begins."""
        return min(p.bit for p in self.places if isinstance(p.entry, Field) and p.entry.attribute == attribute) // 8

    def raw(self, number: int, place: Place) -> int:
        """Return the number that stands at a place of the fixed part."""
        return number >> self.size * 8 - place.bit - place.entry.bits & (1 << place.entry.bits) - 1

    def _complain(self, number: int) -> None:
        """Say which bits have a value that they must not have."""
        for place in self.places:
            entry, found = place.entry, self.raw(number, place)
            if isinstance(entry, Fixed) and found != entry.value:
                raise WireError(f"{self.title}: {entry.name} is {found}, not {entry.value}", place.bit // 8)
            if isinstance(entry, Reserved) and found and not entry.ignored:
                raise WireError(f"{self.title}: reserved bits must be 0, not {found:#x}", place.bit // 8)


def _mask(place: Place, end: int) -> int:
    return (1 << place.entry.bits) - 1 << end - place.bit - place.entry.bits


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function from an object to the values of these attributes (attrgetter of one name gives no tuple)."""
    if not names:
        return lambda _: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda message: (get(message),)
