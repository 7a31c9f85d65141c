"""``qstack plugins``: what is installed, and who offers it."""

from __future__ import annotations

import json
import shutil
import textwrap
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from qstack import api
from qstack.plugin.manager import KINDS, REFERENCE, Manager


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(*, as_json: bool) -> None:
    """List installed plugins and everything they offer."""
    manager = api.manager(Path())
    found = listing(manager)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    """Print offers by kind; who offers them stands there unless it is qstack itself."""
    width = min(shutil.get_terminal_size().columns, 120)
    column = max(len(offer["name"]) for offer in found["offers"]) + 4
    for plugin in found["plugins"]:
        click.echo(f"{plugin['distribution']} {plugin['version']}")
    for heading, offers in groupby(found["offers"], key=_heading):
        click.echo(f"\n{heading}")
        for offer in offers:
            source = "" if offer["distribution"] == REFERENCE else f"  [{offer['distribution']}]"
            begin = f"  {offer['name']}".ljust(column)
            text = f"{offer['summary']}{source}" or "-"
            click.echo(textwrap.fill(text, width, initial_indent=begin, subsequent_indent=" " * column))


def _heading(offer: dict[str, Any]) -> str:
    kind = str(offer["kind"]).replace("_", " ")
    return f"{kind}: {offer['level']}" if offer["level"] else kind


def listing(manager: Manager) -> dict[str, Any]:
    """Return plugins and offers as plain data."""
    return {
        "plugins": [{"distribution": name, "version": number} for name, number in manager.versions().items()],
        "offers": [
            {
                "kind": kind,
                "level": level,
                "name": name,
                "distribution": found.plugin.distribution,
                "summary": _summary(found.thing),
            }
            for kind in KINDS
            for (level, name), found in manager.found[kind].items()
        ],
    }


def _summary(thing: Any) -> str:
    for attribute in ("summary", "title", "short_help", "help"):
        text = getattr(thing, attribute, None)
        if isinstance(text, str) and text:
            return text.splitlines()[0]
    return (thing.__doc__ or "").strip().splitlines()[0] if isinstance(thing, type) and thing.__doc__ else ""
