"""Quantities with units, parsed at the edge and nowhere else: ``"1.2 ms"``, ``"25 km"``, ``"0.2 dB/km"``.

Every annotated type below takes text and gives a number: times become integer picoseconds, everything else a float in
the unit of its name.  A bare number is refused where a unit is needed: nobody should have to guess what 5 means.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal, DecimalException
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from qstack.core.errors import ConfigError

TIMES: Mapping[str, Decimal] = {
    unit: Decimal(scale)
    for unit, scale in {
        "ps": "1", "ns": "1e3", "us": "1e6", "µs": "1e6", "ms": "1e9", "s": "1e12", "min": "60e12", "h": "3600e12",
    }.items()
}  # fmt: skip
LENGTHS: Mapping[str, Decimal] = {"m": Decimal("1e-3"), "km": Decimal(1)}
LOSSES: Mapping[str, Decimal] = {"dB": Decimal(1)}
ATTENUATIONS: Mapping[str, Decimal] = {"dB/km": Decimal(1)}
POWERS: Mapping[str, Decimal] = {"mW": Decimal("1e-3"), "kW": Decimal(1000), "W": Decimal(1)}
RATES: Mapping[str, Decimal] = {"Hz": Decimal(1), "kHz": Decimal(1000), "MHz": Decimal("1e6"), "GHz": Decimal("1e9")}
MONEY: Mapping[str, Decimal] = {"kEUR": Decimal(1000), "EUR": Decimal(1)}
UPKEEPS: Mapping[str, Decimal] = {"EUR/month": Decimal(12), "EUR/yr": Decimal(1)}
SPEEDS: Mapping[str, Decimal] = {"km/s": Decimal(1), "m/s": Decimal("1e-3")}

NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?inf(?:inity)?)\s*(.*?)\s*", re.DOTALL)
FOR_EVER = 1 << 62
"""A time beyond every run [ps]: how an infinite duration reads as an integer."""


def parse(value: object, units: Mapping[str, Decimal], what: str) -> Decimal:
    """Return a quantity in the base unit of a table.

    Parameters
    ----------
    value
        Text such as ``"1.2 ms"``.
    units
        From unit to its size.
    what
        Name of the quantity, with its article, for messages.

    Raises
    ------
    ValueError
        If the text is not a number followed by one of the units.
    """
    example = f"for example '1 {list(units)[-1]}'"
    allowed = ", ".join(units)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{what} is text with a unit ({allowed}), {example}.")  # noqa: TRY004 - pydantic reports ValueErrors
    match = NUMBER.fullmatch(str(value))
    if match is None:
        raise ValueError(f"{what} is a number with a unit ({allowed}), {example}.")
    number, unit = match.groups()
    try:
        size = Decimal(number)
        if not unit and (size == 0 or size.is_infinite()):
            return size
        if not unit:
            raise ValueError(f"{what} needs a unit: {allowed}.")
        if unit not in units:
            raise ValueError(f"'{unit}' is not a unit of {what.split(' ', 1)[-1]}; allowed: {allowed}.")
        return size * units[unit]
    except DecimalException:
        raise ValueError(f"{what} cannot have so large a number.") from None


def _time(value: object) -> int:
    number = parse(value, TIMES, "a duration")
    if number < 0:
        raise ValueError("a duration must not be negative.")
    if number >= FOR_EVER:
        return FOR_EVER
    if 0 < number < 1:
        raise ValueError("a duration is at least 1 ps.")
    return int(number.to_integral_value())


def _positive_time(value: object) -> int:
    if parse(value, TIMES, "a duration") <= 0:
        raise ValueError("a duration must be positive.")
    return _time(value)


def _end(value: object) -> int:
    time = _positive_time(value)
    if time == FOR_EVER:
        raise ValueError("a run must end: the longest is 53 days.")
    return time


def _span(value: object) -> int:
    time = _time(value)
    if time == FOR_EVER:
        raise ValueError("a duration must be finite here: the longest is 53 days.")
    return time


def _positive_span(value: object) -> int:
    _positive_time(value)
    return _span(value)


def _quantity(units: Mapping[str, Decimal], what: str, unit: str, *, least: float, most: float) -> Any:
    """Return a reader of a quantity between two values, the lower one zero or positive."""

    def read(value: object) -> float:
        number = parse(value, units, what)
        if number < 0 or (number == 0 and least > 0):
            raise ValueError(f"{what} must {'be positive' if least > 0 else 'not be negative'}.")
        if number > most or number < least:
            raise ValueError(
                f"{what} must be at {f'most {most:.10g}' if number > most else f'least {least:g}'} {unit}."
            )
        return float(number)

    return read


def _fraction(value: object) -> float:
    text = str(value).strip()
    percent = text.endswith("%")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ValueError("expected a number from 0 to 1, or a percentage.")
    number = number / 100 if percent else number
    if not 0 <= number <= 1:
        raise ValueError("must lie between 0 and 1.")
    return number


def _attempts(value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ValueError("expected a number of attempts, or 'inf'.")
    if number <= 0:
        raise ValueError("a number of attempts must be positive.")
    return number


def parse_duration(text: str, name: str) -> int:
    """Return a duration that a program or an option gives [ps].

    Raises
    ------
    ConfigError
        If it cannot be read; the message begins with `name`.
    """
    try:
        return _positive_time(text)
    except ValueError as error:
        raise ConfigError(f"{name}  '{text}': {error}") from error


def time_text(time: int) -> str:
    """Write a time so that parsing gives it back exactly.

    >>> time_text(250_000_000_000), time_text(62_600_000)
    ('250 ms', '62.6 us')
    """
    if time >= FOR_EVER:
        return "inf"
    unit = next((unit for unit in ("s", "ms", "us", "ns") if time >= TIMES[unit]), "ps")
    return f"{(Decimal(time) / TIMES[unit]).normalize():f} {unit}"


def _text(unit: str) -> PlainSerializer:
    return PlainSerializer(lambda number: f"{number!r} {unit}", return_type=str)


def _schema(units: Mapping[str, Decimal], description: str) -> WithJsonSchema:
    pattern = r"^\s*[+-]?([0-9.]+([eE][+-]?[0-9]+)?|inf)\s*(" + "|".join(re.escape(u) for u in units) + r")?\s*$"
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": description})


_TIME = (PlainSerializer(time_text, return_type=str), _schema(TIMES, "duration with its unit, such as '1.2 ms'"))
Duration = Annotated[int, BeforeValidator(_time), *_TIME]
"""Zero or more [ps]."""
PositiveDuration = Annotated[int, BeforeValidator(_positive_time), *_TIME]
"""More than zero [ps]."""
Span = Annotated[int, BeforeValidator(_span), *_TIME]
"""Zero or more, and finite [ps]: how long something takes that happens again and again."""
PositiveSpan = Annotated[int, BeforeValidator(_positive_span), *_TIME]
"""More than zero, and finite [ps]."""
EndTime = Annotated[int, BeforeValidator(_end), *_TIME]
"""More than zero, and finite [ps]."""


def _measured(units: Mapping[str, Decimal], what: str, unit: str, *, least: float, most: float) -> tuple[Any, ...]:
    """Return what makes a float a quantity: how it is read, written, and told in the JSON Schema."""
    return (
        BeforeValidator(_quantity(units, what, unit, least=least, most=most)),
        _text(unit),
        _schema(units, what.split(" ", 1)[1]),
    )


LIGHT = 299_792.458
"""Speed of light in vacuum [km/s]."""
Length = Annotated[float, *_measured(LENGTHS, "a length", "km", least=1e-6, most=1e6)]
"""More than zero [km]."""
Loss = Annotated[float, *_measured(LOSSES, "a loss", "dB", least=0, most=1e6)]
"""Zero or more [dB]."""
Attenuation = Annotated[float, *_measured(ATTENUATIONS, "an attenuation", "dB/km", least=0, most=1e3)]
"""Zero or more [dB/km]."""
Speed = Annotated[float, *_measured(SPEEDS, "a speed", "km/s", least=1, most=LIGHT)]
"""Up to the speed of light in vacuum [km/s]."""
Power = Annotated[float, *_measured(POWERS, "a power", "W", least=0, most=1e9)]
"""Zero or more [W]."""
Rate = Annotated[float, *_measured(RATES, "a rate", "Hz", least=0, most=1e15)]
"""Zero or more [Hz]."""
PairRate = Annotated[float, *_measured(RATES, "a rate", "Hz", least=1e-3, most=((1 << 32) - 1) / 1000)]
"""Pairs per second that a message can carry [Hz]."""
Money = Annotated[float, *_measured(MONEY, "a price", "EUR", least=0, most=1e15)]
"""Zero or more [EUR]."""
Upkeep = Annotated[float, *_measured(UPKEEPS, "a running cost", "EUR/yr", least=0, most=1e15)]
"""Zero or more [EUR/yr]."""
Attempts = Annotated[
    float,
    Field(allow_inf_nan=True),
    BeforeValidator(_attempts),
    PlainSerializer(lambda number: "inf" if number == math.inf else number),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "inf"}], "description": "number of attempts"}
    ),
]
"""More than zero; infinite is allowed."""
Fraction = Annotated[
    float,
    BeforeValidator(_fraction),
    Field(ge=0, le=1),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": "^[0-9.eE+-]+ *%?$"}]}
    ),
]
"""A probability, a fidelity or an efficiency [1]."""
