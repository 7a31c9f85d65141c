"""Circuits and sessions come and go: the entries that requests from above and messages of signalling make."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context
from qstack.core.nouns import Noun, Send, Set
from qstack.plugin.sites import NetworkView
from qstack.services.l2_link import Unreachable
from qstack.services.l3_network import KEEP, Connect, Connected, Disconnect, Disconnected
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Forward
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown

from .books import UNIT, Books, Tidy, Wake, werner
from .settling import settle

NUMBERS, EPOCHS = 1 << 16, 1 << 24
SLOWEST = 1e-3
"""Smallest rate of a session [1/s]."""


class Signalling:
    """One node's part in the circuits and sessions that cross it or end there."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.counter = 0

    def connect(self, req: Connect, ctx: Context) -> Iterator[Noun]:
        """Find a path and ask for a circuit along it."""
        if self.books.of_session(req.session) is not None:
            raise LocalProtocolError(f"session {req.session} is connected already")
        if (req.rate != 0 and not req.rate >= SLOWEST) or not 0 <= req.priority < 8:
            raise LocalProtocolError(f"{req.rate} pairs/s at priority {req.priority} cannot be")
        route = shortest(self.books.site.view, self.books.here, req.peer)
        reached = werner(1.0)
        for a, b in itertools.pairwise(route):
            reached *= werner(_best(self.books.site.view, a, b)[0])
        for node in route[1:-1]:
            reached *= self.books.site.view.swap_factors[node]
        rate = min((_best(self.books.site.view, a, b)[1] for a, b in itertools.pairwise(route)), default=0.0)
        if req.kind != KEEP:
            yield Disconnected(req.session, Reason.UNSUPP)
        elif len(route) < 2 or (1 + 3 * reached) / 4 < req.min_fidelity:
            yield Disconnected(req.session, Reason.NO_ROUTE)
        elif req.rate > rate:
            yield Disconnected(req.session, Reason.NORES)
        else:
            fidelities = tuple(
                int(_best(self.books.site.view, a, b)[0] * UNIT) / UNIT for a, b in itertools.pairwise(route)
            )
            cutoff = self.books.site.view.cutoff or int(40 * SECOND / rate)
            self.counter = (self.counter + 1) % NUMBERS
            while (number := self.books.here << 16 | self.counter) in self.books.circuits:
                self.counter = (self.counter + 1) % NUMBERS
            msg = SetupReq(number, req.session, route, fidelities, -1, cutoff, req.priority)
            c = self.books.enter(number, route, -1, msg)
            if c is None:
                yield Disconnected(req.session, Reason.NORES)
                return
            c.stage, c.wish, c.sessions, c.deadline = "asked", req, [req.session], ctx.now + len(route) * SECOND
            yield Send(route[1], replace(msg, label=c.sides[1].label))
            yield from settle(self.books, c, ctx.now)

    def setup(self, msg: SetupReq, ctx: Context) -> Iterator[Noun]:
        """Enter a circuit and pass the request on, or answer it."""
        path, place = msg.path, msg.path.index(self.books.here) if self.books.here in msg.path else 0
        if (
            not place
            or path[place - 1] != ctx.sender
            or len(set(path)) < len(path)
            or len(msg.fidelities) != len(path) - 1
        ):
            raise RemoteProtocolError(f"node {ctx.sender} asks for a circuit along {path}")
        if msg.circuit in self.books.circuits:
            return
        tail = place + 1 == len(path)
        if not tail and path[place + 1] not in self.books.site.neighbours:
            yield Send(ctx.sender, Reject(msg.circuit, self.books.here, Reason.NO_ROUTE))
        elif msg.label in self.books.labels[ctx.sender] or (tail and self.books.of_session(msg.session) is not None):
            yield Send(ctx.sender, Reject(msg.circuit, self.books.here, Reason.REJECTED))
        elif (c := self.books.enter(msg.circuit, path, msg.label, msg)) is None:
            yield Send(ctx.sender, Reject(msg.circuit, self.books.here, Reason.NORES))
        elif tail:
            c.sessions = [msg.session]
            yield Send(ctx.sender, SetupRsp(msg.circuit))
        else:
            yield Send(c.sides[1].peer, replace(msg, label=c.sides[1].label))

    def accepted(self, msg: SetupRsp, ctx: Context) -> Iterator[Noun]:
        """Pass the acceptance back; the head starts."""
        c = self.books.find(msg.circuit, ctx.sender, (1,))
        if c is not None and c.place:
            yield Send(c.sides[0].peer, msg)
        elif c is not None and c.wish is not None and c.stage == "asked":
            wish, c.stage, c.epoch, c.due = c.wish, "active", 1, ctx.now
            told = wish.number if wish.number < NUMBERS else 0
            rate = round(1000 * wish.rate)
            yield Send(
                c.sides[1].peer,
                Forward(
                    c.number, told, wish.session, self.books.here, c.path[-1], KEEP, wish.basis, epoch=1, rate=rate
                ),
            )
            yield Connected(wish.session, wish.peer, initiator=True, number=wish.number)
            yield Set(Tidy(c.number), ctx.now + c.patience)

    def rejected(self, msg: Reject, ctx: Context) -> Iterator[Noun]:
        """Forget a circuit that is refused further on."""
        c = self.books.find(msg.circuit, ctx.sender, (1,))
        if c is None:
            return
        yield from self.books.forget(c)
        if c.place:
            yield Send(c.sides[0].peer, msg)
        for session in c.sessions:
            yield Disconnected(session, msg.reason)

    def disconnect(self, req: Disconnect, ctx: Context) -> Iterator[Noun]:
        """End a session; the tail asks the head for that."""
        c = self.books.of_session(req.session)
        if c is not None and c.place == 0:
            yield from self.books.end(c, Reason.NONE, -1, ctx.now)
        elif c is not None and req.session in c.serves:
            yield Send(c.sides[0].peer, Complete(c.number, req.session))

    def teardown(self, msg: Teardown, ctx: Context) -> Iterator[Noun]:
        """End what a neighbour ends."""
        c = self.books.find(msg.circuit, ctx.sender)
        if c is not None:
            yield from self.books.end(c, msg.reason, ctx.sender, ctx.now)

    def unreachable(self, ind: Unreachable, ctx: Context) -> Iterator[Noun]:
        """End what needs a node that is lost."""
        for c in list(self.books.circuits.values()):
            ends = (c.path[0], c.path[-1]) if c.is_end else ()
            if ind.peer in (c.sides[0].peer, c.sides[1].peer, *ends):
                yield from self.books.end(c, Reason.LOST_PEER, ind.peer, ctx.now)

    def wake(self, due: Wake, ctx: Context) -> Iterator[Noun]:
        """Give an unanswered request up; everything else is settled anyway."""
        c = self.books.circuits.get(due.circuit)
        if c is not None:
            c.alarm = 0
            if c.stage == "asked" and c.deadline <= ctx.now:
                yield from self.books.end(c, Reason.LOST_PEER, -1, ctx.now)

    def forward(self, msg: Forward, ctx: Context) -> Iterator[Noun]:
        """Serve a session from now on."""
        c = self.books.find(msg.circuit, ctx.sender, (0,))
        if c is None or not 0 < (msg.epoch - c.epoch) % EPOCHS < EPOCHS // 2:
            return
        if msg.kind != KEEP:
            yield from self.books.end(c, Reason.UNSUPP, -1, ctx.now)
            return
        c.epoch = msg.epoch
        c.serves.append(msg.request)
        c.epochs[msg.epoch] = tuple(c.serves)
        if c.stage != "active":
            c.stage, c.stock = "active", 0
            yield Set(Tidy(c.number), ctx.now + c.patience)
        if c.sides[1].peer >= 0:
            yield Send(c.sides[1].peer, msg)
            return
        if msg.request not in c.sessions:
            c.sessions.append(msg.request)
        yield Connected(msg.request, c.path[0], initiator=False, number=msg.number)

    def complete(self, msg: Complete, ctx: Context) -> Iterator[Noun]:
        """Serve a session no longer."""
        c = self.books.find(msg.circuit, ctx.sender)
        if c is None or (c.place and msg.request not in c.serves) or (not c.place and msg.request not in c.sessions):
            return
        if ctx.sender == c.sides[1].peer:
            if c.place:
                yield Send(c.sides[0].peer, msg)
            else:
                yield from self.books.end(c, Reason.NONE, -1, ctx.now)
            return
        c.serves.remove(msg.request)
        c.epoch = (c.epoch + 1) % EPOCHS
        c.epochs[c.epoch] = tuple(c.serves)
        if not c.serves:
            yield from self.books.stop(c)
        elif c.sides[1].peer < 0:
            c.sessions.remove(msg.request)
            yield Disconnected(msg.request, Reason.NONE)
        if c.sides[1].peer >= 0:
            yield Send(c.sides[1].peer, msg)


def _best(view: NetworkView, a: int, b: int) -> tuple[float, float]:
    """Return the best fidelity of a link and the pairs it makes in a second then."""
    edge = next(edge for edge in view.edges if {edge.a, edge.b} == {a, b})
    row = max(edge.rows, key=lambda row: row.fidelity)
    return row.fidelity, edge.lanes / row.seconds_per_pair


def shortest(view: NetworkView, source: int, target: int) -> tuple[int, ...]:
    """Return a path of fewest links, empty if there is none."""
    paths: dict[int, tuple[int, ...]] = {source: (source,)}
    for node in (queue := [source]):
        for edge in view.edges:
            there = edge.b if edge.a == node else edge.a if edge.b == node else node
            if there not in paths:
                paths[there] = (*paths[node], there)
                queue.append(there)
    return paths.get(target, ())
