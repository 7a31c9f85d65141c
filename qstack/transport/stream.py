"""Streams: pairs handed up at both ends.

    pair   --Pair/Delivery--> with the application --Release/ACK, now and then--> forgotten
           --Pair, no room--> held back --Release or ACK/Delivery--> with the application

Both ends hand up the same pairs in the same order, as far as the network gives them so.  With a window, an end hands up
a pair only while fewer than a window of its own are with the application, and while the other end has room too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun
from qstack.services.device import Apply, Free
from qstack.services.l3_network import Disconnect, Pair
from qstack.services.l4_transport import DETERMINISTIC, Delivery, Release
from qstack.transport.session import ENDING, STANDING, Session, Terms
from qstack.wire.transport import Acknowledgement, Discard

EVERYTHING = 1 << 62


class PlainStream(Session):
    """A stream that leaves everything to the circuit: class C or B, as many pairs as the memories hold.

    Attributes
    ----------
    left
        Counts down at the initiator; a negative number never ends.
    """

    def __init__(self, number: int, peer: int, terms: Terms, *, initiator: bool, patience: int) -> None:
        super().__init__(number, peer, terms, initiator=initiator, patience=patience)
        self.left = (initiator and terms.number) or -1
        self.state = STANDING

    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Hand a pair up; after the last one the circuit is no longer needed."""
        if self.left == 0:
            return (Free(ind.qubit),)  # nobody wants it any more (QS-L4-011)
        self.left -= 1
        delivery = Delivery(ind.session, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked)
        return (delivery,) if self.left else (delivery, Disconnect(ind.session))

    def finish(self, ctx: Context) -> Iterator[Noun]:
        """Give the circuit back."""
        if self.left:
            self.left = 0
            yield Disconnect(self.number)

    drop = finish

    def settle(self, ctx: Context) -> Iterator[Noun]:
        """Nothing is in flight."""
        yield from ()

    late = settle

    @property
    def settled(self) -> bool:
        """Whether the circuit is gone."""
        return self.over


class Stream(Session):
    """A stream with a window, or with corrected pairs.

    Attributes
    ----------
    stock
        Pairs that are held back.
    handed, released, acknowledged
        Pairs handed up, let go of, and reported as such to the other end.
    room
        Pairs may be handed up while `handed` is below this number.
    """

    def __init__(self, number: int, peer: int, terms: Terms, *, initiator: bool, patience: int) -> None:
        super().__init__(number, peer, terms, initiator=initiator, patience=patience)
        self.stock: deque[Pair] = deque()
        self.handed = 0
        self.released = 0
        self.acknowledged = 0
        self.room = 0
        self.half = max(1, terms.window // 2)
        self.last = terms.number if initiator else 0
        self.corrected = terms.consumption == DETERMINISTIC
        self.corrects = self.corrected and not initiator
        self.grant(self.limit)

    def grant(self, limit: int) -> None:
        """Take how far the other end has room."""
        self.limit = limit
        window = self.terms.window
        self.room = min(self.released + window, self.limit) if window else EVERYTHING

    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Correct a pair in class T, at the end that did not ask, and hand it up if there is room."""
        if self.state == ENDING:
            return (Free(ind.qubit),)
        apply = (Apply(ind.qubit, ind.bell),) if self.corrects and ind.bell else ()
        if self.handed < self.room and not self.stock:  # nearly always
            self.handed += 1
            bell = 0 if self.corrected else ind.bell
            delivery = Delivery(self.number, ind.pair, bell, ind.qubit, ind.estimate, ind.asked)
            return (*apply, delivery) if self.handed != self.last else (*apply, delivery, *self.hang_up())
        self.stock.append(ind)
        return apply

    def _hand(self) -> Iterator[Noun]:
        """Hand up what was held back, as far as there is room."""
        while self.stock and self.handed < self.room:
            ind = self.stock.popleft()
            self.handed += 1
            bell = 0 if self.corrected else ind.bell
            yield Delivery(self.number, ind.pair, bell, ind.qubit, ind.estimate, ind.asked)
            if self.handed == self.last:
                yield from self.hang_up()

    @on(Release)
    def release(self, req: Release, ctx: Context) -> Outputs:
        """Take back room; the other end hears of it when half a window is free again."""
        released = self.released + 1
        if released > self.handed:
            raise LocalProtocolError(f"session {self.number}: nothing is left to let go of")
        self.released = released
        window = self.terms.window
        if not window:
            return ()
        self.room = min(released + window, self.limit)
        told: Outputs = ()
        if released - self.acknowledged >= self.half:
            self.acknowledged = released
            told = (self.send(Acknowledgement(self.number, released, window, 0)),)
        return (*told, *self._hand()) if self.stock else told

    @on(Acknowledgement)
    def heard(self, msg: Acknowledgement, ctx: Context) -> Outputs:
        """Hear how far the other end has room."""
        self.grant(max(self.limit, msg.cumulative + msg.credit))
        return self._hand()

    @on(Discard)
    def discarded(self, msg: Discard, ctx: Context) -> Outputs:
        """Free a pair that the other end has not handed up and never will."""
        for ind in self.stock:
            if ind.pair == msg.pair:
                self.stock.remove(ind)
                return (Free(ind.qubit),)
        return ()

    def finish(self, ctx: Context) -> Iterator[Noun]:
        """Free what is held back, at both ends, and give the circuit back."""
        for ind in self.stock:
            yield Free(ind.qubit)
            yield self.send(Discard(self.number, ind.pair))
        self.stock.clear()
        yield from self.hang_up()

    drop = finish

    def settle(self, ctx: Context) -> Iterator[Noun]:
        """Go on with what the network had delivered before its end; the other end may be gone, its room does not count."""
        self.grant(EVERYTHING)
        yield from self._hand()

    late = settle

    @property
    def settled(self) -> bool:
        """Whether the circuit is gone and every pair is handed up."""
        return self.over and not self.stock
