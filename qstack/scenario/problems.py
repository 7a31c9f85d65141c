"""Errors that help: file, line, key, value, what is allowed, and the nearest right spelling."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import NestedErrors, NotOffered
from qstack.plugin.offers import UnknownKey
from qstack.plugin.spelling import nearest

Loc = tuple[str | int, ...]
WIDTH = 120
"""Longest line of a list of names."""

WIDEST = 160
"""Longer hints, such as those that list every key of a data sheet, are folded."""

KEPT = "\N{NO-BREAK SPACE}"
"""A space at which no line is broken."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    loc
        Keys and list positions that lead to it; empty for the whole file.
    message
        What is wrong, as a sentence.
    hints
        Further lines: what is installed, what to do.
    origin
        Where the place is, if that is another file than the scenario.
    """

    loc: Loc
    message: str
    hints: tuple[str, ...] = ()
    origin: Origin | None = None

    @property
    def key(self) -> str:
        """The place as a user would write it: ``flows.0.from``."""
        return ".".join(str(part) for part in self.loc)


class Origin:
    """Where the parts of a scenario come from.

    Parameters
    ----------
    name
        File name as the user wrote it.
    lines
        Line by place; a place that is not there takes that of its nearest parent.
    overrides
        Text of the option, by place, for values that came from the command line.
    """

    def __init__(self, name: str, lines: Mapping[Loc, int], overrides: Mapping[Loc, str] | None = None) -> None:
        self.name = name
        self.lines = lines
        self.overrides = overrides or {}

    def where(self, loc: Loc) -> tuple[str, int]:
        """Return file and line of a place, or the option that set it and 0."""
        for length in range(len(loc), -1, -1):
            if loc[:length] in self.overrides and length:
                return self.overrides[loc[:length]], 0
            if loc[:length] in self.lines:
                return self.name, self.lines[loc[:length]]
        return self.name, 0


class AtKey(ValueError):
    """What is wrong with one key of a mapping, noticed when the whole mapping is known."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class Faulty(Exception):
    """Carries problems to where all of them are reported."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


def report(problems: Sequence[Problem], origin: Origin) -> ConfigError:
    """Return the error that tells a user of all problems at once, in the order of their places."""
    placed = sorted(((problem.origin or origin).where(problem.loc), number) for number, problem in enumerate(problems))
    texts = [f"{name}:{line}" if line else name for (name, line), _ in placed]
    width = max(len(text) for text in texts) + 1
    lines = []
    for text, (_, number) in zip(texts, placed, strict=True):
        problem = problems[number]
        key = f"{problem.key}  " if problem.loc else ""
        gap = "" if key else " "
        lines.append(f"{text:<{width}}{gap}{key}{problem.message}")
        for hint in problem.hints:
            lines.extend(f"{'':<{width}}{part}" for part in folded(hint))
    lines.append(f"{len(problems)} error{'s' if len(problems) > 1 else ''}; nothing was run.")
    return ConfigError("\n".join(lines))


def folded(hint: str) -> list[str]:
    """Break a long hint into lines, never within the spelling that it proposes."""
    whole = re.sub(r"Did you mean '[^']*'\?", lambda asked: asked[0].replace(" ", KEPT), hint)
    lines = textwrap.wrap(whole, WIDEST, break_long_words=False, break_on_hyphens=False)
    return [line.replace(KEPT, " ") for line in lines]


def refusal(place: str, message: str) -> ConfigError:
    """Return the error of a whole file or option: one place, one sentence."""
    return report([Problem((), message)], Origin(place, {}))


def from_validation(
    error: ValidationError, model: type[BaseModel], prefix: Loc = (), chooser: str = ""
) -> list[Problem]:
    """Turn pydantic's findings into problems.

    Parameters
    ----------
    error
        What pydantic found.
    model
        The model that was validated, to name the keys that are allowed.
    prefix
        Place of the model.
    chooser
        Key beside the model's own that named it.
    """
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        loc = _written(item["loc"])
        cause = item.get("ctx", {}).get("error")
        if item["type"] == "too_short" and item["input"]:
            continue  # entries that are wrong themselves do not count for pydantic
        if isinstance(cause, NestedErrors):
            problems += from_validation(cause.error, cause.model, (*prefix, *loc), cause.chooser)
        elif isinstance(cause, UnknownKey):
            problems.append(_unknown_key((*prefix, *loc, cause.key), cause.allowed))
        elif isinstance(cause, AtKey):
            problems.append(Problem((*prefix, *loc, cause.key), str(cause)))
        else:
            allowed = [*_keys(model, loc[:-1]), *([chooser] if chooser and len(loc) == 1 else [])]
            problems.append(_problem(item, cause, (*prefix, *loc), sorted(allowed)))
    return problems


def _unknown_key(place: Loc, allowed: list[str]) -> Problem:
    hint = f"Allowed: {', '.join(allowed) or 'none'}.{nearest(str(place[-1]), allowed)}"
    return Problem(place, "is not a key here.", (hint,))


def _written(loc: Loc) -> Loc:
    """Drop what pydantic adds to a place to name a validator; a last part is the user's, unless it says that a key is meant."""
    if loc[-1:] == ("[key]",):
        loc = loc[:-1]
    return tuple(part for i, part in enumerate(loc) if i == len(loc) - 1 or not (isinstance(part, str) and "[" in part))


