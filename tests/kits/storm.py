"""A small network in a storm: random requests, random faults of every kind, and an account of all that was told."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from qstack.core.clock import MICROSECOND, SECOND
from qstack.core.layer import Context, Layer, Outputs, on
from qstack.core.nouns import Message, Noun, Send
from qstack.correction.distillation import Dejmps
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Medium
from qstack.hardware.pairs import Half
from qstack.hardware.pairs import Pair as State
from qstack.hosts.simulation import Simulation
from qstack.link.distil import Distiller
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.link.schedulers import weighted_fair
from qstack.network.forwarding import ForwardingLayer
from qstack.network.signalling import SignallingLayer
from qstack.physical.layer import PhysicalLayer
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Outcome
from qstack.services.bell import Basis, flip
from qstack.services.classical import NeighbourLost
from qstack.services.device import Free
from qstack.services.l3_network import (
    EARLY,
    KEEP,
    MEASURE,
    PREPARE,
    Connect,
    Connected,
    Disconnect,
    Disconnected,
    Early,
    FidelityTested,
    Lost,
    Pair,
    Result,
)
from qstack.services.strategies import NoRoute, Route, Row, Scheduler
from qstack.wire.codec import LAYOUTS, Plane, decode, encode

PERIOD = 500 * MICROSECOND
HOP = 100 * MICROSECOND
GRAPHS = {
    "link": [(0, 1)],
    "two": [(0, 1), (1, 2)],
    "three": [(0, 1), (1, 2), (2, 3)],
    "cross": [(0, 2), (1, 2), (2, 3), (3, 4), (3, 5)],
}


@dataclass(slots=True)
class Told:
    """What one end was told of one pair."""

    event: Pair | Result
    half: Half | None
    state: State | None
    lost: bool = False


class User(Layer):
    """Stands for the transport layer: asks, counts, frees; every noun is written down."""

    name = "user"

    def __init__(self, storm: Storm, node: int) -> None:
        self.storm = storm
        self.node = node

    @on(Connected)
    def connected(self, ind: Connected, ctx: Context) -> Outputs:
        """Remember that the session stood."""
        self.storm.stood.add((self.node, ind.session))
        return ()

    @on(Disconnected)
    def disconnected(self, ind: Disconnected, ctx: Context) -> Outputs:
        """Remember why the session ended."""
        key = (self.node, ind.session)
        assert key not in self.storm.ended, f"session {ind.session} ends twice at node {self.node}"
        self.storm.ended[key] = ind.reason
        return ()

    @on(Early)
    def early(self, ind: Early, ctx: Context) -> Outputs:
        """Keep the half until it is confirmed or lost."""
        self.storm.early.add((self.node, ind.qubit))
        return ()

    @on(Pair, Result)
    def pair(self, ind: Pair | Result, ctx: Context) -> Outputs:
        """Compare with what the other end was told, and free the half."""
        return self.storm.take(self.node, ind)

    @on(Lost)
    def lost(self, ind: Lost, ctx: Context) -> Outputs:
        """A pair is not valid."""
        if ind.pair < 0:
            self.storm.early.remove((self.node, ind.qubit))
            return (Free(ind.qubit),)
        told = self.storm.told[self.node, ind.session, ind.pair]
        assert not told.lost, f"{ind} is told twice"
        told.lost = True
        return ()

    @on(FidelityTested)
    def tested(self, ind: FidelityTested, ctx: Context) -> Outputs:
        """Perfect pairs pass every test."""
        forwarding = self.storm.simulation.nodes[self.node].layers[2]
        errors = [sum(circuit.trials.tally.errors.values()) for circuit in forwarding.circuits.values()]
        assert not any(errors) or self.storm.noisy, f"{ind} of perfect pairs"
        self.storm.tests += 1
        return ()


@dataclass(slots=True)
class Weather:
    """What goes wrong: shares of datagrams dropped, doubled and delayed, of REPLYs lost, and how much messages jitter."""

    drop: float = 0.0
    double: float = 0.0
    delay: float = 0.0
    deaf: float = 0.0
    jitter: float = 0.0
    encoded: bool = False


@dataclass(slots=True)
class Wish:
    """One session: who asks whom for what."""

    source: int
    target: int
    number: int
    kind: int = KEEP
    basis: int = 0
    rate: float = 0.0
    priority: int = 0
    start: float = 0.0


@dataclass
class Storm:
    """The network, its weather and the account.

    Parameters
    ----------
    graph
        Name of a graph.
    wishes
        Sessions, numbered from 0.
    seed
        Of everything that is drawn.
    """

    graph: str
    wishes: list[Wish]
    seed: int
    weather: Weather = field(default_factory=Weather)
    lanes: int = 2
    distilled: bool = False
    cutoff: int = 0
    attempts: str = "skip"
    test_share: float = 0.0
    test_period: int = 0
    aggregate: bool = False
    skewed: bool = False
    shuffled: bool = False
    probability: float = 0.5
    scheduler: Scheduler = weighted_fair
    gate: bool = False

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        ties = random.Random(self.seed + 1)
        self.simulation = Simulation(ties=(lambda: ties.randrange(1 << 31)) if self.shuffled else None)
        self.told: dict[tuple[int, int, int], Told] = {}
        self.stood: set[tuple[int, int]] = set()
        self.ended: dict[tuple[int, int], int] = {}
        self.early: set[tuple[int, int]] = set()
        self.counts = dict.fromkeys(range(len(self.wishes)), 0)
        self.tests = 0
        self.noisy = self.distilled
        self.sent: dict[str, int] = {}
        self.busy: dict[tuple[int, int], int] = {}
        self.cut: dict[tuple[int, int], int] = {}
        self.edges = GRAPHS[self.graph]
        self.neighbours: dict[int, list[int]] = {}
        for a, b in self.edges:
            self.neighbours.setdefault(a, []).append(b)
            self.neighbours.setdefault(b, []).append(a)
        self.medium = Medium(
            self.simulation, self.seed, attempts=self.attempts, midpoint=lambda ends: Midpoint(ends, window=1)
        )
        perfect = (Outcome(0.5, 0, (1.0, 1.0, 1.0)), Outcome(0.5, 3, (1.0, 1.0, 1.0)))
        settings = (Setting(PERIOD, self.probability, perfect),)
        for node in sorted(self.neighbours):
            self._add(node)
        reply = (HOP, HOP + 50 * MICROSECOND) if self.skewed else (HOP, HOP)
        emit = (0, 50 * MICROSECOND) if self.skewed else (0, 0)
        for a, b in self.edges:
            link = self.medium.add_link((a, b), self.lanes, settings, emit, reply, f"link {a}-{b}")
            if self.weather.deaf:
                link.deaf = lambda *_: ("drop", 0) if self.draw.random() < self.weather.deaf else None

    def _add(self, node: int) -> None:
        rows = (Row(0.0, 1e-3, 1.0),)
        links = {
            peer: Link(peer, self.lanes, 2 * HOP, rows, master=node < peer, cycle=PERIOD)
            for peer in self.neighbours[node]
        }
        counts = dict.fromkeys(links, self.lanes)
        layers = (
            PhysicalLayer(counts),
            LinkLayer(links, self.scheduler, Distiller(Dejmps()) if self.distilled else None, self.test_period),
            ForwardingLayer(lambda _: 1.0, 1.0, counts, SECOND // 50, None, self.test_share, gate=self.gate),
            SignallingLayer(
                self.route, self.cutoff, neighbours=links.keys(), aggregate=self.aggregate, give_way=10.0 * self.lanes
            ),
            User(self, node),
        )
        self.medium.add_node(node, Device(None), self._feeder(node))
        table = self.medium.effects(node, f"node {node}")
        self.simulation.add_node(node, layers, table, lambda *_: HOP, {}, self._sender(node))

    def _feeder(self, node: int) -> Callable[[Noun, int], None]:
        nodes = self.simulation.nodes  # the node itself comes later
        return lambda noun, now: nodes[node].feed(noun, now)  # noqa: PLW0108 - the node does not exist yet

    def route(self, source: int, target: int, min_fidelity: float) -> Route | NoRoute:
        """Return the only path there is."""
        paths = [(source,)]
        for path in paths:
            if path[-1] == target:
                return Route(path, (0.5,) * (len(path) - 1), 1.0, self.probability * SECOND / PERIOD)
            paths += [(*path, n) for n in self.neighbours[path[-1]] if n not in path]
        return NoRoute("not connected")

    # -- messages -----------------------------------------------------------------------------------------------------

    def _sender(self, node: int) -> Callable[[Send, Context], Outputs]:
        self.simulation.messages[node] = 0

        def send(noun: Send, ctx: Context) -> Outputs:
            self.simulation.messages[node] += 1
            message = decode(encode(noun.message)) if self.weather.encoded else noun.message
            assert isinstance(message, Message)
            self._carry((node, noun.peer), message, ctx.now)
            return ()

        return send

    def _carry(self, hop: tuple[int, int], message: Message, now: int) -> None:
        name = type(message).__name__
        self.sent[name] = self.sent.get(name, 0) + 1
        plane = LAYOUTS[type(message)].plane
        assert plane is not None
        weather, draw = self.weather, self.draw
        if plane > Plane.LINK:  # reliable and in order: trouble shows as delay
            late = int(draw.expovariate(1.0) * weather.jitter * HOP) if weather.jitter else 0
            at = max(now + HOP + late, self.busy.get(hop, 0))
            self.busy[hop] = at
            self.simulation.deliver(hop, at, self._arrive, (hop, message, now))
            return
        copies = 0 if draw.random() < weather.drop else 2 if draw.random() < weather.double else 1
        for _ in range(copies):
            late = int(draw.expovariate(0.3) * HOP) if draw.random() < weather.delay else 0
            self.simulation.at(now + HOP + late, self._arrive, (hop, message, now))

    def _arrive(self, flight: tuple[tuple[int, int], Message, int]) -> None:
        (source, target), message, since = flight
        plane = LAYOUTS[type(message)].plane
        if plane is not None and plane > Plane.LINK and since < self.cut.get((source, target), -1):
            return  # of a connection that was lost
        self.simulation.nodes[target].receive(message, source, self.simulation.now)

    # -- what users do ------------------------------------------------------------------------------------------------

    def feed(self, node: int, noun: Noun) -> None:
        """Give a node an input now."""
        self.simulation.nodes[node].feed(noun, self.simulation.now)

    def at(self, seconds: float, node: int, noun: Noun) -> None:
        """Give a node an input later."""
        self.simulation.at(int(seconds * SECOND), lambda _: self.feed(node, noun), None)

    def lose(self, seconds: float, edge: tuple[int, int]) -> None:
        """Have two neighbours lose sight of each other; what is under way between them is lost."""

        def lost(_: object) -> None:
            for hop in (edge, edge[::-1]):
                self.cut[hop] = self.simulation.now
            for here, there in (edge, edge[::-1]):
                self.feed(here, NeighbourLost(there))

        self.simulation.at(int(seconds * SECOND), lost, None)

    def start(self) -> None:
        """Begin all sessions."""
        for session, wish in enumerate(self.wishes):
            request = Connect(session, wish.target, 0.5, wish.number, wish.kind, wish.basis, wish.rate, wish.priority)
            self.simulation.at(int(wish.start * SECOND), lambda event: self.feed(*event), (wish.source, request))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.simulation.run(int(seconds * SECOND))

    # -- the account --------------------------------------------------------------------------------------------------

    def take(self, node: int, ind: Pair | Result) -> Outputs:
        """Write down what an end is told, and compare it with what the other end was told."""
        wish = self.wishes[ind.session]
        assert node in {wish.source, wish.target}, f"{ind} at node {node}"
        key = (node, ind.session, ind.pair)
        assert key not in self.told, f"{ind} comes twice to node {node}"
        half = self.medium.qubits[node][ind.qubit] if isinstance(ind, Pair) else None
        mine = self.told[key] = Told(ind, half, half.pair if half else None)
        other = self.told.get((wish.source + wish.target - node, ind.session, ind.pair))
        if other is not None and not other.lost:
            self._compare(wish, mine, other)
        if wish.source == node:
            self.counts[ind.session] += 1
            if self.counts[ind.session] == wish.number:
                self.simulation.at(self.simulation.now, lambda _: self.feed(node, Disconnect(ind.session)), None)
        if isinstance(ind, Pair):
            self.early.discard((node, ind.qubit))
            return (Free(ind.qubit),)
        return ()

    def _compare(self, wish: Wish, mine: Told, other: Told) -> None:
        a, b = mine.event, other.event
        assert a.bell == b.bell, f"{a} and {b} have different frames"
        if mine.half is not None and other.half is not None and mine.state is not None:
            partner = mine.state.b if mine.state.a is mine.half else mine.state.a
            assert partner is other.half, f"{a} and {b} are no pair"
            assert mine.state.fidelity_with(a.bell) == 1.0, f"{a} is in another frame"
        if isinstance(a, Result) and isinstance(b, Result):
            assert a.basis == b.basis == wish.basis
            assert a.outcome ^ b.outcome == flip(a.bell, a.basis) ^ (a.basis == Basis.Y), f"{a} and {b} disagree"

    def check(self) -> None:
        """Refuse a network in which anything is left, and pairs of which only one end knows."""
        for (node, session, pair), told in self.told.items():
            wish = self.wishes[session]
            other = self.told.get((wish.source + wish.target - node, session, pair))
            failed = any(self.ended.get((end, session)) for end in (wish.source, wish.target))  # then both are in doubt
            if failed and not self.ended.get((node, session)):
                continue  # complete here, and the path failed before the other end knew: that end was told so
            assert told.lost or other is not None, f"{told.event} was told to node {node} only"
            assert told.lost or failed or not (other and other.lost), f"{told.event} is lost at one end only"
        for session, wish in enumerate(self.wishes):
            assert (wish.source, session) in self.ended, f"session {session} of node {wish.source} does not end"
            if (wish.target, session) in self.stood:
                assert (wish.target, session) in self.ended, f"session {session} does not end at node {wish.target}"
            if not self.ended[wish.source, session] and (wish.source, session) not in self.stopped:
                assert self.counts[session] == wish.number, f"session {session}: {self.counts[session]} pairs"
        assert not self.early, f"halves told early and never again: {self.early}"
        left = {node: sorted(qubits) for node, qubits in self.medium.qubits.items() if qubits}
        assert not left, f"qubits are left: {left}"
        for number, node in self.simulation.nodes.items():
            _, link, forwarding, signalling, _ = node.layers
            tables = [forwarding.circuits, forwarding.swapping, forwarding.probing, *forwarding.labels.values()]
            tables += [signalling.entries, signalling.sessions, *signalling.labels.values()]
            for line in link.links.values():
                tables += [line.items, line.adding, line.backlog, [aid for aid in line.standing if aid >= 0]]
                tables += [line.dropping, line.expiring] if self.settled else []
            if link.distiller is not None:
                d = link.distiller
                tables += [d.waiting, d.measuring, d.judging, [r for r in d.rounds.values() if r]]
            assert not any(tables), f"node {number} keeps {[t for t in tables if t]}"

    stopped: set[tuple[int, int]] = field(default_factory=set)
    settled: bool = True

    def stop(self, seconds: float, node: int, session: int) -> None:
        """Have an end of a session give it up."""
        self.stopped.add((self.wishes[session].source, session))
        self.at(seconds, node, Disconnect(session))


KINDS = (KEEP, MEASURE, PREPARE, EARLY)
