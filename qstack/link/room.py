"""Flow control of memories: nothing is attempted for a neighbour that has said that it has nowhere to put its half.

    neighbour   PRESUMED --silence/MemReq--> ASKED --MemAck(some)--> PRESUMED
                PRESUMED, ASKED --MemAck(none) | MemReq(none)/MemAck--> FULL --MemAck(some) | MemReq(some)/MemAck--> PRESUMED
                FULL --RoomDue, RoomLater/MemReq--> FULL      ASKED, FULL --3 x no answer--> PRESUMED
    own         SOME --Room(none)/MemReq or MemAck(none)--> NONE --Room(some)/MemReq(some)--> SOME

A neighbour that never said anything is presumed to have memory: the device and the midpoint refuse attempts of one end
alone (QS-L1-026, QS-L1-027), so all that a wrong presumption costs is light.  Nobody speaks while pairs come.  An end
that has heard of no success for `SILENCE` mean times asks, and tells what it has itself; how much that is it hears from
its device.  Both messages tell the present, so a doubled one changes nothing, and one that comes late is put right by
the next: whoever holds a neighbour to be full asks again until it is told otherwise, or gets no answer.

Specification: specs/link/link.md, flow control of memories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from qstack.core.layer import Context, Outputs, Waiting, on
from qstack.core.nouns import Cancel, Noun, Send, Set, Timer, timer
from qstack.link.agreement import Agreement
from qstack.link.distil import Distiller
from qstack.link.endings import SHORTEST, TRIES
from qstack.link.queue import Link
from qstack.services.device import AskRoom, Room
from qstack.wire.link import Hello, MemAck, MemReq

SILENCE = 32
"""Mean times between pairs after which a link without success is silent: chance alone does that once in e**32 times."""

MOST = 255
"""Most memories that a message can tell of."""


@timer
class RoomDue(Timer):
    """A neighbour that may be full has to be asked again."""

    peer: int


@timer
class RoomLater(Timer):
    """A link may have been silent for long, or its neighbour is full for long."""

    housekeeping: ClassVar[bool] = True
    peer: int


@dataclass(slots=True)
class Stock:
    """What is known of the memories at both ends of a link; whether the neighbour is full stands in `Link.full`.

    Attributes
    ----------
    asked
        How often the neighbour has been asked since it last answered.
    told_full
        How often it has said that it is full since it last had room.
    owed
        Whether it waits for a `MemAck`.
    said_none
        Whether it was told that no memory is free here.
    heard
        Number of the last success when silence was last looked for.
    armed
        Which timer runs.
    since
        When the neighbour became full [ps].
    """

    asked: int = 0
    told_full: int = 0
    owed: bool = False
    said_none: bool = False
    heard: int = -1
    armed: Timer | None = None
    since: int = 0


class FlowControl(Agreement):
    """The part of a link layer that knows of memories.  Parameters as in `Agreement`."""

    def __init__(self, links: Mapping[int, Link], distiller: Distiller | None) -> None:
        super().__init__(links, distiller)
        self.stocks = {peer: Stock() for peer in self.links}

    def waiting(self) -> Iterator[Waiting]:
        """Say which neighbours have no room for halves that are wanted."""
        for link in self.links.values():
            if link.full and any(item.theirs for item in link.items.values()):
                yield Waiting("a free memory", link.peer, self.stocks[link.peer].since)

    @on(Hello)
    def hello(self, msg: Hello, ctx: Context) -> Outputs:
        """Nothing follows from a greeting of a neighbour."""
        self._link(ctx.sender)
        return ()

    @on(MemReq)
    def mem_req(self, msg: MemReq, ctx: Context) -> Outputs:
        """Hear how much room the neighbour has, and tell it how much there is here."""
        link = self._link(ctx.sender)
        self.stocks[link.peer].owed = True
        yield AskRoom(link.peer)
        yield from self._hear(link, msg.communication, ctx)

    @on(MemAck)
    def mem_ack(self, msg: MemAck, ctx: Context) -> Outputs:
        """Hear how much room the neighbour has."""
        link = self._link(ctx.sender)
        self.stocks[link.peer].asked = 0
        yield from self._hear(link, msg.communication, ctx)

    def _hear(self, link: Link, free: int, ctx: Context) -> Iterator[Noun]:
        """Suspend what needs the neighbour's memories, or go on with it (QS-L2-016)."""
        stock = self.stocks[link.peer]
        stock.told_full = 0 if free else stock.told_full + 1
        yield from self._hold(link, ctx, full=not free)

    def _hold(self, link: Link, ctx: Context, *, full: bool) -> Iterator[Noun]:
        if full != link.full:
            link.full = full
            self.stocks[link.peer].since = ctx.now
            yield from self._plan(link, ctx)
        yield from self._watch_room(link, ctx, anew=True)

    @on(Room)
    def room(self, ind: Room, ctx: Context) -> Outputs:
        """Tell the neighbour what the device says, if it has asked, if it is to be asked, or if it takes this end for full."""
        link = self._link(ind.peer)
        stock = self.stocks[link.peer]
        free = min(ind.free, MOST)
        if stock.owed:
            stock.owed = False
            yield Send(link.peer, MemAck(free, 0))
        elif stock.asked or (stock.said_none and free):  # QS-L2-311
            stock.asked = max(stock.asked, 1)
            yield Send(link.peer, MemReq(free, 0))
            yield from self._watch_room(link, ctx, anew=True)
        stock.said_none = not free

    @on(RoomDue, RoomLater)
    def room_due(self, due: RoomDue | RoomLater, ctx: Context) -> Outputs:
        """Ask a neighbour that is silent, full, or has not answered; three questions without answer end its being full."""
        link = self.links.get(due.peer)
        if link is None:
            return
        stock = self.stocks[link.peer]
        stock.armed = None
        if stock.asked >= TRIES:  # QS-L2-313
            stock.asked = stock.told_full = 0
            yield from self._hold(link, ctx, full=False)
            return
        silent = stock.heard == link.newest and not stock.said_none  # an end that is full itself knows why
        if stock.asked or link.full or silent:
            stock.asked += 1
            yield AskRoom(link.peer)
        yield from self._watch_room(link, ctx)

    def _watch_room(self, link: Link, ctx: Context, *, anew: bool = False) -> Iterator[Noun]:
        """Keep the one timer that is needed: none without a request that needs the neighbour's memories."""
        stock = self.stocks[link.peer]
        slowest = max((link.rows[i.row].seconds_per_pair for i in link.items.values() if i.theirs), default=0.0)
        if not 0 < slowest < inf:
            if stock.armed:
                yield Cancel(stock.armed)
            stock.asked, stock.armed = 0, None
            return
        if stock.armed and not anew:
            return
        if link.full and not (stock.armed or stock.asked):  # what it said may be long ago
            stock.asked = 1
            yield AskRoom(link.peer)
        urgent = stock.asked > 0 or 0 < stock.told_full <= TRIES
        needed = RoomDue(link.peer) if urgent else RoomLater(link.peer)
        if stock.armed and stock.armed != needed:
            yield Cancel(stock.armed)
        answer = max(3 * link.round_trip, SHORTEST)
        stock.armed, stock.heard = needed, link.newest
        yield Set(needed, ctx.now + (answer if stock.asked else max(int(SILENCE * slowest * 1e12), answer)))
