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

from collections.abc import Callable, Iterator, Mapping

from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun, Send, Set
from qstack.network.circuit import Circuit, Fate, Held, Record, Side
from qstack.network.entries import BATCH, Circuits, Cutoff, Sweep
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Create, Ok
from qstack.services.l3_network import Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Track

UNIT = 65535
"""Fidelities travel as n/65535 (draft-dahlberg-ll-quantum-03); estimates are rounded down."""

Survival = Callable[[int], float]
"""Factor on the Werner parameter of a pair after one of its halves has waited here [ps]."""


class ForwardingLayer(Circuits):
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
    partner
        Chooses among a number of waiting pairs, oldest first, the one to swap with; None takes the oldest.
    """

    name = "network"

    def __init__(
        self,
        survival: Survival,
        swap_factor: float,
        lanes: Mapping[int, int],
        lifetime: int,
        partner: Callable[[int], int] | None = None,
    ) -> None:
        super().__init__(lanes, lifetime)
        self.partner = partner
        self.survival = survival
        self.swap_factor = swap_factor
        self.swapping: dict[int, tuple[Circuit, Ok, Ok]] = {}

    # -- pairs --------------------------------------------------------------------------------------------------------

    @on(Ok)
    def ok(self, ind: Ok, ctx: Context) -> Outputs:
        """Use a new pair: hold it at an end, join it in the middle."""
        try:
            mine = self.labels[ind.peer][ind.purpose]
        except KeyError:
            return (Free(ind.qubit),) if ind.qubit >= 0 else ()
        circuit = mine.circuit
        if not circuit.active:
            return self._refuse(mine, ind)
        which = mine.which
        if which:  # a pair of the link behind: this node has asked for it
            circuit.stock -= 1
            if circuit.stock == BATCH // 2:
                return self._renew(circuit, ind, ctx)
        other = circuit.sides[1 - which]
        if other.peer < 0:
            return self._hold(circuit, mine, ind, ctx)
        if mine.faded or ind.sequence in mine.fates:
            mine.begin(ind.sequence)
        if not other.queue:
            mine.queue.append(ind)
            if mine.armed or not circuit.cutoff:
                return ()
            mine.armed = True  # one timer per queue, for its oldest pair
            return (Set(Cutoff(circuit.number, which), max(ctx.now, ind.since + circuit.cutoff)),)
        partner = other.queue.popleft() if self.partner is None else self._choose(other)
        up, down = (partner, ind) if which else (ind, partner)
        self.swapping[up.qubit] = (circuit, up, down)
        return (Swap(up.qubit, down.qubit),)

    def _renew(self, circuit: Circuit, ind: Ok, ctx: Context) -> Iterator[Noun]:
        """Ask the link for more before the last request is used up, then go on with the pair."""
        circuit.stock += BATCH
        yield Create(ind.peer, ind.purpose, BATCH, circuit.fidelity)
        circuit.stock += 1  # the pair is counted again below
        yield from self.ok(ind, ctx)

    def _refuse(self, side: Side, ind: Ok) -> Outputs:
        """Free a pair that comes too early or too late; its number is remembered for a TRACK of the other end."""
        side.fates[ind.sequence] = Reason.UNWANTED
        return (Free(ind.qubit),) if ind.qubit >= 0 else ()

    def _choose(self, side: Side) -> Ok:
        """Take the waiting pair that the swap policy names."""
        assert self.partner is not None
        place = self.partner(len(side.queue))
        chosen = side.queue[place]
        del side.queue[place]
        return chosen

    @on(Swapped)
    def swapped(self, ind: Swapped, ctx: Context) -> Outputs:
        """Keep the swap record and let waiting TRACKs pass."""
        circuit, up, down = self.swapping.pop(ind.left, (None, None, None))
        if circuit is None or up is None or down is None or not circuit.active:
            return ()
        now = ctx.now
        factor = self.swap_factor * self.survival(now - up.since) * self.survival(now - down.since)
        before, behind = circuit.sides
        to_tail = Record(down, ind.outcome ^ down.bell, factor * (4 * down.goodness - 1) / 3)
        to_head = Record(up, ind.outcome ^ up.bell, factor * (4 * up.goodness - 1) / 3)
        if not (up.sequence in before.fates or down.sequence in behind.fates or before.faded or behind.faded):
            before.fates[up.sequence] = to_tail
            behind.fates[down.sequence] = to_head
            return ()
        return self._release(circuit, (up, down), (to_tail, to_head))

    def _release(self, circuit: Circuit, pairs: tuple[Ok, Ok], records: tuple[Record, Record]) -> Iterator[Noun]:
        """Send on the TRACKs that were waiting for this swap, and keep the records of the others."""
        sides = circuit.sides
        for here, there, ok, record in zip(sides, sides[::-1], pairs, records, strict=True):
            track = here.ask(ok.sequence)
            if isinstance(track, Track):
                yield _onward(track, record, there.peer)
            else:
                here.fates[ok.sequence] = record

    @on(Cutoff)
    def cutoff(self, due: Cutoff, ctx: Context) -> Outputs:
        """Discard what has waited too long; nobody is told until a TRACK asks (QS-L3-005)."""
        circuit = self.circuits.get(due.circuit)
        if circuit is None or not circuit.active:
            return
        side = circuit.sides[due.side]
        while side.queue and side.queue[0].since + circuit.cutoff <= ctx.now:
            ok = side.queue.popleft()
            yield Free(ok.qubit)
            track = side.ask(ok.sequence)
            if isinstance(track, Track):
                yield Send(side.peer, Expire(circuit.number, track.origin, track.origin_pair, Reason.CUTOFF))
            else:
                side.fates[ok.sequence] = Reason.CUTOFF
        side.armed = bool(side.queue)
        if side.armed:
            yield Set(due, side.queue[0].since + circuit.cutoff)

    @on(Sweep)
    def sweep(self, due: Sweep, ctx: Context) -> Outputs:
        """Forget fates that no TRACK can ask for any more, and answer TRACKs whose pair never came."""
        circuit = self.circuits.get(due.circuit)
        if circuit is None or not circuit.active:
            return
        for side in circuit.sides:
            for track in side.fade(records=circuit.cutoff > 0):
                yield Send(side.peer, Expire(circuit.number, track.origin, track.origin_pair, Reason.OTHER))
        yield Set(due, ctx.now + self._patience(circuit))

    # -- tracking -----------------------------------------------------------------------------------------------------

    def _hold(self, circuit: Circuit, side: Side, ind: Ok, ctx: Context) -> Outputs:
        """Keep a pair at an end and send a TRACK along it; the head only for pairs that are still wanted."""
        sequence = ind.sequence
        early = side.ask(sequence) if side.fates or side.faded else None
        slot, asked = 0, -1
        if side.which:  # the circuit begins here
            if not circuit.slots:
                return self._surplus(side, ind, early)
            slot, asked = circuit.slots.popleft()
        circuit.held[sequence] = Held(ind, slot, asked)
        fidelity = int(ind.goodness * UNIT)
        track = Track(circuit.number, ctx.node, sequence, sequence, ind.bell, circuit.epoch, fidelity, slot)
        if type(early) is Track:
            return (Send(side.peer, track), *self._deliver(circuit, side, early, ctx))
        return (Send(side.peer, track),)

    def _surplus(self, side: Side, ind: Ok, early: Fate | None) -> Outputs:
        """Free a pair that nobody has asked for; the TRACK of its other half is told so when it comes."""
        if type(early) is Track:
            return (Free(ind.qubit), _unwanted(early, side.peer))
        side.fates[ind.sequence] = Reason.UNWANTED
        return (Free(ind.qubit),)

    @on(Track)
    def track(self, msg: Track, ctx: Context) -> Outputs:
        """Follow a pair: through a swap record onwards, or home."""
        circuit = self.circuits.get(msg.circuit)
        if circuit is None or not circuit.active:
            return ()
        here, there = circuit.sides
        if ctx.sender != here.peer:
            here, there = there, here
            if ctx.sender != here.peer:
                raise self.stranger(msg.circuit, ctx.sender)
        if there.peer < 0 and msg.link_pair in circuit.held:
            return self._deliver(circuit, here, msg, ctx)
        fate: Fate | None = here.fates.pop(msg.link_pair, None) or here.ask(msg.link_pair)
        if type(fate) is Record:
            return (_onward(msg, fate, there.peer),)
        if fate is None or type(fate) is Track:
            here.fates[msg.link_pair] = msg
            return ()
        assert isinstance(fate, int)
        return (Send(here.peer, Expire(circuit.number, msg.origin, msg.origin_pair, fate)),)

    def _deliver(self, circuit: Circuit, side: Side, msg: Track, ctx: Context) -> Outputs:
        """Hand the pair up: the other end's TRACK is here."""
        held = circuit.held.pop(msg.link_pair)
        ok = held.ok
        kept = self.survival(ctx.now - ok.since)
        estimate = (1 + (4 * msg.estimate / UNIT - 1) * kept * kept) / 4  # both ends wait about as long
        if not side.which:
            return (Pair(circuit.session, msg.request, msg.bell, ok.qubit, estimate, -1),)
        pair = Pair(circuit.session, held.slot, msg.bell, ok.qubit, estimate, held.asked)
        circuit.delivered += 1
        wanted = circuit.wanted
        if not wanted:
            circuit.open_slot(ctx.now)
        elif circuit.delivered == wanted:
            return (pair, *self._stop(circuit), Send(side.peer, Complete(circuit.number)))
        elif circuit.started < wanted:
            circuit.open_slot(ctx.now)
        return (pair,)

    @on(Expire)
    def expire(self, msg: Expire, ctx: Context) -> Outputs:
        """Pass the end of a tracked pair on to its origin, which frees its half (QS-L3-006)."""
        circuit = self._circuit(msg.circuit, ctx.sender)
        if circuit is None or not circuit.active:
            return ()
        ends = circuit.path[0], circuit.path[-1]
        if msg.origin not in ends:
            raise RemoteProtocolError(f"node {msg.origin} is no end of circuit {msg.circuit}")
        if msg.origin != ctx.node:
            return (Send(circuit.sides[ends.index(msg.origin)].peer, msg),)
        held = circuit.held.pop(msg.origin_pair, None)
        if held is None:
            return ()
        if circuit.is_head:
            circuit.slots.appendleft((held.slot, held.asked))
        return (Free(held.ok.qubit),)


def _unwanted(track: Track, peer: int) -> Send:
    """Answer the TRACK of a pair that nobody wants."""
    return Send(peer, Expire(track.circuit, track.origin, track.origin_pair, Reason.UNWANTED))


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
            track.request,
        ),
    )
