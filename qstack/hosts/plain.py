r"""Device requests and indications as lines of JSON: what crosses the socket between a node and its laboratory.

A line is an object with ``noun`` and the noun's fields by name.  Times are decimal strings of picoseconds, because
2**53 ps is only 2.5 hours; the value of `Bits` is a hexadecimal string, because it has thousands of bits; everything else is a number, a text, true or false, or a list of numbers.  The nouns and
their meaning are those of `qstack.services.device`.

>>> line(device.Swap(left=4, right=7))
b'{"noun":"Swap","left":4,"right":7}\n'
>>> noun_of(b'{"noun":"Swap","left":4,"right":7}', REQUESTS)
Swap(left=4, right=7)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from math import isfinite
from typing import Any, cast

from qstack.core.errors import WireError
from qstack.core.nouns import Indication, Noun, Request
from qstack.plugin.spelling import nearest
from qstack.services import device

LONGEST = 1 << 14
"""Longest line [byte]."""
TIMES = frozenset({"emitted"})
"""Fields that are times."""
BLOCKS = frozenset({"value"})
"""Fields that are blocks of bits."""


def _kinds(base: type[Noun]) -> Mapping[str, type[Noun]]:
    found = {name: kind for name, kind in vars(device).items() if isinstance(kind, type) and issubclass(kind, base)}
    return {name: kind for name, kind in found.items() if kind is not base}


REQUESTS = _kinds(Request)
INDICATIONS = _kinds(Indication)


def line(noun: Noun) -> bytes:
    """Return a noun as a line."""
    named = [(f.name, getattr(noun, f.name)) for f in fields(cast("Any", noun))]
    content = {name: _plain(name, value) for name, value in named}
    return json.dumps({"noun": type(noun).__name__, **content}, separators=(",", ":")).encode() + b"\n"


def _plain(name: str, value: Any) -> Any:
    if name in BLOCKS:
        return f"{value:x}"
    return str(value) if name in TIMES else value


def noun_of(data: bytes, kinds: Mapping[str, type[Noun]]) -> Noun:
    """Return the noun that a line is.

    Parameters
    ----------
    data
        The line.
    kinds
        What may come.

    Raises
    ------
    WireError
        If it is none of them, or a field is missing, unknown or of the wrong kind.
    """
    content = object_of(data)
    name = content.pop("noun", None)
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise WireError(f"{name!r} is not one of {', '.join(sorted(kinds))}.{nearest(str(name), kinds)}")
    wanted = {f.name: str(f.type) for f in fields(cast("Any", kind))}
    if content.keys() != wanted.keys():
        raise WireError(f"{name} has the fields {', '.join(wanted)}, not {', '.join(content)}")
    return kind(**{key: _value(key, value, wanted[key]) for key, value in content.items()})


def object_of(data: bytes) -> dict[str, Any]:
    """Return the JSON object of a line.

    Raises
    ------
    WireError
        If it is none.
    """
    try:
        content = json.loads(data.decode(), parse_float=_finite, parse_constant=_finite)
        if b"\\ud" in data.lower():
            json.dumps(content, ensure_ascii=False).encode()  # half a character is none
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a line of JSON: {data[:60]!r}") from error
    if not isinstance(content, dict):
        raise WireError(f"not an object: {data[:60]!r}")
    return content


def _finite(text: str) -> float:
    """Return a number; JSON has no others (RFC 8259, section 6).

    Raises
    ------
    ValueError
        If it is infinite, or none.
    """
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62


CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "int": _number,
    "bool": lambda value: isinstance(value, bool),
    "float": lambda value: isinstance(value, float) or _number(value),
    "str": lambda value: isinstance(value, str),
    "tuple[int, ...]": lambda value: isinstance(value, list) and all(map(_number, value)),
}


def time_of(words: str, value: Any) -> int:
    """Return a time that was written as a decimal string [ps]; `words` name it.

    Raises
    ------
    WireError
        If it is not written so.
    """
    if not isinstance(value, str) or not value.removeprefix("-").isdecimal() or len(value) > 20:
        raise WireError(f"{words} = {value!r:.60}: expected a decimal string of picoseconds")
    return int(value)


def block_of(words: str, value: Any) -> int:
    """Return a block of bits that was written as a hexadecimal string; `words` name it.

    Raises
    ------
    WireError
        If it is not written so.
    """
    if not isinstance(value, str) or not value or value.strip("0123456789abcdef") or len(value) > LONGEST:
        raise WireError(f"{words} = {value!r:.60}: expected a hexadecimal string")
    return int(value, 16)


def simple(words: str, value: Any, kind: str) -> Any:
    """Return a number, a text, a truth value or a tuple of numbers, if it is of its kind.

    Raises
    ------
    WireError
        If it is not.
    """
    if not CHECKS[kind](value):
        raise WireError(f"{words} = {value!r:.60}: expected {kind}")
    return tuple(value) if isinstance(value, list) else value


def _value(name: str, value: Any, kind: str) -> Any:
    if name in TIMES:
        return time_of(name, value)
    if name in BLOCKS:
        return block_of(name, value)
    return simple(name, value, kind)
