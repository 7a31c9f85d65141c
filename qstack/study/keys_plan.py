"""A key plan: who needs keys for what, what the quantum network yields, and what happens when something happens.

A plan is one YAML file.  Links make keys in one of two ways: ``bb84``, a decoy-state link on every fibre and trusted
nodes between, each hop using up as many bits as are carried; or ``bbm92``, pairs from end to end, where the places
between only swap and learn nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Options, Passing
from qstack.plugin.manager import Manager
from qstack.plugin.spelling import nearest
from qstack.plugin.units import Duration, Fraction, Rate
from qstack.scenario import topology
from qstack.scenario.load import text_of
from qstack.scenario.problems import AtKey, Faulty, Origin, Problem, from_validation, refusal, report
from qstack.scenario.schema import FibreDefaults, Identifier, LinkEntry, NamedNode, PlatformChoice, Stack, Text
from qstack.scenario.yaml import read
from qstack.study.keys_policy import CLASSES, KEY_BITS, Method
from qstack.study.keys_yield import PairNetwork


class Ground(Options):
    """Places and fibres: a topology file, or written inline."""

    topology: Text | None = None
    nodes: tuple[NamedNode, ...] | None = None
    links: tuple[LinkEntry, ...] | None = None
    fibre: FibreDefaults = FibreDefaults()

    @model_validator(mode="after")
    def _one_graph(self) -> Self:
        if (self.topology is None) == (self.nodes is None and self.links is None):
            raise ValueError("give the graph in exactly one way: 'topology', or 'nodes' with 'links'.")
        return self


class Bb84(Options):
    """Decoy-state devices at both ends of every fibre; intensities as those of the simulated source of blocks."""

    rate: Rate = 100e6
    efficiency: Annotated[Fraction, Field(gt=0)] = 0.2
    dark_rate: Rate = 100.0
    dead_time: Duration = 50_000
    optical_error: Annotated[Fraction, Field(le=0.5)] = 0.01
    block: Annotated[int, Field(ge=10_000, le=1_000_000_000, strict=True)] = 1_000_000

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.rate:
            raise AtKey("rate", "0 Hz: a source that sends nothing makes no key.")
        if self.dark_rate >= self.rate:
            raise AtKey("dark_rate", "dark counts fill every gate of the source's clock.")
        return self


class Bbm92(Options):
    """Flows of pairs through the stack."""

    hardware: PlatformChoice
    stack: Stack = Field(default_factory=dict, validate_default=True)
    min_fidelity: Annotated[Fraction, Field(gt=0.5, lt=1)] = 0.95
    block: Annotated[int, Field(ge=1000, lt=1 << 31, strict=True)] = 100_000


class Demand(Options):
    """Sessions of two applications."""

    name: Identifier
    data: Text = Field(alias="class")
    source: Identifier = Field(alias="from")
    target: Identifier = Field(alias="to")
    sessions: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 1
    prefer: Method | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.data not in CLASSES:
            near = nearest(self.data, CLASSES)
            raise AtKey("class", f"'{self.data}' is not a class of data. Classes: {', '.join(CLASSES)}.{near}")
        allowed = CLASSES[self.data].methods
        if self.prefer and self.prefer not in allowed:
            raise AtKey("prefer", f"'{self.prefer}': the class '{self.data}' allows {', '.join(allowed)} only.")
        if self.source == self.target:
            raise AtKey("to", f"'{self.target}': a demand needs two ends, but 'from' names the same place.")
        return self

    @property
    def need(self) -> float:
        """Key that its sessions use up [bit/s]."""
        return self.sessions * KEY_BITS / CLASSES[self.data].rekey_s


Fibres = tuple[tuple[Identifier, Identifier], ...]


class Incident(Options):
    """Fibres that are cut, and fibres on which somebody measures and resends a share of the photons."""

    name: Identifier
    cut: Fibres = ()
    tap: Fibres = ()
    share: Annotated[Fraction, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.cut and not self.tap:
            raise ValueError("give 'cut' or 'tap': fibres, each by its two ends.")
        return self


class KeyPlan(Options):
    """What a user writes."""

    name: Identifier
    description: Text = ""
    network: Ground
    bb84: Bb84 | None = None
    bbm92: Bbm92 | None = None
    demands: Annotated[tuple[Demand, ...], Field(min_length=1)]
    incidents: tuple[Incident, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.bb84 is None) == (self.bbm92 is None):
            raise ValueError("say how keys are made in exactly one way: 'bb84' or 'bbm92'.")
        return self


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plan whose network stands.

    Attributes
    ----------
    plan
        As written.
    fibres
        Length [km] and loss [dB] by ends, in the order of the file.
    pairs
        The network of the stack, for ``bbm92``.
    passes
        Links to satellites, by ends, for ``bb84``.
    """

    plan: KeyPlan
    fibres: Mapping[tuple[str, str], tuple[float, float]]
    pairs: PairNetwork | None
    passes: Mapping[tuple[str, str], Passing] = field(default_factory=dict)


