"""The other end of the pipe for devices, media and links: installed ones answer the judge's questions."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Any, cast

from qstack.conformance import lines
from qstack.conformance.device_talk import platform
from qstack.conformance.sheets import end_of, fibre_of, sheet_as_data, sheet_of
from qstack.core.clock import SECOND
from qstack.core.layer import Context
from qstack.core.nouns import Noun


class MediaAnswers:
    """Answers for devices, media and links; `make` is what the suites of the profile take."""

    def __init__(self, make: Any) -> None:
        self.make = make
        self.things: dict[int, Any] = {}

    def do_device(self, question: Any) -> dict[str, Any]:
        """Make two devices with a link."""
        self.things[question.device] = bench = Bench()
        equipment = self.make(bench, bench.feed, question.seed)
        bench.tables = dict(equipment.tables)
        handles = sorted(
            set.intersection(*({lines.name_of(cast("Any", kind)) for kind in table} for table in bench.tables.values()))
        )
        return {"handles": handles, "sheet": sheet_as_data(equipment.sheet)}

    def do_medium(self, question: Any) -> dict[str, Any]:
        """Make a medium."""
        self.things[question.device] = bench = Bench()
        bench.medium = self.make(bench, question.seed, question.attempts)
        return {}

    def do_place(self, question: Any) -> dict[str, Any]:
        """Put a node on a medium."""
        bench, node = self.things[question.device], question.node
        coherence_s = int(getattr(question, "coherence", 0)) / SECOND
        cold = tuple((int(begin), int(end)) for begin, end in getattr(question, "cold", ()))
        told = {"memories": question.memories, "cold": cold, "warm_loses": bool(cold)}
        hardware = platform(coherence_s, getattr(question, "lasting", inf)).model_copy(update=told)
        bench.tables[node] = table = bench.medium.place(node, question.name, hardware)
        bench.medium.connect(node, partial(bench.feed, node))
        return {"handles": sorted(lines.name_of(cast("Any", kind)) for kind in table)}

    def do_join(self, question: Any) -> dict[str, Any]:
        """Put a link between two nodes."""
        first, second = question.nodes
        bench = self.things[question.device]
        bench.medium.join((first, second), question.name, sheet_of(question.sheet))
        return {}

    def do_link(self, question: Any) -> dict[str, Any]:
        """Make a link of two ends and a fibre."""
        first, second = map(end_of, question.ends)
        return {"sheet": sheet_as_data(self.make(first, second, fibre_of(question.fibre)))}

    def do_request(self, question: Any) -> dict[str, Any]:
        """Give a device a request."""
        bench = self.things[question.device]
        bench.request(question.node, lines.noun_of(question.noun), int(question.now))
        return self._told(bench)

    def do_wake(self, question: Any) -> dict[str, Any]:
        """Let the next thing happen."""
        bench = self.things[question.device]
        bench.wake(int(question.now))
        return self._told(bench)

    @staticmethod
    def _told(bench: Bench) -> dict[str, Any]:
        told, bench.told = bench.told, []
        return {
            "told": [{"node": node, "noun": lines.plain(noun)} for node, noun in told],
            "wake": str(bench.heap[0][0]) if bench.heap else None,
        }


class Bench:
    """Devices, and a clock that the judge moves from one event to the next."""

    def __init__(self) -> None:
        self.now = 0
        self.heap: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self.count = 0
        self.told: list[tuple[int, Noun]] = []
        self.tables: dict[int, Mapping[type[Noun], Any]] = {}
        self.medium: Any = None

    def at(self, time: int, call: Callable[[Any], None], argument: Any) -> None:
        """Call later."""
        self.count += 1
        heapq.heappush(self.heap, (time, self.count, call, argument))

    def feed(self, node: int, noun: Noun, now: int) -> None:
        """Take note of an indication."""
        self.told.append((node, noun))

    def request(self, node: int, noun: Noun, now: int) -> None:
        """Give a device a request at a time [ps]."""
        self.now = now
        context = Context(node)
        context.now = now
        for answer in self.tables[node][type(noun)](noun, context):
            self.feed(node, answer, now)

    def wake(self, now: int) -> None:
        """Let the first of what is due happen [ps]."""
        if self.heap and self.heap[0][0] <= now:
            self.now, _, call, argument = heapq.heappop(self.heap)
            call(argument)
