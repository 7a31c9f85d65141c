"""``qstack schema``: the JSON Schema of a scenario, with everything that is installed."""

from __future__ import annotations

import json

import click

from qstack import api
from qstack.scenario.json_schema import schema


@click.command("schema", short_help="Print the JSON Schema of a scenario.")
def command() -> None:
    """Print the JSON Schema of a scenario, with the names and options of all installed plugins."""
    click.echo(json.dumps(schema(api.manager()), indent=2))
