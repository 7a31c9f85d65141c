"""Distillation at the link: two pairs in, at most one better pair out, agreed by one message each way.

    FIRST --second pair of the request/Distil--> MEASURING --Distilled/Send(DistilBit)--> JUDGING
    JUDGING --both bits known, equal--> Ok of the kept pair          --unequal--> Free of the kept pair
            '--BitsDue/Send(DistilBit) until the neighbour's bit has come

Both ends see the same pairs of a request in the same order, so both choose the same two.  The younger pair is kept.
Verdicts of a request are passed in the order of its rounds, so that both ends count the same pairs, whatever is lost.

A pair of which one end was not told breaks that order.  It is restored by an expiry: the end that has noticed puts its
pairs aside until the other one has named the first pair from which both pair up anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from qstack.core.layer import Context, Outputs
from qstack.core.nouns import Noun, Send
from qstack.link.queue import before
from qstack.services.device import Distil, Distilled, Free
from qstack.services.l2_link import Ok
from qstack.wire.link import DistilBit

Deliver = Callable[[int, Ok, Context], Iterable[Noun]]
"""What follows from a kept pair of the request with this queue id."""

REMEMBERED = 256
"""Estimates that are not computed again: pairs of one request are alike; and own bits of rounds that are over."""

EARLY = 256
"""Bits kept for pairs that this end does not have yet; older ones belong to requests that have ended."""

REMINDERS = 8
"""How often a bit is repeated in vain before its round is given up."""


class Scheme(Protocol):
    """A two-to-one distillation scheme as the link layer sees it."""

    name: str

    def output_fidelity(self, first: float, second: float) -> float:
        """Return the fidelity expected of the kept pair."""
        ...

    def input_fidelity(self, wanted: float) -> float:
        """Return the least fidelity of two equal pairs that gives `wanted`; above 1 if none does."""
        ...


@dataclass(slots=True, eq=False)
class Round:
    """One distillation at this end: the request, the two pairs, and both bits, -1 while they are not known.

    `key` is the neighbour and the pair numbers: what the neighbour's message names.
    """

    aid: int
    spare: Ok
    keep: Ok
    key: tuple[int, int, int]
    bit: int = -1
    theirs: int = -1
    forgotten: bool = False
    reminders: int = -1


class Distiller:
    """Keeps the books of the distillations of one node.

    Parameters
    ----------
    scheme
        What to run and what it promises.
    survival
        Factor on the Werner parameter of a pair after one of its halves has waited here [ps]; the neighbour's memory is
        taken to be alike.
    """

    def __init__(self, scheme: Scheme, survival: Callable[[int], float] = lambda _: 1.0) -> None:
        self.scheme = scheme
        self.survival = survival
        self.output_fidelity = lru_cache(REMEMBERED)(scheme.output_fidelity)
        self.waiting: dict[tuple[int, int], Ok] = {}
        self.aside: dict[int, list[tuple[int, Ok]]] = {}
        self.measuring: dict[int, Round] = {}
        self.rounds: dict[tuple[int, int], deque[Round]] = {}
        self.judging: dict[tuple[int, int, int], Round] = {}
        self.early: dict[tuple[int, int, int], int] = {}
        self.said: dict[tuple[int, int, int], int] = {}
        self.lost: set[int] = set()

    def input_fidelity(self, wanted: float) -> float:
        """Return the fidelity that raw pairs need."""
        return self.scheme.input_fidelity(wanted)

    def add(self, aid: int, ok: Ok, *, correct: bool) -> tuple[Noun, ...]:
        """Take a raw pair; with the second of its request the scheme is run.

        Parameters
        ----------
        aid
            Queue id of the request.
        ok
            The pair.
        correct
            Whether this end is the one that turns both pairs into Phi+.
        """
        peer = ok.peer
        if peer in self.aside:
            self.aside[peer].append((aid, ok))
            return ()
        place = (peer, aid)
        first = self.waiting.pop(place, None)
        if first is None:
            self.waiting[place] = ok
            return ()
        game = Round(aid, first, ok, (peer, ok.sequence, first.sequence))
        self.measuring[ok.qubit] = game
        rounds = self.rounds.get(place)
        if rounds is None:
            self.rounds[place] = deque((game,))
        else:
            rounds.append(game)
        paulis = (ok.bell, first.bell) if correct else (0, 0)
        return (Distil(ok.qubit, first.qubit, self.scheme.name, *paulis),)

    def mine(self, ind: Distilled, deliver: Deliver, ctx: Context) -> Outputs:
        """Tell the peer my bit; judge when the peer's is known already."""
        game = self.measuring.pop(ind.keep)
        if game.forgotten:
            return (Free(ind.keep),)
        game.bit = ind.outcome
        key = game.key
        self.judging[key] = game
        if self.lost and not self.lost.isdisjoint((game.keep.qubit, game.spare.qubit)):
            self.early.pop(key, None)
            game.reminders = REMINDERS
            return ()
        if key not in self.early:
            return (_bit(game),)
        game.theirs = self.early.pop(key)
        return (_bit(game), *self._settle(game, deliver, ctx))

    def theirs(self, peer: int, msg: DistilBit, deliver: Deliver, ctx: Context) -> Outputs:
        """Take the peer's bit; judge when mine is known already."""
        key = (peer, msg.keep, msg.spare)
        game = self.judging.get(key)
        if game is not None:
            if game.theirs < 0:
                game.theirs = msg.outcome
                return self._settle(game, deliver, ctx)
            return () if msg.seen else (_bit(game),)
        if key in self.said:  # over here, but my bit was lost
            return () if msg.seen else (Send(peer, DistilBit(msg.keep, msg.spare, self.said[key], seen=True)),)
        self.early[key] = msg.outcome
        if len(self.early) > EARLY:
            del self.early[next(iter(self.early))]
        return ()

    def remind(self, peer: int) -> Iterator[Noun]:
        """Repeat the bits that have waited for an answer since the last reminder."""
        for game in self.judging.values():
            if game.keep.peer == peer and game.theirs < 0:
                game.reminders += 1
                if game.reminders:
                    yield _bit(game)

    def hopeless(self, peer: int) -> list[Round]:
        """Return the rounds that the neighbour seems not to know, or whose pair is lost, and forget them; their qubits are left."""
        found = [g for g in self.judging.values() if g.keep.peer == peer and g.reminders >= REMINDERS]
        for game in found:
            self.rounds[peer, game.aid].remove(game)
            self._over(game)
        return found

    def spoil(self, qubit: int) -> bool:
        """Remember that the half of a raw pair is lost; tell whether its round can be given up now, not when its bit is known."""
        judged = [game for game in self.judging.values() if game.keep.qubit == qubit]
        for game in judged:
            game.reminders = REMINDERS
        ahead = {ok.qubit for ok in self.waiting.values()} | {ok.qubit for raw in self.aside.values() for _, ok in raw}
        measured = {ok.qubit for game in self.measuring.values() for ok in (game.keep, game.spare)}
        self.lost = (self.lost | {qubit}) & (ahead | measured)
        return bool(judged)

    def expects(self, peer: int) -> bool:
        """Tell whether a bit of the peer is missing."""
        return any(game.keep.peer == peer and game.theirs < 0 for game in self.judging.values())

    def proceed(self, peer: int, deliver: Deliver, ctx: Context) -> Iterator[Noun]:
        """Pass verdicts that have waited for a round that was given up meanwhile."""
        for game in [rounds[0] for (other, _), rounds in self.rounds.items() if other == peer and rounds]:
            yield from self._settle(game, deliver, ctx)

    def _settle(self, game: Round, deliver: Deliver, ctx: Context) -> Iterator[Noun]:
        """Pass the verdicts that are known, in the order of the rounds of a request."""
        place = (game.keep.peer, game.aid)
        rounds = self.rounds.get(place)
        while rounds and rounds[0].theirs >= 0 and rounds[0].bit >= 0:
            first = rounds.popleft()
            self._over(first)
            yield from self._judge(first, deliver, ctx)
            rounds = self.rounds.get(place)  # the request may have ended

    def _over(self, game: Round) -> None:
        """Remember the bit of a round that is over: the neighbour may not have heard it."""
        key = game.key
        del self.judging[key]
        self.said[key] = game.bit
        if len(self.said) > REMEMBERED:
            del self.said[next(iter(self.said))]

    def _judge(self, game: Round, deliver: Deliver, ctx: Context) -> Iterable[Noun]:
        """Keep only when both bits agree (QS-L3-019): both ends compare the same two bits."""
        keep, spare = game.keep, game.spare
        if game.bit != game.theirs:
            return (Free(keep.qubit),)
        kept = self.survival(abs(keep.since - spare.since)) ** 2
        aged = (1 + (4 * spare.goodness - 1) * kept) / 4
        ok = Ok(
            keep.peer,
            keep.purpose,
            keep.create_id,
            keep.sequence,
            0,
            self.output_fidelity(keep.goodness, aged),
            keep.since,
            keep.qubit,
            keep.remote,
            -1,
            -1,
        )
        return deliver(game.aid, ok, ctx)

    # -- giving up ----------------------------------------------------------------------------------------------------

    def doubtful(self, peer: int, aid: int) -> list[int]:
        """Return the kept pairs of which the neighbour may know the verdict while this end does not."""
        return [g.keep.sequence for g in self.rounds.get((peer, aid), ()) if g.bit >= 0 and g.theirs < 0]

    def forget(self, peer: int, aid: int) -> Iterator[Noun]:
        """Free what is under way for a request that has ended."""
        for _, raw in [entry for entry in self.aside.get(peer, ()) if entry[0] == aid]:
            self.aside[peer].remove((aid, raw))
            yield Free(raw.qubit)
        ok = self.waiting.pop((peer, aid), None)
        if ok:
            yield Free(ok.qubit)
        for game in self.rounds.pop((peer, aid), ()):
            yield from self._dissolve(game)

    def _dissolve(self, game: Round) -> Iterator[Noun]:
        """Give a round up; a measurement that is under way ends first."""
        if game.bit < 0:
            game.forgotten = True
        else:
            self._over(game)
            yield Free(game.keep.qubit)

    def give_up(self, peer: int, keep: int) -> Iterator[Noun]:
        """Give one round up: the neighbour has."""
        for rounds in self.rounds.values():
            for game in [g for g in rounds if g.keep.peer == peer and g.keep.sequence == keep]:
                rounds.remove(game)
                yield from self._dissolve(game)

    def suspend(self, peer: int) -> None:
        """Put new pairs aside: an expiry is under way."""
        self.aside.setdefault(peer, [])

    def restart(self, peer: int, low: int, start: int, *, master: bool) -> Iterator[Noun]:
        """Give up the first pairs and the rounds from pair `low` on, and pair up anew from pair `start` on."""
        for place, ok in [entry for entry in self.waiting.items() if entry[0][0] == peer]:
            del self.waiting[place]
            yield Free(ok.qubit)
        for rounds in [rounds for place, rounds in self.rounds.items() if place[0] == peer]:
            for game in [g for g in rounds if not before(g.keep.sequence, low)]:
                rounds.remove(game)
                yield from self._dissolve(game)
        for aid, ok in self.aside.pop(peer, ()):
            if before(ok.sequence, start):
                yield Free(ok.qubit)
            else:
                yield from self.add(aid, ok, correct=master)


def _bit(game: Round) -> Send:
    peer, keep, spare = game.key
    return Send(peer, DistilBit(keep, spare, game.bit, seen=game.theirs >= 0))
