"""Links in skip-ahead: one draw gives the time of a lane's next success.

Attempts of a lane are independent, so the number of attempts until a success is geometric and forgets its past.  A
change of either end's standing answer at time t redraws only attempts that begin at or after t; what was emitted
earlier keeps its outcome, and its herald still arrives.  Nothing in one lane touches another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log1p

from qstack.core.clock import Clock
from qstack.core.errors import PhysicsError
from qstack.core.nouns import Noun
from qstack.hardware.pairs import Half, Law, Pair, measure
from qstack.hardware.randomness import Stream
from qstack.plugin.contracts import Outcome
from qstack.services.device import Herald

SEQUENCES = 1 << 16


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of a link's table as its medium sees it.

    Parameters
    ----------
    period
        Time between attempts of a lane [ps].
    probability
        Success probability per attempt.
    outcomes
        What a success announces; the shares sum to one.
    """

    period: int
    probability: float
    outcomes: tuple[Outcome, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise PhysicsError(f"success probability {self.probability} is not in [0, 1]")
        if self.period <= 0:
            raise PhysicsError(f"attempt period {self.period} ps is not positive")


@dataclass(slots=True)
class End:
    """One end of a link.

    Parameters
    ----------
    node, peer
        Numbers of this node and of its neighbour.
    feed
        Gives the node an indication.
    qubits
        The node's qubits by number.
    law
        Decay of its memories.
    emit, reply
        When, after the beginning of a cycle, the photon leaves and the answer arrives [ps].
    readout
        Factor 1 - 2m of its readout.
    """

    node: int
    peer: int
    feed: Callable[[Noun, int], None]
    qubits: dict[int, Half]
    law: Law | None
    emit: int
    reply: int
    readout: float = 1.0


class Lane:
    """A pair of memories, one at each end."""

    __slots__ = ("aid", "begin", "free", "index", "link", "modes", "token")

    def __init__(self, link: LaneLink, index: int) -> None:
        self.link = link
        self.index = index
        self.aid = [-1, -1]
        self.free = [True, True]
        self.modes: list[tuple[int, bool, tuple[int, ...]]] = [(0, True, ()), (0, True, ())]
        self.begin = -1  # beginning of the cycle that will succeed
        self.token = 0

    def release(self, side: int, now: int) -> None:
        """Give this end's memory back; attempts go on if both ends agree."""
        self.free[side] = True
        if self.free[1 - side] and self.begin < 0:
            aid = self.aid
            if aid[0] >= 0 and aid[0] == aid[1]:
                self.link.schedule(self, now)


class LaneLink:
    """All lanes between two neighbours.

    Parameters
    ----------
    clock
        The host.
    ends
        The two ends.
    lanes
        Number of memory pairs.
    settings
        Rows of the link's table.
    draw
        The link's random stream.
    numbers
        Returns the next qubit number of the medium.
    """

    def __init__(
        self,
        clock: Clock,
        ends: tuple[End, End],
        lanes: int,
        settings: Sequence[Setting],
        draw: Stream,
        numbers: Callable[[], int],
    ) -> None:
        self.clock = clock
        self.ends = ends
        self.lanes = [Lane(self, index) for index in range(lanes)]
        self.settings = settings
        # Attempts until success are 1 + floor(exponential * scale): P(more than n) = (1 - p)**n.
        self.scales = [
            0.0 if s.probability == 1 else float("inf") if s.probability == 0 else -1 / log1p(-s.probability)
            for s in settings
        ]
        self.draw = draw
        self.numbers = numbers
        self.sequence = 0
        self.successes = 0

    def trigger(self, side: int, lane: Lane, aid: int, mode: tuple[int, bool, tuple[int, ...]], now: int) -> None:
        """Take one end's new standing answer."""
        if lane.aid[side] == aid and lane.modes[side] == mode:
            return
        lane.aid[side] = aid
        lane.modes[side] = mode
        if lane.begin >= now:  # not yet emitted: this attempt does not happen
            lane.token += 1
            lane.begin = -1
        if lane.begin < 0 and lane.free[0] and lane.free[1] and aid >= 0 and lane.aid[1 - side] == aid:
            self.schedule(lane, now)

    def schedule(self, lane: Lane, now: int) -> None:
        """Draw the cycle in which this lane succeeds next."""
        row = lane.modes[0][0]
        period = self.settings[row].period
        attempts = self.draw.exponential() * self.scales[row]
        if attempts == float("inf"):
            return
        begin = (-(-now // period) + int(attempts)) * period
        lane.begin = begin
        lane.token += 1
        a, b = self.ends
        clock = self.clock
        if a.reply == b.reply:
            clock.at(begin + a.reply, self.succeed, (lane, lane.token))
        else:
            first = min(a.reply, b.reply)
            clock.at(begin + first, self.succeed, (lane, lane.token))

    def succeed(self, event: tuple[Lane, int]) -> None:
        """Make the pair and tell both ends what the midpoint's REPLY says."""
        lane, token = event
        if lane.token != token:
            return
        begin = lane.begin
        lane.begin = -1
        row, keep, bases = lane.modes[0]
        outcomes = self.settings[row].outcomes
        outcome = outcomes[0]
        if len(outcomes) > 1:
            place = self.draw.uniform()
            for outcome in outcomes:
                place -= outcome.share
                if place < 0:
                    break
        sequence = self.sequence
        self.sequence = (sequence + 1) % SEQUENCES
        self.successes += 1
        a, b = self.ends
        x, y, z = outcome.correlators
        pair = Pair(outcome.bell, x, y, z)
        pair.a = half_a = Half(pair, a.law, begin + a.emit, lane, 0)
        pair.b = half_b = Half(pair, b.law, begin + b.emit, lane, 1)
        index = lane.index
        aid = lane.aid[0]
        now = self.clock.now
        if not keep:
            self._measured(lane, (half_a, half_b), bases, (aid, sequence, outcome.bell), begin)
            return
        qubit = self.numbers()
        lane.free[0] = lane.free[1] = False
        a.qubits[qubit] = half_a
        b.qubits[qubit] = half_b
        for_a = Herald(a.peer, index, aid, sequence, outcome.bell, qubit, begin + a.emit, -1, -1)
        for_b = Herald(b.peer, index, aid, sequence, outcome.bell, qubit, begin + b.emit, -1, -1)
        if a.reply == b.reply:
            a.feed(for_a, now)
            b.feed(for_b, now)
        else:
            self._tell_apart(for_a, for_b, begin)

    def _measured(
        self, lane: Lane, halves: tuple[Half, Half], bases: tuple[int, ...], said: tuple[int, int, int], begin: int
    ) -> None:
        """Measure both halves at their emission, each end in a basis of its own choice."""
        heralds = []
        for end, half in zip(self.ends, halves, strict=True):
            basis = bases[int(self.draw.uniform() * len(bases))]
            bit = measure(half, basis, end.readout, self.draw, half.born)
            heralds.append(Herald(end.peer, lane.index, *said, -1, half.born, basis, bit))
        a, b = self.ends
        if a.reply == b.reply:
            a.feed(heralds[0], self.clock.now)
            b.feed(heralds[1], self.clock.now)
        else:
            self._tell_apart(heralds[0], heralds[1], begin)
        if lane.begin < 0 and lane.aid[0] >= 0 and lane.aid[0] == lane.aid[1]:
            self.schedule(lane, max(self.clock.now, begin + self.settings[lane.modes[0][0]].period))

    def _tell_apart(self, for_a: Herald, for_b: Herald, begin: int) -> None:
        """Tell each end when its own answer arrives."""
        for end, herald in zip(self.ends, (for_a, for_b), strict=True):
            self.clock.at(begin + end.reply, _tell, (end, herald, begin + end.reply))


def _tell(event: tuple[End, Herald, int]) -> None:
    end, herald, now = event
    end.feed(herald, now)
