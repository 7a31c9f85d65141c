"""Quantities with units: what is read, what is refused, and that writing and reading again changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from qstack import ConfigError
from qstack.plugin.units import (
    FOR_EVER,
    Attenuation,
    Duration,
    EndTime,
    Fraction,
    Length,
    Loss,
    PositiveDuration,
    Speed,
    parse_duration,
    time_text,
)


def read(kind, value):
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Duration, "1.2 ms", 1_200_000_000),
        (Duration, "250us", 250_000_000),
        (Duration, " 3 ns ", 3000),
        (Duration, "1 µs", 1_000_000),
        (Duration, "2 min", 120_000_000_000_000),
        (Duration, "1e-3 s", 1_000_000_000),
        (Duration, "0 s", 0),
        (Duration, 0, 0),
        (Duration, "inf", FOR_EVER),
        (Duration, "1e300 h", FOR_EVER),
        (Length, "25 km", 25.0),
        (Length, "800 m", 0.8),
        (Loss, "0 dB", 0.0),
        (Attenuation, "0.2 dB/km", 0.2),
        (Speed, "2e8 m/s", 2e5),
        (Fraction, "97 %", 0.97),
        (Fraction, "0.97", 0.97),
        (Fraction, 1, 1.0),
    ],
)
def test_read(kind, text, value):
    assert read(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Duration, "5", "needs a unit"),
        (Duration, 5, "needs a unit"),
        (Duration, "5 km", "'km' is not a unit of duration"),
        (Duration, "-1 s", "must not be negative"),
        (Duration, "0.3 ps", "at least 1 ps"),
        (Duration, True, "text with a unit"),
        (Duration, "1 s s", "is not a unit"),
        (Duration, "nan s", "a number with a unit"),
        (PositiveDuration, "0 s", "must be positive"),
        (EndTime, "inf", "a run must end"),
        (Length, "0 km", "must be positive"),
        (Length, "1e-400 km", "at least 1e-06 km"),
        (Length, "2e6 km", "at most 1000000 km"),
        (Loss, "-1 dB", "must not be negative"),
        (Speed, "3e5 km/s", "at most 299792.458 km/s"),
        (Fraction, "101 %", "between 0 and 1"),
        (Fraction, -0.1, "between 0 and 1"),
        (Fraction, True, "a number from 0 to 1"),
        (Fraction, "nan", "a number from 0 to 1"),
        (Fraction, None, "a number from 0 to 1"),
    ],
)
def test_refuse(kind, value, words):
    with pytest.raises(ValidationError, match=words.replace("(", r"\(")):
        read(kind, value)


@pytest.mark.requirement("QS-CV-001")
@given(st.integers(0, FOR_EVER))
def test_times_survive_writing_and_reading(time):
    assert read(Duration, time_text(time)) == time


@given(st.floats(1e-6, 1e6))
def test_lengths_survive_writing_and_reading(length):
    adapter = TypeAdapter(Length)
    assert adapter.validate_python(adapter.dump_python(length)) == length


@given(st.text(max_size=12) | st.floats() | st.integers() | st.none())
def test_nothing_else_is_raised(value):
    for kind in (Duration, Length, Fraction):
        try:
            read(kind, value)
        except ValidationError:
            continue


def test_time_text_is_short():
    assert [time_text(t) for t in (1, 62_600_000, 1_607_000_000, 60_000_000_000_000)] == [
        *("1 ps", "62.6 us", "1.607 ms", "60 s"),
    ]


def test_durations_of_programs_name_themselves():
    assert parse_duration("2 s", "until") == 2 * 10**12
    with pytest.raises(ConfigError, match=r"until  'soon': a duration is a number with a unit"):
        parse_duration("soon", "until")
