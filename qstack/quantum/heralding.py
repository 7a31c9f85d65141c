"""Heralded links with a midpoint, exact: what each announced outcome is worth and how often it comes.

Two nodes send photons to a 50:50 beam splitter with one detector at each port.  The state of the two nodes, given one
announced pattern, follows from how many photons reach the announcing detector and how many the silent one:

* lost photons leave a trace in the environment, so only amplitudes with the same losses interfere;
* detectors tell photon numbers apart without telling arms apart, so |01> and |10> interfere and nothing else does;
* two photons leave by the same port with probability (1 + V)/2: Hong, Ou and Mandel, Phys. Rev. Lett. 59, 2044 (1987).

Single click: Cabrillo et al., Phys. Rev. A 59, 1025 (1999).  Double click: Barrett and Kok, Phys. Rev. A 71, 060310
(2005).  The models hold for one attempt whose detectors start ready: a dead time that reaches into the next attempt,
after-pulses and dark counts that depend on light are outside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import comb, exp, inf, sqrt
from typing import TypeAlias

import numpy as np

from qstack.core.errors import PhysicsError
from qstack.quantum import exact
from qstack.quantum.states import ROUNDING, BellList, Correlators, fidelity, probability
from qstack.services.bell import Bell

Rows: TypeAlias = tuple[tuple[float, ...], ...]

MOST_PHOTONS = 4
"""Two doubly excited emitters."""


@dataclass(frozen=True, slots=True)
class Detectors:
    """The two detectors of a station.

    Parameters
    ----------
    dark
        Probability of a dark click per detector and window.
    number_resolving
        True: announces on exactly one event, photon or dark click, and rejects more.  False: announces on one or more.
    dead_between_bins
        The dead time is longer than the spacing of two time bins, so a detector that clicked early is blind late.
    """

    dark: float = 0.0
    number_resolving: bool = False
    dead_between_bins: bool = False

    def __post_init__(self) -> None:
        probability("dark clicks", self.dark)


READY = Detectors()
"""Threshold detectors without dark clicks or dead time."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One node and its fibre to the station.

    Parameters
    ----------
    transmission
        Probability that an emitted photon makes its detector click, detector included.
    emitter_fidelity
        Fidelity of the emitted qubit-photon pair, which is depolarised: its Werner parameter scales the correlators.
    double_excitation
        Probability that an excited emitter emits two photons.  Such photons are taken as distinguishable from all
        others, and the extra one tells the environment which emitter was bright.
    """

    transmission: float
    emitter_fidelity: float = 1.0
    double_excitation: float = 0.0

    def __post_init__(self) -> None:
        probability("transmission", self.transmission)
        probability("double excitation", self.double_excitation)
        if not 0.25 <= self.emitter_fidelity <= 1:
            raise PhysicsError(f"emitter fidelity = {self.emitter_fidelity}: it lies in [1/4, 1]")

    @property
    def goodness(self) -> float:
        """Werner parameter of the emitted qubit-photon pair."""
        return (4 * self.emitter_fidelity - 1) / 3

    def clean(self) -> list[float]:
        """Return the probabilities that 0 or 1 photon arrives from a single emission."""
        return [1 - self.transmission, self.transmission]

    def twice(self) -> list[float]:
        """Return the probabilities that 0, 1 or 2 photons arrive from a double emission."""
        return np.convolve(self.clean(), self.clean()).tolist()


@dataclass(frozen=True, slots=True)
class Announcement:
    """One outcome that the station announces.

    Parameters
    ----------
    pattern
        Which port clicked, one character per bin.
    bell
        Announced Bell index.
    probability
        Per attempt.
    state
        T[i, j] = <s_i x s_j> of the two nodes, given this outcome.
    leak
        Population outside the two qubits, counted in `state` as the fully mixed state.
    """

    pattern: str
    bell: Bell
    probability: float
    state: Rows = field(repr=False)
    leak: float = 0.0

    @classmethod
    def of(cls, pattern: str, bell: Bell, probability: float, matrix: exact.Real, leak: float = 0.0) -> Announcement:
        """Return an outcome whose state is given as an array of shape (4, 4)."""
        return cls(pattern, bell, probability, tuple(map(tuple, matrix.tolist())), leak)

    @property
    def matrix(self) -> exact.Real:
        """The state as an array of shape (4, 4)."""
        return np.array(self.state)

    @property
    def bell_list(self) -> BellList:
        """Overlaps with [Phi+, Phi-, Psi+, Psi-]."""
        return exact.to_bell(self.matrix)

    @property
    def beyond_bell(self) -> Rows | None:
        """The state, if it is not Bell-diagonal, so that correlators are only its twirl."""
        return self.state if exact.off_diagonal(self.matrix) > ROUNDING else None

    @property
    def correlators(self) -> Correlators:
        """(x, y, z) in the frame of the announced Bell index."""
        return exact.to_correlators(self.matrix, self.bell)

    @property
    def fidelity(self) -> float:
        """Overlap with the announced Bell state."""
        return fidelity(self.correlators)


class _Window:
    """Weights with which a given detector announces alone in one window."""

    def __init__(self, detectors: Detectors, visibility: float, *, other_dead: bool = False) -> None:
        dark = detectors.dark
        several = not detectors.number_resolving
        self.announce = [dark, 1.0 if several else 1 - dark, *[float(several)] * (MOST_PHOTONS - 1)]
        self.silent = [1.0] * (MOST_PHOTONS + 1) if other_dead else [1 - dark, *[0.0] * MOST_PHOTONS]
        self.interference = (self.announce[1] * self.silent[0] - self.announce[0] * self.silent[1]) / 2
        self.meeting = self._weigh([(1 + visibility) / 4, (1 - visibility) / 2, (1 + visibility) / 4])
        self.apart = [self._weigh([comb(n, k) / 2**n for k in range(n + 1)]) for n in range(MOST_PHOTONS + 1)]

    def _weigh(self, here: Sequence[float]) -> float:
        """Sum over how many of the photons are here; the others are at the other detector."""
        n = len(here) - 1
        return sum(p * self.announce[k] * self.silent[n - k] for k, p in enumerate(here))

    def strangers(self, *arrivals: Sequence[float]) -> float:
        """Weight of photons that do not interfere, each given as probabilities of its number."""
        total = [1.0]
        for numbers in arrivals:
            total = np.convolve(total, numbers).tolist()
        return sum(p * self.apart[n] for n, p in enumerate(total))

    def one(self, arm: Arm) -> float:
        """Weight of the emission of one arm."""
        p = arm.double_excitation
        return (1 - p) * self.strangers(arm.clean()) + p * self.strangers(arm.twice())

    def both(self, a: Arm, b: Arm) -> float:
        """Weight of the emissions of both arms in the same window."""
        p, r = a.double_excitation, b.double_excitation
        clean = self.strangers(a.clean(), b.clean())
        clean += a.transmission * b.transmission * (self.meeting - self.apart[2])
        return (
            (1 - p) * (1 - r) * clean
            + p * (1 - r) * self.strangers(a.twice(), b.clean())
            + (1 - p) * r * self.strangers(a.clean(), b.twice())
            + p * r * self.strangers(a.twice(), b.twice())
        )


def single_click(
    alpha: tuple[float, float],
    arms: tuple[Arm, Arm],
    visibility: float = 1.0,
    detectors: Detectors = READY,
    sigma: float = 0.0,
) -> tuple[Announcement, ...]:
    """Return the outcomes of one attempt with one photon.

    Each node prepares sqrt(1 - alpha) |0>|no photon> + sqrt(alpha) |1>|photon>; success is one detector announcing
    alone.  One photon interferes with vacuum, so the coherence scales with the root of the visibility.

    Parameters
    ----------
    alpha
        Bright-state population of each node.
    arms
        Nodes A and B.
    visibility
        Squared overlap V of the two photons' wave packets.
    detectors
        Of the station.
    sigma
        Standard deviation of the Gaussian phase between the arms [rad].

    Returns
    -------
    tuple of Announcement
        "+" heralds Psi+, "-" heralds Psi-.

    Raises
    ------
    PhysicsError
        If a value is impossible or no attempt can succeed.
    """
    bright_a, bright_b = (probability("alpha", value) for value in alpha)
    a, b = arms
    window = _Window(detectors, probability("visibility", visibility))
    populations = (
        (1 - bright_a) * (1 - bright_b) * window.apart[0],
        (1 - bright_a) * bright_b * window.one(b),
        bright_a * (1 - bright_b) * window.one(a),
        bright_a * bright_b * window.both(a, b),
    )
    amplitude = sqrt(bright_a * (1 - bright_a) * bright_b * (1 - bright_b)) * window.interference
    coherence = amplitude * _overlap(arms) * sqrt(visibility) * phase_factor(sigma)
    return (
        _announce("+", Bell.PSI_PLUS, populations, coherence, arms),
        _announce("-", Bell.PSI_MINUS, populations, -coherence, arms),
    )


def double_click(
    arms: tuple[Arm, Arm],
    visibility: float = 1.0,
    detectors: Detectors = READY,
    sigma: float = 0.0,
) -> tuple[Announcement, ...]:
    """Return the outcomes of one attempt with two photons: time bins, or the two rounds of Barrett and Kok.

    Each node prepares (|0>|early> + |1>|late>)/sqrt2; success is one detector announcing alone in each bin.  Both
    photons interfere, so the coherence scales with the visibility.

    Parameters
    ----------
    arms, visibility, detectors
        As in `single_click`; dark clicks count per detector and bin.
    sigma
        Standard deviation of the Gaussian change of the phase between the arms from one bin to the other [rad]; a
        phase that stays cancels.

    Returns
    -------
    tuple of Announcement
        "++" and "--" herald Psi+, "+-" and "-+" herald Psi-.  If detectors are dead between the bins the same one
        cannot announce twice: only Psi- is left, half of the successes, and the late bin does not hear the dead port.

    Raises
    ------
    PhysicsError
        If a value is impossible or no attempt can succeed.
    """
    a, b = arms
    probability("visibility", visibility)
    early = _Window(detectors, visibility)
    late = _Window(detectors, visibility, other_dead=detectors.dead_between_bins)
    populations = (
        early.both(a, b) * late.apart[0] / 4,
        early.one(a) * late.one(b) / 4,
        early.one(b) * late.one(a) / 4,
        early.apart[0] * late.both(a, b) / 4,
    )
    both_bins = early.interference * late.interference / 4
    coherence = both_bins * _overlap(arms) ** 2 * visibility * phase_factor(sigma)
    different = tuple(_announce(p, Bell.PSI_MINUS, populations, -coherence, arms) for p in ("+-", "-+"))
    if detectors.dead_between_bins:
        return different
    return (*(_announce(p, Bell.PSI_PLUS, populations, coherence, arms) for p in ("++", "--")), *different)


def success_probability(outcomes: Sequence[Announcement]) -> float:
    """Return the probability that an attempt succeeds, whatever is announced."""
    return sum(outcome.probability for outcome in outcomes)


def mean_correlators(outcomes: Sequence[Announcement]) -> Correlators:
    """Return the correlators in the announced frame, averaged over the outcomes."""
    total = success_probability(outcomes)
    x, y, z = (sum(o.probability * o.correlators[k] for o in outcomes) / total for k in range(3))
    return x, y, z


def _overlap(arms: tuple[Arm, Arm]) -> float:
    """Return the amplitude with which one clean photon of either arm arrives."""
    a, b = arms
    clean = (1 - a.double_excitation) * (1 - b.double_excitation)
    return sqrt(a.transmission * b.transmission * clean)


def phase_factor(sigma: float) -> float:
    """Return exp(-sigma^2/2), what a Gaussian phase of standard deviation sigma [rad] leaves of a coherence.

    Raises
    ------
    PhysicsError
        If sigma is negative or not finite.
    """
    if not 0 <= sigma < inf:
        raise PhysicsError(f"sigma = {sigma} rad: a standard deviation is not negative")
    return exp(-sigma * sigma / 2)


def _announce(
    pattern: str, bell: Bell, populations: Sequence[float], coherence: float, arms: tuple[Arm, Arm]
) -> Announcement:
    """Turn unnormalised populations of |00>, |01>, |10>, |11> and the coherence of the middle two into an outcome."""
    total = sum(populations)
    if total <= 0:
        raise PhysicsError("no attempt can succeed: no photon arrives, no dark click is announced")
    rho = np.diag(np.array(populations))
    rho[1, 2] = rho[2, 1] = coherence
    state = exact.from_density((rho / total).astype(complex))
    depolarised = exact.apply(state, *(exact.depolarising(1 - arm.goodness) for arm in arms))
    return Announcement.of(pattern, bell, total, depolarised)
