"""Platforms that a user names on the command line: by name, or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import Fibre, LinkSheet, Options, Platform
from qstack.plugin.manager import Manager
from qstack.plugin.spelling import nearest
from qstack.scenario.load import text_of
from qstack.scenario.problems import Origin, Problem, from_validation, refusal, report
from qstack.scenario.schema import PlatformChoice
from qstack.scenario.yaml import read
from qstack.study.platforms import Medium


class Chosen(Options):
    """A platform by name, or a data sheet, with the pydantic machinery that reads it inside a scenario."""

    platform: PlatformChoice


def medium_of(name: str, manager: Manager) -> Medium:
    """Return the function of a link medium.

    Raises
    ------
    ConfigError
        If none has this name.
    """
    offers = manager.offers("media", "")
    if name not in offers:
        raise unknown(f"--medium {name}", name, "a link medium", sorted(offers))
    offer = offers[name]

    def make(a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
        sheet: LinkSheet = offer.make(offer.options(), a=a, b=b, fibre=fibre)
        return sheet

    return make


def unknown(place: str, name: str, what: str, known: list[str]) -> ConfigError:
    """Return the error of a name that nothing answers to, with what there is and the nearest."""
    hint = f"Installed: {', '.join(known) or 'none'}.{nearest(name, known)}"
    return report([Problem((), f"'{name}' is not {what}.", (hint,))], Origin(place, {}))


def find(name: str, manager: Manager) -> Platform:
    """Return a platform by its name, or from a file that holds its data sheet.

    Raises
    ------
    ConfigError
        If there is no such platform or file, or the sheet is wrong: file, line and key of each problem.
    """
    if name in manager.platforms:
        found: Platform = manager.platforms[name]
        return found
    path = Path(name)
    if not (path.suffix in {".yaml", ".yml"} or path.exists()):
        raise unknown("hardware", name, "a hardware platform, nor a file", sorted(manager.platforms))
    data, origin = read(text_of(path), name)
    if not isinstance(data, dict):
        raise refusal(name, "a data sheet is a mapping: memory, interface, gate_noise and so on.")
    return validated(data, manager, origin)


def validated(data: Any, manager: Manager, origin: Origin) -> Platform:
    """Return the platform of plain data.

    Raises
    ------
    ConfigError
        If it is none: place and key of each problem.
    """
    try:
        return Chosen.model_validate({"platform": data}, context={"plugins": manager}).platform
    except ValidationError as error:
        problems = from_validation(error, Chosen)
        raise report([Problem(p.loc[1:], p.message, p.hints, p.origin) for p in problems], origin) from error
