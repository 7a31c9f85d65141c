"""Link layer: agree with a neighbour, attempt, deliver a pair to both ends.

    asker:     IDLE --Create/Add--> ADDING --AddAck--> QUEUED --start--> ACTIVE --Heralded/Ok x number--> done
                                      |--AddDue x 3/Err(NOTIME)
                                      '--AddRej/Err(REJECTED)
    answerer:  IDLE --Add/AddAck--> QUEUED --start--> ACTIVE --Heralded/Ok x number--> done
    both:      QUEUED, ACTIVE --deadline/Err(TIMEOUT) | Withdraw or Drop--> done

A request is agreed once (`Add`, `AddAck`); after that both ends follow the same heralds and need no further message.
Each lane's standing answer is the request that the scheduler chooses for it from knowledge both ends share.

Specification: specs/link/link.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qstack.core.layer import Context, Layer, Outputs, on
from qstack.core.nouns import Cancel, Noun, Send, Set, Timer, timer
from qstack.link.distil import Distiller
from qstack.link.queue import Item, Link
from qstack.link.schedulers import weighted_fair
from qstack.services.device import Distilled, Free
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.services.strategies import Scheduler, best_row
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, DistilBit, Drop

TRIES = 3
"""How often an `Add` is sent before the request fails (draft: three attempts, 3 round trips apart)."""


@timer
class AddDue(Timer):
    """No answer to an `Add` has come."""

    peer: int
    cseq: int


@timer
class Serve(Timer):
    """A request of this link may be served from now on, or has reached its deadline."""

    peer: int


class LinkLayer(Layer):
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
        self.links = dict(links)
        self.scheduler = scheduler
        self.distiller = distiller
        self.next_create = 0
        self.adding: dict[tuple[int, int], tuple[Add, int]] = {}
        self.answered: dict[tuple[int, int], AddAck | AddRej] = {}

    @on(Create)
    def create(self, req: Create, ctx: Context) -> Outputs:
        """Accept a request and propose it to the neighbour."""
        link = self.links.get(req.peer)
        if link is None or not 1 <= req.number < 1 << 16 or not 0 <= req.min_fidelity <= 1:  # QS-L2-025, QS-L2-026
            yield Err(req.peer, req.purpose, -1, Reason.CREATE, remote=False)
            return
        wanted = self.distiller.input_fidelity(req.min_fidelity) if self.distiller else req.min_fidelity
        if best_row(link.rows, wanted) is None:  # QS-L2-006
            yield Err(req.peer, req.purpose, -1, Reason.UNSUPP, remote=False)
            return
        aid = link.assign() if link.master else UNASSIGNED
        if aid is None:
            yield Err(req.peer, req.purpose, -1, Reason.NORES, remote=False)
            return
        self.next_create = (self.next_create + 1) % (1 << 16)
        link.next_cseq = (link.next_cseq + 1) % (1 << 8)
        add = Add(
            cseq=link.next_cseq,
            aid=aid,
            purpose=req.purpose,
            create_id=self.next_create,
            number=req.number,
            min_fidelity=wanted,
            priority=req.priority,
            keep=req.keep,
            bases=req.bases,
            start=ctx.now + 2 * link.round_trip,
            deadline=ctx.now + req.max_time if req.max_time else 0,
        )
        yield Accepted(req.peer, req.purpose, self.next_create)  # QS-L2-001
        if aid != UNASSIGNED:
            link.insert(_item(link, add, aid, remote=False))
        self.adding[req.peer, add.cseq] = (add, 1)
        yield Send(req.peer, add)
        yield Set(AddDue(req.peer, add.cseq), ctx.now + 3 * link.round_trip)

    @on(AddDue)
    def add_due(self, due: AddDue, ctx: Context) -> Outputs:
        """Repeat an unanswered `Add`; after the last try the request has failed (QS-L2-010)."""
        link = self.links[due.peer]
        add, tries = self.adding[due.peer, due.cseq]
        if tries < TRIES:
            self.adding[due.peer, due.cseq] = (add, tries + 1)
            yield Send(due.peer, add)
            yield Set(due, ctx.now + 3 * link.round_trip)
            return
        yield from self._refused(link, due.cseq, Reason.NOTIME)

    @on(Add)
    def add(self, msg: Add, ctx: Context) -> Outputs:
        """Enter the neighbour's request, or say why not; a repetition gets the same answer (QS-L2-011)."""
        peer = ctx.sender
        link = self.links[peer]
        answer = self.answered.get((peer, msg.cseq))
        if answer is None or (isinstance(answer, AddAck) and not _same(link, answer, msg)):
            answer = self._admit(link, msg)
            self.answered[peer, msg.cseq] = answer
            self.answered.pop((peer, (msg.cseq - 128) % 256), None)
            if isinstance(answer, AddAck):
                link.items[answer.aid].ready = True
                yield from self._plan(link, ctx)
        yield Send(peer, answer)

    @on(AddAck)
    def add_ack(self, msg: AddAck, ctx: Context) -> Outputs:
        """The neighbour holds the request too."""
        link = self.links[ctx.sender]
        add, _ = self.adding.pop((link.peer, msg.cseq), (None, 0))
        if add is None:
            return
        yield Cancel(AddDue(link.peer, msg.cseq))
        if msg.aid not in link.items:
            link.insert(_item(link, add, msg.aid, remote=False))
        link.items[msg.aid].ready = True  # QS-L2-012
        yield from self._plan(link, ctx)

    @on(AddRej)
    def add_rej(self, msg: AddRej, ctx: Context) -> Outputs:
        """The neighbour refuses the request."""
        link = self.links[ctx.sender]
        if (link.peer, msg.cseq) in self.adding:
            yield Cancel(AddDue(link.peer, msg.cseq))
            yield from self._refused(link, msg.cseq, msg.reason)

    @on(Serve)
    def serve(self, due: Serve, ctx: Context) -> Outputs:
        """Begin what may begin and end what is too late."""
        link = self.links[due.peer]
        for item in [i for i in link.items.values() if i.deadline and i.deadline <= ctx.now]:
            link.remove(item)  # QS-L2-004
            yield Err(link.peer, item.purpose, item.create_id, Reason.TIMEOUT, item.remote)
        yield from self._plan(link, ctx)

    @on(Heralded)
    def heralded(self, ind: Heralded, ctx: Context) -> Outputs:
        """Give the pair to the request that both ends attempted for."""
        link = self.links[ind.peer]
        link.turns[ind.lane] = ind.sequence
        item = link.items.get(ind.aid) or link.successor(ind.aid)
        if item is None:  # the request ended while the attempt was in flight
            return (Free(ind.qubit),) if ind.qubit >= 0 else ()
        item.remaining -= 1
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
        if item.remaining and len(link.heads) == 1 and self.distiller is None:
            return (ok,)
        return self._deliver(link, item, ind.lane, ok, ctx)

    def _deliver(self, link: Link, item: Item, lane: int, ok: Ok, ctx: Context) -> Iterator[Noun]:
        """Deliver a pair when more follows from it than the pair."""
        if self.distiller and ok.qubit >= 0:
            yield from self.distiller.add(ok, correct=link.master)
        else:
            yield ok
        if not item.remaining:
            link.remove(item)
            yield from self._plan(link, ctx)
        else:
            yield from self._answer(link, lane)

    @on(Withdraw)
    def withdraw(self, req: Withdraw, ctx: Context) -> Outputs:
        """Give up a purpose at both ends."""
        link = self.links[req.peer]
        if self._forget(link, req.purpose):
            yield Send(req.peer, Drop(req.purpose))
        if self.distiller:
            yield from self.distiller.forget(req.peer, req.purpose)
        yield from self._plan(link, ctx)

    @on(Drop)
    def drop(self, msg: Drop, ctx: Context) -> Outputs:
        """The neighbour has given up a purpose."""
        link = self.links[ctx.sender]
        self._forget(link, msg.purpose)
        yield from self._plan(link, ctx)

    @on(Distilled)
    def distilled(self, ind: Distilled, ctx: Context) -> Outputs:
        """My bit of a distillation is known."""
        return self.distiller.mine(ind) if self.distiller else ()

    @on(DistilBit)
    def distil_bit(self, msg: DistilBit, ctx: Context) -> Outputs:
        """The neighbour's bit of a distillation is known."""
        return self.distiller.theirs(ctx.sender, msg) if self.distiller else ()

    def _admit(self, link: Link, msg: Add) -> AddAck | AddRej:
        aid = link.assign() if link.master else msg.aid
        if aid is None:
            return AddRej(msg.cseq, Reason.NORES)
        if best_row(link.rows, msg.min_fidelity) is None:
            return AddRej(msg.cseq, Reason.UNSUPP)
        link.insert(_item(link, msg, aid, remote=True))
        return AddAck(msg.cseq, aid)

    def _refused(self, link: Link, cseq: int, reason: int) -> Iterator[Noun]:
        add, _ = self.adding.pop((link.peer, cseq))
        if add.aid in link.items:
            del link.items[add.aid]
        yield Err(link.peer, add.purpose, add.create_id, reason, remote=False)

    def _forget(self, link: Link, purpose: int) -> bool:
        gone = [item for item in link.items.values() if item.purpose == purpose]
        for item in gone:
            link.remove(item)
        return bool(gone)

    def _plan(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Recompute what may be served, answer every lane's poll anew, and wake up for the next change."""
        link.refresh(ctx.now)
        for lane in range(link.lanes):
            yield from self._answer(link, lane)
        changes = [i.start for i in link.items.values() if i.start > ctx.now]
        changes += [i.deadline for i in link.items.values() if i.deadline]
        if changes:
            yield Set(Serve(link.peer), max(ctx.now, min(changes)))

    def _answer(self, link: Link, lane: int) -> Iterator[Noun]:
        aid = link.choose(lane, self.scheduler)
        if aid != link.standing[lane]:
            link.standing[lane] = aid
            item = link.items.get(aid)
            if item is None:
                yield Attempt(link.peer, lane, -1, 0, keep=True, bases=())
            else:
                yield Attempt(link.peer, lane, aid, item.row, item.keep, item.bases)


def _same(link: Link, answer: AddAck, msg: Add) -> bool:
    """Tell a repetition of an `Add` from a new one that reuses its number."""
    item = link.items.get(answer.aid)
    return item is None or (item.create_id, item.purpose) == (msg.create_id, msg.purpose)


def _item(link: Link, add: Add, aid: int, *, remote: bool) -> Item:
    row = best_row(link.rows, add.min_fidelity)
    assert row is not None
    return Item(
        aid=aid,
        purpose=add.purpose,
        create_id=add.create_id,
        remaining=add.number,
        row=row,
        goodness=link.rows[row].fidelity,
        keep=add.keep,
        bases=add.bases,
        priority=add.priority,
        start=add.start,
        deadline=add.deadline,
        remote=remote,
    )
