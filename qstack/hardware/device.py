"""The device of one node: what the medium knows of it, and what answers the node's device requests."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Handler, Outputs
from qstack.core.nouns import Indication, Noun
from qstack.hardware.cryostat import Cold, Cryostat
from qstack.hardware.dataqubits import Slot, axis, prepared
from qstack.hardware.pairs import Half, Law, measure, swap
from qstack.hardware.randomness import Stream
from qstack.hardware.register import Register
from qstack.hardware.tally import worn
from qstack.services.bell import Basis
from qstack.services.device import (
    Apply,
    AskRoom,
    BellMeasure,
    BellMeasured,
    Bits,
    Distil,
    Distilled,
    DrawBits,
    Free,
    Measure,
    MeasureAlong,
    Measured,
    Prepare,
    Prepared,
    Probe,
    Probed,
    Swap,
    Swapped,
    Trigger,
)

if TYPE_CHECKING:  # the medium makes the devices of its nodes
    from qstack.hardware.medium import Medium


@dataclass(frozen=True, slots=True)
class Device:
    """What the medium knows of a node's hardware.

    Parameters
    ----------
    law
        Decay of its memories, or None.
    swap_factors
        Factors on (x, y, z) of its Bell measurements.
    readout
        Factor 1 - 2m of its readout.
    swap_time, readout_time
        How long these take [ps]; the memories are busy until then.
    gate
        Factor 1 - q of its two-qubit gate.
    cold
        When it is cold, and makes attempts; None is always.
    register
        Qubits that the lanes of the node share; None if each lane has a communication qubit of its own.
    lasting
        Attempts of the node until the coherence of what it has stored falls to 1/e; infinite if they do no harm.
    bell_outcomes, bell_efficiency
        How many Bell states its Bell measurement tells, and the probability that it tells one of those.
    """

    law: Law | None
    swap_factors: tuple[float, float, float] = (1.0, 1.0, 1.0)
    readout: float = 1.0
    swap_time: int = 0
    readout_time: int = 0
    gate: float = 1.0
    lasting: float = inf
    register: Register | None = None
    cold: Cold | None = None
    bell_outcomes: int = 4
    bell_efficiency: float = 1.0

    @property
    def certain(self) -> bool:
        """Whether every Bell measurement has an outcome."""
        return self.bell_outcomes == 4 and self.bell_efficiency == 1


class NodeDevice:
    """The device of one node: its qubits, its gates, its random generator."""

    def __init__(self, medium: Medium, node: int, draw: Stream) -> None:
        self.medium = medium
        self.node = node
        self.draw = draw
        self.qubits = medium.qubits[node]
        self.ports = medium.ports[node]
        self.device = medium.devices[node]
        self.certain = self.device.certain
        self.swaps = 0
        self.failed = 0
        self.discards = 0
        cold = self.device.cold
        self.cryostat = None if cold is None else Cryostat(medium.clock, cold, self.ports)
        self.busy = 0  # [ps], of all memories together

    def table(self) -> dict[type[Noun], Handler]:
        """Return request type to answering method."""
        return {
            Trigger: self.trigger,
            Swap: self.swap,
            Measure: self.measure,
            MeasureAlong: self.measure_along,
            Probe: self.probe,
            Prepare: self.prepare,
            BellMeasure: self.bell_measure,
            Apply: self.apply,
            Distil: self.distil,
            Free: self.free,
            DrawBits: self.draw_bits,
            AskRoom: self.ask_room,
        }

    def take(self, qubit: int) -> Half:
        """Remove a qubit from its memory; a number that was used up is never valid again."""
        try:
            return self.qubits.pop(qubit)
        except KeyError:
            raise self._unknown(qubit) from None

    def look(self, qubit: int) -> Half:
        """Return a qubit that stays in its memory."""
        half = self.qubits.get(qubit)
        if half is None:
            raise self._unknown(qubit)
        return half

    def _unknown(self, qubit: int) -> LocalProtocolError:
        return LocalProtocolError(f"node {self.node} holds no qubit {qubit}", "QS-L1-010")

    def law(self, now: int) -> Law | None:
        """Return how a qubit decays that is stored from now on."""
        law = worn(self.device.law, self.medium.tallies[self.node], now)
        return law if self.device.cold is None else self.device.cold.law(law, now)

    def trigger(self, req: Trigger, ctx: Context) -> Outputs:
        """Change the standing answer of a lane."""
        try:
            link, side = self.ports[req.peer]
            lane = link.lanes[req.lane]
        except LookupError:
            raise LocalProtocolError(f"node {self.node} has no lane {req.lane} towards node {req.peer}") from None
        if self.cryostat is not None and self.cryostat.holds(req, ctx.now):
            return ()
        link.trigger(side, lane, req.aid, (req.row, req.keep, req.bases), ctx.now)
        return ()

    def ask_room(self, req: AskRoom, ctx: Context) -> Outputs:
        """Count the free memories of a link."""
        try:
            link, side = self.ports[req.peer]
        except KeyError:
            raise LocalProtocolError(f"node {self.node} has no link to node {req.peer}") from None
        return (link.room(side),)

    def free(self, req: Free, ctx: Context) -> Outputs:
        """Forget a qubit."""
        half = self.qubits.pop(req.qubit, None)
        if half is None:
            raise self._unknown(req.qubit)
        now = ctx.now
        self.busy += now - half.born
        if not half.consumed:
            self.discards += 1
        del half.pair  # breaks the circle of pair and half, so that nothing is left for the garbage collector
        half.place.release(half.side, now)
        return ()

    def swap(self, req: Swap, ctx: Context) -> Outputs:
        """Join two pairs; both memories are free when the outcome is known."""
        now = ctx.now
        if req.left == req.right:
            raise LocalProtocolError(f"node {self.node} cannot swap qubit {req.left} with itself")
        left = self.take(req.left)
        right = self.take(req.right)
        device = self.device
        self.swaps += 1
        outcome = self.join(left, right, now)
        if not self.certain and not self.announced(outcome):
            left.pair.part()  # QS-L1-382
            self.failed += 1
            outcome = -1
        return self._finish((left, right), Swapped(req.left, req.right, outcome), device.swap_time, now)

    def measure(self, req: Measure, ctx: Context) -> Outputs:
        """Measure a qubit; its memory is free when the bit is known."""
        half = self.take(req.qubit)
        outcome = measure(half, req.basis, self.device.readout, self.draw, ctx.now)
        del half.pair
        answer = Measured(req.qubit, req.basis, outcome, req.purpose)
        return self._finish((half,), answer, self.device.readout_time, ctx.now)

    def probe(self, req: Probe, ctx: Context) -> Outputs:
        """Measure a qubit for the network."""
        half = self.take(req.qubit)
        outcome = measure(half, req.basis, self.device.readout, self.draw, ctx.now)
        del half.pair
        return self._finish((half,), Probed(req.qubit, req.basis, outcome), self.device.readout_time, ctx.now)

    def measure_along(self, req: MeasureAlong, ctx: Context) -> Outputs:
        """Measure along a direction; correlators can do so along the axes only."""
        basis, sign = axis(req.polar, req.azimuth)
        half = self.take(req.qubit)
        outcome = measure(half, basis, self.device.readout, self.draw, ctx.now) ^ sign
        del half.pair
        answer = Measured(req.qubit, -1, outcome, req.purpose)
        return self._finish((half,), answer, self.device.readout_time, ctx.now)

    def prepare(self, req: Prepare, ctx: Context) -> Outputs:
        """Make a data qubit."""
        qubit = self.medium.numbers()
        self.qubits[qubit] = prepared(axis(req.polar, req.azimuth), self.law(ctx.now), Slot(self, ctx.now))
        return (Prepared(qubit, req.purpose),)

    def bell_measure(self, req: BellMeasure, ctx: Context) -> Outputs:
        """Measure a data qubit and a half in the Bell basis: a swap whose outcome somebody else wants to know."""
        now = ctx.now
        if req.data == req.half:
            raise LocalProtocolError(f"node {self.node} cannot measure qubit {req.data} with itself")
        if not self.certain:
            raise LocalProtocolError(f"node {self.node} cannot be asked for a Bell measurement that must not fail")
        data, half = self.take(req.data), self.take(req.half)
        outcome = self.join(data, half, now)
        answer = BellMeasured(req.data, req.half, outcome, req.purpose)
        return self._finish((data, half), answer, self.device.swap_time, now)

    def join(self, left: Half, right: Half, now: int) -> int:
        """Measure two halves in the Bell basis and join what is left; return the outcome."""
        return swap(left, right, self.device.swap_factors, self.draw, now)

    def announced(self, outcome: int) -> bool:
        """Draw whether a Bell measurement announces its outcome; one that tells two Bell states tells Psi+ and Psi-."""
        device = self.device
        return outcome >= 4 - device.bell_outcomes and self.draw.uniform() < device.bell_efficiency

    def apply(self, req: Apply, ctx: Context) -> Outputs:
        """Apply a Pauli: it moves the pair to another Bell index."""
        self.look(req.qubit).pair.bell ^= req.pauli
        return ()

    def draw_bits(self, req: DrawBits, ctx: Context) -> Outputs:
        """Answer with random bits."""
        return (Bits(req.purpose, req.number, self.draw.bits(req.number)),)

    def distil(self, req: Distil, ctx: Context) -> Outputs:
        """Run this end's part of a distillation; the second end to do so settles the state."""
        now = ctx.now
        keep = self.look(req.keep)
        spare = self.take(req.spare)
        keep.age(now)
        spare.age(now)
        keep.pair.bell ^= req.keep_pauli
        spare.pair.bell ^= req.spare_pauli
        other = spare.partner
        spare.basis = Basis.Z
        if other.basis < 0:
            spare.outcome = int(self.draw.uniform() < 0.5)
        else:
            pair = keep.pair
            measured = spare.pair
            a, b = spare.place.link.ends
            probability, (x, y, z) = self.medium.schemes[req.scheme](
                (pair.x, pair.y, pair.z), (measured.x, measured.y, measured.z), a.gate * b.gate, a.readout * b.readout
            )
            agree = self.draw.uniform() < probability
            spare.outcome = other.outcome ^ (not agree)
            if agree:
                pair.x, pair.y, pair.z = x, y, z
        del spare.pair
        answer = Distilled(req.keep, req.spare, spare.outcome)
        return self._finish((spare,), answer, self.device.readout_time, now)

    def _finish(self, halves: tuple[Half, ...], answer: Indication, duration: int, now: int) -> Outputs:
        """Give memories back and answer, after the time that the operation takes."""
        if duration:
            done = now + duration
            self.busy += sum(done - half.born for half in halves)
            self.medium.clock.at(done, self._later, (halves, answer, done))
            return ()
        for half in halves:
            self.busy += now - half.born
            half.place.release(half.side, now)
        return (answer,)

    def _later(self, event: tuple[tuple[Half, ...], Indication, int]) -> None:
        halves, answer, now = event
        for half in halves:
            half.place.release(half.side, now)
        self.medium.feeds[self.node](answer, now)
