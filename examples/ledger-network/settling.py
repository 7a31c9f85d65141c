"""What follows from the books: whatever has happened, this says what is swapped, answered, delivered and asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from qstack.core.clock import SECOND
from qstack.core.nouns import Cancel, Noun, Send, Set
from qstack.services.device import Swap
from qstack.services.l2_link import Create
from qstack.services.l3_network import Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Track

from .books import DEAD, GIVEN, HELD, JOINED, JOINS, UNIT, WAITS, Books, Circuit, Half, Side, Wake, give_up, werner

BATCH = 1000
"""Pairs that a link is asked for at once."""


def settle(books: Books, c: Circuit, now: int) -> Iterator[Noun]:
    """Swap, discard, answer, deliver and ask, as far as the entries allow, and wake up when that changes."""
    if c.stage == "active":
        if not c.is_end:
            yield from _swaps(books, c, now)
        for side, other in (c.sides, c.sides[::-1]):
            yield from _answers(books, c, side, other, now)
        _ask(books, c, now)
        if c.sides[1].peer >= 0 and c.stage == "active" and c.stock <= BATCH // 2:
            c.stock += BATCH
            yield Create(c.sides[1].peer, c.sides[1].label, BATCH, c.fidelity, priority=c.priority)
    if c.number in books.circuits:
        yield from _alarm(books, c, now)


def _swaps(books: Books, c: Circuit, now: int) -> Iterator[Noun]:
    """Join what waits on both sides, and discard what has waited too long."""
    first, second = c.sides
    while (up := first.waiting()) is not None and (down := second.waiting()) is not None:
        up.state = down.state = JOINS
        books.joins[up.ok.qubit] = (c, up, down)
        yield Swap(up.ok.qubit, down.ok.qubit)
    for side in c.sides if c.cutoff else ():
        for half in [h for h in side.halves.values() if h.state == WAITS and h.ok.since + c.cutoff <= now]:
            yield from give_up(half, Reason.CUTOFF, now)


def _answers(books: Books, c: Circuit, side: Side, other: Side, now: int) -> Iterator[Noun]:
    """Answer the TRACKs of one side whose half is joined, held or gone."""
    for number, (msg, _) in list(side.questions.items()):
        half = side.halves.get(number)
        if half is None or half.state not in (DEAD, JOINED, HELD):
            continue
        del side.questions[number]
        if half.state == HELD:
            yield from _give(books, c, side, half, msg, now)
            continue
        side.strike(number)
        if half.state == DEAD:
            yield Send(side.peer, Expire(c.number, msg.origin, msg.origin_pair, half.reason))
            continue
        assert half.partner is not None
        after = half.partner.ok
        believed = werner(msg.estimate / UNIT) * half.factor * werner(after.goodness)
        told = replace(
            msg,
            link_pair=after.sequence,
            bell=msg.bell ^ half.bell ^ after.bell,
            estimate=max(0, int((1 + 3 * believed) / 4 * UNIT)),
        )
        yield Send(other.peer, told)


def _give(books: Books, c: Circuit, side: Side, half: Half, msg: Track, now: int) -> Iterator[Noun]:
    """Deliver a pair at an end, to the session that both ends find for it."""
    session, number, asked = c.sessions[0] if c.sessions else -1, msg.request, -1
    if c.place == 0:
        assert half.slot is not None
        number, asked = half.slot
    else:
        members = c.epochs.get(msg.epoch, ())
        session = members[msg.member] if msg.member < len(members) and not msg.test else -1
    if session < 0:
        yield from give_up(half, Reason.OTHER, now)
        yield Send(side.peer, Expire(c.number, books.here, half.ok.sequence, Reason.OTHER))
        return
    waited = books.site.storage(now - half.ok.since)
    believed = (1 + 3 * werner(msg.estimate / UNIT) * waited * waited) / 4
    half.state, half.at, half.track = GIVEN, now, msg
    half.pair = Pair(session, number, msg.bell, half.ok.qubit, believed, asked)
    yield half.pair
    c.given += 1
    if c.place == 0 and c.wish is not None and c.given == c.wish.number:
        yield from books.stop(c)
        yield Send(side.peer, Complete(c.number, session, c.path[0], c.path[-1]))


def _ask(books: Books, c: Circuit, now: int) -> None:
    """At the head: say of which pairs a delivery is begun, as lanes and the rate allow."""
    if c.wish is None or c.stage != "active":
        return
    room = books.site.neighbours[c.sides[1].peer].lanes - len(c.slots)
    room -= sum(half.state == HELD for half in c.sides[1].halves.values())
    while room > 0 and (not c.wish.number or c.begun < c.wish.number) and c.due <= now:
        c.slots.append((c.begun, now))
        c.begun += 1
        room -= 1
        c.due = max(c.due, now) + round(SECOND / c.wish.rate) if c.wish.rate else 0


def _alarm(books: Books, c: Circuit, now: int) -> Iterator[Noun]:
    """Wake up at the next deadline of a circuit."""
    times = [c.deadline] if c.stage == "asked" else []
    if c.stage == "active" and not c.is_end and c.cutoff:
        times += [half.ok.since + c.cutoff for side in c.sides for half in [side.waiting()] if half]
    if c.stage == "active" and c.wish is not None and c.due > now:
        times.append(c.due)
    due = max(now, min(times)) if times else 0
    if due != c.alarm:
        c.alarm = due
        yield Set(Wake(c.number), due) if times else Cancel(Wake(c.number))
