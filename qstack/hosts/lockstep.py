"""The socket host in lock-step: real TLS sockets, real bytes, virtual time.

Virtual time advances only when every node is idle and every byte sent has arrived: between two events the host writes
what was sent to the sockets and waits until the receivers have it.  An event that delivers a message takes it from what
its receiver has read.  Nothing depends on how fast the sockets are, so the transcript equals the simulation's.

Channels and faults are those of `qstack.hosts.carriage`: they decide when bytes count as arrived, and which are never
sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from qstack.core.errors import HostError
from qstack.core.node import Node
from qstack.core.nouns import Message
from qstack.hosts.build import Network, build
from qstack.hosts.carriage import Carriage, Conditions, Hop
from qstack.hosts.ports import Identity, Limits, Line, Port
from qstack.hosts.simulation import Simulation
from qstack.hosts.streams import Address
from qstack.scenario.plan import Plan

PATIENCE = 20.0
"""How long bytes may take on loopback before something must be broken [s]."""
UNHURRIED = Limits(keepalive=3600.0, silence=7200.0, rate=1e9, waiting=1 << 24)
"""Between two events a node may compute for as long as it likes."""


class Sockets(Carriage):
    """Channels whose bytes travel through sockets.

    Attributes
    ----------
    outbox
        Bytes not written yet.
    inbox
        What has arrived by hop, in the order of the stream.
    sent, taken
        How many messages each hop has sent; how many the simulation has consumed of those that came.
    """

    def __init__(self, simulation: Simulation, conditions: Conditions) -> None:
        super().__init__(simulation, conditions)
        self.outbox: deque[tuple[Hop, bytes]] = deque()
        self.inbox: dict[Hop, dict[int, bytes]] = {}
        self.sent: Counter[Hop] = Counter()
        self.came: Counter[Hop] = Counter()
        self.under_way = 0
        self.bytes = 0

    def _put(self, hop: Hop, data: bytes, at: int, sent: Message) -> None:
        """Send bytes now, and have them count at their time."""
        self.outbox.append((hop, data))
        self.simulation.deliver(hop, at, self._take, (hop, self.sent[hop], sent))
        self.sent[hop] += 1

    def _take(self, event: tuple[Hop, int, Message]) -> None:
        hop, place, sent = event
        self.arrived(hop, self.inbox[hop].pop(place), sent)

    def heard(self, hop: Hop, data: bytes) -> None:
        """Keep a message until its time has come."""
        self.inbox.setdefault(hop, {})[self.came[hop]] = data
        self.came[hop] += 1
        self.under_way -= 1
        self.bytes += len(data)


@dataclass(slots=True)
class Ear:
    """What a node's port tells."""

    number: int
    carriage: Sockets
    changed: asyncio.Event
    problems: list[str] = field(default_factory=list)

    def heard(self, peer: int, data: bytes) -> None:
        """Keep a message."""
        self.carriage.heard((peer, self.number), data)
        self.changed.set()

    def introduced(self, peer: int, incarnation: int) -> None:
        """All nodes start at once."""

    def gone(self, peer: int, why: str) -> None:
        """A connection ended before the run did."""
        self.refused(f"node {peer}: {why}")

    def refused(self, text: str) -> None:
        """Somebody was turned away."""
        self.problems.append(text)
        self.changed.set()


class LockStep:
    """A network on sockets, all nodes in this process.

    Parameters
    ----------
    plan
        From `qstack.scenario.plan.plan`.
    identities
        Certificates by node name.
    seed, shot
        Of the run.
    node_class
        What piles the layers up.

    Attributes
    ----------
    network
        As `qstack.hosts.build.build` returns it.
    """

    def __init__(
        self,
        plan: Plan,
        identities: Mapping[str, Identity],
        *,
        seed: int,
        shot: int = 0,
        node_class: Callable[..., Node] = Node,
    ) -> None:
        self.identities = identities
        self.network: Network = build(plan, seed=seed, shot=shot, node_class=node_class, carriage=Sockets)
        assert isinstance(self.network.carriage, Sockets)
        self.carriage = self.network.carriage

    def run(self, until: int) -> None:
        """Fire events up to and including a time [ps], over sockets that are opened and closed here.

        Raises
        ------
        HostError
            If bytes do not arrive.
        """
        asyncio.run(self._run(until))

    async def _run(self, until: int) -> None:
        changed = asyncio.Event()
        names = self.network.plan.names
        ears = [Ear(number, self.carriage, changed) for number in range(len(names))]
        ports = [
            Port(ear.number, names, self.identities[name], 1, ear, UNHURRIED)
            for ear, name in zip(ears, names, strict=True)
        ]
        try:
            addresses = [port.reserve(("127.0.0.1", 0)) for port in ports]
            for port in ports:
                port.listen()
            write = partial(self._write, ports, addresses, {})
            more = True
            while more:
                await write()
                await self._arrived(changed, ears)
                more = self.network.simulation.step(until)
        finally:
            for port in ports:
                await port.close()

    async def _write(self, ports: list[Port], addresses: list[Address], lines: dict[Hop, Line]) -> None:
        """Write what was sent; a direction is opened when it is first used."""
        carriage = self.carriage
        while carriage.outbox:
            hop, data = carriage.outbox.popleft()
            if hop not in lines:
                lines[hop] = await ports[hop[0]].connect(hop[1], addresses[hop[1]])
            carriage.under_way += 1
            lines[hop].send(data)

    async def _arrived(self, changed: asyncio.Event, ears: list[Ear]) -> None:
        """Wait until everything that was sent is there."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self.carriage.under_way:
                    changed.clear()
                    await changed.wait()
                    problems = [problem for ear in ears for problem in ear.problems]
                    if problems:
                        raise HostError("; ".join(problems))
        except TimeoutError as error:
            raise HostError(f"{self.carriage.under_way} messages were sent and have not arrived") from error
