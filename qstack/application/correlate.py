"""Correlate: both ends measure their halves in one basis as they are made, and count how often the bits say the same.

    pair   --Outcome/Consumed--> MEASURED --Played/Checked--> counted
    flow   OPEN --Closed, and the last block/Finished--> done

No half is ever stored: a link measures as soon as a photon has left, so neither memory nor waiting spoils the bits.  The
share of rounds that pass is (1 + c)/2 with the correlator c of the pair in this basis, taken with the sign that makes it
1 for the announced Bell state; three flows, one in each basis, tell F = (1 + x + y + z)/4.
"""

from __future__ import annotations

from qstack.application.pairs import Wish
from qstack.application.rounds import Rounds
from qstack.core.layer import Context, Outputs, on
from qstack.services.bell import Basis, flip
from qstack.services.l4_transport import MEASURE, REACTIVE, STREAM, Opened, Outcome, Release
from qstack.services.l5_application import Checked, Consumed, Start


class Correlate(Rounds):
    """One end of a flow that measures pairs as they are made.

    Parameters
    ----------
    flow, wish, initiator
        As of `Rounds`.
    basis
        What both ends measure.
    window
        Most bits at hand that have not been let go of; 0 leaves it to the memories.
    """

    name = "correlate"

    def __init__(self, flow: int, wish: Wish, *, initiator: bool, basis: Basis, window: int = 0) -> None:
        super().__init__(flow, wish, initiator=initiator)
        self.basis = basis
        self.window = window

    @on(Start)
    def start(self, req: Start, ctx: Context) -> Outputs:
        """Open the session."""
        return (self.wish.opening(self.flow, STREAM, REACTIVE, self.window, kind=MEASURE, basis=self.basis),)

    @on(Opened)
    def opened(self, ind: Opened, ctx: Context) -> Outputs:
        """Nothing to do until bits come."""
        self.begin()
        return ()

    @on(Outcome)
    def outcome(self, ind: Outcome, ctx: Context) -> Outputs:
        """Keep the bit; one end turns its bits so that those of every Bell state read like those of Phi+."""
        turned = 0 if self.initiator else flip(ind.bell, ind.basis)
        consumed = Consumed(self.flow, ind.pair, ind.bell, -1, ind.estimate, ind.asked)
        release = (Release(self.flow),) if self.window else ()
        return (consumed, *release, *self.played_here(ind.pair, 0, ind.outcome ^ turned))

    def check(self, mine: tuple[int, int], theirs: tuple[int, int]) -> Checked:
        """Compare: bits of Phi+ agree in Z and X, and disagree in Y."""
        return Checked(self.flow, self.basis, int(mine[1] ^ theirs[1] == (self.basis == Basis.Y)))
