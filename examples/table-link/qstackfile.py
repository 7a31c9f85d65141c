"""A link layer that settles: inputs only change a table, and one function says what follows from the table.

    request   WAITING --a number is free/Add--> ASKED --AddAck--> AGREED --start/Attempt--> SERVED --pairs--> done
              ASKED --AddRej, or no answer to the third Add/Err--> gone     AGREED, SERVED --Withdraw, Drop--> gone
    letter    SENT --no answer/the same again--> SENT --answer--> gone

It was written from the specification alone, to see that a layer may be built in another way than the reference and conform:
no handler decides what is attempted, no timer belongs to a request, no node is master.  Queue ids come from a Lamport
clock, the lower node takes even ones; purposes take turns by the number of a lane's last pair.  It claims requests of type K whose pairs
are delivered as they come; deadlines, atomic requests and pairs that are measured at once are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from qstack import Offer, Options, hookimpl
from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Context, Handler, Layer
from qstack.core.nouns import Cancel, Message, Noun, Send, Set, Timer
from qstack.plugin.sites import Neighbour, Site
from qstack.services.classical import NeighbourLost
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt, Heralded, Renumber, Skipped
from qstack.services.l2_link import Accepted, Create, Err, Ok, Unreachable, Withdraw
from qstack.services.reasons import Reason
from qstack.services.strategies import best_row
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Drop, DropAck, LinkExpire, LinkExpireAck

from .table import NUMBERS, Job, Letter, Line, Remind, Wake

QSTACK_API = (1, 0)
IDS, SEQUENCES = 1 << 12, 1 << 16
WINDOW = NUMBERS // 4
IDLE = (-1, 0)
REMEMBERED = 1 << 10
"""Pairs, and requests that have ended, of which something may still be heard."""


class TableLink(Layer):
    """One per node."""

    name = "link"

    def __init__(self, node: int, neighbours: Mapping[int, Neighbour]) -> None:
        self.lines = {peer: Line(neighbour, node < peer) for peer, neighbour in neighbours.items()}
        self.creates = 0

    def handlers(self) -> dict[type[Noun], Handler]:
        """Return the same handler for everything: change the table, then settle."""
        rules: dict[type[Noun], Any] = {
            Create: self.create,
            Withdraw: self.withdraw,
            Heralded: self.herald,
            Skipped: self.skipped,
            NeighbourLost: self.lost,
            Add: self.add,
            AddAck: self.ack,
            AddRej: self.reject,
            Drop: self.drop,
            DropAck: self.answered,
            LinkExpire: self.expire,
            LinkExpireAck: self.answered,
            Wake: self.wake,
            Remind: self.wake,
        }
        return {kind: self.rule(rule) for kind, rule in rules.items()}

    def rule(self, change: Any) -> Handler:
        """Return a handler that lets a rule change the table of a neighbour and says what follows from that."""

        def handler(noun: Any, ctx: Context) -> Iterator[Noun]:
            peer = ctx.sender if isinstance(noun, Message) else noun.peer
            line = self.lines.get(peer)
            if line is not None:
                yield from change(line, noun, ctx)
                yield from self.settle(line, ctx)
            elif isinstance(noun, Create):
                yield Err(peer, noun.purpose, -1, Reason.CREATE, remote=False)
            elif isinstance(noun, Message):
                raise RemoteProtocolError(f"node {peer} is no neighbour", "QS-L2-040")

        return handler

    # -- what follows from a table ------------------------------------------------------------------------------------

    def settle(self, line: Line, ctx: Context) -> Iterator[Noun]:
        """Say what the table demands and has not been said: questions, attempts, one timer."""
        while line.waiting and len([key for key in line.letters if isinstance(key, int)]) < WINDOW:
            yield from self.ask(line, line.waiting.pop(0), ctx)
        for lane, wanted in enumerate(self.served(line, ctx.now)):
            if line.standing.get(lane, IDLE) != wanted:
                line.standing[lane] = wanted
                yield Attempt(line.to.number, lane, *wanted, keep=True, bases=())
        alarm = self.next(line, ctx.now)
        if line.alarm is not None and (alarm is None or alarm[0] != line.alarm[0]):
            yield Cancel(line.alarm[0])
        if alarm is not None and alarm != line.alarm:
            yield Set(*alarm)
        line.alarm = alarm

    def served(self, line: Line, now: int) -> Iterator[tuple[int, int]]:
        """Return what each lane attempts for: the oldest requests of each purpose take turns."""
        heads: dict[int, Job] = {}
        for job in sorted(line.jobs.values(), key=lambda job: job.order):
            if job.agreed and job.left and job.add.start <= now:
                heads.setdefault(job.add.purpose, job)
        turns = list(heads.values())
        lanes = dict.fromkeys(heads, 0)
        for lane in range(line.to.lanes):
            job = turns[line.turns.get(lane, lane) % len(turns)] if turns else None
            if job is None or lanes[job.add.purpose] >= job.left:
                yield IDLE
                continue
            lanes[job.add.purpose] += 1
            yield job.add.aid, best_row(line.to.rows, job.add.min_fidelity) or 0

    def next(self, line: Line, now: int) -> tuple[Timer, int] | None:
        """Return what has to wake this line next, and when."""
        hurry = [job.add.start for job in line.jobs.values() if job.agreed and job.left and job.add.start > now]
        hurry += [letter.due for letter in line.letters.values() if letter.sent < 3 or isinstance(letter.message, Add)]
        if hurry:
            return Wake(line.to.number), min(hurry)
        later = [letter.due for letter in line.letters.values()]
        return (Remind(line.to.number), min(later)) if later else None

    def wake(self, line: Line, due: Wake | Remind, ctx: Context) -> Iterator[Noun]:
        """Repeat what was not answered; a question that was asked three times has failed."""
        line.alarm = None
        for key, letter in list(line.letters.items()):
            if letter.due > ctx.now:
                continue
            if isinstance(letter.message, Add) and letter.sent == 3:
                add = letter.message
                yield from self.fail(line, key, Reason.NOTIME)
                back = LinkExpire(add.aid, add.create_id, ctx.node, 0, 0)
                yield self.say(line, ("request", add.aid), back, ctx, 2)
            else:
                letter.sent += 1
                letter.due = ctx.now + letter.pause
                yield Send(line.to.number, letter.message)

    def say(self, line: Line, key: Any, message: Message, ctx: Context, trips: int) -> Send:
        """Send a message that is repeated after so many round trips until it is answered."""
        pause = max(2 * trips * line.to.delay, 1)
        line.letters[key] = Letter(message, ctx.now + pause, pause)
        return Send(line.to.number, message)

    # -- requests -----------------------------------------------------------------------------------------------------

    def create(self, line: Line, req: Create, ctx: Context) -> Iterator[Noun]:
        """Accept a request of this end, or say why not."""
        reason = self.refusal(line, req)
        if reason:
            yield Err(req.peer, req.purpose, -1, reason, remote=False)
            return
        self.creates = self.creates % (SEQUENCES - 1) + 1
        row = line.to.rows[best_row(line.to.rows, req.min_fidelity) or 0]
        units = ceil(req.min_fidelity * 65535 - 1e-9)
        travels = min(units, int(row.fidelity * 65535)) / 65535
        what = (req.purpose, self.creates, req.number, travels, req.priority, True, ())
        line.waiting.append(Job(Add(0, UNASSIGNED, *what, 0, 0, consecutive=True), req.number, mine=True))
        yield Accepted(req.peer, req.purpose, self.creates)

    def refusal(self, line: Line, req: Create) -> int:
        """Return why a request is refused, 0 if it is not."""
        ranges = (
            (req.number, 1, SEQUENCES - 1),
            (req.purpose, 0, SEQUENCES - 1),
            (req.max_time, 0, req.max_time),
            (req.min_fidelity, 0, 1),
            (req.priority, 0, 7),
        )
        if not all(low <= value <= high for value, low, high in ranges):
            return Reason.CREATE
        if req.keep == bool(req.bases) or not set(req.bases) <= {0, 1, 2}:
            return Reason.CREATE
        claimed = req.keep and req.consecutive and not (req.max_time or req.atomic or req.prepare)
        if not claimed or best_row(line.to.rows, req.min_fidelity) is None:
            return Reason.UNSUPP
        return Reason.REJECTED if ("drop", req.purpose) in line.letters else 0

    def ask(self, line: Line, job: Job, ctx: Context) -> Iterator[Noun]:
        """Give a request its numbers and ask the neighbour."""
        line.number = line.free()
        line.clock = job.order = line.clock + 1 + (line.clock % 2 == (not line.even))
        base = job.add
        what = (base.purpose, base.create_id, base.number, base.min_fidelity, base.priority, True, ())
        job.add = Add(line.number, job.order % IDS, *what, ctx.now + 4 * line.to.delay, 0, consecutive=True)
        line.jobs[job.add.aid] = job
        yield self.say(line, line.number, job.add, ctx, 3)

    def add(self, line: Line, msg: Add, ctx: Context) -> Iterator[Noun]:
        """Enter the neighbour's request once; the same question gets the same answer."""
        if line.heard.get(msg.cseq, (None,))[0] != msg:
            answer: Message = AddAck(msg.cseq, msg.aid)
            late = msg.purpose in line.dropped and (msg.cseq - line.dropped[msg.purpose]) % NUMBERS >= NUMBERS // 2
            claimed = msg.keep and not (msg.bases or msg.deadline or msg.atomic or msg.prepare) and msg.consecutive
            if late:
                answer = AddRej(msg.cseq, Reason.NOTIME, msg.aid)
            elif msg.aid == UNASSIGNED or not claimed or best_row(line.to.rows, msg.min_fidelity) is None:
                answer = AddRej(msg.cseq, Reason.UNSUPP, msg.aid)
            else:
                order = line.clock + (msg.aid - line.clock + IDS // 2) % IDS - IDS // 2
                line.clock = max(line.clock, order)
                line.jobs[msg.aid] = Job(msg, msg.number, order, agreed=True)
            line.heard[msg.cseq] = (msg, answer)
            self.forget(line, msg.cseq)
        yield Send(ctx.sender, line.heard[msg.cseq][1])

    def forget(self, line: Line, number: int) -> None:
        """Keep tables small: numbers that come again, requests that have ended, pairs of long ago."""
        for purpose, old in list(line.dropped.items()):
            if (number - old) % NUMBERS > NUMBERS // 2 - WINDOW:
                del line.dropped[purpose]
        ended = [aid for aid, job in line.jobs.items() if not job.left]
        for aid in ended[: -REMEMBERED // 4]:
            del line.jobs[aid]
        for table in (line.told, line.void):
            for sequence in list(table)[:-REMEMBERED]:
                del table[sequence]

    def ack(self, line: Line, msg: AddAck, ctx: Context) -> Iterator[Noun]:
        """The neighbour holds the request too."""
        letter = line.letters.get(msg.cseq)
        if letter is not None and isinstance(letter.message, Add) and letter.message.aid == msg.aid:
            del line.letters[msg.cseq]
            line.jobs[msg.aid].agreed = True
        yield from ()

    def reject(self, line: Line, msg: AddRej, ctx: Context) -> Iterator[Noun]:
        """The neighbour refuses, and says why."""
        if msg.cseq in line.letters:
            yield from self.fail(line, msg.cseq, msg.reason)

    def fail(self, line: Line, number: int, reason: int) -> Iterator[Noun]:
        """End a request of this end that was never agreed on."""
        add = line.letters.pop(number).message
        assert isinstance(add, Add)
        line.jobs.pop(add.aid, None)
        yield Err(line.to.number, add.purpose, add.create_id, reason, remote=False)

    # -- pairs --------------------------------------------------------------------------------------------------------

    def herald(self, line: Line, ind: Heralded, ctx: Context) -> Iterator[Noun]:
        """Deliver the pair if its request wants it; let it go if not, and tell the neighbour, who may have it."""
        job = line.jobs.get(ind.aid)
        alive = any(number == ind.sequence for lane, number in line.latest.items() if lane != ind.lane)
        line.turns[ind.lane] = ind.sequence
        if not alive:
            line.latest[ind.lane] = ind.sequence
        line.expected = (ind.sequence + 1) % SEQUENCES
        if job is None or not job.left or alive or ind.sequence in line.void:
            line.void.pop(ind.sequence, None)
            if ind.qubit >= 0:
                yield Free(ind.qubit)
            if job is not None:
                yield from self.gone(line, job.add, ind.sequence, line.expected, ctx)
            return
        line.told.pop(ind.sequence, None)
        line.told[ind.sequence] = job
        job.left -= 1
        goodness = line.to.rows[best_row(line.to.rows, job.add.min_fidelity) or 0].fidelity
        told = (ind.sequence, ind.bell, goodness, ind.emitted, ind.qubit, not job.mine, ind.basis, ind.outcome)
        yield Ok(ind.peer, job.add.purpose, job.add.create_id, *told)
        self.forget(line, line.number)

    def skipped(self, line: Line, ind: Skipped, ctx: Context) -> Iterator[Noun]:
        """Pairs of which only the neighbour knows are not valid."""
        line.expected = ind.high
        self.align(line, ind.high)
        yield from self.gone(line, None, ind.low, ind.high, ctx)

    def align(self, line: Line, high: int) -> None:
        """Take turns alike again: nobody but the neighbour knows which lanes had the successes that were lost."""
        for lane in range(line.to.lanes):
            if (line.turns.get(lane, lane) - high) % SEQUENCES >= SEQUENCES // 4:
                line.turns[lane] = (high - 1) % SEQUENCES

    def gone(self, line: Line, add: Add | None, low: int, high: int, ctx: Context) -> Iterator[Noun]:
        """Say that this end does not have these pairs."""
        whose = (UNASSIGNED, 0, ctx.node)
        if add is not None:
            mine = line.jobs[add.aid].mine
            whose = (add.aid, add.create_id, ctx.node if mine else line.to.number)
        yield self.say(line, ("pairs", low, high), LinkExpire(*whose, low, high), ctx, 2)

    def expire(self, line: Line, msg: LinkExpire, ctx: Context) -> Iterator[Noun]:
        """Take back what the neighbour does not have; the request gets other pairs instead."""
        yield Send(ctx.sender, LinkExpireAck(msg.aid, line.expected, msg.low, msg.high))
        if msg.aid == UNASSIGNED:
            self.align(line, msg.high)
        job = line.jobs.get(msg.aid)
        if msg.low == msg.high and job is not None and not job.mine and job.add.create_id == msg.create_id:
            del line.jobs[msg.aid]
        span = (msg.high - msg.low) % SEQUENCES
        ahead = [(msg.low + n) % SEQUENCES for n in range(min(span, REMEMBERED))]
        line.void |= dict.fromkeys(s for s in ahead if (s - line.expected) % SEQUENCES < SEQUENCES // 2)
        for sequence in [s for s in line.told if (s - msg.low) % SEQUENCES < span]:
            owner = line.told.pop(sequence)
            owner.left += not owner.over
            what = (owner.add.purpose, owner.add.create_id, Reason.EXPIRE)
            yield Err(ctx.sender, *what, not owner.mine, sequence, (sequence + 1) % SEQUENCES)

    # -- endings ------------------------------------------------------------------------------------------------------

    def withdraw(self, line: Line, req: Withdraw, ctx: Context) -> Iterator[Noun]:
        """Forget a purpose here, and say so until the neighbour has heard."""
        self.clear(line, req.purpose)
        line.number = line.free()
        yield self.say(line, ("drop", req.purpose), Drop(req.purpose, line.number), ctx, 2)

    def drop(self, line: Line, msg: Drop, ctx: Context) -> Iterator[Noun]:
        """The neighbour has forgotten a purpose: forget it too, once, and say so, every time."""
        yield Send(ctx.sender, DropAck(msg.purpose, msg.cseq))
        old = line.dropped.get(msg.purpose)
        if old is None or 0 < (msg.cseq - old) % NUMBERS < NUMBERS // 2:
            line.dropped[msg.purpose] = msg.cseq
            for job in self.clear(line, msg.purpose):
                if job.mine:
                    what = (msg.purpose, job.add.create_id, Reason.REJECTED)
                    yield Err(ctx.sender, *what, remote=False)

    def clear(self, line: Line, purpose: int) -> list[Job]:
        """Remove every request of a purpose; return those that had not ended."""
        line.waiting = [job for job in line.waiting if job.add.purpose != purpose]
        found = [job for job in line.jobs.values() if job.add.purpose == purpose and job.left]
        for job in found:
            job.left, job.over = 0, True
            if job.mine and not job.agreed:
                line.letters.pop(job.add.cseq, None)
        return found

    def answered(self, line: Line, msg: DropAck | LinkExpireAck, ctx: Context) -> Iterator[Noun]:
        """Stop repeating what the neighbour has heard."""
        if isinstance(msg, DropAck):
            letter = line.letters.get(("drop", msg.purpose))
            if letter is not None and letter.message == Drop(msg.purpose, msg.cseq):
                del line.letters["drop", msg.purpose]
        elif msg.low == msg.high:
            line.letters.pop(("request", msg.aid), None)
        else:
            line.letters.pop(("pairs", msg.low, msg.high), None)
        yield from ()

    def lost(self, line: Line, ind: NeighbourLost, ctx: Context) -> Iterator[Noun]:
        """Forget everything that was agreed; the device and the host still hold their last answers."""
        fresh = Line(line.to, line.even, standing=line.standing, alarm=line.alarm)
        for name in (
            "waiting",
            "jobs",
            "letters",
            "heard",
            "dropped",
            "told",
            "void",
            "latest",
            "turns",
            "clock",
            "number",
            "expected",
        ):
            setattr(line, name, getattr(fresh, name))
        yield Renumber(ind.peer)
        yield Unreachable(ind.peer)


def make(options: Options, site: Site) -> Layer:
    """Return the layer of one node."""
    return TableLink(site.number, site.neighbours)


@hookimpl
def qstack_layers() -> list[Offer]:
    """Offer the layer as ``stack: {link: table}``."""
    return [Offer("table", make, summary="requests in a table, one function that settles", level="link")]
