"""Two-to-one distillation schemes as strategies: what the link layer promises with, and what a medium runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf, sqrt

from qstack.quantum.purification import bbpssw, dejmps, purification_factors
from qstack.quantum.states import Correlators, fidelity, werner, werner_fidelity


class Distillation(ABC):
    """A scheme that keeps pair 1 when the two bits of pair 2 agree.

    Parameters
    ----------
    q
        Gate noise of the CNOT at each end.
    m
        Readout noise at each end.

    Raises
    ------
    PhysicsError
        If one of them is no probability.
    """

    name: str

    def __init__(self, q: float = 0.0, m: float = 0.0) -> None:
        self.gate, self.readout = purification_factors(q, m)

    @abstractmethod
    def combine(self, first: Correlators, second: Correlators) -> tuple[float, Correlators]:
        """Return the probability to keep and the kept pair.

        Parameters
        ----------
        first, second
            The kept and the measured pair, in the frame of Phi+.
        """

    def output_fidelity(self, first: float, second: float) -> float:
        """Return the fidelity expected of the kept pair when both are Werner pairs of these fidelities."""
        return fidelity(self.combine(werner(first), werner(second))[1])

    def input_fidelity(self, wanted: float) -> float:
        """Return the least fidelity of two equal Werner pairs that gives `wanted`; above 1 if none does.

        Equal Werner pairs of parameter w come out with x + y + z = g (1 + s) (2 w^2 + w) / (1 + g s w^2), g and s from
        `purification_factors`, for BBPSSW and DEJMPS alike; it grows with w, so the answer is the positive root of a
        quadratic.
        """
        total = max(4 * wanted - 1, 0.0)
        slope = self.gate * (1 + self.readout)
        if not slope:
            return inf if total else werner_fidelity(0.0)
        square = 2 * slope - total * self.gate * self.readout
        return werner_fidelity(2 * total / (slope + sqrt(slope * slope + 4 * square * total)))


class Bbpssw(Distillation):
    """BBPSSW without twirls: Bennett et al., Phys. Rev. Lett. 76, 722 (1996)."""

    name = "bbpssw"

    def combine(self, first: Correlators, second: Correlators) -> tuple[float, Correlators]:
        """Return the probability to keep and the kept pair."""
        return bbpssw(first, second, self.gate, self.readout)


class Dejmps(Distillation):
    """DEJMPS: Deutsch et al., Phys. Rev. Lett. 77, 2818 (1996)."""

    name = "dejmps"

    def combine(self, first: Correlators, second: Correlators) -> tuple[float, Correlators]:
        """Return the probability to keep and the kept pair."""
        return dejmps(first, second, self.gate, self.readout)
