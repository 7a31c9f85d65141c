"""Remote state preparation: one end steers the other's half into a state that it knows, with one bit instead of two.

    initiator   pair  --Delivery/Consumed, MeasureAlong--> MEASURING --Measured/Steer--> TOLD --Finding/Checked--> counted
                      --Outcome/Consumed, Steer--> TOLD       TOLD --Expired--> gone
    responder   pair  --Delivery--> HERE --Steer/Consumed, Apply, MeasureAlong--> MEASURING --Measured/Finding--> done
                                    HERE --Expired/Free--> gone

Pati, Phys. Rev. A 63, 014302 (2000); Bennett et al., Phys. Rev. Lett. 87, 077902 (2001).  Measuring one half of Phi+ along
the mirror image of a direction on the equator leaves the other half along it, or opposite to it: then a Z turns it round.
An end that needs no choice of its own has its halves measured as they are made, in one basis: each bit chooses between
two opposite states, which nothing has to turn round.
The fidelity over the equator is 1/2 + (x + y)/4 of the pair's correlators, (2F + 1)/3 for Werner pairs.  The prepared qubit
is measured along the direction that the initiator names, and the initiator counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from qstack.application.entropy import Drawing, Entropy
from qstack.application.layer import Pairwise
from qstack.application.pairs import Wish
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun, Send
from qstack.services.bell import Basis
from qstack.services.device import TURN, Apply, Free, MeasureAlong, Measured
from qstack.services.l4_transport import (
    DETERMINISTIC,
    KEEP,
    PREPARE,
    STREAM,
    Delivery,
    Expired,
    Opened,
    Outcome,
)
from qstack.services.l5_application import Checked, Consumed, Start
from qstack.wire.application import Finding, Steer

EQUATOR = TURN // 4
STATES = {Basis.X: (0, TURN // 2), Basis.Y: (3 * TURN // 4, TURN // 4)}
"""Azimuth in which either bit of a measured half of Phi+ leaves the other one: its mirror image."""
Z = 1
"""A Pauli as a Bell index."""
MOST = 1 << 16
"""Directions that may be told before their pairs are delivered."""


class _End(Pairwise):
    """What both ends have in common."""

    name = "rsp"

    def __init__(self, flow: int, wish: Wish) -> None:
        super().__init__(flow, wish.peer)
        self.wish = wish


class Preparer(Drawing, _End):
    """The end that asks, and knows the states.

    Parameters
    ----------
    flow
        Number of the flow.
    wish
        What to ask for.
    choice
        Random bits that choose a state: there are 2**choice of them, at equal distances on the equator.
    basis
        X or Y: have halves measured in this basis as they are made instead; the bit chooses one of two states.
    """

    def __init__(self, flow: int, wish: Wish, *, choice: int, basis: Basis | None = None) -> None:
        super().__init__(flow, wish)
        self.choice = choice
        self.basis = basis
        self.doubtful: set[int] = set()
        self.entropy = Entropy(flow)
        self.told: dict[int, int] = {}

    @on(Start)
    def start(self, req: Start, ctx: Context) -> Outputs:
        """Open the session."""
        kind = KEEP if self.basis is None else PREPARE
        return (self.wish.opening(self.flow, STREAM, DETERMINISTIC, kind=kind, basis=self.basis or Basis.Z),)

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Have random bits at hand when the first pair comes."""
        self.begin()
        self.doubtful.clear()
        return self.entropy.ready() if self.basis is None else ()

    @on(Outcome)
    def outcome(self, ind: Outcome, ctx: Context) -> Outputs:
        """Tell the other end which of two states the bit has prepared."""
        if ind.basis not in STATES:
            raise LocalProtocolError(f"a bit in basis {ind.basis} prepares no state on the equator")
        self.told[ind.pair] = ind.outcome
        azimuth = STATES[Basis(ind.basis)][ind.outcome]
        return (
            Consumed(self.flow, ind.pair, ind.bell, -1, ind.estimate, ind.asked),
            Send(self.peer, Steer(self.flow, ind.pair, azimuth, 0)),
        )

    @on(Expired)
    def expired(self, ind: Expired, ctx: Context) -> Outputs:
        """Wait for no answer about a pair of which nothing may have arrived."""
        if self.told.pop(ind.pair, None) is None:
            return ()
        self.doubtful.add(ind.pair)
        return self.end()

    @on(Delivery)
    def delivery(self, ind: Delivery, ctx: Context) -> Outputs:
        """Steer the other half into a state of my own choice."""

        def measure(state: int) -> Iterator[Noun]:
            self.measuring[ind.qubit] = (ind.pair, state)
            yield Consumed(self.flow, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked)
            yield MeasureAlong(ind.qubit, EQUATOR, -self._azimuth(state) % TURN, self.flow)

        return self.entropy.take(self.choice, measure)

    def _azimuth(self, state: int) -> int:
        return state * TURN >> self.choice

    @on(Measured)
    def measured(self, ind: Measured, ctx: Context) -> Outputs:
        """Tell the other end whether its half has to be turned round."""
        pair, state = self.measured_pair(ind.qubit)
        self.told[pair] = state
        return (Send(self.wish.peer, Steer(self.flow, pair, self._azimuth(state), ind.outcome)),)

    @on(Finding)
    def finding(self, msg: Finding, ctx: Context) -> Outputs:
        """Count an answer."""
        if msg.sequence in self.doubtful and ctx.sender == self.wish.peer:
            self.doubtful.remove(msg.sequence)
            return ()
        state = self.told.pop(msg.sequence, None) if ctx.sender == self.wish.peer else None
        if state is None:
            raise RemoteProtocolError(f"node {ctx.sender} tells of pair {msg.sequence} of flow {self.flow} unasked")
        return (Checked(self.flow, state, 1 - msg.bit), *self.end())

    @property
    def open(self) -> bool:
        """Whether answers are still to come."""
        return bool(self.told or self.measuring or self.entropy.waiting)

    def abandon(self) -> Iterator[Noun]:
        """Expect no more answers."""
        self.told.clear()
        yield from ()


