"""Finite keys: from what was counted to how many bits may be kept.

Decoy-state bounds with Hoeffding's inequality, for two decoys (Lim et al., PRA 89, 022307 (2014), arXiv:1311.7129)
and one decoy (Rusca et al., APL 112, 171104 (2018), arXiv:1801.03443), and the single-photon form of Tomamichel et
al., Nat. Commun. 3, 634 (2012).  "Key" and "test" name the bases: the papers disagree on which is X and which is Z.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, factorial, floor, log, log2, sqrt

from qstack.core.errors import ConfigError
from qstack.keys.information import phase_entropy
from qstack.keys.models import Source


@dataclass(frozen=True, slots=True)
class Epsilons:
    """Failure probabilities that a block may have.

    Parameters
    ----------
    secrecy
        Distance of the key from an ideal one, parameter estimation included.
    correctness
        Probability that the two keys differ unnoticed.
    """

    secrecy: float = 1e-9
    correctness: float = 1e-12

    def __post_init__(self) -> None:
        for name in ("secrecy", "correctness"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise ConfigError(f"epsilon of {name} {value!r}: need a number between 0 and 1")


@dataclass(frozen=True, slots=True)
class Counts:
    """What the two sides counted, per intensity, the signal first.

    Parameters
    ----------
    key, test
        Sifted clicks in each basis.
    test_errors
        Wrong bits among the test clicks.
    key_errors
        Wrong bits among the key clicks, known after reconciliation; only the one-decoy bound asks for them.
    """

    key: tuple[float, ...]
    test: tuple[float, ...]
    test_errors: tuple[float, ...]
    key_errors: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the proof knows of a block's key bits.

    Parameters
    ----------
    vacuum, single
        At least so many came from empty and from single-photon pulses [bit].
    phase_error
        At most this share of the single-photon bits has a phase error.
    """

    vacuum: float
    single: float
    phase_error: float

    @property
    def secret(self) -> float:
        """Bits that Eve does not know before anything is said in public [bit]."""
        return self.vacuum + self.single * (1 - phase_entropy(self.phase_error))


NOTHING = Bounds(0.0, 0.0, 0.5)
"""The bounds of a block that proves nothing."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The constant part of a length formula.

    Parameters
    ----------
    parts
        Number of equal parts that the secrecy epsilon is split into.
    factor
        Multiple of log2(parts / eps) that is given up.
    """

    parts: int
    factor: int

    def cost(self, eps: Epsilons) -> float:
        """Return the bits given up to the epsilons [bit]."""
        return self.factor * log2(self.parts / eps.secrecy) + log2(2 / eps.correctness)


TWO_DECOYS = Terms(parts=21, factor=6)
ONE_DECOY = Terms(parts=19, factor=6)


def poisson_share(source: Source, photons: int) -> float:
    """Return tau_n, the probability that a pulse of any intensity holds n photons."""
    pairs = zip(source.intensities, source.probabilities, strict=True)
    return sum(p * exp(-k) * k**photons for k, p in pairs) / factorial(photons)


def gamma(eps: float, error: float, single_test: float, single_key: float) -> float:
    """Return how far the phase error of the key bits may exceed the error seen in the test (Lim et al., eq. 5)."""
    if error <= 0:
        error = 1 / (single_test + 1)  # the formula is void at zero; the smallest error one could have seen is safe
    if error >= 0.5:
        return 0.5
    both = (single_test + single_key) / (single_test * single_key)
    return sqrt(both * (1 - error) * error / log(2) * log2(both / ((1 - error) * error * eps**2)))


class _Hoeffding:
    """Counts of one basis widened by Hoeffding's inequality and rescaled to what every pulse would have given."""

    def __init__(self, source: Source, counts: tuple[float, ...], failure: float) -> None:
        self._weights = [exp(k) / p for k, p in zip(source.intensities, source.probabilities, strict=True)]
        self._counts = counts
        self.width = sqrt(sum(counts) / 2 * log(1 / failure))

    def upper(self, index: int) -> float:
        """Return the upper bound of one intensity."""
        return self._weights[index] * (self._counts[index] + self.width)

    def lower(self, index: int) -> float:
        """Return the lower bound of one intensity, not below zero."""
        return self._weights[index] * max(self._counts[index] - self.width, 0.0)


