"""Where plugins are found: in installed distributions, and in the ``qstackfile.py`` beside a scenario."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from qstack.core.errors import PluginError
from qstack.plugin.trouble import told

GROUP = "qstack"
"""Entry-point group of plugins."""

INLINE = "qstackfile.py"


@dataclass(frozen=True, slots=True)
class Plugin:
    """Where offers come from.

    Parameters
    ----------
    distribution
        Name of the distribution, or of the file.  A distribution with several entry points adds ``:`` and the name of
        the entry point.
    version
        Of the distribution; of a file, with what it imports from beside it, the beginning of the SHA-256 digest, so that a
        replay notices a change.
    module
        Holds the hooks.
    """

    distribution: str
    version: str
    module: ModuleType = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"plugin '{self.distribution}' {self.version}"


def installed() -> list[Plugin]:
    """Return the plugins of all installed distributions, in the order of their names.

    Raises
    ------
    PluginError
        If one cannot be imported, is not a module, or is named by two entry points.
    """
    entries = sorted(entry_points(group=GROUP), key=lambda entry: (*_distribution(entry), entry.name))
    names = [_distribution(entry)[0] for entry in entries]
    plugins: list[Plugin] = []
    owners: dict[int, str] = {}
    for entry, distribution in zip(entries, names, strict=True):
        several = names.count(distribution) > 1
        name = f"{distribution}:{entry.name}" if several else distribution
        plugin = Plugin(name, _distribution(entry)[1], _load(entry))
        other = owners.setdefault(id(plugin.module), f"'{entry.name}' of '{distribution}'")
        if other != f"'{entry.name}' of '{distribution}'":
            raise PluginError(
                f"the plugin module '{plugin.module.__name__}' is named by two entry points, {other} and "
                f"'{entry.name}' of '{distribution}': uninstall one, or remove one of the entry points."
            )
        plugins.append(plugin)
    return plugins


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist else (entry.name, "?")


def _load(entry: EntryPoint) -> ModuleType:
    who = "plugin '{}' {}".format(*_distribution(entry))
    try:
        module = entry.load()
    except (Exception, SystemExit) as error:
        raise PluginError(f"{who} cannot be imported ({entry.value}): {told(error)}") from error
    if not isinstance(module, ModuleType):
        raise PluginError(f"{who}: the entry point '{entry.name}' is {entry.value}, which is not a module.")
    return module


def inline(folder: Path) -> list[Plugin]:
    """Return the plugin in a folder's ``qstackfile.py``, if there is one.

    A long one imports modules from beside it (``from .books import Ledger``).  The file is executed once per process for
    every content: reading it again gives the same module.

    Raises
    ------
    PluginError
        If the file cannot be imported.
    """
    path = (folder / INLINE).resolve()
    if not path.is_file():
        return []
    try:
        source = path.read_bytes()
    except OSError as error:
        raise PluginError(f"{folder / INLINE} cannot be read: {error.strerror}.") from error
    name = "qstackfile_" + hashlib.sha256(str(path).encode() + b"\0" + source).hexdigest()[:16]
    module = sys.modules.get(name)
    if module is None or _digest(module) != _EXECUTED[name]:
        module = _execute(path, source, name)
    return [Plugin(INLINE, _EXECUTED[name], module)]


def files_of(module: ModuleType) -> list[Path]:
    """Return the files of an inline plugin: its own, and those of the modules that it has imported from beside it."""
    return [Path(str(one.__file__)) for one in (module, *(sys.modules[name] for name in _beside(module.__name__)))]


def _beside(name: str) -> list[str]:
    return sorted(other for other in sys.modules if other.startswith(f"{name}."))


_EXECUTED: dict[str, str] = {}
"""Digest of each inline plugin that was executed, by the name of its module."""


def _digest(module: ModuleType) -> str:
    parts = [file.read_bytes() if file.is_file() else b"" for file in files_of(module)]
    return f"sha256:{hashlib.sha256(bytes(1).join(parts)).hexdigest()[:16]}"


def _execute(path: Path, source: bytes, name: str) -> ModuleType:
    """Run a file as a module that the rest of the process can find, as pydantic and pickle do."""
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    _forget(name)
    importlib.invalidate_caches()
    sys.modules[name] = module
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102 - the user's own file, as `python FILE` would
    except (Exception, SystemExit) as error:
        _forget(name)
        raise PluginError(f"{path} cannot be imported: {told(error)}") from error
    _EXECUTED[name] = _digest(module)
    return module


def _forget(name: str) -> None:
    for known in (name, *_beside(name)):
        sys.modules.pop(known, None)
