"""Link layer: agree with a neighbour, attempt, deliver a pair to both ends.

    asker:     IDLE --Create/Add--> ADDING --AddAck--> QUEUED --start--> ACTIVE --Heralded/Ok x number--> done
                                      |--AddDue x 3/Err(NOTIME)
                                      '--AddRej/Err(reason)
    answerer:  IDLE --Add/AddAck--> QUEUED --start--> ACTIVE --Heralded/Ok x number--> done
    both:      QUEUED, ACTIVE --deadline/Err(TIMEOUT) | Withdraw/Drop | Drop/DropAck--> done

A request is agreed once (`Add`, `AddAck`); after that both ends follow the same heralds and need no further message.
Each lane's standing answer is the request that the scheduler chooses for it from knowledge both ends share.  A herald
of a request that has ended meanwhile is freed at both ends.

Specification: specs/link/link.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Cancel, Noun, Set, Timer, timer
from qstack.link.agreement import AddDue, Agreement, DropDue
from qstack.link.distil import Deliver, Distiller
from qstack.link.queue import Item, Link
from qstack.link.schedulers import weighted_fair
from qstack.services.classical import NeighbourLost
from qstack.services.device import Distilled, Free
from qstack.services.l1_physical import Attempt, Heralded, Renumber
from qstack.services.l2_link import Err, Ok, Unreachable
from qstack.services.reasons import Reason
from qstack.services.strategies import Scheduler
from qstack.wire.link import DistilBit


@timer
class Serve(Timer):
    """A request of this link may be served from now on, or has reached its deadline."""

    peer: int


class LinkLayer(Agreement):
    """One per node; serves all neighbours.

    Parameters
    ----------
    links
        What is known of each neighbour.
    scheduler
        Chooses what a lane serves.
    distiller
        Turns several pairs into a better one before they are delivered; None delivers every pair.
    """

    name = "link"

    def __init__(
        self,
        links: Mapping[int, Link],
        scheduler: Scheduler = weighted_fair,
        distiller: Distiller | None = None,
    ) -> None:
        super().__init__(links, distiller)
        self.scheduler = scheduler

    @on(Serve)
    def serve(self, due: Serve, ctx: Context) -> Outputs:
        """Begin what may begin and end what is too late (QS-L2-004)."""
        link = self.links.get(due.peer)
        if link is None:
            return
        for item in [i for i in link.items.values() if i.deadline and i.deadline <= ctx.now]:
            yield from self._end(link, item)
            yield Err(link.peer, item.purpose, item.create_id, Reason.TIMEOUT, item.remote)
        for proposal in [p for p in link.adding.values() if p.add.deadline and p.add.deadline <= ctx.now]:
            del link.adding[proposal.add.cseq]
            yield Cancel(AddDue(link.peer, proposal.add.cseq))
            if not (link.master or proposal.withdrawn):  # the master's own stands in its queue already
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
            for purpose in link.dropping:
                yield Cancel(DropDue(link.peer, purpose))
            for item in list(link.items.values()):
                yield from self._end(link, item)
            link.forget()
            yield from self._plan(link, ctx)
            yield Renumber(link.peer)
        yield Unreachable(ind.peer)

    @on(Heralded)
    def heralded(self, ind: Heralded, ctx: Context) -> Outputs:
        """Give the pair to the request that both ends attempted for."""
        try:
            link = self.links[ind.peer]
            link.turns[ind.lane] = ind.sequence
        except LookupError:
            raise LocalProtocolError(f"no lane {ind.lane} towards node {ind.peer}") from None
        item = link.items.get(ind.aid)
        if item is None:  # the request ended while the attempt was in flight
            return (Free(ind.qubit),) if ind.qubit >= 0 else ()
        ok = Ok(
            ind.peer,
            item.purpose,
            item.create_id,
            ind.sequence,
            ind.bell,
            item.goodness,
            ind.emitted,
            ind.qubit,
            item.remote,
            ind.basis,
            ind.outcome,
        )
        if self.distiller and ind.qubit >= 0:
            distilled = self.distiller.add(item.aid, ok, correct=link.master)
            return distilled if len(link.heads) == 1 else (*distilled, *self._answer(link, ind.lane))
        item.remaining = left = item.remaining - 1
        if left and len(link.heads) == 1:
            return (ok,)
        return self._deliver(link, item, ind.lane, ok, ctx)

    def _deliver(self, link: Link, item: Item, lane: int, ok: Ok, ctx: Context) -> Iterator[Noun]:
        """Deliver a pair when more follows from it than the pair."""
        yield ok
        if item.remaining:
            yield from self._answer(link, lane)
        else:
            yield from self._end(link, item)  # QS-L2-005
            yield from self._plan(link, ctx)

    @on(Distilled)
    def distilled(self, ind: Distilled, ctx: Context) -> Outputs:
        """Take my bit of a distillation."""
        return self.distiller.mine(ind, self._kept(ctx)) if self.distiller else ()

    @on(DistilBit)
    def distil_bit(self, msg: DistilBit, ctx: Context) -> Outputs:
        """Take the neighbour's bit of a distillation."""
        return self.distiller.theirs(self._link(ctx.sender).peer, msg, self._kept(ctx)) if self.distiller else ()

    def _kept(self, ctx: Context) -> Deliver:
        """Return what the distiller does with a pair that both ends keep: the request counts it."""

        def deliver(aid: int, ok: Ok) -> Iterator[Noun]:
            link = self.links[ok.peer]
            item = link.items[aid]  # the distiller forgets the rounds of ended requests
            item.remaining -= 1
            yield ok
            if not item.remaining:
                yield from self._end(link, item)
                yield from self._plan(link, ctx)

        return deliver

    def _plan(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Recompute what may be served, answer every lane's poll anew, and wake up for the next change."""
        link.refresh(ctx.now)
        for lane in range(link.lanes):
            yield from self._answer(link, lane)
        change = link.next_change(ctx.now)
        yield Cancel(Serve(link.peer)) if change is None else Set(Serve(link.peer), change)

    def _answer(self, link: Link, lane: int) -> Iterator[Noun]:
        aid = link.choose(lane, self.scheduler)
        if aid != link.standing[lane]:
            link.standing[lane] = aid
            item = link.items.get(aid)
            if item is None:
                yield Attempt(link.peer, lane, -1, 0, keep=True, bases=())
            else:
                yield Attempt(link.peer, lane, aid, item.row, item.keep, item.bases)
