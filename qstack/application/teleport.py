"""Teleport: send qubits in random known states, and count how many arrive as they were.

    sender     qubit  --Credit/Prepare--> PREPARING --Prepared/Transmit--> GIVEN --Sent/Consumed, Claim--> SENT
                      SENT --Finding/Checked--> done    GIVEN --Returned/Free--> gone    SENT --Lost--> gone
    receiver   qubit  --Received/Consumed--> HERE --Claim/Measure--> MEASURING --Measured/Finding, Release--> done

The six states are the eigenstates of Z, X and Y, drawn at random by the sender's device.  Their mean fidelity is that over
all pure states, (2F + 1)/3 for the entanglement fidelity F (Horodecki, Phys. Rev. A 60, 1888, 1999); without entanglement
it is at most 2/3 (Massar and Popescu, Phys. Rev. Lett. 74, 1259, 1995).  The basis is told after the qubit has left; which
of its two states it was, never.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from qstack.application.entropy import Drawing, Entropy
from qstack.application.layer import Pairwise
from qstack.application.pairs import Wish
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun, Send
from qstack.services.bell import Basis, flip
from qstack.services.device import TURN, Free, Measure, Measured, Prepare, Prepared
from qstack.services.l4_transport import (
    TELEPORT,
    Credit,
    Lost,
    Opened,
    Received,
    Release,
    Returned,
    Sent,
    Transmit,
)
from qstack.services.l5_application import Checked, Consumed, Start
from qstack.wire.application import Claim, Finding

STATES: tuple[tuple[Basis, int, int], ...] = (
    (Basis.Z, 0, 0),
    (Basis.Z, TURN // 2, 0),
    (Basis.X, TURN // 4, 0),
    (Basis.X, TURN // 4, TURN // 2),
    (Basis.Y, TURN // 4, TURN // 4),
    (Basis.Y, TURN // 4, 3 * TURN // 4),
)
"""Basis, polar angle and azimuth of each state; the bit that its measurement gives is that of its number."""

CHOICE = 3
"""Random bits that choose a state; what chooses none is thrown away."""

MOST = 1 << 16
"""Claims that may come before their qubits."""


class TeleportSender(Drawing, Pairwise):
    """The end that sends.

    Parameters
    ----------
    flow
        Number of the flow.
    wish
        What to ask for: how many qubits, over which pairs.
    consumption
        Class C or T, from `qstack.services.l4_transport`.
    window
        Most qubits in flight.
    """

    name = "teleport"

    def __init__(self, flow: int, wish: Wish, *, consumption: int, window: int) -> None:
        super().__init__(flow, wish.peer)
        self.wish = wish
        self.consumption = consumption
        self.window = window
        self.entropy = Entropy(flow)
        self.preparing: deque[int] = deque()
        self.given: dict[int, int] = {}
        self.sent: dict[int, int] = {}
        self.pending = 0

    @on(Start)
    def start(self, req: Start, ctx: Context) -> Outputs:
        """Open the session."""
        return (self.wish.opening(self.flow, TELEPORT, self.consumption, self.window),)

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Have random bits at hand when the first pair comes."""
        self.begin()
        return self.entropy.ready()

    @on(Credit)
    def credit(self, ind: Credit, ctx: Context) -> Outputs:
        """Prepare as many qubits as can leave at once: a qubit that waits only grows old."""
        for _ in range(ind.number - self.pending):
            self.pending += 1
            yield from self.entropy.take(CHOICE, self._prepare)

    def _prepare(self, choice: int) -> Iterator[Noun]:
        if choice >= len(STATES):
            yield from self.entropy.take(CHOICE, self._prepare)
            return
        self.preparing.append(choice)
        _, polar, azimuth = STATES[choice]
        yield Prepare(polar, azimuth, self.flow)

    @on(Prepared)
    def prepared(self, ind: Prepared, ctx: Context) -> Outputs:
        """Hand a qubit to the transport layer."""
        if not self.preparing:
            raise LocalProtocolError(f"nobody has asked for qubit {ind.qubit} in flow {self.flow}")
        self.given[ind.qubit] = self.preparing.popleft()
        return (Transmit(self.flow, ind.qubit),)

    @on(Sent)
    def left(self, ind: Sent, ctx: Context) -> Outputs:
        """Tell the other end how to measure a qubit that has left."""
        state = self._given(ind.qubit)
        self.sent[ind.sequence] = state
        return (
            Consumed(self.flow, ind.sequence, ind.bell, -1, ind.estimate, ind.asked),
            Send(self.wish.peer, Claim(self.flow, ind.sequence, STATES[state][0])),
        )

    @on(Returned)
    def returned(self, ind: Returned, ctx: Context) -> Outputs:
        """Let go of a qubit that was not sent."""
        self._given(ind.qubit)
        return (Free(ind.qubit),)

    def _given(self, qubit: int) -> int:
        state = self.given.pop(qubit, None)
        if state is None:
            raise LocalProtocolError(f"qubit {qubit} was not given away in flow {self.flow}")
        self.pending -= 1
        return state

    @on(Lost)
    def lost(self, ind: Lost, ctx: Context) -> Outputs:
        """Expect no answer about a lost qubit."""
        self.sent.pop(ind.sequence, None)
        return self.end()

    @on(Finding)
    def finding(self, msg: Finding, ctx: Context) -> Outputs:
        """Count an answer."""
        state = self.sent.pop(msg.sequence, None) if ctx.sender == self.wish.peer else None
        if state is None:
            raise RemoteProtocolError(f"node {ctx.sender} tells of qubit {msg.sequence} of flow {self.flow} unasked")
        return (Checked(self.flow, state, int(msg.bit == state % 2)), *self.end())

    @property
    def open(self) -> bool:
        """Whether answers are still to come."""
        return bool(self.sent)

    def abandon(self) -> Iterator[Noun]:
        """Expect no more answers."""
        self.sent.clear()
        yield from ()


