"""Physical layer: keep the link layer's answer to each lane's poll, trigger the device, report heralds.

    lane   SILENT --Attempt/Trigger--> ATTEMPTING --Herald/Heralded--> HOLDING --(memory freed)--> ATTEMPTING
              ^----------------------- Attempt(aid=-1)/Trigger(aid=-1) ---------------'
    link   IN STEP --Herald ahead/Skipped, Heralded--> IN STEP --Missed ahead/Skipped--> IN STEP

At every cycle the physical layer asks the link layer whether to attempt.  The answer is the last `Attempt` of that
lane: it stands until the link layer changes it, so a poll costs nothing and no emission happens that was not asked for
(QS-L1-001).  Whether the memory is free, and when a cycle begins, is the device's business.

Specification: specs/physical/physical.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Layer, Outputs, on
from qstack.physical.serial import SEQUENCES, step
from qstack.services.device import Herald, Missed, Trigger
from qstack.services.l1_physical import Attempt, Heralded, Renumber, Skipped


class PhysicalLayer(Layer):
    """One per node; serves all links.

    Parameters
    ----------
    lanes
        Number of lanes towards each neighbour.
    """

    name = "physical"

    def __init__(self, lanes: Mapping[int, int]) -> None:
        self.lanes = dict(lanes)
        self.last: dict[int, int | None] = dict.fromkeys(lanes, SEQUENCES - 1)

    @on(Attempt)
    def attempt(self, req: Attempt, ctx: Context) -> Outputs:
        """Pass the standing answer of a lane to the device."""
        if not 0 <= req.lane < self.lanes.get(req.peer, 0):
            raise LocalProtocolError(f"no lane {req.lane} towards node {req.peer}", "QS-L1-013")
        return (Trigger(req.peer, req.lane, req.aid, req.row, req.keep, req.bases),)

    @on(Herald)
    def herald(self, ind: Herald, ctx: Context) -> Outputs:
        """Report a success; successes of a link are numbered without gaps, so a gap is a REPLY that was lost."""
        peer, sequence = ind.peer, ind.sequence
        try:
            last = self.last[peer]
        except KeyError:
            raise _no_neighbour(peer) from None
        heralded = Heralded(
            peer,
            ind.lane,
            ind.aid,
            sequence,
            ind.bell,
            ind.qubit,
            ind.emitted,
            ind.basis,
            ind.outcome,
        )
        if last is None or sequence == (last + 1) % SEQUENCES:
            self.last[peer] = sequence
            return (heralded,)
        if step(last, sequence, SEQUENCES) <= 0:
            return ()  # QS-L2-013: said before
        self.last[peer] = sequence
        return (Skipped(peer, (last + 1) % SEQUENCES, sequence), heralded)

    @on(Missed)
    def missed(self, ind: Missed, ctx: Context) -> Outputs:
        """Notice a lost REPLY from the number in a later one that is no success."""
        try:
            last = self.last[ind.peer]
        except KeyError:
            raise _no_neighbour(ind.peer) from None
        if last is not None and step(last, ind.sequence, SEQUENCES) <= 0:
            return ()
        self.last[ind.peer] = ind.sequence
        low = ind.sequence if last is None else (last + 1) % SEQUENCES  # QS-L1-470: that one at least
        return (Skipped(ind.peer, low, (ind.sequence + 1) % SEQUENCES),)

    @on(Renumber)
    def renumber(self, req: Renumber, ctx: Context) -> Outputs:
        """Take any number next: this node or its neighbour has started anew."""
        if req.peer in self.last:
            self.last[req.peer] = None
        return ()


def _no_neighbour(peer: int) -> RemoteProtocolError:
    return RemoteProtocolError(f"herald of a link to node {peer}, which is no neighbour")
