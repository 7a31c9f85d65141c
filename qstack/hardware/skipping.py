"""Links in skip-ahead: one draw gives the time of a lane's next success.

Attempts of a lane are independent, so the number of attempts until a success is geometric and forgets its past.  A
change of either end's standing answer at time t redraws only attempts that begin at or after t; what was emitted
earlier keeps its outcome, and its herald still arrives.  Nothing in one lane touches another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, log1p

from qstack.core.clock import Clock
from qstack.hardware.course import Summed
from qstack.hardware.lanes import SEQUENCES, End, Lane, Link, Mode, Setting, Success
from qstack.hardware.randomness import Stream
from qstack.hardware.tally import Counted


class LaneLink(Link):
    """A link in skip-ahead.  Parameters as in `Link`."""

    def __init__(
        self,
        clock: Clock,
        ends: tuple[End, End],
        lanes: int,
        settings: Sequence[Setting],
        draw: Stream,
        numbers: Callable[[], int],
    ) -> None:
        super().__init__(clock, ends, lanes, settings, draw, numbers)
        # Attempts until success are 1 + floor(exponential * scale): P(more than n) = (1 - p)**n.
        self.scales = [
            0.0 if s.probability == 1 else inf if s.probability == 0 else -1 / log1p(-s.probability) for s in settings
        ]
        self.summed = [
            None if s.course is None else {cycle: Summed(s.course, cycle) for cycle in (measured, kept)}
            for s, measured, kept in zip(settings, self.measured_cycles, self.kept_cycles, strict=True)
        ]
        self.sequence = 0

    def trigger(self, side: int, lane: Lane, aid: int, mode: Mode, now: int) -> None:
        """Take one end's new standing answer; only attempts that have not begun are drawn anew."""
        if lane.aid[side] == aid and lane.modes[side] == mode:
            return
        self._redraw(lane, now)
        cycle = self.cycle(lane)
        lane.want(side, aid, mode)
        if lane.open and not lane.agreed and lane.next is None and self.exchange is not None:
            self.exchange.close(lane, cycle, now)
        if self.counted:
            self.settle(lane, now)
        if lane.agreed and lane.next is None and lane.free[0] and lane.free[1]:
            self.resume(lane, now)

    def _redraw(self, lane: Lane, now: int) -> None:
        """Forget the lane's next success if its attempt has not begun."""
        success = lane.next
        if success is None:
            return
        if success.begin >= now:
            success.void = True
            lane.next = None
        elif not success.kept:
            self._catch_up(lane, success, now)

    def _catch_up(self, lane: Lane, success: Success | None, now: int) -> None:
        """Draw the measured attempts that followed a success whose answer is still on its way."""
        while success is not None and success.begin < now:
            lane.next = None
            self.resume(lane, success.begin + self.measured_cycles[success.modes[0][0]])
            success = lane.next
        if success is not None:
            success.void = True
            lane.next = None

    def resume(self, lane: Lane, now: int) -> None:
        """Draw the lane's next success among the attempts that begin from now on; both ends agree on them."""
        if self.exchange is not None and not self.exchange.admit(lane, now):
            return
        row = lane.modes[0][0]
        cycle = self.kept_cycles[row] if lane.kept else self.measured_cycles[row]
        summed = self.summed[row]
        if summed is not None:
            attempt = summed[cycle].success(-(-now // cycle), self.draw.exponential())
            if attempt is None:
                return
            begin = attempt * cycle
        else:
            attempts = self.draw.exponential() * self.scales[row]
            if attempts == inf:
                return
            begin = (-(-now // cycle) + int(attempts)) * cycle
        lane.next = success = Success(lane, begin)
        self.clock.at(begin + self.first_reply, self.succeed, success)
        if lane.kept and self.counted:
            self.clock.at(begin + 1, self._fill, success)

    def settle(self, lane: Lane, now: int) -> None:
        """Tell the nodes from when on a lane attempts at another pace."""
        cycle = self.cycle(lane)
        for side in self.counted:
            pace = cycle if lane.aid[side] >= 0 and lane.free[side] else 0
            tally = self.ends[side].tally
            if pace != lane.pace[side] and isinstance(tally, Counted):
                tally.change(now, lane.pace[side], pace)
                lane.pace[side] = pace

    def _fill(self, success: Success) -> None:
        """Have memories full from the attempt on that succeeds, though nobody knows yet: they attempt no more."""
        if success.void:
            return
        for side, (_, keep, _) in enumerate(success.modes):
            if keep:
                success.lane.free[side] = False
        self.settle(success.lane, success.begin + 1)

    def succeed(self, success: Success) -> None:
        """Make the pair when the first answer arrives."""
        if success.void:
            return
        lane = success.lane
        if lane.next is success:
            lane.next = None
            if not success.kept:
                self.resume(lane, success.begin + self.measured_cycles[success.modes[0][0]])
        sequence = self.sequence
        self.sequence = (sequence + 1) % SEQUENCES
        row = success.modes[0][0]
        self.create(success, self.certain[row] or self.announce(row, success.begin), sequence)
        if self.exchange is not None and self.exchange.contested(lane):
            now = success.begin + self.first_reply
            self._redraw(lane, now)
            self.exchange.take_turns(lane, self.cycle(lane), now)
