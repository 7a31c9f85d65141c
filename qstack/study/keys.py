"""A BBM92 flow of the stack as a source of keys: the whole pile runs, and what both devices measured is kept.

The network is built like that of any run, but its seed comes from the operating system and is written nowhere: keys
that are served cannot be computed from a manifest.  What an end has is taken from its own device, not from messages, so
that the authenticated post-processing judges what was measured; `Bbm92.key` only says which bits the two ends kept to
themselves.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from qstack.core.errors import ConfigError, LocalProtocolError
from qstack.core.layer import Context, Outputs
from qstack.core.node import Node
from qstack.core.nouns import Noun
from qstack.hosts.build import build
from qstack.keys.eve.attack import OnPairs
from qstack.keys.reconcile.strategy import Maker
from qstack.keys.store.measured import Measurements
from qstack.plugin.contracts import Herald, LinkSheet, Outcome
from qstack.plugin.spelling import nearest
from qstack.scenario.plan import Plan, PlannedFlow, PlannedLink
from qstack.services.bell import Basis, flip
from qstack.services.device import Measured
from qstack.services.l5_application import Consumed, Sifted
from qstack.services.strategies import Row
from qstack.study.experiment import Experiment

APPLICATION = "bbm92"
SEED_BITS = 256

CITY: Mapping[str, Any] = {
    "name": "a pair source between two sites of a city",
    "network": {
        "nodes": ["Alice", "Bob"],
        "links": [{"a": "Alice", "b": "Bob", "length": "10 km"}],
        "hardware": {
            "all": {
                "like": "textbook",
                "name": "city",
                "title": "A pair source on a dark fibre, photons measured at once; values assumed",
                "interface": {
                    "kind": "pair-source",
                    "pulse_period": "10 ns",
                    "mean_pairs": [0.005],
                    "pair_fidelity": 0.993,
                    "detection": 0.7,
                    "dark_click": 1e-6,
                },
            }
        },
    },
    "flows": [
        {
            "name": "city",
            "app": {"use": APPLICATION, "sample": 0},
            "from": "Alice",
            "to": "Bob",
            "min_fidelity": 0.98,
            "number": 30_000,
        }
    ],
    "run": {"until": "1 h"},
}
"""A link on which a block of pairs is long enough for a composable key within minutes of its own time."""


@dataclass(slots=True)
class _End:
    """What one end of a flow writes down."""

    flow: int
    turns: bool
    flying: dict[int, tuple[int, int]] = field(default_factory=dict, repr=False)
    found: dict[int, tuple[int, int]] = field(default_factory=dict, repr=False)
    tested: list[int] = field(default_factory=list, repr=False)

    def listen(self, node: Node) -> None:
        """See what passes at the top of a pile, and change nothing."""
        for kind, note in ((Consumed, self._consumed), (Measured, self._measured), (Sifted, self._sifted)):
            node.table[kind] = _tee(note, node.table[kind])

    def _consumed(self, ind: Consumed) -> None:
        if ind.flow == self.flow:
            self.flying[ind.qubit] = ind.pair, ind.bell

    def _measured(self, ind: Measured) -> None:
        if ind.purpose == self.flow:
            pair, bell = self.flying.pop(ind.qubit)
            turned = flip(bell, ind.basis) if self.turns else 0
            self.found[pair] = ind.basis, ind.outcome ^ turned

    def _sifted(self, ind: Sifted) -> None:
        if ind.flow == self.flow and ind.basis == Basis.X:
            self.tested.append(ind.pair)

    def measurements(self, kept: Mapping[int, int]) -> Measurements:
        """Return what this end did not give away, and its test bits.

        Raises
        ------
        LocalProtocolError
            When the application kept other bits than the device measured.
        """
        if any(self.found.get(pair) != (Basis.Z, bit) for pair, bit in kept.items()):
            raise LocalProtocolError(f"flow {self.flow}: the application's key is not what its device measured")
        pairs = sorted([*kept, *self.tested])
        found = np.array([self.found[pair] for pair in pairs], np.uint8).reshape(-1, 2)
        return Measurements(np.array(pairs, np.int64), (found[:, 0] == Basis.X).astype(np.uint8), found[:, 1].copy())


def _tee(note: Callable[[Any], None], handler: Callable[[Any, Context], Outputs]) -> Callable[[Noun, Context], Outputs]:
    def noted(noun: Noun, ctx: Context) -> Outputs:
        note(noun)
        return handler(noun, ctx)

    return noted


class StackFlow:
    """A BBM92 flow of a scenario; see `qstack.keys.store.simulated.MeasuredFlow`.

    Parameters
    ----------
    experiment
        From `qstack.load`.
    flow
        Name of the flow; None takes the only one.

    Attributes
    ----------
    scheme
        Makes the reconciliation that the scenario names for the flow.

    Raises
    ------
    ConfigError
        When there is no such flow, it makes no key, or has no end.
    """

    def __init__(self, experiment: Experiment, flow: str | None = None) -> None:
        self.experiment = experiment
        self.planned = _chosen(experiment.plan, flow)
        self.name = self.planned.flow.name
        self.pairs = self.planned.flow.number or 0
        self.min_fidelity = self.planned.flow.min_fidelity
        self.scheme: Maker = self.planned.flow.app.options.reconciliation.make
        self.seconds = 0.0

    def measure(self, attack: OnPairs | None = None) -> tuple[int, Measurements, Measurements]:
        """Run the scenario once; see `MeasuredFlow.measure`.

        `seconds` says afterwards how long the flow took [s of virtual time].
        """
        plan = tapped(self.experiment.plan, self.planned, attack)
        with self.experiment.manager.blaming():
            network = build(plan, seed=secrets.randbits(SEED_BITS))
            number = self.planned.number
            nodes = [network.simulation.nodes[end] for end in (self.planned.source, self.planned.target)]
            ends = [_End(number, turns=turns) for turns in (False, True)]
            for end, node in zip(ends, nodes, strict=True):
                end.listen(node)
            network.simulation.run(plan.scenario.run.until)
        record = network.recorder.flows[number]
        self.seconds = (max(record.ended, network.simulation.now) - self.planned.flow.start) * 1e-12
        applications = (_application(node, number) for node in nodes)
        first, second = (end.measurements(app.key) for end, app in zip(ends, applications, strict=True))
        return (
            max([len(record.pairs), *(1 + int(part.pair[-1]) for part in (first, second) if part.pair.size)]),
            first,
            second,
        )


def tapped(plan: Plan, flow: PlannedFlow, attack: OnPairs | None) -> Plan:
    """Return a plan in which somebody does something to the photons of the first link of a flow's route.

    The nodes know nothing of it: what they believe of the link stays.
    """
    if attack is None:
        return plan
    ends = frozenset(flow.route.path[:2]) if flow.route else frozenset((flow.source, flow.target))
    links = tuple(_heard(link, attack) if frozenset(link.ends) == ends else link for link in plan.links)
    return replace(plan, links=links)


@dataclass(frozen=True, slots=True)
class _Heard(LinkSheet):
    """A link with somebody on it; `believed` is what its ends know."""

    believed: tuple[Row, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The table of the undisturbed link."""
        return self.believed


