"""Lanes and links: what two neighbours want of their memories, and what a success makes of them.

A qubit that is kept (K) fills its memory from the attempt until it is freed, so a lane attempts only in every so many
cycles that the answer of one attempt comes before the next.  One that is measured at once (M) fills nothing: attempts
are made in every cycle, while answers are on their way.  If one end keeps and the other measures (R), they attempt as
for K.

An end whose REPLY is lost takes the attempt for a failure: its qubit is gone, and the REPLY of its next attempt tells it
the number that it has missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qstack.core.clock import Clock
from qstack.core.errors import PhysicsError
from qstack.core.nouns import Noun
from qstack.hardware.course import Course
from qstack.hardware.cryostat import Cold
from qstack.hardware.pairs import Half, Law, Pair, measure
from qstack.hardware.randomness import Stream
from qstack.hardware.register import Exchange
from qstack.hardware.tally import Counted, Noted, worn
from qstack.plugin.contracts import Outcome
from qstack.plugin.protocols import Fate
from qstack.services.device import Herald, Missed, Room

SEQUENCES = 1 << 16

Mode = tuple[int, bool, tuple[int, ...]]
"""How an end attempts: row of the table, whether it keeps the qubit, bases to draw from if not."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of a link's table as its medium sees it.

    Parameters
    ----------
    period
        Time between the beginnings of two cycles [ps].
    probability
        Success probability per attempt.
    outcomes
        What a success announces; the shares sum to one.
    course
        How both change with time; None if they never do, else it holds.
    """

    period: int
    probability: float
    outcomes: tuple[Outcome, ...]
    course: Course | None = None

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
    gate
        Factor 1 - q of its two-qubit gate.
    tally
        The node's attempts, if they dephase what it has stored.
    cold
        When the node is cold; None is always.
    """

    node: int
    peer: int
    feed: Callable[[Noun, int], None]
    qubits: dict[int, Half]
    law: Law | None
    emit: int
    reply: int
    readout: float = 1.0
    gate: float = 1.0
    tally: Counted | Noted | None = None
    cold: Cold | None = None

    def stored(self, born: int) -> Law | None:
        """Return how a half decays that was emitted at a time [ps]."""
        law = self.law if self.tally is None else worn(self.law, self.tally, born)
        return law if self.cold is None else self.cold.law(law, born)


class Success:
    """An attempt that will succeed, from its draw until its answer arrives; `void` if it never happens."""

    __slots__ = ("aid", "begin", "kept", "lane", "modes", "void")

    def __init__(self, lane: Lane, begin: int) -> None:
        """Take the request and the ways of attempting from what both ends want now."""
        self.lane = lane
        self.begin = begin
        self.aid = lane.aid[0]
        self.modes = lane.modes
        self.kept = lane.kept
        self.void = False


class Lane:
    """A pair of memories, one at each end, with what each end wants of it.

    Attributes
    ----------
    agreed
        Whether both ends attempt for the same request with the same setting.
    kept
        Whether an end keeps its qubit.
    next
        The success that the attempts now being made will end with; None if none are made.
    open
        Whether it has the communication qubits that it needs where nodes share them.
    pace
        How often each end attempts, alone or not, as its node has been told [ps]; 0 is not at all.
    """

    __slots__ = ("agreed", "aid", "free", "index", "kept", "link", "modes", "next", "open", "pace")

    def __init__(self, link: Link, index: int) -> None:
        self.link = link
        self.index = index
        self.aid = [-1, -1]
        self.free = [True, True]
        self.modes: tuple[Mode, Mode] = ((0, True, ()), (0, True, ()))
        self.agreed = False
        self.kept = True
        self.next: Success | None = None
        self.open = False
        self.pace = [0, 0]

    def want(self, side: int, aid: int, mode: Mode) -> None:
        """Take what an end wants from now on."""
        self.aid[side] = aid
        a, b = self.modes
        self.modes = (mode, b) if side == 0 else (a, mode)
        (mine, theirs), (a, b) = self.aid, self.modes
        self.agreed = mine >= 0 and mine == theirs and a[0] == b[0]
        self.kept = a[1] or b[1]

    def release(self, side: int, now: int) -> None:
        """Give this end's memory back; attempts go on."""
        free, link = self.free, self.link
        free[side] = True
        if link.counted:
            link.settle(self, now)
        if link.exchange is not None:
            link.exchange.release(self, side)
        if link.wanted[side]:
            link.tell_room(side, now)
        if free[1 - side] and self.agreed and self.next is None:
            link.resume(self, now)


