"""The virtual-time host: one heap, deterministic.

Events fire in the order (time, sequence): at equal times, first asked is first served.  Everything random comes from
the medium.  A run stops at a time, when nothing is left to do, when only housekeeping is left, or when it is told to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from typing import Any

from qstack.core.errors import HostError
from qstack.core.layer import Context, Handler, Layer, Outputs
from qstack.core.node import Node
from qstack.core.nouns import Cancel, Message, Note, Noun, Send, Set, Timer
from qstack.hosts.optional import EFFECTS

Event = tuple[int, int, Callable[[Any], None], Any]

COUNTS = 1 << 48
"""Events of a run: with shuffled ties, an event's place is a draw times this, plus its count."""


def _shuffled(draw: Callable[[], int]) -> Callable[[], int]:
    """Return places that are in random order, and unique all the same."""
    count = itertools.count().__next__
    return lambda: draw() * COUNTS + count()


class Simulation:
    """Nodes, a heap, and virtual time.

    Attributes
    ----------
    now
        The present [ps].
    nodes
        Nodes by number.
    events
        How many events have fired.
    messages
        How many messages each node has sent.
    stopped
        Set to True to stop after the present event.
    idle
        True when a run ended because nothing but housekeeping was left to do.

    Parameters
    ----------
    node_class
        What piles the layers up.
    ties
        Draws the places of simultaneous events; None keeps the order in which they were asked for.  Messages of one
        node to another keep their order in any case: a hop that reorders is a matter of its channel.
    """

    def __init__(self, node_class: Callable[..., Node] = Node, ties: Callable[[], int] | None = None) -> None:
        self.now = 0
        self.nodes: dict[int, Node] = {}
        self.heap: list[Event] = []
        self.events = 0
        self.messages: dict[int, int] = {}
        self.stopped = False
        self.idle = False
        self._node_class = node_class
        self._housekeeping = 0
        self._next = _shuffled(ties) if ties else itertools.count().__next__
        self._last: dict[tuple[int, int], tuple[int, int]] = {}
        self._ordered = ties is None

    def at(self, time: int, call: Callable[[Any], None], argument: Any) -> None:
        """Call later; calls at equal times happen in the order in which they were asked for.

        Raises
        ------
        HostError
            If the time has passed already: nothing is ever dropped in silence.
        """
        if time < self.now:
            raise HostError(f"an event for {time} ps was asked for at {self.now} ps")
        following = self._next
        heappush(self.heap, (time, following(), call, argument))

    def deliver(self, hop: tuple[int, int], time: int, call: Callable[[Any], None], argument: Any) -> None:
        """Call later, as `at`, but never before an earlier delivery of the same hop at the same time."""
        if self._ordered:
            heappush(self.heap, (time, self._next(), call, argument))
            return
        place = self._next()
        before = self._last.get(hop, (-1, 0))
        if before[0] == time:
            place = before[1] // COUNTS * COUNTS + place % COUNTS  # the same draw, a later count
        self._last[hop] = (time, place)
        heappush(self.heap, (time, place, call, argument))

    def add_node(
        self,
        number: int,
        layers: Iterable[Layer],
        device: Mapping[type[Noun], Handler],
        delays: Callable[[int, int], int],
        user: Mapping[type[Noun], Handler],
        sender: Handler | None = None,
    ) -> Node:
        """Put a pile of layers into the network.

        Parameters
        ----------
        number
            Address of the node.
        layers
            The pile, lowest first.
        device
            What answers device requests.
        delays
            Gives the time a message takes between two nodes [ps].
        user
            What takes the indications that leave the top.
        sender
            What carries messages where objects after a fixed delay do not do; see `qstack.hosts.carriage`.
        """
        sender = sender or self._sender(number, delays)
        node = self._node_class(number, layers, {**EFFECTS, **device, **user, **self._effects(number, sender)})
        self.nodes[number] = node
        return node

    def _effects(self, number: int, sender: Handler) -> dict[type[Noun], Handler]:
        """Return what this host does for `Send`, `Set`, `Cancel` and `Note` of one node."""

        def note(noun: Note, context: Context) -> Outputs:
            return ()

        return {Send: sender, Note: note, **self._timers(number)}

    def _sender(self, number: int, delays: Callable[[int, int], int]) -> Handler:
        """Return what delivers a node's messages."""
        push, heap, following = heappush, self.heap, self._next
        nodes = self.nodes
        routes: dict[int, tuple[int, Callable[[Message], None]]] = {}
        messages = self.messages
        messages[number] = 0

        def route(peer: int) -> tuple[int, Callable[[Message], None]]:
            feed, context = nodes[peer].feed, nodes[peer].context

            def arrive(message: Message) -> None:  # `Node.receive` without a further call
                context.sender = number
                feed(message, self.now)

            routes[peer] = found = (delays(number, peer), arrive)
            return found

        def send(noun: Send, context: Context) -> Outputs:
            try:
                delay, arrive = routes[noun.peer]
            except KeyError:
                delay, arrive = route(noun.peer)
            messages[number] += 1
            push(heap, (context.now + delay, following(), arrive, noun.message))
            return ()

        def send_in_order(noun: Send, context: Context) -> Outputs:
            peer = noun.peer
            delay, arrive = routes.get(peer) or route(peer)
            messages[number] += 1
            self.deliver((number, peer), context.now + delay, arrive, noun.message)
            return ()

        return send if self._ordered else send_in_order

    def _timers(self, number: int) -> dict[type[Noun], Handler]:
        """Return what keeps a node's timers: one that was cancelled or armed anew stays on the heap, and is passed over."""
        nodes, following = self.nodes, self._next
        armed: dict[Timer, int] = {}

        def fire(entry: tuple[Timer, int]) -> None:
            timer, token = entry
            if timer.housekeeping:
                self._housekeeping -= 1
            if armed.get(timer) == token:
                del armed[timer]
                nodes[number].feed(timer, self.now)

        def arm(noun: Set, context: Context) -> Outputs:
            timer = noun.timer
            armed[timer] = token = following()
            if timer.housekeeping:
                self._housekeeping += 1
            self.at(noun.at, fire, (timer, token))
            return ()

        def cancel(noun: Cancel, context: Context) -> Outputs:
            armed.pop(noun.timer, None)
            return ()

        return {Set: arm, Cancel: cancel}

    def step(self, until: int) -> bool:
        """Fire one event, as `run` would; return whether there may be another.  For hosts that wait between events."""
        heap = self.heap
        if len(heap) <= self._housekeeping or heap[0][0] > until:
            self.run(until)
            return False
        time, _, call, argument = heappop(heap)
        self.now = time
        call(argument)
        self.events += 1
        return not self.stopped

    def run(self, until: int) -> None:
        """Fire events up to and including a time.

        Parameters
        ----------
        until
            Where virtual time stands afterwards, unless the run was stopped or nothing is left to do [ps].
        """
        heap, pop = self.heap, heappop
        fired = 0
        try:
            while True:  # CPython 3.11 makes a loop fast at its unconditional jump back
                if len(heap) <= self._housekeeping:
                    self.idle = True
                    return
                time, place, call, argument = pop(heap)
                if time > until:
                    heappush(heap, (time, place, call, argument))
                    self.now = until
                    return
                self.now = time
                call(argument)
                fired += 1
                if self.stopped:
                    return
        finally:
            self.events += fired
