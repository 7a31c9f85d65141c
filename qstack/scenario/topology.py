"""The graph of a network: from a topology file, inline, or a chain; with repeaters put on long fibres."""

from __future__ import annotations

import importlib.resources
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import Fibre, Options, Selection
from qstack.plugin.spelling import nearest
from qstack.scenario.problems import Faulty, Loc, Origin, Problem, from_validation, quoted
from qstack.scenario.schema import MOST_NODES, FibreDefaults, Identifier, Network
from qstack.scenario.yaml import read

MOST_REPEATERS = 10_000
"""On one fibre; a circuit over more of them would not be planned in a minute, and serves nobody."""


class TopologyNode(Options):
    """A site."""

    id: Identifier
    label: str = ""
    lat: float | None = None
    lon: float | None = None
    kind: str = ""


class TopologyLink(Options):
    """A fibre; `loss_db` where it was measured."""

    a: str
    b: str
    length_km: Annotated[float, Field(ge=1e-6, le=1e6, strict=True)]
    loss_db: Annotated[float, Field(ge=0, le=1e6, strict=True)] | None = None
    air_km: Annotated[float, Field(ge=0, strict=True)] | None = None
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
    network_date: str = ""
    layer: str = ""
    spool_totals_km: tuple[float, ...] = ()
    nodes: tuple[TopologyNode, ...]
    links: tuple[TopologyLink, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """Node names in order, fibres between them, and the media of those that have their own."""

    nodes: tuple[str, ...]
    fibres: dict[tuple[str, str], Fibre]
    media: dict[tuple[str, str], Selection] = field(default_factory=dict)


def data_folder() -> Path:
    """Return the folder of packaged data."""
    return Path(str(importlib.resources.files("qstack"))) / "data"


def find(name: str, folder: Path) -> Path | None:
    """Return a file given relative to the scenario, or relative to the packaged data."""
    for base in (folder, data_folder()):
        path = base / name
        try:
            if path.is_file():
                return path
        except OSError:  # a name that no file can have
            return None
    return None


def inlined(network: Mapping[str, Any], topology: Topology) -> dict[str, Any]:
    """Return a scenario's network with what its topology file holds in place of the file's name."""
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

    Parameters
    ----------
    name
        As the scenario gives it.
    folder
        Where the scenario stands.

    Raises
    ------
    Faulty
        With everything that is wrong with it; file and line are those of the topology.
    """
    path = find(name, folder)
    if path is None:
        packaged = sorted(f"topologies/{p.name}" for p in (data_folder() / "topologies").glob("*.json"))
        near = nearest(name, packaged)
        message = f"{quoted(name)} is not a file beside the scenario or in the packaged data.{near}"
        raise Faulty([Problem(("network", "topology"), message)])
    text, data = _json(path, name)
    try:
        topology = Topology.model_validate(data)
        problems = check([n.id for n in topology.nodes], [(link.a, link.b) for link in topology.links])
    except ValidationError as error:
        problems = from_validation(error, Topology)
    if problems:
        origin = _origin(text, name)
        raise Faulty([replace(problem, origin=origin) for problem in problems])
    return topology


def _json(path: Path, name: str) -> tuple[str, Any]:
    """Return a JSON file as text and as data."""
    place = name
    try:
        text = path.read_text(encoding="utf-8")
        return text, json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        place, message = f"{name}:{error.lineno}", f"broken JSON: {error.msg}."
        if not error.doc.strip():
            place, message = name, "is empty."
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start})."
    except OSError as error:
        message = f"cannot be read: {error.strerror}."
    except (ValueError, RecursionError) as error:
        message = f"broken JSON: {error}."
    raise Faulty([Problem((), message, origin=Origin(place, {}))])


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise ValueError(f"the key {quoted(twice)} stands twice in one object")
    return found


def _origin(text: str, name: str) -> Origin:
    """Return where the parts of a JSON text stand; only its name, where it is no YAML (tabs)."""
    try:
        return read(text, name)[1]
    except ConfigError:
        return Origin(name, {})


def check(nodes: list[str], links: list[tuple[str, str]], prefix: Loc = ()) -> list[Problem]:
    """Return what is wrong with a graph: no nodes, duplicates, unknown ends, loops."""
    problems = [] if nodes else [Problem((*prefix, "nodes"), "there are no nodes.")]
    known: set[str] = set()
    for i, name in enumerate(nodes):
        if name in known:
            problems.append(Problem((*prefix, "nodes", i), f"{quoted(name)}: there is a node of this name already."))
        known.add(name)
    pairs: set[frozenset[str]] = set()
    for i, ends in enumerate(links):
        for key, end in zip("ab", ends, strict=True):
            if end not in known:
                problems.append(Problem((*prefix, "links", i, key), unknown_node(end, known)))
        if ends[0] == ends[1]:
            problems.append(Problem((*prefix, "links", i), f"a link from {quoted(ends[0])} to itself."))
        elif frozenset(ends) in pairs:
            problems.append(Problem((*prefix, "links", i), f"there is a link {ends[0]} - {ends[1]} already."))
        pairs.add(frozenset(ends))
    return problems


def unknown_node(name: str, known: Iterable[str]) -> str:
    """Say that there is no such node, and which one may have been meant; else which there are."""
    names = list(known)
    return f"{quoted(name)} is not a node.{nearest(name, names) or f'  Nodes: {some(names)}.'}"


def some(names: Sequence[str], most: int = 8) -> str:
    """Return the first of some names."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


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
    laid = [((a, b), _fibre(network.fibre, length, loss)) for a, b, length, loss in entries]
    media = {(link.a, link.b): link.medium for link in network.links or () if link.medium is not None}
    if network.repeaters is None:
        return Graph(tuple(nodes), dict(laid), media), problems
    return _with_repeaters(nodes, laid, network.repeaters.at_most, problems, media)


def _fibre(defaults: FibreDefaults, length: float, loss: float | None) -> Fibre:
    return Fibre(length, defaults.attenuation * length if loss is None else loss, defaults.speed, defaults.station)


def _with_repeaters(
    nodes: list[str],
    laid: list[tuple[tuple[str, str], Fibre]],
    most: float,
    problems: list[Problem],
    media: dict[tuple[str, str], Selection],
) -> tuple[Graph, list[Problem]]:
    """Cut every fibre that is longer than a link can be into equal parts, with a repeater at every cut.

    A link with a medium of its own stays whole: nobody can put a repeater between a station and a satellite.
    """
    place = ("network", "repeaters", "at_most")
    cuts = [0 if pair in media else math.ceil(fibre.length / most) - 1 for pair, fibre in laid]
    crowded = next((pair for (pair, _), cut in zip(laid, cuts, strict=True) if cut > MOST_REPEATERS), None)
    if crowded is not None:
        words = f"this makes more than {MOST_REPEATERS} repeaters on {' - '.join(crowded)}; choose a longer distance."
        return Graph(tuple(nodes), {}), [*problems, Problem(place, words)]
    if len(nodes) + sum(cuts) > MOST_NODES:
        return Graph(tuple(nodes), {}), [*problems, Problem(place, f"this makes more than {MOST_NODES} nodes.")]
    known = set(nodes)
    fibres: dict[tuple[str, str], Fibre] = {}
    for ((a, b), fibre), cut in zip(laid, cuts, strict=True):
        between = [f"{a}-{b}-r{i + 1}" for i in range(cut)]
        if not known.isdisjoint(between):
            problems.append(Problem(place, f"the repeaters on {a} - {b} are named like nodes that are there already."))
        nodes.extend(between)
        part = Fibre(fibre.length / (cut + 1), fibre.loss / (cut + 1), fibre.speed, fibre.station)
        fibres.update(dict.fromkeys(itertools.pairwise([a, *between, b]), part))
    return Graph(tuple(nodes), fibres, media), problems
