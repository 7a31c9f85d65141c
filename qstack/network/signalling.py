"""Network layer, control plane: install and tear down circuits, all nodes or none.

    head     IDLE --Connect/SetupReq--> ASKING --SetupRsp/Activate--> UP --Disconnect/Teardown--> gone
                                          '--Reject/Disconnected--> gone
    others   IDLE --SetupReq/Install, SetupReq or SetupRsp--> INSTALLED --Teardown | Reject/Uninstall--> gone

A request travels from head to tail and installs an entry at every node; the answer travels back.  A node that refuses
answers with a rejection, and every node on its way back forgets the circuit (QS-L3-013).  Whether the fidelity can be
reached is decided by the head's router, never in between (QS-L3-014).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qstack.core.layer import Context, Layer, Outputs, on
from qstack.core.nouns import Noun, Send
from qstack.network.circuit import Activate, Install, Uninstall
from qstack.network.forwarding import Broken
from qstack.services.l3_network import Connect, Disconnect, Disconnected
from qstack.services.reasons import Reason
from qstack.services.strategies import Router, Route
from qstack.wire.network import Reject, SetupReq, SetupRsp, Teardown


@dataclass(slots=True)
class Entry:
    """A circuit through this node, as signalling sees it."""

    session: int
    number: int
    path: tuple[int, ...]
    position: int


class SignallingLayer(Layer):
    """One per node.

    Parameters
    ----------
    router
        Chooses the path at the head.
    cutoff
        How long a half may wait at an intermediate node [ps]; 0 for ever.
    capacity
        Most circuits on one link.
    """

    name = "signalling"

    def __init__(self, router: Router, cutoff: int = 0, capacity: int = 1 << 15) -> None:
        self.router = router
        self.cutoff = cutoff
        self.capacity = capacity
        self.entries: dict[int, Entry] = {}
        self.sessions: dict[int, int] = {}
        self.next_circuit = 0
        self.next_label: dict[int, int] = {}
        self.load: dict[int, int] = {}

    @on(Connect)
    def connect(self, req: Connect, ctx: Context) -> Outputs:
        """Choose a path and ask every node on it."""
        route = self.router(ctx.node, req.peer, req.min_fidelity)
        if not isinstance(route, Route):
            yield Disconnected(req.session, Reason.NO_ROUTE)
            return
        self.next_circuit = (self.next_circuit + 1) % (1 << 16)
        circuit = ctx.node << 16 | self.next_circuit
        self.entries[circuit] = Entry(req.session, req.number, route.path, 0)
        self.sessions[req.session] = circuit
        yield from self._install(circuit, route.fidelities, -1, self.cutoff, ctx)

    @on(SetupReq)
    def setup_req(self, msg: SetupReq, ctx: Context) -> Outputs:
        """Install the circuit and pass the request on; the tail answers."""
        if msg.circuit in self.entries:
            return  # a repetition: the first one is under way (QS-L3-022)
        self.entries[msg.circuit] = Entry(msg.session, 0, msg.path, msg.path.index(ctx.node))
        if msg.path[-1] == ctx.node:
            self.sessions[msg.session] = msg.circuit
        yield from self._install(msg.circuit, msg.fidelities, msg.label, msg.cutoff, ctx)

    def _install(
        self, circuit: int, fidelities: tuple[float, ...], label: int, cutoff: int, ctx: Context
    ) -> Iterator[Noun]:
        entry = self.entries[circuit]
        path, here = entry.path, entry.position
        if here + 1 == len(path):
            yield Install(circuit, entry.session, here, path, (label, -1), 0.0, cutoff)
            yield Send(path[here - 1], SetupRsp(circuit))
            return
        behind = path[here + 1]
        if self.load.get(behind, 0) >= self.capacity:
            yield from self._refuse(circuit, ctx.node, Reason.NORES)
            return
        self.load[behind] = self.load.get(behind, 0) + 1
        # Both ends of a link choose labels: the lower node takes even numbers, the higher one odd numbers.
        count = self.next_label.get(behind, 0)
        self.next_label[behind] = count + 1
        chosen = (2 * count + (ctx.node > behind)) % (1 << 16)
        yield Install(circuit, entry.session, here, path, (label, chosen), fidelities[here], cutoff)
        yield Send(behind, SetupReq(circuit, entry.session, path, fidelities, chosen, cutoff))

    @on(SetupRsp)
    def setup_rsp(self, msg: SetupRsp, ctx: Context) -> Outputs:
        """Pass the acceptance back; at the head the circuit stands."""
        entry = self.entries.get(msg.circuit)
        if entry is None:
            return ()
        if entry.position == 0:
            return (Activate(msg.circuit, entry.number),)
        return (Send(entry.path[entry.position - 1], msg),)

    @on(Reject)
    def reject(self, msg: Reject, ctx: Context) -> Outputs:
        """A node further on refuses: forget, and pass it back."""
        if msg.circuit in self.entries:
            yield Uninstall(msg.circuit)
            yield from self._refuse(msg.circuit, msg.host, msg.reason)

    def _refuse(self, circuit: int, host: int, reason: int) -> Iterator[Noun]:
        entry = self._forget(circuit)
        if entry.position == 0:
            yield Disconnected(entry.session, reason)
        else:
            yield Send(entry.path[entry.position - 1], Reject(circuit, host, reason))

    @on(Disconnect)
    def disconnect(self, req: Disconnect, ctx: Context) -> Outputs:
        """The user has finished: tear down."""
        circuit = self.sessions.get(req.session)
        return () if circuit is None else self._tear_down(circuit, Reason.NONE, ctx.node)

    @on(Broken)
    def broken(self, req: Broken, ctx: Context) -> Outputs:
        """The circuit cannot go on: tear down in both directions."""
        return self._tear_down(req.circuit, req.reason, ctx.node)

    @on(Teardown)
    def teardown(self, msg: Teardown, ctx: Context) -> Outputs:
        """A neighbour tears the circuit down."""
        return self._tear_down(msg.circuit, msg.reason, ctx.sender)

    def _tear_down(self, circuit: int, reason: int, cause: int) -> Iterator[Noun]:
        if circuit not in self.entries:
            return
        entry = self._forget(circuit)
        yield Uninstall(circuit)
        here = entry.position
        for place in (here - 1, here + 1):
            if 0 <= place < len(entry.path) and entry.path[place] != cause:
                yield Send(entry.path[place], Teardown(circuit, reason))
        if here in {0, len(entry.path) - 1}:
            yield Disconnected(entry.session, reason)

    def _forget(self, circuit: int) -> Entry:
        entry = self.entries.pop(circuit)
        if self.sessions.get(entry.session) == circuit:
            del self.sessions[entry.session]
        if entry.position + 1 < len(entry.path):
            behind = entry.path[entry.position + 1]
            self.load[behind] = max(0, self.load.get(behind, 0) - 1)
        return entry
