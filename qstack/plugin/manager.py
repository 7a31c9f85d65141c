"""The plugin manager: asks every hook once, flattens the answers, and names the culprit when something does not fit."""

from __future__ import annotations

import inspect
import reprlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy
from pydantic import BaseModel

from qstack.core.errors import ConfigError, PluginError, QstackError
from qstack.plugin import hooks
from qstack.plugin.contracts import HardwareModel, Platform, Selection, Sheet
from qstack.plugin.discovery import GROUP, INLINE, Plugin, files_of, inline, installed
from qstack.plugin.kinds import KINDS, LEVELS, MODEL, Kind, WrongThing
from qstack.plugin.spelling import nearest
from qstack.plugin.trouble import told

__all__ = ["GROUP", "HOOKS", "INLINE", "KINDS", "LEVELS", "Found", "Kind", "Manager", "Plugin", "load"]

REFERENCE = "qstack-reference"
"""Distribution of the built-in parts."""

HOOKS: Mapping[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(function).parameters)
    for name, function in vars(hooks).items()
    if hasattr(function, f"{hooks.PROJECT}_spec")
}
"""Every hook, and what it is called with."""

OBSERVERS = tuple(name for name, parameters in HOOKS.items() if parameters)

LATE = frozenset({"commands"})
"""Kinds of which the built-in ones are loaded when they are wanted: a script needs no command line."""


@dataclass(frozen=True, slots=True)
class Found:
    """One named thing and who offers it."""

    name: str
    thing: Any
    plugin: Plugin


@dataclass(frozen=True, slots=True)
class Implementation:
    """A plugin's function for one hook, and the arguments that it wants."""

    plugin: Plugin
    function: Callable[..., Any]
    wants: tuple[str, ...]


class Platforms(Mapping[str, Platform]):
    """Platforms by name; it raises PluginError, naming the plugin, where a data sheet cannot be read."""

    def __init__(self, found: Mapping[str, Found]) -> None:
        self._found = found

    def __getitem__(self, name: str) -> Platform:
        """Return a platform."""
        found = self._found[name]
        if not isinstance(found.thing, Sheet):
            platform: Platform = found.thing
            return platform
        try:
            return found.thing.platform
        except Exception as error:
            raise PluginError(f"{found.plugin}: {told(error)}") from error

    def __contains__(self, name: object) -> bool:
        """Tell whether there is such a platform, without reading it."""
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._found)

    def __len__(self) -> int:
        """Return how many platforms there are."""
        return len(self._found)


