"""The Python interface: what a script needs.

>>> import qstack
>>> experiment = qstack.load("delft-eindhoven.yaml", seed=7)        # doctest: +SKIP
>>> result = experiment.run(until="1 s")                            # doctest: +SKIP
>>> result.flows["pairs"].fidelity.mean                             # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import qstack.builtins
from qstack.plugin import manager as plugins
from qstack.scenario.load import from_data, from_file
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
    scenario: str | Path | Mapping[str, Any], *, seed: int | None = None, settings: Iterable[str] = ()
) -> Experiment:
    """Read a scenario and plan its network.

    Parameters
    ----------
    scenario
        A file, or the same as a mapping.
    seed
        Instead of the scenario's.
    settings
        ``KEY=VALUE`` changes, such as ``"flows.key.number=100"``.

    Raises
    ------
    ConfigError
        If anything is wrong with it, including what the hardware cannot reach: one line per problem.
    PluginError
        If a plugin does not fit.
    """
    if isinstance(scenario, Mapping):
        found = manager(Path())
        planned = from_data(dict(scenario), found)
    else:
        path = Path(scenario)
        found = manager(path.parent)
        planned = from_file(path, found, settings)
    return Experiment(planned, found, planned.scenario.run.seed if seed is None else seed)
