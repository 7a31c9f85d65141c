"""The socket host on the wall clock: one node as a process, its device behind a driver, its neighbours over TLS.

    neighbour   LOST --connected/NeighbourFound--> UP
                UP --connection ends | silence | new incarnation/NeighbourLost--> LOST

A node begins with all neighbours lost: it does not know what it had agreed before it was started.

Messages to a neighbour that is not there wait for it, at most `BACKLOG`; those on planes 0 and 1 do not wait, because
their protocols repeat them.  When a neighbour is lost everything that waits for it is dropped, the layers are told, and
the host tries to connect again until it succeeds.  On a connection messages count from 0: a number that was there before
is a replay and dropped, a gap ends the connection.

A message that a layer refuses is dropped, counted and reported; the node goes on.  So is what the device tells and cannot
be.  A device that is gone, hangs or speaks nonsense ends the process, because a node without its device is none.

Where the scenario orders channels or faults, `qstack.hosts.weather` stands between the layers and the sockets.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from qstack.core.errors import HostError, ProtocolError, RemoteProtocolError, WireError
from qstack.core.layer import Context, Handler, Outputs
from qstack.core.node import Node
from qstack.core.nouns import Cancel, Indication, Message, Note, Noun, Send, Set
from qstack.hosts.build import applications, pile
from qstack.hosts.driver import SocketDriver, Watch
from qstack.hosts.neighbours import Neighbour
from qstack.hosts.optional import EFFECTS
from qstack.hosts.plain import REQUESTS
from qstack.hosts.ports import LIMITS, Identity, Limits, Port
from qstack.hosts.reliable import TICK, start_number
from qstack.hosts.streams import Address, text
from qstack.hosts.wall import Timers, Wall
from qstack.hosts.weather import weather_of
from qstack.plugin.drivers import Driver, DriverSite, Refused
from qstack.scenario.plan import Plan
from qstack.services import l5_application
from qstack.services.classical import NeighbourFound, NeighbourLost
from qstack.services.l5_application import Finished, Start
from qstack.wire.codec import LAYOUTS, Plane, decode, encode, header

BACKLOG = 1024
"""Messages that may wait for a neighbour."""
RETRY = 0.2
"""Time between two tries to connect [s]."""
NUMBERS = 1 << 16
LABORATORY = "laboratory"


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
    driver
        Makes the driver of the device; None speaks to the laboratory.
    flows
        Numbers of the flows that this life still has to complete; None for all that end here.
    done
        Set when they are.

    Raises
    ------
    ConfigError
        If the scenario orders what cannot be on the wall clock.
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
        driver: Callable[[DriverSite], Driver] | None = None,
        flows: list[int] | None = None,
        done: asyncio.Event | None = None,
    ) -> None:
        self.plan = plan
        self.number = number
        self.names = plan.names
        self.addresses = addresses
        self.sink = report
        self.limits = limits
        self.again = again
        self.counts: Counter[str] = Counter()
        self.others: dict[int, Neighbour] = {}
        here = [flow.number for flow in plan.flows if number in (flow.source, flow.target)]
        self.open = here if flows is None else flows
        self.done = done or asyncio.Event()
        self.listening = False
        self.clock = Wall(time.time_ns(), 1.0)
        self.port = Port(number, plan.names, identity, start_number(time.time_ns()), self, limits)
        lanes = {end: link.sheet.lanes for link in plan.links if number in link.ends for end in link.ends}
        lanes.pop(number, None)
        files = (identity.certificate, identity.key, identity.authority)
        site = DriverSite(number, plan.names[number], lanes, addresses, *files, patience=limits.silence)
        self.watch = Watch(lanes)
        self.driver = driver(site) if driver else SocketDriver(site, LABORATORY, addresses[LABORATORY])
        self.weather = weather_of(plan, self)

    async def run(self) -> None:
        """Serve until cancelled.

        Raises
        ------
        HostError
            If the address is in use, or the device is gone, hangs or speaks nonsense.
        """
        address = self.port.reserve(self.addresses[self.names[self.number]])
        vital: tuple[asyncio.Task[None], ...] = ()
        try:
            await asyncio.sleep(TICK * 1e-9)  # a later start has a later number
            self.clock = Wall(*await self.driver.open())
            self._build()
            self.port.listen()
            self.listening = True
            self.report("listening", address=text(address))
            vital = tuple(self.port.spawn(life) for life in (self.clock.run(), self._obey(), self._insist()))
            for peer in sorted({end for link in self.plan.links for end in link.ends if self.number in link.ends}):
                if peer != self.number:
                    self._inform(NeighbourLost(peer))
                    self._meet(peer)
            self.port.spawn(self._start())
            await asyncio.wait(vital, return_when=asyncio.FIRST_COMPLETED)
            raise next(error for task in vital if task.done() and (error := task.exception()))
        finally:
            await self.port.close()
            self.driver.close()
            await asyncio.gather(*vital, return_exceptions=True)  # one may have failed while another was dealt with

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
        self.node = Node(self.number, layers, {**EFFECTS, **devices, **users, **host})

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
            if flow.source == self.number and flow.number in self.open:
                self.clock.at(max(flow.flow.start, self.clock.now), self._feed, Start(flow.number))

    # -- the device ----------------------------------------------------------------------------------------------------

    def _ask(self, noun: Noun, ctx: Context) -> Outputs:
        """Hand a request to the device."""
        self.watch.asked(noun, time.monotonic())
        self.driver.ask(noun)
        return ()

    async def _obey(self) -> None:
        """Take what the device tells; what cannot be is dropped."""
        async for told in self.driver.told():
            if isinstance(told, Refused):
                self.watch.refused(told.request)
                self._refuse("device request", HostError(told.why))
                continue
            lie = self.watch.lie(told, self.clock.now)
            if lie is None:
                self._feed(told)
            else:
                self._refuse("device indication", RemoteProtocolError(lie))
        raise HostError("the driver has ended without a word")

    async def _insist(self) -> None:
        """End when the device owes an answer for too long."""
        while True:
            await asyncio.sleep(self.limits.silence / 4)
            missing = self.watch.overdue(time.monotonic() - self.limits.silence)
            if missing is not None:
                raise HostError(f"the device owes {missing} for more than {self.limits.silence:g} s: it hangs")

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
                self._transmit(peer, other, other.backlog.popleft())
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
        if self.weather is not None:
            self.weather.forget(peer)
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
            self._transmit(noun.peer, other, noun.message)
        elif LAYOUTS[type(noun.message)].plane not in {Plane.PHYSICAL, Plane.LINK}:
            other.backlog.append(noun.message)
            if len(other.backlog) > BACKLOG:
                other.backlog.popleft()
                self.counts["backlog dropped"] += 1
        return ()

    def _transmit(self, peer: int, other: Neighbour, message: Message) -> None:
        assert other.line is not None
        try:
            if self.weather is not None:
                self.weather.send(peer, message)
                return
            data = encode(message, other.sent)
        except WireError as error:
            self._refuse(type(message).__name__, error)
            return
        other.line.send(data)
        other.sent = (other.sent + 1) % NUMBERS

    # -- what the weather asks for ------------------------------------------------------------------------------------

    def starts(self, peer: int) -> tuple[int, int]:
        """Return which start of this node and of a neighbour are connected."""
        return self.port.greeting.incarnation, self.others[peer].incarnation

    def write(self, peer: int, data: bytes) -> None:
        """Write bytes to a neighbour that is connected."""
        opened = self.others[peer].line
        if opened is not None:
            opened.send(data)

    def missed(self, peer: int) -> None:
        """Give up a neighbour that acknowledges nothing."""
        self._lose(peer, self.others[peer], "it acknowledges nothing any more")

    # -- what the port tells ------------------------------------------------------------------------------------------

    def introduced(self, peer: int, incarnation: int) -> None:
        """A neighbour has opened its direction."""
        other = self._meet(peer)
        self._known(peer, other, incarnation)
        self._find(peer, other)
        other.expected = 0

    def heard(self, peer: int, data: bytes) -> None:
        """Take a message of a neighbour."""
        if self.weather is not None:
            damaged = self.weather.counts["refused"]
            self.weather.arrived((peer, self.number), data)
            if self.weather.counts["refused"] > damaged:
                self._refuse("damaged", RemoteProtocolError(f"bytes of {self.names[peer]} are no message"))
            return
        other = self.others[peer]
        ahead = (header(data).sequence - other.expected) % NUMBERS
        if ahead >= NUMBERS // 2:
            self._refuse("replay", RemoteProtocolError(f"{self.names[peer]} repeats a message"))
            return
        if ahead:
            raise RemoteProtocolError(f"{ahead} messages of {self.names[peer]} are missing")
        other.expected = (other.expected + 1) % NUMBERS
        message = decode(data)
        assert isinstance(message, Message)
        self.take(message, peer)

    def take(self, message: Message, peer: int) -> None:
        """Give a message to the layers; what they refuse is reported."""
        try:
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
