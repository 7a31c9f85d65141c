"""How a distillation scheme that a link layer has chosen reaches the medium that runs it, and the router that counts on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import sqrt

from qstack.plugin.contracts import DistillationScheme
from qstack.plugin.offers import Selection
from qstack.services.strategies import Row

Triple = tuple[float, float, float]
Combine = Callable[[Triple, Triple, float, float], tuple[float, Triple]]
"""A distillation scheme as a medium runs it: the kept and the measured pair, (1 - q_A)(1 - q_B) and
(1 - 2 m_A)(1 - 2 m_B) of the two ends; the probability that the bits agree, and the kept pair."""


def distillation_of(link: object) -> Selection | None:
    """Return the distillation that the options of a link layer have chosen, if they have one and it does anything."""
    chosen = getattr(link, "distillation", None)
    found = isinstance(chosen, Selection) and chosen.make(gate_noise=0.0, readout_error=0.0) is not None
    return chosen if found else None


def combine_of(chosen: Selection) -> Combine:
    """Return a chosen scheme as a medium runs it.

    Each end spoils a scheme by factors of its own, so two unequal ends are as good as two equal ones with the geometric
    mean of the factors.
    """

    @cache
    def scheme(gate: float, readout: float) -> DistillationScheme:
        made: DistillationScheme = chosen.make(gate_noise=1 - sqrt(gate), readout_error=(1 - sqrt(readout)) / 2)
        return made

    def combine(kept: Triple, spare: Triple, gate: float = 1.0, readout: float = 1.0) -> tuple[float, Triple]:
        return scheme(gate, readout).combine(kept, spare)

    return combine


def distilled_rows(rows: tuple[Row, ...], scheme: DistillationScheme) -> tuple[Row, ...]:
    """Return what a link delivers after distillation: two pairs a round, kept if the bits agree.

    The raw pairs are taken as Werner pairs, as the link layer takes them when it promises a fidelity.
    """
    found = []
    for row in rows:
        w = (4 * row.fidelity - 1) / 3
        kept, _ = scheme.combine((w, w, w), (w, w, w))
        if kept > 0:
            fidelity = scheme.output_fidelity(row.fidelity, row.fidelity)
            found.append(Row(row.parameter, 2 * row.seconds_per_pair / kept, fidelity))
    return tuple(found)
