"""TLS sockets between nodes: who is there, who it is, and how much of it is too much.

Each direction between two nodes has a TLS connection of its own, opened by the sender.  Both sides show certificates;
the common name is the name of the node.  The first message is `Keepalive` with the sender's number and incarnation; the
other side answers with its own, and answers every later one.  Then messages follow each other as `Stream` cuts them.

A connection is closed, and the reason told to this side's `refused`, when the certificate is wrong, expired, missing or
of somebody else, when the number does not fit the name, when the incarnation is older than one seen before (a replay of
an earlier start), when bytes are no message of this version, and when nothing comes for longer than `Limits.silence`.
A flood is read no faster than `Limits.rate`, so that the flooder waits and nobody else does; what waits to be sent to
a neighbour that does not read is bounded by `Limits.waiting`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from qstack.core.errors import HostError, RemoteProtocolError, WireError
from qstack.hosts.reliable import is_older
from qstack.hosts.streams import Address, bind, messages, reason, secured, text
from qstack.integration.tls import client_context, common_name, server_context
from qstack.wire.channel import Stream
from qstack.wire.codec import decode, encode
from qstack.wire.network import Keepalive

KEEPALIVE = encode(Keepalive(0, 0))[:2]
"""Version, plane and type of a `Keepalive`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """PEM files of a node: its certificate, its private key, and the authority that all nodes trust."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True, slots=True)
class Limits:
    """What a port bears.

    Parameters
    ----------
    handshake
        Time for TLS and introduction [s].
    keepalive
        Time between questions to a neighbour [s].
    silence
        Time without any message after which a neighbour is lost [s].
    rate
        Messages per second and connection that are read [1/s].
    waiting
        Bytes that may wait to be sent to one neighbour [byte].
    connections
        Connections that may be open at a time, those in their handshake included.
    """

    handshake: float = 5.0
    keepalive: float = 1.0
    silence: float = 5.0
    rate: float = 10_000.0
    waiting: int = 1 << 20
    connections: int = 256


LIMITS = Limits()
"""What suits a few nodes on a good network."""


class Owner(Protocol):
    """Who uses a port."""

    def heard(self, peer: int, data: bytes) -> None:
        """Take one message of a neighbour, undecoded; errors of qstack close the connection."""
        ...

    def introduced(self, peer: int, incarnation: int) -> None:
        """Hear that a neighbour has introduced itself on a new connection."""
        ...

    def gone(self, peer: int, why: str) -> None:
        """Hear that a connection to or from a neighbour has ended."""
        ...

    def refused(self, text: str) -> None:
        """Hear why somebody was turned away."""
        ...


class Port:
    """The sockets of one node.

    Parameters
    ----------
    number
        Of the node.
    names
        Of all nodes, by number.
    identity
        Its certificate.
    incarnation
        Number of this start; never smaller than that of an earlier one.
    owner
        Takes what comes.
    limits
        What it bears.
    """

    def __init__(
        self,
        number: int,
        names: tuple[str, ...],
        identity: Identity,
        incarnation: int,
        owner: Owner,
        limits: Limits = LIMITS,
    ) -> None:
        self.number = number
        self.names = names
        self.numbers = {name: i for i, name in enumerate(names)}
        self.owner = owner
        self.limits = limits
        self.greeting = Keepalive(number, incarnation)
        self.server_tls = server_context(identity.certificate, identity.key, identity.authority)
        self.client_tls = client_context(identity.certificate, identity.key, identity.authority)
        self.client_tls.check_hostname = False  # nodes are known by their names, not by those of their hosts
        self.incarnations: dict[int, int] = {}
        self.incoming: dict[int, asyncio.StreamWriter] = {}
        self.open = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.socket: socket.socket | None = None

    # -- listening ----------------------------------------------------------------------------------------------------

    def reserve(self, address: Address) -> Address:
        """Take an address, so that nobody else can, and return it; port 0 takes any that is free.

        Raises
        ------
        HostError
            If the address cannot be used.
        """
        self.socket = bind(address, f"node {self.names[self.number]}")
        found: Address = self.socket.getsockname()[:2]
        return found

    def listen(self) -> None:
        """Take connections from now on."""
        assert self.socket is not None
        self.spawn(self._accept(self.socket))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until it ends or the port is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def close(self) -> None:
        """Close everything."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.socket is not None:
            self.socket.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                taken, address = await loop.sock_accept(listening)
            except OSError as error:  # out of files: others may end meanwhile
                self.owner.refused(f"a connection: {error.strerror}")
                await asyncio.sleep(0.1)
                continue
            if self.open >= self.limits.connections:
                self.owner.refused(f"{text(address)}: {self.open} connections are open already")
                taken.close()
            else:
                self.open += 1
                self.spawn(self._serve(taken, address))

    async def _serve(self, taken: socket.socket, address: Any) -> None:  # an address of any family
        """Take one connection from handshake to end."""
        peer, why = None, "closed"
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(self.limits.handshake):
                reader, writer = await secured(taken, self.server_tls, self.limits.handshake)
                stream = Stream()
                peer = await self._introduction(reader, writer, stream)
            await self._read(peer, reader, writer, stream)
        except (WireError, RemoteProtocolError) as error:
            why = str(error)
            self.owner.refused(f"{text(address)}: {why}")
        except (OSError, TimeoutError) as error:
            why = reason(error)
            self.owner.refused(f"{text(address)}: {why}")
        finally:
            self.open -= 1
            taken.close() if writer is None else writer.transport.abort()
            if peer is not None and self.incoming.get(peer) is writer:
                del self.incoming[peer]
                self.owner.gone(peer, why)

    def hang_up(self, peer: int) -> None:
        """End what a neighbour sends; its end is not told to the owner any more."""
        writer = self.incoming.pop(peer, None)
        if writer is not None:
            writer.transport.abort()

    async def _introduction(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream) -> int:
        """Learn who is there: the certificate and the first message must agree."""
        name = common_name(writer.get_extra_info("peercert") or {})
        peer = self.numbers.get(name or "")
        if peer is None:
            raise RemoteProtocolError(f"the certificate of {name!r} is that of no node")
        async for data in messages(reader, stream):
            said = decode(data) if data[:2] == KEEPALIVE else None
            if not isinstance(said, Keepalive):
                raise RemoteProtocolError(f"{name} did not introduce itself with KEEPALIVE")
            self.check(peer, said)
            writer.write(encode(self.greeting))
            if peer in self.incoming:  # its old connection may not have ended here yet
                self.hang_up(peer)
                self.owner.gone(peer, "it has connected anew")
            self.incoming[peer] = writer
            self.owner.introduced(peer, said.incarnation)
            return peer
        raise RemoteProtocolError(f"{name} left without a word")

    def check(self, peer: int, said: Keepalive) -> None:
        """Check an introduction against what is known of a neighbour."""
        name = self.names[peer]
        if said.node != peer:
            raise RemoteProtocolError(f"{name} says that it is node {said.node}, but its certificate is that of {peer}")
        last = self.incarnations.get(peer, said.incarnation)
        if is_older(said.incarnation, last):
            raise RemoteProtocolError(f"{name} repeats start {said.incarnation}, which {last} has followed")
        self.incarnations[peer] = said.incarnation

    async def _read(
        self, peer: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream
    ) -> None:
        """Take messages, no faster than the limit."""
        loop = asyncio.get_running_loop()
        budget, last = self.limits.rate, loop.time()
        async for data in messages(reader, stream, self.limits.silence):
            if data[:2] == KEEPALIVE:
                said = decode(data)
                assert isinstance(said, Keepalive)
                self.check(peer, said)
                gone = writer.transport.is_closing()  # what it said before is still read, but nobody waits for answers
                if not gone and writer.transport.get_write_buffer_size() < self.limits.waiting:
                    writer.write(encode(self.greeting))
            else:
                self.owner.heard(peer, data)
            budget -= 1
            if budget < 0:
                now = loop.time()
                budget = min(self.limits.rate, budget + (now - last) * self.limits.rate)
                last = now
                if budget < 0:
                    await asyncio.sleep(0.01 + -budget / self.limits.rate)

    # -- calling ------------------------------------------------------------------------------------------------------

    async def connect(self, peer: int, address: Address) -> Line:
        """Open the direction to a neighbour.

        Raises
        ------
        HostError
            If nobody is there, or it is not that neighbour, or it refuses this node.
        """
        name = self.names[peer]
        try:
            async with asyncio.timeout(self.limits.handshake):
                reader, writer = await asyncio.open_connection(*address, ssl=self.client_tls, server_hostname="")
        except (OSError, TimeoutError) as error:
            raise HostError(f"{name} at {text(address)}: {reason(error)}") from error
        stream = Stream()
        try:
            said = await self._answer(peer, reader, writer, stream)
        except (OSError, TimeoutError, RemoteProtocolError, WireError) as error:
            writer.transport.abort()
            raise HostError(f"{name} at {text(address)}: {reason(error)}") from error
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        line = Line(self, peer, writer, said.incarnation)
        line.task = self.spawn(line.watch(reader, stream))
        return line

    async def _answer(
        self, peer: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream
    ) -> Keepalive:
        """Introduce this node and return how the other one introduces itself."""
        shown = common_name(writer.get_extra_info("peercert") or {})
        if shown != self.names[peer]:
            raise RemoteProtocolError(f"the certificate is that of {shown!r}")
        writer.write(encode(self.greeting))
        async with asyncio.timeout(self.limits.handshake):
            async for data in messages(reader, stream):
                said = decode(data)
                if not isinstance(said, Keepalive):
                    raise RemoteProtocolError("it did not introduce itself with KEEPALIVE")
                self.check(peer, said)
                return said
        raise RemoteProtocolError("it refuses this node, and its own log says why")


