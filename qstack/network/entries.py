"""Circuits at one node: taking them up, starting them, stopping them, with nothing left behind.

INSTALLED --Activate or Forward/Create, Forward--> ACTIVE --Complete/Withdraw, Complete--> STOPPED --Uninstall--> gone
                                                      '--Uninstall/Withdraw, Free--> gone
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Layer, Outputs, Waiting, on
from qstack.core.nouns import Cancel, Noun, Request, Send, Set, Timer, noun, timer
from qstack.network.circuit import Activate, Circuit, Install, Side, Uninstall
from qstack.services.device import Free
from qstack.services.l2_link import Accepted, Create, Err, Withdraw
from qstack.services.l3_network import Connected
from qstack.wire.network import Complete, Forward

FIRST_EPOCH = 1
"""A circuit serves one request, so it has one epoch; 0 is left for ends that do not know theirs."""

MOST = 65535
"""Largest number that FORWARD can carry; more is asked for without end, and ended by COMPLETE."""

BATCH = 4096
"""Pairs asked of a link in one request; renewed when half of them have come."""


@timer
class Cutoff(Timer):
    """The oldest pair of a queue has waited long enough."""

    circuit: int
    side: int


@timer
class Sweep(Timer):
    """Forget records that nobody has asked for."""

    housekeeping: ClassVar[bool] = True
    circuit: int


@noun
class Broken(Request):
    """Forwarding tells signalling that a circuit cannot go on."""

    circuit: int
    reason: int


class Circuits(Layer):
    """The half of a forwarding layer that keeps the table of circuits; the other half moves their pairs.

    Parameters
    ----------
    lanes
        Number of memories towards each neighbour: how many pairs the head asks for at a time.
    lifetime
        How long a record may wait per node of the path, beside the cutoff [ps].
    """

    def __init__(self, lanes: Mapping[int, int], lifetime: int) -> None:
        self.lanes = dict(lanes)
        self.lifetime = lifetime
        self.circuits: dict[int, Circuit] = {}
        self.labels: dict[int, dict[int, Side]] = {peer: {} for peer in lanes}

    @on(Install)
    def install(self, req: Install, ctx: Context) -> Outputs:
        """Take up a circuit."""
        path, here = req.path, req.position
        if not 0 <= here < len(path) or len(path) < 2 or req.circuit in self.circuits:
            raise LocalProtocolError(f"circuit {req.circuit} cannot be installed at place {here} of {path}")
        before = path[here - 1] if here > 0 else -1
        behind = path[here + 1] if here + 1 < len(path) else -1
        sides = (Side(before, req.labels[0]), Side(behind, req.labels[1]))
        there = [side for side in sides if side.peer >= 0]
        for side in there:
            if side.label in self.labels.get(side.peer, {side.label: None}) or before == behind:
                raise LocalProtocolError(f"label {side.label} towards node {side.peer} is not free", "QS-L3-010")
        circuit = Circuit(req.circuit, req.session, here, path, sides, req.fidelity, req.cutoff)
        self.circuits[req.circuit] = circuit
        for side in there:
            self.labels[side.peer][side.label] = side
        return ()

    @on(Uninstall)
    def uninstall(self, req: Uninstall, ctx: Context) -> Outputs:
        """Forget a circuit; everything it holds is freed (QS-L3-011)."""
        circuit = self.circuits.pop(req.circuit, None)
        if circuit is None:
            return
        yield from self._stop(circuit)
        for side in circuit.sides:
            if side.peer >= 0:
                del self.labels[side.peer][side.label]

    @on(Activate)
    def activate(self, req: Activate, ctx: Context) -> Outputs:
        """Begin, at the head."""
        circuit = self.circuits.get(req.circuit)
        if circuit is not None and not circuit.active:
            lanes = self.lanes[circuit.sides[1].peer]
            for _ in range(min(lanes, req.number) or lanes):
                circuit.open_slot(ctx.now)
            yield from self._begin(circuit, req.number, FIRST_EPOCH, ctx)

    @on(Forward)
    def forward(self, msg: Forward, ctx: Context) -> Outputs:
        """Begin, at every other node; nobody waits for the end of the path."""
        circuit = self._circuit(msg.circuit, ctx.sender, from_head=True)
        if circuit is not None and not circuit.active:
            yield from self._begin(circuit, msg.number, msg.epoch, ctx)

    def _begin(self, circuit: Circuit, number: int, epoch: int, ctx: Context) -> Iterator[Noun]:
        circuit.active = True
        circuit.epoch = epoch
        circuit.wanted = number
        behind = circuit.sides[1]
        if behind.peer >= 0:
            ends = circuit.path[0], circuit.path[-1]
            told = number if number <= MOST else 0
            yield Send(behind.peer, Forward(circuit.number, told, head=ends[0], tail=ends[1], epoch=epoch))
            circuit.stock = BATCH
            yield Create(behind.peer, behind.label, BATCH, circuit.fidelity)
        if circuit.is_end:
            initiator = circuit.is_head
            yield Connected(circuit.session, circuit.path[-1 if initiator else 0], initiator, number)
        yield Set(Sweep(circuit.number), ctx.now + self._patience(circuit))

    @on(Complete)
    def complete(self, msg: Complete, ctx: Context) -> Outputs:
        """Stop making pairs and pass it on."""
        circuit = self._circuit(msg.circuit, ctx.sender, from_head=True)
        if circuit is not None and circuit.active:
            yield from self._stop(circuit)
            if circuit.sides[1].peer >= 0:
                yield Send(circuit.sides[1].peer, msg)

    def _circuit(self, number: int, sender: int, *, from_head: bool = False) -> Circuit | None:
        """Return the circuit of a message, None if it is gone; only neighbours on its path may speak of it."""
        circuit = self.circuits.get(number)
        if circuit is None:
            return None
        before, behind = circuit.sides
        if sender != before.peer and (from_head or sender != behind.peer):
            raise self.stranger(number, sender)
        return circuit

    @staticmethod
    def stranger(circuit: int, sender: int) -> RemoteProtocolError:
        """Return what is wrong with a message of a node that is not on this side of the circuit."""
        return RemoteProtocolError(f"node {sender} speaks of circuit {circuit}, which does not come from there")

    def _stop(self, circuit: Circuit) -> Iterator[Noun]:
        """Withdraw from the links and free every half (QS-L3-009)."""
        if not circuit.active:
            return
        circuit.active = False
        for which, side in enumerate(circuit.sides):
            if side.peer < 0:
                continue
            yield Withdraw(side.peer, side.label)
            for ok in side.queue:
                yield Free(ok.qubit)
            if side.armed:
                yield Cancel(Cutoff(circuit.number, which))
            side.clear()
        yield Cancel(Sweep(circuit.number))
        for held in circuit.held.values():
            yield Free(held.ok.qubit)
        circuit.held.clear()
        circuit.slots.clear()

    @on(Accepted)
    def accepted(self, ind: Accepted, ctx: Context) -> Outputs:
        """Do nothing: pairs come by label, so the number of the request is not needed."""
        return ()

    @on(Err)
    def err(self, ind: Err, ctx: Context) -> Outputs:
        """Have the circuit torn down: a link cannot serve it."""
        side = self.labels.get(ind.peer, {}).get(ind.purpose)
        return (Broken(side.circuit.number, ind.reason),) if side is not None and side.circuit.active else ()

    def _patience(self, circuit: Circuit) -> int:
        """Longest time between a swap and a TRACK that asks for it: every node before it may wait for its cutoff."""
        return len(circuit.path) * (circuit.cutoff + self.lifetime)

    def waiting(self) -> Iterator[Waiting]:
        """Return what every circuit through this node waits for."""
        for circuit in self.circuits.values():
            if not circuit.active:
                continue
            for here, there in (circuit.sides, circuit.sides[::-1]):
                if here.queue:
                    what = f"partners for {len(here.queue)} pairs with node {here.peer} (session {circuit.session})"
                    yield Waiting(what, there.peer, here.queue[0].since)
            if circuit.held:
                other = circuit.path[-1 if circuit.is_head else 0]
                oldest = min(held.ok.since for held in circuit.held.values())
                yield Waiting(f"the TRACK of {len(circuit.held)} pairs (session {circuit.session})", other, oldest)
            if circuit.slots:
                what = f"{len(circuit.slots)} wanted pairs (session {circuit.session})"
                yield Waiting(what, circuit.sides[1].peer, min(asked for _, asked in circuit.slots))
