"""The JSON Schema of a scenario, with the names and the options of everything that is installed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from qstack.plugin.contracts import InterfaceModel, MemoryModel, Platform
from qstack.plugin.manager import Manager
from qstack.scenario.schema import Scenario

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(manager: Manager) -> dict[str, Any]:
    """Return the JSON Schema of a scenario (draft 2020-12).

    It is for editors: it knows keys, types, units and installed names.  What follows from several values at once (T2
    against T1, nodes that do not exist, what the hardware cannot reach) only `qstack check` can tell.
    """
    definitions: dict[str, Any] = {}
    found = _of(Scenario, definitions, manager)
    definitions["HardwarePlatform"] = _platform(definitions, manager)
    return {"$schema": DIALECT, **found, "$defs": dict(sorted(definitions.items()))}


def _of(model: type[BaseModel], definitions: dict[str, Any], manager: Manager) -> dict[str, Any]:
    """Return the schema of a model, its choices filled in; what it refers to goes into the common definitions."""
    found = model.model_json_schema(by_alias=True, mode="validation")
    for name, inner in found.pop("$defs", {}).items():
        if name not in definitions:
            definitions[name] = inner
            _fill(inner, definitions, manager)
    _fill(found, definitions, manager)
    return found


def _fill(node: Any, definitions: dict[str, Any], manager: Manager) -> None:
    """Replace every marked choice by the installed offers."""
    if isinstance(node, list):
        for part in node:
            _fill(part, definitions, manager)
    if not isinstance(node, dict):
        return
    also = node.pop("also", None)
    if also is not None:  # other ways to write the same thing
        rest = dict(node)
        node.clear()
        node["anyOf"] = [rest, *also]
        _fill(rest, definitions, manager)
        return
    offers = node.pop("offers", None)
    if isinstance(offers, list):
        node["anyOf"] = _choices(str(offers[0]), str(offers[1]), definitions, manager)
        return
    if node.get("description") == "a hardware platform":
        node["anyOf"] = [{"enum": sorted(manager.platforms)}, {"$ref": "#/$defs/HardwarePlatform"}]
        return
    for part in list(node.values()):
        _fill(part, definitions, manager)


def _choices(kind: str, level: str, definitions: dict[str, Any], manager: Manager) -> list[dict[str, Any]]:
    offers = manager.offers(kind, level)
    choices: list[dict[str, Any]] = [{"enum": sorted(offers)}]
    for name, offer in offers.items():
        options = _of(offer.options, definitions, manager)
        options.setdefault("properties", {})["use"] = {"const": name}
        if not (level and name == "reference"):
            options["required"] = [*options.get("required", []), "use"]
        choices.append(options)
    return choices


def _platform(definitions: dict[str, Any], manager: Manager) -> dict[str, Any]:
    """Return the schema of a data sheet, whole or as changes to an installed one."""
    found = _of(Platform, definitions, manager)
    properties = found["properties"]
    for key, base in (("memory", MemoryModel), ("interface", InterfaceModel)):
        models = {kind: model for kind, model in manager.models.items() if issubclass(model, base)}
        properties[key] = {"anyOf": [_model(kind, model, definitions, manager) for kind, model in models.items()]}
    properties["like"] = {"enum": sorted(manager.platforms), "description": "start from this platform"}
    found["required"] = []  # with `like`, everything may be left out
    return found


def _model(kind: str, model: type[BaseModel], definitions: dict[str, Any], manager: Manager) -> dict[str, Any]:
    found = _of(model, definitions, manager)
    found["properties"]["kind"] = {"const": kind}
    found["required"] = []  # as above
    return found
