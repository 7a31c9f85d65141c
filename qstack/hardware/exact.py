"""The exact tier: every pair as a real 4 x 4 matrix, for what three correlators cannot say.

Exact here, and approximate or refused in the correlator tier: T1 with its shift of <Z>, unequal readout errors, outcomes
that are not equally likely, states that depend on an outcome, measurements along any direction, data qubits in any pure
state.  Same device requests, same random streams by name, same interface for hosts; about ten times the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from math import sqrt

import numpy as np

from qstack.core.errors import ConfigError
from qstack.core.layer import Context, Handler, Outputs
from qstack.core.nouns import Noun
from qstack.hardware.dataqubits import Slot, vector
from qstack.hardware.device import NodeDevice
from qstack.hardware.each import EachLink
from qstack.hardware.exactpairs import ExactHalf, ExactPair, Instruments, WholeDecay, measure, swap
from qstack.hardware.lanes import End
from qstack.hardware.pairs import Half
from qstack.hardware.skipping import LaneLink
from qstack.hardware.tier import CorrelatorTier, device_of
from qstack.plugin.contracts import LinkSheet, Platform
from qstack.plugin.distilling import Combine
from qstack.quantum import exact
from qstack.services.bell import Basis
from qstack.services.device import (
    Apply,
    Distil,
    Distilled,
    Measure,
    MeasureAlong,
    Measured,
    Prepare,
    Prepared,
    Probe,
    Probed,
)

DIRECTIONS = {Basis.Z: (0.0, 0.0, 1.0), Basis.X: (1.0, 0.0, 0.0), Basis.Y: (0.0, 1.0, 0.0)}

_QUARTER_TURN = (np.eye(2) - 1j * exact.PAULIS[1]) / sqrt(2)
TURNS = {
    "bbpssw": (np.eye(4), np.eye(4)),
    "dejmps": (exact.unitary(_QUARTER_TURN), exact.unitary(_QUARTER_TURN.conj().T)),
}
"""What either end does to its halves before the CNOT of a distillation, by its name."""


class ExactDevice(NodeDevice):
    """The device of one node in the exact tier."""

    medium: ExactTier
    pair_type = ExactPair
    half_type = ExactHalf

    def half(self, qubit: int, *, keep: bool = False) -> ExactHalf:
        """Return a qubit, and leave it in its memory or not."""
        half = self.look(qubit) if keep else self.take(qubit)
        assert isinstance(half, ExactHalf)
        return half

    @property
    def instruments(self) -> Instruments:
        """How this node reads qubits."""
        return self.medium.instruments[self.node]

    def measure(self, req: Measure, ctx: Context) -> Outputs:
        """Measure a qubit in X, Y or Z."""
        half = self.half(req.qubit)
        half.basis = req.basis
        return self._read(half, DIRECTIONS[Basis(req.basis)], Measured(req.qubit, req.basis, 0, req.purpose), ctx.now)

    def measure_along(self, req: MeasureAlong, ctx: Context) -> Outputs:
        """Measure a qubit along any direction."""
        half = self.half(req.qubit)
        return self._read(half, vector(req.polar, req.azimuth), Measured(req.qubit, -1, 0, req.purpose), ctx.now)

    def probe(self, req: Probe, ctx: Context) -> Outputs:
        """Measure a qubit for the network."""
        half = self.half(req.qubit)
        half.basis = req.basis
        outcome = measure(half, self.instruments.effects(DIRECTIONS[Basis(req.basis)]), self.draw, ctx.now)
        del half.pair
        return self._finish((half,), Probed(req.qubit, req.basis, outcome), self.device.readout_time, ctx.now)

    def _read(self, half: ExactHalf, direction: tuple[float, float, float], answer: Measured, now: int) -> Outputs:
        outcome = measure(half, self.instruments.effects(direction), self.draw, now)
        del half.pair
        answer = Measured(answer.qubit, answer.basis, outcome, answer.purpose)
        return self._finish((half,), answer, self.device.readout_time, now)

    def prepare(self, req: Prepare, ctx: Context) -> Outputs:
        """Make a data qubit: half of a perfect pair whose other half was found in the conjugate state."""
        slot = Slot(self, ctx.now)
        pair = self.pair_type(0, 1.0, 1.0, 1.0)
        pair.a = half = self.half_type(pair, self.law(ctx.now), ctx.now, slot, 0)
        pair.b = other = self.half_type(pair, None, ctx.now, slot, 1)
        x, y, z = vector(req.polar, req.azimuth)
        other.effect = np.array([1.0, x, -y, z]) / 2
        half.consumed = True  # freeing it loses no pair
        qubit = self.medium.numbers()
        self.qubits[qubit] = half
        return (Prepared(qubit, req.purpose),)

    def join(self, left: Half, right: Half, now: int) -> int:
        """Measure two halves in the Bell basis and join what is left; return the outcome."""
        assert isinstance(left, ExactHalf)
        assert isinstance(right, ExactHalf)
        return swap(left, right, self.instruments.bell, self.draw, now)

    def apply(self, req: Apply, ctx: Context) -> Outputs:
        """Apply a Pauli."""
        self.half(req.qubit, keep=True).apply_pauli(req.pauli)
        return ()

    def distil(self, req: Distil, ctx: Context) -> Outputs:
        """Run this end's part of a distillation; the state is settled by the second end to do so.

        The first end draws its bit from what it sees.  Its kept half goes on ageing meanwhile, after its gate: that is
        remembered, and applied once the state is settled.
        """
        now = ctx.now
        keep, spare = self.half(req.keep, keep=True), self.half(req.spare)
        turn_both(req, keep, spare, now)
        effects = self.instruments.effects(DIRECTIONS[Basis.Z])
        other = spare.other
        first = other.basis < 0
        if first:
            keep.after = np.eye(4)
        settle = [self._combined(keep, spare, effect) for effect in effects]
        chances = [float(kept[0, 0]) for kept in settle]
        spare.basis = Basis.Z
        spare.outcome = bit = int(self.draw.uniform() * sum(chances) >= chances[0])
        spare.effect = effects[bit]
        if not first:
            keep.view[:] = settle[bit] / chances[bit]
            after = keep.other.after
            keep.other.after = None
            if after is not None and hasattr(keep.other, "pair"):  # the first end may have let it go by now
                keep.other.apply(after)
        del spare.pair
        answer = Distilled(req.keep, req.spare, bit)
        return self._finish((spare,), answer, self.device.readout_time, now)

    def _combined(self, keep: ExactHalf, spare: ExactHalf, effect: exact.Real) -> exact.Real:
        """Return the kept pair, this end first and unnormalised, if this end reports the outcome of an effect."""
        peer = self.medium.instruments[keep.place.link.ends[1 - keep.side].node]
        return exact.two_to_one(keep.view, spare.view, effect, spare.other.effect, self.instruments.gate, peer.gate)


def turn_both(req: Distil, keep: ExactHalf, spare: ExactHalf, now: int) -> None:
    """Bring both halves into the frame of a distillation, and turn them as its scheme does before the gate."""
    for half, pauli in ((keep, req.keep_pauli), (spare, req.spare_pauli)):
        half.age(now)
        half.apply_pauli(pauli)
        half.apply(TURNS[req.scheme][half.side])


class _ExactStates:
    """What links in this tier have in common.

    Attributes
    ----------
    instruments
        Of both ends, by the number of the node.
    """

    pair_type = ExactPair
    half_type = ExactHalf
    instruments: dict[int, Instruments]

    def _measured(self, end: End, half: ExactHalf, bases: tuple[int, ...]) -> tuple[int, int]:
        """Measure a half at its emission in a basis that its end draws; return basis and bit."""
        basis = Basis(bases[int(self.draw.uniform() * len(bases))])  # type: ignore[attr-defined]  # of the link
        half.basis = basis
        effects = self.instruments[end.node].effects(DIRECTIONS[basis])
        bit = measure(half, effects, self.draw, half.born)  # type: ignore[attr-defined]  # of the link
        del half.pair
        return basis, bit


class ExactLaneLink(_ExactStates, LaneLink):  # type: ignore[misc]  # halves are exact ones here
    """A link in skip-ahead."""


class ExactEachLink(_ExactStates, EachLink):  # type: ignore[misc]  # halves are exact ones here
    """A link attempt by attempt."""


class ExactTier(CorrelatorTier):
    """All quantum state of a network as pairs of two qubits, with nothing left out."""

    skipping = ExactLaneLink
    attempting = ExactEachLink

    @cached_property
    def instruments(self) -> dict[int, Instruments]:
        """How each node reads qubits, by its number."""
        return {}

    @property
    def equipment(self) -> type[NodeDevice]:
        """What answers the requests of one node."""
        return ExactDevice

    def place(self, number: int, name: str, platform: Platform) -> dict[type[Noun], Handler]:
        """Add a node and return the table that answers its device requests."""
        device = device_of(platform)
        self.instruments[number] = Instruments.of(platform)
        self.add_node(number, replace(device, law=device.law and WholeDecay(platform.memory)))
        return self.effects(number, name)

    def join(self, ends: tuple[int, int], name: str, sheet: LinkSheet) -> None:
        """Add a link between two nodes that are known."""
        super().join(ends, name, sheet)
        link = self.links[ends]
        assert isinstance(link, ExactLaneLink | ExactEachLink)
        link.instruments = self.instruments

    def overlap(self, number: int, qubit: int, bell: int, now: int) -> float:
        """Return the overlap of a qubit's pair with a Bell state, and stop this half's ageing: it is consumed."""
        half = self.qubits[number][qubit]
        assert isinstance(half, ExactHalf)
        half.age(now)
        half.law = None
        half.consumed = True
        return half.pair.overlap(bell)


def known_schemes(schemes: Mapping[str, Combine], tier: str = "exact") -> None:
    """Refuse distillation schemes of which only the effect on correlators is known.

    Parameters
    ----------
    schemes
        By name.
    tier
        Who refuses.

    Raises
    ------
    ConfigError
        If there is one.
    """
    unknown = sorted(set(schemes) - set(TURNS))
    if unknown:
        raise ConfigError(
            f"distillation '{unknown[0]}': the {tier} tier knows the circuits of {', '.join(sorted(TURNS))} only. "
            "Choose run: {tier: correlators}."
        )
