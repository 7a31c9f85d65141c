"""Values of answers, each checked before anybody works with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qstack.core.errors import WireError
from qstack.hosts.plain import simple, time_of

Answer = Mapping[str, Any]


def whole(answer: Answer, name: str) -> int:
    """Return a whole number of an answer.

    Raises
    ------
    WireError
        If it is none.
    """
    found: int = simple(name, answer[name], "int")
    return found


def real(answer: Answer, name: str) -> float:
    """Return a number of an answer.

    Raises
    ------
    WireError
        If it is none.
    """
    return float(simple(name, answer[name], "float"))


def reals(answer: Answer, name: str, number: int | None = None) -> tuple[float, ...]:
    """Return a list of numbers, of so many if that is said.

    Raises
    ------
    WireError
        If it is none.
    """
    values = answer[name]
    if not isinstance(values, list) or number not in {None, len(values)}:
        raise WireError(f"{name} = {values!r:.60}: expected a list of {'' if number is None else f'{number} '}numbers")
    return tuple(float(simple(name, value, "float")) for value in values)


def three(answer: Answer, name: str) -> tuple[float, float, float]:
    """Return three numbers.

    Raises
    ------
    WireError
        If there are not three of them.
    """
    x, y, z = reals(answer, name, 3)
    return x, y, z


def truth(answer: Answer, name: str) -> bool:
    """Return whether something is so.

    Raises
    ------
    WireError
        If the answer is neither true nor false.
    """
    found: bool = simple(name, answer[name], "bool")
    return found


def text(answer: Answer, name: str) -> str:
    """Return a text of an answer.

    Raises
    ------
    WireError
        If it is none.
    """
    found: str = simple(name, answer[name], "str")
    return found


def time(answer: Answer, name: str) -> int:
    """Return a time of an answer [ps].

    Raises
    ------
    WireError
        If it is none.
    """
    return time_of(name, answer[name])


def two_times(answer: Answer, name: str) -> tuple[int, int]:
    """Return one time for each end [ps].

    Raises
    ------
    WireError
        If there are not two of them.
    """
    times = answer[name]
    if not isinstance(times, list) or len(times) != 2:
        raise WireError(f"{name} = {times!r:.60}: expected two times")
    return time_of(name, times[0]), time_of(name, times[1])


def octets(answer: Answer, name: str) -> bytes:
    """Return octets that were written as hexadecimal digits.

    Raises
    ------
    WireError
        If they were not.
    """
    found = text(answer, name)
    if found.strip("0123456789abcdef") or len(found) % 2:
        raise WireError(f"{name} = {found!r:.60}: expected an even number of hexadecimal digits")
    return bytes.fromhex(found)
