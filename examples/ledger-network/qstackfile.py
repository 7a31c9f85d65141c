"""A network layer that keeps books: inputs only make entries, and one function per node of a circuit settles them.

    half   WAITS --a half on the other side/Swap--> JOINS --Swapped--> JOINED --TRACK/TRACK--> gone      between the ends
           HELD --TRACK/Pair--> GIVEN --Expire, Err/Lost--> gone                                        at an end
           any state --cutoff, Err(EXPIRE), Expire/Free--> DEAD --TRACK/Expire--> gone

It was written from the specification alone, to see that a layer may be built in another way than the reference and conform:
signalling and forwarding are one layer, every side of a circuit has one ledger of numbers and one of questions (the TRACKs that
wait), and no handler decides what is swapped, answered, delivered or asked for: `settle` does, whatever has happened.  One timer
wakes a circuit for all its deadlines, another one tidies its ledgers up.  It serves sessions of kind KEEP along the path of
fewest links, one session on a circuit of its own; circuits of others it serves whatever they carry.
"""

# ruff: noqa: INP001 - a file beside a scenario, no package

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from qstack import Offer, Options, hookimpl
from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Handler, Layer
from qstack.core.nouns import Cancel, Noun, Send, Set, Timer, timer
from qstack.plugin.sites import NetworkView, Site
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Accepted, Create, Err, Ok, Unreachable, Withdraw
from qstack.services.l3_network import KEEP, Connect, Connected, Disconnect, Disconnected, Lost, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward, Track
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown

QSTACK_API = (1, 0)
UNIT, NUMBERS, EPOCHS, BATCH = 65535, 1 << 16, 1 << 24, 1000
SLOWEST = 1e-3
WAITS, JOINS, JOINED, HELD, GIVEN, DEAD = "waits", "joins", "joined", "held", "given", "dead"


@timer
class Wake(Timer):
    """Something of this circuit is due."""

    circuit: int


@timer
class Tidy(Timer):
    """Old entries of this circuit may be struck out."""

    housekeeping = True
    circuit: int


@dataclass(slots=True)
class Half:
    """An entry: a pair with a neighbour; `since` when it was made, `at` when its state was entered [ps]."""

    ok: Ok
    state: str
    at: int
    reason: int = 0
    partner: Half | None = None
    bell: int = 0
    factor: float = 1.0
    slot: tuple[int, int] | None = None
    track: Track | None = None
    pair: Pair | None = None


@dataclass(slots=True)
class Side:
    """One side of a circuit: the neighbour there, the label, and its two ledgers."""

    peer: int
    label: int
    halves: dict[int, Half] = field(default_factory=dict)
    questions: dict[int, tuple[Track, int]] = field(default_factory=dict)
    doomed: dict[int, int] = field(default_factory=dict)

    def waiting(self) -> Half | None:
        """Return the half that has waited longest."""
        return next((half for half in self.halves.values() if half.state == WAITS), None)

    def strike(self, number: int) -> None:
        """Take an entry out."""
        self.halves.pop(number, None)


@dataclass(slots=True)
class Circuit:
    """A circuit at this node; `stage` is asked, up, active or done, `sessions` those that the users here know of."""

    number: int
    path: tuple[int, ...]
    place: int
    sides: tuple[Side, Side]
    fidelity: float
    cutoff: int
    priority: int
    stage: str = "up"
    wish: Connect | None = None
    deadline: int = 0
    sessions: list[int] = field(default_factory=list)
    serves: list[int] = field(default_factory=list)
    epoch: int = 0
    epochs: dict[int, tuple[int, ...]] = field(default_factory=dict)
    stock: int = 0
    begun: int = 0
    given: int = 0
    slots: deque[tuple[int, int]] = field(default_factory=deque)
    due: int = 0
    alarm: int = 0

    @property
    def inner(self) -> Side:
        """At an end: the side on which the circuit lies."""
        return self.sides[0] if self.place else self.sides[1]

    @property
    def is_end(self) -> bool:
        """Whether the circuit ends here."""
        return self.place in (0, len(self.path) - 1)

    @property
    def patience(self) -> int:
        """How long an entry is worth keeping [ps]."""
        return len(self.path) * (self.cutoff + SECOND)


