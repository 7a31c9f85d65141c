"""What came of a run: arrays for programs, a summary for scripts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qstack.hosts.build import Network
from qstack.services.bell import Basis
from qstack.services.reasons import Reason
from qstack.study.formalism import Formalism, formalism
from qstack.study.outcomes import MEANINGS, Outcome, Trials

SCHEMA = "qstack/summary/1"
BATCHES = 20
"""Deliveries of one continuous run are correlated: error bars come from the means of this many batches."""

SIGNIFICANT = 4
"""A mean must lie this many standard errors below a promise to break it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its standard error; the error is NaN where one run cannot tell it."""

    mean: float
    sem: float


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors counted among sifted bits of one basis."""

    bits: int
    errors: int

    @property
    def rate(self) -> float:
        """Share of errors."""
        return self.errors / self.bits if self.bits else float("nan")

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return Wilson's interval for the error rate (Wilson, J. Am. Stat. Assoc. 22, 209, 1927)."""
        if not self.bits:
            return 0.0, 1.0
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        n, p = self.bits, self.rate
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)


def batch_means(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of correlated values, with the error that the scatter of batch means tells."""
    if not len(values):
        return Estimate(float("nan"), float("nan"))
    batches = min(BATCHES, len(values))
    means = np.array([part.mean() for part in np.array_split(values, batches)])
    sem = float(means.std(ddof=1) / sqrt(batches)) if batches > 1 else float("nan")
    return Estimate(float(values.mean()), sem)


@dataclass(frozen=True, slots=True)
class FlowResult:
    """One flow.

    Attributes
    ----------
    times_s, latencies_s, fidelities
        One entry per delivered pair: when the later end had it [s], time from its request [s], true overlap [1].
    errors
        Counts by basis of revealed bits, for key flows.
    kept
        Sifted bits that were not revealed.
    estimates
        Of the fidelity, by the layers: one entry per delivered pair [1].
    trials
        By case: what the application has tried, and how often it came out right.
    seconds
        From the start of the flow to its end or to the end of the run [s].
    reason
        Why it ended; `Reason.NONE` when it delivered all that was asked, None while it was still open.
    tested
        What test rounds have shown: fidelity, its 95 % interval, and how many there were; None without.
    moves
        When its circuit moved to another path because a link had gone down [s], and to which.
    """

    name: str
    application: str
    source: str
    destination: str
    requested: int | None
    min_fidelity: float
    times_s: NDArray[np.float64]
    latencies_s: NDArray[np.float64]
    fidelities: NDArray[np.float64]
    estimates: NDArray[np.float64]
    errors: dict[Basis, Errors]
    kept: int
    seconds: float
    reason: Reason | None
    trials: dict[int, Trials] = field(default_factory=dict)
    tested: tuple[float, float, float, int] | None = None
    moves: list[tuple[float, list[str]]] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome | None:
        """The number that the application was run for, counted from its tests; None if it has none."""
        meaning = MEANINGS.get(self.application)
        return meaning(self.trials) if meaning and self.trials else None

    @property
    def delivered(self) -> int:
        """Pairs that both ends have had."""
        return len(self.times_s)

    @property
    def fidelity(self) -> Estimate:
        """Mean true overlap of the delivered pairs; NaN where both halves were measured before they were known."""
        return batch_means(self.fidelities)

    @property
    def rate_hz(self) -> float:
        """Delivered pairs per second."""
        return self.delivered / self.seconds if self.seconds else 0.0

    @property
    def failure(self) -> str | None:
        """Why this flow counts as failed, or None."""
        if self.reason:
            return f"ended early: {self.reason.name}"
        fidelity = self.fidelity
        if fidelity.mean + SIGNIFICANT * fidelity.sem < self.min_fidelity:  # never with NaN: too few pairs to tell
            return f"mean fidelity {fidelity.mean:.3f} is below the promised {self.min_fidelity:g}"
        return None

    def _tested(self) -> dict[str, Any] | None:
        if self.tested is None:
            return None
        return dict(zip(("fidelity", "low", "high", "rounds"), self.tested, strict=True))

    def summary(self) -> dict[str, Any]:
        """Return what `summary.json` says of this flow."""
        x, z = (self.errors.get(basis, Errors(0, 0)) for basis in (Basis.X, Basis.Z))
        revealed = sum(counts.bits for counts in self.errors.values())
        some, fidelity = self.delivered > 0, self.fidelity
        latencies = np.percentile(self.latencies_s, [50, 95]) if some else [0.0, 0.0]
        moved = [{"at_s": at, "path": path} for at, path in self.moves]
        return {
            **({"moved": moved} if moved else {}),
            "name": self.name,
            "application": self.application,
            "source": self.source,
            "destination": self.destination,
            "requested": self.requested,
            "delivered": self.delivered,
            "rate_hz": self.rate_hz,
            "fidelity": {"mean": fidelity.mean, "sem": _known(fidelity.sem)} if fidelity.mean >= 0 else None,
            "fidelity_estimate": float(self.estimates.mean()) if some else None,
            "fidelity_tested": self._tested(),
            "latency_s": {"median": float(latencies[0]), "p95": float(latencies[1])} if some else None,
            "e_x": x.rate if x.bits else None,
            "e_z": z.rate if z.bits else None,
            "qber": sum(c.errors for c in self.errors.values()) / revealed if revealed else None,
            "sifted_bits": revealed + self.kept if self.errors or self.application in KEYS else None,
        }


KEYS = frozenset({"bbm92"})
"""Applications for which zero sifted bits mean something."""


def _known(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124 - NaN is not equal to itself


class Flows(Sequence[FlowResult]):
    """The flows of a result, by position or by name."""

    def __init__(self, flows: Sequence[FlowResult]) -> None:
        self._flows = tuple(flows)

    def __getitem__(self, key: Any) -> Any:
        """Return a flow by its number or its name."""
        if isinstance(key, str):
            for flow in self._flows:
                if flow.name == key:
                    return flow
            raise KeyError(f"no flow '{key}'; flows: {', '.join(f.name for f in self._flows)}")
        return self._flows[key]

    def __len__(self) -> int:
        """Return how many flows there are."""
        return len(self._flows)

    def __iter__(self) -> Iterator[FlowResult]:
        """Go through the flows in the order of the scenario."""
        return iter(self._flows)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was asked for: its seed, the number of its repetition, and its end [ps]."""

    seed: int
    shot: int
    end: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run.

    Attributes
    ----------
    name
        Of the scenario.
    asked
        Seed, shot and end of the run.
    simulated_s
        Virtual time that has passed [s].
    flows
        By position or name.
    links, nodes
        What the layers did, as plain records.
    interrupted
        True if a user stopped the run; what was finished by then is here.
    formalism
        Tier of the run, and bounds of what it approximates.
    faults
        For each rule of the scenario, how many messages it was looked at for, and how many it has struck.
    standstill
        Why nothing happened any more, or None.
    """

    name: str
    asked: Asked
    simulated_s: float
    flows: Flows
    links: list[dict[str, Any]]
    nodes: list[dict[str, Any]]
    interrupted: bool = False
    standstill: str | None = None
    formalism: Formalism | None = None
    faults: tuple[tuple[int, int], ...] = ()

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.asked.seed

    @property
    def failures(self) -> list[str]:
        """Return one sentence per failed flow."""
        found = [f"{flow.name}: {flow.failure}" for flow in self.flows if flow.failure]
        return found + ([self.standstill] if self.standstill else [])

    def summary(self) -> dict[str, Any]:
        """Return the summary: no times of day, versions or paths, so the same seed gives the same bytes."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "seed": self.seed,
            "simulated_s": self.simulated_s,
            "flows": [flow.summary() for flow in self.flows],
            "links": self.links,
            "nodes": self.nodes,
            **({"faults": [{"seen": seen, "struck": struck} for seen, struck in self.faults]} if self.faults else {}),
        }


