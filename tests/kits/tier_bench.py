"""Nodes of whole data sheets: without layers, joined in a row or a ring, and as a scenario."""

from __future__ import annotations

from qstack.core.layer import Context
from qstack.hardware.exact import ExactTier
from qstack.hardware.models import RelaxingMemory, TextbookInterface
from qstack.hardware.tier import CorrelatorTier
from qstack.hosts.simulation import Simulation
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Herald, LinkSheet, Outcome, Platform
from qstack.plugin.sheet import SharedQubits
from qstack.services import device

CYCLE, REPLY = 10_000, 1_000
TIERS = {"correlators": CorrelatorTier, "exact": ExactTier}
MODES = ("skip", "each")
NOISE = 0.1


def platform(qubits=None, cooled_at="0 s", **cryostat) -> Platform:
    interface = TextbookInterface(probability=1.0, fidelity=1.0, attempt_period="10 ns")
    return Platform(memory=RelaxingMemory(), interface=interface, qubits=qubits, cooled_at=cooled_at, **cryostat)


def shared(communication=1, storage=1, move_time="15 ns", **more) -> SharedQubits:
    return SharedQubits(communication=communication, storage=storage, move_time=move_time, move_noise=NOISE, **more)


class Bench:
    """Nodes without layers, joined in a row or a ring: device requests in, indications out."""

    def __init__(self, tier, attempts, platforms, *, p=0.2, seed=1, links=None, lanes=1) -> None:
        self.clock = Simulation()
        midpoint = (lambda ends: Midpoint(ends, window=1)) if attempts == "each" else None
        self.medium = TIERS[tier](self.clock, seed, 0, attempts, midpoint)
        self.tables = [self.medium.place(n, f"node {n}", sheet) for n, sheet in enumerate(platforms)]
        self.heard = []
        self.react = lambda node, noun, now: None
        for node in range(len(platforms)):
            self.medium.connect(node, lambda noun, now, node=node: self.hear(node, noun, now))
        self.links = links or [(n, n + 1) for n in range(len(platforms) - 1)]
        rows = (Herald(0.0, p, (Outcome(1.0, 0, (1.0, 1.0, 1.0)),)),)
        for ends in self.links:
            self.medium.join(ends, f"link {ends}", LinkSheet(rows, CYCLE, (0, 0), (REPLY, REPLY), lanes, 500))

    def hear(self, node, noun, now):
        self.heard.append((node, now, noun))
        self.react(node, noun, now)

    def do(self, node, request):
        context = Context(node)
        context.now = self.clock.now
        return list(self.tables[node][type(request)](request, context))

    def want(self, ends, aid=1, *, keep=True, lane=0):
        for node, peer in (ends, ends[::-1]):
            self.do(node, device.Trigger(peer, lane, aid, 0, keep, () if keep else (0,)))

    def fidelity(self, node, qubit, now):
        half = self.medium.qubits[node][qubit]
        half.age(now)
        return max(half.pair.fidelity_with(bell) for bell in range(4))


def scenario(
    network, attempts="skip", tier="correlators", *, flows=None, until="100 s", number=150, memories=1, **sheet
):
    interface = {"kind": "textbook", "probability": 0.1, "fidelity": 0.99, "attempt_period": "100 us"}
    memory = {"kind": "relaxing", "coherence_time": "200 ms", "dephasing_attempts": 300}
    hardware = {"memory": memory, "interface": interface, "memories": memories, **sheet}
    ends = flows or [("n0", "n3")]
    return {
        "name": "shared",
        "network": {**network, "hardware": {"all": hardware}},
        "flows": [
            {"name": f"f{k}", "from": a, "to": b, "min_fidelity": 0.3, "number": number}
            for k, (a, b) in enumerate(ends)
        ],
        "run": {"until": until, "seed": 3, "attempts": attempts, "tier": tier},
    }


CHAIN = {"chain": {"segments": 3, "length": "10 km"}}
RING = {
    "nodes": ["a", "b", "c", "d"],
    "links": [{"a": x, "b": y, "length": "10 km"} for x, y in ("ab", "bc", "cd", "da", "ac")],
}
