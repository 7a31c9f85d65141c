"""The tables of ``docs/wire.md``, made from the layouts and the docstrings beside them."""

from __future__ import annotations

import re
import sys
from inspect import cleandoc

from qstack.wire.codec import LAYOUTS, Header
from qstack.wire.layout import Field, Fixed, Kind, Layout, List, Place, Reserved

CHAPTERS = ("physical", "link", "network", "signalling", "transport", "application", "channel", "service", "compact")
"""Modules, in the order of the document."""
INTRODUCTION = """\
Generated from `qstack.wire`; the layouts there are the only declaration.  `qstack wire` lists all messages,
`qstack wire TRACK` dumps one as an example, `qstack wire 1304...` dumps bytes, and `qstack wire --trace FILE.jsonl` what
nodes have said in a run (`qstack run --trace FILE.jsonl`)."""


def describe() -> str:
    """Return ``docs/wire.md``: every message with its plane, type, size and fields."""
    parts = [
        "# Wire format",
        INTRODUCTION,
        _text(sys.modules["qstack.wire.codec"].__doc__),
        _chapter(LAYOUTS[Header]),
    ]
    for chapter in CHAPTERS:
        module = f"qstack.wire.{chapter}"
        layouts = [layout for cls, layout in LAYOUTS.items() if cls.__module__ == module]
        title, _, rest = _text(sys.modules[module].__doc__).partition("\n")
        parts += [f"## {title.rstrip('.')}", rest.strip(), *map(_chapter, layouts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _text(doc: str | None) -> str:
    """Return a docstring as Markdown: its tables are fenced as they stand."""
    text = cleandoc(doc or "").replace("``", "`")
    text = re.sub(r"(?ms)^(=+  +=.*^=+  +=+[ =]*)$", r"```\n\1\n```", text)
    return re.sub(r"(?m)\n\n((?: {4}.*\n?)+)", r"\n\n```\n\1\n```\n", text).replace("\n\n```\n\n", "\n```\n\n")


def _chapter(layout: Layout) -> str:
    """Return the section of one message."""
    purpose, meanings = _docstring(layout.cls.__doc__)
    size = f"{layout.size} bytes" + (" and the lists" if layout.lists else "")
    where = "" if layout.plane is None else f"Plane {int(layout.plane)}, type {layout.code}, "
    head = f"### {layout.title} (`{layout.cls.__name__}`)\n\n{purpose}\n\n{where}{size}"
    rows = [
        *(_row(place, meanings) for place in layout.places),
        *(_list_row(entry, meanings) for entry in layout.lists),
    ]
    if not rows:
        return head + "; no fields."
    table = "| byte | bits | field | attribute | unit or values | meaning |\n|---|---|---|---|---|---|\n"
    return f"{head}.\n\n{table}" + "\n".join(rows)


def _row(place: Place, meanings: dict[str, str]) -> str:
    entry = place.entry
    offset = f"{place.bit // 8}" + (f".{place.bit % 8}" if place.bit % 8 else "")
    match entry:
        case Fixed():
            cells = (entry.name, "", f"always {entry.value}", "")
        case Reserved():
            cells = ("unused" if entry.ignored else "reserved", "", "0, ignored" if entry.ignored else "0", "")
        case Field():
            cells = (entry.title, f"`{entry.attribute}`", _unit(entry.kind), meanings.get(entry.attribute, ""))
    return f"| {offset} | {entry.bits} | " + " | ".join(cells) + " |"


def _list_row(entry: List, meanings: dict[str, str]) -> str:
    cells = (f"`{entry.attribute}`", _unit(entry.kind), meanings.get(entry.attribute, ""))
    return f"| TLV | {entry.bits} each | type {entry.code:#06x} | " + " | ".join(cells) + " |"


def _unit(kind: Kind) -> str:
    values = ", ".join(f"{number} {name}" for number, name in kind.values.items())
    return f"{kind.unit}: {values}" if values else kind.unit or "number"


def _docstring(doc: str | None) -> tuple[str, dict[str, str]]:
    """Return what a numpydoc docstring says of the message and of each of its attributes."""
    purpose, _, parameters = cleandoc(doc or "").partition("\n\nParameters\n----------\n")
    meanings: dict[str, str] = {}
    for names, text in re.findall(r"(?m)^(\S.*)\n((?:    .*\n?)+)", parameters + "\n"):
        meaning = " ".join(text.split())
        meanings |= dict.fromkeys(names.split(", "), meaning.replace("|", "\\|"))
    return " ".join(purpose.split()), meanings
