"""The stabiliser tier: all qubits of a network in one tableau, with noise that is drawn as Pauli errors (extra "stabiliser").

Exact for what the correlator tier is exact for, and for unequal readout; relaxation and heralded states are twirled as
there.  A pair is a sample here and no mean: its fidelity is 0 or 1, and only the mean of many tells more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qstack.core.clock import Clock
from qstack.core.layer import Context, Handler, Layer, Outputs
from qstack.core.nouns import Noun
from qstack.hardware.dataqubits import Slot, axis
from qstack.hardware.device import NodeDevice
from qstack.hardware.each import EachLink
from qstack.hardware.lanes import End, Success
from qstack.hardware.pairs import Half
from qstack.hardware.randomness import Stream
from qstack.hardware.skipping import LaneLink
from qstack.hardware.tableau import StabiliserHalf, StabiliserPair, Tableau
from qstack.hardware.tier import CorrelatorTier
from qstack.plugin.contracts import LinkSheet, Platform
from qstack.services.bell import Basis
from qstack.services.device import (
    Apply,
    Distil,
    Distilled,
    Free,
    Measure,
    MeasureAlong,
    Measured,
    Prepare,
    Prepared,
    Probe,
    Probed,
)

TURNS = {"bbpssw": ("i", "i"), "dejmps": ("sqrt_x", "sqrt_x_dag")}
"""What either end does to its halves before the CNOT of a distillation, by its name; gates as stim names them."""

Errors = tuple[float, float]
"""Probability that a true 0, and a true 1, is reported wrongly."""


def read(half: StabiliserHalf, basis: int, errors: Errors, draw: Stream) -> int:
    """Measure a half, which is gone then, and return what is reported."""
    bit = half.leave(basis, draw)
    error = errors[bit]
    half.basis = basis
    half.outcome = bit ^ (error > 0 and draw.uniform() < error)
    return half.outcome


class StabiliserDevice(NodeDevice):
    """The device of one node in the stabiliser tier."""

    medium: StabiliserTier

    def half(self, qubit: int, *, keep: bool = False) -> StabiliserHalf:
        """Return a qubit, and leave it in its memory or not."""
        half = self.look(qubit) if keep else self.take(qubit)
        assert isinstance(half, StabiliserHalf)
        return half

    def _read(self, qubit: int, basis: int, now: int) -> tuple[StabiliserHalf, int]:
        half = self.half(qubit)
        half.age(now)
        bit = read(half, basis, self.medium.errors[self.node], self.draw)
        del half.pair
        return half, bit

    def measure(self, req: Measure, ctx: Context) -> Outputs:
        """Measure a qubit in X, Y or Z."""
        half, bit = self._read(req.qubit, req.basis, ctx.now)
        answer = Measured(req.qubit, req.basis, bit, req.purpose)
        return self._finish((half,), answer, self.device.readout_time, ctx.now)

    def probe(self, req: Probe, ctx: Context) -> Outputs:
        """Measure a qubit for the network."""
        half, bit = self._read(req.qubit, req.basis, ctx.now)
        return self._finish((half,), Probed(req.qubit, req.basis, bit), self.device.readout_time, ctx.now)

    def measure_along(self, req: MeasureAlong, ctx: Context) -> Outputs:
        """Measure along an axis: no other direction leaves a stabiliser state."""
        basis, sign = axis(req.polar, req.azimuth)
        half, bit = self._read(req.qubit, basis, ctx.now)
        answer = Measured(req.qubit, -1, bit ^ sign, req.purpose)
        return self._finish((half,), answer, self.device.readout_time, ctx.now)

    def prepare(self, req: Prepare, ctx: Context) -> Outputs:
        """Make a data qubit: half of a perfect pair whose other half was found in the conjugate state."""
        basis, bit = axis(req.polar, req.azimuth)
        slot = Slot(self, ctx.now)
        tableau = self.medium.tableau
        pair = StabiliserPair(tableau, 0, 1.0, 1.0, 1.0)
        pair.a = half = StabiliserHalf(pair, self.law(ctx.now), ctx.now, slot, 0)
        pair.b = other = StabiliserHalf(pair, None, ctx.now, slot, 1)
        if other.leave(basis, tableau.draw) != bit ^ (basis == Basis.Y):  # the ends of Phi+ disagree in Y
            half.apply_pauli(1 if basis == Basis.X else 2)
            pair.noted = 0
        half.consumed = True  # freeing it loses no pair
        qubit = self.medium.numbers()
        self.qubits[qubit] = half
        return (Prepared(qubit, req.purpose),)

    def free(self, req: Free, ctx: Context) -> Outputs:
        """Forget a qubit: nobody learns what it would have been found in."""
        half = self.half(req.qubit, keep=True)
        half.age(ctx.now)
        half.leave(Basis.Z, self.medium.tableau.draw)
        return super().free(req, ctx)

    def join(self, left: Half, right: Half, now: int) -> int:
        """Measure two halves in the Bell basis by gates and readouts; what is left is a pair."""
        assert isinstance(left, StabiliserHalf)
        assert isinstance(right, StabiliserHalf)
        left.age(now)
        right.age(now)
        self._gate_noise(left, right)
        pair, other = left.pair, right.pair
        inner, outer = pair.b if pair.a is left else pair.a, other.b if other.a is right else other.a
        early = pair.noted >= 0 or other.noted >= 0
        index = pair.index() ^ other.index()
        state = self.medium.tableau.state
        state.cnot(left.column, right.column)
        state.h(left.column)
        outcome = true = 0
        errors = self.medium.errors[self.node]
        for place, half in enumerate((left, right)):
            column, half.column = half.column, -1
            half.law = None
            bit = self.medium.tableau.measure(column, Basis.Z, self.draw)
            true |= bit << place
            outcome |= (bit ^ (errors[bit] > 0 and self.draw.uniform() < errors[bit])) << place
        pair.noted = index ^ true if early else -1
        pair.bell ^= other.bell ^ outcome
        pair.a = inner
        pair.b = outer
        outer.pair = pair
        return outcome

    def _gate_noise(self, one: StabiliserHalf, two: StabiliserHalf) -> None:
        """Draw the noise of a two-qubit gate, which is the same before a Clifford gate and after it."""
        noise = 1 - self.device.gate
        if noise and self.medium.tableau.draw.uniform() < noise:
            for half in (one, two):
                half.apply_pauli(self.medium.tableau.pauli())

    def apply(self, req: Apply, ctx: Context) -> Outputs:
        """Apply a Pauli."""
        self.half(req.qubit, keep=True).apply_pauli(req.pauli)
        return ()

    def distil(self, req: Distil, ctx: Context) -> Outputs:
        """Run this end's part of a distillation: a gate between both halves, and the readout of one."""
        now = ctx.now
        keep, spare = self.half(req.keep, keep=True), self.half(req.spare)
        state = self.medium.tableau.state
        for half, pauli in ((keep, req.keep_pauli), (spare, req.spare_pauli)):
            half.age(now)
            half.apply_pauli(pauli)
            gate = TURNS[req.scheme][half.side]
            if gate != "i":
                getattr(state, gate)(half.column)
        self._gate_noise(keep, spare)
        state.cnot(keep.column, spare.column)
        bit = read(spare, Basis.Z, self.medium.errors[self.node], self.draw)
        del spare.pair
        return self._finish((spare,), Distilled(req.keep, req.spare, bit), self.device.readout_time, now)


