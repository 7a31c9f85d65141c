"""Places as data: how a network, a site and the flow of an application look on a line."""

from __future__ import annotations

from bisect import bisect_left
from math import exp, log
from typing import Any

from qstack.plugin.sites import FlowEnd, NetworkView, Site
from qstack.services.strategies import Storage

AGES = tuple(10**k for k in range(15))
"""Ages at which a program is told what is left of a pair [ps]; between two of them log(factor) is linear."""


def view_as_data(view: NetworkView) -> dict[str, Any]:
    """Return a network as JSON has it."""
    return {
        "names": list(view.names),
        "edges": [
            {"a": e.a, "b": e.b, "rows": [_row(r) for r in e.rows], "lanes": e.lanes, "delay": str(e.delay)}
            for e in view.edges
        ],
        "swap_factors": list(view.swap_factors),
        "storage": [samples_of(storage) for storage in view.storage],
        "cutoff": str(view.cutoff),
        **({"swap_success": list(view.swap_success)} if view.swap_success else {}),
    }


def site_as_data(site: Site) -> dict[str, Any]:
    """Return a place as JSON has it."""
    return {
        "number": site.number,
        "name": site.name,
        "neighbours": [
            {
                "number": n.number,
                "lanes": n.lanes,
                "delay": str(n.delay),
                "rows": [_row(r) for r in n.rows],
                "period": str(n.period),
            }
            for n in site.neighbours.values()
        ],
        "storage": samples_of(site.storage),
        "swap_factor": site.swap_factor,
        "gate_noise": site.gate_noise,
        "readout_error": site.readout_error,
        "view": view_as_data(site.view),
    }


def _row(row: Any) -> list[float]:
    return [row.parameter, row.seconds_per_pair, row.fidelity]


def samples_of(storage: Storage) -> list[list[Any]]:
    """Return what is left of a pair after some ages [ps], as JSON has it."""
    return [[str(age), storage(age)] for age in AGES]


def storage_of(samples: list[list[Any]]) -> Storage:
    """Return the factor after an age [ps] from samples; log(factor) is linear between two, and after the last."""
    ages = [0, *(int(age) for age, _ in samples)]
    logs = [0.0, *(log(max(factor, 1e-300)) for _, factor in samples)]

    def kept(age: int) -> float:
        k = min(max(1, bisect_left(ages, age)), len(ages) - 1)
        return exp(logs[k - 1] + (logs[k] - logs[k - 1]) * (age - ages[k - 1]) / (ages[k] - ages[k - 1]))

    return kept


def end_as_data(end: FlowEnd) -> dict[str, Any]:
    """Return one end of a flow as JSON has it."""
    return {
        "flow": end.flow,
        "initiator": end.initiator,
        "peer": end.peer,
        "min_fidelity": end.min_fidelity,
        "number": end.number,
        "priority": end.priority,
        "rate": end.rate,
    }