class TeleportReceiver(Pairwise):
    """The end that receives; parameters as of `TeleportSender`."""

    name = "teleport"

    def __init__(self, flow: int, peer: int) -> None:
        super().__init__(flow, peer)
        self.here: dict[int, tuple[int, int]] = {}
        self.claims: dict[int, int] = {}

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Nothing to do until a qubit comes."""
        self.begin()
        return ()

    @on(Received)
    def received(self, ind: Received, ctx: Context) -> Outputs:
        """Keep a qubit until its sender says how to measure it."""
        consumed = Consumed(self.flow, ind.sequence, ind.frame, ind.qubit, ind.estimate, -1)
        self.here[ind.sequence] = (ind.qubit, ind.frame)
        basis = self.claims.pop(ind.sequence, None)
        return (consumed,) if basis is None else (consumed, self._measure(ind.sequence, basis))

    @on(Claim)
    def claim(self, msg: Claim, ctx: Context) -> Outputs:
        """Measure a qubit in the basis in which it was prepared."""
        if ctx.sender != self.peer or msg.basis not in {Basis.Z, Basis.X, Basis.Y} or len(self.claims) >= MOST:
            raise RemoteProtocolError(
                f"node {ctx.sender} cannot claim this of qubit {msg.sequence} of flow {self.flow}"
            )
        if msg.sequence in self.here:
            return (self._measure(msg.sequence, msg.basis),)
        if self.closed is None:
            self.claims[msg.sequence] = msg.basis
        return ()

    def _measure(self, sequence: int, basis: int) -> Measure:
        qubit, frame = self.here.pop(sequence)
        self.measuring[qubit] = (sequence, frame)
        return Measure(qubit, basis, self.flow)

    @on(Measured)
    def measured(self, ind: Measured, ctx: Context) -> Outputs:
        """Tell the outcome; a frame that was not applied flips the bit."""
        sequence, frame = self.measured_pair(ind.qubit)
        yield Send(self.peer, Finding(self.flow, sequence, ind.outcome ^ flip(frame, ind.basis)))
        yield Release(self.flow)
        yield from self.end()

    @on(Lost)
    def lost(self, ind: Lost, ctx: Context) -> Outputs:
        """Expect no qubit any more."""
        self.claims.pop(ind.sequence, None)
        return ()

    @property
    def open(self) -> bool:
        """Whether qubits are still to be measured."""
        return bool(self.here or self.measuring)

    def abandon(self) -> Iterator[Noun]:
        """Let go of qubits of which nobody may say any more how to measure them."""
        for qubit, _ in self.here.values():
            yield Free(qubit)
        self.here.clear()
        self.claims.clear()
