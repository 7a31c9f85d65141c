"""The plugin manager: asks every hook once, flattens the answers, and names the culprit when something does not fit."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pluggy

from qstack.core.errors import PluginError
from qstack.plugin import hooks
from qstack.plugin.contracts import HardwareModel, Offer, Platform
from qstack.plugin.spelling import nearest

GROUP = "qstack"
INLINE = "qstackfile.py"
LEVELS = ("physical", "link", "network", "transport", "application")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a hook may answer with, and what its things are called in messages."""

    hook: str
    types: tuple[type, ...]
    noun: str


KINDS: Mapping[str, Kind] = {
    name: Kind(f"qstack_{name}", types, noun)
    for name, types, noun in [
        ("hardware", (type, Platform), "hardware"),
        ("media", (Offer,), "a link medium"),
        ("tiers", (Offer,), "a tier"),
        ("drivers", (Offer,), "a driver"),
        ("layers", (Offer,), "a layer"),
        ("schedulers", (Offer,), "a scheduler"),
        ("swap_policies", (Offer,), "a swap policy"),
        ("cutoffs", (Offer,), "a cutoff policy"),
        ("routers", (Offer,), "a router"),
        ("distillation", (Offer,), "a distillation scheme"),
        ("codes", (Offer,), "a quantum code"),
        ("reconciliation", (Offer,), "a reconciliation scheme"),
        ("channels", (Offer,), "a classical channel"),
        ("adapters", (Offer,), "an adapter"),
        ("applications", (Offer,), "an application"),
        ("eavesdroppers", (Offer,), "an eavesdropper"),
        ("sinks", (Offer,), "a trace sink"),
        ("commands", (click.Command,), "a command"),
        ("specs", (Path,), "a directory of requirements"),
    ]
}
OBSERVERS = ("qstack_run_started", "qstack_run_finished")
HOOKS = frozenset({kind.hook for kind in KINDS.values()} | set(OBSERVERS))


@dataclass(frozen=True, slots=True)
class Plugin:
    """Where offers come from: a distribution (or a file), its version, and its module."""

    distribution: str
    version: str
    module: ModuleType = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Found:
    """One named thing and who offers it."""

    name: str
    thing: Any
    plugin: Plugin


