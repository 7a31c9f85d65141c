"""``qstack wire``: read what travels between nodes, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from string import hexdigits
from typing import Any, cast

import click

from qstack.conformance.vectors import messages
from qstack.core.errors import ConfigError, WireError
from qstack.core.nouns import Noun
from qstack.plugin.spelling import nearest
from qstack.plugin.units import TIMES
from qstack.trace.sinks import read
from qstack.wire import Stream, encode, hexdump
from qstack.wire.codec import LAYOUTS
from qstack.wire.layout import Layout

SECOND = TIMES["s"]
HEXADECIMAL = frozenset(hexdigits)


def kinds() -> dict[str, Layout]:
    """Return every layout, by the name of its noun."""
    return {cls.__name__: layout for cls, layout in LAYOUTS.items()}


@click.command("wire", short_help="Read messages byte by byte.")
@click.argument("what", nargs=-1)
@click.option(
    "--trace",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Dump the messages of a trace, of these kinds only if any are named.",
)
def command(what: tuple[str, ...], *, trace: Path | None) -> None:
    """Dump messages: byte, bits, hexadecimal, field and value.

    WHAT is the name of a message, of which an example is shown (Track, or TRACK as docs/wire.md writes it), or bytes in
    hexadecimal, several messages in a row if they like; the name of what has no common header stands before its bytes.
    Without it, all messages are listed.
    """
    if trace is not None:
        shown = {layout.cls.__name__ for name in what for layout in _kinds(name)}
        dumps = list(_of_trace(trace, shown))
        if not dumps:
            raise ConfigError(f"{trace}  holds no such message.")
    elif not what:
        dumps = ["\n".join(_listed())]
    elif _is_hexadecimal(what[0]):
        dumps = list(_of_bytes(_bytes(what)))
    elif len(what) > 1 and _is_hexadecimal(what[1]):
        dumps = [hexdump(_bytes(what[1:]), layout.cls if layout.plane is None else None) for layout in _kinds(what[0])]
    else:
        dumps = [_dump(messages(layout.cls)[0], 0) for name in what for layout in _kinds(name)]
    click.echo("\n\n".join(dumps))


def _is_hexadecimal(word: str) -> bool:
    """Return whether a word is meant as bytes, and not as the name of a message."""
    return word[:1].isdigit() or (HEXADECIMAL.issuperset(word) and not _named(word))


def _named(name: str) -> list[Layout]:
    known = kinds()
    return [known[name]] if name in known else [one for one in known.values() if one.title == name.upper()]


def _bytes(words: Sequence[str]) -> bytes:
    text = "".join(words)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ConfigError(f"'{text}' is not bytes in hexadecimal: two digits of 0 to 9 and a to f each.") from None


def _kinds(name: str) -> list[Layout]:
    """Return the layout with this name of its noun, or those with this title: two planes may use the same."""
    found, known = _named(name), kinds()
    if not found:
        hint = nearest(name, known) or nearest(name.upper(), {one.title for one in known.values()})
        raise ConfigError(f"'{name}' is no message, and no bytes in hexadecimal.{hint} `qstack wire` lists all.")
    return found


def _listed() -> Iterator[str]:
    for name, layout in sorted(kinds().items(), key=lambda item: (item[1].plane is None, item[1].plane, item[1].code)):
        where = "-" if layout.plane is None else f"{int(layout.plane)}.{layout.code}"
        yield f"{layout.title:<16}{name:<20}{where:>5}{layout.size:>5} bytes{' and lists' if layout.lists else ''}"


def _dump(message: Noun, sequence: int) -> str:
    """Return the dump of a message, with all its bytes in one line above."""
    bare = LAYOUTS[type(message)].plane is None
    data = encode(message) if bare else encode(message, sequence)
    return f"{data.hex()}\n{hexdump(data, type(message) if bare else None)}"


def _of_bytes(data: bytes) -> Iterator[str]:
    """Yield dumps of messages in a row, and of what is left."""
    stream, done = Stream(), 0
    try:
        for one in stream.feed(data):
            done += len(one)
            yield hexdump(one)
    except WireError:
        pass  # the dump of what is left says what is wrong
    if done < len(data):
        yield hexdump(data[done:])


def _of_trace(path: Path, shown: set[str]) -> Iterator[str]:
    """Yield dumps of the messages that nodes have sent, numbered for each of them as on a connection."""
    known = kinds()
    sent: dict[tuple[object, object], int] = {}
    for record in read(path):
        if record["noun"] != "Send":
            continue
        content = record["fields"]
        said = content["message"]
        hop = record["node"], content["peer"]
        number = sent[hop] = sent.get(hop, -1) + 1
        layout = known.get(said["noun"])
        if layout is not None and (not shown or said["noun"] in shown):
            head = f"{int(record['time_ps']) / SECOND:.9f} s  {record['node']} to node {content['peer']}"
            yield f"{head}  {_dump(_made(layout, said), number)}"


def _made(layout: Layout, said: Mapping[str, Any]) -> Noun:
    names = [one.name for one in fields(cast("Any", layout.cls))]
    return layout.cls(**{name: _value(said[name]) for name in names if name in said})


def _value(value: object) -> object:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
