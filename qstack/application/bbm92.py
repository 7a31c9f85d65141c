"""BBM92: two ends make a key from pairs that nobody prepared (Bennett, Brassard, Mermin, Phys. Rev. Lett. 68, 557).

    pair    --measured, see `qstack.application.measuring`--> MEASURED
    block   responder   FILLING --full or Closed/Have--> ANNOUNCED --Bases/Bases--> SIFTED --Reveal/Sifted, Kept, Reveal-->
            initiator   --Have/Bases--> ASKED --Bases/Reveal--> TESTED --Reveal/Sifted, Kept-->
    flow    OPEN --Closed/Set--> LAST --last block done/Finished--> done
                                      --GiveUp/Finished(LOST_PEER)--> done

Each end draws its basis alone, from its device's entropy, and measures what it is given at once.  Bases are told only
after both results exist.  Of the pairs with equal bases every one in X and a random sample in Z is revealed: errors are
counted by both ends from each other's messages.  The other Z bits are the sifted key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qstack.application.layer import PATIENCE, GiveUp
from qstack.application.measuring import Measuring
from qstack.application.pairs import Wish
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Cancel, Noun, Send, Set
from qstack.services.bell import Basis
from qstack.services.l4_transport import (
    REACTIVE,
    STREAM,
    TOLERANT,
    Closed,
    Opened,
)
from qstack.services.l5_application import Finished, Kept, Sifted, Start
from qstack.services.reasons import Reason
from qstack.wire.application import Bases, Have, Reveal

BLOCK = 16
"""Pairs of a block: one exchange of messages sifts that many."""

SCALE = 8
"""Bits of entropy that decide whether a bit is revealed."""


class Bbm92(Measuring):
    """One end of a flow that makes a key.

    Parameters
    ----------
    flow
        Number of the flow.
    wish
        What to ask for; only the initiator asks.
    initiator
        Whether this end asks.
    sample
        Share of the sifted Z bits that is revealed, in steps of 1/256; the initiator's counts.
    early
        Whether to ask for halves before it is known what they are.

    Attributes
    ----------
    key
        Sifted key bits by pair number, in an order that is the same at both ends.
    counts
        Revealed pairs and errors among them, by basis.
    """

    name = "bbm92"

    def __init__(self, flow: int, wish: Wish, *, initiator: bool, sample: float = 0.5, early: bool = False) -> None:
        super().__init__(flow, wish.peer, initiator=initiator)
        if not 0 <= sample <= 1:
            raise LocalProtocolError(f"sample {sample}: a share is 0 to 1")
        self.wish = wish
        self.threshold = round(sample * (1 << SCALE))
        self.consumption = TOLERANT if early else REACTIVE
        self.theirs: list[int] = []
        self.blocks: dict[int, dict[int, int]] = {}
        self.last_block = -1
        self.next_block = 0
        self.stands = False
        self.gone = False
        self.closed: Closed | None = None
        self.postponed: Have | None = None
        self.key: dict[int, int] = {}
        self.counts: dict[int, list[int]] = {Basis.Z: [0, 0], Basis.X: [0, 0]}

    # -- session ------------------------------------------------------------------------------------------------------

    @on(Start)
    def start(self, req: Start, ctx: Context) -> Outputs:
        """Open the session."""
        return (self.wish.opening(self.flow, STREAM, self.consumption),)

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Have random bits at hand when the first pair comes."""
        self.stands = True
        self.gone = False
        self.closed = self.postponed = None
        for left in (self.results, self.fresh, self.theirs, self.blocks):
            left.clear()  # of a session that has failed; pairs are numbered anew
        return self.entropy.ready()

    @on(Closed)
    def closed_(self, ind: Closed, ctx: Context) -> Outputs:
        """Finish what both ends have measured; the other end may fall silent before that."""
        self.closed = ind
        if not self.stands:  # the other end may not even know
            return (Finished(self.flow, ind.reason),)
        patience = Set(GiveUp(self.flow), ctx.now + PATIENCE)
        return (patience,) if self.initiator else (patience, *self._flush())

    @on(GiveUp)
    def give_up(self, due: GiveUp, ctx: Context) -> Outputs:
        """Do not wait any longer; what was not sifted by both ends is no key."""
        self.gone = True
        self.blocks.clear()
        self.results.clear()
        return (Finished(self.flow, Reason.LOST_PEER),)

    def _finish(self, block: int) -> Iterator[Noun]:
        if block == self.last_block and self.closed is not None:
            yield Cancel(GiveUp(self.flow))
            yield Finished(self.flow, self.closed.reason)

    # -- sifting ------------------------------------------------------------------------------------------------------

    def onward(self) -> Outputs:
        """Tell what is due."""
        if self.initiator:
            return self._tell(self.postponed) if self.postponed and not self.busy else ()
        return self._flush() if len(self.fresh) >= BLOCK or (self.closed and not self.busy) else ()

    def _flush(self) -> Iterator[Noun]:
        """Tell the initiator which results exist."""
        last = self.closed is not None and not self.busy
        yield Send(self.peer, Have(self.flow, self.next_block, last, tuple(self.fresh)))
        self.last_block = self.next_block if last else -1
        self.next_block += 1
        self.fresh.clear()

    @on(Have)
    def have(self, msg: Have, ctx: Context) -> Outputs:
        """Tell my bases of pairs that both ends have measured; the last block waits for my last result."""
        self._expect(ctx, initiator=True)
        if self.gone:
            return ()
        if msg.last and self.busy:
            self.postponed = msg
            return ()
        return self._tell(msg)

    def _tell(self, msg: Have) -> Iterator[Noun]:
        self.theirs += msg.pairs
        ready = [pair for pair in self.theirs if pair in self.results]
        self.theirs = [pair for pair in self.theirs if pair not in self.results]
        if msg.last:
            self.last_block = msg.block
        self.blocks[msg.block] = {pair: self.results[pair].basis for pair in ready}
        yield Send(self.peer, Bases(self.flow, msg.block, tuple(ready), tuple(self.blocks[msg.block].values())))

    @on(Bases)
    def bases(self, msg: Bases, ctx: Context) -> Outputs:
        """Compare bases; the responder tells its own, the initiator chooses what is revealed."""
        self._expect(ctx)
        if self.gone:
            return
        if len(msg.pairs) != len(msg.bases) or not self.results.keys() >= set(msg.pairs):
            raise RemoteProtocolError(f"bases of pairs that were not measured: {msg.pairs}")
        theirs = dict(zip(msg.pairs, msg.bases, strict=True))
        sifted = {p: basis for p, basis in theirs.items() if self.results[p].basis == basis}
        if not self.initiator:
            self.blocks[msg.block] = sifted
            mine = tuple(self.results[pair].basis for pair in msg.pairs)
            yield Send(self.peer, Bases(self.flow, msg.block, msg.pairs, mine))
            self._forget(theirs.keys() - sifted.keys())
        elif self.blocks.get(msg.block, {}).keys() != theirs.keys():
            raise RemoteProtocolError(f"bases of another block than {msg.block}")
        else:
            self.blocks[msg.block] = sifted
            self._forget(theirs.keys() - sifted.keys())
            yield from self._choose(msg.block, sifted)

    def _choose(self, block: int, sifted: dict[int, int]) -> Iterator[Noun]:
        """Give up every X bit, and a random sample of the Z bits."""

        def reveal(bits: int) -> Iterator[Noun]:
            chosen = [
                pair
                for place, (pair, basis) in enumerate(sifted.items())
                if basis == Basis.X or bits >> SCALE * place & ((1 << SCALE) - 1) < self.threshold
            ]
            yield Send(self.peer, self._reveal(block, chosen))

        return self.entropy.take(SCALE * len(sifted), reveal)

    def _reveal(self, block: int, pairs: list[int]) -> Reveal:
        return Reveal(self.flow, block, tuple(pairs), tuple(self.results[pair].bit for pair in pairs))

    @on(Reveal)
    def reveal(self, msg: Reveal, ctx: Context) -> Outputs:
        """Count errors among the revealed bits and keep the others."""
        self._expect(ctx)
        if self.gone:
            return
        sifted = self.blocks.pop(msg.block, None)
        if sifted is None or len(msg.pairs) != len(msg.bits) or not sifted.keys() >= set(msg.pairs):
            raise RemoteProtocolError(f"bits of pairs that were not sifted in block {msg.block}: {msg.pairs}")
        if not self.initiator:
            yield Send(self.peer, self._reveal(msg.block, list(msg.pairs)))
        revealed = dict(zip(msg.pairs, msg.bits, strict=True))
        for pair, basis in sifted.items():
            bit = self.results[pair].bit
            if pair in revealed:
                error = bit ^ revealed[pair]
                self.counts[basis][0] += 1
                self.counts[basis][1] += error
                yield Sifted(self.flow, pair, basis, error)
            else:
                self.key[pair] = bit
                yield Kept(self.flow, pair, basis)
        self._forget(sifted)
        yield from self._finish(msg.block)

    def _forget(self, pairs: Iterable[int]) -> None:
        for pair in pairs:
            del self.results[pair]

    def _expect(self, ctx: Context, *, initiator: bool | None = None) -> None:
        """Refuse messages of others, and those that only the other side receives."""
        if ctx.sender != self.peer or (initiator is not None and initiator != self.initiator):
            raise RemoteProtocolError(f"node {ctx.sender} has no say in the sifting of flow {self.flow}")