class Manager:
    """All plugins of one process.

    Parameters
    ----------
    plugins
        In any order; results never depend on it.

    Raises
    ------
    PluginError
        If a plugin was written for another API version, implements a hook that does not exist, answers with
        something that the hook does not take, or offers a name that another one offers too.
    """

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.plugins = sorted(plugins, key=lambda plugin: plugin.distribution)
        self._pluggy = pluggy.PluginManager(hooks.PROJECT)
        self._pluggy.add_hookspecs(hooks)
        for plugin in self.plugins:
            self._register(plugin)
        self.found = {name: self._ask(name, kind) for name, kind in KINDS.items()}

    def _register(self, plugin: Plugin) -> None:
        who = f"plugin '{plugin.distribution}' {plugin.version}"
        wanted = getattr(plugin.module, "QSTACK_API", None)
        if not (isinstance(wanted, tuple) and len(wanted) == 2 and all(isinstance(n, int) for n in wanted)):
            raise PluginError(f"{who} does not say which API it was written for: set QSTACK_API = {hooks.API_VERSION}.")
        if wanted[0] != hooks.API_VERSION[0] or wanted[1] > hooks.API_VERSION[1]:
            raise PluginError(
                f"{who} was written for plugin API {wanted[0]}.{wanted[1]}, but this qstack has "
                f"{hooks.API_VERSION[0]}.{hooks.API_VERSION[1]}: install a version of one that fits the other."
            )
        implemented = [name for name in dir(plugin.module) if name.startswith("qstack_")]
        for name in implemented:
            if name not in HOOKS and callable(getattr(plugin.module, name)):
                hint = nearest(name, HOOKS)
                raise PluginError(f"{who} implements an unknown hook '{name}'.{hint}")
        try:
            self._pluggy.register(plugin.module, name=plugin.distribution)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"{who}: {str(error).splitlines()[-1].strip()}") from error

    def _ask(self, name: str, kind: Kind) -> dict[tuple[str, str], Found]:
        """Ask one hook of every plugin; keys are (level, name)."""
        found: dict[tuple[str, str], Found] = {}
        hook = getattr(self._pluggy.hook, kind.hook)
        implementations = {impl.plugin_name: impl.function for impl in hook.get_hookimpls()}
        for plugin in self.plugins:
            function = implementations.get(plugin.distribution)
            if function is None:
                continue
            who = f"plugin '{plugin.distribution}' {plugin.version}"
            try:
                things = list(function())
            except Exception as error:
                raise PluginError(f"{who}: {kind.hook} failed: {type(error).__name__}: {error}") from error
            for thing in things:
                if not isinstance(thing, kind.types):
                    raise PluginError(f"{who}: {kind.hook} answered {thing!r}, which is not {kind.noun}.")
                key = (_level(thing, who), _name(thing))
                if key in found:
                    other = found[key].plugin.distribution
                    raise PluginError(
                        f"'{key[1]}' is offered as {kind.noun} by both '{other}' and '{plugin.distribution}'."
                    )
                found[key] = Found(key[1], thing, plugin)
        return dict(sorted(found.items()))

    def offers(self, kind: str, level: str = "") -> dict[str, Any]:
        """Return everything of a kind by name (of a level: layers only)."""
        return {name: f.thing for (at, name), f in self.found[kind].items() if at == level}

    @cached_property
    def models(self) -> dict[str, type[HardwareModel]]:
        """Hardware model classes by kind."""
        return {name: found.thing for (at, name), found in self.found["hardware"].items() if at == "model"}

    @cached_property
    def platforms(self) -> dict[str, Platform]:
        """Named data sheets."""
        return self.offers("hardware")

    def observers(self, name: str) -> Any:
        """Return the hook caller of an observer."""
        return getattr(self._pluggy.hook, name)

    def versions(self) -> dict[str, str]:
        """Return every plugin's version by distribution."""
        return {plugin.distribution: plugin.version for plugin in self.plugins}


def _level(thing: object, who: str) -> str:
    if isinstance(thing, type):
        return "model"
    level = getattr(thing, "level", "")
    if level and level not in LEVELS:
        raise PluginError(f"{who}: '{level}' is not a level; allowed: {', '.join(LEVELS)}.")
    return str(level)


def _name(thing: Any) -> str:
    if isinstance(thing, type):
        return str(getattr(thing, "kind", thing.__name__))
    return str(getattr(thing, "name", thing))


def installed() -> list[Plugin]:
    """Return the plugins of all installed distributions.

    Raises
    ------
    PluginError
        If one cannot be imported.
    """
    plugins = []
    for entry in importlib.metadata.entry_points(group=GROUP):
        distribution = entry.dist.name if entry.dist else entry.name
        version = entry.dist.version if entry.dist else "?"
        try:
            module = entry.load()
        except Exception as error:
            raise PluginError(
                f"plugin '{distribution}' {version} cannot be imported: {type(error).__name__}: {error}"
            ) from error
        plugins.append(
            Plugin(distribution if entry.name == distribution else f"{distribution}:{entry.name}", version, module)
        )
    return plugins


def inline(folder: Path) -> list[Plugin]:
    """Return the plugin in a folder's ``qstackfile.py``, if there is one.

    Raises
    ------
    PluginError
        If the file cannot be imported.
    """
    path = folder / INLINE
    if not path.is_file():
        return []
    spec = importlib.util.spec_from_file_location(f"qstackfile_{len(sys.modules)}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise PluginError(f"{path}: {type(error).__name__}: {error}") from error
    return [Plugin(INLINE, "inline", module)]


def load(builtins: ModuleType, version: str, folder: Path | None = None) -> Manager:
    """Return a manager with the built-in parts, all installed plugins and the inline plugin of a folder."""
    plugins = [Plugin("qstack-reference", version, builtins), *installed()]
    return Manager([*plugins, *(inline(folder) if folder else [])])
