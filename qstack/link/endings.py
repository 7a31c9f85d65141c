"""How requests and pairs end before their time, and how both ends of a link come to know.

    purpose   held --Withdraw/Drop--> DROPPING --DropAck--> gone          held --Drop/DropAck, Err of own ones--> gone
    pairs     told --LinkExpire/LinkExpireAck, Err(EXPIRE)--> not valid
              told --Spoiled/LinkExpire, Err(EXPIRE)--> EXPIRING --LinkExpireAck--> known at both ends
              DROPPING, EXPIRING --Repeat/the same again--> (same state)

A pair counts as delivered at both ends or at neither: an end that cannot deliver a pair that the other one may have
delivered says so in a `LinkExpire`.  Its request gets another pair instead.  An empty range of pairs means the request
itself: the neighbour holds one that was never agreed.

Both messages are repeated until they are answered; each may be lost or doubled, and a repetition changes nothing.  When
a neighbour does not answer for long, the repetitions become housekeeping: they keep no host busy.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from typing import ClassVar

from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Layer, Outputs, on
from qstack.core.nouns import Cancel, Noun, Send, Set, Timer, timer
from qstack.link.distil import Distiller
from qstack.link.queue import SEQUENCES, Item, Link, before, remember
from qstack.services.device import Free, Spoiled
from qstack.services.l1_physical import Skipped
from qstack.services.l2_link import Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import UNASSIGNED, Drop, DropAck, LinkExpire, LinkExpireAck

TRIES = 3
"""How often a message is sent before its neighbour counts as silent (draft: three attempts)."""

DISTILLED = 1024
"""Pairs that are remembered as told where pairs are distilled."""

SHORTEST = 1_000_000
"""Least time between two repetitions [ps]."""


@timer
class AddDue(Timer):
    """No answer to an `Add` has come."""

    peer: int
    cseq: int


@timer
class Repeat(Timer):
    """No answer to a `Drop` or a `LinkExpire` has come."""

    peer: int


@timer
class Remind(Timer):
    """No answer has come for long."""

    housekeeping: ClassVar[bool] = True
    peer: int


class Endings(Layer):
    """The part of a link layer that gives requests and pairs up.

    Parameters
    ----------
    links
        What is known of each neighbour.
    distiller
        Turns several pairs into a better one before they are delivered; None delivers every pair.
    """

    def __init__(self, links: Mapping[int, Link], distiller: Distiller | None) -> None:
        self.links = dict(links)
        self.distiller = distiller
        for link in self.links.values():
            link.exact = distiller is None
            if distiller:  # rounds are given up late: what was told must be known until then
                link.log = deque(maxlen=DISTILLED)

    @abstractmethod
    def _propose(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Ask the neighbour for what has waited, as far as there is room."""

    @abstractmethod
    def _plan(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Act on a queue that has changed."""

    @abstractmethod
    def _abandon(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Give up the distillations that cannot be finished."""

    @abstractmethod
    def _proceed(self, link: Link, ctx: Context) -> Iterator[Noun]:
        """Go on with the distillations that are left."""

    def _link(self, peer: int) -> Link:
        """Return the link over which a message came."""
        link = self.links.get(peer)
        if link is None:
            raise RemoteProtocolError(f"node {peer} is no neighbour")
        return link

    # -- requests -----------------------------------------------------------------------------------------------------

    @on(Withdraw)
    def withdraw(self, req: Withdraw, ctx: Context) -> Outputs:
        """Give up a purpose at both ends; an `Add` of it that comes after this `Drop` is refused (QS-L2-202)."""
        link, purpose = self.links.get(req.peer), req.purpose
        if link is None:
            raise LocalProtocolError(f"node {req.peer} is no neighbour", "QS-L2-026")
        link.backlog = deque(w for w in link.backlog if w.request.purpose != purpose)
        asked = [cseq for cseq, proposal in link.adding.items() if proposal.add.purpose == purpose]
        shared = bool(asked) or purpose in link.purposes()
        for cseq in asked:
            del link.adding[cseq]
            yield Cancel(AddDue(link.peer, cseq))
        for item in [item for item in link.items.values() if item.purpose == purpose]:
            yield from self._end(link, item)
        if shared:
            link.dropping[purpose] = drop = Drop(purpose, link.next_cseq())
            yield Send(link.peer, drop)
            yield self._again(link, ctx)
        yield from self._propose(link, ctx)
        yield from self._plan(link, ctx)

    @on(Drop)
    def drop(self, msg: Drop, ctx: Context) -> Outputs:
        """Forget a purpose that the neighbour has given up; tell the user of the requests that were this end's."""
        link = self._link(ctx.sender)
        answer = link.answer_to(msg)
        if answer is None:
            answer = DropAck(msg.purpose, msg.cseq)
            link.answer(msg, answer)
            for item in [item for item in link.items.values() if item.purpose == msg.purpose]:
                yield from self._end(link, item)
                if not item.remote:
                    yield Err(link.peer, item.purpose, item.create_id, Reason.TORN_DOWN, remote=False)
            yield from self._plan(link, ctx)
        yield Send(link.peer, answer)

    @on(DropAck)
    def drop_ack(self, msg: DropAck, ctx: Context) -> Outputs:
        """Stop repeating: the neighbour has given the purpose up too."""
        link = self._link(ctx.sender)
        drop = link.dropping.get(msg.purpose)
        if drop is None or drop.cseq != msg.cseq:
            return ()
        del link.dropping[msg.purpose]
        return self._heard(link)

    def _end(self, link: Link, item: Item) -> Iterator[Noun]:
        """Take a request out of the queue and free what is under way for it."""
        link.end(item)
        for ok in item.batch or ():
            if ok.qubit >= 0:
                yield Free(ok.qubit)
        item.batch = None if item.batch is None else []
        if self.distiller:
            yield from self.distiller.forget(link.peer, item.aid)

    # -- pairs --------------------------------------------------------------------------------------------------------

    @on(Skipped)
    def skipped(self, ind: Skipped, ctx: Context) -> Outputs:
        """Expire pairs of which only the neighbour was told (QS-L2-013, QS-L2-014)."""
        link = self._link(ind.peer)
        link.newest = (ind.high - 1) % SEQUENCES
        link.align(ind.high)
        if self.distiller:
            self.distiller.suspend(link.peer)
        yield from self._expire(link, LinkExpire(UNASSIGNED, 0, ctx.node, ind.low, ind.high), ctx)
        for item in link.heads:  # the lost pairs are of one of these
            yield Err(link.peer, item.purpose, item.create_id, Reason.EXPIRE, item.remote, ind.low, ind.high)
        yield from self._plan(link, ctx)

    @on(Spoiled)
    def spoiled(self, ind: Spoiled, ctx: Context) -> Outputs:
        """Expire a pair of which the device has lost this end's half (QS-L2-451)."""
        link = self._link(ind.peer)
        ok = link.told(ind.qubit)
        if ok is None:
            if self.distiller and self.distiller.spoil(ind.qubit):
                yield from self._abandon(link, ctx)
            return
        link.recall(ok.sequence, 1)
        item = link.request_of(ok)
        if item is not None:  # otherwise long ended: whoever follows the pair finds out
            yield from self._expire_one(link, item, ok.sequence, ctx)
        yield from self._undo(link, item, ok, ctx)
        yield from self._plan(link, ctx)

    def _expire(self, link: Link, message: LinkExpire, ctx: Context) -> Iterator[Noun]:
        """Tell the neighbour until it has heard (QS-L2-015)."""
        link.expiring[message.aid, message.low, message.high] = message
        yield Send(link.peer, message)
        yield self._again(link, ctx)

    def _expire_one(self, link: Link, item: Item, sequence: int, ctx: Context) -> Iterator[Noun]:
        """Tell the neighbour that this end does not deliver a pair of a request."""
        origin = link.peer if item.remote else ctx.node
        message = LinkExpire(item.aid, item.create_id, origin, sequence, (sequence + 1) % SEQUENCES)
        yield from self._expire(link, message, ctx)

    @on(LinkExpire)
    def expire(self, msg: LinkExpire, ctx: Context) -> Outputs:
        """Take back what was told of these pairs, and acknowledge it; a repetition changes nothing (QS-L2-015)."""
        link = self._link(ctx.sender)
        key = (msg.aid, msg.low, msg.high)
        answer = link.expired.get(key)
        if answer is None or (link.newest - answer.expected + 1) % SEQUENCES > SEQUENCES // 4:  # of the last turn
            answer = LinkExpireAck(msg.aid, (link.newest + 1) % SEQUENCES, msg.low, msg.high)
            remember(link.expired, key, answer)
            if msg.low == msg.high:
                yield from self._orphaned(link, msg, ctx.now)
            else:
                yield from self._take_back(link, msg, ctx)
            yield from self._proceed(link, ctx)
            yield from self._plan(link, ctx)
        yield Send(link.peer, answer)

    def _orphaned(self, link: Link, msg: LinkExpire, now: int) -> Iterator[Noun]:
        """Give up a request that the neighbour does not hold (QS-L2-010), also if it comes only now (QS-L2-202)."""
        remember(link.disowned, msg.create_id, now)
        known = msg.aid != UNASSIGNED  # otherwise the request was never given a queue id that its asker has heard of
        for item in [i for i in link.items.values() if (i.aid == msg.aid if known else i.create_id == msg.create_id)]:
            if not item.remote:
                continue
            yield from self._end(link, item)
            yield Err(link.peer, item.purpose, item.create_id, Reason.NOTIME, remote=True)

    def _take_back(self, link: Link, msg: LinkExpire, ctx: Context) -> Iterator[Noun]:
        """Take back pairs that were told or are being distilled; their requests need others instead."""
        low, count = msg.low, (msg.high - msg.low) % SEQUENCES
        ahead = (link.newest + 1) % SEQUENCES
        coming = range(0 if before(ahead, low) else (ahead - low) % SEQUENCES, count)
        link.special.update(((low + n) % SEQUENCES, True) for n in coming)  # QS-L2-002: not told here yet
        if self.distiller and msg.aid == UNASSIGNED:
            yield from self.distiller.restart(link.peer, low, ahead, master=link.master)
        elif self.distiller:
            yield from self.distiller.give_up(link.peer, low)
        if msg.aid == UNASSIGNED:
            link.align(msg.high)
        for ok in link.recall(low, count):
            yield from self._undo(link, link.request_of(ok), ok, ctx)

    def _undo(self, link: Link, item: Item | None, ok: Ok, ctx: Context) -> Iterator[Noun]:
        """Take back a pair; a request that was done already goes on, unless it is too late or forgotten."""
        if item is not None:
            item.remaining += 1
            if item.batch and ok in item.batch:  # nobody was told
                item.batch.remove(ok)
                if ok.qubit >= 0:
                    yield Free(ok.qubit)
                return
            late = 0 < item.deadline <= ctx.now
            if item.remaining == 1 and item.aid not in link.items and not late:
                del link.ended[item.aid]
                link.items[item.aid] = item
        end = (ok.sequence + 1) % SEQUENCES
        yield Err(link.peer, ok.purpose, ok.create_id, Reason.EXPIRE, ok.remote, ok.sequence, end)

    @on(LinkExpireAck)
    def expire_ack(self, msg: LinkExpireAck, ctx: Context) -> Outputs:
        """Stop repeating; where pairs are distilled, go on from the one that both ends know."""
        link = self._link(ctx.sender)
        if link.expiring.pop((msg.aid, msg.low, msg.high), None) is None:
            return
        yield from self._heard(link)
        if msg.aid == UNASSIGNED and msg.low != msg.high and self.distiller:
            yield from self.distiller.restart(link.peer, msg.low, msg.expected, master=link.master)
            yield from self._proceed(link, ctx)

    # -- repetition ---------------------------------------------------------------------------------------------------

    def _again(self, link: Link, ctx: Context) -> Set:
        pause = max(2 * link.round_trip, SHORTEST)
        return Set(Repeat(link.peer) if link.vain < TRIES else Remind(link.peer), ctx.now + pause)

    @on(Repeat, Remind)
    def repeat(self, due: Repeat | Remind, ctx: Context) -> Outputs:
        """Say again what was not answered."""
        link = self.links.get(due.peer)
        if link is None or not (link.dropping or link.expiring):
            return
        link.vain += 1
        for message in (*link.dropping.values(), *link.expiring.values()):
            yield Send(link.peer, message)
        yield self._again(link, ctx)

    def _heard(self, link: Link) -> Iterator[Noun]:
        """The neighbour answers; nothing is repeated when nothing is left."""
        link.vain = 0
        if not (link.dropping or link.expiring):
            yield Cancel(Repeat(link.peer))
            yield Cancel(Remind(link.peer))