class _Asked(dict[str, dict[tuple[str, str], Found]]):
    """What was found of every kind; a kind that nobody has asked for yet is asked for when it is wanted."""

    def __init__(self, ask: Callable[[Kind], dict[tuple[str, str], Found]]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, name: str) -> dict[tuple[str, str], Found]:
        """Ask."""
        self[name] = found = self._ask(KINDS[name])
        return found


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
        self.plugins = sorted(plugins, key=lambda plugin: (plugin.distribution, plugin.version))
        self._implementations: dict[str, list[Implementation]] = {hook: [] for hook in HOOKS}
        known: set[str] = set()
        for plugin in self.plugins:
            if plugin.distribution in known:
                raise PluginError(f"there are two plugins named '{plugin.distribution}'.")
            known.add(plugin.distribution)
            _check_version(plugin)
            for hook, implementation in _implementations(plugin):
                self._implementations[hook].append(implementation)
        self.found: dict[str, dict[tuple[str, str], Found]] = _Asked(self._ask)
        for name, kind in KINDS.items():
            offering = {one.plugin.distribution for one in self._implementations[kind.hook]}
            if name not in LATE or offering - {REFERENCE}:
                self.found[name] = self._ask(kind)

    def _ask(self, kind: Kind) -> dict[tuple[str, str], Found]:
        """Ask one hook of every plugin; keys are (level, name)."""
        found: dict[tuple[str, str], Found] = {}
        for implementation in self._implementations[kind.hook]:
            plugin = implementation.plugin
            for thing in _answer(implementation, kind):
                try:
                    key = kind.place(thing)
                except WrongThing as wrong:
                    raise PluginError(
                        f"{plugin}: {kind.hook} answered {reprlib.repr(thing)}, which is not {kind.noun}: {wrong}."
                    ) from wrong
                if key in found:
                    raise _twice(kind, key, found[key].plugin, plugin)
                found[key] = Found(key[1], thing, plugin)
        return dict(sorted(found.items()))

    def offers(self, kind: str, level: str = "") -> dict[str, Any]:
        """Return everything of a kind by name (of a level: layers only)."""
        return {name: f.thing for (at, name), f in self.found[kind].items() if at == level}

    def source(self, kind: str, name: str, level: str = "") -> str:
        """Return who offers a thing, in words."""
        return str(self.found[kind][level, name].plugin)

    @cached_property
    def models(self) -> dict[str, type[HardwareModel]]:
        """Hardware model classes by kind."""
        return self.offers("hardware", MODEL)

    @cached_property
    def platforms(self) -> Mapping[str, Platform]:
        """Platforms by name; the data sheet of one is read when it is asked for."""
        return Platforms({name: found for (level, name), found in self.found["hardware"].items() if not level})

    def observers(self, name: str) -> Callable[..., None]:
        """Return what tells all observers of a hook, in the order of their plugins' names.

        It raises PluginError if one of them fails.
        """

        def tell(**given: Any) -> None:
            for implementation in self._implementations[name]:
                try:
                    implementation.function(**{want: given[want] for want in implementation.wants})
                except QstackError:
                    raise
                except Exception as error:
                    raise PluginError(f"{implementation.plugin}: {name} failed: {told(error)}") from error

        return tell

    def sink(self, path: Path) -> Any:
        """Return the trace sink for a file, chosen by the ending of its name.

        Raises
        ------
        ConfigError
            If nobody offers a sink for such files.
        PluginError
            If the sink cannot be made.
        """
        ending = path.suffix.removeprefix(".").lower()
        offers = self.offers("sinks")
        if ending not in offers:
            allowed = ", ".join(f".{name}" for name in offers)
            raise ConfigError(f"{path}: no trace can be written to such a file; allowed endings: {allowed or 'none'}.")
        return Selection(offers[ending], offers[ending].options(), self.source("sinks", ending), "sinks").make(
            path=path
        )

    def versions(self) -> dict[str, str]:
        """Return every plugin's version by distribution."""
        return {plugin.distribution: plugin.version for plugin in self.plugins}

    def differences(self, recorded: Mapping[str, str]) -> list[str]:
        """Return how the plugins differ from those of a recorded run, one clause each; empty if they are the same.

        Parameters
        ----------
        recorded
            As `versions` gave it then.
        """
        here = self.versions()
        return [
            f"{name} {recorded.get(name, 'absent')} then, {here.get(name, 'absent')} now"
            for name in sorted(recorded.keys() | here.keys())
            if recorded.get(name) != here.get(name)
        ]

    def blame(self, error: BaseException) -> PluginError | None:
        """Return the error that names the plugin from whose code an exception came, or None if it came from qstack."""
        homes = {plugin: _homes(plugin) for plugin in self.plugins if plugin.distribution != REFERENCE}
        for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
            file = Path(frame.f_code.co_filename)
            for plugin, places in homes.items():
                if any(file == home or home in file.parents for home in places):
                    return PluginError(f"{plugin} failed: {told(error)}")
        return None

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """Turn what the code of a plugin raises inside this context into a PluginError that names the plugin."""
        try:
            yield
        except QstackError:
            raise
        except Exception as error:
            culprit = self.blame(error)
            if culprit is None:
                raise
            raise culprit from error

    def files(self) -> list[Path]:
        """Return the files of inline plugins: what a run needs beside its scenario."""
        return [file for plugin in self.plugins if plugin.distribution == INLINE for file in files_of(plugin.module)]


