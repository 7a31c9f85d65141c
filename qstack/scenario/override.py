"""The options that change single values of a scenario: ``--set KEY=VALUE``, ``--seed``, ``--until``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from qstack.plugin.spelling import nearest
from qstack.scenario.problems import Loc, Origin, quoted, refusal
from qstack.scenario.yaml import value


@dataclass(frozen=True, slots=True)
class Setting:
    """One change.

    Parameters
    ----------
    key
        Path of keys, list positions or, in a list, the ``name``, ``id`` or ``node`` of an entry, joined by dots.
    value
        Plain data.
    option
        What the user wrote, for messages.
    """

    key: str
    value: Any
    option: str


class _Typed(float):
    """A number that messages repeat as it was typed."""

    text: str

    def __str__(self) -> str:
        return self.text


def _as_typed(found: Any, text: str) -> Any:
    """Return a number that remembers its spelling; anything else stays what it is."""
    if type(found) is not float:
        return found
    typed = _Typed(found)
    typed.text = text.strip()
    return typed


def parse(text: str) -> Setting:
    """Read ``KEY=VALUE``; VALUE is YAML.

    Raises
    ------
    ConfigError
        If there is no ``=``, no key, or VALUE is not YAML.
    """
    option = f"--set {text}"
    key, equals, right = text.partition("=")
    if not equals or not all(key.split(".")):
        raise refusal(option, "expected KEY=VALUE, such as run.seed=7 or flows.key.number=100.")
    return Setting(key, _as_typed(value(right, option), right), option)


def override(data: Any, origin: Origin, settings: Iterable[Setting]) -> Origin:
    """Change single values of plain data in place, and return where its parts come from now.

    Raises
    ------
    ConfigError
        If a path leads nowhere.
    """
    overrides = dict(origin.overrides)
    for setting in settings:
        overrides[_set(data, setting)] = setting.option
    return Origin(origin.name, origin.lines, overrides)


def _set(data: Any, setting: Setting) -> Loc:
    path = setting.key.split(".")
    loc: list[str | int] = []
    here = data
    for depth, part in enumerate(path):
        if not isinstance(here, (dict, list)):
            raise refusal(setting.option, f"'{'.'.join(path[:depth]) or 'the scenario'}' holds no keys.")
        step: Any = _position(here, part, setting) if isinstance(here, list) else part
        loc.append(step)
        if depth == len(path) - 1:
            here[step] = setting.value
        else:
            here[step] = _opened(here.get(step) if isinstance(here, dict) else here[step], path[: depth + 1])
            here = here[step]
    return tuple(loc)


def _opened(inner: Any, path: list[str]) -> Any:
    """Return a part whose keys can be set: a name stands for the mapping that chooses it."""
    if isinstance(inner, str):
        return {"like" if "hardware" in path else "use": inner}
    return {} if inner is None else inner


def _position(entries: list[Any], part: str, setting: Setting) -> int:
    names: dict[str, int] = {}
    for i, entry in enumerate(entries):
        names.setdefault(_name(entry), i)
    names.pop("", None)
    if part in names:
        return names[part]
    if part.isdecimal() and len(part) < 10 and int(part) < len(entries):
        return int(part)
    allowed = ", ".join(list(names)[:8]) or (f"0 to {len(entries) - 1}" if entries else "none, the list is empty")
    raise refusal(setting.option, f"{quoted(part)} is not an entry here; allowed: {allowed}.{nearest(part, names)}")


def _name(entry: Any) -> str:
    """Return what an entry of a list may be called by."""
    if isinstance(entry, dict):
        entry = next((entry[key] for key in ("name", "id", "node") if key in entry), "")
    return entry if isinstance(entry, str) else ""


__all__ = ["Setting", "override", "parse"]
