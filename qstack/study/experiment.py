"""One experiment: a plan that can be run, and run again."""

from __future__ import annotations

import platform as python_platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from qstack.core.errors import ConfigError, PluginError
from qstack.hosts.build import Network, build
from qstack.hosts.standstill import explain
from qstack.plugin.manager import Manager
from qstack.plugin.units import parse_duration
from qstack.scenario.load import from_data
from qstack.scenario.plan import Plan
from qstack.scenario.schema import dump
from qstack.study.result import Result, collect, digest, to_json
from qstack.trace.node import Sink, Tracer

MANIFEST = "qstack/manifest/1"
SLICES = 200
"""Into how many parts a run is cut, so that progress can be shown and a user can stop it."""

Progress = Callable[[Network, int], None]
"""Called between slices with the network and the end of the run [ps]."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A scenario whose plan stands; `run` may be called any number of times.

    Attributes
    ----------
    plan
        What will be built.
    manager
        Plugins it was read with.
    seed
        Of the run.
    """

    plan: Plan
    manager: Manager
    seed: int

    def run(
        self,
        until: str | None = None,
        *,
        shot: int = 0,
        trace: Sink | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Build the network and run it.

        Parameters
        ----------
        until
            Duration with its unit, instead of the scenario's.
        shot
            Number of the repetition: every shot has draws of its own.
        trace
            Takes every noun that crosses a wall; see `qstack.trace.node`.
        progress
            Called now and then.

        Returns
        -------
        Result
            Also when a user interrupts the run: with what was finished by then.

        Raises
        ------
        ConfigError
            If the duration cannot be read.
        PluginError
            If the code of a plugin fails; the message names it.
        """
        end = self.plan.scenario.run.until if until is None else parse_duration(until, "until")
        node_class = {"node_class": Tracer(self.plan.names, trace).node} if trace is not None else {}
        network = build(self.plan, seed=self.seed, shot=shot, **node_class)
        hooks = self.manager.observers
        hooks("qstack_run_started")(scenario=self.plan.scenario, seed=self.seed)
        interrupted = False
        try:
            self._advance(network, end, progress)
        except KeyboardInterrupt:
            interrupted = True
        except Exception as error:
            culprit = self.manager.blame(error)
            if culprit is None:
                raise
            raise culprit from error
        finally:
            if trace is not None:
                trace.close()
        standstill = explain(network) if network.simulation.idle and network.recorder.open else None
        result = collect(network, seed=self.seed, interrupted=interrupted, standstill=standstill)
        hooks("qstack_run_finished")(scenario=self.plan.scenario, summary=result.summary())
        return result

    @staticmethod
    def _advance(network: Network, end: int, progress: Progress | None) -> None:
        simulation = network.simulation
        for part in range(1, SLICES + 1):
            simulation.run(end * part // SLICES)
            if progress is not None:
                progress(network, end)
            if simulation.stopped or simulation.idle:
                return

    def resolved(self) -> dict[str, Any]:
        """Return the scenario as plain data, with topology and hardware inline, defaults written out, and its seed."""
        data = dump(self.plan.scenario)
        data["run"]["seed"] = self.seed
        return data

    def manifest(self, result: Result, until: str | None = None) -> dict[str, Any]:
        """Return what `replay` needs to repeat a run byte for byte."""
        data = self.resolved()
        if until is not None:
            data["run"]["until"] = until
        return {
            "schema": MANIFEST,
            "scenario": data,
            "seed": self.seed,
            "versions": versions(),
            "plugins": self.manager.versions(),
            "digest": digest(to_json(data)),
            "summary_sha256": digest(to_json(result.summary())),
        }


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    return {"qstack": own_version(), "python": python_platform.python_version(), "numpy": np.__version__}


def own_version() -> str:
    """Return qstack's version."""
    try:
        return version("qstack-reference")
    except PackageNotFoundError:
        return "0+unknown"


def from_manifest(manifest: Any, manager: Manager) -> Experiment:
    """Return the experiment that a manifest describes.

    Raises
    ------
    ConfigError
        If it is not a manifest, or was changed.
    PluginError
        If a plugin that the run used is not installed.
    """
    if not isinstance(manifest, dict) or manifest.get("schema") != MANIFEST:
        raise ConfigError(f"this is not a manifest of a run (its 'schema' would be '{MANIFEST}').")
    missing = {"scenario", "seed", "plugins", "digest", "summary_sha256"} - manifest.keys()
    if missing:
        raise ConfigError(f"the manifest lacks {', '.join(sorted(missing))}.")
    if digest(to_json(manifest["scenario"])) != manifest["digest"]:
        raise ConfigError("the scenario inside the manifest was changed: its digest does not fit.")
    here = manager.versions()
    absent = [f"{name} {number}" for name, number in manifest["plugins"].items() if name not in here]
    if absent:
        raise PluginError(f"the run used plugins that are not installed here: {', '.join(absent)}.")
    return Experiment(from_data(manifest["scenario"], manager), manager, manifest["seed"])


def write(folder: Path, result: Result, manifest: dict[str, Any], plugins: Iterable[Path] = ()) -> tuple[Path, Path]:
    """Write ``summary.json`` and ``manifest.json`` into a folder, which is made if need be.

    The files of inline plugins are copied to their side, so that a replay finds them there.

    Raises
    ------
    ConfigError
        If the folder cannot be written.
    """
    paths = (folder / "summary.json", folder / "manifest.json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in zip(paths, (result.summary(), manifest), strict=True):
            path.write_text(to_json(data), encoding="utf-8", newline="\n")
        for plugin in plugins:
            if (folder / plugin.name).resolve() != plugin.resolve():
                (folder / plugin.name).write_bytes(plugin.read_bytes())
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}.") from error
    return paths
