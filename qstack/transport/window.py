"""Streams with a window, or with corrected pairs.

    pair        --Pair or Result/Delivery or Outcome--> with the application --Release/ACK, now and then--> forgotten
                --Pair or Result, no room--> held back --Release or ACK/Delivery or Outcome--> with the application
                                                       '--Lost, DISCARD/Free--> gone

With a window, an end hands up a pair only while fewer than a window of its own are with the application, and while the
other end has room for that number too.  Room is told in numbers and not in pairs, because a pair may be lost at one end
only.  What expires and what comes early is told in `qstack.transport.stream`.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun
from qstack.services.device import Apply, Free
from qstack.services.l3_network import Early, Lost, Pair, PairEvent, Result
from qstack.services.l4_transport import DETERMINISTIC, Delivery, Release
from qstack.transport.session import ENDING, Terms
from qstack.transport.stream import AnyStream, Told
from qstack.wire.transport import Acknowledgement, Discard

EVERYTHING = 1 << 62


class Stream(AnyStream):
    """A stream with a window, or with corrected pairs.

    Attributes
    ----------
    stock
        What is held back: pairs and bits by number, then early halves.
    at_hand
        Pairs, bits and early halves that the application has not let go of.
    seen
        Above the highest number that the network has told here.
    due
        The other end is told of room when so many numbers were seen here, less what is still at hand.
    left
        Counts down at the initiator; a negative number never ends.
    """

    def __init__(self, number: int, peer: int, terms: Terms, *, initiator: bool, patience: int) -> None:
        super().__init__(number, peer, terms, initiator=initiator, patience=patience)
        self.stock: list[Told] = []
        self.at_hand = 0
        self.seen = 0
        self.window = terms.window or EVERYTHING
        self.stride = max(1, terms.window // 2) if terms.window else EVERYTHING
        self.due = self.stride
        self.left = (initiator and terms.number) or -1
        self.corrected = terms.consumption == DETERMINISTIC
        self.grant(self.limit)

    def grant(self, limit: int) -> None:
        """Take how far the other end has room."""
        self.limit = limit if self.terms.window else EVERYTHING

    # -- pairs --------------------------------------------------------------------------------------------------------

    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Correct a pair in class T, at the end that did not ask, and hand it up if there is room."""
        number, bell = ind.pair, ind.bell
        if self.state == ENDING:
            return self.let_go(ind)
        if self.stock or self.hasty or self.left == 1 or self.at_hand >= self.window or number >= self.limit:
            return (*self._correction(ind), *self._take(ind))
        if number >= self.seen:  # what follows happens nearly always
            self.seen = number + 1
        self.at_hand += 1
        self.left -= 1
        if not self.corrected:
            return (Delivery(self.number, number, bell, ind.qubit, ind.estimate, ind.asked),)
        delivery = Delivery(self.number, number, 0, ind.qubit, ind.estimate, ind.asked)
        return (Apply(ind.qubit, bell), delivery) if bell and not self.initiator else (delivery,)

    def _correction(self, ind: Pair) -> Outputs:
        return (Apply(ind.qubit, ind.bell),) if ind.bell and self.corrected and not self.initiator else ()

    def bit(self, ind: Result, ctx: Context) -> Outputs:
        """Hand a bit up if there is room."""
        return self.let_go(ind) if self.state == ENDING else self._take(ind)

    def half(self, ind: Early, ctx: Context) -> Outputs:
        """Hand a half up as it is if there is room."""
        if self.state == ENDING:
            return self.let_go(ind)
        if self.stock or not self._fits(ind):
            self.stock.append(ind)
            return ()
        self.at_hand += 1
        return self.give_early(ind)

    def _take(self, ind: PairEvent) -> Outputs:
        number = ind.pair
        if number >= self.seen:
            self.seen = number + 1
        if isinstance(ind, Pair) and ind.qubit in self.hasty:
            self.hasty.remove(ind.qubit)
        elif not self.stock and self._fits(ind):
            self.at_hand += 1
        else:
            self.stock = [one for one in self.stock if not (isinstance(one, Early) and one.qubit == _qubit(ind))]
            insort(self.stock, ind, key=_number)
            return self._hand()
        return self._told(ind)

    def _told(self, ind: PairEvent) -> Outputs:
        """Hand a pair up; after the last one the circuit is no longer needed."""
        self.left -= 1
        return (self.delivery(ind),) if self.left else (self.delivery(ind), *self.hang_up())

    def _fits(self, ind: Told) -> bool:
        """Tell whether both ends have room; an early half is counted as one of the next numbers."""
        number = self.seen + len(self.hasty) if isinstance(ind, Early) else ind.pair
        return self.at_hand < self.window and number < self.limit

    def _hand(self) -> Iterator[Noun]:
        """Hand up what was held back, as far as there is room."""
        while self.stock and self._fits(self.stock[0]):
            ind = self.stock.pop(0)
            self.at_hand += 1
            yield from self.give_early(ind) if isinstance(ind, Early) else self._told(ind)

    def expired(self, ind: Lost, ctx: Context) -> Outputs:
        """Let a pair go that is held back, or tell the application."""
        for one in self.stock:
            if _number(one) == ind.pair or (ind.pair < 0 and _qubit(one) == ind.qubit):
                self.stock.remove(one)
                return (*_freed(one), *self._passed(one))
        return super().expired(ind, ctx)

    def _passed(self, ind: Told) -> Iterator[Noun]:
        """A pair with a number will not be handed up: at the end that asked it may have been the last."""
        if not isinstance(ind, Early):
            self.left -= 1
            if not self.left:
                yield from self.hang_up()

    # -- room ---------------------------------------------------------------------------------------------------------

    @on(Release)
    def release(self, req: Release, ctx: Context) -> Outputs:
        """Take back room; the other end hears of it when half a window is free again."""
        at_hand = self.at_hand - 1
        if at_hand < 0:
            raise LocalProtocolError(f"session {self.number}: nothing is left to let go of")
        self.at_hand = at_hand
        cumulative = self.seen - at_hand
        if self.hasty or self.stock:  # early halves have no numbers yet
            cumulative += len(self.hasty) - sum(not isinstance(one, Early) for one in self.stock)
        if cumulative < self.due or self.over:
            return self._hand() if self.stock else ()
        self.due = cumulative + self.stride
        told = self.send(Acknowledgement(self.number, cumulative, self.window, 0))
        return (told, *self._hand())

    @on(Acknowledgement)
    def heard(self, msg: Acknowledgement, ctx: Context) -> Outputs:
        """Hear how far the other end has room."""
        self.grant(max(self.limit, msg.cumulative + msg.credit))
        return self._hand()

    @on(Discard)
    def discarded(self, msg: Discard, ctx: Context) -> Outputs:
        """Free a pair that the other end has not handed up and never will."""
        for ind in self.stock:
            if _number(ind) == msg.pair:
                self.stock.remove(ind)
                return _freed(ind)
        return ()

    # -- ending -------------------------------------------------------------------------------------------------------

    def finish(self, ctx: Context) -> Iterator[Noun]:
        """Free what is held back, at both ends, and give the circuit back."""
        for ind in self.stock:
            yield from self.let_go(ind)
            if isinstance(ind, Pair):
                yield self.send(Discard(self.number, ind.pair))
        self.stock.clear()
        yield from self.hang_up()

    drop = finish

    def settle(self, ctx: Context) -> Iterator[Noun]:
        """Go on with what the network had delivered before its end; the other end may be gone, its room does not count."""
        self.limit = EVERYTHING
        if self.over:
            for ind in [ind for ind in self.stock if isinstance(ind, Early)]:
                self.stock.remove(ind)
                yield Free(ind.qubit)
            yield from self.forget_early()
        yield from self._hand()

    late = settle

    @property
    def settled(self) -> bool:
        """Whether the circuit is gone and every pair is handed up."""
        return self.over and not self.stock


def _number(ind: Told) -> int:
    """Return a pair's number; early halves come after all others, and have none."""
    return EVERYTHING if isinstance(ind, Early) else ind.pair


def _qubit(ind: Told) -> int:
    return -1 if isinstance(ind, Result) else ind.qubit


def _freed(ind: Told) -> Outputs:
    return () if isinstance(ind, Result) else (Free(ind.qubit),)