def to_json(data: Any) -> str:
    """Write plain data as indented JSON; NaN is refused."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def collect(network: Network, asked: Asked, *, interrupted: bool, standstill: str | None) -> Result:
    """Read a network's recorder, host and medium."""
    plan = network.plan
    now = network.simulation.now
    seconds = now * 1e-12
    flows = [_flow(network, i) for i in range(len(plan.flows))]
    return Result(
        name=plan.scenario.name,
        asked=asked,
        simulated_s=now / 1e12,
        flows=Flows(flows),
        links=[
            {
                "a": plan.names[link.ends[0]],
                "b": plan.names[link.ends[1]],
                "requests": network.requests[frozenset(link.ends)],
                "pairs": network.medium.pairs(link.ends),
                **(
                    {"up_s": [[t * 1e-12 for t in window] for window in link.sheet.windows]}
                    if link.sheet.phases
                    else {}
                ),
            }
            for link in plan.links
        ],
        nodes=[_node(network, number, name, seconds) for number, name in enumerate(plan.names)],
        interrupted=interrupted,
        standstill=standstill,
        formalism=formalism(plan, [flow.latencies_s for flow in flows]),
        faults=network.struck(),
    )


def _flow(network: Network, number: int) -> FlowResult:
    planned = network.plan.flows[number]
    flow = planned.flow
    record = network.recorder.flows[number]
    ended = record.ended if len(record.finished) == 2 else network.simulation.now
    reasons = set(record.finished.values())
    times, latencies, fidelities, estimates = np.array(record.pairs, dtype=np.float64).reshape(-1, 4).T.copy()
    return FlowResult(
        name=flow.name,
        application=flow.app.name,
        source=flow.source,
        destination=flow.target,
        requested=flow.number,
        min_fidelity=flow.min_fidelity,
        times_s=times * 1e-12,
        latencies_s=latencies * 1e-12,
        fidelities=fidelities,
        estimates=estimates,
        errors={Basis(basis): Errors(*counts) for basis, counts in sorted(record.sifted.items())},
        kept=sum(record.kept.values()),
        seconds=max(0, ended - flow.start) * 1e-12,
        reason=Reason(max(reasons)) if reasons else None,
        trials={case: Trials(*counts) for case, counts in sorted(record.checked.items())},
        tested=record.tested,
        moves=[(at * 1e-12, [network.plan.names[node] for node in path]) for at, path in record.moves],
    )


def _node(network: Network, number: int, name: str, seconds: float) -> dict[str, Any]:
    counts = network.medium.counts(number)
    return {
        "name": name,
        "swaps": counts["swaps"],
        **({"swaps_failed": counts["swaps_failed"]} if "swaps_failed" in counts else {}),
        "discards": counts["discards"],
        "messages": network.simulation.messages[number],
        "memories": counts["memories"],
        "memories_busy": counts["busy_s"] / seconds if seconds else 0.0,
    }
