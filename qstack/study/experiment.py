"""One experiment: a plan that can be run, and run again."""

from __future__ import annotations

import json
import platform as python_platform
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from qstack.core.errors import PluginError
from qstack.core.node import Node
from qstack.hosts.build import Network, build
from qstack.hosts.standstill import explain
from qstack.plugin.contracts import Options
from qstack.plugin.manager import Manager
from qstack.plugin.units import parse_duration, time_text
from qstack.scenario.load import from_data, text_of
from qstack.scenario.plan import Plan
from qstack.scenario.problems import Origin, from_validation, refusal, report
from qstack.scenario.schema import dump
from qstack.study.interrupt import stop_on_interrupt
from qstack.study.result import Asked, Result, collect, digest, to_json
from qstack.trace.node import Sink, Tracer

MANIFEST = "qstack/manifest/1"
PARTS = 10_000
SHOWN_EVERY = 0.1
"""A run whose progress is shown is cut into parts: at first so many, then such that each takes about so long [s]."""

Progress = Callable[[Network, int], None]
"""Called between the parts of a run with the network and the end of the run [ps]."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A scenario whose plan stands; `run` may be called any number of times.

    Attributes
    ----------
    plan
        What will be built.
    manager
        Plugins it was read with.
    """

    plan: Plan
    manager: Manager

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.plan.scenario.run.seed

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
        node_class = Node if trace is None else Tracer(self.plan.names, trace).node
        hooks = self.manager.observers
        try:
            with self.manager.blaming():
                network = build(self.plan, seed=self.seed, shot=shot, node_class=node_class)
                if any(link.sheet.phases for link in self.plan.links):
                    # To have nothing to do until a satellite rises is no standstill.
                    network.simulation.at(end + 1, _wait, None)
                hooks("qstack_run_started")(scenario=self.plan.scenario, seed=self.seed)
                with stop_on_interrupt(network.simulation) as interrupt:
                    _advance(network, end, progress)
        finally:
            if trace is not None:
                trace.close()
        standstill = explain(network) if network.simulation.idle and network.recorder.open else None
        asked = Asked(self.seed, shot, end)
        result = collect(network, asked, interrupted=interrupt.received, standstill=standstill)
        hooks("qstack_run_finished")(scenario=self.plan.scenario, summary=result.summary())
        return result

    def resolved(self) -> dict[str, Any]:
        """Return the scenario as plain data, with topology and hardware inline and defaults written out."""
        return dump(self.plan.scenario)

    def manifest(self, result: Result) -> dict[str, Any]:
        """Return what `replay` needs to repeat a run byte for byte."""
        data = self.resolved()
        data["run"]["until"] = time_text(result.asked.end)
        return {
            "schema": MANIFEST,
            "scenario": data,
            "seed": result.asked.seed,
            "shot": result.asked.shot,
            "versions": versions(),
            "plugins": self.manager.versions(),
            "digest": digest(to_json(data)),
            "summary_sha256": None if result.interrupted else digest(to_json(result.summary())),
        }


def _wait(_: None) -> None:
    """Do nothing: what lies beyond the end of a run in which links come and go."""


def _advance(network: Network, end: int, progress: Progress | None) -> None:
    """Run to the end, or until all flows have ended, nothing is left to do, or a user has had enough."""
    simulation = network.simulation
    part = end if progress is None else max(1, end // PARTS)
    while simulation.now < end and not (simulation.stopped or simulation.idle):
        begin = perf_counter()
        simulation.run(min(end, simulation.now + part))
        if progress is not None:
            progress(network, end)
            part = part * 2 if perf_counter() - begin < SHOWN_EVERY else max(1, part // 2)


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    return {"qstack": own_version(), "python": python_platform.python_version(), "numpy": np.__version__}


def own_version() -> str:
    """Return qstack's version."""
    try:
        return version("qstack-reference")
    except PackageNotFoundError:
        return "0+unknown"


class Manifest(Options):
    """A recorded run; `summary_sha256` is null if a user interrupted it."""

    schema_: Literal["qstack/manifest/1"] = Field(alias="schema")
    scenario: dict[str, Any]
    seed: int = Field(ge=0, strict=True)
    shot: int = Field(ge=0, strict=True)
    versions: dict[str, str]
    plugins: dict[str, str]
    digest: str
    summary_sha256: str | None


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ConfigError
        If it is not one, or the scenario inside it was changed.
    """
    name = str(path)
    try:
        data = json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise refusal(f"{name}:{error.lineno}", f"broken JSON: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        raise refusal(name, f"broken JSON: {error}.") from error
    if not isinstance(data, dict) or data.get("schema") != MANIFEST:
        raise refusal(name, f"is not a manifest of a run (its 'schema' would be '{MANIFEST}').")
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        raise report(from_validation(error, Manifest), Origin(name, {})) from error
    if digest(to_json(manifest.scenario)) != manifest.digest:
        raise refusal(name, "the scenario inside was changed: its digest does not fit.")
    run = manifest.scenario.get("run")
    if not isinstance(run, dict) or run.get("seed") != manifest.seed:
        raise refusal(name, f"its seed is {manifest.seed}, but that of the scenario inside is another one.")
    return manifest


def from_manifest(manifest: Manifest, manager: Manager, name: str = "manifest") -> Experiment:
    """Return the experiment that a manifest describes; `name` is that of its file, for messages.

    Raises
    ------
    ConfigError
        If its scenario cannot be used here.
    PluginError
        If a plugin that the run used is not installed.
    """
    here = manager.versions()
    absent = [f"{plugin} {number}" for plugin, number in manifest.plugins.items() if plugin not in here]
    if absent:
        raise PluginError(f"{name}  the run used plugins that are not installed here: {', '.join(absent)}.")
    return Experiment(from_data(manifest.scenario, manager, origin=Origin(name, {})), manager)


def prepare(folder: Path) -> None:
    """Make a folder for results, so that a long run does not end without one.

    Raises
    ------
    ConfigError
        If it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise refusal(f"--out {folder}", f"cannot be written: {error.strerror}.") from error


def write(folder: Path, result: Result, manifest: dict[str, Any], plugins: Iterable[Path] = ()) -> tuple[Path, Path]:
    """Write ``summary.json`` and ``manifest.json`` into a folder, which is made if need be.

    The files of inline plugins are copied to their side, so that a replay finds them there.

    Raises
    ------
    ConfigError
        If the folder cannot be written.
    """
    prepare(folder)
    paths = (folder / "summary.json", folder / "manifest.json")
    for path, data in zip(paths, (result.summary(), manifest), strict=True):
        path.write_text(to_json(data), encoding="utf-8", newline="\n")
    for plugin in plugins:
        if (folder / plugin.name).resolve() != plugin.resolve():
            (folder / plugin.name).write_bytes(plugin.read_bytes())
    return paths
