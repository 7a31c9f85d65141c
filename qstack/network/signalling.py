"""Network layer, control plane: install and tear down circuits, all nodes or none.

    head     IDLE --Connect/SetupReq--> ASKING --SetupRsp/Activate--> UP --last Disconnect/Uninstall--> CLOSING
                                          '--Reject or SetupDue/Disconnected--> gone
             UP --Connect/Activate--> UP --Disconnect/Deactivate, Disconnected--> UP --Left/Disconnected--> UP
    others   IDLE --SetupReq/Install, SetupReq or SetupRsp--> INSTALLED --Teardown | Reject/Uninstall--> CLOSING
             INSTALLED --Joined--> INSTALLED --Disconnect/Deactivate--> INSTALLED --Left/Disconnected--> INSTALLED
    all      CLOSING --Uninstalled/Teardown, Disconnected--> gone

A request travels from head to tail and installs an entry at every node; the answer travels back.  A node that refuses
answers with a rejection, and every node on its way back forgets the circuit (QS-L3-013).  Whether the fidelity can be
reached is decided by the head's router, never in between (QS-L3-014).

Sessions of one head with the same end at the same fidelity and priority may share a circuit, which ends with the last of
them.  The head admits no more than the circuit can carry: the rates asked for add up to at most the one that the router
predicts (QS-L3-008).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Outputs, Waiting, on
from qstack.core.nouns import Cancel, Noun, Send, Set, Timer, timer
from qstack.network.entries import Broken, Joined, Left, Uninstalled
from qstack.network.moving import Falls, MoveDue, Moving
from qstack.network.path import Entry, simple, terms
from qstack.network.requests import Deactivate, Install, Progress, Uninstall, activate, longest_wait, pause_of
from qstack.services.l2_link import Unreachable
from qstack.services.l3_network import Connect, Disconnect, Disconnected, Rerouted
from qstack.services.reasons import Reason
from qstack.services.strategies import Route, Router, Timetable
from qstack.wire.network import KEEP, Reject, SetupReq, SetupRsp, Teardown

UNIT = 65535
"""Fidelities travel as n/65535 (draft-dahlberg-ll-quantum-03)."""

PRIORITIES = range(8)
CIRCUITS = 1 << 16
LABELS = 1 << 15
"""Labels that one end of a link may choose: the lower node takes even numbers, the higher one odd numbers."""


@timer
class SetupDue(Timer):
    """No answer to a request for this circuit has come."""

    circuit: int


class SignallingLayer(Moving):
    """One per node.

    Parameters
    ----------
    router
        Chooses the path at the head.
    cutoff
        How long a half may wait at an intermediate node [ps]; 0 leaves it to `give_way`.
    capacity
        Most circuits that this node sends over one link.
    neighbours
        Nodes that circuits may lead to; None trusts every path.
    patience
        How long the head waits for an answer, for each node of the path [ps].
    aggregate
        Whether sessions may share a circuit.
    give_way
        Where there is no cutoff: for how many mean times between the pairs of its route a half may wait; 0 for ever.
    timetable
        When links come and go; None if none does, or if circuits wait for their links in any case.
    """

    name = "signalling"

    def __init__(
        self,
        router: Router,
        cutoff: int = 0,
        capacity: int = LABELS,
        neighbours: Collection[int] | None = None,
        patience: int = SECOND,
        *,
        aggregate: bool = False,
        give_way: float = 0.0,
        timetable: Timetable | None = None,
    ) -> None:
        super().__init__(timetable)
        self.router = router
        self.cutoff = cutoff
        self.capacity = capacity
        self.neighbours = neighbours
        self.patience = patience
        self.aggregate = aggregate
        self.give_way = give_way
        super().__init__(timetable)
        self.last_circuit = 0
        self.last_label: dict[int, int] = {}
        self.labels: dict[int, set[int]] = {}

    # -- set-up -------------------------------------------------------------------------------------------------------

    @on(Connect)
    def connect(self, req: Connect, ctx: Context) -> Outputs:
        """Choose a path and ask every node on it."""
        if req.session in self.sessions:
            raise LocalProtocolError(f"session {req.session} is connected already")
        pause_of(req.rate)  # refuses one that cannot be
        if req.priority not in PRIORITIES:
            raise LocalProtocolError(f"a priority of {req.priority}: expected 0 to {PRIORITIES[-1]}")
        if self.aggregate and req.kind == KEEP and (shared := self._shared(req)) is not None:
            yield from self._join(shared, req)
            return
        route = self.router(ctx.node, req.peer, req.min_fidelity)
        if not isinstance(route, Route):
            yield Disconnected(req.session, Reason.NO_ROUTE)
            return
        if req.rate > route.rate:
            yield Disconnected(req.session, Reason.NORES)
            return
        path = route.path
        if (path[0], path[-1]) != (ctx.node, req.peer) or not simple(path) or len(route.fidelities) != len(path) - 1:
            raise LocalProtocolError(f"no simple path from {ctx.node} to {req.peer}: {route}", "QS-L3-020")
        yield from self._set_up({req.session: req}, route, ctx)

    def _set_up(
        self,
        sessions: dict[int, Connect | None],
        route: Route,
        ctx: Context,
        progress: Mapping[int, Progress] | None = None,
    ) -> Iterator[Noun]:
        """Ask every node of a route for a circuit, for sessions on the same terms."""
        path, circuit = route.path, self._number(ctx.node)
        self.entries[circuit] = Entry(sessions, path, 0, asked=ctx.now, rate=route.rate, progress=progress or {})
        self.sessions.update(dict.fromkeys(sessions, circuit))
        session, priority = next((s, req.priority) for s, req in sessions.items() if req is not None)
        yield Set(SetupDue(circuit), ctx.now + self.patience * len(path))
        # As they travel: a node further on must not be asked for more than its table was found to reach.
        fidelities = tuple(int(fidelity * UNIT) / UNIT for fidelity in route.fidelities)
        cutoff = self.cutoff or longest_wait(self.give_way, route.rate)
        yield from self._install(circuit, fidelities, cutoff, ctx, session=session, priority=priority)

    def _shared(self, req: Connect) -> int | None:
        """Return a standing circuit of this head that a session can share."""
        for circuit, entry in self.entries.items():
            if entry.position == 0 and entry.path[-1] == req.peer and entry.asked < 0 and entry.closing is None:
                first = next(iter(entry.sessions.values()))
                if first is not None and terms(first) == terms(req):
                    return circuit
        return None

    def _join(self, circuit: int, req: Connect) -> Iterator[Noun]:
        """Add a session to a circuit, unless it would be more than the circuit can carry (QS-L3-008)."""
        entry = self.entries[circuit]
        taken = sum(other.rate for other in entry.sessions.values() if other is not None)
        if taken + req.rate > entry.rate:
            yield Disconnected(req.session, Reason.NORES)
            return
        entry.sessions[req.session] = req
        self.sessions[req.session] = circuit
        yield activate(circuit, req)

    def _number(self, node: int) -> int:
        """Return a number for a new circuit that none of this head's carries."""
        while True:
            self.last_circuit = (self.last_circuit + 1) % CIRCUITS
            circuit = node << 16 | self.last_circuit
            if circuit not in self.entries:
                return circuit

    @on(SetupReq)
    def setup_req(self, msg: SetupReq, ctx: Context) -> Outputs:
        """Install the circuit and pass the request on; the tail answers."""
        path = msg.path
        here = path.index(ctx.node) if ctx.node in path else 0
        if here == 0 or path[here - 1] != ctx.sender or not simple(path) or len(msg.fidelities) != len(path) - 1:
            raise RemoteProtocolError(f"node {ctx.sender} asks for a circuit along {path}")
        if msg.circuit in self.entries:
            return  # a repetition: the first one is under way (QS-L3-022)
        taken = self.labels.setdefault(ctx.sender, set())
        tail = path[-1] == ctx.node
        if tail:
            self.let_go(msg.session, path)
        moved = self.moving.pop(msg.session, 0) if tail else 0
        if msg.label in taken or moved < 0 or (tail and msg.session in self.sessions):
            yield Send(ctx.sender, Reject(msg.circuit, ctx.node, Reason.REJECTED))
            return
        taken.add(msg.label)
        self.entries[msg.circuit] = Entry({msg.session: None} if tail else {}, path, here, (msg.label, -1))
        if tail:
            self.sessions[msg.session] = msg.circuit
        if moved:
            yield Cancel(MoveDue(moved))
        told = msg.fidelities, msg.cutoff
        others = [session for session, circuit in self.moving.items() if circuit == moved] if moved else []
        again = (msg.session, *others) if moved else ()
        yield from self._install(msg.circuit, *told, ctx, session=msg.session, priority=msg.priority, moved=again)

    def _install(
        self,
        circuit: int,
        fidelities: tuple[float, ...],
        cutoff: int,
        ctx: Context,
        *,
        session: int,
        priority: int,
        moved: tuple[int, ...] = (),
    ) -> Iterator[Noun]:
        entry = self.entries[circuit]
        label = entry.labels[0]
        path, here, behind = entry.path, entry.position, entry.behind
        if behind < 0:
            yield Install(circuit, session, here, path, (label, -1), 0.0, cutoff, priority, moved)
            yield Send(entry.before, SetupRsp(circuit))
            return
        chosen = self._label(ctx.node, behind)
        if chosen is None:
            yield from self._refuse(circuit, ctx.node, Reason.NORES)
        elif self.neighbours is not None and behind not in self.neighbours:
            yield from self._refuse(circuit, ctx.node, Reason.NO_ROUTE)
        else:
            self.labels[behind].add(chosen)
            entry.labels = (label, chosen)
            yield Install(circuit, session, here, path, (label, chosen), fidelities[here], cutoff, priority)
            yield Send(behind, SetupReq(circuit, session, path, fidelities, chosen, cutoff, priority))

    @on(SetupRsp)
    def setup_rsp(self, msg: SetupRsp, ctx: Context) -> Outputs:
        """Pass the acceptance back; at the head the circuit stands."""
        entry = self._entry(msg.circuit, ctx.sender, behind=True)
        if entry is None:
            return ()
        if entry.position:
            return (Send(entry.before, msg),)
        entry.asked = -1
        asked = [req for req in entry.sessions.values() if req is not None]
        active = (activate(msg.circuit, req, entry.progress.get(req.session)) for req in asked)
        moved = (Rerouted(session, entry.path) for session in entry.progress)
        return (Cancel(SetupDue(msg.circuit)), *active, *moved, *self.watch(msg.circuit, ctx.now))

    @on(SetupDue)
    def setup_due(self, due: SetupDue, ctx: Context) -> Outputs:
        """Give up: somebody on the path does not answer."""
        return self.tear_down(due.circuit, Reason.LOST_PEER, ctx.node)

    @on(Reject)
    def reject(self, msg: Reject, ctx: Context) -> Outputs:
        """Forget what a node further on refuses, and pass that back."""
        if self._entry(msg.circuit, ctx.sender, behind=True) is not None:
            yield Uninstall(msg.circuit)
            yield from self._refuse(msg.circuit, msg.host, msg.reason)

    def _refuse(self, circuit: int, host: int, reason: int) -> Iterator[Noun]:
        entry = self._forget(circuit)
        if entry.position == 0:
            yield Cancel(SetupDue(circuit))
            for session in entry.sessions:
                yield Disconnected(session, reason)
        else:
            yield Send(entry.before, Reject(circuit, host, reason))

    # -- sessions that come and go ------------------------------------------------------------------------------------

    @on(Joined)
    def joined(self, req: Joined, ctx: Context) -> Outputs:
        """Take note, at the tail, of a session that shares a circuit."""
        entry = self.entries.get(req.circuit)
        self.moving.pop(req.session, None)
        if entry is not None and req.session not in self.sessions:
            entry.sessions[req.session] = None
            self.sessions[req.session] = req.circuit
        return ()

    @on(Left)
    def left(self, req: Left, ctx: Context) -> Outputs:
        """Tell the user of a session that has ended at the other end while its circuit goes on."""
        entry = self.entries.get(req.circuit)
        if entry is None or req.session not in entry.sessions:
            return ()
        last = len(entry.sessions) == 1
        return self.tear_down(req.circuit, Reason.NONE, ctx.node) if last else (self._leave(entry, req.session),)

    def _leave(self, entry: Entry, session: int) -> Disconnected:
        del entry.sessions[session]
        del self.sessions[session]
        return Disconnected(session, Reason.NONE)

    # -- tear-down ----------------------------------------------------------------------------------------------------

    @on(Disconnect)
    def disconnect(self, req: Disconnect, ctx: Context) -> Outputs:
        """End a session; at the head the last one takes its circuit along."""
        circuit = self.sessions.get(req.session)
        if circuit is None:
            return self.desert(req.session)
        entry = self.entries[circuit]
        if entry.position:  # the tail asks the head, and hears when it is done
            return (Deactivate(circuit, req.session),)
        if len(entry.sessions) > 1:
            return (Deactivate(circuit, req.session), self._leave(entry, req.session))
        return self.tear_down(circuit, Reason.NONE, ctx.node)

    @on(Unreachable)
    def unreachable(self, ind: Unreachable, ctx: Context) -> Outputs:
        """Tear down what leads through a neighbour that was lost, or to an end that this end cannot talk to any more.

        Both ends hear of it (QS-L3-011).
        """
        for circuit in [c for c, entry in self.entries.items() if ind.peer in entry.partners]:
            yield from self.tear_down(circuit, Reason.LOST_PEER, ind.peer)

    @on(Broken)
    def broken(self, req: Broken, ctx: Context) -> Outputs:
        """Tear down in both directions what cannot go on."""
        return self.tear_down(req.circuit, req.reason, ctx.node)

    @on(Teardown)
    def teardown(self, msg: Teardown, ctx: Context) -> Outputs:
        """Tear down what a neighbour tears down."""
        entry = self._entry(msg.circuit, ctx.sender)
        return () if entry is None else self.tear_down(msg.circuit, msg.reason, ctx.sender)

    def tear_down(self, circuit: int, reason: int, cause: int) -> Iterator[Noun]:
        """Have the circuit taken out; what its pairs have to be told goes ahead of the `Teardown`."""
        entry = self.entries.get(circuit)
        if entry is None or entry.closing is not None:
            return
        entry.closing = (reason, cause)
        if entry.asked >= 0:
            yield Cancel(SetupDue(circuit))
        elif self.timetable and entry.position == 0:
            yield Cancel(Falls(circuit))
        yield Uninstall(circuit, reason)

    @on(Uninstalled)
    def uninstalled(self, req: Uninstalled, ctx: Context) -> Outputs:
        """Pass the tear-down on, and tell the users."""
        entry = self.entries.get(req.circuit)
        if entry is None or entry.closing is None:
            return
        reason, cause = entry.closing
        self._forget(req.circuit)
        for neighbour in (entry.before, entry.behind):
            if neighbour >= 0 and neighbour != cause:
                yield Send(neighbour, Teardown(req.circuit, reason))
        if reason == Reason.REROUTED and entry.next is not None:
            yield from self._set_up(entry.sessions, entry.next, ctx, req.progress)
        elif reason == Reason.REROUTED and entry.sessions:
            yield self.expect(entry, req.circuit, ctx.now + 2 * self.patience * len(entry.path))
        else:
            for session in entry.sessions:
                yield Disconnected(session, reason)

    # -- the table ----------------------------------------------------------------------------------------------------

    def _entry(self, circuit: int, sender: int, *, behind: bool = False) -> Entry | None:
        """Return the entry that a message is about, None if it is gone; only neighbours on the path may speak of it."""
        entry = self.entries.get(circuit)
        if entry is not None and sender != entry.behind and (behind or sender != entry.before):
            raise RemoteProtocolError(f"node {sender} speaks of circuit {circuit}, which does not lead there")
        return entry

    def _label(self, node: int, behind: int) -> int | None:
        """Return a label that is free on the link behind, None if there is none."""
        taken = self.labels.setdefault(behind, set())
        odd = int(node > behind)
        if sum(label % 2 == odd for label in taken) >= min(self.capacity, LABELS):
            return None
        count = self.last_label.get(behind, -1)
        while True:  # labels come back as late as possible: pairs of an old circuit may still be on their way
            count = (count + 1) % LABELS
            if 2 * count + odd not in taken:
                self.last_label[behind] = count
                return 2 * count + odd

    def _forget(self, circuit: int) -> Entry:
        entry = self.entries.pop(circuit)
        for session in entry.sessions:
            if self.sessions.get(session) == circuit:
                del self.sessions[session]
        for neighbour, label in zip((entry.before, entry.behind), entry.labels, strict=True):
            self.labels.get(neighbour, set()).discard(label)
        return entry

    def waiting(self) -> Iterator[Waiting]:
        """Return the circuits of this head that have no answer yet."""
        for entry in self.entries.values():
            if entry.asked >= 0:
                session = next(iter(entry.sessions))
                yield Waiting(f"the answer to a set-up (session {session})", entry.behind, entry.asked)
