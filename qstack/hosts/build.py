"""From a plan to a network that can run: nodes with their piles, a medium, and a recorder at the top."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import rustworkx

from qstack.core.clock import Clock
from qstack.core.errors import ConfigError
from qstack.core.layer import Context, Handler, Layer, Outputs
from qstack.core.node import Node
from qstack.hosts.carriage import Carriage, Conditions
from qstack.hosts.faults import Faults
from qstack.hosts.record import Recorder
from qstack.hosts.simulation import Simulation
from qstack.plugin.chance import generator
from qstack.plugin.contracts import Disturbed, Medium
from qstack.plugin.distilling import combine_of, distillation_of
from qstack.plugin.sites import FlowEnd, Neighbour, Site
from qstack.scenario.plan import Plan
from qstack.services.l2_link import Create
from qstack.services.l5_application import Start


@dataclass(frozen=True, slots=True)
class Network:
    """A network in virtual time, ready to run."""

    plan: Plan
    simulation: Simulation
    medium: Medium
    recorder: Recorder
    requests: Mapping[frozenset[int], int]
    carriage: Carriage | None = None

    def struck(self) -> tuple[tuple[int, int], ...]:
        """Return for each fault that was ordered the messages it might have struck, repetitions included, and has."""
        faults = self.carriage.conditions.faults if self.carriage else None
        return tuple((rule.seen, rule.struck) for rule in faults.rules) if faults else ()


def build(
    plan: Plan,
    *,
    seed: int,
    shot: int = 0,
    node_class: Callable[..., Node] = Node,
    carriage: Callable[[Simulation, Conditions], Carriage] | None = None,
) -> Network:
    """Return the network of a plan, with every flow's start on its heap.

    Parameters
    ----------
    plan
        From `qstack.scenario.plan.plan`.
    seed, shot
        Of the run: every entity draws from its own stream.
    node_class
        What piles the layers up; a traced run takes another one.
    carriage
        What carries messages; None takes the shortest way that does it.

    Raises
    ------
    ConfigError
        If faults strike messages that the medium does not lose.
    """
    run = plan.scenario.run
    simulation = Simulation(node_class, None if run.shuffle_ties is None else _ties(run.shuffle_ties))
    medium = medium_of(plan, simulation, seed, shot)
    recorder = Recorder(plan, simulation, medium)
    requests: dict[frozenset[int], int] = {frozenset(link.ends): 0 for link in plan.links}
    light = light_of(plan)
    conditions = Conditions(plan.scenario.network.channel, light, plan.names, seed, shot, _faults(plan, seed, shot))
    if carriage is None and (run.encode or conditions.faults or not conditions.channel.make(delay=0).ideal):
        carriage = Carriage
    carried = carriage(simulation, conditions) if carriage else None

    def delays(a: int, b: int) -> int:
        return conditions.make((a, b)).delay

    ends = applications(plan)
    shared: dict[str, Any] = {}
    for number, (name, platform) in enumerate(zip(plan.names, plan.platforms, strict=True)):
        layers = pile(plan, number, ends.get(number, {}), shared)
        device = medium.place(number, name, platform)
        sender = carried.sender(number) if carried else None
        node = simulation.add_node(number, layers, device, delays, recorder.user(number), sender)
        medium.connect(number, node.feed)
        _count(node, number, requests)
    join(plan, medium)
    if conditions.faults and conditions.faults.at_midpoints:
        if not isinstance(medium, Disturbed):
            raise ConfigError("run.tier  this one loses no messages with midpoints: leave faults of Gen and Reply out.")
        medium.disturb(conditions.faults.fate)
    for flow in plan.flows:
        simulation.at(flow.flow.start, _start, (simulation, flow.source, flow.number))
    return Network(plan, simulation, medium, recorder, requests, carried)


def medium_of(plan: Plan, clock: Clock, seed: int, shot: int = 0) -> Medium:
    """Return the owner of all quantum state of a plan, without nodes yet."""
    run = plan.scenario.run
    scheme = distillation_of(plan.scenario.stack.link.options)
    schemes = {scheme.name: combine_of(scheme)} if scheme else {}
    made: Medium = run.tier.make(clock=clock, seed=seed, shot=shot, attempts=run.attempts, schemes=schemes)
    return made


def join(plan: Plan, medium: Medium) -> None:
    """Add all links of a plan to a medium that knows its nodes."""
    for link in plan.links:
        medium.join(link.ends, "--".join(sorted(plan.names[end] for end in link.ends)), link.sheet)


def pile(plan: Plan, number: int, ends: dict[int, Any], shared: dict[str, Any]) -> list[Layer]:
    """Return the layers of a node, lowest first.

    Parameters
    ----------
    plan, number
        Which node of which network.
    ends
        Its applications, by flow.
    shared
        What the nodes of one process share; see `qstack.plugin.sites.Site.once`.
    """
    site = _site(plan, number, ends, shared)
    layers: list[Layer] = []
    for level in plan.scenario.stack.layers():
        made = level.make(site=site)
        layers.extend(made if isinstance(made, tuple) else (made,))
    return layers


def _start(event: tuple[Simulation, int, int]) -> None:
    simulation, node, flow = event
    simulation.nodes[node].feed(Start(flow), simulation.now)


def applications(plan: Plan) -> dict[int, dict[int, Any]]:
    """Return the applications of every node, by flow."""
    ends: dict[int, dict[int, Any]] = {}
    for flow in plan.flows:
        wanted = flow.flow.number or 0
        for here, peer, initiator in ((flow.source, flow.target, True), (flow.target, flow.source, False)):
            asked = flow.flow.min_fidelity, wanted, flow.flow.priority, flow.flow.rate or 0.0
            end = FlowEnd(flow.number, initiator, peer, *asked)
            ends.setdefault(here, {})[flow.number] = flow.flow.app.make(end=end)
    return ends


def _site(plan: Plan, number: int, applications: dict[int, Any], shared: dict[str, Any]) -> Site:
    neighbours = _neighbours(plan, shared)[number]
    view = plan.view
    return Site(
        number=number,
        name=plan.names[number],
        neighbours=neighbours,
        storage=view.storage[number],
        swap_factor=view.swap_factors[number],
        view=view,
        gate_noise=plan.platforms[number].gate_noise,
        readout_error=plan.platforms[number].readout_error,
        applications=tuple(applications.values()),
        shared=shared,
    )


def _neighbours(plan: Plan, shared: dict[str, Any]) -> list[dict[int, Neighbour]]:
    """Return the links of every node, computed once."""
    if "neighbours" not in shared:
        table: list[dict[int, Neighbour]] = [{} for _ in plan.names]
        for link in plan.links:
            sheet = link.sheet
            for here, there in (link.ends, link.ends[::-1]):
                delay = plan.scenario.network.channel.make(delay=sheet.delay).delay
                table[here][there] = Neighbour(there, sheet.lanes, delay, sheet.rows, sheet.period)
        shared["neighbours"] = table
    found: list[dict[int, Neighbour]] = shared["neighbours"]
    return found


def light_of(plan: Plan) -> Callable[[int, int], int]:
    """Return the time that light takes between two nodes: that of their link, or of the fastest way."""
    graph: rustworkx.PyGraph[int, int] = rustworkx.PyGraph(multigraph=False)
    graph.add_nodes_from(range(len(plan.names)))
    graph.add_edges_from([(*link.ends, link.sheet.delay) for link in plan.links])

    def light(a: int, b: int) -> int:
        if graph.has_edge(a, b):
            return graph.get_edge_data(a, b)
        return round(rustworkx.dijkstra_shortest_path_lengths(graph, a, float, goal=b)[b])

    return light


def _faults(plan: Plan, seed: int, shot: int) -> Faults | None:
    faults = plan.scenario.faults
    return Faults(faults, plan.names, seed, shot) if faults else None


def _ties(seed: int) -> Callable[[], int]:
    """Return draws for the places of simultaneous events."""
    draw = generator(seed, 0, "ties")
    return lambda: int(draw.integers(1 << 31))


def _count(node: Node, number: int, requests: dict[frozenset[int], int]) -> None:
    """Count the requests that reach the link layer: rare, so a wrapper costs nothing."""
    handler = node.table.get(Create)
    if handler is None:
        return
    inner: Handler = handler

    def counted(req: Create, ctx: Context) -> Outputs:
        link = frozenset((number, req.peer))
        if link in requests:
            requests[link] += 1
        return inner(req, ctx)

    node.table[Create] = counted
