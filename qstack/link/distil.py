"""Distillation at the link: two pairs in, at most one better pair out, agreed by one message each way.

    FIRST --second pair of the request/Distil--> MEASURING --Distilled/Send(DistilBit)--> JUDGING
    JUDGING --both bits known, equal--> Ok of the kept pair          --unequal--> Free of the kept pair

Both ends see the same pairs of a request in the same order, so both choose the same two.  The younger pair is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from qstack.core.nouns import Noun, Send
from qstack.services.device import Distil, Distilled, Free
from qstack.services.l2_link import Ok
from qstack.wire.link import DistilBit

Deliver = Callable[[int, Ok], Iterator[Noun]]
"""What follows from a kept pair of the request with this queue id."""

REMEMBERED = 256
"""Estimates that are not computed again: pairs of one request are alike."""

EARLY = 256
"""Bits kept for pairs that this end does not have yet; older ones belong to requests that have ended."""


class Scheme(Protocol):
    """A two-to-one distillation scheme as the link layer sees it."""

    name: str

    def output_fidelity(self, first: float, second: float) -> float:
        """Return the fidelity expected of the kept pair."""
        ...

    def input_fidelity(self, wanted: float) -> float:
        """Return the least fidelity of two equal pairs that gives `wanted`; above 1 if none does."""
        ...


@dataclass(slots=True)
class Round:
    """One distillation at this end: the request, the two pairs, and this end's bit, -1 while it is not known."""

    aid: int
    spare: Ok
    keep: Ok
    bit: int = -1
    forgotten: bool = False


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
        self.measuring: dict[int, Round] = {}
        self.judging: dict[tuple[int, int, int], Round] = {}
        self.early: dict[tuple[int, int, int], int] = {}

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
        first = self.waiting.pop((ok.peer, aid), None)
        if first is None:
            self.waiting[ok.peer, aid] = ok
            return ()
        self.measuring[ok.qubit] = Round(aid, first, ok)
        paulis = (ok.bell, first.bell) if correct else (0, 0)
        return (Distil(ok.qubit, first.qubit, self.scheme.name, *paulis),)

    def mine(self, ind: Distilled, deliver: Deliver) -> Iterator[Noun]:
        """Tell the peer my bit; judge when the peer's is known already."""
        game = self.measuring.pop(ind.keep, None)
        if game is None:
            return
        keep = game.keep
        if game.forgotten:
            yield Free(keep.qubit)
            return
        game.bit = ind.outcome
        yield Send(keep.peer, DistilBit(keep.sequence, game.spare.sequence, ind.outcome))
        key = (keep.peer, keep.sequence, game.spare.sequence)
        theirs = self.early.pop(key, None)
        if theirs is None:
            self.judging[key] = game
        else:
            yield from self._judge(game, deliver, equal=theirs == game.bit)

    def theirs(self, peer: int, msg: DistilBit, deliver: Deliver) -> Iterator[Noun]:
        """Take the peer's bit; judge when mine is known already."""
        key = (peer, msg.keep, msg.spare)
        game = self.judging.pop(key, None)
        if game is None:
            self.early[key] = msg.outcome
            if len(self.early) > EARLY:
                del self.early[next(iter(self.early))]
        else:
            yield from self._judge(game, deliver, equal=game.bit == msg.outcome)

    def forget(self, peer: int, aid: int) -> Iterator[Noun]:
        """Free what is under way for a request that has ended."""
        ok = self.waiting.pop((peer, aid), None)
        if ok:
            yield Free(ok.qubit)
        for game in self.measuring.values():
            if (game.keep.peer, game.aid) == (peer, aid):
                game.forgotten = True
        for key, game in list(self.judging.items()):
            if (game.keep.peer, game.aid) == (peer, aid):
                del self.judging[key]
                yield Free(game.keep.qubit)

    def _judge(self, game: Round, deliver: Deliver, *, equal: bool) -> Iterator[Noun]:
        """Keep only when both bits agree (QS-L3-019): both ends compare the same two bits."""
        keep, spare = game.keep, game.spare
        if not equal:
            yield Free(keep.qubit)
            return
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
        yield from deliver(game.aid, ok)
