"""The laboratory: the simulated devices and fibres of a network as a process of its own, on the wall clock.

A node connects with TLS and its certificate; its common name says whose device it may ask.  The laboratory answers with
a greeting, ``{"laboratory": 2, "node": 0, "origin_ns": "...", "slow": 10.0}``: network time is 0 at the origin (Unix time)
and runs `slow` times slower than the wall.  Then lines of `qstack.hosts.plain` go both ways: device requests in, device
indications out, in order.  A request that cannot be obeyed is answered with ``{"error": "...", "request": {...}}``, and
nothing else changes.  A line ``{"alive": 7}`` is answered with itself.

When a node's connection ends, its memories are emptied and its lanes stop: a device does not remember what a process
that has died had wanted.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from qstack.core.errors import HostError, QstackError, RemoteProtocolError, WireError
from qstack.core.layer import Context, Handler
from qstack.core.nouns import Noun
from qstack.hosts.build import join, medium_of
from qstack.hosts.plain import LONGEST, REQUESTS, line, noun_of
from qstack.hosts.ports import LIMITS, Identity, Limits
from qstack.hosts.streams import Address, bind, reason, secured, text
from qstack.hosts.wall import Wall
from qstack.integration.tls import common_name, server_context
from qstack.scenario.plan import Plan
from qstack.services.device import BellMeasure, Distil, Free, Herald, Measure, MeasureAlong, Prepared, Swap, Trigger

PROTOCOL = 2
"""Version of the protocol; 2 answers ``alive``."""

SPENT: dict[type[Noun], Callable[[Any], tuple[int, ...]]] = {
    Free: lambda n: (n.qubit,),
    Measure: lambda n: (n.qubit,),
    MeasureAlong: lambda n: (n.qubit,),
    BellMeasure: lambda n: (n.data, n.half),
    Swap: lambda n: (n.left, n.right),
    Distil: lambda n: (n.spare,),
}
"""Requests after which memories are empty, and which qubits were in them."""


class Bench:
    """What the laboratory knows of one node.

    Parameters
    ----------
    number
        Of the node.
    table
        What answers its requests.
    lanes
        Its lanes as (neighbour, lane).
    clock
        Of the laboratory.
    """

    def __init__(
        self, number: int, table: dict[type[Noun], Handler], lanes: list[tuple[int, int]], clock: Wall
    ) -> None:
        self.number = number
        self.table = table
        self.lanes = lanes
        self.clock = clock
        self.context = Context(number)
        self.held: set[int] = set()
        self.writer: asyncio.StreamWriter | None = None

    def ask(self, request: Noun) -> None:
        """Obey a request, and send what follows from it at once."""
        self.context.now = self.clock.now
        answers = self.table[type(request)](request, self.context)
        self.held.difference_update(SPENT.get(type(request), lambda _: ())(request))
        for answer in answers:
            self.tell(answer, self.context.now)

    def tell(self, indication: Noun, now: int) -> None:
        """Send an indication to the node; what nobody is there to take is freed."""
        if isinstance(indication, Herald | Prepared) and indication.qubit >= 0:
            self.held.add(indication.qubit)
            if self.writer is None:
                self.clock.at(now, self._forget, indication.qubit)
        if self.writer is not None:
            self.writer.write(line(indication))

    def _forget(self, qubit: int) -> None:
        if self.writer is None and qubit in self.held:
            self.ask(Free(qubit))

    def reset(self) -> None:
        """Empty all memories and stop all lanes."""
        self.writer = None
        for peer, lane in self.lanes:
            self.ask(Trigger(peer, lane, -1, 0, keep=True, bases=()))
        for qubit in sorted(self.held):
            self.ask(Free(qubit))


class Laboratory:
    """The process that owns the medium.

    Parameters
    ----------
    plan
        Which network.
    identity
        Its certificate, with the common name ``laboratory``.
    report
        Takes what happens, as plain data.
    seed
        Of all draws.
    slow
        Seconds of the wall for a second of the network.
    limits
        What it bears.
    """

    def __init__(
        self,
        plan: Plan,
        identity: Identity,
        report: Callable[[dict[str, Any]], None],
        *,
        seed: int,
        slow: float = 1.0,
        limits: Limits = LIMITS,
    ) -> None:
        self.report = report
        self.limits = limits
        self.clock = Wall(time.time_ns(), slow)
        self.medium = medium_of(plan, self.clock, seed)
        self.tls = server_context(identity.certificate, identity.key, identity.authority)
        self.names = plan.names
        lanes: dict[int, list[tuple[int, int]]] = {number: [] for number in range(len(plan.names))}
        for link in plan.links:
            for here, there in (link.ends, link.ends[::-1]):
                lanes[here] += [(there, lane) for lane in range(link.sheet.lanes)]
        self.benches = {}
        for number, (name, platform) in enumerate(zip(plan.names, plan.platforms, strict=True)):
            bench = Bench(number, self.medium.place(number, name, platform), lanes[number], self.clock)
            self.benches[name] = bench
            self.medium.connect(number, bench.tell)
        join(plan, self.medium)

    async def serve(self, address: Address) -> None:
        """Serve until cancelled.

        Raises
        ------
        HostError
            If the address cannot be used.
        """
        listening = bind(address, "the laboratory")
        self.report({"event": "listening", "address": text(listening.getsockname())})
        loop = asyncio.get_running_loop()
        open_ones: set[asyncio.Task[None]] = set()
        clock = loop.create_task(self.clock.run())
        try:
            while True:
                accepting = loop.create_task(loop.sock_accept(listening))
                await asyncio.wait((accepting, clock), return_when=asyncio.FIRST_COMPLETED)
                if clock.done():
                    accepting.cancel()
                    clock.result()
                taken, who = accepting.result()
                if len(open_ones) >= self.limits.connections:
                    taken.close()
                    continue
                task = loop.create_task(self._serve(taken, who))
                open_ones.add(task)
                task.add_done_callback(open_ones.discard)
        finally:
            for task in (clock, *open_ones):
                task.cancel()
            await asyncio.gather(clock, *open_ones, return_exceptions=True)
            listening.close()

    async def _serve(self, taken: Any, who: Any) -> None:  # a socket and its address, of any family
        bench: Bench | None = None
        writer: asyncio.StreamWriter | None = None
        why = "closed"
        try:
            async with asyncio.timeout(self.limits.handshake):
                reader, writer = await secured(taken, self.tls, self.limits.handshake)
            bench = self._bench(writer)
            await self._obey(bench, reader, writer)
        except (QstackError, OSError, TimeoutError) as error:
            why = reason(error)
        finally:
            taken.close() if writer is None else writer.transport.abort()
            if bench is not None and bench.writer is writer:
                bench.reset()
            self.report({"event": "left", "from": text(who), "node": _name(self.names, bench), "why": why})

    def _bench(self, writer: asyncio.StreamWriter) -> Bench:
        """Return the bench of whoever has connected; a new connection of a node takes the place of its old one."""
        name = common_name(writer.get_extra_info("peercert") or {})
        bench = self.benches.get(name or "")
        if bench is None:
            raise RemoteProtocolError(f"the certificate of {name!r} is that of no node")
        if bench.writer is not None:
            bench.writer.transport.abort()
            bench.reset()
        bench.writer = writer
        clock = self.clock
        origin = str(clock.origin)
        greeting = {"laboratory": PROTOCOL, "node": bench.number, "origin_ns": origin, "slow": clock.slow}
        writer.write(json.dumps(greeting).encode() + b"\n")
        self.report({"event": "came", "node": name})
        return bench

    async def _obey(self, bench: Bench, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Obey requests until the connection ends."""
        while bench.writer is writer:
            data = await lines(reader)
            if not data:
                return
            if data.startswith(b'{"alive"'):
                writer.write(data)
                continue
            request: Noun | None = None
            try:
                request = noun_of(data, REQUESTS)
                bench.ask(request)
            except (QstackError, LookupError) as error:
                about = {} if request is None else {"request": json.loads(line(request))}
                writer.write(json.dumps({"error": str(error), **about}).encode() + b"\n")
                self.report({"event": "refused", "node": self.names[bench.number], "why": str(error)})
            if writer.transport.get_write_buffer_size() > self.limits.waiting:
                raise HostError("it does not read what it is sent")


async def lines(reader: asyncio.StreamReader) -> bytes:
    """Return the next line, empty at the end.

    Raises
    ------
    WireError
        If it is too long.
    """
    try:
        data = await reader.readline()
    except ValueError as error:
        raise WireError("a line is too long") from error
    if len(data) > LONGEST:
        raise WireError(f"a line of {len(data)} bytes is longer than {LONGEST}")
    return data


def _name(names: tuple[str, ...], bench: Bench | None) -> str | None:
    return None if bench is None else names[bench.number]
