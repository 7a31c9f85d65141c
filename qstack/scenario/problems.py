"""Errors that help: file, line, key, value, what is allowed, and the nearest right spelling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import NestedErrors, NotOffered
from qstack.plugin.spelling import nearest

Loc = tuple[str | int, ...]


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
    """

    loc: Loc
    message: str
    hints: tuple[str, ...] = ()

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

    def where(self, loc: Loc) -> str:
        """Return ``file:line`` of a place, or the option that set it."""
        for length in range(len(loc), -1, -1):
            if loc[:length] in self.overrides and length:
                return self.overrides[loc[:length]]
            if loc[:length] in self.lines:
                return f"{self.name}:{self.lines[loc[:length]]}"
        return self.name


def report(problems: Sequence[Problem], origin: Origin) -> ConfigError:
    """Return the error that tells a user of all problems at once."""
    places = [origin.where(problem.loc) for problem in problems]
    width = max(len(place) for place in places) + 1
    lines = []
    for place, problem in sorted(zip(places, problems, strict=True), key=lambda pair: _order(pair[0])):
        key = f"{problem.key}  " if problem.loc else ""
        lines.append(f"{place:<{width}}{key}{problem.message}")
        lines.extend(f"{'':<{width}}{hint}" for hint in problem.hints)
    lines.append(f"{len(problems)} error{'s' if len(problems) > 1 else ''}; nothing was run.")
    return ConfigError("\n".join(lines))


def _order(place: str) -> tuple[str, int]:
    name, _, line = place.rpartition(":")
    return (name, int(line)) if line.isdigit() else (place, 0)


def from_validation(error: ValidationError, model: type[BaseModel], prefix: Loc = ()) -> list[Problem]:
    """Turn pydantic's findings into problems.

    Parameters
    ----------
    error
        What pydantic found.
    model
        The model that was validated, to name the keys that are allowed.
    prefix
        Place of the model.
    """
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        loc = tuple(part for part in item["loc"] if not (isinstance(part, str) and "[" in part))
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, NestedErrors):
            problems += from_validation(cause.error, cause.model, (*prefix, *loc))
        else:
            problems.append(_problem(item, cause, model, (*prefix, *loc), loc))
    return problems


def _problem(item: Any, cause: object, model: type[BaseModel], place: Loc, loc: Loc) -> Problem:
    value = item["input"]
    shown = f"'{value}': " if isinstance(value, (str, int, float)) else ""
    kind = item["type"]
    if isinstance(cause, NotOffered):
        installed = f"Installed: {', '.join(cause.offered) or 'none'}.{nearest(cause.name, cause.offered)}"
        return Problem(place, str(cause), (installed,))
    if kind == "extra_forbidden":
        allowed = sorted(_keys(model, loc[:-1]))
        hint = f"Allowed: {', '.join(allowed)}.{nearest(str(loc[-1]), allowed)}"
        return Problem(place, "is not a key here.", (hint,))
    if kind == "missing":
        return Problem(place, "is missing.")
    if kind == "value_error":
        return Problem(place, f"{shown}{cause}")
    if kind == "literal_error":
        allowed = [word.strip("' ") for word in item["ctx"]["expected"].replace(" or ", ",").split(",")]
        return Problem(place, f"{shown}is not one of: {', '.join(allowed)}.{nearest(str(value), allowed)}")
    return Problem(place, shown + _SENTENCES.get(kind, "{msg}.").format(msg=item["msg"], **item.get("ctx", {})))


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
    "bool_type": "expected true or false.",
    "bool_parsing": "expected true or false.",
    "list_type": "expected a list.",
    "tuple_type": "expected a list.",
    "dict_type": "expected a mapping.",
    "model_type": "expected a mapping.",
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
