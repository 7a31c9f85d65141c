"""How the application suite talks: two ends of a flow, a transport layer that gives them perfect pairs, and two devices."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any, ClassVar

from qstack.conformance.chance import seeded
from qstack.conformance.transcript import Transcript
from qstack.core.nouns import Cancel, Note, Noun, Send, Set
from qstack.plugin.chance import generator
from qstack.plugin.sites import FlowEnd
from qstack.services import device
from qstack.services.bell import Basis
from qstack.services.l4_transport import (
    DETERMINISTIC,
    MEASURE,
    PREPARE,
    TELEPORT,
    TOLERANT,
    Close,
    Closed,
    Credit,
    Delivery,
    EarlyDelivery,
    Open,
    Opened,
    Outcome,
    Received,
    Release,
    Reset,
    Sent,
    Transmit,
)
from qstack.services.l5_application import Start

FLOW = 4
NUMBER = 24
"""Pairs or qubits of a flow."""
ESTIMATE = 0.97
MakeApplication = Callable[[FlowEnd], Any]
Vector = tuple[float, float, float]
SIGNS = ((1, -1, 1), (-1, 1, 1), (1, 1, -1), (-1, -1, -1))
"""(<XX>, <YY>, <ZZ>) by Bell index."""
AXES: dict[int, Vector] = {Basis.Z: (0, 0, 1), Basis.X: (1, 0, 0), Basis.Y: (0, 1, 0)}
MOST = 100_000
LONG = 1 << 50


@dataclass(slots=True)
class Qubit:
    """A qubit: its Bloch vector, or the Bell index of its pair and the partner, as long as that is there."""

    vector: Vector
    partner: Qubit | None = None
    bell: int = 0


def direction(polar: int, azimuth: int) -> Vector:
    """Return the direction that steps of a turn name."""
    theta, phi = (2 * pi * steps / device.TURN for steps in (polar, azimuth))
    return sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)


class Flow:
    """Two ends of a flow between nodes 1 and 2, run until nothing more happens.

    Parameters
    ----------
    make
        The subject.
    seed
        Of the devices.
    entropy
        Whether devices answer for random bits.
    fail
        Reason with which the session is refused; 0 lets it stand.

    Attributes
    ----------
    open
        What the session was opened with.
    given
        Pairs delivered, or qubits sent.
    qubits
        What each node's memories hold.
    misused
        Node and qubit of every request for one that is not there.
    """

    def __init__(self, make: MakeApplication, seed: int = 1, *, entropy: bool = True, fail: int = 0) -> None:
        self.draw = generator(seeded(seed), 0, "application")
        self.entropy, self.fail = entropy, fail
        self.ends = {}
        for node in (1, 2):
            end = FlowEnd(FLOW, node == 1, 3 - node, 0.8, NUMBER)
            self.ends[node] = Transcript(make(end), node=node).from_(3 - node)
        self.qubits: dict[int, dict[int, Qubit]] = {1: {}, 2: {}}
        self.told: dict[int, list[Noun]] = {1: [], 2: []}
        self.queue: deque[tuple[int, Noun]] = deque([(1, Start(FLOW))])
        self.open: Open | None = None
        self.given = 0
        self.released = Counter[int]()
        self.over = False
        self.misused: list[tuple[int, int]] = []
        self.next = 100
        self._run()

    def _run(self) -> None:
        for _ in range(MOST):
            if self.queue:
                node, noun = self.queue.popleft()
                if type(noun) in self.ends[node].handlers:
                    self.ends[node] >> noun
                    self._read(node)
            elif not (self._supply() or self._timers()):
                return
        raise AssertionError(f"the two ends of the flow say more than {MOST} things")

    def _timers(self) -> bool:
        fired = False
        for node, end in self.ends.items():
            if end.timers:
                end.wait(LONG)
                self._read(node)
                fired = True
        return fired

    def _read(self, node: int) -> None:
        for answer in self.ends[node].open:
            if isinstance(answer, Send):
                self.queue.append((3 - node, answer.message))
            elif not isinstance(answer, Set | Cancel | Note):
                self.told[node].append(answer)
                handler = self._handlers.get(type(answer))
                if handler is not None:
                    handler(self, node, answer)

    # -- transport ----------------------------------------------------------------------------------------------------

    def _opened(self, node: int, req: Open) -> None:
        if self.open is not None:
            return
        self.open = req
        if self.fail:
            self.over = True
            self.queue.append((1, Closed(FLOW, self.fail)))
            return
        self.queue.extend(((1, Opened(FLOW, 2, initiator=True)), (2, Opened(FLOW, 1, initiator=False))))

    def _supply(self) -> bool:
        """Give a pair, or credit for a qubit, if the session wants more; end it when it has all."""
        ask = self.open
        if ask is None or self.over:
            return False
        number = ask.number or NUMBER
        if self.given < number and (
            not ask.window or self.given - min(self.released[1], self.released[2]) < ask.window
        ):
            if ask.mode == TELEPORT:
                before = self.given
                self._feed(1, Credit(FLOW, 1))
                if self.given > before or self.queue:
                    return True
            else:
                self._pair(0 if ask.consumption == DETERMINISTIC else self.given % 4, ask)
                return True
        self._end(0)
        return True

    def _feed(self, node: int, noun: Noun) -> None:
        if type(noun) in self.ends[node].handlers:
            self.ends[node] >> noun
            self._read(node)

    def _end(self, reason: int) -> None:
        if not self.over:
            self.over = True
            self.queue.extend((node, Closed(FLOW, reason)) for node in (1, 2))

    def _pair(self, bell: int, ask: Open) -> None:
        """Give a pair: each half is kept or measured as it is made, and told early in class B."""
        halves = Qubit((0, 0, 0), bell=bell), Qubit((0, 0, 0), bell=bell)
        halves[0].partner, halves[1].partner = halves[1], halves[0]
        for node, half in zip((1, 2), halves, strict=True):
            number = self._hold(node, half)
            asked = self.ends[node].context.now if node == 1 else -1
            if ask.kind == MEASURE or (ask.kind == PREPARE and node == 1):
                bit = self._measured(node, number, AXES[ask.basis])
                told: Noun = Outcome(FLOW, self.given, bell, ask.basis, bit, ESTIMATE, asked)
            else:
                told = Delivery(FLOW, self.given, bell, number, ESTIMATE, asked)
                if ask.consumption == TOLERANT:
                    self.queue.append((node, EarlyDelivery(FLOW, number)))
            self.queue.append((node, told))
        self.given += 1

    def _hold(self, node: int, qubit: Qubit) -> int:
        self.next += 1
        self.qubits[node][self.next] = qubit
        return self.next

    def _transmit(self, node: int, req: Transmit) -> None:
        moved = self.take(node, req.qubit)
        sequence, self.given = self.given, self.given + 1
        self.queue.append((node, Sent(FLOW, sequence, req.qubit, sequence, 0, ESTIMATE, 0)))
        self.queue.append((3 - node, Received(FLOW, sequence, self._hold(3 - node, moved), 0, ESTIMATE)))
        self.released[node] += 1

    def _release(self, node: int, req: Release) -> None:
        self.released[node] += 1

    # -- devices ------------------------------------------------------------------------------------------------------

    def take(self, node: int, qubit: int) -> Qubit:
        """Remove a qubit from its memory; note it if there is none, and go on with one that is fully mixed."""
        found = self.qubits[node].pop(qubit, None)
        if found is None:
            self.misused.append((node, qubit))
        return found or Qubit((0, 0, 0))

    def _measured(self, node: int, qubit: int, along: Vector) -> int:
        half = self.take(node, qubit)
        chance = 0.5 * (1 + sum(a * b for a, b in zip(half.vector, along, strict=True)))
        outcome = int(self.draw.random() >= chance)
        if half.partner is not None:
            turned = SIGNS[half.bell]
            x, y, z = ((1 - 2 * outcome) * s * a for s, a in zip(turned, along, strict=True))
            half.partner.vector, half.partner.partner = (x, y, z), None
        return outcome

    def _measure(self, node: int, req: device.Measure) -> None:
        outcome = self._measured(node, req.qubit, AXES[req.basis])
        self.queue.append((node, device.Measured(req.qubit, req.basis, outcome, req.purpose)))

    def _along(self, node: int, req: device.MeasureAlong) -> None:
        outcome = self._measured(node, req.qubit, direction(req.polar, req.azimuth))
        self.queue.append((node, device.Measured(req.qubit, -1, outcome, req.purpose)))

    def _prepare(self, node: int, req: device.Prepare) -> None:
        number = self._hold(node, Qubit(direction(req.polar, req.azimuth)))
        self.queue.append((node, device.Prepared(number, req.purpose)))

    def _apply(self, node: int, req: device.Apply) -> None:
        half = self.qubits[node].get(req.qubit) or self.take(node, req.qubit)
        x, y, z = half.vector
        flips = 1 - 2 * (req.pauli & 1), 1 - 2 * (req.pauli >> 1)
        half.vector = x * flips[0], y * flips[0] * flips[1], z * flips[1]
        half.bell ^= req.pauli
        if half.partner is not None:
            half.partner.bell = half.bell

    def _bits(self, node: int, req: device.DrawBits) -> None:
        if self.entropy:
            value = int.from_bytes(self.draw.bytes(req.number // 8 + 1), "little") & ((1 << req.number) - 1)
            self.queue.append((node, device.Bits(req.purpose, req.number, value)))

    _handlers: ClassVar[dict[type[Noun], Callable[[Any, int, Any], None]]] = {
        Open: _opened,
        Transmit: _transmit,
        Release: _release,
        Close: lambda self, node, req: self._end(0),
        Reset: lambda self, node, req: self._end(17),
        device.Measure: _measure,
        device.MeasureAlong: _along,
        device.Prepare: _prepare,
        device.Apply: _apply,
        device.DrawBits: _bits,
        device.Free: lambda self, node, req: self.take(node, req.qubit),
    }
