"""Which protection a class of data must have, in which order methods are tried, and what is left when one is gone.

The table is data.  No method outside a class's row is ever chosen: where none of them can be had, the answer is a
refusal that names what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

KEY_BITS = 256
"""Of a session key [bit]."""


class Method(StrEnum):
    """How a session's keys are made."""

    HYBRID = "QKD+PQC"
    PQC = "PQC"
    CLASSICAL = "classical"

    @property
    def needs_qkd(self) -> bool:
        """Whether keys of the quantum network are used up."""
        return self is Method.HYBRID


@dataclass(frozen=True, slots=True)
class DataClass:
    """A row of the table.

    Parameters
    ----------
    title
        What such data are.
    methods
        In the order in which they are tried; none beside them is allowed.
    rekey_s
        A session takes a new key after this time [s].
    reason
        Why nothing weaker will do.
    """

    title: str
    methods: tuple[Method, ...]
    rekey_s: float
    reason: str

    @property
    def mode(self) -> str:
        """Mode of the combiner that keeps to this row."""
        if self.methods == (Method.HYBRID,):
            return "QkdAndPqcRequired"
        return "AtLeastPqcRequired" if Method.CLASSICAL not in self.methods else "EitherQkdOrPqcRequired"


CLASSES: dict[str, DataClass] = {
    "public": DataClass("web pages, telemetry", (Method.CLASSICAL, Method.PQC), 3600, "nothing is secret"),
    "internal": DataClass("business internal", (Method.PQC, Method.HYBRID), 900, "recorded now, decrypted later"),
    "payment": DataClass("payment and trading orders", (Method.HYBRID, Method.PQC), 60, "secret for a short time"),
    "health": DataClass("health records", (Method.HYBRID,), 60, "secret for more than 30 years: both legs must stand"),
    "control": DataClass(
        "industrial control commands", (Method.PQC, Method.HYBRID), 60, "availability comes before secrecy"
    ),
    "cluster": DataClass("model weights, cluster traffic", (Method.HYBRID, Method.PQC), 60, "large and valuable"),
}
"""Classes whose protection is a session key; one-time pads, tags and teleportation are no matter of sessions."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a demand gets.

    Parameters
    ----------
    method
        None for a refusal.
    rejected
        What was tried before, and why it could not be had.
    """

    method: Method | None
    rejected: tuple[tuple[Method, str], ...]


def order(row: DataClass, prefer: Method | None) -> tuple[Method, ...]:
    """Return the methods of a class in the order of trial; an operator may put one of them first."""
    return row.methods if prefer is None else (prefer, *(method for method in row.methods if method != prefer))


def decide(row: DataClass, prefer: Method | None, missing: Callable[[], str]) -> Decision:
    """Return the first method that can be had.

    Parameters
    ----------
    row
        Of the table.
    prefer
        One of its methods that the operator wants first.
    missing
        Reserves keys of the quantum network and returns an empty text, or why there are none.
    """
    rejected: list[tuple[Method, str]] = []
    for method in order(row, prefer):
        why = missing() if method.needs_qkd else ""
        if not why:
            return Decision(method, tuple(rejected))
        rejected.append((method, why))
    return Decision(None, tuple(rejected))
