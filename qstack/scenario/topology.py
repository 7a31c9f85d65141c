"""The graph of a network: from a topology file, inline, or a chain; with repeaters put on long fibres."""

from __future__ import annotations

import importlib.resources
import itertools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import Fibre, Options
from qstack.plugin.spelling import nearest
from qstack.scenario.problems import Loc, Problem, from_validation, report
from qstack.scenario.schema import FibreDefaults, Network
from qstack.scenario.yaml import read


class MissingTopology(ConfigError):
    """There is no such topology file."""


class TopologyNode(Options):
    """A site."""

    id: Annotated[str, Field(min_length=1)]
    label: str = ""
    lat: float | None = None
    lon: float | None = None
    kind: str = ""


class TopologyLink(Options):
    """A fibre; `loss_db` where it was measured."""

    a: str
    b: str
    length_km: Annotated[float, Field(gt=0)]
    loss_db: Annotated[float, Field(ge=0)] | None = None
    air_km: Annotated[float, Field(gt=0)] | None = None
    quality: str = ""
    note: str = ""


class Topology(Options):
    """A network graph in the common form of the packaged topologies."""

    name: str
    title: str = ""
    source: str = ""
    licence: str = ""
    quality: str = ""
    quality_note: str = ""
    attribution: str = ""
    changes: str = ""
    nodes: tuple[TopologyNode, ...]
    links: tuple[TopologyLink, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """Node names in order, and fibres between them."""

    nodes: tuple[str, ...]
    fibres: dict[tuple[str, str], Fibre]


def data_folder() -> Path:
    """Return the folder of packaged data."""
    return Path(str(importlib.resources.files("qstack"))) / "data"


def find(name: str, folder: Path) -> Path | None:
    """Return a file given relative to the scenario, or relative to the packaged data."""
    for base in (folder, data_folder()):
        path = base / name
        if path.is_file():
            return path
    return None


def inlined(network: Any, folder: Path) -> Any:
    """Replace the name of a topology file by what it holds, as a scenario would write it.

    Parameters
    ----------
    network
        The scenario's network, as plain data.
    folder
        Where the scenario stands.

    Raises
    ------
    ConfigError
        If the file has a problem; the message names the file and the line.
    """
    topology = load(network["topology"], folder)
    links = []
    for link in topology.links:
        entry: dict[str, Any] = {"a": link.a, "b": link.b, "length": f"{link.length_km!r} km"}
        if link.loss_db is not None:
            entry["loss"] = f"{link.loss_db!r} dB"
        links.append(entry)
    nodes = [{"id": node.id, **({"label": node.label} if node.label else {})} for node in topology.nodes]
    rest = {key: value for key, value in network.items() if key != "topology"}
    return {**rest, "nodes": nodes, "links": links}


def load(name: str, folder: Path) -> Topology:
    """Read a topology file.

    Raises
    ------
    MissingTopology
        If there is no such file.
    ConfigError
        If it is not a topology; the message names file and line.
    """
    path = find(name, folder)
    if path is None:
        packaged = sorted(f"topologies/{p.name}" for p in (data_folder() / "topologies").glob("*.json"))
        raise MissingTopology(
            f"'{name}' is not a file beside the scenario or in the packaged data.{nearest(name, packaged)}"
        )
    text = path.read_text(encoding="utf-8")
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{name}:{error.lineno}  broken JSON: {error.msg}.\n1 error; nothing was run.") from error
    try:
        topology = Topology.model_validate(data)
    except ValidationError as error:
        raise report(from_validation(error, Topology), read(text, name)[1]) from error
    problems = check([n.id for n in topology.nodes], [(link.a, link.b) for link in topology.links])
    if problems:
        raise report(problems, read(text, name)[1])
    return topology


def check(nodes: list[str], links: list[tuple[str, str]], prefix: Loc = ()) -> list[Problem]:
    """Return what is wrong with a graph: duplicates, unknown ends, loops."""
    problems = []
    known: set[str] = set()
    for i, name in enumerate(nodes):
        if name in known:
            problems.append(Problem((*prefix, "nodes", i), f"'{name}': there is a node of this name already."))
        known.add(name)
    pairs: set[frozenset[str]] = set()
    for i, ends in enumerate(links):
        for key, end in zip("ab", ends, strict=True):
            if end not in known:
                problems.append(Problem((*prefix, "links", i, key), f"'{end}' is not a node.{nearest(end, known)}"))
        if ends[0] == ends[1]:
            problems.append(Problem((*prefix, "links", i), f"a link from '{ends[0]}' to itself."))
        elif frozenset(ends) in pairs:
            problems.append(Problem((*prefix, "links", i), f"there is a link {ends[0]} - {ends[1]} already."))
        pairs.add(frozenset(ends))
    return problems


def build(network: Network) -> tuple[Graph, list[Problem]]:
    """Return the graph of a network whose topology file has been read in, and what is wrong with it."""
    if network.chain is not None:
        chain = network.chain
        nodes = [f"n{i}" for i in range(chain.segments + 1)]
        entries = [(a, b, chain.length, chain.loss) for a, b in itertools.pairwise(nodes)]
        problems: list[Problem] = []
    else:
        nodes = [node.id for node in network.nodes or ()]
        entries = [(link.a, link.b, link.length, link.loss) for link in network.links or ()]
        problems = check(nodes, [(a, b) for a, b, _, _ in entries], ("network",))
        if not nodes:
            problems.append(Problem(("network",), "has no nodes."))
    fibres: dict[tuple[str, str], Fibre] = {}
    for a, b, length, loss in entries:
        _lay(nodes, fibres, (a, b), _fibre(network.fibre, length, loss), network)
    return Graph(tuple(nodes), fibres), problems


def _fibre(defaults: FibreDefaults, length: float, loss: float | None) -> Fibre:
    return Fibre(length, defaults.attenuation * length if loss is None else loss, defaults.speed, defaults.station)


def _lay(
    nodes: list[str], fibres: dict[tuple[str, str], Fibre], ends: tuple[str, str], fibre: Fibre, network: Network
) -> None:
    """Add a fibre, cut into equal parts where it is longer than a link can be."""
    parts = math.ceil(fibre.length / network.repeaters.at_most) if network.repeaters else 1
    if parts == 1:
        fibres[ends] = fibre
        return
    between = [f"{ends[0]}-{ends[1]}-r{i}" for i in range(1, parts)]
    nodes.extend(between)
    part = Fibre(fibre.length / parts, fibre.loss / parts, fibre.speed, fibre.station)
    for a, b in zip([ends[0], *between], [*between, ends[1]], strict=True):
        fibres[a, b] = part
