"""How bytes get from node to node in virtual time: channels, faults, and the reliable channel of every hop.

An ideal channel without faults needs none of this: the simulation passes message objects (`Simulation.sender`).
Otherwise every message is encoded, put on its channel with a checksum, and decoded where it arrives:

- planes 0 and 1 are datagrams: what is lost is lost, and their protocols repair it;
- all other planes ride on a `Reliable` machine at each end of the hop, so that loss shows as delay.

Bytes that are no message are counted and dropped, as a receiver of datagrams does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from qstack.core.errors import HostError, WireError
from qstack.core.layer import Context, Handler, Outputs
from qstack.core.nouns import Message, Send
from qstack.hosts.faults import Faults
from qstack.hosts.reliable import Datagram, Reliable, Step
from qstack.hosts.simulation import Simulation
from qstack.plugin.chance import generator
from qstack.plugin.contracts import ClassicalChannel, Selection
from qstack.services.classical import NeighbourFound, NeighbourLost
from qstack.wire.channel import Tag, tag_of, tagged
from qstack.wire.codec import ACK_WANTED, CHECKED, LAYOUTS, Plane, decode, encode, header

Hop = tuple[int, int]
"""Sending and receiving node."""

DATAGRAMS = frozenset({Plane.PHYSICAL, Plane.LINK})
"""Planes that repair their own losses."""
PATIENCE = 3
"""Timeout of a reliable channel in round trips."""
LEAST = 1_000_000
"""Least timeout of a reliable channel [ps]."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What messages of a run meet.

    Parameters
    ----------
    channel
        The scenario's choice.
    light
        Time that light takes between two nodes [ps].
    names
        Of the nodes, by number: they name the random streams.
    seed, shot
        Of the run.
    faults
        The fault kit, None without faults.
    """

    channel: Selection
    light: Callable[[int, int], int]
    names: tuple[str, ...]
    seed: int
    shot: int
    faults: Faults | None = None

    def make(self, hop: Hop) -> ClassicalChannel:
        """Return the channel of a hop."""
        made: ClassicalChannel = self.channel.make(delay=self.light(*hop))
        return made


@dataclass(slots=True)
class Way:
    """One direction between two nodes."""

    channel: ClassicalChannel
    draw: np.random.Generator
    sent: int = 0


@dataclass(slots=True)
class End:
    """One end of a hop: its machine, and for when it is on the heap [ps]."""

    machine: Reliable
    wake: int | None = None


@dataclass(slots=True)
class Carriage:
    """All channels of a simulated network.

    Parameters
    ----------
    simulation
        The host.
    conditions
        What messages meet.

    Attributes
    ----------
    counts
        Datagrams ``sent``, ``lost`` (by channels and faults), ``refused`` (no message any more), ``repeated`` by
        reliable channels, and neighbours ``lost sight of``.
    """

    simulation: Simulation
    conditions: Conditions
    counts: Counter[str] = field(default_factory=Counter)
    ways: dict[Hop, Way] = field(default_factory=dict)
    ends: dict[Hop, End] = field(default_factory=dict)
    bare: bool = field(init=False)

    def __post_init__(self) -> None:
        conditions = self.conditions
        self.bare = conditions.faults is None and conditions.channel.make(delay=0).ideal

    def sender(self, number: int) -> Handler:
        """Return what carries a node's messages."""
        messages = self.simulation.messages
        messages[number] = 0

        def send(noun: Send, context: Context) -> Outputs:
            messages[number] += 1
            self._send((number, noun.peer), noun.message, context.now)
            return ()

        return send

    def _send(self, hop: Hop, message: Message, now: int) -> None:
        layout = LAYOUTS.get(type(message))
        if layout is None or layout.plane is None:
            name = type(message).__name__
            raise HostError(f"{name} has no layout: only an ideal channel without faults can carry it as an object")
        if self.bare:
            way = self._way(hop)
            self._put(hop, encode(message, way.sent), now + way.channel.delay, message)
            way.sent += 1
        elif layout.plane in DATAGRAMS:
            self._carry(hop, Datagram(message, self._way(hop).sent), now)
        else:
            self._obey(hop, self._end(hop).machine.send(message, now), now)

    # -- on the channel -----------------------------------------------------------------------------------------------

    def _carry(self, hop: Hop, datagram: Datagram, now: int) -> None:
        """Put a datagram on its channel."""
        way = self._way(hop)
        way.sent += 1
        flags = CHECKED | (ACK_WANTED if datagram.wanted else 0)
        if LAYOUTS[type(datagram.message)].plane in DATAGRAMS:
            data = encode(datagram.message, datagram.sequence, flags)
        else:
            data = tagged(datagram.message, datagram.sequence, flags, datagram.tag)
        flights = [(at, data) for at in way.channel.arrivals(now, len(data), way.draw)]
        faults = self.conditions.faults
        left = flights if faults is None else faults.apply(type(datagram.message).__name__, hop, flights)
        self.counts["sent"] += 1
        self.counts["lost"] += not left
        for at, copy in left:
            self._put(hop, copy, at, datagram.message)

    def _put(self, hop: Hop, data: bytes, at: int, sent: Message) -> None:
        """Have bytes arrive at a time; `sent` is what they were, for a trace that wants the cause."""
        self.simulation.deliver(hop, at, self._arrive, (hop, data, sent))

    def _arrive(self, flight: tuple[Hop, bytes, Message]) -> None:
        self.arrived(*flight)

    def arrived(self, hop: Hop, data: bytes, sent: Message | None = None) -> None:
        """Take bytes at their receiver."""
        now = self.simulation.now
        source, target = hop
        try:
            message = decode(data)
            head = header(data)
            tag = None if self.bare or head.plane in DATAGRAMS else tag_of(data) or Tag(0, 0)
        except WireError:
            self.counts["refused"] += 1
            return
        assert isinstance(message, Message)
        if sent is not None:
            self.simulation.nodes[target].carried(sent, message)
        if tag is None:
            self._deliver(message, source, target, now)
            return
        datagram = Datagram(message, head.sequence, bool(head.flags & ACK_WANTED), tag)
        back = (target, source)
        self._obey(back, self._end(back).machine.receive(datagram, now), now)

    def _deliver(self, message: Message, source: int, target: int, now: int) -> None:
        """Give a message to the layers of its receiver."""
        self.simulation.nodes[target].receive(message, source, now)

    # -- reliable channels --------------------------------------------------------------------------------------------

    def _obey(self, hop: Hop, step: Step, now: int) -> None:
        """Do what the machine at the sending end of a hop wants."""
        number, peer = hop
        if step.lost:
            self.counts["lost sight of"] += 1
            self._inform(number, NeighbourLost(peer), now)
        if step.found:
            self._inform(number, NeighbourFound(peer), now)
        for datagram in step.out:
            self._carry(hop, datagram, now)
        end = self._end(hop)
        deadline = end.machine.deadline
        if deadline is not None and (end.wake is None or deadline < end.wake):
            end.wake = deadline
            self.simulation.at(deadline, self._wake, (hop, deadline))
        for message in step.up:
            self._deliver(message, peer, number, now)

    def _inform(self, number: int, noun: NeighbourLost | NeighbourFound, now: int) -> None:
        """Tell the layers of a node how a neighbour is, if they want to know."""
        node = self.simulation.nodes[number]
        if type(noun) in node.table:
            node.feed(noun, now)

    def _wake(self, event: tuple[Hop, int]) -> None:
        hop, wake = event
        end = self._end(hop)
        if end.wake != wake:
            return  # an earlier one has taken its place
        end.wake = None
        before = end.machine.repeated
        self._obey(hop, end.machine.due(self.simulation.now), self.simulation.now)
        self.counts["repeated"] += end.machine.repeated - before

    def _way(self, hop: Hop) -> Way:
        way = self.ways.get(hop)
        if way is None:
            c = self.conditions
            name = f"channel {c.names[hop[0]]} > {c.names[hop[1]]}"
            way = self.ways[hop] = Way(c.make(hop), generator(c.seed, c.shot, name))
        return way

    def _end(self, hop: Hop) -> End:
        end = self.ends.get(hop)
        if end is None:
            round_trip = self._way(hop).channel.delay + self._way(hop[::-1]).channel.delay
            end = self.ends[hop] = End(self._machine(hop, PATIENCE * round_trip))
        return end

    def _machine(self, hop: Hop, patience: int) -> Reliable:
        """Return a new machine for the sending end of a hop; `patience` is its timeout [ps]."""
        return Reliable(hop[0], max(LEAST, patience))
