"""Workload P1 through the whole product: a scenario, its plan, the full stack, and a check before a figure counts.

Links of 20 km have 10 memories a side; an attempt starts every 500 us and succeeds with p = 0.130599; both ends learn
the result 100 us after emission.  A pair is born as Werner 0.97 and each half dephases with T2 = 0.1 s.  Nodes swap
oldest with oldest at once, a TRACK takes 100 us a hop, the cutoff is 0.1 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np

import qstack
from benchmarks.p1 import TABLE
from qstack.study.experiment import Experiment

WARM_UP = 0.1
RATE_OFF = 0.02
FIDELITY_OFF = 0.004
LEAST = 10_000


class WrongPhysics(Exception):
    """A fast run whose rate or fidelity is not what it must be: its figure does not count."""


def hardware(memories: int) -> dict[str, Any]:
    """Return P1's platform."""
    return {
        "memories": memories,
        "memory": {"kind": "relaxing", "coherence_time": "0.1 s"},
        "interface": {
            "kind": "textbook",
            "probability": 0.130599,
            "fidelity": 0.97,
            "attempt_period": "500 us",
            "herald_after": "100 us",
        },
    }


def p1_data(segments: int, *, app: Any = "pairs", distilled: bool = False, seed: int = 1) -> dict[str, Any]:
    """Return the scenario of a chain with one endless flow from end to end."""
    link = {"link": {"distillation": "dejmps"}} if distilled else {}
    return {
        "name": f"P1, {segments} segments",
        "network": {
            "chain": {"segments": segments, "length": "20 km"},
            "hardware": {"all": hardware(10)},
        },
        "stack": {**link, "network": {"cutoff": "0.1 s"}},
        "flows": [{"name": "pairs", "app": app, "from": "n0", "to": f"n{segments}", "min_fidelity": 0.25}],
        "run": {"until": "1000 s", "seed": seed},
    }


def chain(segments: int, *, distilled: bool = False, window: int = 0, seed: int = 1) -> Experiment:
    """Return a chain with one endless flow from end to end; with a window its pairs are corrected too (class T)."""
    app = {"use": "pairs", "consumption": "T", "window": window} if window else "pairs"
    return qstack.load(p1_data(segments, app=app, distilled=distilled, seed=seed))


def mesh(nodes: int, flows: int, *, seed: int = 1, memories: int = 4) -> Experiment:
    """Return a random connected network, 1.5 links per node, with flows of 2 to 5 hops."""
    draw = np.random.Generator(np.random.Philox(seed))
    edges = {(int(draw.integers(max(0, n - 8), n)), n) for n in range(1, nodes)}
    while len(edges) < nodes * 3 // 2:
        a = int(draw.integers(nodes))
        b = a + int(draw.integers(1, 12))
        if b < nodes:
            edges.add((a, b))
    ends = _flows(nodes, sorted(edges), flows, draw)
    return qstack.load(
        {
            "name": f"{nodes} nodes, {flows} flows",
            "network": {
                "nodes": [f"n{n}" for n in range(nodes)],
                "links": [{"a": f"n{a}", "b": f"n{b}", "length": "20 km"} for a, b in sorted(edges)],
                "hardware": {"all": hardware(memories)},
            },
            "stack": {"network": {"cutoff": "0.1 s"}},
            "flows": [
                {"name": f"f{i}", "from": f"n{a}", "to": f"n{b}", "min_fidelity": 0.25} for i, (a, b) in enumerate(ends)
            ],
            "run": {"until": "1000 s", "seed": seed},
        }
    )


def _flows(nodes: int, edges: list[tuple[int, int]], flows: int, draw: np.random.Generator) -> list[tuple[int, int]]:
    """Choose pairs of nodes that are 2 to 5 hops apart."""
    near: list[list[int]] = [[] for _ in range(nodes)]
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    chosen: list[tuple[int, int]] = []
    while len(chosen) < flows:
        source = int(draw.integers(nodes))
        hops = {source: 0}
        queue = [source]
        for here in queue:
            fresh = [there for there in near[here] if there not in hops]
            hops.update((there, hops[here] + 1) for there in fresh)
            queue += fresh
        far = [node for node, distance in sorted(hops.items()) if 2 <= distance <= 5]
        if far:
            chosen.append((source, far[int(draw.integers(len(far)))]))
    return chosen


@dataclass(frozen=True, slots=True)
class Run:
    """What a timed run gave: pairs per CPU-second, and the physics that makes it count."""

    figure: float
    rate: float
    fidelity: float
    delivered: int
    served: int


def timed(experiment: Experiment, seconds: float) -> Run:
    """Run for a simulated time [s]; building the network is not timed."""
    end = f"{seconds:g} s"
    begin = process_time()
    result = experiment.run(until=end)
    cpu = process_time() - begin
    times = np.concatenate([flow.times_s for flow in result.flows])
    fidelities = np.concatenate([flow.fidelities for flow in result.flows])
    late = times >= seconds * WARM_UP
    return Run(
        figure=len(times) / cpu,
        rate=float(late.sum()) / (seconds * (1 - WARM_UP)),
        fidelity=float(fidelities[late].mean()),
        delivered=int(late.sum()),
        served=sum(flow.delivered > 0 for flow in result.flows),
    )


def p1(segments: int, *, distilled: bool = False, window: int = 0) -> float:
    """Return delivered pairs per CPU-second of a P1 chain.

    Raises
    ------
    WrongPhysics
        If rate or mean fidelity are not those of the table.
    """
    rate, fidelity = TABLE[segments, distilled]
    run = timed(chain(segments, distilled=distilled, window=window), round(1.15 * LEAST / rate / (1 - WARM_UP), 1))
    if abs(run.rate / rate - 1) > RATE_OFF or abs(run.fidelity - fidelity) > FIDELITY_OFF or run.delivered < LEAST:
        raise WrongPhysics(
            f"{run.delivered} pairs, {run.rate:.1f} a second at F = {run.fidelity:.4f}; "
            f"expected {rate} a second at {fidelity}"
        )
    return run.figure


def net(nodes: int, flows: int, seconds: float) -> float:
    """Return delivered pairs per CPU-second of a random network.

    Raises
    ------
    WrongPhysics
        If a flow was not served.
    """
    run = timed(mesh(nodes, flows), seconds)
    if run.served < flows:
        raise WrongPhysics(f"only {run.served} of {flows} flows were served")
    return run.figure
