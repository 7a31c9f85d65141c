"""Queue agreement: both ends of a link come to hold the same requests in the same order (distributed queue protocol).

    asker:     IDLE --Create/Add--> ADDING --AddAck--> QUEUED
                                      |--AddDue x 3/Err(NOTIME)
                                      '--AddRej/Err(reason)
    answerer:  IDLE --Add/AddAck--> QUEUED

Every message may be lost or doubled: an `Add` is sent up to three times, 3 round trips apart, and a repetition changes
nothing.  When only the answers were lost, the neighbour holds a request of which this end knows nothing; a `LinkExpire`
of that request removes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Cancel, Noun, Send, Set
from qstack.link.distil import Distiller
from qstack.link.endings import TRIES, AddDue, Endings
from qstack.link.queue import QUEUE, UNANSWERED, Item, Link, Proposal, Wish
from qstack.services.bell import Basis
from qstack.services.l2_link import Accepted, Create, Err, Receive, StopReceive
from qstack.services.reasons import Reason
from qstack.services.strategies import best_row
from qstack.wire.kinds import BASES_MOST
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, LinkExpire

UNIT = 65535
"""Fidelities travel as n/65535 (draft-dahlberg-ll-quantum-03)."""

PATIENCE = 3 * TRIES
"""Round trips after its start at which an `Add` is answered no more."""

ROUNDING = 1e-9
"""By how much a fidelity may be missed: what a scheme turns forth and back comes out a little different."""


class Agreement(Endings):
    """The half of a link layer that fills the queues; the other half serves them.  Parameters as in `Endings`."""

    def __init__(self, links: Mapping[int, Link], distiller: Distiller | None) -> None:
        super().__init__(links, distiller)
        self.last_create = 0

    @on(Receive)
    def receive(self, req: Receive, ctx: Context) -> Outputs:
        """Accept a purpose, and from now on no others (QS-L2-024)."""
        link = self._neighbour(req.peer)
        link.accepts = (link.accepts or set()) | {req.purpose}
        return ()

    @on(StopReceive)
    def stop_receive(self, req: StopReceive, ctx: Context) -> Outputs:
        """Accept a purpose no longer."""
        link = self._neighbour(req.peer)
        link.accepts = (link.accepts or set()) - {req.purpose}
        return ()

    def _neighbour(self, peer: int) -> Link:
        """Return the link that a user speaks of."""
        link = self.links.get(peer)
        if link is None:
            raise LocalProtocolError(f"node {peer} is no neighbour", "QS-L2-026")
        return link

    @on(Create)
    def create(self, req: Create, ctx: Context) -> Outputs:
        """Accept a request and propose it to the neighbour, or say why not."""
        link = self.links.get(req.peer)  # QS-L2-026: only neighbours
        reason = Reason.CREATE if link is None or _malformed(req) else self._unable(link, req)
        if link is None or reason:
            yield Err(req.peer, req.purpose, -1, reason, remote=False)
            return
        self.last_create = (self.last_create + 1) % (1 << 16)
        yield Accepted(req.peer, req.purpose, self.last_create)  # QS-L2-001
        link.backlog.append(Wish(req, self.last_create, ctx.now + req.max_time if req.max_time else 0))
        yield from self._propose(link, ctx)
        if req.max_time:
            yield from self._plan(link, ctx)

    def _unable(self, link: Link, req: Create) -> Reason:
        """Return why a well-formed request cannot be served (QS-L2-006), or `Reason.NONE`."""
        attempts = -(-req.number // link.lanes)
        kept = req.keep or req.prepare
        room = link.lanes - (self.distiller is not None and kept)
        if self._raw(link, req) is None or (kept and not req.consecutive and req.number > room):
            return Reason.UNSUPP
        if req.max_time and req.max_time < attempts * link.cycle:
            return Reason.UNSUPP
        if req.purpose in link.dropping:  # a `Drop` under way would take the new request with it
            return Reason.REJECTED
        return self._crowded(link, req.purpose, keep=req.keep and not req.prepare)

    def _crowded(self, link: Link, purpose: int, *, keep: bool) -> Reason:
        """Tell whether distillation could stand still: every lane might hold a first pair that waits for a second."""
        if self.distiller is None or not keep:
            return Reason.NONE
        if link.lanes < 2:
            return Reason.UNSUPP
        return Reason.NORES if len(link.purposes() | {purpose}) >= link.lanes else Reason.NONE

    def _raw(self, link: Link, req: Create) -> float | None:
        """Return the fidelity to ask of pairs when they are made, as it travels; None if no setting reaches it.

        It is rounded up (QS-L2-007), but not beyond the setting that was found to reach it.
        """
        needed = req.min_fidelity
        if self.distiller and req.keep and not req.prepare:
            needed = self.distiller.input_fidelity(needed)
        row = best_row(link.rows, needed - ROUNDING)
        if row is None:
            return None
        return min(-int(-needed * UNIT // 1), int(link.rows[row].fidelity * UNIT)) / UNIT

    def _propose(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Send the `Add` of every waiting request for which there is room."""
        while link.backlog and len(link.adding) < UNANSWERED:
            wish = link.backlog.popleft()
            req = wish.request
            aid = link.assign() if link.master else UNASSIGNED
            fidelity = self._raw(link, req)
            if aid is None or fidelity is None:
                yield Err(link.peer, req.purpose, wish.create_id, Reason.NORES, remote=False)
                continue
            add = Add(
                cseq=link.next_cseq(),
                aid=aid,
                purpose=req.purpose,
                create_id=wish.create_id,
                number=req.number,
                min_fidelity=fidelity,
                priority=req.priority,
                keep=req.keep,
                bases=() if req.keep != req.prepare else req.remote_bases or req.bases,
                start=ctx.now + 2 * link.round_trip,
                deadline=wish.deadline,
                atomic=req.atomic,
                consecutive=req.consecutive,
                prepare=req.prepare,
            )
            if link.master:
                link.insert(_item(link, add, aid, req.bases, remote=False))
            link.adding[add.cseq] = Proposal(add, req.bases)
            yield Send(link.peer, add)
            yield Set(AddDue(link.peer, add.cseq), ctx.now + 3 * link.round_trip)

    @on(AddDue)
    def add_due(self, due: AddDue, ctx: Context) -> Outputs:
        """Repeat an unanswered `Add`; after the last try the neighbour counts as lost (QS-L2-010)."""
        link = self.links.get(due.peer)
        proposal = link.adding.get(due.cseq) if link else None
        if link is None or proposal is None:
            return
        if proposal.tries < TRIES:
            proposal.tries += 1
            yield Send(due.peer, proposal.add)
            yield Set(due, ctx.now + 3 * link.round_trip)
            return
        yield from self._failed(link, due.cseq, Reason.NOTIME)
        add = proposal.add  # only the answers may have been lost
        yield from self._expire(link, LinkExpire(add.aid, add.create_id, ctx.node, add.create_id, add.create_id), ctx)
        yield from self._propose(link, ctx)
        yield from self._plan(link, ctx)

    @on(Add)
    def add(self, msg: Add, ctx: Context) -> Outputs:
        """Enter the neighbour's request, or say why not; a repetition gets the same answer (QS-L2-011)."""
        link = self._link(ctx.sender)
        answer = link.answer_to(msg)
        if answer is None:
            answer = self._admit(link, msg, ctx)
            link.answer(msg, answer)
            if isinstance(answer, AddAck):
                yield from self._plan(link, ctx)
        yield Send(link.peer, answer)

    def _admit(self, link: Link, msg: Add, ctx: Context) -> AddAck | AddRej:
        """Enter a well-formed request that can be served."""
        aid = link.assign() if link.master else msg.aid
        reason = self._crowded(link, msg.purpose, keep=msg.keep and not msg.prepare)
        if link.accepts is not None and msg.purpose not in link.accepts:
            reason = Reason.REJECTED
        elif link.gone(msg, ctx.now, PATIENCE * max(link.round_trip, 1)):
            reason = Reason.NOTIME
        elif aid is None:
            reason = Reason.NORES
        elif not 0 <= aid < QUEUE or aid in link.items or _malformed(msg):
            reason = Reason.CREATE
        elif best_row(link.rows, msg.min_fidelity) is None:
            reason = Reason.UNSUPP
        if aid is None or reason:
            return AddRej(msg.cseq, reason)
        item = _item(link, msg, aid, msg.bases, remote=True)
        item.ready = True
        link.insert(item)
        return AddAck(msg.cseq, aid)

    @on(AddAck)
    def add_ack(self, msg: AddAck, ctx: Context) -> Outputs:
        """Count a request as agreed: the neighbour holds it too."""
        link = self._link(ctx.sender)
        proposal = link.adding.get(msg.cseq)
        if proposal is None:
            if msg.aid not in link.items and msg.aid not in link.ended and msg.cseq in link.forgotten:
                yield from self._expire(link, LinkExpire(msg.aid, 0, ctx.node, 0, 0), ctx)
            return  # a repetition
        add = proposal.add
        held = link.items.get(msg.aid)
        if not 0 <= msg.aid < QUEUE or (add.aid != msg.aid if link.master else held is not None):
            raise RemoteProtocolError(f"queue id {msg.aid} acknowledged for {add}", "QS-L2-008")
        del link.adding[msg.cseq]
        yield Cancel(AddDue(link.peer, msg.cseq))
        if held is None:
            held = _item(link, add, msg.aid, proposal.bases, remote=False)
            link.insert(held)
        held.ready = True  # QS-L2-012
        yield from self._propose(link, ctx)
        yield from self._plan(link, ctx)

    @on(AddRej)
    def add_rej(self, msg: AddRej, ctx: Context) -> Outputs:
        """Give up what the neighbour refuses."""
        link = self._link(ctx.sender)
        if msg.cseq in link.adding:
            yield Cancel(AddDue(link.peer, msg.cseq))
            yield from self._failed(link, msg.cseq, msg.reason)
            yield from self._propose(link, ctx)

    def _failed(self, link: Link, cseq: int, reason: int) -> Iterator[Noun]:
        """Forget a proposal that came to nothing, and tell the user."""
        add = link.adding.pop(cseq).add
        link.items.pop(add.aid, None)
        yield Err(link.peer, add.purpose, add.create_id, reason, remote=False)


