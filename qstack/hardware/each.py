"""Links attempt by attempt: every photon is sent, every cycle asks the midpoint; for teaching, and to judge skip-ahead.

The midpoint is a machine of its own, handed in from outside; this link carries its messages, stands for its detectors
and tells the nodes of its successes.  Attempts of one instant come after everything else that was due at that instant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from qstack.core.clock import Clock
from qstack.core.layer import Context, Handler, Layer, Outputs
from qstack.core.node import Node
from qstack.core.nouns import Cancel, Noun, Send, Set, Timer
from qstack.hardware.lanes import End, Lane, Link, Mode, Setting, Success
from qstack.hardware.randomness import Stream
from qstack.hardware.tally import Noted
from qstack.plugin.contracts import Outcome
from qstack.services.device import Clicked, Interfere
from qstack.wire.physical import Gen, Reply


class EachLane(Lane):
    """A pair of memories; `pending` tells that a cycle of this lane is on the heap."""

    __slots__ = ("pending",)

    def __init__(self, link: Link, index: int) -> None:
        super().__init__(link, index)
        self.pending = False

    def release(self, side: int, now: int) -> None:
        """Give this end's memory back; it attempts again, whatever the other end does."""
        self.free[side] = True
        if self.link.exchange is not None:
            self.link.exchange.release(self, side)
        self.link.resume(self, now)


class EachLink(Link):
    """A link attempt by attempt.  Parameters as in `Link`, and the midpoint.

    Attributes
    ----------
    attempts, refused
        Attempts made by at least one end, and those without Bell measurement, by the midpoint's error.
    """

    def __init__(
        self,
        clock: Clock,
        ends: tuple[End, End],
        lanes: int,
        settings: Sequence[Setting],
        draw: Stream,
        numbers: Callable[[], int],
        midpoint: Layer,
    ) -> None:
        super().__init__(clock, ends, lanes, settings, draw, numbers)
        self.lanes = [EachLane(self, index) for index in range(lanes)]
        effects: dict[type[Noun], Handler] = {
            Send: self._send,
            Set: self._set,
            Cancel: self._cancel,
            Interfere: self._interfere,
        }
        self.station = Node(-1, (midpoint,), effects)
        self.attempts = 0
        self.refused: dict[int, int] = {}
        self.heralded: deque[tuple[Success, Outcome, int]] = deque()
        self._windows: list[Timer] = []
        self._outcome: Outcome | None = None
        self._reply: Reply | None = None

    def trigger(self, side: int, lane: Lane, aid: int, mode: Mode, now: int) -> None:
        """Take one end's new standing answer: it holds from the next cycle on."""
        cycle = self.cycle(lane)
        lane.want(side, aid, mode)
        if self.exchange is not None and lane.open and not lane.agreed and all(lane.free):
            self.exchange.close(lane, cycle, now)
        self.resume(lane, now)

    def resume(self, lane: Lane, now: int) -> None:
        """Put the lane's next cycle on the heap if an end wants it."""
        assert isinstance(lane, EachLane)
        if self.exchange is not None and not self.exchange.admit(lane, now):
            return
        cycle = self.cycle(lane)
        if cycle and not lane.pending:
            lane.pending = True
            self.clock.at(-(-now // cycle) * cycle, self._begin, lane)

    def _begin(self, lane: EachLane) -> None:
        """Let everything else that is due now come first."""
        self.clock.at(self.clock.now, self._attempt, lane)

    def _attempt(self, lane: EachLane) -> None:
        now = self.clock.now
        lane.pending = False
        cycle = self.cycle(lane)
        if not cycle:
            return
        if now % cycle:  # an end wants another cycle than it wanted when this one was put on the heap
            self.resume(lane, now)
            return
        self.attempts += 1
        self._reply = None
        self._emit(lane, now, now // cycle)
        for window in self._windows[:]:
            self.station.feed(window, now)
        self._windows.clear()
        reply: Reply | None = self._reply
        if reply is not None and self._outcome is not None and reply.outcome == 1:
            success = Success(lane, now)
            for side, (_, keep, _) in enumerate(success.modes):
                if keep:
                    lane.free[side] = False  # full from now on, though nobody knows yet
            self.heralded.append((success, self._outcome, reply.sequence))
            self.clock.at(now + self.first_reply, self._tell, None)
        self.resume(lane, now + 1)

    def _emit(self, lane: EachLane, now: int, number: int) -> None:
        """Have every end attempt that wants to and can."""
        for side, end in enumerate(self.ends):
            if lane.aid[side] < 0 or not lane.free[side]:
                continue
            if isinstance(end.tally, Noted):
                end.tally.note(now)
            if self.mute is None or not self.mute(side):
                row = lane.modes[side][0]
                self.station.receive(Gen(end.node, number, lane.aid[side], lane.index, row), end.node, now)

    def _tell(self, _: None) -> None:
        success, outcome, sequence = self.heralded.popleft()  # in the order of their numbers
        self.create(success, outcome, sequence)
        lane = success.lane
        if self.exchange is not None and self.exchange.contested(lane):
            self.exchange.take_turns(lane, self.cycle(lane), self.clock.now)

    def _send(self, noun: Send, context: Context) -> Outputs:
        reply = noun.message
        assert isinstance(reply, Reply)
        if noun.peer == self.ends[0].node or self._reply is None:
            self._reply = reply
            if reply.error:
                self.refused[reply.error] = self.refused.get(reply.error, 0) + 1
        return ()

    def _set(self, noun: Set, context: Context) -> Outputs:
        self._windows.append(noun.timer)
        return ()

    def _cancel(self, noun: Cancel, context: Context) -> Outputs:
        if noun.timer in self._windows:
            self._windows.remove(noun.timer)
        return ()

    def _interfere(self, noun: Interfere, context: Context) -> Outputs:
        """Stand for the detectors: draw whether the clicks announce a pair, and which."""
        alike = self.lanes[noun.lane].agreed  # the same row and the same fate of the qubit at both ends
        setting, now = self.settings[noun.row], self.clock.now
        probability = setting.probability if setting.course is None else setting.course.probability(now)
        lucky = alike and self.draw.uniform() < probability
        self._outcome = (self.certain[noun.row] or self.announce(noun.row, now)) if lucky else None
        return (Clicked(noun.lane, noun.cycle, self._outcome.bell if self._outcome else -1),)
