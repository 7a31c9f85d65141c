"""Heralded links in which pairs come ready-made: a source in the middle, and sources beside absorptive memories.

What sender and receiver share is a midpoint at one end, so `qstack.quantum.heralding` describes it with a short arm;
only its timing differs, see `qstack.quantum.timing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, log1p, sqrt

import numpy as np

from qstack.core.errors import PhysicsError
from qstack.quantum import exact
from qstack.quantum.heralding import READY, Announcement, Detectors, phase_factor
from qstack.quantum.states import BellList, probability
from qstack.services.bell import Bell


def source_in_the_middle(
    bell: BellList, loading: tuple[float, float], false_herald: tuple[float, float] = (0.0, 0.0)
) -> Announcement:
    """Return the outcome of one pair of a deterministic source when both memories herald that they took a photon.

    Jones, Kim, Rakher, Kwiat and Ladd, New J. Phys. 18, 083015 (2016).

    Parameters
    ----------
    bell
        Overlaps of the emitted pair with [Phi+, Phi-, Psi+, Psi-]; the pair is announced as Phi+.
    loading
        Probability that a memory loads its photon and heralds it, all losses included.
    false_herald
        Probability that a memory without a photon heralds one; its qubit is then fully mixed.

    Raises
    ------
    PhysicsError
        If a value is no probability or no attempt can succeed.
    """
    loads = [probability("loading", value) for value in loading]
    falls = [(1 - n) * probability("false herald", value) for n, value in zip(loads, false_herald, strict=True)]
    heralds = [load + false for load, false in zip(loads, falls, strict=True)]
    total = heralds[0] * heralds[1]
    if total <= 0:
        raise PhysicsError("no attempt can succeed: a memory never heralds")
    mixed = (exact.depolarising(false / herald) for false, herald in zip(falls, heralds, strict=True))
    return Announcement.of("both", Bell.PHI_PLUS, total, exact.apply(exact.from_bell(bell), *mixed))


def emitted_or_not(
    bell: BellList,
    emission: float,
    loading: tuple[float, float],
    false_herald: tuple[float, float] = (0.0, 0.0),
) -> Announcement:
    """Return the outcome of one pulse of a source that emits one pair, or none, and of two memories that herald.

    Parameters
    ----------
    bell, loading, false_herald
        As in `source_in_the_middle`, given that there is a pair.
    emission
        Probability that there is one; without it both heralds are false and both qubits fully mixed.

    Raises
    ------
    PhysicsError
        If a value is no probability or no attempt can succeed.
    """
    pair = source_in_the_middle(bell, loading, false_herald)
    real = probability("emission", emission) * pair.probability
    empty = (1 - emission) * false_herald[0] * false_herald[1]
    return _mixed_with("both", pair.matrix, real, empty)


def coincidence(
    bell: BellList, mean_pairs: float, detection: tuple[float, float], dark: tuple[float, float] = (0.0, 0.0)
) -> Announcement:
    """Return the outcome of one pulse of a Poissonian pair source and a threshold detection at either end.

    With n pairs, an end sees nothing with (1 - d)(1 - eta)^n, so over the Poisson numbers the two ends click together
    with P_AB, each alone with P_A and P_B.  Clicks of different pairs, and dark ones, know nothing of each other: they
    make up P_A P_B.  The excess belongs to single pairs and carries their state: Takesue and Shimizu, Opt. Commun. 283,
    276 (2010).  Polarisation is resolved by the ends; double clicks of one end count as a click of random value.

    Raises
    ------
    PhysicsError
        If a value is impossible or no attempt can succeed.
    """
    if not mean_pairs >= 0:
        raise PhysicsError(f"mean pairs = {mean_pairs}: it is not negative")
    eta_a, eta_b = (probability("detection", value) for value in detection)
    quiet_a, quiet_b = (1 - probability("dark clicks", value) for value in dark)
    silent_a, silent_b = quiet_a * exp(-mean_pairs * eta_a), quiet_b * exp(-mean_pairs * eta_b)
    excess = silent_a * silent_b * expm1(mean_pairs * eta_a * eta_b)
    return _mixed_with("both", exact.from_bell(bell), excess, (1 - silent_a) * (1 - silent_b))


def _mixed_with(pattern: str, state: exact.Real, real: float, accidental: float) -> Announcement:
    """Return an outcome that is a state with one probability and fully mixed with another."""
    total = real + accidental
    if total <= 0:
        raise PhysicsError("no attempt can succeed: no photon arrives, nothing heralds falsely")
    mixed = np.zeros((4, 4))
    mixed[0, 0] = 1.0
    return Announcement.of(pattern, Bell.PHI_PLUS, total, (real * state + accidental * mixed) / total)


STEP = 1e-30
"""Imaginary step with which an analytic function is differentiated without cancellation."""


@dataclass(frozen=True, slots=True)
class SqueezedArm:
    """A pair source beside an absorptive memory: one photon of a pair is stored, the other flies to the station.

    Parameters
    ----------
    mean_pairs
        Mean number of pairs per mode and attempt; numbers are thermal, as in parametric down-conversion.
    transmission
        From the source to a click at the station.
    storage
        Probability that the memory takes up its photon.
    """

    mean_pairs: float
    transmission: float
    storage: float = 1.0

    def __post_init__(self) -> None:
        probability("transmission", self.transmission)
        probability("storage", self.storage)
        if not 0 <= self.mean_pairs < 1:
            raise PhysicsError(f"mean pairs = {self.mean_pairs}: a heralded source has at least 0 and fewer than 1")


def absorptive_single_click(
    arms: tuple[SqueezedArm, SqueezedArm],
    visibility: float = 1.0,
    detectors: Detectors = READY,
    sigma: float = 0.0,
) -> tuple[Announcement, ...]:
    """Return the outcomes of one attempt with pair sources and absorptive memories, heralded by one click.

    Simon et al., Phys. Rev. Lett. 98, 190503 (2007); Lago-Rivera et al., Nature 594, 37 (2021).  The qubit is "none or
    one excitation in the memory"; memories with more are outside the qubits (`leak`).  Exact in the number of pairs:
    see `_stored`.

    Parameters
    ----------
    arms
        Nodes A and B.
    visibility, detectors, sigma
        As in `qstack.quantum.heralding.single_click`, like what is returned.

    Raises
    ------
    PhysicsError
        If a value is impossible or no attempt can succeed.
    """
    overlap = sqrt(probability("visibility", visibility))
    eta_a, eta_b = (arm.transmission for arm in arms)
    meet = sqrt(eta_a * eta_b) * overlap
    plus, minus = (np.array([[eta_a, sign * meet], [sign * meet, eta_b]]) / 2 for sign in (1, -1))
    dark = detectors.dark
    nothing = _stored(np.eye(2) - plus - minus, arms)
    if detectors.number_resolving:
        one_here = np.imag(_stored(np.eye(2) - plus - minus + 1j * STEP * plus, arms)) / STEP
        weights = (1 - dark) * (dark * np.real(nothing) + (1 - dark) * one_here)
    else:
        weights = (1 - dark) * np.real(_stored(np.eye(2) - minus, arms) - (1 - dark) * nothing)
    total, *populations, coherence = weights.tolist()
    if total <= 0:
        raise PhysicsError("no attempt can succeed: no photon arrives, no dark click is announced")
    leak = 1 - sum(populations) / total
    outcomes = []
    for pattern, bell, sign in (("+", Bell.PSI_PLUS, 1), ("-", Bell.PSI_MINUS, -1)):
        rho = (np.diag(populations) / total + leak * np.eye(4) / 4).astype(complex)
        rho[1, 2] = rho[2, 1] = sign * coherence * phase_factor(sigma) / total
        outcomes.append(Announcement.of(pattern, bell, total, exact.from_density(rho), leak))
    return tuple(outcomes)


def _stored(photons: exact.Real | exact.Complex, arms: tuple[SqueezedArm, SqueezedArm]) -> exact.Complex:
    """Return what the memories hold, unnormalised, when a Gaussian effect has been seen on the photons.

    The effect G(M) multiplies each photon's state by the 2 x 2 matrix M over the arms: 1 - P for "no photon there",
    with P the share of the arms that arrives there.  Pair sources turn it into G(X) on the memories, X = L M L with
    L^2 the ratio of successive pair numbers; its trace is 1/det(1 - X), and storage with losses is a change of its
    mean numbers X / (1 - X).  For one mode this is the photon statistics of thermal light: Mandel and Wolf, Optical
    Coherence and Quantum Optics (1995), chapter 13.

    Returns
    -------
    ndarray, shape (6,)
        Trace, populations of |00>, |01>, |10>, |11>, coherence of |01> and |10>.
    """
    one = np.eye(2)
    ratios = np.array([arm.mean_pairs / (1 + arm.mean_pairs) for arm in arms])
    kept = np.sqrt([arm.storage for arm in arms])
    x = np.sqrt(np.outer(ratios, ratios)) * photons
    trace = np.prod(1 - ratios) / np.linalg.det(one - x)
    means = np.outer(kept, kept) * (x @ np.linalg.inv(one - x))
    y = means @ np.linalg.inv(one + means)
    vacuum = trace * np.linalg.det(one - y)
    both = y[0, 0] * y[1, 1] + y[0, 1] * y[1, 0]
    return np.array([trace, vacuum, vacuum * y[1, 1], vacuum * y[0, 0], vacuum * both, vacuum * y[0, 1]], complex)


def multiplexed(p: float, modes: int) -> float:
    """Return the probability that at least one of many modes succeeds, 1 - (1 - p)^modes.

    Raises
    ------
    PhysicsError
        If p is no probability or there is no mode.
    """
    if modes < 1:
        raise PhysicsError(f"modes = {modes}: there is at least one")
    return 1.0 if probability("p", p) == 1 else -expm1(modes * log1p(-p))