class Target(_End):
    """The end whose halves are steered."""

    def __init__(self, flow: int, wish: Wish) -> None:
        super().__init__(flow, wish)
        self.here: dict[int, Delivery] = {}
        self.early: dict[int, Steer] = {}

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Nothing to do until pairs come."""
        self.begin()
        return ()

    @on(Delivery)
    def delivery(self, ind: Delivery, ctx: Context) -> Outputs:
        """Keep a half until the other end has measured."""
        self.here[ind.pair] = ind
        steer = self.early.pop(ind.pair, None)
        return () if steer is None else self._check(steer)

    @on(Expired)
    def expired(self, ind: Expired, ctx: Context) -> Outputs:
        """Let a half go that nobody can steer any more."""
        self.early.pop(ind.pair, None)
        held = self.here.pop(ind.pair, None)
        return () if held is None else (Free(held.qubit), *self.end())

    @on(Steer)
    def steer(self, msg: Steer, ctx: Context) -> Outputs:
        """Turn the half round if need be, and measure whether it is what it should be."""
        if ctx.sender != self.wish.peer or len(self.early) >= MOST:
            raise RemoteProtocolError(f"node {ctx.sender} cannot steer pair {msg.sequence} of flow {self.flow}")
        if msg.sequence in self.here:
            return self._check(msg)
        if self.closed is None:
            self.early[msg.sequence] = msg
        return ()

    def _check(self, msg: Steer) -> Iterator[Noun]:
        ind = self.here.pop(msg.sequence)
        self.measuring[ind.qubit] = (ind.pair, 0)
        yield Consumed(self.flow, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked)
        if msg.bit:
            yield Apply(ind.qubit, Z)
        yield MeasureAlong(ind.qubit, EQUATOR, msg.azimuth, self.flow)

    @on(Measured)
    def measured(self, ind: Measured, ctx: Context) -> Outputs:
        """Tell the outcome."""
        pair, _ = self.measured_pair(ind.qubit)
        return (Send(self.wish.peer, Finding(self.flow, pair, ind.outcome)), *self.end())

    @property
    def open(self) -> bool:
        """Whether halves are still to be measured."""
        return bool(self.here or self.measuring)

    def abandon(self) -> Iterator[Noun]:
        """Let go of halves of which nobody may say any more what they should be."""
        for held in self.here.values():
            yield Free(held.qubit)
        self.here.clear()
        self.early.clear()
