"""A node: a pile of layers and one loop that runs them to quiescence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Handler, Layer
from qstack.core.nouns import Noun


class Node:
    """Layers piled up behind one table from noun type to handler.

    A noun goes straight to the layer that handles its type.  What no layer handles leaves the pile: requests fall to
    the device, indications rise to the user, `Send`, `Set` and `Cancel` are for the host.

    Parameters
    ----------
    number
        Address of the node, unique in the network.
    layers
        The pile, lowest first.
    effects
        The host's table for everything that leaves the pile; an effect may return answers of the same instant.

    Raises
    ------
    LocalProtocolError
        If two layers claim the same noun.
    """

    def __init__(self, number: int, layers: Iterable[Layer], effects: Mapping[type[Noun], Handler]) -> None:
        self.number = number
        self.layers = tuple(layers)
        self.context = Context(number)
        self.table: dict[type[Noun], Handler] = {}
        self.owner: dict[type[Noun], str] = {}
        for layer in self.layers:
            for kind, handler in layer.handlers().items():
                if kind in self.table:
                    raise LocalProtocolError(f"{layer.name} and {self.owner[kind]} both handle {kind.__name__}")
                self.table[kind] = handler
                self.owner[kind] = layer.name
        self.table = {**effects, **self.table}

    def feed(self, noun: Noun, now: int) -> None:
        """Give the node one input and obey everything that follows from it, first in, first out.

        Parameters
        ----------
        noun
            A request from the user, an indication of the device or a timer.
        now
            The present [ps].

        Raises
        ------
        LocalProtocolError
            If nobody handles a noun.
        """
        context = self.context
        context.now = now
        table = self.table
        out = [noun]
        try:
            for item in out:  # grows while it is read
                out += table[type(item)](item, context)
        except KeyError as error:
            raise self._unhandled(item) from error

    def receive(self, message: Noun, sender: int, now: int) -> None:
        """Give the node a message of a peer."""
        self.context.sender = sender
        self.feed(message, now)

    def carried(self, sent: Noun, arrived: Noun) -> None:
        """Hear that a message has travelled as bytes and which noun it is now; a traced node keeps its cause."""

    def _unhandled(self, item: Noun) -> Exception:
        if type(item) in self.table:  # a KeyError of the handler itself is a bug of the layer
            return LocalProtocolError(f"{self.owner.get(type(item), 'the host')} failed on {item!r}")
        return LocalProtocolError(f"node {self.number}: nobody handles {item!r}")
