"""``qstack schema``: the JSON Schema of a scenario, with everything that is installed."""

from __future__ import annotations

import json
from typing import Any

import click

from qstack import api
from qstack.plugin.manager import Manager
from qstack.scenario.schema import Scenario


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of a scenario, with the names of all installed plugins."""
    click.echo(json.dumps(schema(api.manager()), indent=2))


def schema(manager: Manager) -> dict[str, Any]:
    """Return the JSON Schema of a scenario; every choice lists what is installed, with its options."""
    found = Scenario.model_json_schema(by_alias=True, mode="validation")
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    _fill(found, manager)
    return found


def _fill(node: Any, manager: Manager) -> None:
    """Replace every marked choice by the installed offers."""
    if isinstance(node, list):
        for part in node:
            _fill(part, manager)
    if not isinstance(node, dict):
        return
    offers = node.pop("offers", None)
    if isinstance(offers, list):
        node["anyOf"] = _choices(str(offers[0]), str(offers[1]), manager)
    elif node.get("description") == "a hardware platform":
        node["anyOf"] = [{"enum": sorted(manager.platforms)}, {"type": "object"}]
    for part in list(node.values()):
        _fill(part, manager)


def _choices(kind: str, level: str, manager: Manager) -> list[dict[str, Any]]:
    offers = manager.offers(kind, level)
    choices: list[dict[str, Any]] = [{"enum": sorted(offers)}]
    for name, offer in offers.items():
        options = offer.options.model_json_schema(mode="validation")
        options.setdefault("properties", {})["use"] = {"const": name}
        if not (level and name == "reference"):
            options["required"] = [*options.get("required", []), "use"]
        choices.append(options)
    return choices
