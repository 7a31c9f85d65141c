"""From a scenario to a plan: the graph with its hardware, what every link can do, and a route for every flow.

Whatever cannot work is found here, before anything runs: graphs that are cut, ends that do not exist, platforms that do
not fit together, and fidelities or rates that the hardware cannot reach.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Fibre, LinkSheet, Platform
from qstack.plugin.distilling import distillation_of
from qstack.plugin.sites import NetworkView
from qstack.plugin.units import time_text
from qstack.scenario.faults import TO_MIDPOINT
from qstack.scenario.problems import Loc, Problem, quoted
from qstack.scenario.schema import Flow, Hardware, Scenario
from qstack.scenario.topology import Graph, build, some, unknown_node
from qstack.scenario.view import PAIRS_DISTILLED, places, view_of
from qstack.scenario.windows import dark, rest, times
from qstack.services.strategies import NoRoute, Route, Router

Ends = tuple[int, int]
CERTAIN_BELL = "certain-bell"
"""What applications need that measure data in the Bell basis."""
HOPELESS = 0.1
"""A flow that is expected to deliver fewer pairs than this in the whole run is refused."""


@dataclass(frozen=True, slots=True)
class PlannedLink:
    """A fibre and what it can do between the two platforms at its ends; `medium` is the name of what it really is."""

    ends: Ends
    name: str
    fibre: Fibre
    sheet: LinkSheet
    medium: str = "midpoint"


@dataclass(frozen=True, slots=True)
class PlannedFlow:
    """A flow with its ends as numbers, and the route that the router would choose now."""

    number: int
    flow: Flow
    source: int
    target: int
    route: Route | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a host needs to build the network of a scenario."""

    scenario: Scenario
    names: tuple[str, ...]
    platforms: tuple[Platform, ...]
    links: tuple[PlannedLink, ...]
    flows: tuple[PlannedFlow, ...]
    view: NetworkView


def plan(scenario: Scenario) -> tuple[Plan | None, list[Problem]]:
    """Return the plan, or what is wrong."""
    graph, problems = build(scenario.network)
    platforms, found = _platforms(scenario.network.hardware, graph)
    problems += found
    problems += _ends(scenario, graph)
    problems += _tier(scenario)
    if problems:
        return None, problems
    problems = _bell(scenario, dict(zip(graph.nodes, platforms, strict=True)))
    number = {name: i for i, name in enumerate(graph.nodes)}
    links, found = _links(scenario, graph, number, platforms)
    problems += found
    if problems:
        return None, problems
    problems = places(graph, platforms, links)
    if problems:
        return None, problems
    view = view_of(scenario, graph, platforms, links)
    flows, problems = _flows(scenario, number, view, links, platforms)
    return Plan(scenario, graph.nodes, platforms, links, flows, view), problems


def _tier(scenario: Scenario) -> list[Problem]:
    """Return the applications that need what the tier of the run does not give."""
    tier = scenario.run.tier
    return [
        Problem(
            ("flows", i, "app"),
            f"{quoted(flow.app.name)} needs {' and '.join(sorted(missing))} that tier '{tier.name}' does not give; "
            "choose another with run.tier, such as 'exact'.",
        )
        for i, flow in enumerate(scenario.flows)
        if (missing := flow.app.offer.needs(flow.app.options) - tier.offer.gives - {CERTAIN_BELL})
    ]


def _bell(scenario: Scenario, platforms: Mapping[str, Platform]) -> list[Problem]:
    """Return the applications whose Bell measurements on data may fail: the data would be lost."""
    return [
        Problem(
            ("flows", i, "app"),
            f"{quoted(flow.app.name)} needs Bell measurements that never fail, but those of {platforms[end].name} at "
            f"{end} have an outcome with probability {platforms[end].swap_success:g} only.",
        )
        for i, flow in enumerate(scenario.flows)
        for end in (flow.source, flow.target)
        if CERTAIN_BELL in flow.app.offer.needs(flow.app.options) and platforms[end].swap_success < 1
    ]


def _platforms(hardware: Hardware, graph: Graph) -> tuple[tuple[Platform, ...], list[Problem]]:
    problems = []
    special: dict[str, Platform] = {}
    known = set(graph.nodes)
    for i, entry in enumerate(hardware.at):
        place = ("network", "hardware", "at", i, "node")
        if entry.node not in known:
            problems.append(Problem(place, unknown_node(entry.node, graph.nodes)))
        if entry.node in special:
            problems.append(Problem(place, f"{quoted(entry.node)}: this node has its hardware already."))
        special[entry.node] = entry.use
    bare = [name for name in graph.nodes if name not in special] if hardware.all is None else []
    if bare:
        problems.append(Problem(("network", "hardware"), f"none at {some(bare)}: give 'all', or 'at' for each."))
        return (), problems
    return tuple(special.get(name) or hardware.all for name in graph.nodes), problems  # type: ignore[misc]  # none is bare


