"""Measuring in Z or X, at random: the part of a key application that turns halves into bits.

    pair    --Delivery/Consumed, Measure--> MEASURING --Measured--> MEASURED
    half    --EarlyDelivery/Measure--> MEASURING --Measured, Delivery/Consumed--> MEASURED
                                                 --Expired--> gone

Each end draws its basis alone, from its device's entropy, and measures a pair as soon as it is delivered.  In class B it
measures a half before it is known what that is, so that it does not age, and drops the bit if it was half of nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qstack.application.entropy import Drawing, Entropy
from qstack.application.layer import Application
from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun
from qstack.services.bell import Basis, flip
from qstack.services.device import Measure, Measured
from qstack.services.l4_transport import Delivery, EarlyDelivery, Expired
from qstack.services.l5_application import Consumed


@dataclass(slots=True)
class Result:
    """What one end got from one pair; the bit is that of a pair in Phi+ at both ends."""

    basis: int
    bit: int


class Measuring(Drawing, Application):
    """One end of a flow that measures every pair in Z or X.

    Parameters
    ----------
    flow, peer
        As of `Application`.
    initiator
        Whether this end asks; the other one turns its bits.

    Attributes
    ----------
    measuring
        Number and frame of each qubit that is being measured, as far as they are known.
    early
        Basis and raw bit of early halves, None before they are measured.
    late
        Number and frame of early halves that were told before they were measured.
    results
        What was measured, by pair.
    fresh
        Pairs of which the other end has not been told yet, at the end that did not ask.
    """

    def __init__(self, flow: int, peer: int, *, initiator: bool) -> None:
        super().__init__(flow, peer)
        self.initiator = initiator
        self.entropy = Entropy(flow)
        self.measuring: dict[int, tuple[int, int] | None] = {}
        self.early: dict[int, tuple[int, int] | None] = {}
        self.late: dict[int, tuple[int, int]] = {}
        self.results: dict[int, Result] = {}
        self.fresh: list[int] = []

    def onward(self) -> Outputs:
        """Go on after a bit has come."""
        raise NotImplementedError

    @on(Delivery)
    def delivery(self, ind: Delivery, ctx: Context) -> Outputs:
        """Measure the pair in a basis of my own choice."""
        if ind.qubit in self.early:
            return self._confirmed(ind)

        def measure(bit: int) -> Iterator[Noun]:
            self.measuring[ind.qubit] = (ind.pair, ind.bell)
            yield Consumed(self.flow, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked)
            yield Measure(ind.qubit, Basis.X if bit else Basis.Z, self.flow)

        return self.entropy.take(1, measure)

    @on(EarlyDelivery)
    def early_delivery(self, ind: EarlyDelivery, ctx: Context) -> Outputs:
        """Measure a half of which nothing is known."""
        self.early[ind.qubit] = None

        def measure(bit: int) -> Iterator[Noun]:
            self.measuring[ind.qubit] = None
            yield Measure(ind.qubit, Basis.X if bit else Basis.Z, self.flow)

        return self.entropy.take(1, measure)

    def _confirmed(self, ind: Delivery) -> Iterator[Noun]:
        """Take note of what an early half was."""
        raw = self.early.pop(ind.qubit)
        yield Consumed(self.flow, ind.pair, ind.bell, -1, ind.estimate, ind.asked)
        if raw is None:
            self.late[ind.qubit] = (ind.pair, ind.bell)
        else:
            yield from self._keep(ind.pair, ind.bell, *raw)

    @on(Expired)
    def expired(self, ind: Expired, ctx: Context) -> Outputs:
        """Drop the bit of a half that was half of nothing, now or when it comes."""
        self.early.pop(ind.qubit, None)
        return ()

    @on(Measured)
    def measured(self, ind: Measured, ctx: Context) -> Outputs:
        """Keep the bit, or wait until it is known what it belongs to."""
        if ind.qubit not in self.measuring:
            raise LocalProtocolError(f"qubit {ind.qubit} was not to be measured for flow {self.flow}")
        known = self.measuring.pop(ind.qubit) or self.late.pop(ind.qubit, None)
        if known is not None:
            return self._keep(*known, ind.basis, ind.outcome)
        if ind.qubit in self.early:
            self.early[ind.qubit] = (ind.basis, ind.outcome)
        return self.onward()

    def _keep(self, pair: int, bell: int, basis: int, outcome: int) -> Outputs:
        """Keep a bit; one end turns its bits so that perfect pairs give equal ones."""
        turned = 0 if self.initiator else flip(bell, basis)
        self.results[pair] = Result(basis, outcome ^ turned)
        if not self.initiator:
            self.fresh.append(pair)
        return self.onward()

    @property
    def busy(self) -> bool:
        """Whether results of delivered pairs are still to come."""
        return bool(self.measuring or self.entropy.waiting)
