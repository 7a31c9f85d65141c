"""YAML with line numbers."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from qstack.core.errors import ConfigError
from qstack.scenario.problems import Loc, Origin, refusal

MOST_NESTED = 200
"""More brackets inside each other are no scenario, and reading them takes time with their square."""
MOST_VALUES = 500_000
"""Aliases may not blow a file up to more values than this."""


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
    data, origin = _read(text, name)
    if data is None:
        raise refusal(name, "is empty; `qstack schema` prints what it may hold.")
    return data, origin


def value(text: str, name: str) -> Any:
    """Return the value that an option's text stands for; nothing is the empty text.

    Raises
    ------
    ConfigError
        If it is not YAML.
    """
    return _read(text, name)[0] if text.strip() else ""


def _read(text: str, name: str) -> tuple[Any, Origin]:
    if _nested(text) > MOST_NESTED:
        raise refusal(name, "broken YAML: nested too deeply.")
    try:
        aliases = "*" in text and "&" in text
        if aliases and _size(YAML(typ="rt").compose(StringIO(text)), name, set(), {}) > MOST_VALUES:
            raise refusal(name, f"holds more than {MOST_VALUES} values.")
        tree = YAML(typ="rt").load(StringIO(text))
        reader = _Reader(name)
        return reader.plain(tree, ()), Origin(name, reader.lines)
    except MarkedYAMLError as error:
        raise _broken(error, name) from error
    except RecursionError as error:
        raise refusal(name, "broken YAML: nested too deeply.") from error
    except (
        YAMLError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        IndexError,
    ) as error:  # ruamel lets these through
        raise refusal(name, f"broken YAML: {_first_line(error)}.") from error


def _nested(text: str) -> int:
    """Return how many brackets stand inside each other."""
    depth = deepest = 0
    for mark in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if mark in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _broken(error: MarkedYAMLError, name: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    what = str(error.problem or error.context or "cannot be read")
    if isinstance(error, DuplicateKeyError):
        what = what.split(" with value", maxsplit=1)[0] + ": it stands there twice"
    elif "'\\t'" in what:
        what += ": indent with spaces"
    return refusal(f"{name}:{mark.line + 1}" if mark else name, f"broken YAML: {what}.")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _size(node: Any, name: str, above: set[int], known: dict[int, int]) -> int:
    """Return how many values a node holds when every alias is written out; refuse an alias inside its own anchor.

    What an anchor names is counted once, so that few lines cannot take long.
    """
    if node is None or not isinstance(node.value, list):
        return 1
    if id(node) in above:  # ruamel would read it as nothing
        raise refusal(f"{name}:{node.start_mark.line + 1}", "broken YAML: what this anchor names contains itself.")
    if id(node) not in known:
        above.add(id(node))
        parts = (inner for part in node.value for inner in (part if isinstance(part, tuple) else (part,)))
        known[id(node)] = 1 + sum(_size(inner, name, above, known) for inner in parts)
        above.discard(id(node))
    return known[id(node)]


class _Reader:
    """Strips what ruamel adds, noting the line of every key and list entry."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[Loc, int] = {(): 1}

    def plain(self, tree: Any, loc: Loc) -> Any:
        """Return a part as plain data."""
        if isinstance(tree, CommentedSeq):
            return [self._entry((*loc, i), tree.lc.item(i), part) for i, part in enumerate(tree)]
        if not isinstance(tree, CommentedMap):
            return _scalar(tree)
        marks = tree.lc.data or {}
        return {str(key): self._entry((*loc, str(key)), marks.get(key), part) for key, part in tree.items()}

    def _entry(self, loc: Loc, mark: Any, part: Any) -> Any:
        if mark is not None:
            self.lines[loc] = mark[0] + 1
        return self.plain(part, loc)


def _scalar(tree: Any) -> Any:
    """Return a value without the marks of how it was written; what is no JSON becomes text."""
    for kind in (bool, int, float, str):
        if isinstance(tree, kind):
            return kind(tree)
    return tree if tree is None else str(tree)


__all__ = ["read", "value"]
