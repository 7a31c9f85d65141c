"""A node that writes down every noun that crosses a wall, and what caused it.

It replaces `qstack.core.node.Node` in a traced run, so that an untraced run pays nothing.  Every record has an ``id``
and the id of its ``cause``: from the user's request, down to the attempt, up again with the herald, across to the other
nodes, until the pair is consumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, Protocol, cast

from qstack.core.layer import Handler, Layer
from qstack.core.node import Node
from qstack.core.nouns import Cancel, Indication, Message, Note, Noun, Request, Send, Set, Timer
from qstack.services.device import (
    BellMeasure,
    BellMeasured,
    Distil,
    Distilled,
    Herald,
    Measure,
    MeasureAlong,
    Measured,
    Swap,
    Swapped,
    Trigger,
)


class Sink(Protocol):
    """Where records go."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Take one record."""
        ...

    def close(self) -> None:
        """No more records will come."""
        ...


ASKED: Mapping[type[Noun], Callable[[Any], object]] = {
    Trigger: lambda n: ("lane", n.peer, n.lane),
    Swap: lambda n: ("swap", n.left),
    Measure: lambda n: ("measure", n.qubit),
    MeasureAlong: lambda n: ("measure", n.qubit),
    BellMeasure: lambda n: ("bell", n.data),
    Distil: lambda n: ("distil", n.keep),
    Set: lambda n: n.timer,
}
"""Requests that are answered later, and how their answer is recognised."""

ANSWERED: Mapping[type[Noun], Callable[[Any], object]] = {
    Herald: lambda n: ("lane", n.peer, n.lane),
    Swapped: lambda n: ("swap", n.left),
    Measured: lambda n: ("measure", n.qubit),
    BellMeasured: lambda n: ("bell", n.data),
    Distilled: lambda n: ("distil", n.keep),
}

DIRECTIONS: tuple[tuple[type[Noun], str], ...] = (
    (Request, "down"),
    (Indication, "up"),
    (Message, "in"),
    (Timer, "timer"),
    (Send, "out"),
    (Set, "arm"),
    (Cancel, "disarm"),
    (Note, "note"),
)


TRAVELLING = 1 << 17
"""Messages whose cause is kept; one that is repeated after so many others has none any more."""


class Tracer:
    """What all nodes of a traced run share.

    Parameters
    ----------
    names
        Of the nodes, by number.
    sink
        Where records go.
    """

    def __init__(self, names: tuple[str, ...], sink: Sink) -> None:
        self.names = names
        self.sink = sink
        self.count = 0
        self.asked: dict[tuple[int, object], int] = {}
        self.sent: dict[int, tuple[Message, int]] = {}

    def node(self, number: int, layers: Iterable[Layer], effects: Mapping[type[Noun], Handler]) -> Node:
        """Make a traced node; the shape of `qstack.core.node.Node`'s constructor."""
        return TracedNode(number, layers, effects, self)

    def cause(self, node: int, noun: Noun) -> int | None:
        """Return the record that an input from outside the pile goes back to."""
        if isinstance(noun, Message):
            message, identifier = self.sent.pop(id(noun), (None, None))
            return identifier if message is noun else None
        key = noun if isinstance(noun, Timer) else ANSWERED.get(type(noun), lambda _: None)(noun)
        return self.asked.get((node, key))

    def carried(self, sent: Noun, arrived: Message) -> None:
        """Keep the cause of a message that has travelled as bytes, perhaps not for the last time."""
        message, identifier = self.sent.get(id(sent), (None, 0))
        if message is sent:
            self._keep(arrived, identifier)

    def _keep(self, message: Message, identifier: int) -> None:
        self.sent[id(message)] = (message, identifier)
        if len(self.sent) > TRAVELLING:
            del self.sent[next(iter(self.sent))]

    def record(self, node: int, now: int, noun: Noun, layers: tuple[str, str], cause: int | None) -> int:
        """Write one record and return its id."""
        self.count += 1
        identifier = self.count
        kind = type(noun)
        key = ASKED.get(kind)
        if key is not None:
            self.asked[node, key(noun)] = identifier
        if isinstance(noun, Send):
            self._keep(noun.message, identifier)
        self.sink.write(
            {
                "id": identifier,
                "cause": cause,
                "time_ps": str(now),
                "node": self.names[node],
                "direction": next(word for base, word in DIRECTIONS if isinstance(noun, base)),
                "from": layers[0],
                "to": layers[1],
                "noun": kind.__name__,
                "fields": values(noun),
            }
        )
        return identifier


class TracedNode(Node):
    """A node whose loop writes records."""

    def __init__(
        self, number: int, layers: Iterable[Layer], effects: Mapping[type[Noun], Handler], tracer: Tracer
    ) -> None:
        super().__init__(number, layers, effects)
        self.tracer = tracer
        self.tops = self.layers[-1].name if self.layers else "user"

    def feed(self, noun: Noun, now: int) -> None:
        """Obey an input and everything that follows, writing each noun with its cause."""
        tracer, table, context = self.tracer, self.table, self.context
        context.now = now
        waiting: list[tuple[Noun, str, int | None]] = [(noun, self._outside(noun), tracer.cause(self.number, noun))]
        for item, origin, cause in waiting:  # grows while it is read
            kind = type(item)
            handler = table.get(kind)
            target = self.owner.get(kind, _OUTSIDE.get(kind, "device" if isinstance(item, Request) else "user"))
            identifier = tracer.record(self.number, now, item, (origin, target), cause)
            if handler is None:
                raise self._unhandled(item)
            following = "device" if target == "device" else target
            waiting.extend((output, following, identifier) for output in handler(item, context))

    def carried(self, sent: Noun, arrived: Noun) -> None:
        """Keep the cause of a message that has travelled as bytes."""
        if isinstance(arrived, Message):
            self.tracer.carried(sent, arrived)

    def _outside(self, noun: Noun) -> str:
        if isinstance(noun, Message):
            return self.tracer.names[self.context.sender]
        if isinstance(noun, Timer):
            return "clock"
        return "user" if isinstance(noun, Request) else "device"


_OUTSIDE: Mapping[type[Noun], str] = {Send: "network", Set: "clock", Cancel: "clock"}


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


def values(noun: Noun) -> dict[str, Any]:
    """Return a noun's fields as plain data; nouns inside it as mappings with their kind."""
    found: dict[str, Any] = {}
    for name in _names(cast("Any", type(noun))):
        value = getattr(noun, name)
        if isinstance(value, Noun):
            value = {"noun": type(value).__name__, **values(value)}
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            value = int(value)
        found[name] = value
    return found
