"""Where a prediction's numbers come from: an experiment's set-up, its platform's published values, or an assumption.

Every number has a standard deviation: the published one, or a share of the value by how well it is known.  `spread` turns
these into the interval of a prediction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import hypot, isfinite
from pathlib import Path
from typing import Any

from qstack.core.errors import ConfigError

PUBLISHED = Path(__file__).parents[1] / "data" / "hardware" / "published"
DOUBT: Mapping[str, float] = {"high": 0.03, "medium": 0.1, "unverified": 0.3}
"""Standard deviation where the source gives none, as a share of the value; of a probability, of it or of its complement; of a loss, of 10 dB."""


@dataclass(frozen=True, slots=True)
class Known:
    """A number that a prediction used.

    Parameters
    ----------
    name, value, sigma
        Of the parameter; lists element by element.
    source
        "set-up", the file of the platform, or why it was assumed.
    """

    name: str
    value: float | list[float]
    sigma: float | list[float]
    source: str


class Missing(Exception):
    """A number that no source gives and nothing entitles to assume; the message is the reason."""


@dataclass
class Inputs:
    """The numbers of one experiment.

    Parameters
    ----------
    setup, platform
        Parameter to its entry, a mapping with `value`.
    file
        Name of the platform, for `Known.source`.
    shift
        Parameter to how many standard deviations it is moved.
    """

    setup: Mapping[str, Any]
    platform: Mapping[str, Any]
    file: str
    shift: Mapping[str, float] = field(default_factory=dict)
    used: dict[str, Known] = field(default_factory=dict)

    def __call__(self, *names: str) -> Any:
        """Return a number, or a list of numbers, by the first name that the set-up or else the platform has.

        Raises
        ------
        Missing
            If neither has it.
        ConfigError
            If what stands there is not a number.
        """
        for where, source in ((self.setup, "set-up"), (self.platform, self.file)):
            for name in names:
                if name in where:
                    return self._take(name, where[name], source)
        raise Missing(f"neither the set-up nor the platform says {names[0]}")

    def chosen(self, name: str) -> list[float]:
        """Return numbers that the experiment chose, without doubt about them; always a list."""
        found = self.unmoved()(name)
        values: list[float] = found if isinstance(found, list) else [found]
        self.used[name] = Known(name, values, [0.0] * len(values), "set-up")
        return values

    def unmoved(self) -> Inputs:
        """Return the same numbers as they are given, none of them moved."""
        return Inputs(self.setup, self.platform, self.file)

    def has(self, name: str) -> bool:
        """Return whether the set-up or the platform says it."""
        return name in self.setup or name in self.platform

    def given_or(self, name: str, value: float, sigma: float, why: str) -> float:
        """Return a number that is assumed, unless the set-up or the platform has it."""
        if self.has(name):
            found: float = self(name)
            return found
        self.used[name] = Known(name, value, sigma, f"assumed: {why}")
        moved = value + self.shift.get(name, 0.0) * sigma
        return min(1.0, max(0.0, moved)) if 0 <= value <= 1 else moved

    def borrowed(
        self,
        name: str,
        file: str,
        parameter: str,
        *,
        factor: float = 1.0,
        same_device: bool = False,
        doubt: float = DOUBT["unverified"],
    ) -> float:
        """Return a number that the set-up or the platform has, or else another published one, of a device of its kind.

        Of another device nobody can be surer than of an unverified value: its doubt holds unless the published one is
        larger.

        Parameters
        ----------
        name
            Of the number.
        file, parameter
            Packaged platform and its parameter.
        factor
            From what is published to the number, such as 1/2 from a full to a half angle.
        same_device
            Whether it is this very device, under another heading.
        doubt
            Standard deviation of another device's, as a share of the value.

        Raises
        ------
        Missing
            If it is not published either.
        """
        if self.has(name):
            found: float = self(name)
            return found
        entry = published(file).get(parameter)
        if entry is None:
            raise Missing(f"neither the set-up nor the platform says {name}, nor {file} {parameter}")
        value, unit = float(entry["value"]), entry.get("unit", "1")
        known = DOUBT.get(str(entry.get("confidence")), DOUBT["unverified"])
        sigma = _size(value, unit) * (known if same_device else doubt)
        if _number(entry.get("uncertainty")):
            sigma = max(sigma, float(entry["uncertainty"])) if not same_device else float(entry["uncertainty"])
        where = f"{file}: {parameter}" + ("" if same_device else ", of another set-up")
        self.used[name] = Known(name, value * factor, sigma * factor, where)
        moved = (value + self.shift.get(name, 0.0) * sigma) * factor
        return min(1.0, max(0.0, moved)) if unit == "1" and 0 <= value <= 1 else moved

    def _take(self, name: str, entry: Any, source: str) -> float | list[float]:
        if not isinstance(entry, Mapping) or "value" not in entry:
            raise ConfigError(f"{name}: expected an object with 'value'")
        value, unit = entry["value"], entry.get("unit", "1")
        values = value if isinstance(value, list) else [value]
        if not values or not all(_number(v) for v in values):
            raise ConfigError(f"{name} = {value!r}: expected a number, or a list of numbers")
        given = entry.get("uncertainty")
        sigmas = given if isinstance(given, list) else [given] * len(values)
        doubt = DOUBT.get(str(entry.get("confidence")), DOUBT["unverified"])
        spreads = [float(s) if _number(s) else doubt * _size(v, unit) for v, s in zip(values, sigmas, strict=True)]
        moved = [float(v) + self.shift.get(name, 0.0) * s for v, s in zip(values, spreads, strict=True)]
        if unit == "1" and all(0 <= v <= 1 for v in values):
            moved = [min(1.0, max(0.0, v)) for v in moved]
        if isinstance(value, list):
            self.used[name] = Known(name, [float(v) for v in values], spreads, source)
            return moved
        self.used[name] = Known(name, float(value), spreads[0], source)
        return moved[0]


def _number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and isfinite(value)


def _size(value: float, unit: str) -> float:
    """Return what a doubt is a share of: the value; of a probability it or its complement; of a loss 10 dB."""
    if unit == "dB":
        return 10.0
    return min(value, 1 - value) if unit == "1" and 0 <= value <= 1 else abs(value)


def published(platform: str) -> Mapping[str, Any]:
    """Return the published values of a platform; nothing if it is not packaged."""
    path = PUBLISHED / f"{platform}.json"
    if not platform.replace("_", "").isalnum() or not path.is_file():
        return {}
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["parameters"]
    return found


Values = list[tuple[str, dict[str, Any], float | str]]
"""Quantity, setting, and value; or the reason why there is none."""


def spread(model: Callable[[Inputs], Values], inputs: Inputs) -> list[tuple[str, dict[str, Any], Any, float, float]]:
    """Return quantity, setting, value, low and high: one standard deviation of every number, added in quadrature."""
    central = model(inputs)
    up = [0.0] * len(central)
    down = [0.0] * len(central)
    for name in list(inputs.used):
        both = [model(Inputs(inputs.setup, inputs.platform, inputs.file, {name: s})) for s in (-1.0, 1.0)]
        for i, (_, _, value) in enumerate(central):
            if isinstance(value, str):
                continue
            moves = [moved - value for _, _, moved in (other[i] for other in both) if not isinstance(moved, str)]
            up[i] = hypot(up[i], max(0.0, *moves))
            down[i] = hypot(down[i], min(0.0, *moves))
    return [
        (quantity, setting, value, *((value - d, value + u) if not isinstance(value, str) else (0.0, 0.0)))
        for (quantity, setting, value), u, d in zip(central, up, down, strict=True)
    ]