def load_plan(path: Path, manager: Manager) -> Loaded:
    """Read a key plan; `manager` knows the plugins of its folder.

    Raises
    ------
    ConfigError
        If anything is wrong with it: one line per problem.
    PluginError
        If a plugin does not fit.
    """
    data, origin = read(text_of(path), str(path))
    if not isinstance(data, dict):
        raise refusal(str(path), "expected a mapping of keys: name, network, bb84 or bbm92, demands, incidents.")
    with manager.blaming():
        try:
            plan = KeyPlan.model_validate(data, context={"plugins": manager})
        except ValidationError as error:
            raise report(from_validation(error, KeyPlan), origin) from None
    nodes, laid = _graph(plan.network, path.parent, origin)
    problems = topology.check(nodes, [ends for ends, _ in laid], ("network",)) or _ends(plan, nodes, dict(laid))
    passes, found = _passes(plan)
    problems += found
    if problems:
        raise report(problems, origin)
    links = dict(laid)
    return Loaded(plan, links, _pair_network(plan, data, nodes, links, manager), passes)


def _passes(plan: KeyPlan) -> tuple[dict[tuple[str, str], Passing], list[Problem]]:
    """Return the links that have a medium of their own: satellites that decoy-state light comes from or goes to."""
    passes: dict[tuple[str, str], Passing] = {}
    problems = []
    for i, link in enumerate(plan.network.links or ()):
        if link.medium is None:
            continue
        options, place = link.medium.options, ("network", "links", i, "medium")
        if plan.bb84 is None or not isinstance(options, Passing):
            words = "a key plan knows fibres and, where keys are made by 'bb84', links to satellites: satellite-link."
            problems.append(Problem(place, f"'{link.medium.name}': {words}"))
            continue
        try:
            options.budget()
        except PhysicsError as error:
            problems.append(Problem(place, f"link {link.a} - {link.b}: {error}."))
        passes[link.a, link.b] = options
    return passes, problems


def _graph(
    ground: Ground, folder: Path, origin: Origin
) -> tuple[list[str], list[tuple[tuple[str, str], tuple[float, float]]]]:
    per_km = ground.fibre.attenuation
    if ground.topology is None:
        links = [(link.a, link.b, link.length, link.loss) for link in ground.links or ()]
        nodes = [node.id for node in ground.nodes or ()]
    else:
        try:
            found = topology.load(ground.topology, folder)
        except Faulty as error:
            raise report(error.problems, origin) from None
        links = [(link.a, link.b, link.length_km, link.loss_db) for link in found.links]
        nodes = [node.id for node in found.nodes]
    return nodes, [((a, b), (km, per_km * km if loss is None else loss)) for a, b, km, loss in links]


def _ends(plan: KeyPlan, nodes: list[str], links: Mapping[tuple[str, str], Any]) -> list[Problem]:
    problems = []
    for i, demand in enumerate(plan.demands):
        for key, end in (("from", demand.source), ("to", demand.target)):
            if end not in nodes:
                problems.append(Problem(("demands", i, key), topology.unknown_node(end, nodes)))
    for kind in ("demands", "incidents"):
        names = [entry.name for entry in getattr(plan, kind)]
        twice = [i for i, name in enumerate(names) if name in names[:i]]
        problems += [Problem((kind, i, "name"), f"'{names[i]}' stands here twice.") for i in twice]
    return problems + _fibres(plan, links)


def _fibres(plan: KeyPlan, links: Mapping[tuple[str, str], Any]) -> list[Problem]:
    """Return the fibres of incidents that are not there."""
    known = ", ".join(f"{a} - {b}" for a, b in links)
    named = [
        (("incidents", i, key, n), ends)
        for i, incident in enumerate(plan.incidents)
        for key in ("cut", "tap")
        for n, ends in enumerate(getattr(incident, key))
    ]
    there = {frozenset(ends) for ends in links}
    return [
        Problem(place, f"there is no fibre {' - '.join(ends)}.  Fibres: {known}.")
        for place, ends in named
        if frozenset(ends) not in there
    ]


def _pair_network(
    plan: KeyPlan,
    data: Mapping[str, Any],
    nodes: list[str],
    links: Mapping[tuple[str, str], tuple[float, float]],
    manager: Manager,
) -> PairNetwork | None:
    if plan.bbm92 is None:
        return None
    network = {
        "nodes": [{"id": name} for name in nodes],
        "links": [
            {"a": a, "b": b, "length": f"{km!r} km", "loss": f"{loss!r} dB"} for (a, b), (km, loss) in links.items()
        ],
        "fibre": plan.network.fibre.model_dump(mode="json"),
        "hardware": {"all": data["bbm92"]["hardware"]},
    }
    return PairNetwork(network, data["bbm92"].get("stack", {}), plan.bbm92.min_fidelity, plan.bbm92.block, manager)
