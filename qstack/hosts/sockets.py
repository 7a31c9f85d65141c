"""The socket host on the wall clock: one node as a process, its device in a laboratory, its neighbours over TLS.

    neighbour   LOST --connected/NeighbourFound--> UP
                UP --connection ends | silence | new incarnation/NeighbourLost--> LOST

A node begins with all neighbours lost: it does not know what it had agreed before it was started.

Messages to a neighbour that is not there wait for it, at most `BACKLOG`; those on planes 0 and 1 do not wait, because
their protocols repeat them.  When a neighbour is lost everything that waits for it is dropped, the layers are told, and
the host tries to connect again until it succeeds.  On a connection messages count from 0: a number that was there before
is a replay and dropped, a gap ends the connection.

A message that a layer refuses is dropped, counted and reported; the node goes on.  An error of the laboratory ends the
process, because a node without its device is none.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from qstack.core.errors import HostError, ProtocolError, RemoteProtocolError, WireError
from qstack.core.layer import Context, Handler, Outputs
from qstack.core.node import Node
from qstack.core.nouns import Cancel, Indication, Message, Note, Noun, Send, Set
from qstack.hosts.build import applications, pile
from qstack.hosts.laboratory import PROTOCOL, lines
from qstack.hosts.plain import INDICATIONS, REQUESTS, line, noun_of, object_of
from qstack.hosts.ports import LIMITS, Identity, Limits, Line, Port
from qstack.hosts.streams import Address, reason, text
from qstack.hosts.wall import Timers, Wall
from qstack.integration.tls import client_context, common_name
from qstack.scenario.plan import Plan
from qstack.services import l5_application
from qstack.services.classical import NeighbourFound, NeighbourLost
from qstack.services.l3_network import FidelityTested
from qstack.services.l5_application import Finished, Start
from qstack.wire.codec import LAYOUTS, Plane, decode, encode, header

BACKLOG = 1024
"""Messages that may wait for a neighbour."""
RETRY = 0.2
"""Time between two tries to connect [s]."""
NUMBERS = 1 << 16
LABORATORY = "laboratory"


@dataclass(slots=True)
class Neighbour:
    """What the host knows of another node.

    Attributes
    ----------
    line
        The direction to it, while it is open.
    incarnation
        Of its last introduction; 0 if there was none.
    sent, expected
        Number of the next message to it and from it on the present connections.
    told_lost
        Whether the layers believe that it is lost.
    met
        Whether there has ever been a connection to it.
    """

    line: Line | None = None
    incarnation: int = 0
    sent: int = 0
    expected: int = 0
    told_lost: bool = True
    met: asyncio.Event = field(default_factory=asyncio.Event)
    backlog: deque[Message] = field(default_factory=deque)


class NodeHost:
    """One node.

    Parameters
    ----------
    plan, number
        Which node of which network.
    identity
        Its certificate.
    addresses
        Of all nodes and of the laboratory, by name.
    report
        Takes what happens, as plain data.
    limits
        What its port bears.
    again
        Time after which a flow that ended with a reason is started again [s]; None leaves it.
    """

    def __init__(
        self,
        plan: Plan,
        number: int,
        identity: Identity,
        addresses: Mapping[str, Address],
        report: Callable[[dict[str, Any]], None],
        *,
        limits: Limits = LIMITS,
        again: float | None = 1.0,
    ) -> None:
        self.plan = plan
        self.number = number
        self.names = plan.names
        self.identity = identity
        self.addresses = addresses
        self.sink = report
        self.limits = limits
        self.again = again
        self.counts: Counter[str] = Counter()
        self.others: dict[int, Neighbour] = {}
        self.open = [flow.number for flow in plan.flows if number in (flow.source, flow.target)]
        self.done = asyncio.Event()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.clock = Wall(time.time_ns(), 1.0)
        self.port = Port(number, plan.names, identity, int(time.time()), self, limits)
        self.laboratory: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Serve until cancelled.

        Raises
        ------
        HostError
            If the address is in use, or the laboratory is not there any more or speaks another protocol.
        """
        address = self.port.reserve(self.addresses[self.names[self.number]])
        try:
            reader = await self._find_laboratory()
            self._build()
            self.port.listen()
            self.report("listening", address=text(address))
            work = [self.port.spawn(self.clock.run()), self.port.spawn(self._obey(reader))]
            for peer in sorted({end for link in self.plan.links for end in link.ends if self.number in link.ends}):
                if peer != self.number:
                    self._inform(NeighbourLost(peer))
                    self._meet(peer)
            work.append(self.port.spawn(self._start()))
            await asyncio.wait((*work[:2], self.failed), return_when=asyncio.FIRST_COMPLETED)
            ended = [task.exception() for task in (*work[:2], self.failed) if task.done()]
            raise next(error for error in ended if error is not None)
        finally:
            await self.port.close()
            if self.laboratory is not None:
                self.laboratory.transport.abort()

    def report(self, event: str, **more: Any) -> None:
        """Tell what happened."""
        self.sink({"time_ps": str(self.clock.now), "node": self.names[self.number], "event": event, **more})

    # -- the pile -----------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        ends = applications(self.plan).get(self.number, {})
        layers = pile(self.plan, self.number, ends, {})
        self.timers = Timers(self.clock, self._feed)

        def arm(noun: Set, ctx: Context) -> Outputs:
            self.timers.set(noun)
            return ()

        def disarm(noun: Cancel, ctx: Context) -> Outputs:
            self.timers.cancel(noun)
            return ()

        def note(noun: Note, ctx: Context) -> Outputs:
            self.report("note", text=noun.text)
            return ()

        host: dict[type[Noun], Handler] = {Set: arm, Cancel: disarm, Note: note, Send: self._send}
        devices: dict[type[Noun], Handler] = dict.fromkeys(REQUESTS.values(), self._ask)
        users: dict[type[Noun], Handler] = {
            kind: self._tell
            for kind in vars(l5_application).values()
            if isinstance(kind, type) and issubclass(kind, Indication) and kind is not Indication
        }
        users[FidelityTested] = self._tell
        self.node = Node(self.number, layers, {**devices, **users, **host})

    def _feed(self, noun: Noun) -> None:
        """Give the node something that is not a message; what its layers refuse is reported."""
        try:
            self.node.feed(noun, self.clock.now)
        except ProtocolError as error:
            self._refuse(type(noun).__name__, error)

    def _refuse(self, what: str, error: Exception) -> None:
        self.counts[what] += 1
        if self.counts[what] <= MOST_REPORTS:
            self.report("refused", noun=what, why=str(error), times=self.counts[what])

    def _tell(self, noun: Any, ctx: Context) -> Outputs:
        """Report what applications tell."""
        values = {name: getattr(noun, name) for name in type(noun).__slots__}
        self.report(type(noun).__name__, **values)
        if isinstance(noun, Finished):
            if noun.reason == 0:
                self.open = [flow for flow in self.open if flow != noun.flow]
                if not self.open:
                    self.done.set()
            elif self.again is not None and self.plan.flows[noun.flow].source == self.number:
                asyncio.get_running_loop().call_later(self.again, self._feed, Start(noun.flow))
        return ()

    async def _start(self) -> None:
        """Start the flows of this node as soon as its neighbours are there."""
        await asyncio.gather(*(other.met.wait() for other in self.others.values()))
        for flow in self.plan.flows:
            if flow.source == self.number:
                self.clock.at(max(flow.flow.start, self.clock.now), self._feed, Start(flow.number))

    # -- the laboratory -----------------------------------------------------------------------------------------------

    async def _find_laboratory(self) -> asyncio.StreamReader:
        """Connect to the laboratory and take its time."""
        context = client_context(self.identity.certificate, self.identity.key, self.identity.authority)
        context.check_hostname = False  # known by its name, not by that of its host
        address = self.addresses[LABORATORY]
        deadline = asyncio.get_running_loop().time() + self.limits.silence * 4
        while True:
            try:
                return await self._greet(context, address)
            except ConnectionRefusedError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise HostError(f"the laboratory at {text(address)}: {reason(error)}") from error
                await asyncio.sleep(RETRY)
            except (OSError, TimeoutError, WireError, RemoteProtocolError) as error:
                raise HostError(f"the laboratory at {text(address)}: {reason(error)}") from error

    async def _greet(self, context: ssl.SSLContext, address: Address) -> asyncio.StreamReader:
        async with asyncio.timeout(self.limits.handshake):
            reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname="")
            self.laboratory = writer
            shown = common_name(writer.get_extra_info("peercert") or {})
            if shown != LABORATORY:
                raise RemoteProtocolError(f"the certificate is that of {shown!r}, not of {LABORATORY!r}")
            data = await lines(reader)
        if not data:
            raise RemoteProtocolError("it refuses this node, and its own log says why")
        greeting = object_of(data)
        if greeting.get("laboratory") != PROTOCOL or greeting.get("node") != self.number:
            raise RemoteProtocolError(f"it greets node {self.number} with {greeting}")
        self.clock = Wall(int(greeting["origin_ns"]), float(greeting["slow"]))
        return reader

    def _ask(self, noun: Noun, ctx: Context) -> Outputs:
        """Hand a device request to the laboratory."""
        assert self.laboratory is not None
        self.laboratory.write(line(noun))
        if self.laboratory.transport.get_write_buffer_size() > self.limits.waiting and not self.failed.done():
            self.failed.set_exception(HostError("the laboratory does not read what it is sent"))
        return ()

    async def _obey(self, reader: asyncio.StreamReader) -> None:
        """Take what the device tells."""
        try:
            while data := await lines(reader):
                if data.startswith(b'{"error"'):
                    self._refuse("device request", HostError(str(object_of(data)["error"])))
                else:
                    self._feed(noun_of(data, INDICATIONS))
            why = "it closed the connection"
        except (OSError, WireError) as error:
            why = reason(error)
        raise HostError(f"the laboratory is gone: {why}")

    # -- other nodes --------------------------------------------------------------------------------------------------

    def _meet(self, peer: int) -> Neighbour:
        """Begin to keep a connection to a node."""
        other = self.others.get(peer)
        if other is None:
            other = self.others[peer] = Neighbour()
            self.port.spawn(self._keep(peer, other))
        return other

    async def _keep(self, peer: int, other: Neighbour) -> None:
        """Keep the direction to a node open; tell once why it cannot be opened."""
        told = ""
        while True:
            try:
                opened = await self.port.connect(peer, self.addresses[self.names[peer]])
            except HostError as error:
                if str(error) != told:
                    told = str(error)
                    self.report("unreachable", peer=self.names[peer], why=told)
                await asyncio.sleep(RETRY)
                continue
            told = ""
            self._known(peer, other, opened.incarnation)
            other.line, other.sent = opened, 0
            other.met.set()
            self.report("connected", peer=self.names[peer])
            self._find(peer, other)
            while other.backlog and other.line is opened:
                self._transmit(other, other.backlog.popleft())
            assert opened.task is not None
            await asyncio.wait((opened.task,))
            if other.line is opened:
                self._lose(peer, other, opened.lost or "closed")
            await asyncio.sleep(RETRY)

    def _known(self, peer: int, other: Neighbour, incarnation: int) -> None:
        """Take note of which start of a neighbour this is; a new one has forgotten everything."""
        if other.incarnation not in (0, incarnation) and not other.told_lost:
            self._lose(peer, other, f"it has started anew ({incarnation})")
        other.incarnation = incarnation

    def _lose(self, peer: int, other: Neighbour, why: str) -> None:
        """Give up what was agreed with a neighbour, once."""
        other.backlog.clear()
        self.port.hang_up(peer)
        if other.line is not None:
            other.line.writer.transport.abort()
            other.line = None
        if not other.told_lost:
            other.told_lost = True
            self.report("lost", peer=self.names[peer], why=why)
            self._inform(NeighbourLost(peer))

    def _find(self, peer: int, other: Neighbour) -> None:
        """Take up a neighbour that was lost."""
        if other.told_lost:
            other.told_lost = False
            self._inform(NeighbourFound(peer))

    def _inform(self, noun: Noun) -> None:
        if type(noun) in self.node.table:
            self._feed(noun)

    def _send(self, noun: Send, ctx: Context) -> Outputs:
        other = self._meet(noun.peer)
        if other.line is not None and not other.backlog:
            self._transmit(other, noun.message)
        elif LAYOUTS[type(noun.message)].plane not in {Plane.PHYSICAL, Plane.LINK}:
            other.backlog.append(noun.message)
            if len(other.backlog) > BACKLOG:
                other.backlog.popleft()
                self.counts["backlog dropped"] += 1
        return ()

    def _transmit(self, other: Neighbour, message: Message) -> None:
        assert other.line is not None
        try:
            data = encode(message, other.sent)
        except WireError as error:
            self._refuse(type(message).__name__, error)
            return
        other.line.send(data)
        other.sent = (other.sent + 1) % NUMBERS

    # -- what the port tells ------------------------------------------------------------------------------------------

    def introduced(self, peer: int, incarnation: int) -> None:
        """A neighbour has opened its direction."""
        other = self._meet(peer)
        self._known(peer, other, incarnation)
        self._find(peer, other)
        other.expected = 0

    def heard(self, peer: int, data: bytes) -> None:
        """Take a message of a neighbour."""
        other = self.others[peer]
        ahead = (header(data).sequence - other.expected) % NUMBERS
        if ahead >= NUMBERS // 2:
            self._refuse("replay", RemoteProtocolError(f"{self.names[peer]} repeats a message"))
            return
        if ahead:
            raise RemoteProtocolError(f"{ahead} messages of {self.names[peer]} are missing")
        other.expected = (other.expected + 1) % NUMBERS
        message = decode(data)
        try:
            assert isinstance(message, Message)
            self.node.receive(message, peer, self.clock.now)
        except ProtocolError as error:
            self._refuse(type(message).__name__, error)

    def gone(self, peer: int, why: str) -> None:
        """A connection has ended: what was under way on it is lost, so everything agreed is void."""
        self._lose(peer, self.others[peer], why)

    def refused(self, text: str) -> None:
        """Somebody was turned away."""
        self._refuse("connection", HostError(text))


MOST_REPORTS = 20
"""Refusals of one kind that are reported; later ones are only counted."""