class _StabiliserStates:
    """What links in this tier have in common.

    Attributes
    ----------
    errors
        Of readout at both ends, by the number of the node.
    """

    half_type = StabiliserHalf
    errors: dict[int, Errors]

    def _announce(self, success: Success, sequence: int, halves: tuple[StabiliserHalf, StabiliserHalf]) -> None:
        """Tell each end of a success; a half that an end never learns of leaves the tableau."""
        pair = halves[0].pair
        super()._announce(success, sequence, halves)  # type: ignore[misc]  # of the link
        for half in halves:
            if half.column >= 0 and half not in self.ends[half.side].qubits.values():  # type: ignore[attr-defined]  # as above
                half.pair = pair
                half.leave(Basis.Z, pair.tableau.draw)
                del half.pair

    def _measured(self, end: End, half: StabiliserHalf, bases: tuple[int, ...]) -> tuple[int, int]:
        """Measure a half at its emission in a basis that its end draws; return basis and bit."""
        draw = self.draw  # type: ignore[attr-defined]  # of the link
        basis = bases[int(draw.uniform() * len(bases))]
        bit = read(half, basis, self.errors[end.node], draw)
        del half.pair
        return basis, bit


class StabiliserLaneLink(_StabiliserStates, LaneLink):  # type: ignore[misc]  # halves are those of this tier
    """A link in skip-ahead."""


class StabiliserEachLink(_StabiliserStates, EachLink):  # type: ignore[misc]  # halves are those of this tier
    """A link attempt by attempt."""


class StabiliserTier(CorrelatorTier):
    """All quantum state of a network as one stabiliser state, with noise that is drawn.

    Raises
    ------
    ConfigError
        If stim is not installed.
    """

    skipping = StabiliserLaneLink
    attempting = StabiliserEachLink

    def __init__(
        self,
        clock: Clock,
        seed: int,
        shot: int,
        attempts: str,
        midpoint: Callable[[tuple[int, int]], Layer] | None = None,
    ) -> None:
        super().__init__(clock, seed, shot, attempts, midpoint)
        self.tableau = Tableau(Stream(seed, shot, "noise of the stabiliser tier"))
        self.errors: dict[int, Errors] = {}

    @property
    def equipment(self) -> type[NodeDevice]:
        """What answers the requests of one node."""
        return StabiliserDevice

    def place(self, number: int, name: str, platform: Platform) -> dict[type[Noun], Handler]:
        """Add a node and return the table that answers its device requests."""
        mean, bias = platform.readout_error, platform.readout_bias
        self.errors[number] = mean + bias, mean - bias
        return super().place(number, name, platform)

    def join(self, ends: tuple[int, int], name: str, sheet: LinkSheet) -> None:
        """Add a link between two nodes that are known."""
        super().join(ends, name, sheet)
        link = self.links[ends]
        assert isinstance(link, StabiliserLaneLink | StabiliserEachLink)
        link.errors = self.errors
        link.pair_type = partial(StabiliserPair, self.tableau)  # type: ignore[assignment]  # it makes pairs

    def overlap(self, number: int, qubit: int, bell: int, now: int) -> float:
        """Return the overlap of a qubit's pair with a Bell state, and stop this half's ageing: it is consumed."""
        half = self.qubits[number][qubit]
        half.age(now)
        half.law = None
        half.consumed = True
        return half.pair.fidelity_with(bell)