class Line:
    """The open direction to a neighbour.

    Attributes
    ----------
    incarnation
        Of the neighbour.
    lost
        Why it has ended, or None.
    """

    def __init__(self, port: Port, peer: int, writer: asyncio.StreamWriter, incarnation: int) -> None:
        self.port = port
        self.peer = peer
        self.writer = writer
        self.incarnation = incarnation
        self.lost: str | None = None
        self.task: asyncio.Task[None] | None = None

    def send(self, data: bytes) -> None:
        """Send one message; a neighbour that does not read for too long is lost."""
        if self.lost is not None or self.writer.transport.is_closing():  # `watch` is about to tell why
            return
        self.writer.write(data)
        if self.writer.transport.get_write_buffer_size() > self.port.limits.waiting:
            self.lost = "it does not read what it is sent"
            self.writer.transport.abort()

    async def watch(self, reader: asyncio.StreamReader, stream: Stream) -> None:
        """Ask now and then whether the neighbour lives, until it does not."""
        asking = self.port.spawn(self._ask())
        why = "closed by the other side"
        try:
            async for data in messages(reader, stream, self.port.limits.silence):
                self._check(data)
        except (OSError, TimeoutError, WireError, RemoteProtocolError) as error:
            why = reason(error)
        finally:
            asking.cancel()
            self.lost = self.lost or why
            self.writer.transport.abort()
        self.port.owner.gone(self.peer, self.lost)

    def _check(self, data: bytes) -> None:
        said = decode(data)
        if not isinstance(said, Keepalive) or said.incarnation != self.incarnation:
            raise RemoteProtocolError("it answers with something else than its KEEPALIVE")

    async def _ask(self) -> None:
        while True:
            await asyncio.sleep(self.port.limits.keepalive)
            self.send(encode(self.port.greeting))
