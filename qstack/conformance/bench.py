"""Two ends of a link, a line that may lose messages, and a device that makes a pair whenever both ends attempt alike.

The bench knows the services and nothing of how the two ends agree: what it compares is what they tell their users.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Self

from qstack.conformance.stand import DELAY, LANES, PERIOD, Make, layers
from qstack.conformance.transcript import Transcript, TranscriptError
from qstack.core.nouns import Message, Noun, Send
from qstack.services.l1_physical import Attempt, Heralded, Skipped
from qstack.services.l2_link import Err, Ok
from qstack.services.reasons import Reason


class Clockwork:
    """Nodes, a line between them, and the one clock that moves both; what makes pairs is a bench's own.

    Attributes
    ----------
    ends
        The subject at each node.
    now
        The present [ps].
    line
        What is under way: when it arrives, at whom, from whom, and the message.
    longest
        Steps after which it counts as one that never comes to rest.
    """

    longest: ClassVar[int] = 4_000

    def __init__(self, ends: dict[int, Transcript]) -> None:
        self.ends = ends
        self.now = 0
        self.line: list[tuple[int, int, int, Message]] = []

    def run(self, until: int) -> Self:
        """Let time pass [ps].

        Raises
        ------
        TranscriptError
            If the nodes never come to rest.
        """
        for _ in range(self.longest):
            due = self._next()
            if due > until:
                self.now = until
                return self
            self.now = due
            for node, end in self.ends.items():
                end.at(due)
                self.read(node, list(end.open))
            while self.line and self.line[0][0] <= due:
                _, node, sender, message = self.line.pop(0)
                self.give(node, message, sender)
            self.make()
        raise TranscriptError(f"the nodes do not come to rest before {until} ps")

    def give(self, node: int, noun: Noun, sender: int | None = None) -> None:
        """Give a node an input and act on what it answers."""
        end = self.ends[node]
        end.at(self.now)
        self.read(node, list(end.open))
        if sender is not None:
            end.from_(sender)
        end >> noun
        self.read(node, list(end.open))

    def _next(self) -> int:
        """Return when something happens next [ps]."""
        times = [at for end in self.ends.values() for at, _ in end.timers.values()]
        times += [at for at, *_ in self.line[:1]]
        step = self.step()
        if step:
            times.append((self.now // step + 1) * step)
        return max(self.now, min(times, default=1 << 62))

    def read(self, node: int, answers: Iterable[Noun]) -> None:
        """Act on what a node answers."""
        raise NotImplementedError

    def step(self) -> int:
        """Return the time between two occasions to make pairs [ps]; 0 while there is nothing to make."""
        raise NotImplementedError

    def make(self) -> None:
        """Make the pairs of this moment, if it is an occasion."""
        raise NotImplementedError


class Bench(Clockwork):
    """Two ends of the link between nodes 1 and 2.

    Parameters
    ----------
    make
        The subject.
    lost
        Told the number of a message, counted from 0 in the order of sending; True loses it.
    missed
        Number of the success of which a node is not told; it learns of that in the next cycle.
    misses
        How many successes from there on it is not told of.
    """

    def __init__(
        self,
        make: Make,
        lost: Callable[[int], bool] = lambda number: False,
        missed: Mapping[int, int] = MappingProxyType({}),
        misses: int = 1,
    ) -> None:
        super().__init__({node: Transcript(*layers(make, node), node=node).from_(3 - node) for node in (1, 2)})
        self.subject = make
        self.lost = lost
        self.missed = missed
        self.misses = misses
        self.behind = set(missed)
        self.sent = 0
        self.sequence = -1
        self.standing = {node: [-1] * LANES for node in (1, 2)}
        self.told: dict[int, list[Noun]] = {1: [], 2: []}

    def restart(self, node: int) -> None:
        """Put a new subject in the place of an end; what is under way is lost with the old one."""
        self.ends[node] = Transcript(*layers(self.subject, node), node=node, now=self.now).from_(3 - node)
        self.standing[node] = [-1] * LANES
        self.told[node] = []
        self.line.clear()

    def ask(self, node: int, request: Noun) -> None:
        """Give one end a request of its user."""
        self.give(node, request)

    def read(self, node: int, answers: Iterable[Noun]) -> None:
        """Put messages on the line, note what is attempted, and keep what the user is told."""
        for answer in answers:
            if isinstance(answer, Send):
                if not self.lost(self.sent):
                    self.line.append((self.now + DELAY, answer.peer, node, answer.message))
                self.sent += 1
            elif isinstance(answer, Attempt):
                self.standing[node][answer.lane] = answer.aid
            else:
                self.told[node].append(answer)

    def step(self) -> int:
        """Return the time of a cycle while both ends attempt alike on some lane, or one has to learn of a loss [ps]."""
        alike = any(a == b >= 0 for a, b in zip(self.standing[1], self.standing[2], strict=True))
        return PERIOD if alike or any(self._late(node) for node in self.behind) else 0

    def make(self) -> None:
        """Make a pair on every lane on which both ends attempt for the same request, once a cycle."""
        if self.now % PERIOD:
            return
        for node in sorted(filter(self._late, self.behind)):
            self._learn(node)
        for lane in range(LANES):
            aid = self.standing[1][lane]
            if aid < 0 or aid != self.standing[2][lane]:
                continue
            self.sequence += 1
            for node in self.ends:
                self._herald(node, lane, aid)

    def _late(self, node: int) -> bool:
        """Return whether the last success of which a node was not told is over."""
        return self.sequence >= self.missed[node] + self.misses - 1

    def _learn(self, node: int) -> None:
        """Tell a node of the successes that it has missed."""
        self.behind.remove(node)
        low = self.missed[node]
        self.ends[node] >> Skipped(3 - node, low, low + self.misses)
        self.read(node, self.ends[node].open)

    def _herald(self, node: int, lane: int, aid: int) -> None:
        """Tell a node of a success, unless it misses it."""
        sequence, end = self.sequence, self.ends[node]
        if node in self.missed and self.missed[node] <= sequence < self.missed[node] + self.misses:
            return
        if node in self.behind and self._late(node):
            self._learn(node)
        end >> Heralded(3 - node, lane, aid, sequence, sequence % 4, sequence, self.now, -1, -1)
        self.read(node, end.open)

    def valid(self, node: int) -> list[tuple[int, int, int]]:
        """Return the pairs that an end was told of and that were not expired."""
        gone = [(e.low, e.high) for e in self.told[node] if isinstance(e, Err) and e.reason == Reason.EXPIRE]
        return [pair for pair in self.pairs(node) if not any(low <= pair[1] < high for low, high in gone)]

    def pairs(self, node: int) -> list[tuple[int, int, int]]:
        """Return purpose, number and Bell index of every pair that an end was told of."""
        return [(ok.purpose, ok.sequence, ok.bell) for ok in self.told[node] if isinstance(ok, Ok)]

    def directions(self, node: int) -> list[bool]:
        """Return the direction of every pair that an end was told of."""
        return [ok.remote for ok in self.told[node] if isinstance(ok, Ok)]

    def dialogue(self) -> str:
        """Return what was said, one end after the other."""
        return "\n".join(f"node {node}:\n" + "\n".join(end.lines[-30:]) for node, end in self.ends.items())
