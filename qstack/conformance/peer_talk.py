"""How the peer suite talks: the judge is a neighbour of a node, over TLS, with the messages of the standard.

The judge opens a connection to the node and listens where the node calls that neighbour; what the node says comes on the
second one.  Everything is judged by what is on the wire: which answers come, in which order, and which connection ends.

A question that must not be answered is followed by one that must be, the *fence*: when that answer is there, the other one
would have been there too.  So nobody waits for silence.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from qstack.conformance.judge import HUNG
from qstack.conformance.peer_wire import Seat, Wire, context_of
from qstack.core.errors import WireError
from qstack.core.nouns import Message
from qstack.hosts.streams import reason, secured, text
from qstack.integration.tls import common_name
from qstack.wire.channel import ChannelAck, Tag, tag_of, tagged
from qstack.wire.codec import ACK_WANTED, CHECKED, LAYOUTS, Plane, decode, encode, header
from qstack.wire.network import Keepalive
from qstack.wire.signalling import Reject, SetupReq, SetupRsp

NUMBERS = 1 << 16
SETTLED = 0.05
"""Time after which a connection that was introduced counts as kept [s]."""
RETRY = 0.1
"""Time between two tries to be heard [s]."""
COUNTED = frozenset({Plane.NETWORK, Plane.SIGNALLING, Plane.TRANSPORT})
"""Planes of the reliable channel."""
FIRST = 60_001
"""First of the numbers that the judge gives to circuits and sessions; nodes count theirs from 1."""
ASK = 1.0
"""Time between two questions whether the node lives [s]."""
CALLED = 1.0
"""Time in which most nodes call a neighbour that has called them [s]."""
FOR_EVER = 3600.0
SHOWN = 30
"""Lines of a dialogue that a failure shows."""


@dataclass(slots=True)
class Peer:
    """The judge as a neighbour, for one scene.

    Attributes
    ----------
    line
        The connection to the node.
    theirs
        Starts with which the node has introduced itself, and its number, in the order of its introductions.
    heard
        What the node has said on its own connection, decoded; and the numbers of what came on the reliable channel.
    acks
        Numbers that the node says it expects next.
    unanswered
        What may have to be repeated on the reliable channel, by its number.
    answers
        Whether the judge asks and answers whether somebody lives.
    acknowledges
        Whether it acknowledges what comes on the reliable channel.
    """

    seat: Seat
    lines: list[str] = field(default_factory=list)
    line: Wire | None = None
    theirs: list[Keepalive] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[Message] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    acks: list[int] = field(default_factory=list)
    unanswered: dict[int, bytes] = field(default_factory=dict)
    sent: int = 0
    expected: int = 0
    asked: int = FIRST
    answers: bool = True
    acknowledges: bool = True
    wires: list[Wire] = field(default_factory=list)
    calls: list[asyncio.Task[Any]] = field(default_factory=list)
    age: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, words: str) -> AssertionError:
        """Return the failure of a scene: the dialogue, and what is missing."""
        return AssertionError("\n".join([*self.lines[-SHOWN:], f" - {words}"]))

    def hung(self, words: str) -> AssertionError:
        """Return the failure of a node with which no dialogue comes about: after three of them the judge gives up."""
        return AssertionError("\n".join([f"{HUNG} {self.seat.patience:g} s: {words}", *self.lines[-SHOWN:]]))

    # -- calling ------------------------------------------------------------------------------------------------------

    async def open(self, *, certificate: bool = True, context: ssl.SSLContext | None = None) -> Wire:
        """Open a connection with TLS and say nothing yet.

        Raises
        ------
        AssertionError
            If nobody is there.
        """
        where = text(self.seat.call)
        tls = context or context_of(self.seat, listens=False, certificate=certificate)
        try:
            async with asyncio.timeout(self.seat.patience):
                reader, writer = await asyncio.open_connection(*self.seat.call, ssl=tls, server_hostname="")
        except TimeoutError:
            raise self.hung(f"{where} does not answer the call") from None
        except OSError as error:
            raise self.fail(f"a call of {where} fails: {reason(error)}") from error
        wire = Wire(reader, writer)
        self.wires.append(wire)
        return wire

    async def introduce(self, node: int | None = None, start: int | None = None) -> tuple[Wire, Keepalive | None]:
        """Call and introduce the judge; return the connection and what the node says, None if it ends the connection.

        Raises
        ------
        AssertionError
            If it does neither, or says something else.
        """
        said = Keepalive(self.seat.number if node is None else node, self.seat.start if start is None else start)
        wire = await self.open()
        self.lines.append(f" >> {said}  (a new connection)")
        wire.writer.write(encode(said))
        try:
            data = await wire.next(self.seat.patience)
            answer = decode(data) if data else None
        except TimeoutError:
            raise self.hung(f"{text(self.seat.call)} does not answer the introduction") from None
        except WireError as error:
            raise self.fail(f"the introduction is answered by bytes that are no message: {error}") from error
        self.lines.append(f" << {answer or 'the connection ends'}")
        if answer is not None and not isinstance(answer, Keepalive):
            raise self.fail("KEEPALIVE as the answer to an introduction")
        return wire, answer

    async def meet(self) -> Wire:
        """Be introduced, and called by the node unless it puts that off; from then on messages go both ways.

        A node that has just lost the judge may end either connection once more, so both have to last for a moment.

        Raises
        ------
        AssertionError
            If the node keeps no connection.
        """
        end = asyncio.get_running_loop().time() + self.seat.patience
        while True:
            trouble = "no connection is kept"
            try:
                if self.line is None:
                    self.line, answer = await self.introduce()
                    if answer is not None:
                        self.spoken(answer)
                    self.sent = 0
                if await self._kept(self.line):
                    return self.line
            except AssertionError as error:
                trouble = str(error).rpartition(" - ")[2].rpartition(" s: ")[2]
            if asyncio.get_running_loop().time() > end:
                raise self.hung(trouble)
            await asyncio.sleep(RETRY)

    async def _kept(self, line: Wire) -> bool:
        """Tell whether both connections last; a line that does not is given up."""
        with suppress(TimeoutError):  # the node may not call before it has something to say
            async with asyncio.timeout(CALLED):
                await self.called.wait()
        called = self.called.is_set()
        if await line.ends(SETTLED):
            line.close()
            self.line = None
            return False
        return self.called.is_set() is called

    def spoken(self, said: Keepalive) -> None:
        """Take note of an introduction of the node."""
        self.theirs.append(said)

    # -- saying -------------------------------------------------------------------------------------------------------

    @property
    def tag(self) -> Tag:
        """Between which starts the judge speaks."""
        return Tag(self.seat.start, self.theirs[-1].incarnation if self.theirs else 0)

    def data(self, message: Message, number: int | None = None, tag: Tag | None = None, flags: int = 0) -> bytes:
        """Return the bytes of a message, with the next number unless another is given."""
        counted = self.sent if number is None else number
        if not self.seat.reliable:
            return encode(message, counted, flags)
        if LAYOUTS[type(message)].plane in COUNTED:
            return tagged(message, counted, CHECKED | ACK_WANTED | flags, tag or self.tag)
        if isinstance(message, ChannelAck):
            return tagged(message, 0, CHECKED, tag or self.tag)
        return encode(message, 0, CHECKED | flags)

    def say(self, message: Message, number: int | None = None, tag: Tag | None = None) -> None:
        """Send a message; its number is used up unless it was given, or the message is no part of the count."""
        self.lines.append(f" >> {message}" + ("" if number is None else f"  (number {number})"))
        data = self.data(message, number, tag)
        self.write(data)
        if number is None and (not self.seat.reliable or LAYOUTS[type(message)].plane in COUNTED):
            if self.seat.reliable:
                self.unanswered[self.sent] = data
            self.sent = (self.sent + 1) % NUMBERS

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self.line is not None
        self.line.writer.write(data)

    def circuit(self, **changes: Any) -> SetupReq:
        """Return a request for a new circuit of one link, from the judge to the node, which no other one looks like."""
        number, self.asked = self.asked, self.asked + 1
        seat = self.seat
        label = 2 * (number % 1000) + (seat.number > seat.subject)
        values: dict[str, Any] = {
            "circuit": seat.number << 16 | number,
            "session": number,
            "path": (seat.number, seat.subject),
            "fidelities": (0.5,),
            "label": label,
            "cutoff": 0,
        }
        return SetupReq(**{**values, **changes})

    # -- hearing ------------------------------------------------------------------------------------------------------

    async def told(self, kinds: tuple[type[Message], ...], number: int) -> list[Message]:
        """Wait until the node has said so many of some kinds, and return all of these.

        Raises
        ------
        AssertionError
            If it does not in time.
        """

        def found() -> list[Message]:
            return [one for one in self.heard if isinstance(one, kinds)]

        words = " or ".join(kind.__name__ for kind in kinds)
        await self.until(lambda: len(found()) >= number, f"{words}, {number} in all")
        return found()

    async def until(self, holds: Callable[[], bool], words: str) -> None:
        """Wait until something holds after what the node has said.

        Raises
        ------
        AssertionError
            If it does not in time.
        """
        try:
            async with asyncio.timeout(self.seat.patience):
                while not holds():
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise self.fail(f"within {self.seat.patience:g} s: {words}") from None

    def verdict_on(self, asked: SetupReq) -> list[SetupRsp | Reject]:
        """Return what the node has said to a request for a circuit."""
        return [one for one in self.heard if isinstance(one, SetupRsp | Reject) and one.circuit == asked.circuit]

    async def set_up(self, asked: SetupReq | None = None) -> SetupRsp | Reject:
        """Ask for a circuit, a new one by default, and return the answer."""
        wanted = asked or self.circuit()
        self.say(wanted)
        return await self.decided(wanted)

    async def decided(self, asked: SetupReq) -> SetupRsp | Reject:
        """Wait for the answer to a request for a circuit."""
        await self.until(lambda: bool(self.verdict_on(asked)), f"SetupRsp or Reject of circuit {asked.circuit}")
        return self.verdict_on(asked)[0]

    async def fence(self) -> None:
        """Wait for the answer to an honest request, on a new connection if the old one ends."""
        assert self.line is not None
        asked = self.circuit()
        self.say(asked)
        ending = asyncio.get_running_loop().create_task(self.line.ends(self.seat.patience))
        ending.add_done_callback(lambda _: self.news.set())
        await self.until(
            lambda: ending.done() or bool(self.verdict_on(asked)), f"SetupRsp or Reject of circuit {asked.circuit}"
        )
        ending.cancel()
        if not self.verdict_on(asked):
            await self.again()
            await self.set_up()

    async def again(self) -> None:
        """Begin anew, on new connections both ways."""
        await self.hang_up()
        await asyncio.sleep(RETRY)
        await self.meet()

    async def hang_up(self) -> None:
        """End all connections."""
        self.age += 1
        for wire in self.wires:
            wire.close()
        if self.calls:  # handshakes are left to end
            await asyncio.wait(self.calls, timeout=self.seat.patience)
        self.wires, self.calls, self.line = [], [], None
        self.unanswered, self.acks = {}, []
        self.called.clear()

    # -- being called -------------------------------------------------------------------------------------------------

    async def ask(self) -> None:
        """Ask the node now and then whether it lives, and repeat what it has not acknowledged, as a neighbour does."""
        while True:
            await asyncio.sleep(ASK)
            if self.answers and self.line is not None and not self.line.writer.transport.is_closing():
                self.write(encode(Keepalive(self.seat.number, self.seat.start)))
                for number, data in self.unanswered.items():
                    if number >= max(self.acks, default=0):
                        self.write(data)

    def accept(self, listening: socket.socket) -> None:
        """Take a call of the node that is there."""
        with suppress(OSError):  # it has thought better of it
            taken, _ = listening.accept()
            taken.setblocking(False)  # noqa: FBT003 - its only parameter has no name
            self.calls.append(asyncio.get_running_loop().create_task(self._take(taken)))

    async def _take(self, taken: socket.socket) -> None:
        """Take one call: the node's introduction, then what it says."""
        age, wire = self.age, None
        try:
            wire = Wire(*await secured(taken, context_of(self.seat, listens=True), self.seat.patience))
            self.wires.append(wire)
            caller = common_name(wire.writer.get_extra_info("peercert") or {})
            if age != self.age or caller != self.seat.name:
                return  # it comes too late, or is another neighbour
            while data := await wire.next(FOR_EVER):
                self._hear(wire, data)
                self.news.set()
            if age == self.age:
                self.called.clear()
        except (OSError, WireError):
            pass  # the node has ended it, or what it says is no message: it is not heard any more
        finally:
            taken.close() if wire is None else wire.close()

    def _hear(self, wire: Wire, data: bytes) -> None:
        said = decode(data)
        if isinstance(said, Keepalive):
            if not self.called.is_set():
                self.spoken(said)
                self.expected = 0
                self.called.set()
            if self.answers:
                wire.writer.write(encode(Keepalive(self.seat.number, self.seat.start)))
            return
        self.lines.append(f" << {said}")
        head = header(data)
        if isinstance(said, ChannelAck):
            self.acks.append(said.expected)
            return
        counted = self.seat.reliable and head.plane in COUNTED
        if counted and head.sequence != self.expected and tag_of(data) is not None:
            self.numbers.append(head.sequence)
            self._acknowledge()  # one that was there before: its answer was too slow
            return
        if counted:
            self.expected = (self.expected + 1) % NUMBERS
            self._acknowledge()
            self.numbers.append(head.sequence)
        if isinstance(said, Message):
            self.heard.append(said)

    def _acknowledge(self) -> None:
        if self.acknowledges and self.line is not None:
            self.line.writer.write(self.data(ChannelAck(self.expected)))