def _ends(scenario: Scenario, graph: Graph) -> list[Problem]:
    problems = []
    known = set(graph.nodes)
    names: set[str] = set()
    for i, flow in enumerate(scenario.flows):
        for key, end in (("from", flow.source), ("to", flow.target)):
            if end not in known:
                problems.append(Problem(("flows", i, key), unknown_node(end, graph.nodes)))
        if flow.name in names:
            problems.append(
                Problem(("flows", i, "name"), f"{quoted(flow.name)}: there is a flow of this name already.")
            )
        if flow.start >= scenario.run.until:
            problems.append(Problem(("flows", i, "start"), "the flow would start after the run has ended."))
        names.add(flow.name)
    return problems + _hops(scenario, graph)


def _hops(scenario: Scenario, graph: Graph) -> list[Problem]:
    """Return the ends of faults that are no nodes, and messages that the run does not have."""
    unsaid = (
        []
        if scenario.run.attempts == "each"
        else [
            Problem(
                ("faults", i, "message"),
                "a run that skips failed attempts has no Gen: 'run.attempts' has to be 'each'.",
            )
            for i, fault in enumerate(scenario.faults)
            if fault.message == TO_MIDPOINT
        ]
    )
    return unsaid + [
        Problem(("faults", i, key), unknown_node(end, graph.nodes))
        for i, fault in enumerate(scenario.faults)
        for key, end in (("from", fault.source), ("to", fault.target))
        if end is not None and end not in graph.nodes
    ]


def _links(
    scenario: Scenario, graph: Graph, number: dict[str, int], platforms: tuple[Platform, ...]
) -> tuple[tuple[PlannedLink, ...], list[Problem]]:
    """Compute what every link can do; equal fibres between equal platforms are computed, and refused, once."""
    known: dict[Any, LinkSheet | None] = {}
    links: list[PlannedLink] = []
    problems: list[Problem] = []
    for (a, b), fibre in graph.fibres.items():
        ends = (number[a], number[b])
        medium = graph.media.get((a, b), scenario.network.medium)
        key = (id(platforms[ends[0]]), id(platforms[ends[1]]), fibre, id(medium))
        if key not in known:
            try:
                known[key] = medium.make(a=platforms[ends[0]], b=platforms[ends[1]], fibre=fibre)
            except PhysicsError as error:
                known[key] = None
                problems.append(Problem(_place(scenario, (a, b), graph), f"link {a} - {b}: {error}."))
        sheet = known[key]
        if sheet is not None:
            links.append(PlannedLink(ends, f"{a} - {b}", fibre, sheet, medium.name))
    return tuple(links), problems


def _place(scenario: Scenario, ends: tuple[str, str], graph: Graph) -> Loc:
    """Return the key that is to blame for a link that cannot be: its own medium, or else the hardware at its ends."""
    if ends not in graph.media:
        return ("network", "hardware")
    links = scenario.network.links or ()
    return ("network", "links", next(i for i, link in enumerate(links) if (link.a, link.b) == ends), "medium")


def _flows(
    scenario: Scenario,
    number: dict[str, int],
    view: NetworkView,
    links: tuple[PlannedLink, ...],
    platforms: tuple[Platform, ...],
) -> tuple[tuple[PlannedFlow, ...], list[Problem]]:
    routing = getattr(scenario.stack.network.options, "routing", None)
    router: Router | None = routing.make(view=view) if routing is not None else None
    by_ends = {frozenset(link.ends): link for link in links}
    distils = distillation_of(scenario.stack.link.options) is not None
    flows = []
    problems = []
    for i, flow in enumerate(scenario.flows):
        source, target = number[flow.source], number[flow.target]
        route = router(source, target, flow.min_fidelity) if router else None
        why = route.why if isinstance(route, NoRoute) else ""
        if isinstance(route, Route):
            steps = [by_ends[frozenset(step)] for step in itertools.pairwise(route.path)]
            start, warm = max((flow.start, -1), *((platforms[node].cold_spans[0][0], node) for node in route.path))
            seconds = _seconds(scenario, start, steps) * _cold(start, scenario.run.until, platforms, route.path)
            if unlit := dark(((link.name, link.sheet) for link in steps), flow.start, scenario.run.until):
                why = unlit
            elif route.rate * seconds < HOPELESS:
                seconds = max(0, scenario.run.until - start) * 1e-12
                seconds *= _cold(start, scenario.run.until, platforms, route.path)
                why = (
                    f"about {route.rate:.1e} pairs/s can be expected over {view.walk(route.path)}, "
                    f"fewer than {HOPELESS} in the {seconds:g} s of the run{_while_cold(view, platforms, warm, route.path)}."
                )
        if not why and flow.rate and isinstance(route, Route) and flow.rate > route.rate:
            more = f"'{flow.rate:g} Hz': more than the {route.rate:.3g} pairs/s that can be expected over"
            problems.append(Problem(("flows", i, "rate"), f"{more} {view.walk(route.path)}."))
        if why and route is not None:
            key = "min_fidelity" if isinstance(route, NoRoute) and route.path else "to"
            hints = _worst(route.path, by_ends, platforms) if route.path else _dead(links, distils=distils)
            problems.append(Problem(("flows", i, key), f"{quoted(flow.name)} cannot be served: {why}", hints))
        flows.append(PlannedFlow(i, flow, source, target, route if isinstance(route, Route) else None))
    return tuple(flows), problems


