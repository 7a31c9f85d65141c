"""What a session costs: the same circuit with a transport layer and without, in one process and by turns."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.networks import WrongPhysics, p1_data, timed
from qstack.api import manager
from qstack.scenario.load import from_data
from qstack.study.experiment import Experiment

BARE = Path(__file__).parent / "bare"
SECONDS = 2.0
"""Simulated time of one turn [s]."""


def _experiment(segments: int, app: Any, stack: dict[str, Any]) -> Experiment:
    found = manager(BARE)
    data = p1_data(segments, app=app)
    data["stack"] |= stack
    return Experiment(from_data(data, found), found)


def share(segments: int, app: Any, turns: int = 9) -> float:
    """Return how many pairs a CPU-second delivers through a session, in percent of those without a transport layer.

    Each turn runs both, one right after the other and the first of them by turns, so that whatever else the machine does
    meets both; the figure is the median of the turns' ratios.

    Parameters
    ----------
    segments
        Links of the P1 chain.
    app
        Application with its options, as in a scenario.
    turns
        How often both are run.

    Raises
    ------
    WrongPhysics
        If the two deliver other pairs.
    """
    both = _experiment(segments, app, {}), _experiment(segments, "bare-pairs", {"transport": "none"})
    ratios = []
    for turn in range(turns):
        runs = {which: timed(both[which], SECONDS) for which in ((0, 1) if turn % 2 else (1, 0))}
        ours, bare = runs[0], runs[1]
        if abs(ours.rate / bare.rate - 1) > 0.02 or abs(ours.fidelity - bare.fidelity) > 0.004:
            raise WrongPhysics(
                f"{ours.rate:.0f} pairs/s at {ours.fidelity:.4f}, without {bare.rate:.0f} at {bare.fidelity:.4f}"
            )
        ratios.append(ours.figure / bare.figure)
    return 100 * median(ratios)
