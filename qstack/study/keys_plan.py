"""A key plan: who needs keys for what, what the quantum network yields, and what happens when something happens.

A plan is one YAML file.  Links make keys in one of two ways: ``bb84``, a decoy-state link on every fibre and trusted
nodes between, each hop using up as many bits as are carried; or ``bbm92``, pairs from end to end, where the places
between only swap and learn nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from qstack.core.errors import ConfigError, PhysicsError
from qstack.keys.devices import Devices
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.models import Setup
from qstack.plugin.contracts import Options, Passing, chosen
from qstack.plugin.manager import Manager
from qstack.plugin.optics import ChannelPart, DetectorPart, Gates, Passage, Pulses, SourcePart, choose_part
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
    """Decoy-state devices at both ends of every fibre: installed parts, and values that replace those of their sheets."""

    source: choose_part(SourcePart) = Field("decoy-100mhz", validate_default=True)  # type: ignore[valid-type]  # made at run time
    channel: choose_part(ChannelPart) | None = None  # type: ignore[valid-type]  # as above
    detector: choose_part(DetectorPart) = Field("diode-20", validate_default=True)  # type: ignore[valid-type]  # as above
    rate: Rate | None = None
    efficiency: Annotated[Fraction, Field(gt=0)] | None = None
    dark_rate: Rate | None = None
    dead_time: Duration | None = None
    optical_error: Annotated[Fraction, Field(le=0.5)] | None = None
    self_test: Annotated[Fraction, Field(lt=0.5)] = 0.0
    reconciliation: chosen("reconciliation", "a reconciliation scheme") = Field(  # type: ignore[valid-type]  # as above
        "cascade", validate_default=True
    )
    block: Annotated[int, Field(ge=10_000, le=1_000_000_000, strict=True)] = 1_000_000

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.rate == 0:
            raise AtKey("rate", "0 Hz: a source that sends nothing makes no key.")
        try:
            devices = self.devices
        except PhysicsError as error:
            raise AtKey("detector", f"{error}.") from None
        if devices.gates.dark_rate_hz >= devices.pulses.rate_hz:
            raise AtKey("dark_rate", "dark counts fill every gate of the source's clock.")
        try:
            devices.over(0.0, Passage(0.0))
        except ConfigError as error:
            raise ValueError(f"these parts make no link: {error}") from None
        return self

    @property
    def devices(self) -> Devices:
        """What stands at both ends.

        Raises
        ------
        PhysicsError
            If the detector does not work as its sheet has it.
        """
        pulses: Pulses = self.source.pulses()
        pulses = pulses if self.rate is None else replace(pulses, rate_hz=self.rate)
        gates: Gates = self.detector.gates(pulses.rate_hz)
        own = {
            "efficiency": self.efficiency,
            "dark_rate_hz": self.dark_rate,
            "dead_time_s": None if self.dead_time is None else self.dead_time * 1e-12,
            "optical_error": self.optical_error,
        }
        given = {name: value for name, value in own.items() if value is not None}
        return Devices(pulses, replace(gates, **given), self.self_test)

    def over(self, length_km: float, loss_db: float | None, attenuation: float) -> Setup:
        """Return a link over a fibre.

        Parameters
        ----------
        length_km, loss_db
            Of the fibre; a loss that was measured stands before that of any sheet [km, dB].
        attenuation
            Of a fibre without a sheet [dB/km].
        """
        if self.channel is not None:
            passage: Passage = self.channel.passage(length_km)
        else:
            passage = Passage(attenuation * length_km)
        if loss_db is not None:
            passage = Passage(loss_db, passage.light_hz)
        return self.devices.over(length_km, passage)


class Bbm92(Options):
    """Flows of pairs through the stack."""

    hardware: PlatformChoice
    stack: Stack = Field(default_factory=dict, validate_default=True)
    min_fidelity: Annotated[Fraction, Field(gt=0.5, lt=1)] = 0.95
    block: Annotated[int, Field(ge=1000, lt=1 << 31, strict=True)] = 100_000
    reconciliation: chosen("reconciliation", "a reconciliation scheme") = Field(  # type: ignore[valid-type]  # as above
        "ldpc", validate_default=True
    )


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
    """Fibres that are cut, and fibres at which somebody sits: by default she measures and resends a share of the photons."""

    name: Identifier
    cut: Fibres = ()
    tap: Fibres = ()
    share: Annotated[Fraction, Field(gt=0)] | None = None
    attack: chosen("eavesdroppers", "an eavesdropper") | None = None  # type: ignore[valid-type]  # made at run time

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.cut and not self.tap:
            raise ValueError("give 'cut' or 'tap': fibres, each by its two ends.")
        if self.attack is not None and not self.tap:
            raise AtKey("attack", f"'{self.attack.name}' sits at no fibre: give 'tap'.")
        if self.attack is not None and self.share is not None:
            raise AtKey(
                "share", "it is that of measuring and resending; with 'attack', write the attack's own options."
            )
        return self

    def attacker(self) -> Any:
        """Return whoever sits at the fibres that are tapped."""
        if self.attack is not None:
            return self.attack.make()
        return InterceptResend(share=1.0 if self.share is None else self.share)


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
        Length [km] and measured loss [dB] by ends, in the order of the file; None where the loss follows from the length.
    pairs
        The network of the stack, for ``bbm92``.
    passes
        Links to satellites, by ends, for ``bb84``.
    """

    plan: KeyPlan
    fibres: Mapping[tuple[str, str], tuple[float, float | None]]
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
    with manager.blaming():
        problems += _attacks(plan)
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
) -> tuple[list[str], list[tuple[tuple[str, str], tuple[float, float | None]]]]:
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
    return nodes, [((a, b), (km, loss)) for a, b, km, loss in links]


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


def _attacks(plan: KeyPlan) -> list[Problem]:
    """Return the attacks that a plan cannot reckon with: it samples nothing, so it needs their closed forms."""
    problems = []
    for i, incident in enumerate(plan.incidents):
        if incident.attack is None:
            continue
        eve, place, name = incident.attacker(), ("incidents", i, "attack"), f"'{incident.attack.name}'"
        if hasattr(eve, "tap"):
            if plan.bbm92 and getattr(eve, "on_pairs", None) is None:
                problems.append(Problem(place, f"{name} acts on weak pulses and has nothing to do on pairs."))
            if plan.bb84 and not hasattr(eve, "mean"):
                problems.append(
                    Problem(
                        place, f"{name} has no closed form (`mean`), and a plan samples nothing: `qstack keys attack`."
                    )
                )
    return problems


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
    links: Mapping[tuple[str, str], tuple[float, float | None]],
    manager: Manager,
) -> PairNetwork | None:
    if plan.bbm92 is None:
        return None
    network = {
        "nodes": [{"id": name} for name in nodes],
        "links": [
            {"a": a, "b": b, "length": f"{km!r} km", **({} if loss is None else {"loss": f"{loss!r} dB"})}
            for (a, b), (km, loss) in links.items()
        ],
        "fibre": plan.network.fibre.model_dump(mode="json"),
        "hardware": {"all": data["bbm92"]["hardware"]},
    }
    sheet = plan.bbm92
    scheme = sheet.reconciliation.make
    return PairNetwork(network, data["bbm92"].get("stack", {}), sheet.min_fidelity, sheet.block, manager, scheme)
