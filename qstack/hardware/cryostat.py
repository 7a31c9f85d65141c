"""When a device is cold: it attempts only then, and what it has stored may be lost when it warms up.

What layers want of a lane while the device is warm is remembered, and holds when it is cold again.  They are told of every
half that is lost, once: at the warm-up, or, where its herald is still on its way, when no more of those can come.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qstack.core.clock import Clock
from qstack.quantum.memory import Decay
from qstack.services.device import Spoiled, Trigger

if TYPE_CHECKING:
    from qstack.hardware.lanes import Link


@dataclass(frozen=True, slots=True)
class Cold:
    """When a device is cold.

    Parameters
    ----------
    turns
        When it is cold and when it is warm again, in turn, the first is cold [ps]; it is warm before.
    loses
        Whether what it has stored is lost when it warms up.
    """

    turns: tuple[int, ...]
    loses: bool = False

    def at(self, now: int) -> bool:
        """Tell whether the device is cold."""
        return bool(bisect_right(self.turns, now) % 2)

    def law(self, law: Any, born: int) -> Any:
        """Return how a half decays that is stored from a time on [ps]."""
        warm_up = next((turn for turn in self.turns[1::2] if turn > born), None) if self.loses else None
        return law if warm_up is None else Lost(law, warm_up - born)


@dataclass(frozen=True, slots=True)
class Lost:
    """The decay of a memory that leaves the fully mixed state at some age.

    Parameters
    ----------
    law
        Decay until then, or None.
    age
        When everything is lost [ps].
    """

    law: Any
    age: int

    def survival(self, start: int, end: int) -> tuple[float, float]:
        """Return the factors on (x and y, z) between two ages [ps]."""
        if start < self.age <= end:
            return 0.0, 0.0
        return (1.0, 1.0) if self.law is None else self.law.survival(start, end)

    def between(self, start: int, end: int) -> Decay:
        """Return the decay between two ages [ps]."""
        if start < self.age <= end:
            return Decay(0.0, 0.0)
        return Decay(1.0, 1.0) if self.law is None else self.law.between(start, end)


class Cryostat:
    """Keeps the lanes of a node from attempting while it is warm.

    Parameters
    ----------
    clock
        The host.
    cold
        When it is cold.
    ports
        Links of the node, and its side of each, by neighbour.
    """

    def __init__(self, clock: Clock, cold: Cold, ports: Mapping[int, tuple[Link, int]]) -> None:
        self.clock = clock
        self.cold = cold
        self.ports = ports
        self.wanted: dict[tuple[int, int], Trigger] = {}
        self._schedule(clock.now)

    def holds(self, req: Trigger, now: int) -> bool:
        """Take what is wanted of a lane if the device is warm; otherwise it is news, and what was wanted before is not."""
        if self.cold.at(now):
            self.wanted.pop((req.peer, req.lane), None)
            return False
        self.wanted[req.peer, req.lane] = req
        return True

    def _schedule(self, now: int) -> None:
        place = bisect_right(self.cold.turns, now)
        if place < len(self.cold.turns):
            self.clock.at(self.cold.turns[place], self._turn, None)

    def _turn(self, _: None) -> None:
        now = self.clock.now
        if self.cold.at(now):
            wanted, self.wanted = self.wanted, {}
            for req in wanted.values():
                link, side = self.ports[req.peer]
                link.trigger(side, link.lanes[req.lane], req.aid, (req.row, req.keep, req.bases), now)
        else:
            for peer, (link, side) in self.ports.items():
                for lane in link.lanes:
                    if lane.aid[side] >= 0:
                        row, keep, bases = lane.modes[side]
                        self.wanted.setdefault(
                            (peer, lane.index), Trigger(peer, lane.index, lane.aid[side], row, keep, bases)
                        )
                        link.trigger(side, lane, -1, lane.modes[side], now)
                if self.cold.loses:
                    self._tell_lost((link, side, now, now))
                    end = link.ends[side]
                    self.clock.at(
                        now + end.reply - end.emit, self._tell_lost, (link, side, now, now + end.reply - end.emit)
                    )
        self._schedule(now)

    @staticmethod
    def _tell_lost(event: tuple[Link, int, int, int]) -> None:
        """Tell a node which halves of a link were lost at a warm-up, by their heralds until now (QS-L1-450)."""
        link, side, warm_up, now = event
        end = link.ends[side]
        way = end.reply - end.emit
        for qubit, half in list(end.qubits.items()):
            heralded = half.born + way
            fresh = heralded <= warm_up if now == warm_up else warm_up < heralded
            lost = half.born < warm_up and fresh and half.place in link.lanes and not half.consumed
            if lost and qubit in end.qubits:  # what a layer was told first may have let others go
                end.feed(Spoiled(end.peer, half.place.index, qubit), now)
