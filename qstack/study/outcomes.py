"""What applications count, as numbers with errors: always from tests that both ends have spoken about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi, sin, sqrt

from qstack.services.bell import Basis


@dataclass(frozen=True, slots=True)
class Trials:
    """Trials of one case, and how many passed."""

    number: int
    passed: int

    @property
    def share(self) -> float:
        """Share that passed."""
        return self.passed / self.number if self.number else float("nan")

    @property
    def variance(self) -> float:
        """Variance of the share.

        One success and one failure are added (Agresti and Coull, Am. Stat. 52, 119, 1998), so that a case in which
        nothing has failed yet does not claim to be certain.
        """
        share = (self.passed + 1) / (self.number + 2)
        return share * (1 - share) / (self.number + 2)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A number that an application was run for.

    Parameters
    ----------
    what
        Its name.
    value, error
        With its standard error.
    bound
        Most that is possible without entanglement.
    tests
        How many were counted.
    """

    what: str
    value: float
    error: float
    bound: float
    tests: int


def mean_fidelity(cases: Mapping[int, Trials], bound: float = 2 / 3) -> Outcome:
    """Return the mean of the shares of all states that were tried: each counts alike, however often it was drawn."""
    number = len(cases)
    value = sum(case.share for case in cases.values()) / number
    error = sqrt(sum(case.variance for case in cases.values())) / number
    return Outcome("mean fidelity", value, error, bound, _total(cases))


def equator_fidelity(cases: Mapping[int, Trials]) -> Outcome:
    """Return the same for n states at equal distances on the equator, of which the preparer may tell one bit.

    Without entanglement the best that a bit can say is in which half of the circle the state lies; the middle of that half
    overlaps with its n/2 states by (1 + cos)/2, on average 1/2 + 1/(n sin(pi/n)): 0.854 for 4 states, 0.818 for all.
    """
    states = 1 << max(cases).bit_length()
    return mean_fidelity(cases, 0.5 + 1 / (states * sin(pi / states)))


def chsh(cases: Mapping[int, Trials]) -> Outcome | None:
    """Return S = E00 + E01 + E10 - E11 of a CHSH game, whose tests pass where the bits are equal; None before all settings.

    Clauser, Horne, Shimony and Holt, Phys. Rev. Lett. 23, 880 (1969).
    """
    if len(cases) < 4:
        return None
    value = sum((-1 if case == 3 else 1) * (2 * tests.share - 1) for case, tests in cases.items())
    error = 2 * sqrt(sum(tests.variance for tests in cases.values()))
    return Outcome("S (CHSH)", value, error, 2.0, _total(cases))


def correlation(cases: Mapping[int, Trials]) -> Outcome:
    """Return the correlator of the pairs in the basis that was measured, 1 for the announced Bell state.

    Bits that were agreed on beforehand reach 1 in one basis, too: only the sum over three bases, F = (1 + x + y + z)/4, can
    show entanglement.
    """
    (basis, tests), *_ = cases.items()
    return Outcome(
        f"correlation in {Basis(basis).name}", 2 * tests.share - 1, 2 * sqrt(tests.variance), 1.0, tests.number
    )


def _total(cases: Mapping[int, Trials]) -> int:
    return sum(case.number for case in cases.values())


MEANINGS: Mapping[str, Callable[[Mapping[int, Trials]], Outcome | None]] = {
    "teleport": mean_fidelity,
    "rsp": equator_fidelity,
    "chsh": chsh,
    "correlate": correlation,
}
"""What the tests of an application mean, by its name."""