def two_decoys(source: Source, counts: Counts, eps: Epsilons) -> Bounds:
    """Return the bounds of a block with two decoys (Lim et al., eqs. 2 to 5).

    Raises
    ------
    ConfigError
        When the source has not three intensities with mu1 > mu2 + mu3.
    """
    if len(source.intensities) != 3:
        raise ConfigError(f"two decoys need three intensities, not {len(source.intensities)}")
    mu1, mu2, mu3 = source.intensities
    if mu1 <= mu2 + mu3:
        raise ConfigError(f"two decoys need mu1 > mu2 + mu3; {mu1} is not above {mu2} + {mu3}")
    failure = eps.secrecy / TWO_DECOYS.parts
    tau0, tau1 = poisson_share(source, 0), poisson_share(source, 1)

    def singles(clicks: tuple[float, ...]) -> tuple[float, float]:
        seen = _Hoeffding(source, clicks, failure)
        vacuum = max(tau0 * (mu2 * seen.lower(2) - mu3 * seen.upper(1)) / (mu2 - mu3), 0.0)
        excess = (mu2**2 - mu3**2) / mu1**2 * (seen.upper(0) - vacuum / tau0)
        single = seen.lower(1) - seen.upper(2) - excess
        return vacuum, tau1 * mu1 * single / (mu1 * (mu2 - mu3) - mu2**2 + mu3**2)

    vacuum, single = singles(counts.key)
    _, single_test = singles(counts.test)
    errors = _Hoeffding(source, counts.test_errors, failure)
    wrong = tau1 * (errors.upper(1) - errors.lower(2)) / (mu2 - mu3)
    return _bounds(vacuum, single, single_test, wrong, failure)


def one_decoy(source: Source, counts: Counts, eps: Epsilons) -> Bounds:
    """Return the bounds of a block with one decoy (Rusca et al., appendix A).

    Notes
    -----
    The number of empty pulses is bounded from above through their errors, one half of them, and the printed equation
    (A18) lacks the factor e^k / p_k; it stands here.  The tighter of the two intensities is used.

    Raises
    ------
    ConfigError
        When the source has not two intensities, or the errors of the key basis were not counted.
    """
    if len(source.intensities) != 2:
        raise ConfigError(f"one decoy needs two intensities, not {len(source.intensities)}")
    if not counts.key_errors:
        raise ConfigError("one decoy needs the errors of the key basis, counted after reconciliation")
    mu1, mu2 = source.intensities
    failure = eps.secrecy / ONE_DECOY.parts
    tau0, tau1 = poisson_share(source, 0), poisson_share(source, 1)

    def singles(clicks: tuple[float, ...], wrong: tuple[float, ...]) -> tuple[float, float]:
        seen, errors = _Hoeffding(source, clicks, failure), _Hoeffding(source, wrong, failure)
        vacuum = max(tau0 * (mu1 * seen.lower(1) - mu2 * seen.upper(0)) / (mu1 - mu2), 0.0)
        most = 2 * (tau0 * min(errors.upper(0), errors.upper(1)) + seen.width)
        single = seen.lower(1) - (mu2 / mu1) ** 2 * seen.upper(0) - (mu1**2 - mu2**2) / mu1**2 * most / tau0
        return vacuum, tau1 * mu1 / (mu2 * (mu1 - mu2)) * single

    vacuum, single = singles(counts.key, counts.key_errors)
    _, single_test = singles(counts.test, counts.test_errors)
    errors = _Hoeffding(source, counts.test_errors, failure)
    wrong = tau1 * (errors.upper(0) - errors.lower(1)) / (mu1 - mu2)
    return _bounds(min(vacuum, sum(counts.key)), single, single_test, wrong, failure)


def _bounds(vacuum: float, single: float, single_test: float, wrong: float, failure: float) -> Bounds:
    """Return the bounds, or `NOTHING` where a count of single photons is not positive."""
    if single <= 0 or single_test <= 0:
        return NOTHING
    error = max(wrong, 0.0) / single_test
    phase = error + gamma(failure, error, single_test, single) if error < 0.5 else 0.5
    return Bounds(vacuum, single, min(phase, 0.5))


def single_photons(key: float, test: float, error: float, eps: Epsilons) -> Bounds:
    """Return the bounds of a block of single photons or pairs (Tomamichel et al., eq. 2).

    Parameters
    ----------
    key, test
        Sifted bits kept for the key and spent on the estimate.
    error
        Error rate of the test bits, or the tolerance announced for it.
    eps
        Epsilons of the block.
    """
    if key <= 0 or test <= 0:
        return NOTHING
    width = sqrt((key + test) * (test + 1) * log(4 / eps.secrecy) / (key * test**2))
    return Bounds(0.0, key, min(error + width, 0.5))


def pair_cost(eps: Epsilons) -> float:
    """Return the bits that a block of pairs gives up to its epsilons [bit] (Tomamichel et al.)."""
    return log2(2 / (eps.secrecy**2 * eps.correctness))


def length(bounds: Bounds, leak: float, cost: float) -> int:
    """Return how long the key may be: what Eve does not know, less what was said, less the epsilons [bit]."""
    return max(0, floor(bounds.secret - leak - cost))
