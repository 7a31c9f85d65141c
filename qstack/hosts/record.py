"""The recorder: takes what leaves the top of every pile and keeps what a result needs.

A pair counts as delivered when both ends have consumed it.  Its fidelity is the medium's true overlap, each half aged
to its own consumption; its latency runs from the request for it to the later end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

from qstack.core.layer import Context, Handler, Outputs
from qstack.core.nouns import Noun
from qstack.hosts.simulation import Simulation
from qstack.plugin.contracts import Medium
from qstack.scenario.plan import Plan
from qstack.services.l3_network import Rerouted
from qstack.services.l5_application import Assessed, Checked, Consumed, Finished, Kept, Sifted


@dataclass(slots=True)
class FlowRecord:
    """What happened to one flow.

    Attributes
    ----------
    half
        Pairs that one end has consumed: the noun it told.
    pairs
        Delivered pairs in order: time [ps], latency [ps], true fidelity, the lower of both ends' estimates.
    sifted
        By basis: revealed bits, and errors among them.
    kept
        By basis: sifted bits that stay secret.
    checked
        By case: tests of what the pairs were used for, and how many passed.
    tested
        What the last test round has shown: fidelity, its 95 % interval, rounds; None without test rounds.
    moves
        When its circuit moved to another path [ps], and to which.
    finished
        Reason by end.
    ended
        When the last end finished [ps].
    """

    half: dict[int, Consumed] = field(default_factory=dict)
    pairs: list[tuple[int, int, float, float]] = field(default_factory=list)
    sifted: dict[int, list[int]] = field(default_factory=dict)
    kept: dict[int, int] = field(default_factory=dict)
    checked: dict[int, list[int]] = field(default_factory=dict)
    tested: tuple[float, float, float, int] | None = None
    moves: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    finished: dict[int, int] = field(default_factory=dict)
    ended: int = -1


class Recorder:
    """Keeps a `FlowRecord` for each flow and stops the simulation when all flows have ended."""

    def __init__(self, plan: Plan, simulation: Simulation, medium: Medium) -> None:
        self.simulation = simulation
        self.medium = medium
        self.flows = [FlowRecord() for _ in plan.flows]
        self.sources = [flow.source for flow in plan.flows]
        self.ends = [(flow.source, flow.target) for flow in plan.flows]
        self.open = 2 * len(plan.flows)

    def user(self, node: int) -> dict[type[Noun], Handler]:
        """Return the table for the indications that leave the top of a node."""
        return {
            Consumed: self._consumer(node),
            Finished: self._finisher(node),
            Assessed: self._tester(node),
            Rerouted: self._moved,
            **self._counters(node),
        }

    def _moved(self, noun: Rerouted, ctx: Context) -> Outputs:
        if noun.session < len(self.flows):  # a session is named like its flow
            self.flows[noun.session].moves.append((ctx.now, noun.path))
        return ()

    def _consumer(self, node: int) -> Handler:
        flows, overlap = self.flows, self.medium.overlap

        def consume(noun: Consumed, ctx: Context) -> Outputs:
            record, now, qubit = flows[noun.flow], ctx.now, noun.qubit
            true = overlap(node, qubit, noun.bell, now) if qubit >= 0 else nan
            first = record.half.pop(noun.pair, None)
            if first is None:
                record.half[noun.pair] = noun
            else:
                asked = noun.asked if noun.asked >= 0 else first.asked
                a, b = first.estimate, noun.estimate
                least = a if a < b else b  # noqa: FURB136 - a call costs four times as much
                record.pairs.append((now, now - asked, true, least))
            return ()

        return consume

    def _tester(self, node: int) -> Handler:
        def tested(noun: Assessed, ctx: Context) -> Outputs:
            if node == self.sources[noun.flow]:
                self.flows[noun.flow].tested = (noun.fidelity, noun.low, noun.high, noun.rounds)
            return ()

        return tested

    def _counters(self, node: int) -> dict[type[Noun], Handler]:
        flows, sources = self.flows, self.sources

        def sifted(noun: Sifted, ctx: Context) -> Outputs:
            if node == sources[noun.flow]:
                counts = flows[noun.flow].sifted.setdefault(noun.basis, [0, 0])
                counts[0] += 1
                counts[1] += noun.error
            return ()

        def kept(noun: Kept, ctx: Context) -> Outputs:
            if node == sources[noun.flow]:
                counts = flows[noun.flow].kept
                counts[noun.basis] = counts.get(noun.basis, 0) + 1
            return ()

        def checked(noun: Checked, ctx: Context) -> Outputs:
            if node == sources[noun.flow]:
                counts = flows[noun.flow].checked.setdefault(noun.case, [0, 0])
                counts[0] += 1
                counts[1] += noun.passed
            return ()

        return {Sifted: sifted, Kept: kept, Checked: checked}

    def _finisher(self, node: int) -> Handler:
        def finished(noun: Finished, ctx: Context) -> Outputs:
            record = self.flows[noun.flow]
            # A flow that fails is over for both: an end that was never reached cannot say so itself.
            for end in self.ends[noun.flow] if noun.reason else (node,):
                if end not in record.finished:
                    record.finished[end] = noun.reason
                    record.ended = ctx.now
                    self.open -= 1
            if not self.open:
                self.simulation.stopped = True
            return ()

        return finished
