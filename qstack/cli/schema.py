"""``qstack schema``: the JSON Schema of a scenario, with everything that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from qstack import api
from qstack.scenario.json_schema import schema


@click.command("schema", short_help="Print the JSON Schema of a scenario.")
def command() -> None:
    """Print the JSON Schema of a scenario, with the names and options of all plugins: those installed, and the inline one of this folder."""
    click.echo(json.dumps(schema(api.manager(Path())), indent=2))
