"""In which formalism a run was computed, and how far its approximations can have moved what it says.

The correlator tier drops the shift of <Z> that relaxation causes (it twirls T1), and takes unequal readout errors as their
mean.  Both are exact for nothing but a first look at what they cost, so the cost is bounded:

* a pair of halves that waited so long that <Z> was shifted by s_A and s_B loses at most s_A s_B / 4 in fidelity; errors of
  swapped pairs add up, and the two ends of a swapped pair meet once more;
* readout that errs with m + b and m - b for the two values moves an error rate by at most 2 b_A b_B.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from qstack.plugin.contracts import Platform
from qstack.scenario.plan import Plan


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
    """

    tier: str
    twirl: float
    readout: float

    def __str__(self) -> str:
        """Say it in one line."""
        if not self.twirl and not self.readout:
            return f"Tier: {self.tier}, exact for this hardware."
        parts = [
            f"{what} moves {whose} by at most {most:.1g}"
            for most, what, whose in (
                (self.twirl, "twirling T1", "a fidelity"),
                (self.readout, "unequal readout", "an error rate"),
            )
            if most
        ]
        return f"Tier: {self.tier}; {', '.join(parts)}."


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
    if tier == "exact":
        return Formalism(tier, 0.0, 0.0)
    twirls = [0.0]
    for flow, latencies in zip(plan.flows, latencies_s, strict=True):
        if not len(latencies):
            continue
        path = flow.route.path if flow.route else tuple(range(len(plan.platforms)))
        answer = max((max(link.sheet.reply) for link in plan.links), default=0) * 1e-12
        age = float(latencies.max()) + answer
        shift = max(_shift(plan.platforms[node], age) for node in path)
        meetings = len(path) - 1 + (len(path) > 2)
        twirls.append(min(1.0, meetings * shift**2 / 4))
    biases = sorted((abs(platform.readout_bias) for platform in plan.platforms), reverse=True)
    return Formalism(tier, max(twirls), 2 * biases[0] * biases[min(1, len(biases) - 1)])


def _shift(platform: Platform, age: float) -> float:
    """Return the largest shift of <Z> up to an age [s]; shifts grow with it."""
    shift: float = platform.memory.decay(age).shift
    return abs(shift)
