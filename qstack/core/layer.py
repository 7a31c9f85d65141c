"""What a layer is: a table from noun types to handlers.

A handler takes one noun and the context and returns what follows from it, as any iterable of nouns: a generator that
yields them reads best; a handler on the hot path returns a tuple, which is cheaper.  A layer owns no clock, no socket,
no logger, no random generator and no quantum state.

>>> class Echo(Layer):
...     @on(Ping)
...     def ping(self, msg: Ping, ctx: Context) -> Outputs:
...         yield Send(ctx.sender, Pong(msg.number))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypeVar

from qstack.core.nouns import Noun

Outputs: TypeAlias = Iterable[Noun]
Handler: TypeAlias = Callable[[Any, "Context"], Outputs]
F = TypeVar("F", bound=Callable[..., Outputs])


class Context:
    """What a handler may know of the moment; one per node, overwritten for every input.

    Attributes
    ----------
    now
        The present [ps].
    node
        Number of the node that this layer stands in.
    sender
        Number of the node that sent the message being handled; meaningless for other nouns.
    """

    __slots__ = ("node", "now", "sender")

    def __init__(self, node: int) -> None:
        self.now = 0
        self.node = node
        self.sender = node


def on(*nouns: type[Noun]) -> Callable[[F], F]:
    """Mark a method as the handler of these noun types."""

    def mark(method: F) -> F:
        method.handles = nouns  # type: ignore[attr-defined]  # a mark on a function
        return method

    return mark


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a layer waits for; a host that has come to a standstill says who waits for whom.

    Parameters
    ----------
    what
        What is wanted, in words.
    peer
        Number of the node that has to provide it.
    since
        Since when [ps].
    """

    what: str
    peer: int
    since: int


@cache
def _marked(layer: type[Layer]) -> tuple[tuple[type[Noun], str], ...]:
    """Return the nouns that a class handles, and by which method; a network has many layers of one class."""
    return tuple((kind, name) for name in dir(layer) for kind in getattr(getattr(layer, name), "handles", ()))


class Layer:
    """Base of all layers: collects the methods marked with `on`."""

    name = "layer"

    def handlers(self) -> dict[type[Noun], Handler]:
        """Return the table from noun type to bound handler."""
        return {kind: getattr(self, attribute) for kind, attribute in _marked(type(self))}  # type: ignore[arg-type]  # mypy asks an instance for its hash, not the class

    def waiting(self) -> Iterable[Waiting]:
        """Return what this layer waits for; nothing changes by asking."""
        return ()
