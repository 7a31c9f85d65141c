"""Three nodes in a row, and what they said and did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

import qstack
from qstack.hosts.build import Network, build
from qstack.trace.node import Tracer
from qstack.trace.sinks import Memory

Lines = dict[str, list[tuple[Any, ...]]]


def scenario(**changes: Any) -> dict[str, Any]:
    """Return three nodes with a cutoff that strikes now and then."""
    data: dict[str, Any] = {
        "name": "three nodes",
        "network": {"chain": {"segments": 2, "length": "20 km"}, "hardware": {"all": "textbook"}},
        "stack": {"network": {"cutoff": "6 ms"}},
        "flows": [{"name": "pairs", "from": "n0", "to": "n2", "min_fidelity": 0.7, "number": 30}],
        "run": {"until": "2 s", "seed": 3},
    }
    for key, value in changes.items():
        place, _, name = key.partition("__")
        if name:
            data[place] = {**data[place], name: value}
        else:
            data[place] = value
    return data


def by_node(records: list[dict[str, Any]]) -> Lines:
    """Return what every node saw and did, in its order, and why."""
    lines: Lines = defaultdict(list)
    for r in records:
        line = (r["time_ps"], r["direction"], r["from"], r["to"], r["noun"], r["fields"], r["id"], r["cause"])
        lines[r["node"]].append(line)
    return dict(lines)


class Ran:
    """A network that has run, and its transcript."""

    def __init__(self, network: Network, lines: Lines) -> None:
        self.network = network
        self.lines = lines

    def count(self, direction: str, noun: str) -> int:
        return sum(line[1] == direction and line[4] == noun for lines in self.lines.values() for line in lines)

    @property
    def delivered(self) -> int:
        return sum(len(flow.pairs) for flow in self.network.recorder.flows)

    @property
    def held(self) -> int:
        return sum(len(qubits) for qubits in self.network.medium.qubits.values())

    @property
    def kept(self) -> list[Any]:
        """Whatever a link or network layer still remembers of requests, pairs and circuits: nothing, when all is over."""
        tables: list[Any] = []
        for node in self.network.simulation.nodes.values():
            layers: Any = node.layers  # the reference ones
            _, link, forwarding, signalling, *_ = layers
            for line in link.links.values():
                tables += [line.items, line.adding, line.backlog, line.dropping, line.expiring]
                tables += [[aid for aid in line.standing if aid >= 0]]
            tables += [forwarding.circuits, forwarding.swapping, forwarding.probing, *forwarding.labels.values()]
            tables += [signalling.entries, signalling.sessions, *signalling.labels.values()]
        return [table for table in tables if table]

    def consumed(self, node: str) -> dict[int, int]:
        """Return pair number to Bell index of everything that a node's applications consumed."""
        found: dict[int, int] = {}
        for line in self.lines[node]:
            if line[4] == "Consumed":
                assert line[5]["pair"] not in found, "delivered twice"
                found[line[5]["pair"]] = line[5]["bell"]
        return found


def simulate(data: Mapping[str, Any], *, settle: int = 10**12) -> Ran:
    """Run a scenario in virtual time, then let everything settle."""
    experiment = qstack.load(data)
    memory = Memory()
    network = build(experiment.plan, seed=experiment.seed, node_class=Tracer(experiment.plan.names, memory).node)
    until = experiment.plan.scenario.run.until
    network.simulation.run(until)
    settled = max(until, network.simulation.now) + settle
    while not network.simulation.idle and network.simulation.now < settled:
        network.simulation.stopped = False  # a flow that ends stops the run
        network.simulation.run(settled)
    return Ran(network, by_node(memory.records))


@pytest.fixture
def three() -> Any:
    return scenario


@pytest.fixture
def run() -> Any:
    return simulate


@pytest.fixture
def lines() -> Any:
    return by_node


@pytest.fixture
def network(tmp_path, three):
    """Return what makes three nodes and a laboratory that are processes; they are stopped in the end."""
    from processes import Processes  # noqa: PLC0415 - it needs an extra

    made = []

    def make(number=20, **more):
        data = three(stack={"network": {"cutoff": "200 ms"}}, run={"until": "100 s", "seed": 3})
        data["flows"][0]["number"] = number
        processes = Processes(tmp_path, data, **more)
        made.append(processes)
        return processes

    yield make
    for processes in made:
        processes.stop()
