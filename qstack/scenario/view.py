"""What the node that is asked for a path knows of a plan: links with what they deliver, memories, swaps.

Where the links of a node share its communication qubits, each delivers its part of what it could; where attempts dephase
what is stored, a node is taken for one that is never idle.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from qstack.plugin.contracts import Platform, Selection
from qstack.plugin.distilling import distillation_of, distilled_rows
from qstack.plugin.sites import NetworkView
from qstack.quantum.swapping import swap_factors
from qstack.scenario.problems import Problem, quoted
from qstack.scenario.schema import Scenario
from qstack.scenario.topology import Graph
from qstack.services.strategies import Edge, Row, Storage

if TYPE_CHECKING:
    from qstack.scenario.plan import PlannedLink

PAIRS_DISTILLED = 2
"""Memories that a link needs at each end to distil: one per pair."""


def places(graph: Graph, platforms: tuple[Platform, ...], links: tuple[PlannedLink, ...]) -> list[Problem]:
    """Return the nodes whose links may hold more pairs than they have qubits: they could wait for each other for ever."""
    lanes = _lanes_at(links)
    return [
        Problem(
            ("network", "hardware"),
            f"{quoted(name)}: its links hold up to {lanes[n]} pairs, and its hardware '{platform.name}' has "
            f"{platform.qubits.places} qubits for them; raise qubits.storage, or lower memories.",
        )
        for n, (name, platform) in enumerate(zip(graph.nodes, platforms, strict=True))
        if platform.qubits is not None and lanes[n] > platform.qubits.places
    ]


def _lanes_at(links: tuple[PlannedLink, ...]) -> Counter[int]:
    """Return how many lanes each node has."""
    lanes: Counter[int] = Counter()
    for link in links:
        for end in link.ends:
            lanes[end] += link.sheet.lanes
    return lanes


def view_of(
    scenario: Scenario, graph: Graph, platforms: tuple[Platform, ...], links: tuple[PlannedLink, ...]
) -> NetworkView:
    """Return the network as the node that is asked for a path knows it."""
    kinds: dict[tuple[int, float], Storage] = {}
    rates = _attempts(platforms, links)
    for platform, rate in zip(platforms, rates, strict=True):
        kinds.setdefault((id(platform), rate), platform.memory.survival_among(rate))
    storage = tuple(kinds[id(platform), rate] for platform, rate in zip(platforms, rates, strict=True))
    policy = getattr(scenario.stack.network.options, "cutoff", None)
    distillation = distillation_of(scenario.stack.link.options)
    lanes = _lanes_at(links)
    edges = tuple(
        Edge(*link.ends, _shared(link, rows, lanes, platforms), link.sheet.lanes, link.sheet.delay, link.sheet.windows)
        for link in links
        if (rows := _rows(link, distillation, platforms, scenario.run.until))
    )
    return NetworkView(
        names=graph.nodes,
        edges=edges,
        swap_factors=tuple(
            sum(swap_factors(p.gate_noise, p.readout_error)) / 3 * (1 - p.qubits.move_noise if p.qubits else 1.0)
            for p in platforms
        ),
        storage=storage,
        cutoff=policy.make()(storage) if policy is not None else 0,
        swap_success=() if all(p.swap_success == 1 for p in platforms) else tuple(p.swap_success for p in platforms),
    )


def _shared(
    link: PlannedLink, rows: tuple[Row, ...], lanes: Counter[int], platforms: tuple[Platform, ...]
) -> tuple[Row, ...]:
    """Return what a link delivers whose ends share their communication qubits evenly among all of their lanes."""
    turns = max(lanes[end] / q.communication if (q := platforms[end].qubits) else 1.0 for end in link.ends)
    return tuple(replace(row, seconds_per_pair=row.seconds_per_pair * turns) for row in rows) if turns > 1 else rows


def _attempts(platforms: tuple[Platform, ...], links: tuple[PlannedLink, ...]) -> list[float]:
    """Return how often each node attempts while it keeps a qubit, if that harms it [1/ps].

    It keeps what it makes, and is never idle but on the lane whose qubit is kept: the most that a stored qubit can see.
    """
    lanes: dict[int, list[float]] = {n: [] for n, p in enumerate(platforms) if p.memory.dephasing_attempts < inf}
    for link in links:
        for end in lanes.keys() & set(link.ends):
            lanes[end] += [1 / link.sheet.kept_cycle] * link.sheet.lanes
    return [sum(rates) - min(rates) if (rates := lanes.get(n)) else 0.0 for n in range(len(platforms))]


def _rows(
    link: PlannedLink, distillation: Selection | None, platforms: tuple[Platform, ...], until: int
) -> tuple[Row, ...]:
    """Return what a link delivers at each setting, as the node that is asked for a path knows it.

    Of a link that comes and goes that is its mean over the run: a way that is always there may be the faster one.
    """
    rows = link.sheet.rows_between(0, until)
    if distillation is None:
        return rows
    if link.sheet.lanes < PAIRS_DISTILLED:
        return ()
    here = platforms[link.ends[0]]
    scheme = distillation.make(gate_noise=here.gate_noise, readout_error=here.readout_error)
    return distilled_rows(rows, scheme)
