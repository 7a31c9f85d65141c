"""Streams: pairs handed up at both ends, or the bits of halves that were measured as they were made.

    pair        --Pair or Result/Delivery or Outcome--> with the application --Lost/Expired--> the application's to free
    early half  --Early/EarlyDelivery--> with the application --Pair/Delivery--> confirmed
                                                              '--Lost/Expired--> the application's to free

Both ends hand up the same pairs in the same order, as far as the network gives them so.  Here are streams that leave
everything to the circuit; what a window and class T need is in `qstack.transport.window`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from qstack.core.layer import Context, Outputs
from qstack.core.nouns import Noun
from qstack.services.bell import flip
from qstack.services.device import Free
from qstack.services.l3_network import Disconnect, Early, Lost, Pair, PairEvent, Result
from qstack.services.l4_transport import DETERMINISTIC, Delivery, EarlyDelivery, Expired, Outcome
from qstack.services.reasons import Reason
from qstack.transport.session import STANDING, Session, Terms

Told: TypeAlias = Pair | Result | Early


class AnyStream(Session):
    """What both kinds of streams do with halves of which nothing is known yet, and with pairs that expire.

    Attributes
    ----------
    hasty
        Halves that the application has early, until it is known what they are.
    unwanted
        Numbers of pairs that were let go of before anybody had them.
    freed
        Early halves of which the same is true.
    """

    def __init__(self, number: int, peer: int, terms: Terms, *, initiator: bool, patience: int) -> None:
        super().__init__(number, peer, terms, initiator=initiator, patience=patience)
        self.hasty: set[int] = set()
        self.unwanted: set[int] = set()
        self.freed: set[int] = set()

    def give_early(self, ind: Early) -> Outputs:
        """Hand a half up as it is."""
        self.hasty.add(ind.qubit)
        return (EarlyDelivery(self.number, ind.qubit),)

    def let_go(self, ind: Told) -> Outputs:
        """Use nothing of what comes too late: free it, unless the application has it early."""
        if isinstance(ind, Early):
            self.freed.add(ind.qubit)
            return (Free(ind.qubit),)
        self.unwanted.add(ind.pair)
        if isinstance(ind, Result) or ind.qubit in self.freed:
            return ()
        if ind.qubit in self.hasty:
            self.hasty.remove(ind.qubit)
            return (Expired(self.number, ind.pair, ind.qubit, Reason.UNWANTED),)
        return (Free(ind.qubit),)

    def expired(self, ind: Lost, ctx: Context) -> Outputs:
        """Tell the application, if it has the half or bit."""
        if ind.pair < 0:
            if ind.qubit not in self.hasty:
                return ()
            self.hasty.remove(ind.qubit)
        elif ind.pair in self.unwanted:
            return ()
        return (Expired(self.number, ind.pair, ind.qubit, ind.reason),)

    def forget_early(self) -> Iterator[Noun]:
        """Tell of early halves that nothing will confirm any more."""
        for qubit in sorted(self.hasty):
            yield Expired(self.number, -1, qubit, self.reason or Reason.TORN_DOWN)
        self.hasty.clear()

    def delivery(self, ind: PairEvent) -> Delivery | Outcome:
        """Return what the application hears of a pair; in class T as of Phi+."""
        corrected = self.terms.consumption == DETERMINISTIC
        bell = 0 if corrected else ind.bell
        if isinstance(ind, Pair):
            return Delivery(self.number, ind.pair, bell, ind.qubit, ind.estimate, ind.asked)
        turned = flip(ind.bell, ind.basis) if corrected and not self.initiator else 0
        return Outcome(self.number, ind.pair, bell, ind.basis, ind.outcome ^ turned, ind.estimate, ind.asked)


class PlainStream(AnyStream):
    """A stream that leaves everything to the circuit: class C or B, as many pairs as the memories hold.

    Attributes
    ----------
    left
        Counts down at the initiator; a negative number never ends.
    stood
        Whether the circuit has stood.
    """

    def __init__(self, number: int, peer: int, terms: Terms, *, initiator: bool, patience: int) -> None:
        super().__init__(number, peer, terms, initiator=initiator, patience=patience)
        self.left = (initiator and terms.number) or -1
        self.state = STANDING
        self.stood = not initiator

    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Hand a pair up; after the last one the circuit is no longer needed."""
        if self.left == 0:
            return self.let_go(ind)  # nobody wants it any more (QS-L4-011)
        if self.hasty:
            self.hasty.discard(ind.qubit)
        self.left -= 1
        delivery = Delivery(ind.session, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked)
        return (delivery,) if self.left else (delivery, Disconnect(ind.session))

    def bit(self, ind: Result, ctx: Context) -> Outputs:
        """Hand a bit up."""
        if self.left == 0:
            return self.let_go(ind)
        self.left -= 1
        return (self.delivery(ind),) if self.left else (self.delivery(ind), Disconnect(ind.session))

    def half(self, ind: Early, ctx: Context) -> Outputs:
        """Hand a half up as it is."""
        return self.give_early(ind) if self.left else self.let_go(ind)

    def finish(self, ctx: Context) -> Iterator[Noun]:
        """Give the circuit back."""
        if self.left:
            self.left = 0
            yield Disconnect(self.number)

    drop = finish

    def settle(self, ctx: Context) -> Iterator[Noun]:
        """Nothing is in flight."""
        if self.over:
            yield from self.forget_early()

    late = settle

    @property
    def settled(self) -> bool:
        """Whether the circuit is gone."""
        return self.over