def _homes(plugin: Plugin) -> list[Path]:
    """Return the folder of a plugin's package, or its files where it is none."""
    module = plugin.module
    if module.__file__ is None:
        return []
    if plugin.distribution == INLINE or not module.__package__:
        return files_of(module)
    return [Path(module.__file__).parent]


def _check_version(plugin: Plugin) -> None:
    wanted = getattr(plugin.module, "QSTACK_API", None)
    if not (isinstance(wanted, tuple) and len(wanted) == 2 and all(type(n) is int for n in wanted)):
        raise PluginError(f"{plugin} does not say which API it was written for: set QSTACK_API = {hooks.API_VERSION}.")
    major, minor = hooks.API_VERSION
    if wanted[0] != major or wanted[1] > minor:
        old = "plugin" if wanted < hooks.API_VERSION else "qstack"
        raise PluginError(
            f"{plugin} was written for plugin API {wanted[0]}.{wanted[1]}, but this qstack has {major}.{minor}: "
            f"install a newer {old}."
        )


def _implementations(plugin: Plugin) -> list[tuple[str, Implementation]]:
    """Return what a plugin implements, by hook, every function checked against the hook's signature."""
    marks = pluggy.PluginManager(hooks.PROJECT)
    found = []
    for name in sorted(vars(plugin.module)):
        function = getattr(plugin.module, name)
        options = marks.parse_hookimpl_opts(plugin.module, name)
        if options is None:
            _check_unmarked(plugin, name, function)
            continue
        hook = options.get("specname") or name
        if hook not in HOOKS:
            raise PluginError(f"{plugin} implements an unknown hook '{hook}'.{nearest(hook, HOOKS)}")
        if options.get("wrapper") or options.get("hookwrapper"):
            raise PluginError(f"{plugin}: {hook} is a wrapper; hooks are asked for what they offer, not wrapped.")
        wants = tuple(inspect.signature(function).parameters)
        for want in wants:
            if want not in HOOKS[hook]:
                given = ", ".join(HOOKS[hook]) or "nothing"
                raise PluginError(
                    f"{plugin}: {hook} wants '{want}', but is called with {given}.{nearest(want, HOOKS[hook])}"
                )
        found.append((hook, Implementation(plugin, function, wants)))
    return found


def _check_unmarked(plugin: Plugin, name: str, function: Any) -> None:
    """Refuse a function of the plugin itself that looks like a hook and would be passed over."""
    if not (name.startswith("qstack_") and inspect.isfunction(function)):
        return
    if function.__module__ != plugin.module.__name__:
        return
    if name in HOOKS:
        raise PluginError(f"{plugin} defines {name}, but does not mark it with @qstack.hookimpl.")
    raise PluginError(f"{plugin} implements an unknown hook '{name}'.{nearest(name, HOOKS)}")


def _answer(implementation: Implementation, kind: Kind) -> list[Any]:
    """Return what one plugin answers to one hook."""
    plugin = implementation.plugin
    try:
        answer = implementation.function()
        if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes, Mapping, BaseModel)):
            return list(answer)
    except Exception as error:
        raise PluginError(f"{plugin}: {kind.hook} failed: {told(error)}") from error
    raise PluginError(
        f"{plugin}: {kind.hook} answered {reprlib.repr(answer)}, not a list of things that are {kind.noun}."
    )


def _twice(kind: Kind, key: tuple[str, str], first: Plugin, second: Plugin) -> PluginError:
    what = f"'{key[1]}' is offered as {kind.called(key[0])}"
    if first is second:
        return PluginError(f"{what} twice by '{first.distribution}'.")
    return PluginError(f"{what} by both '{first.distribution}' and '{second.distribution}'.")


def load(builtins: ModuleType, version: str, folder: Path | None = None) -> Manager:
    """Return a manager with the built-in parts, all installed plugins and the inline plugin of a folder.

    Raises
    ------
    PluginError
        If one of them does not fit; the message names it.
    """
    plugins = [Plugin(REFERENCE, version, builtins), *installed()]
    return Manager([*plugins, *([] if folder is None else inline(folder))])
