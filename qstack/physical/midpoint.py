"""The midpoint of a link: compare what both nodes attempt for, measure their photons, tell both (midpoint heralding).

    window of a lane and cycle
    CLOSED --Gen--> ONE SIDE --Gen of the other, equal ids/Interfere--> MEASURING --Clicked/Reply to both--> CLOSED
                       |  '--Gen of the other, different ids/Reply(QUEUE_MISMATCH) to both--> CLOSED
                       '--WindowClosed/Reply(NO_CLASSICAL_OTHER) to that one--> CLOSED

A Gen for a window that has closed is answered by OUT_OF_WINDOW.  Nothing of one window is carried into another
(QS-L1-005).  Cycles compare as serial numbers modulo 2**64, successes count modulo 2**16.

Specification: specs/physical/physical.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Context, Layer, Outputs, on
from qstack.core.nouns import Cancel, Send, Set, Timer, timer
from qstack.physical.serial import SEQUENCES, step
from qstack.services.device import Clicked, Interfere
from qstack.wire.physical import NO_CLASSICAL_OTHER, NO_ERROR, OUT_OF_WINDOW, QUEUE_MISMATCH, Gen, Reply

CYCLES = 1 << 64
FAILURE, SUCCESS, NO_GENERATION = 0, 1, 3


@timer
class WindowClosed(Timer):
    """The photons of this lane and cycle are here, or will never be."""

    lane: int
    cycle: int


@dataclass(slots=True)
class Window:
    """What has come for a lane and cycle: the queue id of each side, -1 while it has not."""

    row: int
    aids: list[int]


class Midpoint(Layer):
    """One per link.

    Parameters
    ----------
    nodes
        Numbers of the two nodes.
    window
        How long after the first of the two messages the second may come [ps].
    """

    name = "midpoint"

    def __init__(self, nodes: tuple[int, int], window: int) -> None:
        self.nodes = nodes
        self.window = window
        self.sequence = 0
        self.windows: dict[tuple[int, int], Window] = {}
        self.measuring: dict[tuple[int, int], Window] = {}
        self.closed: dict[int, int] = {}

    @on(Gen)
    def gen(self, msg: Gen, ctx: Context) -> Outputs:
        """Open a window, or compare with what the other node attempts for."""
        if ctx.sender not in self.nodes or msg.node != ctx.sender:
            raise RemoteProtocolError(f"node {ctx.sender} speaks for node {msg.node} at the midpoint of {self.nodes}")
        side = self.nodes.index(ctx.sender)
        key = (msg.lane, msg.cycle)
        window = self.windows.get(key)
        if window is None:
            return self._open(msg, side, ctx)
        if window.aids[side] >= 0:
            return ()  # a repetition
        window.aids[side] = msg.aid
        closing = self._close(key)
        if window.aids[0] != window.aids[1]:  # QS-L1-002
            return (closing, *self._both(key, window, NO_GENERATION, QUEUE_MISMATCH))
        self.measuring[key] = window
        return (closing, Interfere(msg.lane, msg.cycle, window.row))

    def _open(self, msg: Gen, side: int, ctx: Context) -> Outputs:
        closed = self.closed.get(msg.lane)
        if closed is not None and step(closed, msg.cycle, CYCLES) <= 0:
            aids = [msg.aid, -1] if side == 0 else [-1, msg.aid]
            window = Window(msg.row, aids)
            return (self._reply((msg.lane, msg.cycle), window, side, NO_GENERATION, OUT_OF_WINDOW),)
        window = self.windows[msg.lane, msg.cycle] = Window(msg.row, [-1, -1])
        window.aids[side] = msg.aid
        return (Set(WindowClosed(msg.lane, msg.cycle), ctx.now + self.window),)

    def _close(self, key: tuple[int, int]) -> Cancel:
        lane, cycle = key
        del self.windows[key]
        if lane not in self.closed or step(self.closed[lane], cycle, CYCLES) > 0:
            self.closed[lane] = cycle
        return Cancel(WindowClosed(lane, cycle))

    @on(WindowClosed)
    def window_closed(self, due: WindowClosed, ctx: Context) -> Outputs:
        """Tell the one node that did attempt that it was alone; its photon is lost (QS-L1-003)."""
        key = (due.lane, due.cycle)
        window = self.windows.get(key)
        if window is None:
            return ()
        self._close(key)
        side = 0 if window.aids[0] >= 0 else 1
        return (self._reply(key, window, side, NO_GENERATION, NO_CLASSICAL_OTHER),)

    @on(Clicked)
    def clicked(self, ind: Clicked, ctx: Context) -> Outputs:
        """Tell both nodes what the detectors say; successes are numbered without gaps (QS-L1-004)."""
        key = (ind.lane, ind.cycle)
        window = self.measuring.pop(key, None)
        if window is None:
            return ()
        if ind.bell < 0:
            return self._both(key, window, FAILURE, NO_ERROR)
        replies = self._both(key, window, SUCCESS, NO_ERROR, ind.bell)
        self.sequence = (self.sequence + 1) % SEQUENCES
        return replies

    def _both(self, key: tuple[int, int], window: Window, outcome: int, error: int, bell: int = 0) -> tuple[Send, ...]:
        return tuple(self._reply(key, window, side, outcome, error, bell) for side in (0, 1))

    def _reply(self, key: tuple[int, int], window: Window, side: int, outcome: int, error: int, bell: int = 0) -> Send:
        number = self.sequence if outcome == SUCCESS else (self.sequence - 1) % SEQUENCES
        mine, theirs = window.aids[side], window.aids[1 - side]
        return Send(self.nodes[side], Reply(outcome, error, bell, number, mine, theirs, key[1], key[0]))
