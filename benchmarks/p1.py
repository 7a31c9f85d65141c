"""The workload P1: full stack on 20 km links, checked against its table before a figure counts.

Links of 20 km have 10 memories a side; an attempt starts every 500 us and succeeds with p = 0.130599; both ends learn
the result 100 us after emission.  A pair is born as Werner 0.97 and each half dephases with T2 = 0.1 s.  Nodes swap
oldest with oldest at once, a TRACK takes 100 us a hop, the cutoff is 0.1 s.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf
from time import process_time
from typing import Any

from qstack.application.bbm92 import Bbm92
from qstack.application.layer import Application, ApplicationLayer
from qstack.application.pairs import Pairs, Wish
from qstack.core.clock import MICROSECOND, SECOND
from qstack.core.layer import Context, Outputs
from qstack.correction.distillation import Dejmps
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Medium
from qstack.hardware.pairs import Exponential, Half
from qstack.hosts.simulation import Simulation
from qstack.link.distil import Distiller
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.network.forwarding import ForwardingLayer
from qstack.network.signalling import SignallingLayer
from qstack.physical.layer import PhysicalLayer
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Outcome
from qstack.services.l5_application import Consumed, Finished, Kept, Sifted, Start
from qstack.services.strategies import NoRoute, Route, Row
from qstack.transport.layer import TransportLayer

PERIOD = 500 * MICROSECOND
HOP = 100 * MICROSECOND
PROBABILITY = 0.130599
BORN = 0.97
T2 = 0.1 * SECOND
CUTOFF = SECOND // 10
LANES = 10
WARM_UP = 0.1

TABLE: dict[tuple[int, bool], tuple[float, float]] = {
    (1, False): (2612.0, 0.9681),
    (2, False): (2310.2, 0.9289),
    (4, False): (2112.0, 0.8608),
    (8, False): (1997.0, 0.7457),
    (16, False): (1816.0, 0.5676),
    (1, True): (1187.0, 0.977),
    (4, True): (1001.0, 0.886),
}
"""Delivered pairs per simulated second and mean fidelity by (segments, distilled)."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Pairs wanted between two nodes; number 0 is without end; `key` makes a key of them."""

    source: int
    target: int
    number: int = 0
    key: bool = False


@dataclass(slots=True)
class Tally:
    """What both ends have had of the flows.

    `open` are the pairs that one end has had; `strangers` counts pairs whose two halves did not belong together.
    """

    delivered: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    fidelities: list[float] = field(default_factory=list)
    finished: list[tuple[int, int, int]] = field(default_factory=list)
    errors: list[tuple[int, int, int]] = field(default_factory=list)
    open: dict[tuple[int, int], Half] = field(default_factory=dict)
    strangers: int = 0


