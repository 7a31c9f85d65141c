"""Teleportation, at the end that receives.

    pair   --Pair--> HELD --CORR/Apply, ACK, Received--> the application's --Release--> forgotten
              '--DISCARD, Lost, or the end/Free--> gone
    qubit  --CORR--> EARLY --Pair/Apply, ACK, Received--> the application's
                       '--LOSS, or the end/LOSS, Lost--> gone
           --CORR for a pair that was lost/LOSS, Lost--> gone

A pair and its correction come on different ways, so either may be first.  Corrections are applied once, in XOR with the
pair's Bell index (QS-L4-003), before the qubit is handed up in class T (QS-L4-005).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Cancel, Noun
from qstack.services.device import Apply, Free
from qstack.services.l3_network import Lost as PairLost
from qstack.services.l3_network import Pair
from qstack.services.l4_transport import DETERMINISTIC, Lost, Received, Release
from qstack.transport.session import ENDING, AnswerDue, Session, Terms
from qstack.wire.transport import Acknowledgement, Correction, Discard, Loss, SessionClose

BITMAP = 64
MOST = 1 << 12
"""Pairs that may be given up before the network has told of them; more is not the work of an honest sender."""


GONE = 64
"""Pairs that were lost of late, for corrections that name them."""


class Receiver(Session):
    """The end of a teleporting session that receives.

    Attributes
    ----------
    held
        Confirmed pairs that no qubit has used yet, by number.
    early
        Corrections of pairs that the network has not told of yet; None for a pair that will not be used.
    gone
        Pairs that were lost here while they were held.
    arrived
        Qubits beyond `base` that are here or lost: what is handed up for each.
    base
        Every qubit below this number is here or lost.
    released
        Qubits that the application has let go of, and lost ones.
    advertised
        Everything below this number has been given room.
    """

    def __init__(self, number: int, peer: int, terms: Terms, *, initiator: bool, patience: int) -> None:
        super().__init__(number, peer, terms, initiator=initiator, patience=patience)
        self.held: dict[int, Pair] = {}
        self.early: dict[int, Correction | None] = {}
        self.gone: deque[int] = deque(maxlen=GONE)
        self.arrived: dict[int, Received | Lost] = {}
        self.base = 0
        self.handed = 0
        self.released = 0
        self.advertised = terms.window

    # -- receiving ----------------------------------------------------------------------------------------------------

    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Keep a half until its qubit comes; it may be here already."""
        if self.told or self.state == ENDING:
            return (Free(ind.qubit),)
        if ind.pair in self.gone:
            self.gone.remove(ind.pair)  # a later pair has its number
        if ind.pair not in self.early:
            self.held[ind.pair] = ind
            return ()
        correction = self.early.pop(ind.pair)
        return (Free(ind.qubit),) if correction is None else self._arrive(ind, correction)

    def expired(self, ind: PairLost, ctx: Context) -> Outputs:
        """Free a half whose pair is gone; a qubit that is said to have come with it is lost."""
        held = self.held.pop(ind.pair, None)
        if held is None:
            return ()
        self.gone.append(ind.pair)
        return (Free(held.qubit),)

    @on(Correction)
    def corrected(self, msg: Correction, ctx: Context) -> Outputs:
        """Take a qubit: the frame of its half is known now."""
        number = msg.sequence
        if number < self.base or number in self.arrived or self._expects(number):
            return ()  # a repetition: corrections are applied once (QS-L4-003)
        if number >= self.advertised:
            raise RemoteProtocolError(f"session {self.number}: there is no room for qubit {number}", "QS-L4-007")
        held = self.held.pop(msg.pair, None)
        if held is not None:
            return self._arrive(held, msg)
        if msg.pair in self.gone:
            return self._lose(number, erasure=True)
        if msg.pair in self.early:
            raise RemoteProtocolError(f"session {self.number}: pair {msg.pair} is used twice", "QS-L4-002")
        self.early[msg.pair] = msg
        return self._vanish(ctx) if self.over and self.told else ()

    @on(Loss)
    def given_up(self, msg: Loss, ctx: Context) -> Outputs:
        """Wait no longer for a qubit that the sender has given up; what is here already stays."""
        if msg.sequence >= self.advertised:
            raise RemoteProtocolError(f"session {self.number}: a qubit is lost that was never sent", "QS-L4-002")
        if msg.sequence < self.base or msg.sequence in self.arrived:
            return ()
        for pair, known in self.early.items():
            if known is not None and known.sequence == msg.sequence:
                self.early[pair] = None
        return self._lose(msg.sequence, erasure=msg.erasure)

    def _lose(self, number: int, *, erasure: bool) -> Iterator[Noun]:
        """Report a qubit as lost, at both ends."""
        yield self.send(Loss(self.number, number, erasure))
        yield from self._take(Lost(self.number, number, erasure))

    def _expects(self, number: int) -> bool:
        return any(known is not None and known.sequence == number for known in self.early.values())

    def _arrive(self, pair: Pair, msg: Correction) -> Iterator[Noun]:
        if msg.bell != pair.bell:
            raise RemoteProtocolError(f"session {self.number}: the ends know different frames of pair {pair.pair}")
        frame = pair.bell ^ msg.outcome
        if self.terms.consumption == DETERMINISTIC:
            if frame:
                yield Apply(pair.qubit, frame)
            frame = 0
        yield from self._take(Received(self.number, msg.sequence, pair.qubit, frame, pair.estimate))

    def _take(self, news: Received | Lost) -> Iterator[Noun]:
        """Note that a qubit is here or lost, hand up what is due, and tell the sender."""
        self.arrived[news.sequence] = news
        if not self.terms.ordered:
            yield from self._hand(news)
        while self.base in self.arrived:
            due = self.arrived.pop(self.base)
            self.base += 1
            if self.terms.ordered:
                yield from self._hand(due)
        yield self._acknowledge()

    def _hand(self, news: Received | Lost) -> Iterator[Noun]:
        self.handed += isinstance(news, Received)
        self.released += isinstance(news, Lost)
        yield news

    def _acknowledge(self) -> Noun:
        self.advertised = max(self.advertised, self.released + self.terms.window)
        bitmap = sum(1 << number - self.base - 1 for number in self.arrived if number - self.base <= BITMAP)
        return self.send(Acknowledgement(self.number, self.base, self.advertised - self.base, bitmap))

    @on(Release)
    def release(self, req: Release, ctx: Context) -> Outputs:
        """Take back room; the sender hears of it with the next qubit, or when it is running short."""
        if not self.handed:
            raise LocalProtocolError(f"session {self.number}: nothing is left to let go of")
        self.handed -= 1
        self.released += 1
        short = 2 * (self.advertised - self.base) < self.terms.window
        return (self._acknowledge(),) if short and not self.told else ()

    @on(Discard)
    def discarded(self, msg: Discard, ctx: Context) -> Outputs:
        """Free a half whose pair will not be used, now or when it comes."""
        held = self.held.pop(msg.pair, None)
        if held is not None:
            return (Free(held.qubit),)
        if len(self.early) >= MOST:
            raise RemoteProtocolError(f"session {self.number}: too many pairs are given up that nobody knows")
        self.early.setdefault(msg.pair, None)
        return ()

    # -- ending -------------------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        """Whether the circuit is gone and nothing more can arrive."""
        return self.over and self.told

    def finish(self, ctx: Context) -> Iterator[Noun]:
        """Ask the sender to stop; what it has sent is still taken."""
        yield self.send(SessionClose(self.number, 0))

    def drop(self, ctx: Context) -> Iterator[Noun]:
        """Let go of everything."""
        yield from self._vanish(ctx)
        yield from self.hang_up()

    def settle(self, ctx: Context) -> Iterator[Noun]:
        """Wait for the sender's last word after the end of the circuit, and for that end after its last word."""
        if self.over and self.told:
            yield Cancel(AnswerDue(self.number))
            yield from self._vanish(ctx)
        else:
            yield self.wait(ctx.now)

    def late(self, ctx: Context) -> Iterator[Noun]:
        """Stop waiting for the sender."""
        self.told = True
        yield from self._vanish(ctx)
        yield from self.hang_up()

    def _vanish(self, ctx: Context) -> Iterator[Noun]:
        """Free all halves, and report qubits whose half never came (QS-L4-002, QS-L4-011)."""
        for held in self.held.values():
            yield Free(held.qubit)
        self.held.clear()
        gone = {known.sequence: True for known in self.early.values() if known is not None}
        self.early.clear()
        unheard = range(self.base, max(self.arrived, default=self.base))
        gone.update((number, False) for number in unheard if number not in self.arrived and number not in gone)
        for number, erasure in sorted(gone.items()):
            yield from self._lose(number, erasure=erasure)
