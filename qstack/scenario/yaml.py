"""YAML with line numbers, and the options that change single values."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from qstack.core.errors import ConfigError
from qstack.scenario.problems import Loc, Origin, Problem, report


def read(text: str, name: str) -> tuple[Any, Origin]:
    """Return plain data and where each part of it stands.

    Parameters
    ----------
    text
        YAML 1.2, of which JSON is a part.
    name
        File name for messages.

    Raises
    ------
    ConfigError
        If it is not YAML, or empty.
    """
    yaml = YAML(typ="rt")
    try:
        tree = yaml.load(StringIO(text))
    except MarkedYAMLError as error:
        raise _broken(error, name) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}  is not YAML: {_first_line(error)}\n1 error; nothing was run.") from error
    if tree is None:
        raise ConfigError(f"{name}  is empty; `qstack schema` prints what it may hold.\n1 error; nothing was run.")
    lines: dict[Loc, int] = {(): 1}
    return _plain(tree, (), lines, frozenset()), Origin(name, lines)


def _broken(error: MarkedYAMLError, name: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    what = str(error.problem or error.context or "cannot be read")
    if isinstance(error, DuplicateKeyError):
        what = what.split(" with value", maxsplit=1)[0]
    line = f":{mark.line + 1}" if mark else ""
    return ConfigError(f"{name}{line}  broken YAML: {what}.\n1 error; nothing was run.")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _plain(tree: Any, loc: Loc, lines: dict[Loc, int], above: frozenset[int]) -> Any:
    """Strip what ruamel adds, noting the line of every key and list entry."""
    if isinstance(tree, (CommentedMap, CommentedSeq)):
        if id(tree) in above:
            raise ConfigError("broken YAML: an alias contains itself.\n1 error; nothing was run.")
        above |= {id(tree)}
    if isinstance(tree, CommentedMap):
        plain: dict[Any, Any] = {}
        for key, value in tree.items():
            name = key if isinstance(key, str) else str(key)
            place = (*loc, name)
            if key in tree.lc.data:
                lines[place] = tree.lc.key(key)[0] + 1
            plain[name] = _plain(value, place, lines, above)
        return plain
    if isinstance(tree, CommentedSeq):
        items = []
        for index, value in enumerate(tree):
            place = (*loc, index)
            lines[place] = tree.lc.item(index)[0] + 1
            items.append(_plain(value, place, lines, above))
        return items
    for kind in (bool, int, float, str):
        if isinstance(tree, kind):
            return kind(tree)
    return tree if tree is None else str(tree)


def override(data: Any, origin: Origin, settings: Iterable[str]) -> tuple[Any, Origin]:
    """Return the data with single values changed.

    Parameters
    ----------
    data
        Plain data as `read` gives it; it is changed in place.
    settings
        ``KEY=VALUE``; KEY is a path of keys, list positions or, in a list, the ``name`` of an entry; VALUE is YAML.

    Raises
    ------
    ConfigError
        If a setting has no ``=`` or its path leads nowhere.
    """
    overrides = dict(origin.overrides)
    for setting in settings:
        key, equals, text = setting.partition("=")
        option = f"--set {setting}"
        if not equals or not key:
            raise report([Problem((), "expected KEY=VALUE, such as run.seed=7.")], Origin(option, {}))
        value = YAML(typ="safe", pure=True).load(StringIO(text)) if text else ""
        loc = _set(data, key.split("."), value, option)
        overrides[loc] = option
    return data, Origin(origin.name, origin.lines, overrides)


def _set(data: Any, path: list[str], value: Any, option: str) -> Loc:
    loc: list[str | int] = []
    here: Any = data
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        step: str | int = part
        if isinstance(here, list):
            names = {entry.get("name", entry.get("id")): i for i, entry in enumerate(here) if isinstance(entry, dict)}
            found = int(part) if part.isdigit() else names.get(part)
            if found is None or found >= len(here):
                allowed = ", ".join(str(name) for name in names if name) or f"0 to {len(here) - 1}"
                raise report([Problem((), f"'{part}' is not an entry here; allowed: {allowed}.")], Origin(option, {}))
            step = found
        elif not isinstance(here, dict):
            raise report([Problem((), f"'{'.'.join(path[:depth])}' holds no keys.")], Origin(option, {}))
        loc.append(step)
        if last:
            here[step] = value
            break
        inner = here[step] if isinstance(here, list) else here.get(step)
        if isinstance(inner, str):  # a name stands for a mapping that chooses it
            inner = {"like" if "hardware" in path[: depth + 1] else "use": inner}
        elif inner is None:
            inner = {}
        here[step] = inner
        here = inner
    return tuple(loc)


__all__ = ["override", "read"]