def _heard(link: PlannedLink, attack: OnPairs) -> PlannedLink:
    sheet = link.sheet
    factors = (attack.x, attack.y, attack.z)

    def shrunk(outcome: Outcome) -> Outcome:
        return outcome.spoiled((1.0, 1.0, 1.0), factors)

    def heard(herald: Herald) -> Herald:
        return replace(herald, outcomes=tuple(shrunk(outcome) for outcome in herald.outcomes))

    heralds = tuple(heard(herald) for herald in sheet.heralds)
    found = _Heard(heralds, sheet.period, sheet.emit, sheet.reply, sheet.lanes, sheet.delay, believed=sheet.rows)
    return replace(link, sheet=found)


def _application(node: Node, number: int) -> Any:
    """Return a node's end of a flow."""
    applications = (app for layer in node.layers for app in getattr(layer, "applications", ()))
    return next(app for app in applications if app.flow == number)


def _chosen(plan: Plan, name: str | None) -> PlannedFlow:
    keys = [planned for planned in plan.flows if planned.flow.app.name == APPLICATION]
    names = [planned.flow.name for planned in keys]
    if name is None and len(keys) != 1:
        raise ConfigError(f"{plan.scenario.name}: {len(keys)} flows make keys ({', '.join(names) or 'none'}): name one")
    found = next((planned for planned in keys if name in (None, planned.flow.name)), None)
    if found is None:
        raise ConfigError(
            f"flow '{name}' makes no key. Flows of '{APPLICATION}': {', '.join(names)}.{nearest(str(name), names)}"
        )
    if not found.flow.number:
        raise ConfigError(f"flow '{found.flow.name}' has no end: give it a 'number', the pairs of a block")
    return found