class Link:
    """All lanes between two neighbours; subclasses decide when an attempt succeeds.

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

    Attributes
    ----------
    deaf
        Tells what happens to the REPLY of a success on its way to an end, from side (0 or 1) and number; None has all arrive.
    mute
        Tells what happens to a GEN on its way to the midpoint, from its side; None has all arrive.  Skip-ahead has no GENs.
    counted
        Sides whose node counts its attempts.
    lasting
        Whether halves decay at both ends by the same law whenever they are made.
    exchange
        Who may attempt, if an end has a register of qubits that its lanes share; None otherwise.
    wanted
        Which end has asked for room while there was none.
    pair_type, half_type
        How a tier keeps the state of a pair.
    """

    pair_type: type[Pair] = Pair
    half_type: type[Half] = Half

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
        self.draw = draw
        self.numbers = numbers
        self.measured_cycles = [s.period for s in settings]
        slowest = max(ends[0].reply, ends[1].reply)
        self.kept_cycles = [s.period * max(1, -(-slowest // s.period)) for s in settings]
        self.together = ends[0].reply == ends[1].reply
        self.first_reply = min(ends[0].reply, ends[1].reply)
        self.successes = 0
        self.deaf: Callable[[int, int], Fate] | None = None
        self.mute: Callable[[int], Fate] | None = None
        self.wanted = [False, False]
        self.replies: tuple[deque[Herald], deque[Herald]] = (deque(), deque())
        self.certain = [s.outcomes[0] if len(s.outcomes) == 1 and s.course is None else None for s in settings]
        self.exchange: Exchange | None = None
        self.pair_type, self.half_type = self.pair_type, self.half_type  # an object's own names are found sooner
        self.lasting = all(end.tally is None and end.cold is None for end in ends)
        self.counted = [side for side, end in enumerate(ends) if end.tally is not None]
        for end in ends:
            if end.tally is not None:
                end.tally.horizon = max(end.tally.horizon, slowest)

    def trigger(self, side: int, lane: Lane, aid: int, mode: Mode, now: int) -> None:
        """Take one end's new standing answer."""
        raise NotImplementedError

    def resume(self, lane: Lane, now: int) -> None:
        """Go on attempting on a lane of which a memory has become free."""
        raise NotImplementedError

    def cycle(self, lane: Lane) -> int:
        """Return the time between attempts of a lane [ps], 0 if no end wants to attempt."""
        if self.exchange is not None and not lane.open:
            return 0
        wanted = [mode for aid, free, mode in zip(lane.aid, lane.free, lane.modes, strict=True) if aid >= 0 and free]
        if not wanted:
            return 0
        return max(self.kept_cycles[row] if keep else self.measured_cycles[row] for row, keep, _ in wanted)

    def settle(self, lane: Lane, now: int) -> None:
        """Tell the nodes from when on a lane attempts at another pace; of use where attempts are counted."""

    def room(self, side: int) -> Room:
        """Count the memories of an end that hold nothing; one that has none is told when that changes."""
        free = sum(lane.free[side] for lane in self.lanes)
        self.wanted[side] = not free
        return Room(self.ends[side].peer, free)

    def tell_room(self, side: int, now: int) -> None:
        """Tell an end that has asked for room that there is some, after everything else that is going on there."""
        self.wanted[side] = False
        self.clock.at(now, self._tell_room, (side, now))

    def _tell_room(self, event: tuple[int, int]) -> None:
        side, now = event
        room = self.room(side)
        if room.free:
            self.ends[side].feed(room, now)

    def announce(self, row: int, begin: int) -> Outcome:
        """Draw what a success announces whose attempt began at a time [ps]."""
        setting = self.settings[row]
        outcomes = setting.outcomes if setting.course is None else setting.course.announced(begin)
        place = self.draw.uniform()
        for outcome in outcomes:
            place -= outcome.share
            if place < 0:
                return outcome
        return outcomes[-1]  # rounding has left a rest

    def create(self, success: Success, outcome: Outcome, sequence: int) -> None:
        """Make the pair of a success and tell both ends what the midpoint's REPLY says."""
        lane, begin, aid = success.lane, success.begin, success.aid
        self.successes += 1
        a, b = self.ends
        index, bell, half_type = lane.index, outcome.bell, self.half_type
        x, y, z = outcome.correlators
        pair = self.pair_type(bell, x, y, z)
        if outcome.state is not None:
            pair.begin(outcome.state)
        born_a, born_b = begin + a.emit, begin + b.emit
        law_a, law_b = (a.law, b.law) if self.lasting else (a.stored(born_a), b.stored(born_b))
        pair.a = half_a = half_type(pair, law_a, born_a, lane, 0)
        pair.b = half_b = half_type(pair, law_b, born_b, lane, 1)
        (_, keep_a, _), (_, keep_b, _) = success.modes
        if keep_a and keep_b and self.deaf is None:
            numbers, free = self.numbers, lane.free
            free[0] = free[1] = False
            qubit = numbers()
            a.qubits[qubit] = half_a
            b.qubits[qubit] = half_b
            if self.exchange is not None:
                self.exchange.fill(lane, 0, half_a, begin + a.reply)
                self.exchange.fill(lane, 1, half_b, begin + b.reply)
            for_a = Herald(a.peer, index, aid, sequence, bell, qubit, born_a, -1, -1)
            for_b = Herald(b.peer, index, aid, sequence, bell, qubit, born_b, -1, -1)
            if self.together and not (self.replies[0] or self.replies[1]):
                now, feed_a, feed_b = begin + a.reply, a.feed, b.feed
                feed_a(for_a, now)
                feed_b(for_b, now)
            else:
                self._send_back(0, for_a, begin)
                self._send_back(1, for_b, begin)
            return
        self._announce(success, sequence, (half_a, half_b))

    def _announce(self, success: Success, sequence: int, halves: tuple[Half, Half]) -> None:
        """Tell each end of a success for which it keeps or measures its half, unless the REPLY to it is lost or late."""
        lane, bell, qubit = success.lane, halves[0].pair.bell, self.numbers()
        fates = [self.deaf(side, sequence) if self.deaf is not None else None for side in (0, 1)]
        lost = [side for side, fate in enumerate(fates) if fate and fate[0] != "twice"]
        for side, (end, half, mode) in enumerate(zip(self.ends, halves, success.modes, strict=True)):
            row, keep, bases = mode
            expected, fate = success.begin + end.reply, fates[side]
            if side in lost:
                missed = Missed(end.peer, sequence)
                self._tell(end, missed, expected + (self.kept_cycles if success.kept else self.measured_cycles)[row])
                if fate and fate[0] == "late":  # it comes to a qubit that is gone: all that is news is its number
                    self._tell(end, missed, expected + fate[1])
                del half.pair
                continue
            where = (end.peer, lane.index, success.aid, sequence, bell)
            if keep:
                lane.free[side] = False
                end.qubits[qubit] = half
                herald = Herald(*where, qubit, half.born, -1, -1)
            else:
                herald = Herald(*where, -1, half.born, *self._measured(end, half, bases))
            self._send_back(side, herald, success.begin)
            if fate:
                self._tell(end, herald, expected + fate[1])
        if self.exchange is not None and success.kept:
            for side, (end, half, (_, keep, _)) in enumerate(zip(self.ends, halves, success.modes, strict=True)):
                self.exchange.fill(lane, side, half if keep and side not in lost else None, success.begin + end.reply)
            self.settle(lane, self.clock.now)
        for side in lost:
            if success.modes[side][1]:
                lane.release(side, self.clock.now)

    def _tell(self, end: End, noun: Herald | Missed, at: int) -> None:
        self.clock.at(at, _give, (end, noun, at))

    def _send_back(self, side: int, herald: Herald, begin: int) -> None:
        """Have a REPLY arrive at an end; those to one end come in their order."""
        self.replies[side].append(herald)
        self.clock.at(begin + self.ends[side].reply, self._arrive, (side, begin + self.ends[side].reply))

    def _arrive(self, event: tuple[int, int]) -> None:
        side, now = event
        self.ends[side].feed(self.replies[side].popleft(), now)

    def _measured(self, end: End, half: Half, bases: tuple[int, ...]) -> tuple[int, int]:
        """Measure a half at its emission in a basis that its end draws; return basis and bit."""
        basis = bases[int(self.draw.uniform() * len(bases))]
        bit = measure(half, basis, end.readout, self.draw, half.born)
        del half.pair
        return basis, bit


def _give(event: tuple[End, Herald | Missed, int]) -> None:
    end, noun, now = event
    end.feed(noun, now)
