"""What the models predict for published experiments, from their set-up and published values, with an interval.

A file has ``experiments`` (set-up, platform, protocol, what to predict) or ``rows`` of link success probabilities.  What
each experiment is taken to be stands in `qstack.study.laboratory`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from qstack.core.errors import ConfigError, PhysicsError
from qstack.plugin.spelling import nearest
from qstack.study.inputs import Inputs, Known, Missing, published, spread
from qstack.study.laboratory import BY_ID, BY_PROTOCOL
from qstack.study.laboratory_nv import success_row

FRACTIONS = frozenset({"fidelity", "success_probability", "qber", "downtime"})
"""Quantities that lie in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted number, or why there is none.

    Parameters
    ----------
    id
        Of the experiment, or the configuration of a row.
    quantity
        Such as ``rate_hz`` or ``fidelity``.
    setting
        What it holds for.
    value, low, high
        The number and one standard deviation around it; None without a model.
    reason
        Why there is no number.
    """

    id: str
    quantity: str
    setting: Mapping[str, Any]
    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    def line(self) -> str:
        """Return it as one JSON object."""
        data = asdict(self)
        for key in ("low", "high") if self.value is None else ("reason",):
            del data[key]
        return json.dumps(data, allow_nan=False)


def predict_file(path: Path) -> Iterator[tuple[Prediction, Mapping[str, Known]]]:
    """Give every prediction of a file, with the numbers that it used.

    Raises
    ------
    ConfigError
        If the file cannot be used; says where.
    """
    data = _read(path)
    if "rows" in data:
        yield from _rows(data, path)
        return
    for index, entry in enumerate(data["experiments"]):
        place = f"{path}: experiments[{index}]"
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise ConfigError(f"{place}: expected an object with an 'id'")
        yield from _experiment(entry, f"{path}: {entry['id']}")


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text, at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}:{error.colno}: no JSON: {error.msg}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply") from error
    found = [key for key in ("experiments", "rows") if isinstance(data, dict) and isinstance(data.get(key), list)]
    if len(found) != 1 or not data[found[0]]:
        raise ConfigError(f"{path}: expected an object with a list 'experiments', or 'rows' of success probabilities")
    whole: dict[str, Any] = data
    return whole


def _experiment(entry: Mapping[str, Any], place: str) -> Iterator[tuple[Prediction, Mapping[str, Known]]]:
    name, setup, wanted = entry["id"], entry.get("setup", {}), entry.get("predict", [])
    platform, protocol = entry.get("platform", ""), entry.get("protocol", "")
    if not isinstance(setup, dict) or not isinstance(wanted, list) or not isinstance(platform, str):
        raise ConfigError(f"{place}: 'setup' is an object, 'predict' a list, 'platform' text")
    if not wanted:
        yield Prediction(name, "none", {}, None, reason="the file asks for no prediction"), {}
        return
    model = BY_ID.get(name) or BY_PROTOCOL.get(str(protocol))
    if model is None:
        reason = f"no model of the protocol '{protocol}'; known: {', '.join(BY_PROTOCOL)}.{nearest(str(protocol), BY_PROTOCOL)}"
        for text in wanted:
            yield Prediction(name, str(text), {}, None, reason=reason), {}
        return
    inputs = Inputs(setup, published(platform), platform)
    try:
        found = spread(model, inputs)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    except (Missing, PhysicsError, ValueError, ZeroDivisionError) as error:
        reason = (
            str(error) if isinstance(error, Missing | PhysicsError) else f"the set-up does not fit the model: {error}"
        )
        for text in wanted:
            yield Prediction(name, str(text), {}, None, reason=reason), {}
        return
    for quantity, setting, value, low, high in found:
        yield _prediction(name, quantity, setting, value, low, high), inputs.used


def _prediction(
    name: str, quantity: str, setting: Mapping[str, Any], value: Any, low: float, high: float
) -> Prediction:
    if isinstance(value, str):
        return Prediction(name, quantity, setting, None, reason=value)
    if not all(map(isfinite, (value, low, high))):
        return Prediction(name, quantity, setting, None, reason="the model gives no finite number here")
    most = 1.0 if quantity in FRACTIONS else high
    return Prediction(name, quantity, setting, float(value), max(0.0, float(low)), float(min(high, most)))


def _rows(data: Mapping[str, Any], path: Path) -> Iterator[tuple[Prediction, Mapping[str, Known]]]:
    parameters = data.get("parameters")
    for index, row in enumerate(data["rows"]):
        place = f"{path}: rows[{index}]"
        if not isinstance(row, dict) or not isinstance(row.get("config"), str) or not isinstance(parameters, dict):
            raise ConfigError(f"{place}: expected an object with a 'config', and 'parameters' beside the rows")
        try:
            value = success_row(row, parameters)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{place}: cannot be used: {type(error).__name__} {error}") from error
        except PhysicsError as error:
            yield Prediction(row["config"], "success_probability", {}, None, reason=str(error)), {}
            continue
        if not isfinite(value):
            raise ConfigError(f"{place}: gives no finite probability")
        setting = {"scenario": row.get("scenario", ""), "cavity": row["cavity"], "conversion": row["conversion"]}
        yield Prediction(row["config"], "success_probability", setting, value, value, value), {}
