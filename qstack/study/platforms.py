"""What a platform implies before any run: rates and fidelities over distance, the best setting, storage against attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import e, exp, log
from typing import Any

from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Fibre, Herald, LinkSheet, Platform
from qstack.plugin.units import FOR_EVER
from qstack.quantum.bounds import bbm92_fraction, error_rates, plob_bound
from qstack.services.strategies import Storage

Medium = Callable[[Platform, Platform, Fibre], LinkSheet]
DISTANCES = (1.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
"""Lengths that are shown unless a user asks for others [km]."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """One setting of a link between two nodes of a platform.

    Parameters
    ----------
    length, loss
        Of the fibre [km], [dB].
    parameter
        The setting, such as a bright-state population [1].
    probability
        Of success per attempt.
    cycle_s
        Time between attempts that keep their qubits [s].
    rate_hz, measured_hz
        Pairs per second, all memories together: of qubits that are kept, and of qubits that are measured at once.
    fidelity
        At emission.
    secret_hz
        Secret bits per second of pairs that are measured at once, asymptotic, one basis; for judging settings.
    waiting
        What storage leaves of a Werner parameter while one half waits for the mean time to the next pair, and the node
        attempts on one lane meanwhile.
    pairs_per_coherence
        Pairs that one lane makes while the storage of one half falls to 1/e; infinite if it never does.
    """

    length: float
    loss: float
    parameter: float
    probability: float
    cycle_s: float
    rate_hz: float
    measured_hz: float
    fidelity: float
    secret_hz: float
    waiting: float
    pairs_per_coherence: float

    def data(self) -> dict[str, Any]:
        """Return it as plain data; infinity becomes None."""
        names = ("length", "loss", *self.__slots__[2:])
        values = [getattr(self, name) for name in self.__slots__]
        keys = ["length_km", "loss_db", *names[2:]]
        return {k: None if v == float("inf") else v for k, v in zip(keys, values, strict=True)}


@dataclass(frozen=True, slots=True)
class Distance:
    """All settings of a link over one length; or why there is none."""

    length: float
    views: tuple[LinkView, ...]
    refusal: str = ""

    @property
    def fastest(self) -> LinkView:
        """The setting with most pairs per second."""
        return max(self.views, key=lambda view: view.rate_hz)

    @property
    def best(self) -> LinkView:
        """The setting of the highest fidelity."""
        return max(self.views, key=lambda view: view.fidelity)

    @property
    def optimal(self) -> LinkView | None:
        """The setting with most secret bits per second; if none gives any, with most pairs weighted by 2F - 1."""
        found = max(self.views, key=lambda view: (view.secret_hz, view.rate_hz * (2 * view.fidelity - 1)))
        return found if found.secret_hz > 0 or found.fidelity > 1 / 2 else None


def over_distance(
    platform: Platform, medium: Medium, lengths: Sequence[float], attenuation: float, speed: float = 2e5
) -> list[Distance]:
    """Return what two nodes of a platform make of fibres of some lengths [km], with [dB/km] and [km/s]."""
    found = []
    for length in lengths:
        fibre = Fibre(length, attenuation * length, speed)
        try:
            sheet = medium(platform, platform, fibre)
        except PhysicsError as error:
            found.append(Distance(length, (), str(error)))
            continue
        survival = platform.memory.survival_among(1 / sheet.kept_cycle)  # while one lane goes on attempting
        lasting = storage_time(survival)
        lanes = min(sheet.lanes, platform.qubits.communication) if platform.qubits else sheet.lanes
        views = tuple(
            _view(fibre, sheet, herald, lanes, survival, lasting) for herald in sheet.heralds if herald.probability > 0
        )
        found.append(Distance(length, views, "" if views else "no attempt can ever succeed"))
    return found


def _view(fibre: Fibre, sheet: LinkSheet, herald: Herald, lanes: int, survival: Storage, lasting: float) -> LinkView:
    cycle = sheet.kept_cycle * 1e-12
    seconds = cycle / herald.probability
    measured = lanes * herald.probability / (sheet.period * 1e-12)
    waiting = survival(min(FOR_EVER, round(seconds * 1e12)))
    return LinkView(
        length=fibre.length,
        loss=fibre.loss,
        parameter=herald.parameter,
        probability=herald.probability,
        cycle_s=cycle,
        rate_hz=lanes / seconds,
        measured_hz=measured,
        fidelity=herald.fidelity,
        secret_hz=measured * secret_share(herald),
        waiting=waiting,
        pairs_per_coherence=lasting / seconds,
    )


def secret_share(herald: Herald) -> float:
    """Return asymptotic secret bits per pair, one basis, of the state averaged over what is announced."""
    mean = tuple(sum(o.share * o.correlators[k] for o in herald.outcomes) for k in range(3))
    return max(0.0, bbm92_fraction(*error_rates((mean[0], mean[1], mean[2]))))


def storage_time(survival: Storage) -> float:
    """Return the age at which storage leaves 1/e of a Werner parameter [s]; infinite if it never does."""
    low, high = 0, 1
    while survival(high) > 1 / e:
        low, high = high, high * 2
        if high >= FOR_EVER:
            return float("inf")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if survival(middle) > 1 / e else (low, middle)
    return high * 1e-12


def storage_curve(survival: Storage, shortest: float, longest: float, points: int = 60) -> list[tuple[float, float]]:
    """Return ages [s] between two, evenly on a logarithmic scale, with what storage leaves of a Werner parameter."""
    step = log(longest / shortest) / (points - 1)
    ages = [shortest * exp(k * step) for k in range(points)]
    return [(age, survival(min(FOR_EVER, round(age * 1e12)))) for age in ages]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a link that comes and goes gives in one step of a pass, at its fastest setting.

    Parameters
    ----------
    start_s, end_s
        Of the step [s].
    rate_hz, measured_hz
        Pairs per second, all memories together: of qubits that are kept, and of qubits that are measured at once.
    fidelity
        At emission.
    """

    start_s: float
    end_s: float
    rate_hz: float
    measured_hz: float
    fidelity: float

    def data(self) -> dict[str, float]:
        """Return it as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


def over_time(sheet: LinkSheet) -> list[Moment]:
    """Return the steps of a link in which pairs can come, in order; none for a link that never changes."""
    found, start = [], 0
    for phase in sheet.phases:
        herald = max(phase.heralds, key=lambda one: one.probability, default=None)
        if herald is not None and herald.probability > 0:
            kept, measured = (
                sheet.lanes * herald.probability / (cycle * 1e-12) for cycle in (sheet.kept_cycle, sheet.period)
            )
            found.append(Moment(start * 1e-12, phase.until * 1e-12, kept, measured, herald.fidelity))
        start = phase.until
    return found


def bound_hz(fibre: Fibre, sheet: LinkSheet) -> float:
    """Return what no link of this attempt rate can exceed: secret bits per second, by its worse arm.

    A heralding station is a place like any other, so the repeaterless bound holds for each arm (Pirandola et al., Nat.
    Commun. 8, 15043, 2017), per attempt and lane.
    """
    worse = min(arm.transmission for arm in fibre.arms)
    return sheet.lanes * plob_bound(worse) / (sheet.period * 1e-12)
