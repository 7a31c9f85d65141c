"""The values of a data sheet as a person reads them: what is stated, by whom, and what is left at its default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click
from pydantic import BaseModel

from qstack.plugin.contracts import Platform
from qstack.plugin.sheet import parameters

WIDTH = 118
"""Of paragraphs."""

DEFAULT = "default"
"""Origin of what a data sheet does not say."""


def show_values(platform: Platform, table: Callable[[Sequence[str], Sequence[Sequence[str]]], None]) -> None:
    """Print what a sheet states with numbered sources, then the sources, then what it leaves at its defaults."""
    values = _values(platform)
    words = dict.fromkeys(row[-1] for row in values if row[-1] != DEFAULT)
    notes = {origin: str(number) for number, origin in enumerate(words, 1)}
    told = [(*row[:-1], notes[row[-1]]) for row in values if row[-1] != DEFAULT]
    table(("parameter", "value", "as published", "origin"), told)
    click.echo()
    for origin, number in notes.items():
        click.echo(click.wrap_text(f"{number:>2}  {origin}", WIDTH, subsequent_indent=" " * 4))
    silent = ", ".join(f"{key} {value or 'none'}" for key, value, _, origin in values if origin == DEFAULT)
    click.echo(f"\n{click.wrap_text(f'By default, as its sources say nothing: {silent}.', WIDTH)}")


def _values(platform: Platform) -> list[tuple[str, ...]]:
    """Return every parameter with its value and origin."""
    sheet = platform.model_dump(mode="json")
    origins = {key: (words, origin) for origin in platform.origins for key, words in origin.gives.items()}
    rows: list[tuple[str, ...]] = []
    for key in parameters(sheet):
        value: Any = sheet
        for part in key.split("."):
            value = value[part]
        words, origin = origins.get(key, ("", None))
        text = ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)
        if origin is None:
            rows.append((key, text, "", DEFAULT if _is_default(platform, key) else "no origin given"))
        else:
            grade = f", {origin.confidence}" if origin.confidence else ""
            rows.append((key, text, words, f"{origin.words}{grade}"))
    return rows


def _text(value: object) -> str:
    return "none" if value is None else f"{value:.8g}" if isinstance(value, float) else str(value)


def _is_default(platform: Platform, key: str) -> bool:
    """Return whether a parameter has the value that its model gives it."""
    thing: Any = platform
    *way, last = key.split(".")
    for part in way:
        thing = getattr(thing, part)
    field = type(thing).model_fields.get(last) if isinstance(thing, BaseModel) else None
    return field is not None and bool(field.default == getattr(thing, last))
