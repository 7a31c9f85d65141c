"""Pairs: ask for entanglement and take it as it comes.

initiator   IDLE --Start/Open--> OPEN --Delivery/Consumed, Free--> OPEN --Closed/Finished--> done
responder          OPEN --Delivery/Consumed, Free--> OPEN --Closed/Finished--> done
half        --EarlyDelivery--> EARLY --Delivery/Consumed, Free--> gone,  or --Expired/Free--> gone
"""

from __future__ import annotations

from dataclasses import dataclass

from qstack.application.layer import Application
from qstack.core.layer import Context, Outputs, on
from qstack.services.device import Free
from qstack.services.l4_transport import (
    KEEP,
    REACTIVE,
    STREAM,
    Closed,
    Delivery,
    EarlyDelivery,
    Expired,
    Open,
    Opened,
    Release,
)
from qstack.services.l5_application import Consumed, Finished, Start


@dataclass(frozen=True, slots=True)
class Wish:
    """What a flow asks of the network."""

    peer: int
    min_fidelity: float
    number: int
    priority: int = 0
    rate: float = 0.0

    def opening(
        self, flow: int, mode: int, consumption: int, window: int = 0, *, kind: int = KEEP, basis: int = 0
    ) -> Open:
        """Return the request for the session of a flow; parameters as in `qstack.services.l4_transport.Open`."""
        terms = self.peer, self.min_fidelity, self.number, mode, consumption, window
        return Open(flow, *terms, kind=kind, basis=basis, priority=self.priority, rate=self.rate)


class Pairs(Application):
    """One end of a flow of pairs.

    Parameters
    ----------
    flow
        Number of the flow.
    wish
        What to ask for; only the initiator uses it.
    consumption
        Class B, C or T, from `qstack.services.l4_transport`.
    window
        Most pairs at hand that have not been let go of; 0 leaves it to the memories.
    """

    name = "pairs"

    def __init__(self, flow: int, wish: Wish, *, consumption: int = REACTIVE, window: int = 0) -> None:
        super().__init__(flow, wish.peer)
        self.wish = wish
        self.consumption = consumption
        self.window = window
        self.release = (Release(flow),) if window else ()
        self.early: set[int] = set()

    @on(Start)
    def start(self, req: Start, ctx: Context) -> Outputs:
        """Open the session."""
        return (self.wish.opening(self.flow, STREAM, self.consumption, self.window),)

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Nothing to do until pairs come."""
        return ()

    @on(Delivery)
    def delivery(self, ind: Delivery, ctx: Context) -> Outputs:
        """Report the pair and let it go."""
        if self.early:
            self.early.discard(ind.qubit)
        qubit = ind.qubit
        consumed, freed = Consumed(self.flow, ind.pair, ind.bell, qubit, ind.estimate, ind.asked), Free(qubit)
        return (consumed, freed, *self.release) if self.release else (consumed, freed)

    @on(EarlyDelivery)
    def early_delivery(self, ind: EarlyDelivery, ctx: Context) -> Outputs:
        """Keep the half until it is known what it is."""
        self.early.add(ind.qubit)
        return ()

    @on(Expired)
    def expired(self, ind: Expired, ctx: Context) -> Outputs:
        """Let a half go that is half of nothing; a pair that was reported is gone already."""
        if ind.qubit not in self.early:
            return ()
        self.early.remove(ind.qubit)
        return (Free(ind.qubit), *self.release)

    @on(Closed)
    def closed(self, ind: Closed, ctx: Context) -> Outputs:
        """The session has ended."""
        return (Finished(self.flow, ind.reason),)
