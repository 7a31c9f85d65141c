"""``qstack plugins``: what is installed, and who offers it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from qstack import api
from qstack.plugin.manager import KINDS, Manager


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(*, as_json: bool) -> None:
    """List installed plugins and everything they offer."""
    manager = api.manager(Path())
    found = listing(manager)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("kind", "name", "offered by", "what it is"):
        table.add_column(title, overflow="fold")
    for offer in found["offers"]:
        kind = f"{offer['kind']} ({offer['level']})" if offer["level"] else offer["kind"]
        table.add_row(kind, offer["name"], offer["distribution"], offer["summary"])
    Console().print(table)


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