def werner(fidelity: float) -> float:
    """Return the parameter of the Werner state of a fidelity."""
    return (4 * fidelity - 1) / 3


class LedgerNetwork(Layer):
    """One node's signalling and forwarding."""

    name = "network"

    def __init__(self, site: Site) -> None:
        self.here, self.site = site.number, site
        self.circuits: dict[int, Circuit] = {}
        self.labels: dict[int, dict[int, tuple[Circuit, int]]] = {peer: {} for peer in site.neighbours}
        self.joins: dict[int, tuple[Circuit, Half, Half]] = {}
        self.last_label = dict.fromkeys(site.neighbours, -1)
        self.counter = 0

    def handlers(self) -> dict[type[Noun], Handler]:
        """Return the table: entries are made, then the circuit that they are about is settled."""
        entries: dict[type[Noun], Callable[[Any, Context], Iterator[Noun]]] = {
            Connect: self.connect,
            Disconnect: self.disconnect,
            SetupReq: self.setup,
            SetupRsp: self.accepted,
            Reject: self.rejected,
            Teardown: self.teardown,
            Forward: self.forward,
            Complete: self.complete,
            Track: self.track,
            Expire: self.expire,
            Ok: self.ok,
            Err: self.err,
            Swapped: self.swapped,
            Unreachable: self.unreachable,
            Wake: self.wake,
            Tidy: self.tidy,
            Accepted: lambda noun, ctx: iter(()),
        }
        return {kind: self._settling(entry) for kind, entry in entries.items()}

    def _settling(self, entry: Callable[[Any, Context], Iterator[Noun]]) -> Handler:
        def handle(noun: Noun, ctx: Context) -> Iterator[Noun]:
            yield from entry(noun, ctx)
            number = getattr(noun, "circuit", None)
            if number is None and isinstance(noun, Ok | Err):
                found = self.labels.get(noun.peer, {}).get(noun.purpose)
                number = found[0].number if found else None
            if isinstance(noun, Swapped):
                touched = [c for c in self.circuits.values() if c.stage == "active"]
            else:
                touched = [self.circuits[number]] if number in self.circuits else []
            for circuit in touched:
                yield from self.settle(circuit, ctx.now)

        return handle

    # -- what follows from the books ------------------------------------------------------------------------------------

    def settle(self, c: Circuit, now: int) -> Iterator[Noun]:
        """Swap, discard, answer, deliver and ask, as far as the entries allow, and wake up when that changes."""
        if c.stage == "active":
            if not c.is_end:
                yield from self._swaps(c, now)
            for side, other in (c.sides, c.sides[::-1]):
                yield from self._answers(c, side, other, now)
            yield from self._asks(c, now)
            if c.sides[1].peer >= 0 and c.stage == "active" and c.stock <= BATCH // 2:
                c.stock += BATCH
                yield Create(c.sides[1].peer, c.sides[1].label, BATCH, c.fidelity, priority=c.priority)
        if c.number in self.circuits:
            yield from self._alarm(c, now)

    def _swaps(self, c: Circuit, now: int) -> Iterator[Noun]:
        first, second = c.sides
        while (up := first.waiting()) is not None and (down := second.waiting()) is not None:
            up.state = down.state = JOINS
            self.joins[up.ok.qubit] = (c, up, down)
            yield Swap(up.ok.qubit, down.ok.qubit)
        for side in c.sides if c.cutoff else ():
            for half in [h for h in side.halves.values() if h.state == WAITS and h.ok.since + c.cutoff <= now]:
                yield from self._give_up(half, Reason.CUTOFF, now)

    def _give_up(self, half: Half, reason: int, now: int) -> Iterator[Noun]:
        half.state, half.reason, half.at = DEAD, reason, now
        if half.ok.qubit >= 0:
            yield Free(half.ok.qubit)

    def _answers(self, c: Circuit, side: Side, other: Side, now: int) -> Iterator[Noun]:
        for number, (msg, _) in list(side.questions.items()):
            half = side.halves.get(number)
            if half is None or half.state not in (DEAD, JOINED, HELD):
                continue
            del side.questions[number]
            if half.state == HELD:
                yield from self._give(c, side, half, msg, now)
                continue
            side.strike(number)
            if half.state == DEAD:
                yield Send(side.peer, Expire(c.number, msg.origin, msg.origin_pair, half.reason))
                continue
            assert half.partner is not None
            after = half.partner.ok
            believed = werner(msg.estimate / UNIT) * half.factor * werner(after.goodness)
            told = replace(
                msg,
                link_pair=after.sequence,
                bell=msg.bell ^ half.bell ^ after.bell,
                estimate=max(0, int((1 + 3 * believed) / 4 * UNIT)),
            )
            yield Send(other.peer, told)

    def _give(self, c: Circuit, side: Side, half: Half, msg: Track, now: int) -> Iterator[Noun]:
        session, number, asked = c.sessions[0] if c.sessions else -1, msg.request, -1
        if c.place == 0:
            assert half.slot is not None
            number, asked = half.slot
        else:
            members = c.epochs.get(msg.epoch, ())
            session = members[msg.member] if msg.member < len(members) and not msg.test else -1
        if session < 0:
            yield from self._give_up(half, Reason.OTHER, now)
            yield Send(side.peer, Expire(c.number, self.here, half.ok.sequence, Reason.OTHER))
            return
        waited = self.site.storage(now - half.ok.since)
        believed = (1 + 3 * werner(msg.estimate / UNIT) * waited * waited) / 4
        half.state, half.at, half.track = GIVEN, now, msg
        half.pair = Pair(session, number, msg.bell, half.ok.qubit, believed, asked)
        yield half.pair
        c.given += 1
        if c.place == 0 and c.wish is not None and c.given == c.wish.number:
            yield from self._stop(c)
            yield Send(side.peer, Complete(c.number, session, c.path[0], c.path[-1]))

    def _asks(self, c: Circuit, now: int) -> Iterator[Noun]:
        if c.wish is None or c.stage != "active":
            return
        room = self.site.neighbours[c.sides[1].peer].lanes - len(c.slots)
        room -= sum(half.state == HELD for half in c.sides[1].halves.values())
        while room > 0 and (not c.wish.number or c.begun < c.wish.number) and c.due <= now:
            c.slots.append((c.begun, now))
            c.begun += 1
            room -= 1
            c.due = max(c.due, now) + round(SECOND / c.wish.rate) if c.wish.rate else 0
        yield from ()

    def _alarm(self, c: Circuit, now: int) -> Iterator[Noun]:
        times = [c.deadline] if c.stage == "asked" else []
        if c.stage == "active" and not c.is_end and c.cutoff:
            times += [half.ok.since + c.cutoff for side in c.sides for half in [side.waiting()] if half]
        if c.stage == "active" and c.wish is not None and c.due > now:
            times.append(c.due)
        due = max(now, min(times)) if times else 0
        if due != c.alarm:
            c.alarm = due
            yield Set(Wake(c.number), due) if times else Cancel(Wake(c.number))

    # -- circuits come and go -------------------------------------------------------------------------------------------

    def _find(self, number: int, sender: int, places: tuple[int, ...] = (0, 1)) -> Circuit | None:
        c = self.circuits.get(number)
        if c is not None and sender not in {c.sides[place].peer for place in places}:
            raise RemoteProtocolError(f"node {sender} has no say there about circuit {number}")
        return c

    def _install(self, number: int, path: tuple[int, ...], label: int, msg: SetupReq) -> Circuit | None:
        """Enter a circuit; None if a label is missing."""
        place = path.index(self.here)
        sides = [Side(-1, -1), Side(-1, -1)]
        if place:
            sides[0] = Side(path[place - 1], label)
        if place + 1 < len(path):
            peer = path[place + 1]
            count = self.last_label[peer]
            for _ in range(1 << 15):
                count = (count + 1) % (1 << 15)
                if (chosen := 2 * count + (self.here > peer)) not in self.labels[peer]:
                    break
            else:
                return None
            self.last_label[peer] = count
            sides[1] = Side(peer, chosen)
        fidelity = msg.fidelities[place] if place + 1 < len(path) else 0.0
        c = Circuit(number, path, place, (sides[0], sides[1]), fidelity, msg.cutoff, msg.priority)
        self.circuits[number] = c
        for which, side in enumerate(c.sides):
            if side.peer >= 0:
                self.labels[side.peer][side.label] = (c, which)
        return c

    def _connected(self, session: int) -> Circuit | None:
        return next((c for c in self.circuits.values() if session in c.sessions), None)

    def connect(self, req: Connect, ctx: Context) -> Iterator[Noun]:
        """Find a path and ask for a circuit along it."""
        if self._connected(req.session) is not None:
            raise LocalProtocolError(f"session {req.session} is connected already")
        if (req.rate != 0 and not req.rate >= SLOWEST) or not 0 <= req.priority < 8:
            raise LocalProtocolError(f"{req.rate} pairs/s at priority {req.priority} cannot be")
        route = shortest(self.site.view, self.here, req.peer)
        reached = werner(1.0)
        for a, b in itertools.pairwise(route):
            reached *= werner(_best(self.site.view, a, b)[0])
        for node in route[1:-1]:
            reached *= self.site.view.swap_factors[node]
        rate = min((_best(self.site.view, a, b)[1] for a, b in itertools.pairwise(route)), default=0.0)
        if req.kind != KEEP:
            yield Disconnected(req.session, Reason.UNSUPP)
        elif len(route) < 2 or (1 + 3 * reached) / 4 < req.min_fidelity:
            yield Disconnected(req.session, Reason.NO_ROUTE)
        elif req.rate > rate:
            yield Disconnected(req.session, Reason.NORES)
        else:
            fidelities = tuple(int(_best(self.site.view, a, b)[0] * UNIT) / UNIT for a, b in itertools.pairwise(route))
            cutoff = self.site.view.cutoff or int(40 * SECOND / rate)
            self.counter = (self.counter + 1) % NUMBERS
            while (number := self.here << 16 | self.counter) in self.circuits:
                self.counter = (self.counter + 1) % NUMBERS
            msg = SetupReq(number, req.session, route, fidelities, -1, cutoff, req.priority)
            c = self._install(number, route, -1, msg)
            if c is None:
                yield Disconnected(req.session, Reason.NORES)
                return
            c.stage, c.wish, c.sessions, c.deadline = "asked", req, [req.session], ctx.now + len(route) * SECOND
            yield Send(route[1], replace(msg, label=c.sides[1].label))
            yield from self.settle(c, ctx.now)

    def setup(self, msg: SetupReq, ctx: Context) -> Iterator[Noun]:
        """Enter a circuit and pass the request on, or answer it."""
        path, place = msg.path, msg.path.index(self.here) if self.here in msg.path else 0
        if (
            not place
            or path[place - 1] != ctx.sender
            or len(set(path)) < len(path)
            or len(msg.fidelities) != len(path) - 1
        ):
            raise RemoteProtocolError(f"node {ctx.sender} asks for a circuit along {path}")
        if msg.circuit in self.circuits:
            return
        tail = place + 1 == len(path)
        if not tail and path[place + 1] not in self.site.neighbours:
            yield Send(ctx.sender, Reject(msg.circuit, self.here, Reason.NO_ROUTE))
        elif msg.label in self.labels[ctx.sender] or (tail and self._connected(msg.session) is not None):
            yield Send(ctx.sender, Reject(msg.circuit, self.here, Reason.REJECTED))
        elif (c := self._install(msg.circuit, path, msg.label, msg)) is None:
            yield Send(ctx.sender, Reject(msg.circuit, self.here, Reason.NORES))
        elif tail:
            c.sessions = [msg.session]
            yield Send(ctx.sender, SetupRsp(msg.circuit))
        else:
            yield Send(c.sides[1].peer, replace(msg, label=c.sides[1].label))

    def accepted(self, msg: SetupRsp, ctx: Context) -> Iterator[Noun]:
        """Pass the acceptance back; the head starts."""
        c = self._find(msg.circuit, ctx.sender, (1,))
        if c is not None and c.place:
            yield Send(c.sides[0].peer, msg)
        elif c is not None and c.wish is not None and c.stage == "asked":
            wish, c.stage, c.epoch, c.due = c.wish, "active", 1, ctx.now
            told = wish.number if wish.number < NUMBERS else 0
            rate = round(1000 * wish.rate)
            yield Send(
                c.sides[1].peer,
                Forward(c.number, told, wish.session, self.here, c.path[-1], KEEP, wish.basis, epoch=1, rate=rate),
            )
            yield Connected(wish.session, wish.peer, initiator=True, number=wish.number)
            yield Set(Tidy(c.number), ctx.now + c.patience)

    def rejected(self, msg: Reject, ctx: Context) -> Iterator[Noun]:
        """Forget a circuit that is refused further on."""
        c = self._find(msg.circuit, ctx.sender, (1,))
        if c is None:
            return
        yield from self._forget(c)
        if c.place:
            yield Send(c.sides[0].peer, msg)
        for session in c.sessions:
            yield Disconnected(session, msg.reason)

    def _forget(self, c: Circuit) -> Iterator[Noun]:
        del self.circuits[c.number]
        for side in c.sides:
            if side.peer >= 0:
                del self.labels[side.peer][side.label]
        if c.alarm:
            yield Cancel(Wake(c.number))

    def _end(self, c: Circuit, reason: int, cause: int, now: int) -> Iterator[Noun]:
        """Strike a circuit out; what its pairs have to be told goes first."""
        if c.is_end:
            for number, half in c.inner.halves.items():
                if reason and half.state == GIVEN and half.pair is not None and half.at + c.patience > now:
                    yield Lost(half.pair.session, half.pair.pair, half.ok.qubit, reason)
                if half.state == HELD and c.place == 0:
                    yield Send(c.inner.peer, Expire(c.number, self.here, number, Reason.TORN_DOWN))
        yield from self._stop(c)
        yield from self._forget(c)
        for side in c.sides:
            if side.peer not in (-1, cause):
                yield Send(side.peer, Teardown(c.number, reason))
        for session in c.sessions:
            yield Disconnected(session, reason)

    def _stop(self, c: Circuit) -> Iterator[Noun]:
        if c.stage != "active":
            return
        c.stage = "done"
        yield Cancel(Tidy(c.number))
        for side in c.sides:
            if side.peer >= 0:
                yield Withdraw(side.peer, side.label)
            for half in side.halves.values():
                if half.state in (WAITS, HELD):
                    yield Free(half.ok.qubit)
            side.halves = {number: half for number, half in side.halves.items() if half.state == GIVEN}
            side.questions.clear()
            side.doomed.clear()
        self.joins = {qubit: join for qubit, join in self.joins.items() if join[0] is not c}

    def disconnect(self, req: Disconnect, ctx: Context) -> Iterator[Noun]:
        """End a session; the tail asks the head for that."""
        c = self._connected(req.session)
        if c is not None and c.place == 0:
            yield from self._end(c, Reason.NONE, -1, ctx.now)
        elif c is not None and req.session in c.serves:
            yield Send(c.sides[0].peer, Complete(c.number, req.session))

    def teardown(self, msg: Teardown, ctx: Context) -> Iterator[Noun]:
        """End what a neighbour ends."""
        c = self._find(msg.circuit, ctx.sender)
        if c is not None:
            yield from self._end(c, msg.reason, ctx.sender, ctx.now)

    def unreachable(self, ind: Unreachable, ctx: Context) -> Iterator[Noun]:
        """End what needs a node that is lost."""
        for c in list(self.circuits.values()):
            ends = (c.path[0], c.path[-1]) if c.is_end else ()
            if ind.peer in (c.sides[0].peer, c.sides[1].peer, *ends):
                yield from self._end(c, Reason.LOST_PEER, ind.peer, ctx.now)

    def wake(self, due: Wake, ctx: Context) -> Iterator[Noun]:
        """Give an unanswered request up; everything else is settled anyway."""
        c = self.circuits.get(due.circuit)
        if c is not None:
            c.alarm = 0
            if c.stage == "asked" and c.deadline <= ctx.now:
                yield from self._end(c, Reason.LOST_PEER, -1, ctx.now)

    def tidy(self, due: Tidy, ctx: Context) -> Iterator[Noun]:
        """Strike out what nobody can ask for any more, and answer questions whose pair never came."""
        c = self.circuits.get(due.circuit)
        if c is None or c.stage != "active":
            return
        for side in c.sides:
            for number, (msg, since) in list(side.questions.items()):
                if number not in side.halves and since + c.patience <= ctx.now:
                    del side.questions[number]
                    yield Send(side.peer, Expire(c.number, msg.origin, msg.origin_pair, Reason.OTHER))
            for number, half in list(side.halves.items()):
                if c.cutoff and half.state in (DEAD, JOINED, GIVEN) and half.at + 2 * c.patience <= ctx.now:
                    side.strike(number)
        yield Set(due, ctx.now + c.patience)

    # -- sessions -------------------------------------------------------------------------------------------------------

    def forward(self, msg: Forward, ctx: Context) -> Iterator[Noun]:
        """Serve a session from now on."""
        c = self._find(msg.circuit, ctx.sender, (0,))
        if c is None or not 0 < (msg.epoch - c.epoch) % EPOCHS < EPOCHS // 2:
            return
        if msg.kind != KEEP:
            yield from self._end(c, Reason.UNSUPP, -1, ctx.now)
            return
        c.epoch = msg.epoch
        c.serves.append(msg.request)
        c.epochs[msg.epoch] = tuple(c.serves)
        if c.stage != "active":
            c.stage, c.stock = "active", 0
            yield Set(Tidy(c.number), ctx.now + c.patience)
        if c.sides[1].peer >= 0:
            yield Send(c.sides[1].peer, msg)
            return
        if msg.request not in c.sessions:
            c.sessions.append(msg.request)
        yield Connected(msg.request, c.path[0], initiator=False, number=msg.number)

    def complete(self, msg: Complete, ctx: Context) -> Iterator[Noun]:
        """Serve a session no longer."""
        c = self._find(msg.circuit, ctx.sender)
        if c is None or (c.place and msg.request not in c.serves) or (not c.place and msg.request not in c.sessions):
            return
        if ctx.sender == c.sides[1].peer:
            if c.place:
                yield Send(c.sides[0].peer, msg)
            else:
                yield from self._end(c, Reason.NONE, -1, ctx.now)
            return
        c.serves.remove(msg.request)
        c.epoch = (c.epoch + 1) % EPOCHS
        c.epochs[c.epoch] = tuple(c.serves)
        if not c.serves:
            yield from self._stop(c)
        elif c.sides[1].peer < 0:
            c.sessions.remove(msg.request)
            yield Disconnected(msg.request, Reason.NONE)
        if c.sides[1].peer >= 0:
            yield Send(c.sides[1].peer, msg)

    # -- entries --------------------------------------------------------------------------------------------------------

    def ok(self, ind: Ok, ctx: Context) -> Iterator[Noun]:
        """Enter a pair."""
        c, which = self.labels.get(ind.peer, {}).get(ind.purpose, (None, 0))
        if c is None:
            yield from self._give_up(Half(ind, DEAD, ctx.now), Reason.UNWANTED, ctx.now)
            return
        side = c.sides[which]
        side.strike(ind.sequence)
        side.halves[ind.sequence] = half = Half(ind, WAITS, ctx.now)
        if which and c.stage == "active":
            c.stock -= 1
        doom = side.doomed.pop(ind.sequence, 0)
        if c.stage != "active" or doom or (c.place == 0 and not c.slots):
            yield from self._give_up(half, doom or Reason.UNWANTED, ctx.now)
        elif c.is_end:
            half.state = HELD
            if c.place == 0:
                half.slot = c.slots.popleft()
            request = half.slot[0] if half.slot else 0
            believed = int(ind.goodness * UNIT)
            told = Track(c.number, self.here, ind.sequence, ind.sequence, ind.bell, c.epoch, believed, request)
            yield Send(side.peer, told)

    def swapped(self, ind: Swapped, ctx: Context) -> Iterator[Noun]:
        """Enter a swap."""
        c, up, down = self.joins.pop(ind.left, (None, None, None))
        if c is None or up is None or down is None:
            return
        kept = self.site.storage(ctx.now - up.ok.since) * self.site.storage(ctx.now - down.ok.since)
        doom = up.reason or down.reason
        for half, other in ((up, down), (down, up)):
            half.state, half.at, half.partner = DEAD if doom else JOINED, ctx.now, other
            half.reason, half.bell, half.factor = doom, ind.outcome, self.site.swap_factor * kept
        yield from ()

    def track(self, msg: Track, ctx: Context) -> Iterator[Noun]:
        """Enter a question."""
        c = self._find(msg.circuit, ctx.sender)
        if c is not None and c.stage == "active":
            side = c.sides[0] if ctx.sender == c.sides[0].peer else c.sides[1]
            side.questions[msg.link_pair] = (msg, ctx.now)
        yield from ()

    def expire(self, msg: Expire, ctx: Context) -> Iterator[Noun]:
        """Pass on that a pair is gone, or act on it where it belongs."""
        c = self._find(msg.circuit, ctx.sender)
        if c is None or c.stage != "active":
            return
        if msg.origin not in (c.path[0], c.path[-1]):
            raise RemoteProtocolError(f"node {msg.origin} is no end of circuit {msg.circuit}")
        side, other = c.sides if ctx.sender == c.sides[0].peer else c.sides[::-1]
        if msg.origin == self.here:
            yield from self._gone(c, side, msg.origin_pair, msg.reason, ctx.now)
            return
        asked = (msg.origin, msg.origin_pair)
        found = [n for n, (one, _) in side.questions.items() if (one.origin, one.origin_pair) == asked]
        if found:
            del side.questions[found[0]]
            half = side.halves.get(found[0])
            if half is None:
                side.doomed[found[0]] = msg.reason
            elif half.state == WAITS:
                yield from self._give_up(half, msg.reason, ctx.now)
            else:
                half.reason = msg.reason
        elif other.peer >= 0:
            yield Send(other.peer, msg)
        else:
            given = [
                n for n, h in side.halves.items() if h.track is not None and h.track.origin_pair == msg.origin_pair
            ]
            for number in given:
                yield from self._gone(c, side, number, msg.reason, ctx.now)

    def _gone(self, c: Circuit, side: Side, number: int, reason: int, now: int) -> Iterator[Noun]:
        """Let a half go that was held or given at an end."""
        half = side.halves.get(number)
        if half is not None and half.state == HELD:
            side.strike(number)
            if half.slot is not None:
                c.slots.appendleft(half.slot)
            yield from self._give_up(half, reason, now)
        elif half is not None and half.pair is not None and half.state == GIVEN:
            side.strike(number)
            yield Lost(half.pair.session, half.pair.pair, half.ok.qubit, reason)

    def err(self, ind: Err, ctx: Context) -> Iterator[Noun]:
        """Take pairs back, or end a circuit that its link cannot serve."""
        c, which = self.labels.get(ind.peer, {}).get(ind.purpose, (None, 0))
        if c is None or c.stage != "active" or ind.reason == Reason.TORN_DOWN:
            return
        if ind.reason != Reason.EXPIRE:
            yield from self._end(c, ind.reason, -1, ctx.now)
            return
        side = c.sides[which]
        for n in range((ind.high - ind.low) % NUMBERS):
            number = (ind.low + n) % NUMBERS
            half = side.halves.get(number)
            if half is not None and half.state in (HELD, GIVEN):
                yield from self._gone(c, side, number, Reason.EXPIRE, ctx.now)
                yield Send(side.peer, Expire(c.number, self.here, number, Reason.EXPIRE))
            elif half is not None and half.state == WAITS:
                yield from self._give_up(half, Reason.EXPIRE, ctx.now)


def _best(view: NetworkView, a: int, b: int) -> tuple[float, float]:
    """Return the best fidelity of a link and the pairs it makes in a second then."""
    edge = next(edge for edge in view.edges if {edge.a, edge.b} == {a, b})
    row = max(edge.rows, key=lambda row: row.fidelity)
    return row.fidelity, edge.lanes / row.seconds_per_pair


def shortest(view: NetworkView, source: int, target: int) -> tuple[int, ...]:
    """Return a path of fewest links, empty if there is none."""
    paths: dict[int, tuple[int, ...]] = {source: (source,)}
    for node in (queue := [source]):
        for edge in view.edges:
            there = edge.b if edge.a == node else edge.a if edge.b == node else node
            if there not in paths:
                paths[there] = (*paths[node], there)
                queue.append(there)
    return paths.get(target, ())


def make(options: Options, site: Site) -> Layer:
    """Return the layer of one node."""
    return LedgerNetwork(site)


@hookimpl
def qstack_layers() -> list[Offer]:
    """Offer the layer as ``stack: {network: ledger}``."""
    return [Offer("ledger", make, summary="entries in ledgers, one function that settles", level="network")]
