"""Network layer, data plane: join the pairs of a circuit and follow them to its ends (after the quantum network protocol).

    head     IDLE --Activate/Forward--> ACTIVE --Ok/Track--> HELD --Track/Pair--> delivered --last/Complete--> IDLE
                                                              '--Expire/Free--> (its slot is given to the next pair)
    middle   NO PAIR --Ok--> WAITING --Ok on the other side/Swap--> RECORD --both Tracks have passed--> gone
                                '--Cutoff/Free--> LOST --Track/Expire to its origin--> gone
    tail     as head; started by Forward, ended by Complete

A swap happens as soon as both sides have a pair, oldest with oldest, and waits for no message (QS-L3-003).  TRACKs
start at both ends and gather the Bell index on their way; only the two ends learn what the pair has become.

Specification: specs/network/network.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar

from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Context, Layer, Outputs, on
from qstack.core.nouns import Cancel, Noun, Request, Send, Set, Timer, noun, timer
from qstack.network.circuit import Activate, Circuit, Held, Install, Record, Side, Uninstall
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.l3_network import Connected, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward, Track

UNIT = 65535
"""Fidelities travel as n/65535 (draft-dahlberg-ll-quantum-03); estimates are rounded down."""

BATCH = 4096
"""Pairs asked of a link in one request; renewed when half of them have come."""

Survival = Callable[[int], float]
"""Factor on the Werner parameter of a pair after one of its halves has waited here [ps]."""


@timer
class Cutoff(Timer):
    """The oldest pair of a queue has waited long enough."""

    circuit: int
    side: int


@timer
class Sweep(Timer):
    """Forget records that nobody has asked for."""

    housekeeping: ClassVar[bool] = True
    circuit: int


@noun
class Broken(Request):
    """Forwarding tells signalling that a circuit cannot go on."""

    circuit: int
    reason: int


class ForwardingLayer(Layer):
    """One per node; serves all circuits.

    Parameters
    ----------
    survival
        What waiting costs at this node.
    swap_factor
        Factor on the Werner parameter of an imperfect swap at this node.
    lanes
        Number of memories towards each neighbour: how many pairs the head asks for at a time.
    lifetime
        How long a record may wait per node of the path, beside the cutoff [ps].
    """

    name = "network"

    def __init__(self, survival: Survival, swap_factor: float, lanes: dict[int, int], lifetime: int) -> None:
        self.survival = survival
        self.swap_factor = swap_factor
        self.lanes = lanes
        self.lifetime = lifetime
        self.circuits: dict[int, Circuit] = {}
        self.labels: dict[int, dict[int, Circuit]] = {peer: {} for peer in lanes}
        self.swapping: dict[int, tuple[Circuit, Ok, Ok]] = {}

    # -- circuits -----------------------------------------------------------------------------------------------------

    @on(Install)
    def install(self, req: Install, ctx: Context) -> Outputs:
        """Take up a circuit."""
        path, here = req.path, req.position
        before = path[here - 1] if here > 0 else -1
        behind = path[here + 1] if here + 1 < len(path) else -1
        sides = (Side(before, req.labels[0]), Side(behind, req.labels[1]))
        circuit = Circuit(req.circuit, req.session, here, path, sides, req.fidelity, req.cutoff)
        self.circuits[req.circuit] = circuit
        for side in sides:
            if side.peer >= 0:
                self.labels[side.peer][side.label] = circuit
        return ()

    @on(Uninstall)
    def uninstall(self, req: Uninstall, ctx: Context) -> Outputs:
        """Forget a circuit; everything it holds is freed (QS-L3-011)."""
        circuit = self.circuits.get(req.circuit)
        if circuit is None:
            return
        yield from self._stop(circuit)
        for side in circuit.sides:
            if side.peer >= 0:
                del self.labels[side.peer][side.label]
        del self.circuits[req.circuit]

    @on(Activate)
    def activate(self, req: Activate, ctx: Context) -> Outputs:
        """Begin, at the head."""
        circuit = self.circuits[req.circuit]
        lanes = self.lanes[circuit.sides[1].peer]
        circuit.slots.extend([ctx.now] * (min(lanes, req.number) or lanes))
        yield from self._begin(circuit, req.number, ctx)

    @on(Forward)
    def forward(self, msg: Forward, ctx: Context) -> Outputs:
        """Begin, at every other node; nobody waits for the end of the path."""
        circuit = self.circuits.get(msg.circuit)
        if circuit is not None:
            yield from self._begin(circuit, msg.number, ctx)

    def _begin(self, circuit: Circuit, number: int, ctx: Context) -> Iterator[Noun]:
        circuit.active = True
        circuit.wanted = number
        behind = circuit.sides[1]
        if behind.peer >= 0:
            yield Send(behind.peer, Forward(circuit.number, number))
            circuit.stock = BATCH
            yield Create(behind.peer, behind.label, BATCH, circuit.fidelity)
        if circuit.is_end:
            initiator = circuit.is_head
            yield Connected(circuit.session, circuit.path[-1 if initiator else 0], initiator, number)
        elif circuit.cutoff:
            yield Set(Sweep(circuit.number), ctx.now + self._patience(circuit))

    @on(Complete)
    def complete(self, msg: Complete, ctx: Context) -> Outputs:
        """Stop making pairs and pass it on."""
        circuit = self.circuits.get(msg.circuit)
        if circuit is not None and circuit.active:
            yield from self._stop(circuit)
            if circuit.sides[1].peer >= 0:
                yield Send(circuit.sides[1].peer, msg)

    def _stop(self, circuit: Circuit) -> Iterator[Noun]:
        """Withdraw from the links and free every half (QS-L3-009)."""
        if not circuit.active:
            return
        circuit.active = False
        for side, which in zip(circuit.sides, (0, 1), strict=True):
            if side.peer < 0:
                continue
            yield Withdraw(side.peer, side.label)
            for ok in side.queue:
                yield Free(ok.qubit)
            side.clear()
            if circuit.cutoff:
                yield Cancel(Cutoff(circuit.number, which))
        if circuit.cutoff and not circuit.is_end:
            yield Cancel(Sweep(circuit.number))
        for held in circuit.held.values():
            yield Free(held.ok.qubit)
        circuit.held.clear()

    @on(Accepted)
    def accepted(self, ind: Accepted, ctx: Context) -> Outputs:
        """The link has taken the request; pairs come by label, so its number is not needed."""
        return ()

    @on(Err)
    def err(self, ind: Err, ctx: Context) -> Outputs:
        """A link cannot serve the circuit: signalling tears it down."""
        circuit = self.labels[ind.peer].get(ind.purpose)
        return (Broken(circuit.number, ind.reason),) if circuit is not None and circuit.active else ()

    # -- pairs --------------------------------------------------------------------------------------------------------

    @on(Ok)
    def ok(self, ind: Ok, ctx: Context) -> Outputs:
        """Use a new pair: hold it at an end, join it in the middle."""
        circuit = self.labels[ind.peer].get(ind.purpose)
        if circuit is None or not circuit.active:
            return (Free(ind.qubit),)
        before, behind = circuit.sides
        downstream = ind.peer == behind.peer
        if downstream:
            circuit.stock -= 1
            if circuit.stock == BATCH // 2:
                return self._renew(circuit, ind, ctx)
        if before.peer < 0 or behind.peer < 0:
            return self._hold(circuit, ind, ctx)
        mine, other = (behind, before) if downstream else (before, behind)
        if not other.queue:
            return self._wait(circuit, mine, ind, ctx)
        partner = other.queue.popleft()
        up, down = (partner, ind) if downstream else (ind, partner)
        self.swapping[up.qubit] = (circuit, up, down)
        return (Swap(up.qubit, down.qubit),)

    def _renew(self, circuit: Circuit, ind: Ok, ctx: Context) -> Iterator[Noun]:
        """Ask the link for more before the last request is used up, then go on with the pair."""
        behind = circuit.sides[1]
        circuit.stock += BATCH
        yield Create(behind.peer, behind.label, BATCH, circuit.fidelity)
        circuit.stock += 1  # the pair is counted again below
        yield from self.ok(ind, ctx)

    def _wait(self, circuit: Circuit, side: Side, ind: Ok, ctx: Context) -> Outputs:
        """Keep a pair for a partner; one timer per queue, for its oldest pair."""
        side.queue.append(ind)
        if circuit.cutoff and len(side.queue) == 1:
            which = 0 if side is circuit.sides[0] else 1
            return (Set(Cutoff(circuit.number, which), max(ctx.now, ind.since + circuit.cutoff)),)
        return ()

    @on(Swapped)
    def swapped(self, ind: Swapped, ctx: Context) -> Outputs:
        """Keep the swap record and let waiting TRACKs pass."""
        circuit, up, down = self.swapping.pop(ind.left)
        if not circuit.active:
            return ()
        now = ctx.now
        factor = self.swap_factor * self.survival(now - up.since) * self.survival(now - down.since)
        before, behind = circuit.sides
        before.records[up.sequence] = Record(down, ind.outcome ^ down.bell, factor * (4 * down.goodness - 1) / 3)
        behind.records[down.sequence] = Record(up, ind.outcome ^ up.bell, factor * (4 * up.goodness - 1) / 3)
        if not (before.pending or behind.pending):
            return ()
        return self._release(before, behind, up.sequence, down.sequence)

    def _release(self, before: Side, behind: Side, up: int, down: int) -> Iterator[Noun]:
        """Send on the TRACKs that were waiting for this swap."""
        for here, there, pair in ((before, behind, up), (behind, before, down)):
            track = here.pending.pop(pair, None)
            if track is not None:
                yield _onward(track, here.records.pop(pair), there.peer)

    @on(Cutoff)
    def cutoff(self, due: Cutoff, ctx: Context) -> Outputs:
        """Discard what has waited too long; nobody is told until a TRACK asks (QS-L3-005)."""
        circuit = self.circuits[due.circuit]
        side = circuit.sides[due.side]
        while side.queue and side.queue[0].since + circuit.cutoff <= ctx.now:
            ok = side.queue.popleft()
            yield Free(ok.qubit)
            track = side.pending.pop(ok.sequence, None)
            if track is None:
                side.lost[ok.sequence] = Reason.CUTOFF
            else:
                yield Send(side.peer, Expire(circuit.number, track.origin, track.origin_pair, Reason.CUTOFF))
        if side.queue:
            yield Set(due, side.queue[0].since + circuit.cutoff)

    @on(Sweep)
    def sweep(self, due: Sweep, ctx: Context) -> Outputs:
        """Forget records whose TRACK can no longer come, because its pair was lost elsewhere."""
        circuit = self.circuits[due.circuit]
        for side in circuit.sides:
            side.fade()
        return (Set(due, ctx.now + self._patience(circuit)),)

    def _patience(self, circuit: Circuit) -> int:
        """Longest time between a swap and a TRACK that asks for it: every node before it may wait for its cutoff."""
        return len(circuit.path) * (circuit.cutoff + self.lifetime)

    # -- tracking -----------------------------------------------------------------------------------------------------

    def _hold(self, circuit: Circuit, ind: Ok, ctx: Context) -> Outputs:
        """Keep a pair at an end and send a TRACK along it; the head only for pairs that are still wanted."""
        asked = -1
        side = circuit.sides[1]
        if circuit.position == 0:
            if not circuit.slots:
                side.lost[ind.sequence] = Reason.UNWANTED
                return (Free(ind.qubit),)
            asked = circuit.slots.popleft()
        else:
            side = circuit.sides[0]
        circuit.held[ind.sequence] = Held(ind, asked)
        track = Track(
            circuit.number,
            ctx.node,
            ind.sequence,
            ind.sequence,
            ind.bell,
            0,
            int(ind.goodness * UNIT),
        )
        return (Send(side.peer, track),)

    @on(Track)
    def track(self, msg: Track, ctx: Context) -> Outputs:
        """Follow a pair: through a swap record onwards, or home."""
        circuit = self.circuits.get(msg.circuit)
        if circuit is None or not circuit.active:
            return ()
        before, behind = circuit.sides
        here, there = (before, behind) if ctx.sender == before.peer else (behind, before)
        pair = msg.link_pair
        if there.peer < 0:
            return self._deliver(circuit, here, msg, ctx)
        record = here.records.pop(pair, None) or here.faded.pop(pair, None)
        if record is not None:
            return (_onward(msg, record, there.peer),)
        reason = here.lost.pop(pair, None) or here.lost_faded.pop(pair, None)
        if reason is not None:
            return (Send(here.peer, Expire(circuit.number, msg.origin, msg.origin_pair, reason)),)
        here.pending[pair] = msg
        return ()

    def _deliver(self, circuit: Circuit, side: Side, msg: Track, ctx: Context) -> Outputs:
        """The other end's TRACK is here: the pair is whole."""
        held = circuit.held.pop(msg.link_pair, None)
        if held is None:
            if side.lost.pop(msg.link_pair, None) is None:
                raise RemoteProtocolError(f"TRACK for unknown pair {msg.link_pair}", "QS-L3-001")
            return (Send(side.peer, Expire(circuit.number, msg.origin, msg.origin_pair, Reason.UNWANTED)),)
        ok = held.ok
        kept = self.survival(ctx.now - ok.since)
        estimate = (1 + (4 * msg.estimate / UNIT - 1) * kept * kept) / 4  # both ends wait about as long
        head = circuit.position == 0
        number = ok.sequence if head else msg.origin_pair
        circuit.delivered += 1
        pair = Pair(circuit.session, number, msg.bell, ok.qubit, estimate, held.asked)
        if not head:
            return (pair,)
        if not circuit.wanted or circuit.delivered + len(circuit.held) + len(circuit.slots) < circuit.wanted:
            circuit.slots.append(ctx.now)
        elif circuit.delivered == circuit.wanted:
            return (pair, *self._finish(circuit))
        return (pair,)

    def _finish(self, circuit: Circuit) -> Iterator[Noun]:
        yield from self._stop(circuit)
        yield Send(circuit.sides[1].peer, Complete(circuit.number))

    @on(Expire)
    def expire(self, msg: Expire, ctx: Context) -> Outputs:
        """A tracked pair is gone: pass it on to its origin, which frees its half (QS-L3-006)."""
        circuit = self.circuits.get(msg.circuit)
        if circuit is None or not circuit.active:
            return ()
        if msg.origin != ctx.node:
            towards = circuit.sides[0 if msg.origin == circuit.path[0] else 1]
            return (Send(towards.peer, msg),)
        held = circuit.held.pop(msg.origin_pair, None)
        if held is None:
            return ()
        if circuit.is_head:
            circuit.slots.appendleft(held.asked)
        return (Free(held.ok.qubit),)


def _onward(track: Track, record: Record, peer: int) -> Send:
    """Pass a TRACK through a swap record."""
    fidelity = (1 + (4 * track.estimate / UNIT - 1) * record.factor) / 4
    return Send(
        peer,
        Track(
            track.circuit,
            track.origin,
            track.origin_pair,
            record.other.sequence,
            track.bell ^ record.bell,
            track.epoch,
            int(fidelity * UNIT),
        ),
    )
