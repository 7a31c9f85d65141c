"""Teleportation, at the end that sends.

    qubit  WAITING --pair here and room there/BellMeasure--> MEASURING --BellMeasured/CORR, Sent--> FLYING --ACK--> gone
                '--no pair ever/Returned--> the application's            FLYING --LOSS/Lost--> gone
                                                                         FLYING --silence/LOSS, Lost--> gone
    pair   --Pair--> STOCK --BellMeasure--> gone,  or --Lost/LOSS of its qubit--> gone
                       '--too many, or the end/Free, DISCARD--> gone
                       '--Lost/Free--> gone

A qubit is measured only when a pair is confirmed for it and the other end has room, so a lost pair costs pairs and
never data (QS-L4-001).  The freshest pair is used first; of more pairs than the window, the oldest is given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Cancel, Noun
from qstack.services.device import BellMeasure, BellMeasured, Free
from qstack.services.l3_network import Lost as PairLost
from qstack.services.l3_network import Pair
from qstack.services.l4_transport import Credit, Lost, Returned, Sent, Transmit
from qstack.services.reasons import Reason
from qstack.transport.session import ENDING, AnswerDue, Session, Terms
from qstack.wire.transport import Acknowledgement, Correction, Discard, Loss, SessionClose, SessionReset


@dataclass(slots=True)
class Flight:
    """A qubit that has been given to the device: its number, itself, the pair it uses, when it was handed in [ps]."""

    sequence: int
    qubit: int
    pair: Pair
    asked: int


class Sender(Session):
    """The end of a teleporting session that sends.

    Attributes
    ----------
    queue
        Qubits that have no pair yet, with the time at which they were handed in [ps].
    stock
        Confirmed pairs that have no qubit yet, oldest first.
    measuring
        Qubits whose Bell measurement is under way, by the half that they use.
    flying
        When each qubit left of which nothing was heard since [ps], and its pair, by number; oldest first.
    doomed
        Pairs that were lost while a qubit was being measured with them.
    next
        Number of the next qubit.
    closing
        The user has closed the session.
    armed
        Whether the timer for the other end's silence is running.
    """

    def __init__(self, number: int, peer: int, terms: Terms, *, initiator: bool, patience: int) -> None:
        super().__init__(number, peer, terms, initiator=initiator, patience=patience)
        self.queue: deque[tuple[int, int]] = deque()
        self.stock: deque[Pair] = deque()
        self.measuring: dict[int, Flight] = {}
        self.flying: dict[int, tuple[int, int]] = {}
        self.doomed: set[int] = set()
        self.next = 0
        self.closing = False
        self.armed = False

    # -- sending ------------------------------------------------------------------------------------------------------

    @on(Transmit)
    def transmit(self, req: Transmit, ctx: Context) -> Outputs:
        """Take a qubit; it leaves when there is a pair for it."""
        if self.closing or self.over or self.state == ENDING:
            return (Returned(self.number, req.qubit),)
        if self.terms.number and self.next + len(self.queue) >= self.terms.number:
            raise LocalProtocolError(f"session {self.number} was opened for {self.terms.number} qubits, not for more")
        if any(qubit == req.qubit for qubit, _ in self.queue):
            raise LocalProtocolError(f"session {self.number}: qubit {req.qubit} was handed in twice")
        self.queue.append((req.qubit, ctx.now))
        return self._go()

    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Use a pair, or keep it for the next qubit."""
        if self.closing or self.over or self.state == ENDING:
            return self._give_up(ind)
        self.stock.append(ind)
        old = self._give_up(self.stock.popleft()) if len(self.stock) > self.terms.window else ()
        return (*old, *self._go(), *self._credit())

    def expired(self, ind: PairLost, ctx: Context) -> Outputs:
        """Use a pair no longer that has no other half (QS-L4-001); a qubit that has left with it arrives nowhere."""
        number = ind.pair
        for pair in self.stock:
            if pair.pair == number:
                self.stock.remove(pair)
                return (Free(pair.qubit),)
        if any(flight.pair.pair == number for flight in self.measuring.values()):
            self.doomed.add(number)
        return [self._loss(sequence) for sequence, (_, pair) in self.flying.items() if pair == number]

    def _loss(self, sequence: int, *, erasure: bool = True) -> Noun:
        """Ask the other end not to wait for a qubit; it answers with the same if the qubit has not arrived."""
        return self.send(Loss(self.number, sequence, erasure))

    def _give_up(self, pair: Pair) -> Outputs:
        return Free(pair.qubit), self.send(Discard(self.number, pair.pair))

    @property
    def room(self) -> int:
        """How many more qubits may be in flight (QS-L4-007)."""
        return min(self.limit - self.next, self.terms.window - len(self.flying) - len(self.measuring))

    def _go(self) -> Iterator[Noun]:
        """Measure qubits with their pairs."""
        while self.queue and self.stock and self.room > 0:
            qubit, asked = self.queue.popleft()
            pair = self.stock.pop()
            self.measuring[pair.qubit] = Flight(self.next, qubit, pair, asked)
            self.next += 1
            yield BellMeasure(qubit, pair.qubit, self.number)

    def _credit(self) -> Outputs:
        """Tell the user how many qubits could leave at once."""
        wanted = self.terms.number
        number = min(len(self.stock), self.room, wanted - self.next if wanted else self.room)
        return (Credit(self.number, number),) if number > 0 and not (self.queue or self.closing) else ()

    @on(BellMeasured)
    def measured(self, ind: BellMeasured, ctx: Context) -> Outputs:
        """Tell the other end what it has to apply: the qubit is no longer here (QS-L4-006)."""
        flight = self.measuring.pop(ind.half, None)
        if flight is None:
            raise LocalProtocolError(f"session {self.number}: half {ind.half} was not to be measured")
        pair, sequence = flight.pair, flight.sequence
        self.flying[sequence] = (ctx.now, pair.pair)
        yield self.send(Correction(self.number, sequence, pair.pair, ind.outcome, pair.bell))
        if pair.pair in self.doomed:
            self.doomed.remove(pair.pair)
            yield self._loss(sequence)
        yield Sent(self.number, sequence, flight.qubit, pair.pair, pair.bell, pair.estimate, flight.asked)
        if not self.armed:
            self.armed = True
            yield self.wait(ctx.now)

    # -- hearing ------------------------------------------------------------------------------------------------------

    @on(Acknowledgement)
    def heard(self, msg: Acknowledgement, ctx: Context) -> Outputs:
        """Forget what has arrived."""
        beyond = msg.cumulative + 1
        arrived = [beyond + k for k in range(msg.bitmap.bit_length()) if msg.bitmap >> k & 1] if msg.bitmap else []
        if msg.cumulative > self.next or any(number >= self.next for number in arrived):
            raise RemoteProtocolError(f"session {self.number}: qubits have arrived that were never sent", "QS-L4-002")
        for number in [*(n for n in self.flying if n < msg.cumulative), *arrived]:
            self.flying.pop(number, None)
        self.limit = max(self.limit, msg.cumulative + msg.credit)
        return self._onward()

    @on(Loss)
    def lost(self, msg: Loss, ctx: Context) -> Outputs:
        """Tell the user that a qubit never arrived."""
        if msg.sequence >= self.next:
            raise RemoteProtocolError(f"session {self.number}: a qubit is lost that was never sent", "QS-L4-002")
        if self.flying.pop(msg.sequence, None) is None:
            return ()
        return (Lost(self.number, msg.sequence, msg.erasure), *self._onward())

    def late(self, ctx: Context) -> Iterator[Noun]:
        """Report as lost what was sent so long ago that an answer should have come."""
        self.armed = False
        for number, (sent, _) in list(self.flying.items()):
            if sent + self.patience <= ctx.now:
                del self.flying[number]
                yield self._loss(number, erasure=False)
                yield Lost(self.number, number, erasure=False)
        if self.flying:
            self.armed = True
            yield self.wait(min(sent for sent, _ in self.flying.values()))
        yield from self._onward()

    def _onward(self) -> Iterator[Noun]:
        """Send what there is room for now, or end if all is done."""
        if not (self.closing or self.over):
            yield from self._go()
            yield from self._credit()
        yield from self._end_if_done()

    # -- ending -------------------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether the circuit is gone and the fate of every qubit is known."""
        return self.over and not (self.flying or self.measuring)

    def _end_if_done(self) -> Iterator[Noun]:
        everything = bool(self.terms.number) and self.next == self.terms.number
        if (everything or self.closing) and not (self.flying or self.measuring or self.over or self.state == ENDING):
            yield self.send(SessionClose(self.number, self.reason))
            yield from self._let_go()
            yield from self.hang_up()
            yield Cancel(AnswerDue(self.number))

    def _let_go(self) -> Iterator[Noun]:
        """Free all pairs and give back all qubits."""
        for pair in self.stock:
            yield Free(pair.qubit)
        self.stock.clear()
        for qubit, _ in self.queue:
            yield Returned(self.number, qubit)
        self.queue.clear()

    def finish(self, ctx: Context) -> Iterator[Noun]:
        """Give back what has not left, and see the others home."""
        self.closing = True
        for qubit, _ in self.queue:
            yield Returned(self.number, qubit)
        self.queue.clear()
        yield from self._end_if_done()

    def drop(self, ctx: Context) -> Iterator[Noun]:
        """Let go of everything; what is under way may arrive or not."""
        yield from self._let_go()
        for number in (*self.flying, *(flight.sequence for flight in self.measuring.values())):
            yield Lost(self.number, number, erasure=False)
        self.flying.clear()
        self.measuring.clear()
        yield from self.hang_up()
        yield Cancel(AnswerDue(self.number))

    def settle(self, ctx: Context) -> Iterator[Noun]:
        """Without circuit nothing more can leave; tell the other end so, and wait for what is under way."""
        if self.over and self.state != ENDING:
            self.state = ENDING
            yield from self._let_go()
            yield self.send(SessionReset(self.number, self.reason or Reason.TORN_DOWN))
        elif self.told:
            yield from self.finish(ctx)
