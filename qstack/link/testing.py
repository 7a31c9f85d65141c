"""Test rounds of a link: pairs measured at once at both ends, to see what fidelity it really has.

    lane   SERVING --every n-th success--> TESTING --Heralded/LinkTest--> SERVING
    pair   measured here --LinkTest of the neighbour, same basis--> counted

Which success is followed by a test hangs on its number, which both ends know.  A test uses the setting of the request
whose turn it is, under a queue id of its own, and each end draws its basis; one in three has equal bases at both ends.
What they show is noted after 1, 2, 4, 8 ... of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from qstack.core.nouns import Note, Noun, Send
from qstack.link.queue import Link, remember
from qstack.services.bell import Basis
from qstack.services.estimation import Tally
from qstack.services.l1_physical import Heralded
from qstack.wire.link import LinkTest

BASES = tuple(Basis)


@dataclass(slots=True)
class Trials:
    """Test rounds with one neighbour: those that wait for the neighbour's or for my bit, and what they have shown.

    Attributes
    ----------
    rows
        Setting of the test that each lane makes.
    mine, theirs
        Rounds that wait for the other bit, by the pair's number: row and success here, or what the neighbour has said.
    tallies
        Counts by row of the link's table.
    """

    rows: dict[int, int] = field(default_factory=dict)
    mine: dict[int, tuple[int, Heralded]] = field(default_factory=dict)
    theirs: dict[int, LinkTest] = field(default_factory=dict)
    tallies: dict[int, Tally] = field(default_factory=dict)

    def measured(self, ind: Heralded) -> Iterator[Noun]:
        """Take my bit and tell the neighbour."""
        remember(self.mine, ind.sequence, (self.rows.get(ind.lane, 0), ind))
        yield Send(ind.peer, LinkTest(ind.sequence, ind.basis, ind.outcome))
        yield from self._compare(ind.peer, ind.sequence)

    def heard(self, peer: int, msg: LinkTest) -> Iterator[Noun]:
        """Take the neighbour's bit; one that is lost costs its round, and nothing else."""
        remember(self.theirs, msg.sequence, msg)
        yield from self._compare(peer, msg.sequence)

    def _compare(self, peer: int, sequence: int) -> Iterator[Noun]:
        if sequence not in self.mine or sequence not in self.theirs:
            return
        (row, ind), msg = self.mine.pop(sequence), self.theirs.pop(sequence)
        if ind.basis != msg.basis:
            return
        tally = self.tallies.setdefault(row, Tally())
        tally.add(ind.basis, ind.bell, ind.outcome, msg.outcome)
        if tally.total & (tally.total - 1) == 0:
            fidelity, low, high = tally.estimate()
            told = f"fidelity {fidelity:.3f} ({low:.3f} to {high:.3f}) after {tally.total} test rounds"
            yield Note(f"link to node {peer}, row {row}: {told}")


def is_due(link: Link, lane: int, period: int) -> bool:
    """Tell whether the next success of a lane is a test round: after every n-th success of the link."""
    return period > 0 and link.turns[lane] % period == period - 1 and link.turns[lane] >= 0
