"""A link layer of one's own: stop and wait, one request at a time.

    IDLE ---oldest request/Add---> ASKING ---AddAck---> SERVING ---last pair, Withdraw/Drop or Drop---> IDLE
      '-----------Add/AddAck-------------------------------^          '--Add: the peer is done/AddAck--> SERVING
                                  ASKING ---AskAgain/Add, at the third/Err; AddRej/Err; Drop---> IDLE
                                  ASKING ---an older Add/AddAck---> SERVING, and my request waits on

It speaks the messages of the reference (`qstack.wire.link`) and nothing else is left of it: no queue that both ends
share, no scheduler, no lanes that serve different requests.  The end whose request is older has the line; pairs are only
made while both ends serve the same request, so a lost message costs time; three in a row cost the request, and the peer
learns of that from the next message.  Messages of one neighbour must not overtake each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from qstack import Offer, Options, hookimpl
from qstack.core.layer import Context, Layer, Outputs, on
from qstack.core.nouns import Cancel, Noun, Send, Set, Timer, timer
from qstack.plugin.sites import Neighbour, Site
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.services.strategies import best_row
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Drop

QSTACK_API = (1, 0)


@timer
class AskAgain(Timer):
    """No answer has come."""

    peer: int


@dataclass(slots=True)
class Line:
    """What is known of one neighbour: requests of mine that wait, the one I ask for, and the one both ends serve."""

    to: Neighbour
    waiting: deque[Add] = field(default_factory=deque)
    asking: Add | None = None
    tries: int = 0
    serving: Add | None = None
    mine: bool = False
    left: int = 0
    heard: int = -1  # number of the peer's last Add


class StopAndWait(Layer):
    """One per node; every neighbour has a line of its own."""

    name = "link"

    def __init__(self, neighbours: dict[int, Neighbour]) -> None:
        self.lines = {peer: Line(neighbour) for peer, neighbour in neighbours.items()}
        self.creates = 0

    @on(Create)
    def create(self, req: Create, ctx: Context) -> Outputs:
        """Let a request wait for its turn."""
        line = self.lines[req.peer]
        if not 1 <= req.number < 1 << 16:
            yield Err(req.peer, req.purpose, -1, Reason.CREATE, remote=False)
        elif req.max_time or best_row(line.to.rows, req.min_fidelity) is None:  # this layer keeps no deadlines
            yield Err(req.peer, req.purpose, -1, Reason.UNSUPP, remote=False)
        else:
            self.creates = number = (self.creates + 1) % (1 << 16)
            what = (req.purpose, number, req.number, req.min_fidelity, req.priority, req.keep, req.bases)
            line.waiting.append(Add(number % 256, UNASSIGNED, *what, ctx.now, 0, consecutive=True))
            yield Accepted(req.peer, req.purpose, number)
            yield from self._ask(line, ctx)

    @on(Add)
    def add(self, msg: Add, ctx: Context) -> Outputs:
        """The peer wants the line; that it asks says that it serves nothing."""
        line = self.lines[ctx.sender]
        mine = line.asking
        if msg.cseq == line.heard:  # a repetition: my answer was lost
            over = AddRej(msg.cseq, Reason.REJECTED)  # accepted once, and given up since
            yield Send(ctx.sender, AddAck(msg.cseq, msg.aid) if line.serving == msg else over)
        elif best_row(line.to.rows, msg.min_fidelity) is None:
            yield Send(ctx.sender, AddRej(msg.cseq, Reason.UNSUPP))
        elif mine is None or (msg.start, ctx.sender) < (mine.start, ctx.node):
            if mine is not None:
                line.waiting.appendleft(mine)
                line.asking = None
                yield Cancel(AskAgain(ctx.sender))
            line.heard = msg.cseq
            yield Send(ctx.sender, AddAck(msg.cseq, msg.aid))
            yield from self._serve(line, msg, mine=False)

    @on(AddAck)
    def add_ack(self, msg: AddAck, ctx: Context) -> Outputs:
        """The line is mine."""
        line = self.lines[ctx.sender]
        if line.asking is not None and line.asking.aid == msg.aid:
            yield Cancel(AskAgain(ctx.sender))
            asked, line.asking = line.asking, None
            yield from self._serve(line, asked, mine=True)

    @on(AddRej)
    def add_rej(self, msg: AddRej, ctx: Context) -> Outputs:
        """The peer cannot serve this."""
        line = self.lines[ctx.sender]
        return self._fail(line, msg.reason, ctx) if line.asking and line.asking.cseq == msg.cseq else ()

    @on(AskAgain)
    def ask_again(self, due: AskAgain, ctx: Context) -> Outputs:
        """Repeat an unanswered question, three times in all."""
        line = self.lines[due.peer]
        if line.asking is not None and line.tries < 3:
            line.tries += 1
            return (Send(due.peer, line.asking), Set(due, ctx.now + 6 * line.to.delay))
        return self._fail(line, Reason.NOTIME, ctx)

    @on(Heralded)
    def heralded(self, ind: Heralded, ctx: Context) -> Outputs:
        """Deliver a pair; one of a request that has ended meanwhile is freed, at the other end too."""
        line = self.lines[ind.peer]
        job = line.serving
        if job is None or ind.aid != job.aid:
            return (Free(ind.qubit),) if ind.qubit >= 0 else ()
        line.left -= 1
        goodness = line.to.rows[best_row(line.to.rows, job.min_fidelity) or 0].fidelity
        told = (ind.sequence, ind.bell, goodness, ind.emitted, ind.qubit, not line.mine, ind.basis, ind.outcome)
        ok = Ok(ind.peer, job.purpose, job.create_id, *told)
        return (ok,) if line.left else (ok, *self._end(line, ctx))

    @on(Withdraw)
    def withdraw(self, req: Withdraw, ctx: Context) -> Outputs:
        """Give a purpose up, here and at the peer."""
        line = self.lines[req.peer]
        line.waiting = deque(add for add in line.waiting if add.purpose != req.purpose)
        if any(add and add.purpose == req.purpose for add in (line.asking, line.serving)):
            yield Send(req.peer, Drop(req.purpose))
            yield from self.drop(Drop(req.purpose), ctx, req.peer)

    @on(Drop)
    def drop(self, msg: Drop, ctx: Context, peer: int | None = None) -> Outputs:
        """Give a purpose up here; the peer has done so."""
        line = self.lines[ctx.sender if peer is None else peer]
        if line.asking is not None and line.asking.purpose == msg.purpose:
            line.asking = None
            yield Cancel(AskAgain(line.to.number))
            yield from self._ask(line, ctx)
        if line.serving is not None and line.serving.purpose == msg.purpose:
            yield from self._end(line, ctx)

    def _ask(self, line: Line, ctx: Context) -> Iterator[Noun]:
        if line.waiting and line.asking is None and line.serving is None:
            add = line.waiting.popleft()
            line.asking = replace(add, aid=2 * (add.create_id % 1024) + (ctx.node > line.to.number))
            line.tries = 1
            yield Send(line.to.number, line.asking)
            yield Set(AskAgain(line.to.number), ctx.now + 6 * line.to.delay)

    def _fail(self, line: Line, reason: int, ctx: Context) -> Iterator[Noun]:
        lost, line.asking = line.asking, None
        if lost is not None:
            yield Cancel(AskAgain(line.to.number))
            yield Err(line.to.number, lost.purpose, lost.create_id, reason, remote=False)
            yield from self._ask(line, ctx)

    def _serve(self, line: Line, job: Add, *, mine: bool) -> Iterator[Noun]:
        line.serving, line.mine, line.left = job, mine, job.number
        row = best_row(line.to.rows, job.min_fidelity) or 0
        for lane in range(line.to.lanes):
            yield Attempt(line.to.number, lane, job.aid, row, job.keep, job.bases)

    def _end(self, line: Line, ctx: Context) -> Iterator[Noun]:
        line.serving = None
        for lane in range(line.to.lanes):
            yield Attempt(line.to.number, lane, -1, 0, keep=True, bases=())
        yield from self._ask(line, ctx)


def make(options: Options, site: Site) -> Layer:
    """Return the layer of one node."""
    return StopAndWait(dict(site.neighbours))


@hookimpl
def qstack_layers() -> list[Offer]:
    """Offer the layer as ``stack: {link: {use: stop-and-wait}}``."""
    return [Offer("stop-and-wait", make, summary="one request at a time", level="link")]
