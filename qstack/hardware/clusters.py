"""Clusters of qubits that share a state, each as one density matrix; the states of the density tier.

A pair that is born is a cluster of two.  A gate between qubits of two clusters makes one of both.  What is measured by a
gate's readout (a Bell measurement, a distillation) is projected and traced out at once.  A half that its end measures
stays in its cluster with the effect of its outcome, as in `qstack.hardware.exactpairs`: what a pair was worth can still be
asked when its second end comes to use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qstack.core.errors import ConfigError
from qstack.hardware.exactpairs import NOTHING, PAULI_SIGNS, ExactHalf, ExactPair
from qstack.hardware.pairs import Pair
from qstack.quantum import density, exact
from qstack.quantum.exact import Complex, Real
from qstack.quantum.memory import Decay


class Cluster:
    """Qubits that share a state.

    Parameters
    ----------
    rho
        Their density matrix.

    Attributes
    ----------
    halves
        The qubits, in the order of the matrix' factors.
    """

    __slots__ = ("halves", "rho")

    def __init__(self, rho: Complex) -> None:
        self.rho = rho
        self.halves: list[DensityHalf] = []

    def join(self, other: Cluster, most: int) -> None:
        """Take the qubits of another cluster in, before a gate between both.

        Raises
        ------
        ConfigError
            If that is more qubits than are allowed.
        """
        if other is self:
            return
        total = len(self.halves) + len(other.halves)
        if total > most:
            raise ConfigError(
                f"run.tier  {total} qubits would share one density matrix, and at most {most} may. "
                "Give {use: density, qubits: N} with a greater N (2 to 10), or choose run: {tier: exact}."
            )
        self.rho = density.product(self.rho, other.rho)
        for half in other.halves:
            half.cluster = self
        self.halves += other.halves

    def drop(self, half: DensityHalf, effect: Real = NOTHING) -> None:
        """Trace a qubit out, on condition of an outcome."""
        left = density.condition(self.rho, effect, self.halves.index(half))
        self.rho = left / np.trace(left)
        self.halves.remove(half)

    def given(self, kept: DensityHalf | None = None) -> Complex:
        """Return the unnormalised state of one qubit given all that was measured, or the probability of all that.

        Parameters
        ----------
        kept
            The qubit that stays; None leaves a 1 x 1 matrix.
        """
        rho = self.rho
        for place in reversed(range(len(self.halves))):
            half = self.halves[place]
            if half is not kept:
                rho = density.condition(rho, half.effect, place)
        return rho

    def chance(self, *found: tuple[DensityHalf, Real]) -> float:
        """Return the probability of the effects of some qubits and of all that was measured before."""
        for half, effect in found:
            half.effect = effect
        return float(np.real(self.given()[0, 0]))


class DensityPair(ExactPair):
    """Two halves that belong together, whatever else shares their state.

    Attributes
    ----------
    cluster
        Where both were born.
    """

    __slots__ = ("cluster",)

    a: DensityHalf
    b: DensityHalf

    def __init__(self, bell: int, x: float, y: float, z: float) -> None:
        self.bell = bell
        self.cluster = Cluster(exact.to_density(exact.from_correlators((x, y, z), bell)))

    def begin(self, state: Sequence[Sequence[float]]) -> None:
        """Take up a state, whole."""
        self.cluster.rho = exact.to_density(np.array(state))

    def part(self) -> None:
        """Forget what both halves know of each other: each stays as it is by itself."""
        half = self.a
        whole = half.cluster
        if half not in whole.halves:
            return  # thrown away by its end, so nothing is known of it
        half.cluster = Cluster(density.keep(whole.rho, (whole.halves.index(half),)))
        half.cluster.halves.append(half)
        whole.drop(half)

    def overlap(self, bell: int) -> float:
        """Return the overlap with a Bell state, each half as it was last touched and as if none had been measured."""
        halves = self.a.cluster.halves
        if self.a not in halves or self.b not in halves:
            return 0.25  # one was thrown away, or has another state of its own
        rho = density.keep(self.a.cluster.rho, (halves.index(self.a), halves.index(self.b)))
        return density.overlap(rho, density.BELL_STATES[bell])


class DensityHalf(ExactHalf):
    """One qubit of a cluster.

    Attributes
    ----------
    cluster
        The qubits that share its state.
    """

    __slots__ = ("cluster",)

    pair: DensityPair

    def __init__(self, pair: Pair, law: Any, born: int, place: Any, side: int) -> None:
        super().__init__(pair, law, born, place, side)
        assert isinstance(pair, DensityPair)
        self.cluster = pair.cluster
        self.cluster.halves.append(self)

    @property
    def other(self) -> DensityHalf:
        """The other half of the pair."""
        pair = self.pair
        return pair.b if pair.a is self else pair.a

    def _decay(self, decay: Decay) -> None:
        self.apply(exact.decay_channel(decay))

    def apply(self, channel: Real) -> None:
        """Apply a channel."""
        cluster = self.cluster
        cluster.rho = density.transfer(cluster.rho, channel, cluster.halves.index(self))

    def apply_pauli(self, pauli: int) -> None:
        """Apply a Pauli: bit 1 is X, bit 0 is Z."""
        if pauli:
            self.apply(np.diag(PAULI_SIGNS[pauli]))

    def bloch(self) -> Real:
        """Return (1, <X>, <Y>, <Z>) of this half, given what was measured of those that share its state."""
        rho = self.cluster.given(self)
        bloch: Real = np.real(np.einsum("pij,ji->p", density.PAULIS, rho / np.trace(rho)))
        return bloch


def cnot(control: DensityHalf, target: DensityHalf, noise: float, most: int) -> Cluster:
    """Apply a CNOT between two qubits and return the cluster that has both now.

    Parameters
    ----------
    control, target
        At one node.
    noise
        Probability that the gate leaves both fully mixed.
    most
        Qubits that a cluster may have.
    """
    cluster = control.cluster
    cluster.join(target.cluster, most)
    halves = cluster.halves
    cluster.rho = density.cnot(cluster.rho, halves.index(control), halves.index(target), noise)
    return cluster
