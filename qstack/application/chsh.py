"""CHSH: two ends measure along two directions each, chosen at random, and count how often their bits agree.

    pair   --Delivery/Consumed, MeasureAlong--> MEASURING --Measured--> MEASURED --Played/Checked--> counted
    flow   OPEN --Closed, and the last block/Finished--> done

Clauser, Horne, Shimony and Holt, Phys. Rev. Lett. 23, 880 (1969).  The end that asked measures Z or X, the other one the
two directions between them, for which S = E00 + E01 + E10 - E11 of Phi+ is 2 sqrt(2); no local model exceeds 2.  Werner
pairs of fidelity F give 2 sqrt(2) (4F - 1)/3, which exceeds 2 above F = 0.7803.  Directions between the axes are turned by
a Pauli frame and not only flipped, so pairs are asked for in class T.  Settings are told only after both results exist.
"""

from __future__ import annotations

from collections.abc import Iterator

from qstack.application.entropy import Entropy
from qstack.application.layer import Pairwise
from qstack.application.pairs import Wish
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun, Send
from qstack.services.device import TURN, Bits, MeasureAlong, Measured
from qstack.services.l4_transport import DETERMINISTIC, STREAM, Closed, Delivery, Open, Opened
from qstack.services.l5_application import Checked, Consumed, Start
from qstack.wire.application import Played

BLOCK = 64
"""Rounds that are told in one message."""

EIGHTH, HALF = TURN // 8, TURN // 2
DIRECTIONS: dict[bool, tuple[tuple[int, int], tuple[int, int]]] = {
    True: ((0, 0), (2 * EIGHTH, 0)),  # Z, X
    False: ((EIGHTH, 0), (EIGHTH, HALF)),  # (Z + X) and (Z - X), over sqrt(2)
}
"""Polar angle and azimuth of both settings, of the end that asked and of the other one."""


class Chsh(Pairwise):
    """One end of a CHSH game.

    Parameters
    ----------
    flow
        Number of the flow.
    wish
        What to ask for; only the initiator asks.
    initiator
        Whether this end asks; it also counts.
    """

    name = "chsh"

    def __init__(self, flow: int, wish: Wish, *, initiator: bool) -> None:
        super().__init__(flow)
        self.wish = wish
        self.initiator = initiator
        self.entropy = Entropy(flow)
        self.measuring: dict[int, tuple[int, int]] = {}
        self.mine: dict[int, tuple[int, int]] = {}
        self.theirs: dict[int, tuple[int, int]] = {}
        self.heard_all = False
        self.said_all = False
        self.stands = False

    @on(Start)
    def start(self, req: Start, ctx: Context) -> Outputs:
        """Open the session."""
        wish = self.wish
        return (Open(self.flow, wish.peer, wish.min_fidelity, wish.number, STREAM, DETERMINISTIC),)

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Have random bits at hand when the first pair comes."""
        self.stands = True
        return self.entropy.ready()

    @on(Bits)
    def bits(self, ind: Bits, ctx: Context) -> Outputs:
        """Take random bits from the device."""
        return self.entropy.fill(ind)

    @on(Delivery)
    def delivery(self, ind: Delivery, ctx: Context) -> Outputs:
        """Measure the pair with a setting of my own choice."""

        def measure(setting: int) -> Iterator[Noun]:
            self.measuring[ind.qubit] = (ind.pair, setting)
            polar, azimuth = DIRECTIONS[self.initiator][setting]
            yield Consumed(self.flow, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked)
            yield MeasureAlong(ind.qubit, polar, azimuth, self.flow)

        return self.entropy.take(1, measure)

    @on(Measured)
    def measured(self, ind: Measured, ctx: Context) -> Outputs:
        """Keep the bit."""
        known = self.measuring.pop(ind.qubit, None)
        if known is None:
            raise LocalProtocolError(f"qubit {ind.qubit} was not to be measured for flow {self.flow}")
        pair, setting = known
        self.mine[pair] = (setting, ind.outcome)
        if self.initiator:
            return (*self._count(pair), *self.end())
        return self._tell() if len(self.mine) >= BLOCK or (self.closed is not None and not self._busy) else ()

    @property
    def _busy(self) -> bool:
        """Whether results of delivered pairs are still to come."""
        return bool(self.measuring or self.entropy.waiting)

    def _tell(self) -> Iterator[Noun]:
        """Tell the end that counts what was measured here."""
        last = self.closed is not None and not self._busy
        settings, bits = zip(*self.mine.values(), strict=True) if self.mine else ((), ())
        yield Send(self.wish.peer, Played(self.flow, last, tuple(self.mine), settings, bits))
        self.mine.clear()
        self.said_all = self.said_all or last
        yield from self.end()

    @on(Played)
    def played(self, msg: Played, ctx: Context) -> Outputs:
        """Count rounds that both ends have measured."""
        if ctx.sender != self.wish.peer or not self.initiator:
            raise RemoteProtocolError(f"node {ctx.sender} has no say in the game of flow {self.flow}")
        rounds = dict(zip(msg.pairs, zip(msg.settings, msg.bits, strict=False), strict=False))
        if (
            not len(msg.settings) == len(msg.bits) == len(rounds) == len(msg.pairs)
            or rounds.keys() & self.theirs.keys()
        ):
            raise RemoteProtocolError(f"rounds of flow {self.flow} that are incomplete, or told twice: {msg.pairs}")
        self.theirs |= rounds
        self.heard_all = self.heard_all or msg.last
        for pair in msg.pairs:
            yield from self._count(pair)
        yield from self.end()

    def _count(self, pair: int) -> Iterator[Noun]:
        if pair in self.mine and pair in self.theirs:
            (a, x), (b, y) = self.mine.pop(pair), self.theirs.pop(pair)
            yield Checked(self.flow, 2 * a + b, int(x == y))

    @on(Closed)
    def closed_(self, ind: Closed, ctx: Context) -> Outputs:
        """Tell or hear the last block, then finish."""
        if not self.stands:  # the other end may not even know
            self.said_all = self.heard_all = True
        self.closed = ind.reason
        if not (self.initiator or self.said_all or self._busy):
            yield from self._tell()
        else:
            yield from super().closed_(ind, ctx)

    @property
    def open(self) -> bool:
        """Whether rounds are still to be measured, told or heard of."""
        return self._busy or not (self.heard_all if self.initiator else self.said_all)

    def abandon(self) -> Iterator[Noun]:
        """Do not wait for the other end's last block."""
        self.heard_all = True
        yield from ()
