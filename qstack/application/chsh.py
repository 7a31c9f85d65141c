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

from qstack.application.entropy import Drawing, Entropy
from qstack.application.pairs import Wish
from qstack.application.rounds import Rounds
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun
from qstack.services.device import TURN, MeasureAlong, Measured
from qstack.services.l4_transport import DETERMINISTIC, STREAM, Delivery, Opened
from qstack.services.l5_application import Checked, Consumed, Start

EIGHTH, HALF = TURN // 8, TURN // 2
DIRECTIONS: dict[bool, tuple[tuple[int, int], tuple[int, int]]] = {
    True: ((0, 0), (2 * EIGHTH, 0)),  # Z, X
    False: ((EIGHTH, 0), (EIGHTH, HALF)),  # (Z + X) and (Z - X), over sqrt(2)
}
"""Polar angle and azimuth of both settings, of the end that asked and of the other one."""


class Chsh(Drawing, Rounds):
    """One end of a CHSH game.

    Parameters
    ----------
    flow, wish, initiator
        As of `Rounds`.
    """

    name = "chsh"

    def __init__(self, flow: int, wish: Wish, *, initiator: bool) -> None:
        super().__init__(flow, wish, initiator=initiator)
        self.entropy = Entropy(flow)

    @on(Start)
    def start(self, req: Start, ctx: Context) -> Outputs:
        """Open the session."""
        return (self.wish.opening(self.flow, STREAM, DETERMINISTIC),)

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Have random bits at hand when the first pair comes."""
        self.begin()
        return self.entropy.ready()

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
        return self.played_here(*self.measured_pair(ind.qubit), ind.outcome)

    @property
    def busy(self) -> bool:
        """Whether results of delivered pairs are still to come."""
        return bool(self.measuring or self.entropy.waiting)

    def check(self, mine: tuple[int, int], theirs: tuple[int, int]) -> Checked:
        """Tell whether the bits are equal."""
        (a, x), (b, y) = mine, theirs
        return Checked(self.flow, 2 * a + b, int(x == y))