def _malformed(req: Create | Add) -> bool:
    """Tell whether a request has a field out of its range (QS-L2-025)."""
    if isinstance(req, Create):
        measures = [(req.bases, not req.keep)]
        if req.prepare or req.remote_bases:
            measures.append((req.remote_bases, req.keep == req.prepare))
        late = req.max_time < 0
    else:
        measures = [(req.bases, req.keep == req.prepare)]
        late = False
    fit = all(
        bool(bases) == wanted and set(bases) <= set(Basis) and len(bases) <= BASES_MOST for bases, wanted in measures
    )
    return late or not (
        fit
        and 1 <= req.number < 1 << 16
        and 0 <= req.purpose < 1 << 16
        and 0 <= req.min_fidelity <= 1
        and 0 <= req.priority < 8
    )


def _item(link: Link, add: Add, aid: int, bases: tuple[int, ...], *, remote: bool) -> Item:
    row = best_row(link.rows, add.min_fidelity)
    assert row is not None
    keep = add.keep != add.prepare if remote else add.keep
    return Item(
        aid=aid,
        purpose=add.purpose,
        create_id=add.create_id,
        remaining=add.number,
        row=row,
        goodness=link.rows[row].fidelity,
        keep=keep,
        bases=() if keep else bases,
        priority=add.priority,
        start=add.start,
        deadline=add.deadline,
        remote=remote,
        atomic=add.atomic,
        batch=None if add.consecutive else [],
        distilled=add.keep and not (add.prepare or link.exact),
        theirs=add.keep if remote else add.keep != add.prepare,
    )
