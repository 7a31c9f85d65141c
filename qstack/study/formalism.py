"""In which formalism a run was computed, and how far its approximations can have moved what it says.

The correlator tier drops the shift of <Z> that relaxation causes (it twirls T1), begins with the twirl of heralded states
that are not Bell-diagonal, and takes unequal readout errors as their mean.  What that costs is bounded:

* a pair of halves that waited so long that <Z> was shifted by s_A and s_B loses at most s_A s_B / 4 in fidelity; errors of
  swapped pairs add up, and the two ends of a swapped pair meet once more;
* a state and its twirl are told apart by no more than their trace distance, whatever happens to them; distances of swapped
  pairs add up.  A distillation that keeps half of its pairs or more makes at most `DISTILLED` times the distance of one;
* readout that errs with m + b and m - b for the two values moves an error rate by at most 2 b_A b_B.

The stabiliser tier twirls in the same way, and reads as the hardware does.  The exact and the density tier drop nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qstack.plugin.contracts import LinkSheet, Platform
from qstack.plugin.distilling import distillation_of
from qstack.quantum.exact import twirl_distance
from qstack.scenario.plan import Plan
from qstack.services.strategies import Route, best_row

DISTILLED = 8
"""Two pairs, each as far from its twirl as it can be, of which half are kept: 2 (d + d) / (1/2)."""


@dataclass(frozen=True, slots=True)
class Formalism:
    """How a run was computed.

    Parameters
    ----------
    tier
        Name of the owner of quantum state.
    twirl
        Most that twirling T1 can have moved the fidelity of any delivered pair.
    readout
        Most that unequal readout errors can have moved an error rate.
    heralded
        Most that twirling heralded states can have moved the mean fidelity of a flow.
    sampled
        Whether noise was drawn, so that a pair's fidelity is that of one sample.
    """

    tier: str
    twirl: float
    readout: float
    heralded: float = 0.0
    sampled: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        drawn = "; noise is drawn, only means of fidelities tell" if self.sampled else ""
        if not (self.twirl or self.readout or self.heralded):
            return f"Tier: {self.tier}, exact for this hardware{drawn}."
        parts = [
            f"{what} moves {whose} by at most {most:.1g}"
            for most, what, whose in (
                (self.twirl, "twirling T1", "a fidelity"),
                (self.heralded, "twirling heralded states", "a fidelity"),
                (self.readout, "unequal readout", "an error rate"),
            )
            if most
        ]
        return f"Tier: {self.tier}; {', '.join(parts)}{drawn}."


def formalism(plan: Plan, latencies_s: Iterable[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]) -> Formalism:
    """Return the tier of a run with its bounds.

    Parameters
    ----------
    plan
        What was run.
    latencies_s
        Of every flow, from the request of a pair to the later end: no half of it waited longer, but for the flight of
        its photon and the answer.
    """
    tier = plan.scenario.run.tier.name
    sampled = tier == "stabiliser"
    if tier in {"exact", "density"}:
        return Formalism(tier, 0.0, 0.0)
    twirls = [0.0]
    heralded = [0.0]
    for flow, latencies in zip(plan.flows, latencies_s, strict=True):
        if not len(latencies):
            continue
        path = flow.route.path if flow.route else tuple(range(len(plan.platforms)))
        answer = max((max(link.sheet.reply) for link in plan.links), default=0) * 1e-12
        age = float(latencies.max()) + answer
        shift = max(_shift(plan.platforms[node], age) for node in path)
        meetings = len(path) - 1 + (len(path) > 2)
        twirls.append(min(1.0, meetings * shift**2 / 4))
        heralded.append(min(1.0, _distance(plan, flow.route)))
    biases = sorted((abs(platform.readout_bias) for platform in plan.platforms), reverse=True)
    readout = 0.0 if sampled else 2 * biases[0] * biases[min(1, len(biases) - 1)]
    return Formalism(tier, max(twirls), readout, max(heralded), sampled)


def _distance(plan: Plan, route: Route | None) -> float:
    """Return the most that the states of a route's links differ from their twirls, all links together.

    A link uses the row that its route asks for; where that is not known, whichever is worst.
    """
    distils = distillation_of(plan.scenario.stack.link.options) is not None
    if route is None:
        return DISTILLED * sum(_link_distance(link.sheet, None) for link in plan.links)
    links = {frozenset(link.ends): link.sheet for link in plan.links}
    steps = zip(itertools.pairwise(route.path), route.fidelities, strict=True)
    found = sum(_link_distance(links[frozenset(step)], None if distils else least) for step, least in steps)
    return DISTILLED * found if distils else found


def _link_distance(sheet: LinkSheet, least: float | None) -> float:
    heralds = (herald for heralds in (sheet.heralds, *(p.heralds for p in sheet.phases)) for herald in heralds)
    rows = [herald for herald in heralds if herald.probability > 0]
    row = best_row(sheet.rows, least) if least is not None and not sheet.phases else None
    used = rows if row is None else [rows[row]]
    states = [outcome.state for herald in used for outcome in herald.outcomes if outcome.state is not None]
    return max((twirl_distance(np.array(state)) for state in states), default=0.0)


def _shift(platform: Platform, age: float) -> float:
    """Return the largest shift of <Z> up to an age [s]; shifts grow with it."""
    shift: float = platform.memory.decay(age).shift
    return abs(shift)