def _problem(item: Any, cause: object, place: Loc, allowed: list[str]) -> Problem:
    value = item["input"]
    kind = item["type"]
    if isinstance(cause, NotOffered):
        installed = textwrap.wrap(f"Installed: {', '.join(cause.offered) or 'none'}.", WIDTH, break_on_hyphens=False)
        installed[-1] += nearest(cause.name, cause.offered)
        place = (*place, cause.key) if cause.key else place
        return Problem(place, f"{quoted(cause.name)} is not {cause.what}.", tuple(installed))
    if kind == "extra_forbidden":
        return _unknown_key(place, allowed)
    if kind == "missing":
        return Problem(place, "is missing.")
    if kind == "value_error":
        sentence = str(cause)
        if isinstance(value, Mapping):  # what is wrong with a whole mapping: by the key that the sentence is about
            place, sentence = _blamed(place, value, sentence)
        return Problem(
            place, sentence if sentence.startswith(_shown(value)[:-2] or " ") else f"{_shown(value)}{sentence}"
        )
    if kind == "literal_error":
        words = [word.strip("' ") for word in item["ctx"]["expected"].replace(" or ", ",").split(",")]
        return Problem(place, f"{_shown(value)}is not one of: {', '.join(words)}.{nearest(str(value), words)}")
    sentence = _SENTENCES.get(kind, "{msg}.").format(msg=item["msg"], **item.get("ctx", {}))
    return Problem(place, f"{_shown(value) or _NOUNS.get(type(value), '')}{sentence}")


def _blamed(place: Loc, value: Mapping[str, Any], sentence: str) -> tuple[Loc, str]:
    """Return the key that a sentence begins with, or names as the list in which it is, with its value; else the mapping."""
    about = re.match(r"(\w+)(: )?|", sentence)
    inside = re.match(r"'[^']*' (?:in '(\w+)'|has two (origin)s)", sentence)
    key = str((inside[1] or "origins") if inside else about and about[1])
    if key not in value:
        return place, sentence
    if about and about[2]:
        sentence = f"{_shown(value[key]) or quoted(str(value[key])) + ': '}{sentence.removeprefix(f'{key}: ')}"
    return (*place, key), sentence


_NOUNS: Mapping[type, str] = {list: "a list: ", dict: "a mapping: "}


def _shown(value: object) -> str:
    """Return a scalar as it might stand in the file, with a colon."""
    if value is None or isinstance(value, bool):
        return f"{json.dumps(value)}: "
    return f"{quoted(str(value))}: " if isinstance(value, (str, int, float)) else ""


def quoted(text: str, most: int = 60) -> str:
    """Return a text in quotes, on one line and not too long."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    return f"'{line}'" if len(line) <= most else f"'{line[:most]}...'"


_SENTENCES = {
    "int_type": "expected an integer.",
    "int_parsing": "expected an integer.",
    "int_from_float": "expected an integer.",
    "float_type": "expected a number.",
    "float_parsing": "expected a number.",
    "finite_number": "expected a finite number.",
    "string_type": "expected text.",
    "string_pattern_mismatch": "must match the pattern {pattern}.",
    "string_too_short": "must not be empty.",
    "string_too_long": "must not be longer than {max_length} characters.",
    "int_parsing_size": "is too large.",
    "bool_type": "expected true or false.",
    "bool_parsing": "expected true or false.",
    "list_type": "expected a list.",
    "tuple_type": "expected a list.",
    "dict_type": "expected a mapping.",
    "model_type": "expected a mapping.",
    "mapping_type": "expected a mapping.",
    "model_attributes_type": "expected a mapping.",
    "too_short": "needs at least {min_length}.",
    "greater_than": "must be greater than {gt}.",
    "greater_than_equal": "must be at least {ge}.",
    "less_than": "must be less than {lt}.",
    "less_than_equal": "must be at most {le}.",
}


def _keys(model: type[BaseModel], loc: Loc) -> Iterable[str]:
    """Return the keys that are allowed at a place below a model."""
    for part in loc:
        if isinstance(part, int):
            continue
        field = next((f for name, f in model.model_fields.items() if part in {name, f.alias}), None)
        inner = _model(field.annotation) if field else None
        if inner is None:
            return ()
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as ``tuple[Flow, ...]`` or ``Run | None``."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for arg in get_args(annotation) if (found := _model(arg)) is not None), None)
