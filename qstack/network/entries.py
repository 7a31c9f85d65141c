"""Circuits at one node: taking them up, serving their requests, stopping them, with nothing left behind.

    circuit  INSTALLED --Activate or Forward/Create, Forward--> ACTIVE --last Complete/Withdraw, Complete--> STOPPED
             INSTALLED, ACTIVE, STOPPED --Uninstall/Withdraw, Free, Expire to the other end, Uninstalled--> gone
    request  --Activate or Forward/Connected--> SERVED --Complete/Left--> gone

A circuit serves one request or several.  Every change of their set begins an epoch, at the head and, in the order of its
messages, at the tail; FORWARD names the epoch that it begins, COMPLETE begins the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Layer, Outputs, Waiting, on
from qstack.core.nouns import Cancel, Noun, Request, Send, Set, Timer, noun, timer
from qstack.network.circuit import EPOCHS, Ask, Circuit, Side
from qstack.network.requests import Install, Progress, Uninstall
from qstack.services.bell import Basis
from qstack.services.device import Free
from qstack.services.l2_link import Accepted, Create, Ok, Receive, StopReceive, Withdraw
from qstack.services.l3_network import Connected, Lost, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import EARLY, KEEP, MEASURE, Complete, Expire, Forward

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


@timer
class Pace(Timer):
    """The head may ask for another pair."""

    circuit: int


@noun
class Broken(Request):
    """Forwarding tells signalling that a circuit cannot go on."""

    circuit: int
    reason: int


@noun
class Uninstalled(Request):
    """Forwarding tells signalling that nothing is left of a circuit here, and that all is said about it.

    `progress` is how far its sessions have come, at the head of one that gives way.
    """

    circuit: int
    progress: Mapping[int, Progress] | None = None


@noun
class Joined(Request):
    """Forwarding tells signalling, at the tail, of a session that a circuit serves from now on."""

    circuit: int
    session: int


@noun
class Left(Request):
    """Forwarding tells signalling of a session that a circuit serves no longer, while it serves others."""

    circuit: int
    session: int


class Circuits(Layer):
    """The part of a forwarding layer that keeps the table of circuits; the others move their pairs.

    Parameters
    ----------
    lanes
        Number of memories towards each neighbour: how many pairs the head asks for at a time.
    lifetime
        How long a record may wait per node of the path, beside the cutoff [ps].
    gate
        Whether links are told which purposes the circuits through this node have: their neighbours get no others.
    """

    def __init__(self, lanes: Mapping[int, int], lifetime: int, *, gate: bool = False) -> None:
        self.gate = gate
        self.lanes = dict(lanes)
        self.lifetime = lifetime
        self.circuits: dict[int, Circuit] = {}
        self.labels: dict[int, dict[int, Side]] = {peer: {} for peer in lanes}

    # -- the table ----------------------------------------------------------------------------------------------------

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
        circuit = Circuit(
            req.circuit, req.session, here, path, sides, req.fidelity, req.cutoff, req.priority, moved=req.moved
        )
        self.circuits[req.circuit] = circuit
        for side in there:
            self.labels[side.peer][side.label] = side
        return (Receive(before, req.labels[0]),) if self.gate and before >= 0 else ()

    @on(Uninstall)
    def uninstall(self, req: Uninstall, ctx: Context) -> Outputs:
        """Forget a circuit; everything it holds is freed (QS-L3-011).

        The head says of every half that it gives up that it does so, ahead of what ends the circuit (QS-L3-007).  Where
        a path has failed nobody can say so: then each end tells its user that its last pairs may have no other half.
        """
        circuit = self.circuits.pop(req.circuit, None)
        moves = req.reason == Reason.REROUTED  # nothing has failed
        progress = circuit.progress() if circuit is not None and circuit.is_head and moves else None
        if circuit is not None:
            if req.reason and circuit.is_end and not moves:
                yield from self._doubt(circuit, req.reason, ctx)
            if circuit.is_head:
                yield from self._give_back(circuit, Reason.TORN_DOWN)
            yield from self._stop(circuit)
            for side in circuit.sides:
                if side.peer >= 0:
                    del self.labels[side.peer][side.label]
            if self.gate and circuit.sides[0].peer >= 0:
                yield StopReceive(circuit.sides[0].peer, circuit.sides[0].label)
        yield Uninstalled(req.circuit, progress)

    def _give_back(self, circuit: Circuit, reason: int) -> Iterator[Noun]:
        """Tell the tail that the head delivers none of the pairs that it still holds."""
        for sequence in circuit.held:
            yield Send(circuit.inner.peer, Expire(circuit.number, circuit.path[0], sequence, reason))

    def _doubt(self, circuit: Circuit, reason: int, ctx: Context) -> Iterator[Noun]:
        """Take pairs back of which the other end may not have heard, because their TRACK was under way."""
        for _, _, told, at in circuit.recent:
            if at + len(circuit.path) * self.lifetime >= ctx.now:
                yield Lost(told.session, told.pair, told.qubit if isinstance(told, Pair) else -1, reason)

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

    # -- requests -----------------------------------------------------------------------------------------------------

    @on(Forward)
    def forward(self, msg: Forward, ctx: Context) -> Outputs:
        """Take up a request, at every node behind the head; nobody waits for the end of the path."""
        circuit = self._circuit(msg.circuit, ctx.sender, from_head=True)
        if circuit is None or not 0 < (msg.epoch - circuit.epoch) % EPOCHS < EPOCHS // 2:
            return  # a repetition (QS-L3-022)
        circuit.epoch = msg.epoch
        circuit.requests.add(msg.request)
        behind = circuit.sides[1]
        known = msg.request == circuit.session and not circuit.epochs  # since its set-up, and it has not left since
        if behind.peer >= 0:
            yield Send(behind.peer, msg)
        else:
            circuit.asks[msg.request] = Ask(msg.request, msg.number, msg.kind, msg.basis)
            circuit.turn(msg.epoch)
        yield from self._begin(circuit, msg.kind, msg.basis, ctx)
        if behind.peer < 0:
            if not known:
                yield Joined(circuit.number, msg.request)
            if msg.request not in circuit.moved:
                yield Connected(msg.request, circuit.path[0], initiator=False, number=msg.number)

    def _begin(self, circuit: Circuit, kind: int, basis: int, ctx: Context) -> Iterator[Noun]:
        """Have pairs made from now on, if they are not made already."""
        if circuit.active:
            return
        circuit.active = True
        circuit.kind, circuit.basis = kind, basis
        if circuit.sides[1].peer >= 0:
            circuit.stock = BATCH
            yield self._more(circuit)
        yield Set(Sweep(circuit.number), ctx.now + self._patience(circuit))

    def _more(self, circuit: Circuit) -> Create:
        """Return the request to the link behind; at the ends of the path halves may be measured as they are made."""
        behind, last = circuit.sides[1], circuit.position + 2 == len(circuit.path)
        keep = circuit.kind in {KEEP, EARLY} or circuit.position > 0
        remote_keep = circuit.kind != MEASURE or not last
        bases = (Basis(circuit.basis),)
        return Create(
            behind.peer,
            behind.label,
            BATCH,
            circuit.fidelity,
            priority=circuit.priority,
            keep=keep,
            bases=() if keep else bases,
            prepare=keep != remote_keep,
            remote_bases=() if remote_keep else bases,
        )

    @on(Complete)
    def complete(self, msg: Complete, ctx: Context) -> Outputs:
        """Forget a request and pass that on; after the last one make no more pairs (QS-L3-009)."""
        circuit = self._circuit(msg.circuit, ctx.sender)
        if circuit is None or msg.request not in circuit.requests:
            return
        before, behind = circuit.sides
        if ctx.sender == behind.peer:  # the tail does not want it any more
            if before.peer >= 0:
                yield Send(before.peer, msg)
                return
            yield Left(circuit.number, msg.request)
            if len(circuit.asks) > 1:
                yield from self._give_up(circuit, msg.request, ctx)
            return
        last = circuit.requests == {msg.request}
        circuit.requests.discard(msg.request)
        circuit.epoch = (circuit.epoch + 1) % EPOCHS
        if last:
            yield from self._stop(circuit)
        if behind.peer >= 0:
            yield Send(behind.peer, msg)
        elif not last:
            circuit.asks.pop(msg.request, None)
            circuit.turn(circuit.epoch)
            yield Left(circuit.number, msg.request)

    def _give_up(self, circuit: Circuit, session: int, ctx: Context) -> Iterator[Noun]:
        """Serve a request no longer, at the head."""
        raise NotImplementedError

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
        yield Cancel(Pace(circuit.number))
        for ok, *_ in circuit.held.values():
            yield from self._release_half(circuit, ok, Reason.TORN_DOWN)
        circuit.held.clear()
        circuit.slots.clear()
        circuit.requests.clear()
        circuit.asks.clear()

    @staticmethod
    def _release_half(circuit: Circuit, ok: Ok, reason: int) -> Iterator[Noun]:
        """Let a half at an end go: free it, or tell the user who has it already."""
        if circuit.kind == EARLY:
            yield Lost(circuit.session, -1, ok.qubit, reason)
        elif ok.qubit >= 0:
            yield Free(ok.qubit)

    @on(Accepted)
    def accepted(self, ind: Accepted, ctx: Context) -> Outputs:
        """Do nothing: pairs come by label, so the number of the request is not needed."""
        return ()

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
                oldest = min(ok.since for ok, *_ in circuit.held.values())
                what = f"the TRACK of {len(circuit.held)} pairs (session {circuit.session})"
                yield Waiting(what, circuit.other_end, oldest)
            if circuit.slots:
                what = f"{len(circuit.slots)} wanted pairs (session {circuit.session})"
                yield Waiting(what, circuit.sides[1].peer, min(asked for _, _, asked in circuit.slots))
