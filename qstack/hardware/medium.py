"""The medium: sole owner of joint quantum state, and what answers the device requests of every node."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from qstack.core.clock import Clock
from qstack.core.errors import ConfigError, LocalProtocolError
from qstack.core.layer import Context, Handler, Layer, Outputs
from qstack.core.nouns import Indication, Noun
from qstack.hardware.cryostat import Cold, Cryostat
from qstack.hardware.dataqubits import Slot, axis, prepared
from qstack.hardware.each import EachLink
from qstack.hardware.lanes import End, Link, Setting
from qstack.hardware.pairs import Half, Law, measure, swap
from qstack.hardware.randomness import Stream
from qstack.hardware.register import Exchange, Register
from qstack.hardware.skipping import LaneLink
from qstack.hardware.tally import Counted, Noted, worn
from qstack.plugin.protocols import Fate
from qstack.quantum.purification import bbpssw, dejmps
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

Triple = tuple[float, float, float]
Combine = Callable[[Triple, Triple, float, float], tuple[float, Triple]]
"""A distillation scheme: kept pair, measured pair, (1 - q_A)(1 - q_B), (1 - 2 m_A)(1 - 2 m_B) to the probability to
keep and the kept pair, as `qstack.quantum.purification.dejmps`."""


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


class Medium:
    """All quantum state of a network, in the correlator tier.

    Parameters
    ----------
    clock
        The host.
    seed, shot
        Of the run: every entity draws from its own stream.
    attempts
        "skip": one draw gives the time of a lane's next success.  "each": every attempt asks the midpoint.
    midpoint
        Makes the midpoint of a link from the numbers of its nodes; needed for "each".

    Raises
    ------
    ConfigError
        If there is no such way of attempting, or no midpoint where one is needed.
    """

    skipping: type[LaneLink] = LaneLink
    attempting: type[EachLink] = EachLink

    def __init__(
        self,
        clock: Clock,
        seed: int,
        shot: int = 0,
        *,
        attempts: str = "skip",
        midpoint: Callable[[tuple[int, int]], Layer] | None = None,
    ) -> None:
        if attempts not in {"skip", "each"}:
            raise ConfigError(f"attempts: '{attempts}' is not one of 'skip', 'each'")
        if attempts == "each" and midpoint is None:
            raise ConfigError("attempts: 'each' needs a midpoint to ask")
        self.clock = clock
        self.midpoint = midpoint if attempts == "each" else None
        self.boxes: dict[int, NodeDevice] = {}
        self.seed = seed
        self.shot = shot
        self.qubits: dict[int, dict[int, Half]] = {}
        self.links: dict[tuple[int, int], Link] = {}
        self.ports: dict[int, dict[int, tuple[Link, int]]] = {}
        self.devices: dict[int, Device] = {}
        self.exchange = Exchange(clock)
        self.tallies: dict[int, Counted | Noted | None] = {}
        self.feeds: dict[int, Callable[[Noun, int], None]] = {}
        self.numbers = itertools.count(1).__next__
        self.schemes: Mapping[str, Combine] = {"bbpssw": bbpssw, "dejmps": dejmps}

    def add_node(self, number: int, device: Device, feed: Callable[[Noun, int], None] | None = None) -> None:
        """Take up a node; `feed` gives it an indication, and may be told later, before its links are added."""
        self.qubits[number] = {}
        self.ports[number] = {}
        self.devices[number] = device
        if device.register is not None:
            self.exchange.registers[number] = device.register.unused()
        wears = device.lasting < inf
        self.tallies[number] = (Counted if self.midpoint is None else Noted)(device.lasting) if wears else None
        if feed is not None:
            self.feeds[number] = feed

    def add_link(
        self,
        ends: tuple[int, int],
        lanes: int,
        settings: Sequence[Setting],
        emit: tuple[int, int],
        reply: tuple[int, int],
        name: str,
    ) -> Link:
        """Join two nodes that are known; times as in `qstack.hardware.lanes.End`."""
        a, b = (
            End(
                node,
                peer,
                self.feeds[node],
                self.qubits[node],
                self.devices[node].law,
                emit[side],
                reply[side],
                self.devices[node].readout,
                self.devices[node].gate,
                self.tallies[node],
                self.devices[node].cold,
            )
            for side, (node, peer) in enumerate((ends, ends[::-1]))
        )
        given = (self.clock, (a, b), lanes, settings, Stream(self.seed, self.shot, name), self.numbers)
        link = self.skipping(*given) if self.midpoint is None else self.attempting(*given, self.midpoint(ends))
        if self.exchange.registers.keys() & set(ends):
            link.exchange = self.exchange
        self.links[ends] = link
        self.ports[ends[0]][ends[1]] = (link, 0)
        self.ports[ends[1]][ends[0]] = (link, 1)
        return link

    def disturb(self, fate: Callable[[str, int, int], Fate]) -> None:
        """Lose, delay and double messages with midpoints; see `qstack.plugin.contracts.Disturbed`."""
        for ends, link in self.links.items():
            link.deaf = partial(_fate_of_reply, ends, fate)
            link.mute = partial(_fate_of_gen, ends, fate)

    @property
    def equipment(self) -> type[NodeDevice]:
        """What answers the requests of one node."""
        return NodeDevice

    def effects(self, node: int, name: str) -> dict[type[Noun], Handler]:
        """Return the table that answers a node's device requests."""
        box = self.boxes[node] = self.equipment(self, node, Stream(self.seed, self.shot, name))
        return box.table()


def _fate_of_reply(ends: tuple[int, int], fate: Callable[[str, int, int], Fate], side: int, _: int) -> Fate:
    return fate("Reply", ends[1 - side], ends[side])


def _fate_of_gen(ends: tuple[int, int], fate: Callable[[str, int, int], Fate], side: int) -> Fate:
    return fate("Gen", ends[side], ends[1 - side])


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
