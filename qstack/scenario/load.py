"""From a file to a plan, with every problem told at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qstack.core.errors import ConfigError
from qstack.plugin.manager import Manager
from qstack.scenario import topology
from qstack.scenario.plan import Plan, plan
from qstack.scenario.problems import Origin, Problem, from_validation, report
from qstack.scenario.schema import Scenario
from qstack.scenario.yaml import override, read


def from_file(path: Path, manager: Manager, settings: Iterable[str] = ()) -> Plan:
    """Read a scenario file.

    Parameters
    ----------
    path
        The file; paths inside it are relative to its folder, then to the packaged data.
    manager
        Installed plugins.
    settings
        ``KEY=VALUE`` changes, as of ``--set``.

    Raises
    ------
    ConfigError
        If anything is wrong with it: one line per problem.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}  there is no such file.") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}  is a folder, not a scenario file.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}  is not UTF-8 text (byte {error.start}).") from None
    except OSError as error:
        raise ConfigError(f"{path}  cannot be read: {error.strerror}.") from None
    data, origin = read(text, str(path))
    data, origin = override(data, origin, settings)
    return from_data(data, manager, origin, path.parent)


def from_data(data: Any, manager: Manager, origin: Origin | None = None, folder: Path = Path()) -> Plan:
    """Read a scenario that is plain data already: of a program, or of a manifest.

    Raises
    ------
    ConfigError
        If anything is wrong with it: one line per problem.
    """
    origin = origin or Origin("scenario", {})
    if not isinstance(data, dict):
        raise report([Problem((), "expected a mapping of keys; `qstack schema` prints which.")], origin)
    problems: list[Problem] = []
    scenario = _validated(data, manager, problems)
    name = data["network"].get("topology") if isinstance(data.get("network"), dict) else None
    if isinstance(name, str):
        data, scenario = _with_topology(data, folder, scenario, manager, problems)
    if problems or scenario is None:
        raise report(problems, origin)
    found, problems = plan(scenario)
    if problems or found is None:
        raise report(problems, origin)
    return found


def _validated(data: Any, manager: Manager, problems: list[Problem]) -> Scenario | None:
    try:
        return Scenario.model_validate(data, context={"plugins": manager})
    except ValidationError as error:
        problems += from_validation(error, Scenario)
        return None


def _with_topology(
    data: Any, folder: Path, scenario: Scenario | None, manager: Manager, problems: list[Problem]
) -> tuple[Any, Scenario | None]:
    """Read the topology file into the scenario, so that a manifest needs no other file."""
    try:
        network = topology.inlined(data["network"], folder)
    except topology.MissingTopology as error:
        problems.append(Problem(("network", "topology"), str(error)))
        return data, scenario
    data = {**data, "network": network}
    return data, _validated(data, manager, []) if scenario is not None else None
