"""Channels and faults on the wall clock: what a scenario orders happens to the messages of real sockets.

Each process makes the weather of what it sends.  Channels draw from the same streams as in a simulation; light's time and
everything a channel adds pass on the wall clock before bytes are written to the socket, and messages of planes 2 to 4
ride on a `Reliable` machine a neighbour, as in virtual time.  Whether a neighbour lives is a matter of its connection: when
that ends, machine and messages under way end with it, so nothing of a former start ever reaches a later one.

A rule that counts (`nth`) needs `from`, because a process sees only what it sends itself; simultaneous events have no
order to be shuffled.  Both are refused.  Rules that draw do so from a stream of each process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from qstack.core.errors import ConfigError
from qstack.core.node import Node
from qstack.core.nouns import Message
from qstack.hosts.build import light_of
from qstack.hosts.carriage import Carriage, Conditions, Hop
from qstack.hosts.faults import Faults
from qstack.hosts.reliable import Datagram, Reliable
from qstack.hosts.wall import Wall
from qstack.scenario.plan import Plan
from qstack.services.classical import NeighbourFound, NeighbourLost
from qstack.wire.network import Keepalive

LEAST = 0.05
"""Least timeout of a reliable channel: sockets and processes take their time [s]."""


class Sender(Protocol):
    """The host of one node."""

    number: int
    node: Node
    clock: Wall

    def starts(self, peer: int) -> tuple[int, int]:
        """Return which start of this node and of a neighbour are connected."""
        ...

    def write(self, peer: int, data: bytes) -> None:
        """Write bytes to a neighbour; nothing happens if it is not connected."""
        ...

    def take(self, message: Message, peer: int) -> None:
        """Give a message to the layers."""
        ...

    def missed(self, peer: int) -> None:
        """Hear that a neighbour does not acknowledge anything any more."""
        ...


class Local:
    """Stands for the simulation: the clock and the only node of this process."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.messages: dict[int, int] = {}

    @property
    def now(self) -> int:
        """The present [ps]."""
        return self.sender.clock.now

    @property
    def nodes(self) -> Mapping[int, Node]:
        """The node."""
        return {self.sender.number: self.sender.node}

    def at(self, time: int, call: object, argument: object) -> None:
        """Call later."""
        self.sender.clock.at(time, call, argument)  # type: ignore[arg-type]  # as Simulation.at takes them


class Weather(Carriage):
    """Channels of one node on the wall clock."""

    def __init__(self, sender: Sender, conditions: Conditions) -> None:
        super().__init__(Local(sender), conditions)  # type: ignore[arg-type]  # has what a carriage uses of it
        self.sender_host = sender
        self.sessions: dict[int, int] = {}

    def send(self, peer: int, message: Message) -> None:
        """Send a message to a neighbour that is connected."""
        self._send((self.sender_host.number, peer), message, self.simulation.now)

    def forget(self, peer: int) -> None:
        """Drop everything that was under way to a neighbour and from it."""
        self.sessions[peer] = self.sessions.get(peer, 0) + 1
        self.ends.pop((self.sender_host.number, peer), None)

    def _carry(self, hop: Hop, datagram: Datagram, now: int) -> None:
        if not isinstance(datagram.message, Keepalive):  # liveness is the connection's
            Carriage._carry(self, hop, datagram, now)  # noqa: SLF001 - its own; slots and super() do not mix

    def _put(self, hop: Hop, data: bytes, at: int, sent: Message) -> None:
        peer = hop[1]
        self.sender_host.clock.at(at, self._launch, (peer, self.sessions.get(peer, 0), data))

    def _launch(self, flight: tuple[int, int, bytes]) -> None:
        peer, session, data = flight
        if session == self.sessions.get(peer, 0):
            self.sender_host.write(peer, data)

    def _deliver(self, message: Message, source: int, target: int, now: int) -> None:
        self.sender_host.take(message, source)

    def _inform(self, number: int, noun: NeighbourLost | NeighbourFound, now: int) -> None:
        if isinstance(noun, NeighbourLost):
            self.sender_host.missed(noun.peer)

    def _machine(self, hop: Hop, patience: int) -> Reliable:
        host = self.sender_host
        mine, theirs = host.starts(hop[1])
        least = round(LEAST / host.clock.slow * 1e12)
        return Reliable(hop[0], max(least, patience), incarnation=mine, theirs=theirs)


def weather_of(plan: Plan, sender: Sender) -> Weather | None:
    """Return the weather that a scenario orders, None if it orders none.

    Raises
    ------
    ConfigError
        If it orders what no process can do.
    """
    scenario, seed = plan.scenario, plan.scenario.run.seed
    if scenario.run.shuffle_ties is not None:
        raise ConfigError("run.shuffle_ties  simultaneous events have no order on the wall clock: leave it out.")
    for place, fault in enumerate(scenario.faults):
        if fault.with_midpoint:
            raise ConfigError(f"faults.{place}.message  the laboratory talks with its midpoints itself: leave it out.")
        if fault.nth is not None and fault.source is None:
            raise ConfigError(
                f"faults.{place}.nth  counts the messages of one node on the wall clock: name it with 'from'."
            )
    channel = scenario.network.channel
    if not scenario.faults and channel.make(delay=0).ideal:
        return None
    faults = Faults(scenario.faults, plan.names, seed, sender.number) if scenario.faults else None
    return Weather(sender, Conditions(channel, light_of(plan), plan.names, seed, 0, faults))