class Network:
    """Nodes, links and flows of P1 in the virtual-time host.

    Parameters
    ----------
    edges
        Pairs of neighbours.
    flows
        What is asked; flow k has the number k.
    seed
        Of every random stream.
    lanes
        Memories per link and side.
    distilled
        One DEJMPS round on every link.
    cutoff
        Of the halves that wait at repeaters [ps]; 0 for ever.
    settings, device
        Physics of all links and nodes.
    attempts
        "skip" or "each".
    hop
        Time of a message to a neighbour, and of a herald [ps].
    partner
        Swap policy, as in `qstack.network.forwarding.ForwardingLayer`.
    """

    def __init__(
        self,
        edges: Sequence[tuple[int, int]],
        flows: Sequence[Flow],
        seed: int = 1,
        *,
        lanes: int = LANES,
        distilled: bool = False,
        cutoff: int = CUTOFF,
        settings: Sequence[Setting] | None = None,
        device: Device | None = None,
        attempts: str = "skip",
        hop: int = HOP,
        partner: Callable[[int], int] | None = None,
    ) -> None:
        werner = (4 * BORN - 1) / 3
        settings = settings or (Setting(PERIOD, PROBABILITY, (Outcome(1.0, 0, (werner, werner, werner)),)),)
        device = device or Device(Exponential(inf, T2))
        self.hop = hop
        self.partner = partner
        self.simulation = Simulation()
        self.medium = Medium(self.simulation, seed, attempts=attempts, midpoint=lambda ends: Midpoint(ends, window=1))
        self.flows = tuple(flows)
        self.tally = Tally(delivered=[0] * len(flows))
        self.neighbours: dict[int, list[int]] = {}
        self.applications: dict[int, list[Application]] = {}
        for a, b in edges:
            self.neighbours.setdefault(a, []).append(b)
            self.neighbours.setdefault(b, []).append(a)
        rows = tuple(Row(0.0, s.period / s.probability / SECOND, BORN) for s in settings)
        for node in sorted(self.neighbours):
            self._add_node(node, rows, device, lanes, cutoff, distilled=distilled)
        for a, b in edges:
            self.medium.add_link((min(a, b), max(a, b)), lanes, settings, (0, 0), (hop, hop), f"link {a}-{b}")

    def _add_node(
        self, node: int, rows: tuple[Row, ...], device: Device, lanes: int, cutoff: int, *, distilled: bool
    ) -> None:
        simulation, medium = self.simulation, self.medium
        links = {peer: Link(peer, lanes, 2 * self.hop, rows, master=node < peer) for peer in self.neighbours[node]}
        counts = dict.fromkeys(links, lanes)
        applications = [
            self._application(number, flow, initiator=node == flow.source)
            for number, flow in enumerate(self.flows)
            if node in {flow.source, flow.target}
        ]
        self.applications[node] = applications
        layers = (
            PhysicalLayer(counts),
            LinkLayer(links, distiller=Distiller(Dejmps()) if distilled else None),
            ForwardingLayer(lambda age: (2 * exp(-age / T2) + 1) / 3, 1.0, counts, SECOND, self.partner),
            SignallingLayer(self.route, cutoff),
            TransportLayer(),
            ApplicationLayer(applications),
        )
        medium.add_node(node, device, lambda noun, now, node=node: simulation.nodes[node].feed(noun, now))
        user = {
            Consumed: self._consumed,
            Finished: self._finished,
            Sifted: self._sifted,
            Kept: lambda noun, context: (),
        }
        simulation.add_node(node, layers, medium.effects(node, f"node {node}"), self.delay, user)

    def delay(self, source: int, target: int) -> int:
        """Return the time of a message along the path of fewest hops [ps]."""
        route = self.route(source, target, 0.0)
        return self.hop * (len(route.path) - 1) if isinstance(route, Route) else 0

    def _application(self, number: int, flow: Flow, *, initiator: bool) -> Application:
        wish = Wish(flow.target if initiator else flow.source, 0.0, flow.number)
        return Bbm92(number, wish, initiator=initiator) if flow.key else Pairs(number, wish)

    def route(self, source: int, target: int, min_fidelity: float) -> Route | NoRoute:
        """Return the path of fewest hops."""
        before: Mapping[int, int] = self._tree(source)
        if target not in before:
            return NoRoute("not connected")
        path = [target]
        while path[-1] != source:
            path.append(before[path[-1]])
        return Route(tuple(reversed(path)), (0.0,) * (len(path) - 1), 1.0, 1.0)

    def _tree(self, source: int) -> dict[int, int]:
        before = {source: source}
        queue = deque([source])
        while queue:
            here = queue.popleft()
            for there in self.neighbours[here]:
                if there not in before:
                    before[there] = here
                    queue.append(there)
        return before

    def _consumed(self, ind: Consumed, context: Context) -> Outputs:
        half = self.medium.qubits[context.node][ind.qubit]
        half.age(context.now)
        half.consumed = True
        tally = self.tally
        key = (ind.flow, ind.pair)
        first = tally.open.pop(key, None)
        if first is None:
            tally.open[key] = half
        else:
            pair = half.pair
            tally.strangers += first is not (pair.b if pair.a is half else pair.a)
            tally.delivered[ind.flow] += 1
            tally.times.append(context.now)
            tally.fidelities.append(pair.fidelity_with(ind.bell))
        return ()

    def _finished(self, ind: Finished, context: Context) -> Outputs:
        self.tally.finished.append((context.node, ind.flow, ind.reason))
        return ()

    def _sifted(self, ind: Sifted, context: Context) -> Outputs:
        if context.node == self.flows[ind.flow].source:
            self.tally.errors.append((ind.pair, ind.basis, ind.error))
        return ()

    def start(self) -> None:
        """Start every flow at its source."""
        for number, flow in enumerate(self.flows):
            self.simulation.nodes[flow.source].feed(Start(number), self.simulation.now)

    def run(self, until: float) -> None:
        """Let virtual time pass, in seconds from the beginning."""
        self.simulation.run(int(until * SECOND))


