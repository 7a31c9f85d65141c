"""From a file to a plan, with every problem told at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qstack.plugin.manager import Manager
from qstack.scenario import topology
from qstack.scenario.override import Setting, override
from qstack.scenario.plan import Plan, plan
from qstack.scenario.problems import Faulty, Origin, Problem, from_validation, refusal, report
from qstack.scenario.schema import Scenario
from qstack.scenario.yaml import read


def from_file(path: Path, manager: Manager, settings: Iterable[Setting] = ()) -> Plan:
    """Read a scenario file.

    Parameters
    ----------
    path
        The file; paths inside it are relative to its folder, then to the packaged data.
    manager
        Installed plugins.
    settings
        Changes of single values.

    Raises
    ------
    ConfigError
        If anything is wrong with it: one line per problem.
    """
    data, origin = read(text_of(path), str(path))
    return from_data(data, manager, settings, origin, path.parent)


def text_of(path: Path) -> str:
    """Return what a text file holds.

    Raises
    ------
    ConfigError
        If it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise refusal(str(path), "there is no such file.") from None
    except IsADirectoryError:
        raise refusal(str(path), "is a folder, not a file.") from None
    except UnicodeDecodeError as error:
        raise refusal(str(path), f"is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise refusal(str(path), f"cannot be read: {error.strerror}.") from None


def from_data(
    data: Any,
    manager: Manager,
    settings: Iterable[Setting] = (),
    origin: Origin | None = None,
    folder: Path = Path(),
) -> Plan:
    """Read a scenario that is plain data already: of a program, or of a manifest.

    Parameters
    ----------
    data
        The scenario; settings are made in place.
    manager, settings
        As for `from_file`.
    origin
        Where its parts stand.
    folder
        What paths inside it are relative to.

    Raises
    ------
    ConfigError
        If anything is wrong with it: one line per problem.
    """
    origin = override(data, origin or Origin("scenario", {}), settings)
    if not isinstance(data, dict):
        raise report([Problem((), "expected a mapping of keys; `qstack schema` prints which.")], origin)
    if "network" not in data and data.keys() & {"memory", "interface"}:
        words = "is a data sheet, not a scenario: `qstack hardware show` takes it, and network.hardware of a scenario."
        raise report([Problem((), words)], origin)
    scenario, problems = _validated(data, manager)
    network = data.get("network")
    if isinstance(network, dict) and isinstance(network.get("topology"), str):
        try:
            inlined = topology.inlined(network, topology.load(network["topology"], folder))
        except Faulty as error:
            problems += error.problems
        else:
            if scenario is not None:  # the resolved scenario needs no other file
                scenario, problems = _validated({**data, "network": inlined}, manager)
    if problems or scenario is None:
        raise report(problems, origin)
    planned, problems = plan(scenario)
    if problems or planned is None:
        raise report(problems, origin)
    return planned


def _validated(data: Any, manager: Manager) -> tuple[Scenario | None, list[Problem]]:
    try:
        return Scenario.model_validate(data, context={"plugins": manager}), []
    except ValidationError as error:
        return None, from_validation(error, Scenario)
