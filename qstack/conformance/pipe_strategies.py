"""The other end of the pipe for strategies and devices: installed ones answer the judge's questions."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, cast

import numpy as np

from qstack.conformance import lines
from qstack.conformance.piped import text_of, word_of
from qstack.conformance.piped_device import sheet_as_data
from qstack.conformance.places import storage_of
from qstack.conformance.policies import Item
from qstack.core.layer import Context
from qstack.core.nouns import Noun


class StrategyAnswers:
    """Answers for whatever is no layer, router or hardware model; `make` is what the suites of the profile take."""

    def __init__(self, make: Any) -> None:
        self.make = make
        self.things: dict[int, Any] = {}

    # -- link scheduler, swap policy, cutoff ---------------------------------------------------------------------------

    def do_scheduler(self, question: Any) -> dict[str, Any]:
        """Make a scheduler."""
        self.things[question.scheduler] = self.make()
        return {}

    def do_choose(self, question: Any) -> dict[str, Any]:
        """Ask a scheduler."""
        queue = tuple(Item(item["purpose"], item["priority"]) for item in question.queue)
        return {"index": self.things[question.scheduler](queue, question.turn)}

    def do_policy(self, question: Any) -> dict[str, Any]:
        """Make a swap policy, or say that the network layer's own is meant."""
        self.things[question.policy] = made = self.make()
        return {"none": True} if made is None else {}

    def do_partner(self, question: Any) -> dict[str, Any]:
        """Ask a swap policy."""
        return {"index": self.things[question.policy](question.waiting)}

    def do_discard(self, question: Any) -> dict[str, Any]:
        """Make a discard policy."""
        self.things[question.discard] = self.make()
        return {}

    def do_cutoff(self, question: Any) -> dict[str, Any]:
        """Ask a discard policy."""
        return {"cutoff": str(self.things[question.discard](tuple(storage_of(one) for one in question.storage)))}

    # -- distillation, code --------------------------------------------------------------------------------------------

    def do_scheme(self, question: Any) -> dict[str, Any]:
        """Make a distillation scheme, or say that every pair is delivered as it is."""
        self.things[question.scheme] = made = self.make(question.gate_noise, question.readout_error)
        return {"none": True} if made is None else {"name": made.name}

    def do_combine(self, question: Any) -> dict[str, Any]:
        """Ask what is kept of two pairs."""
        kept, pair = self.things[question.scheme].combine(tuple(question.first), tuple(question.second))
        return {"kept": float(kept), "pair": list(map(float, pair))}

    def do_output(self, question: Any) -> dict[str, Any]:
        """Ask which fidelity is expected."""
        return {"fidelity": float(self.things[question.scheme].output_fidelity(question.first, question.second))}

    def do_input(self, question: Any) -> dict[str, Any]:
        """Ask which fidelity is needed."""
        return {"fidelity": float(self.things[question.scheme].input_fidelity(question.wanted))}

    def do_code(self, question: Any) -> dict[str, Any]:
        """Make a code, and say what it is."""
        self.things[question.code] = made = self.make()
        named = {"distance": made.distance} if getattr(made, "distance", None) is not None else {}
        strings = {"stabilizers": list(made.stabilizers), "logical_x": made.logical_x, "logical_z": made.logical_z}
        return {**strings, **named, "decodes": hasattr(made, "decode")}

    def do_recovery(self, question: Any) -> dict[str, Any]:
        """Ask for the recovery of a syndrome."""
        return {"recovery": self.things[question.code].decode(question.syndrome)}

    # -- reconciliation ------------------------------------------------------------------------------------------------

    def do_reconciler(self, question: Any) -> dict[str, Any]:
        """Make a reconciliation scheme."""
        self.things[question.reconciler] = made = self.make()
        return {"failure": float(made.failure)} if hasattr(made, "failure") else {}

    def do_end(self, question: Any) -> dict[str, Any]:
        """Make one end for a key."""
        scheme = self.things[question.reconciler]
        make = scheme.alice if question.role == "alice" else scheme.bob
        self.things[question.end] = make(word_of({"key": question.key}, "key").copy(), question.error_rate)
        return {}

    def do_open(self, question: Any) -> dict[str, Any]:
        """Ask an end for its first word."""
        end = self.things[question.end]
        return self._said(end, end.open())

    def do_hear(self, question: Any) -> dict[str, Any]:
        """Let an end hear a word."""
        end = self.things[question.end]
        return self._said(end, end.answer(word_of({"word": question.word}, "word").copy()))

    @staticmethod
    def _said(end: Any, word: Any) -> dict[str, Any]:
        return {"word": text_of(word), "done": bool(end.done)}

    def do_key(self, question: Any) -> dict[str, Any]:
        """Ask an end for its key."""
        return {"key": text_of(self.things[question.end].key)}

    # -- channel -------------------------------------------------------------------------------------------------------

    def do_channel(self, question: Any) -> dict[str, Any]:
        """Make one direction of a channel."""
        self.things[question.channel] = made = self.make(int(question.delay))
        return {"delay": str(made.delay), "ideal": bool(made.ideal)}

    def do_arrivals(self, question: Any) -> dict[str, Any]:
        """Ask when a datagram arrives; all chance of it follows from the number that came with the question."""
        draw = np.random.default_rng(int(question.entropy))
        arrivals = self.things[question.channel].arrivals(int(question.now), question.size, draw)
        return {"arrivals": [str(at) for at in arrivals]}

    # -- device --------------------------------------------------------------------------------------------------------

    def do_device(self, question: Any) -> dict[str, Any]:
        """Make two devices with a link."""
        self.things[question.device] = bench = Bench()
        equipment = self.make(bench, bench.feed, question.seed)
        bench.tables = equipment.tables
        handles = sorted(
            set.intersection(*({lines.name_of(cast("Any", kind)) for kind in table} for table in bench.tables.values()))
        )
        return {"handles": handles, "sheet": sheet_as_data(equipment.sheet, asdict)}

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
        self.tables: Mapping[int, Mapping[type[Noun], Any]] = {}

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
