"""Link layer: agree with a neighbour, attempt, deliver a pair to both ends.

    asker:     IDLE --Create/Add--> ADDING --AddAck--> QUEUED --start--> ACTIVE --Heralded/Ok x number--> done
                                      |--AddDue x 3/Err(NOTIME)
                                      '--AddRej/Err(reason)
    answerer:  IDLE --Add/AddAck--> QUEUED --start--> ACTIVE --Heralded/Ok x number--> done
    both:      QUEUED, ACTIVE --deadline/Err(TIMEOUT) | Withdraw/Drop | Drop/DropAck--> done
               ACTIVE --Skipped/LinkExpire | LinkExpire/LinkExpireAck, Err(EXPIRE)--> ACTIVE, for as many pairs more

A request is agreed once (`Add`, `AddAck`); after that both ends follow the same heralds and need no further message.
Each lane's standing answer is the request that the scheduler chooses for it from knowledge both ends share.  A herald
of a request that has ended meanwhile is freed at both ends.

`qstack.link.agreement` fills the queue, `qstack.link.endings` gives requests and pairs up, `qstack.link.room` knows of
memories, this module serves requests.

Specification: specs/link/link.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Cancel, Noun, Set, Timer, timer
from qstack.link.distil import REMINDERS, Distiller
from qstack.link.endings import SHORTEST, AddDue, Remind, Repeat
from qstack.link.queue import TEST, Item, Link
from qstack.link.room import FlowControl, Stock
from qstack.link.schedulers import weighted_fair
from qstack.link.testing import BASES, Trials, is_due
from qstack.services.classical import NeighbourLost
from qstack.services.device import Distilled, Free
from qstack.services.l1_physical import Attempt, Heralded, Renumber
from qstack.services.l2_link import Err, Ok, Unreachable
from qstack.services.reasons import Reason
from qstack.services.strategies import Scheduler
from qstack.wire.link import DistilBit, LinkExpire, LinkTest

BIT_PATIENCE = 16
"""Round trips after which a bit of a distillation is repeated."""


@timer
class Serve(Timer):
    """A request of this link may be served from now on, or has reached its deadline."""

    peer: int


@timer
class BitsDue(Timer):
    """Bits of the neighbour may be missing."""

    peer: int


class LinkLayer(FlowControl):
    """One per node; serves all neighbours.

    Parameters
    ----------
    links
        What is known of each neighbour.
    scheduler
        Chooses what a lane serves.
    distiller
        Turns several pairs into a better one before they are delivered; None delivers every pair.
    test_period
        One success in so many is followed by a test round; 0 makes none.  Equal at both ends.

    Attributes
    ----------
    trials
        What test rounds have shown, by neighbour.
    reminding
        Neighbours whose missing bits of distillations will be asked for.
    """

    name = "link"

    def __init__(
        self,
        links: Mapping[int, Link],
        scheduler: Scheduler = weighted_fair,
        distiller: Distiller | None = None,
        test_period: int = 0,
    ) -> None:
        super().__init__(links, distiller)
        self.scheduler = scheduler
        self.test_period = test_period
        self.trials = {peer: Trials() for peer in self.links}
        for link in self.links.values():
            link.tested = test_period > 0
        self.reminding: set[int] = set()

    @on(Serve)
    def serve(self, due: Serve, ctx: Context) -> Outputs:
        """Begin what may begin and end what is too late (QS-L2-004)."""
        link = self.links.get(due.peer)
        if link is None:
            return
        for item in [i for i in link.items.values() if i.deadline and i.deadline <= ctx.now]:
            for sequence in self.distiller.doubtful(link.peer, item.aid) if self.distiller else ():
                yield from self._expire_one(link, item, sequence, ctx)
            yield from self._end(link, item)
            yield Err(link.peer, item.purpose, item.create_id, Reason.TIMEOUT, item.remote)
        for proposal in [p for p in link.adding.values() if p.add.deadline and p.add.deadline <= ctx.now]:
            del link.adding[proposal.add.cseq]
            yield Cancel(AddDue(link.peer, proposal.add.cseq))
            if not link.master:  # the master's own stands in its queue already
                yield Err(link.peer, proposal.add.purpose, proposal.add.create_id, Reason.TIMEOUT, remote=False)
        for wish in [w for w in link.backlog if w.deadline and w.deadline <= ctx.now]:
            link.backlog.remove(wish)
            yield Err(link.peer, wish.request.purpose, wish.create_id, Reason.TIMEOUT, remote=False)
        yield from self._plan(link, ctx)

    @on(NeighbourLost)
    def neighbour_lost(self, ind: NeighbourLost, ctx: Context) -> Outputs:
        """Forget what was agreed with a neighbour: it has forgotten it too, or cannot be asked."""
        link = self.links.get(ind.peer)
        if link is not None:
            for cseq in link.adding:
                yield Cancel(AddDue(link.peer, cseq))
            yield Cancel(Repeat(link.peer))
            yield Cancel(Remind(link.peer))
            for item in list(link.items.values()):
                yield from self._end(link, item)
            orphans = [proposal.add for proposal in link.adding.values()]
            link.forget()
            yield from self._plan(link, ctx)
            self.stocks[link.peer] = Stock()
            for add in orphans:  # on their way when the neighbour was lost: it may hold them now
                message = LinkExpire(add.aid, add.create_id, ctx.node, add.create_id, add.create_id)
                yield from self._expire(link, message, ctx)
            yield Renumber(link.peer)
        yield Unreachable(ind.peer)

    @on(Heralded)
    def heralded(self, ind: Heralded, ctx: Context) -> Outputs:
        """Give the pair to the request that both ends attempted for."""
        sequence, qubit = ind.sequence, ind.qubit
        try:
            link = self.links[ind.peer]
            link.turns[ind.lane] = link.newest = sequence
        except LookupError:
            raise LocalProtocolError(f"no lane {ind.lane} towards node {ind.peer}") from None
        item = link.items.get(ind.aid)
        if item is None or link.wary or not sequence:
            item = self._permitted(link, item, ind)
            if item is None:
                return self._late(link, ind, ctx)
        ok = Ok(
            ind.peer,
            item.purpose,
            item.create_id,
            sequence,
            ind.bell,
            item.goodness,
            ind.emitted,
            qubit,
            item.remote,
            ind.basis,
            ind.outcome,
        )
        if item.distilled and self.distiller:
            distilled = self.distiller.add(item.aid, ok, correct=link.master)
            return distilled if link.steady else (*distilled, *self._answer(link, ind.lane))
        link.log.append(ok)
        link.stored[ind.lane] = ok
        item.remaining = left = item.remaining - 1
        if left >= link.lanes and link.steady:
            return (ok,)
        return self._count(link, item, ok, ind.lane, ctx)

    def _permitted(self, link: Link, item: Item | None, ind: Heralded) -> Item | None:
        """Return the request of a pair that may be delivered, else None.

        Not if it was expired before it came, if an older pair of the same number may still be alive (QS-L2-003), or if
        an atomic request of others has begun (QS-L2-017): both ends know all three.
        """
        if not ind.sequence:
            link.wrap(ind.lane)
        if link.special and link.forbids(ind.sequence):
            return None
        return item if link.exclusive is None or item is link.exclusive else None

    def _late(self, link: Link, ind: Heralded, ctx: Context) -> Iterator[Noun]:
        """Let a pair go that serves no request; the neighbour is told when it may have delivered it."""
        if ind.aid == TEST and ind.qubit < 0:
            yield from self.trials[link.peer].measured(ind)
        if ind.qubit >= 0:
            yield Free(ind.qubit)
        ended = link.ended.get(ind.aid)
        if ended is not None and ended.remaining:  # given up or too late: the neighbour may not know that yet
            yield from self._expire_one(link, ended, ind.sequence, ctx)
        yield from self._answer(link, ind.lane)

    def _count(self, link: Link, item: Item, ok: Ok, lane: int, ctx: Context) -> Iterator[Noun]:
        """Deliver a pair that was counted, when more follows from it than the pair; lane -1 changes no lane's turn."""
        if item.batch is None:
            yield ok
        else:
            item.batch.append(ok)
        if not item.remaining:
            if item.batch:  # QS-L2-018: all exist
                yield from item.batch
                item.batch = []
            yield from self._end(link, item)  # QS-L2-005
            yield from self._plan(link, ctx)
        elif item.atomic and not item.begun:
            item.begun = True
            yield from self._plan(link, ctx)
        elif lane >= 0:
            yield from self._answer(link, lane)

    # -- distillation -------------------------------------------------------------------------------------------------

    @on(Distilled)
    def distilled(self, ind: Distilled, ctx: Context) -> Outputs:
        """Take my bit of a distillation."""
        distiller = self.distiller
        game = distiller.measuring.get(ind.keep) if distiller else None
        if distiller is None or game is None:
            return ()
        peer = game.keep.peer
        said = distiller.mine(ind, self._kept, ctx)
        if game.reminders >= REMINDERS:
            return self._abandon(self.links[peer], ctx)
        return said if peer in self.reminding else (*said, *self._watch(self.links[peer], ctx))

    @on(DistilBit)
    def distil_bit(self, msg: DistilBit, ctx: Context) -> Outputs:
        """Take the neighbour's bit of a distillation."""
        peer = self._link(ctx.sender).peer
        return self.distiller.theirs(peer, msg, self._kept, ctx) if self.distiller else ()

    @on(BitsDue)
    def bits_due(self, due: BitsDue, ctx: Context) -> Outputs:
        """Repeat bits that were not answered, and give up rounds of which the neighbour knows nothing."""
        link, distiller = self.links.get(due.peer), self.distiller
        if link is None or distiller is None:
            return
        self.reminding.discard(due.peer)
        yield from distiller.remind(due.peer)
        yield from self._abandon(link, ctx)
        if distiller.expects(due.peer):
            yield from self._watch(link, ctx)

    def _abandon(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Give up rounds of which the neighbour knows nothing, or whose pairs are lost."""
        for game in self.distiller.hopeless(link.peer) if self.distiller else ():
            yield Free(game.keep.qubit)
            item = link.items.get(game.aid)
            if item is not None:
                yield from self._expire_one(link, item, game.keep.sequence, ctx)
        yield from self._proceed(link, ctx)

    def _proceed(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Go on with the distillations that are left."""
        if self.distiller:
            yield from self.distiller.proceed(link.peer, self._kept, ctx)

    def _watch(self, link: Link, ctx: Context) -> tuple[Noun, ...]:
        """Have missing bits asked for in a while; one timer per link."""
        if link.peer in self.reminding:
            return ()
        self.reminding.add(link.peer)
        return (Set(BitsDue(link.peer), ctx.now + max(BIT_PATIENCE * link.round_trip, SHORTEST)),)

    def _kept(self, aid: int, ok: Ok, ctx: Context) -> Outputs:
        """Count and deliver a pair that both ends keep; rounds of ended requests are forgotten."""
        link = self.links[ok.peer]
        item = link.items[aid]
        link.log.append(ok)
        item.remaining = left = item.remaining - 1
        return (ok,) if left and link.steady else self._count(link, item, ok, -1, ctx)

    # -- test rounds --------------------------------------------------------------------------------------------------

    @on(LinkTest)
    def link_test(self, msg: LinkTest, ctx: Context) -> Outputs:
        """Compare a test round."""
        return self.trials[self._link(ctx.sender).peer].heard(ctx.sender, msg)

    # -- standing answers ---------------------------------------------------------------------------------------------

    def _plan(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Recompute what may be served, answer every lane's poll anew, and wake up for the next change."""
        link.refresh(ctx.now)
        for lane in range(link.lanes):
            yield from self._answer(link, lane)
        change = link.next_change(ctx.now)
        yield Cancel(Serve(link.peer)) if change is None else Set(Serve(link.peer), change)
        yield from self._watch_room(link, ctx)

    def _answer(self, link: Link, lane: int) -> Iterator[Noun]:
        item = link.choose(lane, self.scheduler)
        if item is not None and link.full and item.theirs:
            item = None  # QS-L2-016; and no other request, for the neighbour would not choose that one
        if item is None:
            aid = -1
        elif is_due(link, lane, self.test_period):
            aid = TEST
        else:
            aid = item.aid
        if aid == link.standing[lane] and aid != TEST:
            return
        link.standing[lane] = aid
        if item is None:
            yield Attempt(link.peer, lane, -1, 0, keep=True, bases=())
        elif aid == TEST:
            self.trials[link.peer].rows[lane] = item.row
            yield Attempt(link.peer, lane, TEST, item.row, keep=False, bases=BASES)
        else:
            yield Attempt(link.peer, lane, aid, item.row, item.keep, item.bases)
