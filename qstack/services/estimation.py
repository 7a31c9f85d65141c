"""Fidelity from measured pairs: what test rounds of a link or a circuit have shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

from qstack.services.bell import Basis, flip

NORMAL_95 = 1.959963984540054
"""Standard deviations of a two-sided 95 % interval."""


@dataclass(slots=True)
class Tally:
    """Counts of test rounds by basis: measured pairs, and those whose bits contradict the announced Bell state."""

    rounds: dict[int, int] = field(default_factory=lambda: dict.fromkeys(Basis, 0))
    errors: dict[int, int] = field(default_factory=lambda: dict.fromkeys(Basis, 0))

    def add(self, basis: int, bell: int, mine: int, theirs: int) -> None:
        """Count one pair that both ends have measured in the same basis.

        Parameters
        ----------
        basis
            The basis.
        bell
            Announced Bell index.
        mine, theirs
            Raw bits; in Y those of Phi+ disagree.
        """
        self.rounds[basis] += 1
        self.errors[basis] += mine ^ theirs ^ flip(bell, basis) ^ (basis == Basis.Y)

    @property
    def total(self) -> int:
        """Number of rounds."""
        return sum(self.rounds.values())

    def estimate(self) -> tuple[float, float, float]:
        """Return fidelity and its 95 % interval.

        Notes
        -----
        F = 1 - (Q_X + Q_Y + Q_Z) / 2 with the error rates Q (QLinkLayerSimulations, fidelity estimation unit).  The
        interval takes rates and deviations from counts with one error and one success more (Agresti, Coull, Am. Stat.
        52, 119), so that few rounds give a wide interval, and none leaves a basis unknown.
        """
        fidelity = middle = 1.0
        variance = 0.0
        for basis in Basis:
            number, errors = self.rounds[basis], self.errors[basis]
            rate = (errors + 1) / (number + 2)
            fidelity -= (errors / number if number else rate) / 2
            middle -= rate / 2
            variance += rate * (1 - rate) / (number + 2) / 4
        reach = NORMAL_95 * sqrt(variance)
        return max(0.0, fidelity), max(0.0, min(fidelity, middle - reach)), min(1.0, max(fidelity, middle + reach))
