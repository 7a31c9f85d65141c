"""Distillation at the link: two pairs in, at most one better pair out, agreed by one message each way.

    FIRST --second Ok of the purpose/Distil--> MEASURING --Distilled/Send(DistilBit)--> JUDGING
    JUDGING --both bits known, equal--> Ok of the kept pair          --unequal--> Free of the kept pair

Both ends see the same pairs in the same order, so both choose the same two.  The younger pair is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from qstack.core.nouns import Noun, Send
from qstack.services.device import Distil, Distilled, Free
from qstack.services.l2_link import Ok
from qstack.wire.link import DistilBit


class Scheme(Protocol):
    """A two-to-one distillation scheme as the link layer sees it."""

    name: str

    def output_fidelity(self, first: float, second: float) -> float:
        """Return the fidelity expected of the kept pair."""
        ...

    def input_fidelity(self, wanted: float) -> float:
        """Return the least fidelity of two equal pairs that gives `wanted`; above 1 if none does."""
        ...


class Distiller:
    """Keeps the books of the distillations of one node.

    Parameters
    ----------
    scheme
        What to run and what it promises.
    """

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self.waiting: dict[tuple[int, int], Ok] = {}
        self.running: dict[int, tuple[Ok, Ok]] = {}
        self.mine_known: dict[tuple[int, int], tuple[Ok, Ok, int]] = {}
        self.theirs_known: dict[tuple[int, int], int] = {}

    def input_fidelity(self, wanted: float) -> float:
        """Return the fidelity that raw pairs need."""
        return self.scheme.input_fidelity(wanted)

    def add(self, ok: Ok, *, correct: bool) -> Iterator[Noun]:
        """Take a raw pair; with the second of its purpose the scheme is run.

        Parameters
        ----------
        ok
            The pair.
        correct
            Whether this end is the one that turns both pairs into Phi+.
        """
        first = self.waiting.pop((ok.peer, ok.purpose), None)
        if first is None:
            self.waiting[ok.peer, ok.purpose] = ok
        else:
            self.running[ok.qubit] = (first, ok)
            paulis = (ok.bell, first.bell) if correct else (0, 0)
            yield Distil(ok.qubit, first.qubit, self.scheme.name, *paulis)

    def mine(self, ind: Distilled) -> Iterator[Noun]:
        """Tell the peer my bit."""
        spare, keep = self.running.pop(ind.keep)
        key = (keep.peer, keep.sequence)
        yield Send(keep.peer, DistilBit(keep.sequence, spare.sequence, ind.outcome))
        theirs = self.theirs_known.pop(key, None)
        if theirs is None:
            self.mine_known[key] = (spare, keep, ind.outcome)
        else:
            yield from self._judge(spare, keep, equal=theirs == ind.outcome)

    def theirs(self, peer: int, msg: DistilBit) -> Iterator[Noun]:
        """Take the peer's bit."""
        known = self.mine_known.pop((peer, msg.keep), None)
        if known is None:
            self.theirs_known[peer, msg.keep] = msg.outcome
        else:
            spare, keep, bit = known
            yield from self._judge(spare, keep, equal=bit == msg.outcome)

    def forget(self, peer: int, purpose: int) -> Iterator[Noun]:
        """Free what waits for this purpose."""
        ok = self.waiting.pop((peer, purpose), None)
        if ok:
            yield Free(ok.qubit)
        for key, (_, keep, _) in list(self.mine_known.items()):
            if (keep.peer, keep.purpose) == (peer, purpose):
                del self.mine_known[key]
                yield Free(keep.qubit)

    def _judge(self, spare: Ok, keep: Ok, *, equal: bool) -> Iterator[Noun]:
        """Keep only when both bits agree (QS-L3-019): both ends compare the same two bits."""
        if equal:
            goodness = self.scheme.output_fidelity(keep.goodness, spare.goodness)
            yield Ok(
                keep.peer,
                keep.purpose,
                keep.create_id,
                keep.sequence,
                0,
                goodness,
                keep.since,
                keep.qubit,
                keep.remote,
                -1,
                -1,
            )
        else:
            yield Free(keep.qubit)