def chain(segments: int, seed: int = 1, *, number: int = 0, key: bool = False, **options: Any) -> Network:
    """Return a chain of this many links with one flow from end to end."""
    return Network([(i, i + 1) for i in range(segments)], [Flow(0, segments, number, key)], seed, **options)


def mesh(nodes: int, flows: int, seed: int = 1, lanes: int = 4) -> Network:
    """Return a random connected network: about 1.5 links per node, flows of 2 to 5 hops."""
    draw = random.Random(seed)
    edges = {(draw.randrange(max(0, n - 8), n), n) for n in range(1, nodes)}
    while len(edges) < nodes * 3 // 2:
        a = draw.randrange(nodes)
        b = a + draw.randrange(1, 12)
        if b < nodes:
            edges.add((a, b))
    plan = Network(sorted(edges), [], seed, lanes=1)
    chosen: list[Flow] = []
    while len(chosen) < flows:
        a, b = draw.randrange(nodes), draw.randrange(nodes)
        route = plan.route(a, b, 0.0)
        if a != b and isinstance(route, Route) and 3 <= len(route.path) <= 6:
            chosen.append(Flow(a, b))
    return Network(sorted(edges), chosen, seed, lanes=lanes)


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement: the figure, and the rate and fidelity that make it count."""

    figure: float
    rate: float
    fidelity: float
    delivered: int
    served: int
    cpu: float


def measure(network: Network, seconds: float) -> Result:
    """Run a network for a simulated time and return delivered pairs per CPU-second."""
    begin = process_time()
    network.start()
    network.run(seconds)
    cpu = process_time() - begin
    tally = network.tally
    skip = int(seconds * WARM_UP * SECOND)
    late = [f for f, t in zip(tally.fidelities, tally.times, strict=True) if t >= skip]
    return Result(
        figure=len(tally.times) / cpu,
        rate=len(late) / (seconds * (1 - WARM_UP)),
        fidelity=sum(late) / len(late) if late else 0.0,
        delivered=len(late),
        served=sum(n > 0 for n in tally.delivered),
        cpu=cpu,
    )


def check(result: Result, segments: int, *, distilled: bool = False) -> None:
    """Refuse a figure whose physics is not that of the table.

    Raises
    ------
    ValueError
        If the rate is off by more than 2 %, or the fidelity by more than 0.004.
    """
    rate, fidelity = TABLE[segments, distilled]
    if abs(result.rate / rate - 1) > 0.02 or abs(result.fidelity - fidelity) > 0.004:
        raise ValueError(
            f"N = {segments}: {result.rate:.1f} pairs/s at {result.fidelity:.4f}, not {rate} at {fidelity}"
        )


def main() -> None:
    """Print one line for each row of the table and for the network of 100 nodes."""
    for (segments, distilled), (rate, fidelity) in TABLE.items():
        result = measure(chain(segments, distilled=distilled), 30.0 / segments**0.5)
        name = f"chain_{segments}" + ("_distilled" if distilled else "")
        print(
            f"{name:20} {result.figure:9.0f} pairs/CPU-s   {result.rate:7.1f}/s ({rate:.0f})"
            f"   F {result.fidelity:.4f} ({fidelity})   {result.cpu:.2f} s"
        )
    net = mesh(100, 20)
    result = measure(net, 2.0)
    print(f"{'net_100_20':20} {result.figure:9.0f} pairs/CPU-s   {result.served} of 20 served   {result.cpu:.2f} s")


if __name__ == "__main__":
    main()
