"""The Python interface: what a script needs.

>>> import qstack
>>> experiment = qstack.load("delft-eindhoven.yaml", seed=7)        # doctest: +SKIP
>>> result = experiment.run(until="1 s")                            # doctest: +SKIP
>>> result.flows["pairs"].fidelity.mean                             # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import qstack.builtins
from qstack.plugin import manager as plugins
from qstack.scenario.load import from_data, from_file
from qstack.scenario.override import Setting, parse
from qstack.study.experiment import Experiment, own_version


def manager(folder: Path | None = None) -> plugins.Manager:
    """Return all plugins: built-in, installed, and the ``qstackfile.py`` of a folder.

    Raises
    ------
    PluginError
        If one of them does not fit; the message names it.
    """
    return plugins.load(qstack.builtins, own_version(), folder)


def load(
    scenario: str | Path | Mapping[str, Any],
    *,
    seed: int | None = None,
    until: str | None = None,
    settings: Iterable[str] = (),
) -> Experiment:
    """Read a scenario and plan its network.

    Parameters
    ----------
    scenario
        A file, or the same as a mapping, whose paths are relative to the working directory.
    seed, until
        Instead of the scenario's; `until` is a duration with its unit.
    settings
        ``KEY=VALUE`` changes, such as ``"flows.key.number=100"``.

    Raises
    ------
    ConfigError
        If anything is wrong with it, including what the hardware cannot reach: one line per problem.
    PluginError
        If a plugin does not fit.
    """
    changes = [parse(text) for text in settings]
    if seed is not None:
        changes.append(Setting("run.seed", seed, f"--seed {seed}"))
    if until is not None:
        changes.append(Setting("run.until", until, f"--until {until}"))
    if isinstance(scenario, Mapping):
        found = manager(Path())
        with found.blaming():
            return Experiment(from_data(deepcopy(dict(scenario)), found, changes), found)
    path = Path(scenario)
    found = manager(path.parent)
    with found.blaming():
        return Experiment(from_file(path, found, changes), found)
