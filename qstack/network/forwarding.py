"""Network layer, data plane: join the pairs of a circuit and follow them to its ends (after the quantum network protocol).

    head     IDLE --Activate/Forward--> ACTIVE --Ok/Track--> HELD --Track/Pair--> delivered --last/Complete--> IDLE
                                                              '--Expire/Free--> (its slot is given to the next pair)
    middle   NO PAIR --Ok--> WAITING --Ok on the other side/Swap--> RECORD --both Tracks have passed--> gone
                                '--no outcome--> LOST, on both sides
                                '--Cutoff/Free--> LOST --Track/Expire to its origin--> gone
                                '--Err(EXPIRE)/Free--> LOST
    tail     as head; started by Forward, ended by Complete

A swap happens as soon as both sides have a pair, oldest with oldest, and waits for no message (QS-L3-003).  TRACKs
start at both ends and gather the Bell index on their way; only the two ends learn what the pair has become.

An end that loses or gives up a half whose TRACK is under way sends an Expire after it, so that the other end delivers no
pair that has no other half; a TRACK that this Expire overtakes while it waits for its swap goes no further.

`qstack.network.entries` keeps the table of circuits, `qstack.network.ends` stands at their ends, this module in between.

Specification: specs/network/network.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun, Send, Set
from qstack.network.circuit import Circuit, Fate, Record, Side
from qstack.network.ends import UNIT, Ends, Survival
from qstack.network.entries import BATCH, Broken, Cutoff, Sweep
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Err, Ok
from qstack.services.reasons import Reason
from qstack.wire.network import Expire, Track

NUMBERS = 1 << 16
"""Pairs of a link are numbered modulo this."""


class ForwardingLayer(Ends):
    """One per node; serves all circuits.

    Parameters
    ----------
    survival
        Factor on the Werner parameter after a half has waited at this node, by the time [ps].
    swap_factor
        Factor on the Werner parameter of an imperfect swap at this node.
    lanes
        Number of memories towards each neighbour: how many pairs the head asks for at a time.
    lifetime
        How long a record may wait per node of the path, beside the cutoff [ps].
    partner
        Chooses among a number of waiting pairs, oldest first, the one to swap with; None takes the oldest.
    test_share
        Share of the pairs that the head makes test rounds [1].
    gate
        As in `qstack.network.entries.Circuits`.

    Attributes
    ----------
    swapping
        Circuit and both pairs of each swap that is under way, by the qubit on the head's side.
    """

    name = "network"

    def __init__(
        self,
        survival: Survival,
        swap_factor: float,
        lanes: Mapping[int, int],
        lifetime: int,
        partner: Callable[[int], int] | None = None,
        test_share: float = 0.0,
        *,
        gate: bool = False,
    ) -> None:
        super().__init__(lanes, lifetime, survival, test_share, gate=gate)
        self.partner = partner
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
                return self._renew(mine, ind, ctx)
        other = circuit.sides[1 - which]
        return self._hold(circuit, mine, ind, ctx) if other.peer < 0 else self._join(circuit, mine, other, ind, ctx)

    def _join(self, circuit: Circuit, mine: Side, other: Side, ind: Ok, ctx: Context) -> Outputs:
        """Swap a new pair with one that waits on the other side, or let it wait."""
        if mine.faded or ind.sequence in mine.fates:
            mine.begin(ind.sequence)
        if not other.queue:
            mine.queue.append(ind)
            if mine.armed or not circuit.cutoff:
                return ()
            mine.armed = True  # one timer per queue, for its oldest pair
            return (Set(Cutoff(circuit.number, mine.which), max(ctx.now, ind.since + circuit.cutoff)),)
        partner = other.queue.popleft() if self.partner is None else self._choose(other)
        up, down = (partner, ind) if mine.which else (ind, partner)
        self.swapping[up.qubit] = (circuit, up, down)
        return (Swap(up.qubit, down.qubit),)

    def _renew(self, side: Side, ind: Ok, ctx: Context) -> Iterator[Noun]:
        """Ask the link for more before the last request is used up, then go on with the pair."""
        circuit = side.circuit
        circuit.stock += BATCH
        yield self._more(circuit)
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
        joined = self.swapping.pop(ind.left, None)
        if joined is None or not joined[0].active:
            return ()
        circuit, up, down = joined
        if ind.outcome < 0:
            return self._failed(circuit, up, down)
        now = ctx.now
        factor = self.swap_factor * self.survival(now - up.since) * self.survival(now - down.since)
        before, behind = circuit.sides
        to_tail = Record(down, ind.outcome ^ down.bell, factor * (4.0 * down.goodness - 1.0) / 3.0)
        to_head = Record(up, ind.outcome ^ up.bell, factor * (4.0 * up.goodness - 1.0) / 3.0)
        from_head, from_tail = before.ask(up.sequence), behind.ask(down.sequence)
        for fate in (from_head, from_tail):
            if type(fate) is int and fate < 0:  # an end has given this pair up: whoever asks is told so
                return (*_discarded(before, up, -fate, from_head), *_discarded(behind, down, -fate, from_tail))
        # TRACKs that were waiting for this swap go on, the records of the others are kept.
        onward = _joined(before, up, to_tail, from_head, behind.peer)
        return onward + _joined(behind, down, to_head, from_tail, before.peer)

    @staticmethod
    def _failed(circuit: Circuit, up: Ok, down: Ok) -> Outputs:
        """Give up two pairs whose Bell measurement has announced nothing; who asks is told so."""
        before, behind = circuit.sides
        return (  # QS-L3-380
            *_discarded(before, up, Reason.SWAP_FAILED, before.ask(up.sequence)),
            *_discarded(behind, down, Reason.SWAP_FAILED, behind.ask(down.sequence)),
        )

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
            yield from _discarded(side, ok, Reason.CUTOFF, side.ask(ok.sequence))
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
        pair = msg.link_pair
        if there.peer < 0 and pair in circuit.held:
            return self._deliver(circuit, here, msg, ctx)
        fate = here.ask(pair)
        if type(fate) is Record:
            return (_onward(msg, fate, there.peer),)
        if fate is None or type(fate) is Track:
            here.fates[pair] = msg
            return ()
        assert isinstance(fate, int)
        return (Send(here.peer, Expire(circuit.number, msg.origin, msg.origin_pair, abs(fate))),)

    @on(Expire)
    def expire(self, msg: Expire, ctx: Context) -> Outputs:
        """Pass the end of a tracked pair on: to its origin, which frees its half, or from there to the other end."""
        circuit = self._circuit(msg.circuit, ctx.sender)
        if circuit is None or not circuit.active:
            return
        if msg.origin not in {circuit.path[0], circuit.path[-1]}:
            raise RemoteProtocolError(f"node {msg.origin} is no end of circuit {msg.circuit}")
        here, there = circuit.sides if ctx.sender == circuit.sides[0].peer else circuit.sides[::-1]
        if msg.origin == ctx.node:
            yield from self._expired(circuit, msg.origin_pair, msg.reason, ctx)
            yield from self._lost(circuit, 0, msg.origin_pair, msg.reason)
            return
        comes_from_origin = (msg.origin == circuit.path[0]) == (here.which == 0)
        waiting = here.tracked(msg.origin, msg.origin_pair) if comes_from_origin else None
        if waiting is not None:  # its pair is not joined yet: the TRACK goes no further
            here.fates[waiting.link_pair] = -msg.reason
        elif there.peer >= 0:
            yield Send(there.peer, msg)
        else:
            yield from self._lost(circuit, 1, msg.origin_pair, msg.reason)

    @on(Err)
    def err(self, ind: Err, ctx: Context) -> Outputs:
        """Have the circuit torn down: a link cannot serve it.  Pairs that a link takes back are given up."""
        side = self.labels.get(ind.peer, {}).get(ind.purpose)
        if side is None or not side.circuit.active or ind.reason == Reason.TORN_DOWN:
            return  # a neighbour that has withdrawn the circuit says so itself
        if ind.reason != Reason.EXPIRE:
            yield Broken(side.circuit.number, ind.reason)
            return
        for n in range((ind.high - ind.low) % NUMBERS):
            yield from self._take_back(side, (ind.low + n) % NUMBERS, ctx)

    def _take_back(self, side: Side, sequence: int, ctx: Context) -> Iterator[Noun]:
        """Give up a pair that has no other half, wherever it is."""
        circuit = side.circuit
        if circuit.is_end:
            known = sequence in circuit.held or any(entry[0] == sequence for entry in circuit.recent)
            yield from self._expired(circuit, sequence, Reason.EXPIRE, ctx)
            yield from self._lost(circuit, 0, sequence, Reason.EXPIRE)
            if known:
                yield Send(side.peer, Expire(circuit.number, ctx.node, sequence, Reason.EXPIRE))
                return
        for ok in [ok for ok in side.queue if ok.sequence == sequence]:
            side.queue.remove(ok)
            yield Free(ok.qubit)
        track = side.ask(sequence)
        if isinstance(track, Record):
            side.fates[sequence] = track  # joined already: its TRACK finds out at the neighbour
        elif isinstance(track, Track):
            yield Send(side.peer, Expire(track.circuit, track.origin, track.origin_pair, Reason.EXPIRE))
        else:
            side.fates[sequence] = Reason.EXPIRE


def _joined(side: Side, ok: Ok, record: Record, track: Fate | None, onward: int) -> tuple[Noun, ...]:
    """Send the TRACK of a pair that is swapped on, or keep the record until it comes."""
    if type(track) is Track:
        return (_onward(track, record, onward),)
    side.fates[ok.sequence] = record
    return ()


def _discarded(side: Side, ok: Ok, reason: int, track: Fate | None) -> Outputs:
    """Answer the TRACK of a pair that is gone, now or when it comes (QS-L3-005)."""
    if type(track) is Track:
        return (Send(side.peer, Expire(track.circuit, track.origin, track.origin_pair, reason)),)
    side.fates[ok.sequence] = reason
    return ()


def _onward(track: Track, record: Record, peer: int) -> Send:
    """Pass a TRACK through a swap record."""
    fidelity = (1.0 + (4.0 * track.estimate / UNIT - 1.0) * record.factor) / 4.0
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
            0,
            track.member,
            track.test,
        ),
    )
