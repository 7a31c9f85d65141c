"""Faults that a user orders: which message, on which hop, which of its occurrences, and what happens to it.

Example::

    faults:
      - {message: Track, from: n1, to: n0, nth: 3, action: drop}
      - {message: any, probability: 2 %, action: delay, by: 3 ms}
      - {message: Reply, from: n1, to: n0, nth: 2, action: drop}

GEN and REPLY travel between a node and the midpoint of a link, which stands for the node at its other end: this rule has n0
miss what the midpoint between n0 and n1 says of their second success.  A GEN that is late finds its window closed, and one
that is broken is no GEN.  A REPLY that is late or broken comes to a qubit that is gone; of a late one the number is still
news.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from qstack.plugin.contracts import Options
from qstack.plugin.spelling import nearest
from qstack.plugin.units import Fraction, PositiveDuration
from qstack.wire import codec

ANY = "any"

TO_MIDPOINT, FROM_MIDPOINT = "Gen", "Reply"
"""Messages with a midpoint: they have to be named, because ``any`` means those between nodes."""


def message_names() -> tuple[str, ...]:
    """Return the names of all messages that nodes exchange."""
    return tuple(sorted(cls.__name__ for cls, layout in codec.LAYOUTS.items() if layout.plane is not None))


def _message(value: object) -> object:
    """Return the name of a message as it stands in traces, such as ``SetupReq``."""
    known = (*message_names(), ANY)
    if value not in known:
        raise ValueError(f"'{value}' is not a message. Messages: {', '.join(known)}.{nearest(str(value), known)}")
    return value


def _numbers(value: object) -> object:
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


Occurrences = Annotated[
    tuple[Annotated[int, Field(ge=1, strict=True)], ...],
    BeforeValidator(_numbers),
    Field(json_schema_extra={"also": [{"type": "integer", "minimum": 1}]}),
]


class Fault(Options):
    """One rule.

    Parameters
    ----------
    message
        Kind of message by its name in traces, or ``any`` between nodes.
    source, target
        Sending and receiving node of the hop; every node if not given.
    nth
        Which occurrences, counted from 1 over the hops that the rule covers, repetitions included.
    probability
        Share of the occurrences, drawn from the run's seed.  Without `nth` and `probability` the rule always holds.
    action
        ``drop``, ``duplicate``, ``delay``, or ``corrupt`` (one bit behind the header is flipped).
    by
        Of a delay, or of the second copy of a duplicate [ps].
    """

    message: Annotated[str, BeforeValidator(_message)] = ANY
    source: str | None = Field(None, alias="from")
    target: str | None = Field(None, alias="to")
    nth: Occurrences | None = None
    probability: Fraction | None = None
    action: Literal["drop", "duplicate", "delay", "corrupt"]
    by: PositiveDuration | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.nth is not None and self.probability is not None:
            raise ValueError("give 'nth' or 'probability', not both.")
        if self.nth == ():
            raise ValueError("'nth' is empty: the rule would never hold.")
        if self.action == "delay" and self.by is None:
            raise ValueError("a delay needs 'by': how long, such as '3 ms'.")
        if self.by is not None and self.action in {"drop", "corrupt"}:
            raise ValueError(f"'by' means nothing for '{self.action}'.")
        if self.source is not None and self.source == self.target:
            raise ValueError(f"'from' and 'to' are both '{self.source}': nodes send nothing to themselves.")
        return self

    @property
    def with_midpoint(self) -> bool:
        """Whether the message travels between a node and the midpoint of a link."""
        return self.message in {TO_MIDPOINT, FROM_MIDPOINT}
