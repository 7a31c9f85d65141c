"""What a user writes: the scenario, key by key.

Keys match ``[a-z_]+``.  Quantities are text with units.  Unknown keys are refused.  What is asked for by name (layers,
routers, hardware, applications) is looked up among the installed plugins while the file is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from qstack.plugin.contracts import NotOffered, Options, Platform, Selection, chosen, plugins_of, validate
from qstack.plugin.sheet import still_true
from qstack.plugin.units import (
    Attenuation,
    Duration,
    EndTime,
    Fraction,
    Length,
    Loss,
    PairRate,
    Speed,
)
from qstack.scenario.faults import Fault
from qstack.scenario.problems import AtKey

MOST_NODES = 100_000
Identifier = Annotated[str, Field(min_length=1, max_length=64, strict=True)]
Text = Annotated[str, Field(strict=True)]


def _platform(value: object, info: ValidationInfo) -> object:
    """Return a platform by name, or a data sheet written inline; ``like`` starts from an installed one."""
    if isinstance(value, Platform):
        return value
    platforms = plugins_of(info).platforms
    name = value.get("like") if isinstance(value, Mapping) else value
    if not (isinstance(name, str) or (name is None and isinstance(value, Mapping))):
        raise ValueError("expected the name of a platform, or a data sheet: a mapping.")
    if name is not None and name not in platforms:
        raise NotOffered(name, "a hardware platform", sorted(platforms), "like" if isinstance(value, Mapping) else "")
    if not isinstance(value, Mapping):
        return platforms[name]
    rest = {key: part for key, part in value.items() if key != "like"}
    if name is not None:
        base = platforms[name].model_dump(mode="json")
        change, rest = rest, _merge({**base, "name": f"{name}-changed"}, rest)
        if "origins" not in change:
            rest["origins"] = still_true(rest, change)
    return validate(Platform, rest, info, "like")


def _merge(base: dict[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data sheet with some values changed; a part of another kind replaces the whole part."""
    merged = dict(base)
    for key, value in change.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, dict) and value.get("kind") in (None, old.get("kind")):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


PlatformChoice = Annotated[
    Platform,
    BeforeValidator(_platform),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}], "description": "a hardware platform"}),
]


class NodeHardware(Options):
    """Hardware of one node."""

    node: Identifier
    use: PlatformChoice


class Hardware(Options):
    """Which platform stands where."""

    all: PlatformChoice | None = None
    at: tuple[NodeHardware, ...] = ()


class FibreDefaults(Options):
    """What holds for every fibre that does not say otherwise."""

    attenuation: Attenuation = 0.2
    speed: Speed = 2e5
    station: Annotated[float, Field(gt=0, lt=1, strict=True)] = 0.5


class NodeEntry(Options):
    """A node written inline."""

    id: Identifier
    label: Text = ""


class LinkEntry(Options):
    """A link written inline; without `loss` it follows from the attenuation, without `medium` it is that of the network."""

    a: Identifier
    b: Identifier
    length: Length
    loss: Loss | None = None
    medium: chosen("media", "a link medium") = None


class Chain(Options):
    """A row of nodes ``n0 n1 ...`` at equal distances."""

    segments: Annotated[int, Field(ge=1, lt=MOST_NODES, strict=True)]
    length: Length
    loss: Loss | None = None


class Repeaters(Options):
    """Named repeater nodes on fibres longer than a link can be."""

    at_most: Length


def _node(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


NamedNode = Annotated[NodeEntry, BeforeValidator(_node), Field(json_schema_extra={"also": [{"type": "string"}]})]


class Network(Options):
    """Nodes, links and hardware; the graph comes from a topology file, is written inline, or is a chain."""

    topology: Text | None = None
    chain: Chain | None = None
    nodes: tuple[NamedNode, ...] | None = None
    links: tuple[LinkEntry, ...] | None = None
    repeaters: Repeaters | None = None
    fibre: FibreDefaults = FibreDefaults()
    hardware: Hardware
    medium: chosen("media", "a link medium") = Field("midpoint", validate_default=True)
    channel: chosen("channels", "a classical channel") = Field("ideal", validate_default=True)

    @model_validator(mode="after")
    def _one_graph(self) -> Self:
        ways = [self.topology is not None, self.chain is not None, self.nodes is not None or self.links is not None]
        if sum(ways) != 1:
            raise ValueError("give the graph in exactly one way: 'topology', 'chain', or 'nodes' with 'links'.")
        return self


def _layer(level: str) -> Any:
    return chosen("layers", f"a {level} layer", level)


class Stack(Options):
    """Which implementation stands at which layer, and its options."""

    physical: _layer("physical") = Field("reference", validate_default=True)
    link: _layer("link") = Field("reference", validate_default=True)
    network: _layer("network") = Field("reference", validate_default=True)
    transport: _layer("transport") = Field("reference", validate_default=True)
    application: _layer("application") = Field("reference", validate_default=True)

    def layers(self) -> tuple[Selection, ...]:
        """Return the choice for every level, lowest first."""
        return (self.physical, self.link, self.network, self.transport, self.application)


class Flow(Options):
    """Who asks whom for what."""

    name: Identifier
    app: chosen("applications", "an application") = Field("pairs", validate_default=True)
    source: Identifier = Field(alias="from")
    target: Identifier = Field(alias="to")
    min_fidelity: Fraction = 0.5
    number: Annotated[int, Field(ge=1, lt=1 << 31, strict=True)] | None = None
    start: Duration = 0
    priority: Annotated[int, Field(ge=0, le=7, strict=True)] = 0
    rate: PairRate | None = None

    @model_validator(mode="after")
    def _two_ends(self) -> Self:
        if self.source == self.target:
            raise AtKey("to", f"'{self.target}': a flow needs two ends, but 'from' names the same node.")
        return self


class Run(Options):
    """How long, with which chance, in which formalism.

    `attempts` is ``skip`` (one draw gives the time of the next success) or ``each`` (every attempt is made).
    `encode` sends bytes instead of objects even where the channel is ideal.  `shuffle_ties` is a seed that puts
    simultaneous events into random order, to expose what depends on their order.
    """

    until: EndTime
    seed: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] = 0
    tier: chosen("tiers", "a tier") = Field("correlators", validate_default=True)
    attempts: Literal["skip", "each"] = "skip"
    encode: Annotated[bool, Field(strict=True)] = False
    shuffle_ties: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] | None = None


class Scenario(Options):
    """One experiment: a network, a stack, flows, and a run."""

    name: Identifier
    description: Text = ""
    network: Network
    stack: Stack = Field(default_factory=dict, validate_default=True)
    flows: Annotated[tuple[Flow, ...], Field(min_length=1)]
    faults: tuple[Fault, ...] = ()
    run: Run


def dump(scenario: Scenario) -> dict[str, Any]:
    """Return the scenario as plain data that can be read again: defaults written out, hardware inline."""
    return scenario.model_dump(mode="json", by_alias=True, exclude_none=True)


__all__ = ["Flow", "Hardware", "Network", "Run", "Scenario", "Stack", "dump"]
