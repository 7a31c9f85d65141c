"""Pairs come and go: the entries that a link, the device and messages about pairs make."""

from __future__ import annotations

from collections.abc import Iterator

from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Context
from qstack.core.nouns import Noun, Send, Set
from qstack.services.device import Swapped
from qstack.services.l2_link import Err, Ok
from qstack.services.l3_network import Lost
from qstack.services.reasons import Reason
from qstack.wire.network import Expire, Track

from .books import DEAD, GIVEN, HELD, JOINED, UNIT, WAITS, Books, Circuit, Half, Side, Tidy, give_up

NUMBERS = 1 << 16
"""Of pairs of a link; they begin anew."""


class Forwarding:
    """One node's entries about pairs."""

    def __init__(self, books: Books) -> None:
        self.books = books

    def ok(self, ind: Ok, ctx: Context) -> Iterator[Noun]:
        """Enter a pair."""
        c, which = self.books.labels.get(ind.peer, {}).get(ind.purpose, (None, 0))
        if c is None:
            yield from give_up(Half(ind, DEAD, ctx.now), Reason.UNWANTED, ctx.now)
            return
        side = c.sides[which]
        side.strike(ind.sequence)
        side.halves[ind.sequence] = half = Half(ind, WAITS, ctx.now)
        if which and c.stage == "active":
            c.stock -= 1
        doom = side.doomed.pop(ind.sequence, 0)
        if c.stage != "active" or doom or (c.place == 0 and not c.slots):
            yield from give_up(half, doom or Reason.UNWANTED, ctx.now)
        elif c.is_end:
            half.state = HELD
            if c.place == 0:
                half.slot = c.slots.popleft()
            request = half.slot[0] if half.slot else 0
            believed = int(ind.goodness * UNIT)
            told = Track(c.number, self.books.here, ind.sequence, ind.sequence, ind.bell, c.epoch, believed, request)
            yield Send(side.peer, told)

    def swapped(self, ind: Swapped, ctx: Context) -> Iterator[Noun]:
        """Enter a swap."""
        c, up, down = self.books.joins.pop(ind.left, (None, None, None))
        if c is None or up is None or down is None:
            return
        kept = self.books.site.storage(ctx.now - up.ok.since) * self.books.site.storage(ctx.now - down.ok.since)
        doom = up.reason or down.reason
        for half, other in ((up, down), (down, up)):
            half.state, half.at, half.partner = DEAD if doom else JOINED, ctx.now, other
            half.reason, half.bell, half.factor = doom, ind.outcome, self.books.site.swap_factor * kept
        yield from ()

    def track(self, msg: Track, ctx: Context) -> Iterator[Noun]:
        """Enter a question."""
        c = self.books.find(msg.circuit, ctx.sender)
        if c is not None and c.stage == "active":
            side = c.sides[0] if ctx.sender == c.sides[0].peer else c.sides[1]
            side.questions[msg.link_pair] = (msg, ctx.now)
        yield from ()

    def expire(self, msg: Expire, ctx: Context) -> Iterator[Noun]:
        """Pass on that a pair is gone, or act on it where it belongs."""
        c = self.books.find(msg.circuit, ctx.sender)
        if c is None or c.stage != "active":
            return
        if msg.origin not in (c.path[0], c.path[-1]):
            raise RemoteProtocolError(f"node {msg.origin} is no end of circuit {msg.circuit}")
        side, other = c.sides if ctx.sender == c.sides[0].peer else c.sides[::-1]
        if msg.origin == self.books.here:
            yield from self._gone(c, side, msg.origin_pair, msg.reason, ctx.now)
            return
        asked = (msg.origin, msg.origin_pair)
        found = [n for n, (one, _) in side.questions.items() if (one.origin, one.origin_pair) == asked]
        if found:
            del side.questions[found[0]]
            half = side.halves.get(found[0])
            if half is None:
                side.doomed[found[0]] = msg.reason
            elif half.state == WAITS:
                yield from give_up(half, msg.reason, ctx.now)
            else:
                half.reason = msg.reason
        elif other.peer >= 0:
            yield Send(other.peer, msg)
        else:
            given = [
                n for n, h in side.halves.items() if h.track is not None and h.track.origin_pair == msg.origin_pair
            ]
            for number in given:
                yield from self._gone(c, side, number, msg.reason, ctx.now)

    def _gone(self, c: Circuit, side: Side, number: int, reason: int, now: int) -> Iterator[Noun]:
        """Let a half go that was held or given at an end."""
        half = side.halves.get(number)
        if half is not None and half.state == HELD:
            side.strike(number)
            if half.slot is not None:
                c.slots.appendleft(half.slot)
            yield from give_up(half, reason, now)
        elif half is not None and half.pair is not None and half.state == GIVEN:
            side.strike(number)
            yield Lost(half.pair.session, half.pair.pair, half.ok.qubit, reason)

    def err(self, ind: Err, ctx: Context) -> Iterator[Noun]:
        """Take pairs back, or end a circuit that its link cannot serve."""
        c, which = self.books.labels.get(ind.peer, {}).get(ind.purpose, (None, 0))
        if c is None or c.stage != "active" or ind.reason == Reason.TORN_DOWN:
            return
        if ind.reason != Reason.EXPIRE:
            yield from self.books.end(c, ind.reason, -1, ctx.now)
            return
        side = c.sides[which]
        for n in range((ind.high - ind.low) % NUMBERS):
            number = (ind.low + n) % NUMBERS
            half = side.halves.get(number)
            if half is not None and half.state in (HELD, GIVEN):
                yield from self._gone(c, side, number, Reason.EXPIRE, ctx.now)
                yield Send(side.peer, Expire(c.number, self.books.here, number, Reason.EXPIRE))
            elif half is not None and half.state == WAITS:
                yield from give_up(half, Reason.EXPIRE, ctx.now)

    def tidy(self, due: Tidy, ctx: Context) -> Iterator[Noun]:
        """Strike out what nobody can ask for any more, and answer questions whose pair never came."""
        c = self.books.circuits.get(due.circuit)
        if c is None or c.stage != "active":
            return
        for side in c.sides:
            for number, (msg, since) in list(side.questions.items()):
                if number not in side.halves and since + c.patience <= ctx.now:
                    del side.questions[number]
                    yield Send(side.peer, Expire(c.number, msg.origin, msg.origin_pair, Reason.OTHER))
            for number, half in list(side.halves.items()):
                if c.cutoff and half.state in (DEAD, JOINED, GIVEN) and half.at + 2 * c.patience <= ctx.now:
                    side.strike(number)
        yield Set(due, ctx.now + c.patience)