def _while_cold(view: NetworkView, platforms: tuple[Platform, ...], warm: int, path: tuple[int, ...]) -> str:
    if any(platforms[node].cold for node in path):
        return f" in which {view.walk(path)} are cold together"
    if warm < 0:
        return ""
    return f" that are left when {view.names[warm]} is cold at {time_text(platforms[warm].cooled_at)}"


def _cold(start: int, until: int, platforms: tuple[Platform, ...], path: tuple[int, ...]) -> float:
    """Return the share of a time in which all nodes of a path are cold."""
    spans = [(start, until)] if start < until else []
    for node in path:
        pairs = itertools.product(spans, platforms[node].cold_spans)
        both = [(max(a, c), min(b, d)) for (a, b), (c, d) in pairs]
        spans = [(begin, end) for begin, end in both if begin < end]
    return sum(end - begin for begin, end in spans) / (until - start) if spans else 0.0


def _seconds(scenario: Scenario, start: int, steps: Iterable[PlannedLink]) -> float:
    """Return for how many seconds of the mean rate of the run a flow is served: links may have come and gone before."""
    until = scenario.run.until
    if start >= until:
        return 0.0
    shares = [rest(link.sheet, start, until) * until for link in steps if link.sheet.phases]
    return min([until - start, *shares]) * 1e-12 if shares else (until - start) * 1e-12


def _worst(
    path: tuple[int, ...], links: dict[frozenset[int], PlannedLink], platforms: tuple[Platform, ...]
) -> tuple[str, ...]:
    """Name the slowest and the least faithful link of a path, and the parameters they follow from."""
    steps = [links[frozenset(step)] for step in itertools.pairwise(path)]
    slow = slowest(steps)
    poor = min(steps, key=lambda link: max(row.fidelity for row in link.sheet.rows))
    hints = [f"Slowest link: {describe(slow)}."]
    if poor is not slow:
        hints.append(f"Least faithful link: {describe(poor)}.")
    sheets = {platforms[end].name: platforms[end] for link in (slow, poor) for end in link.ends}
    hints += [f"From {parameters(sheet)}." for sheet in sheets.values()]
    return tuple(hints)


def _dead(links: tuple[PlannedLink, ...], *, distils: bool) -> tuple[str, ...]:
    """Name the links on which nothing ever succeeds, and those that have too few memories to distil."""
    never = [link.name for link in links if not link.sheet.rows]
    small = [link.name for link in links if distils and link.sheet.lanes < PAIRS_DISTILLED]
    hints = (f"Links that can never make a pair: {some(never)}.",) if never else ()
    passing = [f"{link.name} is {times(link.sheet)}" for link in links if link.sheet.phases]
    hints = (*hints, f"Links that come and go: {some(passing)}.") if passing else hints
    return (*hints, f"Links with one memory at each end, too few to distil: {some(small)}.") if small else hints


def slowest(links: Iterable[PlannedLink]) -> PlannedLink:
    """Return the link with the least pairs per second, each at its fastest setting."""
    return max(links, key=_pace)


def _pace(link: PlannedLink) -> float:
    """Return the least seconds per pair of a link; infinite if nothing ever succeeds."""
    return min((row.seconds_per_pair for row in link.sheet.rows), default=float("inf")) / link.sheet.lanes


def describe(link: PlannedLink) -> str:
    """Say in one line what a link can do."""
    way = times(link.sheet) or f"{link.fibre.loss:.4g} dB"
    fibre = f"{link.name} ({link.fibre.length:.4g} km, {way})"
    if not link.sheet.rows:
        return f"{fibre}, never a pair"
    fast = min(link.sheet.rows, key=lambda row: row.seconds_per_pair)
    best = max(link.sheet.rows, key=lambda row: row.fidelity)
    rate = f"{link.sheet.lanes / fast.seconds_per_pair:.3g} pairs/s at F = {fast.fidelity:.3f}"
    if best == fast:
        return f"{fibre}, {rate}"
    return f"{fibre}, {rate} to {link.sheet.lanes / best.seconds_per_pair:.3g} pairs/s at F = {best.fidelity:.3f}"


def parameters(platform: Platform) -> str:
    """Say in one line which data sheet a node has, and its values."""
    sheet = platform.model_dump(mode="json")
    parts = [f"{platform.name} ({platform.status})"]
    for name in ("interface", "memory"):
        values = ", ".join(
            f"{key} {value}" for key, value in sheet[name].items() if isinstance(value, (str, int, float))
        )
        parts.append(f"{name}: {values}")
    parts.append(f"gate_noise {platform.gate_noise:g}, {platform.memories} memories")
    return "; ".join(parts)
