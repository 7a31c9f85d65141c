"""The density tier: every cluster of qubits that share a state is one density matrix, and gates are really applied.

The same physics as in the exact tier, by another way: a Bell measurement is a CNOT, a Hadamard gate and two readouts; a
distillation is a gate at each end, when that end comes to it.  Nothing is known of pairs, and the same draws give the same
run: what one of the two computes wrongly, the other shows.  A cluster of n qubits takes 16 x 4^n bytes.
"""

from __future__ import annotations

from qstack.core.layer import Context, Outputs
from qstack.hardware.clusters import DensityHalf, DensityPair, cnot
from qstack.hardware.device import NodeDevice
from qstack.hardware.exact import DIRECTIONS, ExactDevice, ExactEachLink, ExactLaneLink, ExactTier, turn_both
from qstack.hardware.pairs import Half
from qstack.quantum import density, exact
from qstack.services.bell import Basis
from qstack.services.device import Distil, Distilled, Free

TURN_BACK = exact.unitary(density.HADAMARD)
"""What makes two readouts of a CNOT a Bell measurement."""


class DensityDevice(ExactDevice):
    """The device of one node in the density tier."""

    medium: DensityTier
    pair_type = DensityPair
    half_type = DensityHalf

    def half(self, qubit: int, *, keep: bool = False) -> DensityHalf:
        """Return a qubit, and leave it in its memory or not."""
        half = super().half(qubit, keep=keep)
        assert isinstance(half, DensityHalf)
        return half

    def free(self, req: Free, ctx: Context) -> Outputs:
        """Forget a qubit; one that nobody has used is traced out."""
        half = self.half(req.qubit, keep=True)
        if not half.consumed:
            half.cluster.drop(half)
        return super().free(req, ctx)

    def join(self, left: Half, right: Half, now: int) -> int:
        """Measure two halves in the Bell basis by gates and readouts; what is left is a pair."""
        assert isinstance(left, DensityHalf)
        assert isinstance(right, DensityHalf)
        left.age(now)
        right.age(now)
        inner, outer = left.other, right.other
        cluster = cnot(left, right, self.instruments.gate, self.medium.most)
        left.apply(TURN_BACK)
        effects = self.instruments.effects(DIRECTIONS[Basis.Z])
        bits = [(effects[outcome & 1], effects[outcome >> 1]) for outcome in range(4)]  # of control and target
        weights = [cluster.chance((left, one), (right, two)) for one, two in bits]
        place = self.draw.uniform() * sum(weights)
        outcome = 0
        while outcome < 3 and place >= weights[outcome]:
            place -= weights[outcome]
            outcome += 1
        for half, effect in zip((left, right), bits[outcome], strict=True):
            cluster.drop(half, effect)
        pair = left.pair
        pair.a = inner
        pair.b = outer
        outer.pair = pair
        return outcome

    def distil(self, req: Distil, ctx: Context) -> Outputs:
        """Run this end's part of a distillation: a gate between both halves, and the readout of one."""
        now = ctx.now
        keep, spare = self.half(req.keep, keep=True), self.half(req.spare)
        turn_both(req, keep, spare, now)
        cluster = cnot(keep, spare, self.instruments.gate, self.medium.most)
        effects = self.instruments.effects(DIRECTIONS[Basis.Z])
        chances = [cluster.chance((spare, effect)) for effect in effects]
        spare.basis = Basis.Z
        spare.outcome = bit = int(self.draw.uniform() * sum(chances) >= chances[0])
        cluster.drop(spare, effects[bit])
        del spare.pair
        answer = Distilled(req.keep, req.spare, bit)
        return self._finish((spare,), answer, self.device.readout_time, now)


class DensityLaneLink(ExactLaneLink):
    """A link in skip-ahead."""

    pair_type = DensityPair
    half_type = DensityHalf


class DensityEachLink(ExactEachLink):
    """A link attempt by attempt."""

    pair_type = DensityPair
    half_type = DensityHalf


class DensityTier(ExactTier):
    """All quantum state of a network as density matrices of as many qubits as share a state.

    Attributes
    ----------
    most
        Qubits that a cluster may have.
    """

    skipping = DensityLaneLink
    attempting = DensityEachLink
    most = density.MAX_QUBITS

    @property
    def equipment(self) -> type[NodeDevice]:
        """What answers the requests of one node."""
        return DensityDevice
