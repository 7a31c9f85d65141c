r"""Nouns as JSON: how a subject that runs as a program of its own is spoken to.

A noun is an object with ``noun``, its module and its name, and its fields by name.  Times are decimal strings of
picoseconds, because 2**53 ps is only 2.5 hours; blocks of bits are hexadecimal strings; sequences are lists; a number that
JSON has not is a text, ``nan``, ``inf`` or ``-inf``; everything else is what it is.  A field that has a default may be left out.

>>> from qstack.wire.link import AddAck
>>> plain(AddAck(cseq=1, aid=2))
{'noun': 'link.AddAck', 'cseq': 1, 'aid': 2, 'ack': 0}
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from math import isfinite
from typing import Any, ClassVar, cast

import qstack.services
import qstack.wire
from qstack.core.errors import WireError
from qstack.core.nouns import Cancel, Note, Noun, Send, Set, Timer, timer
from qstack.hosts.plain import BLOCKS, CHECKS, block_of, simple, time_of
from qstack.plugin.spelling import nearest

TIMES = frozenset(
    {"asked", "at", "cutoff", "deadline", "delay", "emitted", "max_time", "now", "period", "since", "start"}
)
"""Fields that are times."""


STRANGE = ("nan", "inf", "-inf")
"""What a field holds instead of a number that JSON has not: judges hand out such numbers, to see them refused."""


@timer
class Named(Timer):
    """A timer of a program, which alone knows what it means."""

    name: str


@timer
class Tidying(Named):
    """One of housekeeping: it keeps no host busy."""

    housekeeping: ClassVar[bool] = True


STEERING: Mapping[str, type[Noun]] = {"Send": Send, "Set": Set, "Cancel": Cancel, "Note": Note}
"""Nouns that steer the host; they belong to no module of the standard."""


@cache
def kinds() -> Mapping[str, type]:
    """Return every noun of the standard by its name on a line."""
    found: dict[str, type] = {}
    for package in (qstack.services, qstack.wire):
        for module in pkgutil.iter_modules(package.__path__):
            content = import_module(f"{package.__name__}.{module.name}")
            for name, kind in vars(content).items():
                if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == content.__name__:
                    found[f"{module.name}.{name}"] = kind
    return found


@cache
def name_of(kind: type) -> str:
    """Return what a noun is called on a line."""
    if kind.__name__ in STEERING and STEERING[kind.__name__] is kind:
        return kind.__name__
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def plain(value: Any, name: str = "") -> Any:
    """Return a value as JSON has it; `name` is the field that it stands in."""
    if isinstance(value, Timer):
        called = value.name if isinstance(value, Named) else repr(value)
        return {"name": called, "housekeeping": True} if value.housekeeping else called
    if isinstance(value, Enum):
        value = value.value
    if is_dataclass(value):
        content = {f.name: plain(getattr(value, f.name), f.name) for f in fields(value)}
        return {"noun": name_of(cast("type", type(value))), **content}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if name in TIMES and isinstance(value, int):
        return str(value)
    if name in BLOCKS and isinstance(value, int):
        return f"{value:x}"
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def noun_of(content: Any) -> Noun:
    """Return the noun that an object is.

    Raises
    ------
    WireError
        If it is none, or a field is missing, unknown or of the wrong kind.
    """
    if not isinstance(content, dict) or not isinstance(content.get("noun"), str):
        raise WireError(f"{content!r:.60} is not an object with 'noun'")
    name = content["noun"]
    known = {**kinds(), **STEERING}
    if name not in known:
        raise WireError(f"{name!r} is not a noun of the standard.{nearest(name, known)}")
    wanted = {f.name: str(f.type) for f in fields(cast("Any", known[name]))}
    needed = {f.name for f in fields(cast("Any", known[name])) if f.default is MISSING}
    given = {key: value for key, value in content.items() if key != "noun"}
    if not needed <= given.keys() <= wanted.keys():
        raise WireError(f"{name} has the fields {', '.join(wanted)}, not {', '.join(given)}")
    found: Noun = known[name](**{key: _value(name, key, value, wanted[key]) for key, value in given.items()})
    return found


def _value(noun: str, key: str, value: Any, kind: str) -> Any:
    """Return a field's value, checked."""
    words = f"{noun}.{key}"
    if kind == "Timer":
        tidying = isinstance(value, dict) and value.keys() == {"name", "housekeeping"} and value["housekeeping"] is True
        return Tidying(simple(words, value["name"], "str")) if tidying else Named(simple(words, value, "str"))
    if kind == "int" and key in TIMES:
        return time_of(words, value)
    if kind == "int" and key in BLOCKS:
        return block_of(words, value)
    if isinstance(value, dict):
        return noun_of(value)
    if kind in CHECKS:
        return float(value) if kind == "float" and value in STRANGE else simple(words, value, kind)
    return tuple(noun_of(one) if isinstance(one, dict) else one for one in value) if isinstance(value, list) else value


def line(content: Mapping[str, Any]) -> bytes:
    """Return an object as a line."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"
