"""The two ends of a circuit: pairs that were asked for, held until the other end's TRACK comes, and handed up.

    wanted pair  OPEN --Ok/Track--> HELD --Track/Pair or Result--> delivered --last of its request/Complete
                  ^                  '--Expire/Free--.
                  '----------------------------------'
    test round   HELD --Track/Probe--> PROBING --Probed/CircuitTest--> MEASURED --CircuitTest/FidelityTested--> counted

Only the head asks: it has at most as many pairs wanted or held as it has memories, shared in turn between the requests of
the circuit, each no faster than its rate (policing is signalling's business, shaping is done here; QS-L3-008).  A TRACK
of the head names the request and the number of the pair, so that the tail tells its user the same (QS-L3-001).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun, Send, Set
from qstack.network.circuit import EPOCHS, Ask, Circuit, Fate, Side
from qstack.network.entries import MOST, Circuits, Pace
from qstack.network.requests import Activate, Deactivate, pause_of
from qstack.services.bell import Basis
from qstack.services.device import Free, Probe, Probed
from qstack.services.l2_link import Ok
from qstack.services.l3_network import Connected, Early, FidelityTested, Lost, Pair, Result
from qstack.services.reasons import Reason
from qstack.wire.network import EARLY, CircuitTest, Complete, Expire, Forward, Track

UNIT = 65535
"""Fidelities travel as n/65535 (draft-dahlberg-ll-quantum-03); estimates are rounded down."""

MILLIHERTZ = 1000

BASES = tuple(Basis)

SCATTER = 0x9E3779B1
"""2**32 divided by the golden ratio: spreads successive numbers evenly over 32 bits (Knuth, TAOCP 3, 6.4)."""

Survival = Callable[[int], float]
"""Factor on the Werner parameter of a pair after one of its halves has waited here [ps]."""


class Ends(Circuits):
    """The part of a forwarding layer that stands at the ends of circuits.

    Parameters
    ----------
    lanes, lifetime, gate
        As in `Circuits`.
    survival
        What waiting costs at this node.
    test_share
        Share of the pairs that the head makes test rounds [1].
    """

    def __init__(
        self,
        lanes: Mapping[int, int],
        lifetime: int,
        survival: Survival,
        test_share: float = 0.0,
        *,
        gate: bool = False,
    ) -> None:
        super().__init__(lanes, lifetime, gate=gate)
        self.survival = survival
        self.test_share = int(test_share * (1 << 32))
        self.probing: dict[int, Circuit] = {}

    # -- requests at the head -----------------------------------------------------------------------------------------

    @on(Activate)
    def activate(self, req: Activate, ctx: Context) -> Outputs:
        """Serve a request, at the head."""
        circuit = self.circuits.get(req.circuit)
        interval = pause_of(req.rate)
        if circuit is None or req.session in circuit.asks:
            return
        if not circuit.is_head:
            raise LocalProtocolError(f"requests of circuit {req.circuit} are served by its head")
        circuit.asks[req.session] = ask = Ask(req.session, req.number, req.kind, req.basis, interval, ctx.now)
        if req.progress is not None:
            ask.started, ask.delivered = req.progress.started, req.progress.delivered
            circuit.slots.extend((ask, number, asked) for number, asked in req.progress.wanted)
        circuit.requests.add(req.session)
        circuit.turn((circuit.epoch + 1) % EPOCHS)
        told = req.number if req.number <= MOST else 0
        head, tail = circuit.path[0], circuit.path[-1]
        rate = round(sum(SECOND / ask.interval for ask in circuit.asks.values() if ask.interval) * MILLIHERTZ)
        message = Forward(
            circuit.number, told, req.session, head, tail, req.kind, req.basis, epoch=circuit.epoch, rate=rate
        )
        yield Send(circuit.sides[1].peer, message)
        yield from self._begin(circuit, req.kind, req.basis, ctx)
        if req.progress is None:
            yield Connected(req.session, tail, initiator=True, number=req.number)
        yield from self._refill(circuit, ctx.now)

    @on(Deactivate)
    def deactivate(self, req: Deactivate, ctx: Context) -> Outputs:
        """Serve a session no longer; the tail asks the head for that, which alone decides what is still delivered."""
        circuit = self.circuits.get(req.circuit)
        if circuit is None or req.session not in circuit.asks:
            return ()
        if circuit.is_head:
            return self._give_up(circuit, req.session, ctx)
        return (Send(circuit.sides[0].peer, Complete(circuit.number, req.session)),)

    def _give_up(self, circuit: Circuit, session: int, ctx: Context) -> Iterator[Noun]:
        """Ask for no more pairs of a request; those under way are still delivered, so that both ends agree on them."""
        ask = circuit.asks[session]
        circuit.slots = type(circuit.slots)(slot for slot in circuit.slots if slot[0] is not ask)
        yield from self._over(circuit, ask, ctx)

    def _over(self, circuit: Circuit, ask: Ask, ctx: Context) -> Iterator[Noun]:
        """A request has all its pairs, or is given up: tell the path, and stop after the last one."""
        message = Complete(circuit.number, ask.session, circuit.path[0], circuit.path[-1])
        del circuit.asks[ask.session]
        circuit.requests.discard(ask.session)
        circuit.turn((circuit.epoch + 1) % EPOCHS)
        if not circuit.asks:
            yield from self._give_back(circuit, Reason.UNWANTED)
            yield from self._stop(circuit)
        yield Send(circuit.sides[1].peer, message)
        if circuit.asks:
            yield from self._refill(circuit, ctx.now)

    @on(Pace)
    def pace(self, due: Pace, ctx: Context) -> Outputs:
        """Ask for pairs whose time has come."""
        circuit = self.circuits.get(due.circuit)
        return self._refill(circuit, ctx.now) if circuit is not None and circuit.active else ()

    def _refill(self, circuit: Circuit, now: int) -> Iterator[Noun]:
        """Ask for as many pairs as there is room for, one request after the other, none faster than its rate."""
        room = self.lanes[circuit.sides[1].peer] - len(circuit.slots) - len(circuit.held)
        asks = [ask for ask in circuit.asks.values() if ask.wants]
        while room > 0 and asks:
            ready = [ask for ask in asks if ask.due <= now]
            if not ready:
                yield Set(Pace(circuit.number), min(ask.due for ask in asks))
                return
            ask = min(ready, key=_last)
            ask.last = circuit.opened = circuit.opened + 1
            ask.due = max(ask.due + ask.interval, now) if ask.interval else 0
            circuit.open_slot(ask, now)
            room -= 1
            asks = [ask for ask in asks if ask.wants]

    # -- pairs --------------------------------------------------------------------------------------------------------

    def _hold(self, circuit: Circuit, side: Side, ind: Ok, ctx: Context) -> Outputs:
        """Keep a pair at an end and send a TRACK along it; the head only for pairs that are still wanted."""
        sequence = ind.sequence
        early = side.ask(sequence) if side.fates or side.faded else None
        if type(early) is int and early < 0:  # the other end has given its half up before this one came
            return (Free(ind.qubit),) if ind.qubit >= 0 else ()
        slot, asked, member, test = 0, -1, 0, False
        ask: Ask | None = None
        if side.which:  # the circuit begins here
            if self.test_share and self._is_test(circuit, ind):
                test = True
                slot = circuit.trials.made
                circuit.trials.made += 1
            elif circuit.slots:
                ask, slot, asked = circuit.slots.popleft()
                if circuit.sole is None:
                    member = list(circuit.asks).index(ask.session)
            else:
                return self._surplus(side, ind, early)
        circuit.held[sequence] = (ind, ask, slot, asked)
        fidelity = int(ind.goodness * UNIT)
        track = Track(
            circuit.number,
            ctx.node,
            sequence,
            sequence,
            ind.bell,
            circuit.epoch,
            fidelity,
            slot,
            0,
            member,
            test,
        )
        if early is None and circuit.kind != EARLY:
            return (Send(side.peer, track),)
        return self._told(circuit, side, Send(side.peer, track), early, ctx)

    def _told(self, circuit: Circuit, side: Side, track: Send, early: Fate | None, ctx: Context) -> Iterator[Noun]:
        """Say what follows at once from a pair that is held: its user has it early, or its TRACK is here already."""
        yield track
        assert isinstance(track.message, Track)
        ok = circuit.held[track.message.link_pair][0]
        if circuit.kind == EARLY:
            yield Early(circuit.session, ok.qubit)
        if type(early) is Track:
            yield from self._deliver(circuit, side, early, ctx)

    def _surplus(self, side: Side, ind: Ok, early: Fate | None) -> Outputs:
        """Free a pair that nobody has asked for; the TRACK of its other half is told so when it comes."""
        freed = (Free(ind.qubit),) if ind.qubit >= 0 else ()
        if type(early) is Track:
            return (*freed, Send(side.peer, Expire(early.circuit, early.origin, early.origin_pair, Reason.UNWANTED)))
        side.fates[ind.sequence] = Reason.UNWANTED
        return freed

    def _deliver(self, circuit: Circuit, side: Side, msg: Track, ctx: Context) -> Outputs:
        """Hand the pair up: the other end's TRACK is here."""
        ok, ask, slot, asked = circuit.held.pop(msg.link_pair)
        head, qubit, now = side.which, ok.qubit, ctx.now
        if not head:
            slot = msg.request
            ask = circuit.sole if msg.epoch == circuit.epoch else None
        if ask is None or msg.test:
            ask = self._asked(circuit, msg)
            if ask is None:
                return self._unasked(circuit, side, msg, ok, slot)
        estimate = msg.estimate / UNIT
        pair: Pair | Result
        if qubit >= 0:
            survival = self.survival
            kept = survival(now - ok.since)
            estimate = (1.0 + (4.0 * estimate - 1.0) * kept * kept) / 4.0  # both ends wait about as long
            pair = Pair(ask.session, slot, msg.bell, qubit, estimate, asked)
        else:
            pair = Result(ask.session, slot, msg.bell, ok.basis, ok.outcome, estimate, asked)
        circuit.recent.append((ok.sequence, msg.origin_pair, pair, now))
        if not head:
            return (pair,)
        ask.delivered += 1
        if ask is not circuit.sole or not circuit.endless:
            return self._count(circuit, ask, pair, ctx)
        circuit.slots.append((ask, ask.started, now))
        ask.started += 1
        return (pair,)

    @staticmethod
    def _asked(circuit: Circuit, msg: Track) -> Ask | None:
        """Return the request that a TRACK of the head names; None for a test round, and if it was never heard of."""
        asks = circuit.epochs.get(msg.epoch, ())
        return asks[msg.member] if msg.member < len(asks) and not (msg.test or circuit.is_head) else None

    def _unasked(self, circuit: Circuit, side: Side, msg: Track, ok: Ok, slot: int) -> Outputs:
        """Use a pair of no request: in a test round, or not at all."""
        if circuit.is_head or msg.test:
            return self._probe(circuit, msg, ok, slot)
        return self._disown(circuit, side, ok)

    def _count(self, circuit: Circuit, ask: Ask, pair: Pair | Result, ctx: Context) -> Iterator[Noun]:
        """Hand a pair up and see what its request still wants."""
        yield pair
        if ask.delivered == ask.number and ask.session in circuit.asks:
            yield from self._over(circuit, ask, ctx)
        else:
            yield from self._refill(circuit, ctx.now)

    def _disown(self, circuit: Circuit, side: Side, ok: Ok) -> Iterator[Noun]:
        """Let a pair go of which this end does not know the request, and tell the other end that has it."""
        yield from self._release_half(circuit, ok, Reason.OTHER)
        yield Send(side.peer, Expire(circuit.number, circuit.path[-1], ok.sequence, Reason.OTHER))

    def _expired(self, circuit: Circuit, sequence: int, reason: int, ctx: Context) -> Iterator[Noun]:
        """Let a half go whose pair is gone; the wanted pair is given to the next one (QS-L3-006)."""
        held = circuit.held.pop(sequence, None)
        if held is None:
            return
        ok, ask, slot, asked = held
        if ask is not None and ask.session in circuit.asks:
            circuit.slots.appendleft((ask, slot, asked))
        yield from self._release_half(circuit, ok, reason)

    def _lost(self, circuit: Circuit, place: int, sequence: int, reason: int) -> Iterator[Noun]:
        """Take a pair back that was handed up already (QS-L3-007).

        Parameters
        ----------
        circuit, reason
            Whose pair, and why.
        place, sequence
            0 and the pair's number at this end, or 1 and its number at the other end.
        """
        for entry in [entry for entry in circuit.recent if entry[place] == sequence]:
            circuit.recent.remove(entry)
            told = entry[2]
            yield Lost(told.session, told.pair, told.qubit if isinstance(told, Pair) else -1, reason)

    # -- test rounds --------------------------------------------------------------------------------------------------

    def _is_test(self, circuit: Circuit, ind: Ok) -> bool:
        """Tell whether the head measures a pair instead of delivering it; spread evenly over its pairs."""
        circuit.trials.seen += 1
        return ind.qubit >= 0 and circuit.kind != EARLY and circuit.trials.seen * SCATTER % (1 << 32) < self.test_share

    def _probe(self, circuit: Circuit, msg: Track, ok: Ok, number: int) -> Outputs:
        """Measure a test pair, in a basis that both ends know from its number."""
        basis = BASES[number % len(BASES)]
        pair = ok.sequence if circuit.is_head else msg.origin_pair
        circuit.trials.probing[ok.qubit] = (pair, msg.bell, basis)
        self.probing[ok.qubit] = circuit
        return (Probe(ok.qubit, basis),)

    @on(Probed)
    def probed(self, ind: Probed, ctx: Context) -> Outputs:
        """Tell the other end my bit."""
        circuit = self.probing.pop(ind.qubit, None)
        if circuit is None or not circuit.active:
            return
        trials = circuit.trials
        pair, bell, basis = trials.probing.pop(ind.qubit)
        trials.mine[pair] = (bell, basis, ind.outcome)
        message = CircuitTest(circuit.number, circuit.path[0], pair, basis, ind.outcome)
        yield Send(circuit.inner.peer, message)
        yield from self._compare(circuit, pair)
        if circuit.is_head:
            yield from self._refill(circuit, ctx.now)

    @on(CircuitTest)
    def circuit_test(self, msg: CircuitTest, ctx: Context) -> Outputs:
        """Pass a bit on, or compare it with mine."""
        circuit = self._circuit(msg.circuit, ctx.sender)
        if circuit is None or not circuit.active:
            return ()
        if not circuit.is_end:
            before, behind = circuit.sides
            return (Send(behind.peer if ctx.sender == before.peer else before.peer, msg),)
        circuit.trials.theirs[msg.origin_pair] = (msg.basis, msg.outcome)
        return self._compare(circuit, msg.origin_pair)

    def _compare(self, circuit: Circuit, pair: int) -> Iterator[Noun]:
        trials = circuit.trials
        if pair not in trials.mine or pair not in trials.theirs:
            return
        (bell, basis, mine), (theirs_basis, theirs) = trials.mine.pop(pair), trials.theirs.pop(pair)
        if basis == theirs_basis:
            trials.tally.add(basis, bell, mine, theirs)
            estimate = trials.tally.estimate()
            for session in circuit.asks:
                yield FidelityTested(session, *estimate, trials.tally.total)


def _last(ask: Ask) -> int:
    return ask.last
