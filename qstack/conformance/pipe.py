"""The other end of the pipe: any installed subject as a program that answers the judge's lines.

It is the example that a program in another language is compared with; what is asked stands in
``specs/conformance/conformance.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from math import isinf
from types import SimpleNamespace
from typing import IO, Any

from qstack.conformance import lines
from qstack.conformance.marks import Claims, claimed
from qstack.conformance.pipe_strategies import StrategyAnswers
from qstack.conformance.piped_layers import kinds_of
from qstack.conformance.places import storage_of
from qstack.conformance.program import PROTOCOL
from qstack.core.errors import ConfigError, LocalProtocolError, PhysicsError, ProtocolError, WireError
from qstack.core.layer import Context, Handler, Layer
from qstack.core.nouns import Noun, Set
from qstack.hosts.plain import object_of
from qstack.plugin.links import Arm
from qstack.plugin.sites import FlowEnd, Neighbour, NetworkView, Site
from qstack.services.strategies import Edge, NoRoute, Row


class Answerer(StrategyAnswers):
    """Answers one line after the other; `make` is what the suites of the profile take, the rest is what it says of itself."""

    def __init__(self, make: Any, version: str = "unknown", claims: Claims = None) -> None:
        super().__init__(make)
        self.version, self.claims = version, claims
        self.layers: dict[int, tuple[Mapping[Any, Any], Context]] = {}
        self.routers: dict[int, Any] = {}
        self.timers: dict[str, Noun] = {}
        self.passed: list[tuple[int, Noun]] = []

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one question.

        Raises
        ------
        WireError
            If it is none of the pipe's questions.
        """
        do = question.get("do")
        asked: Callable[[Any], dict[str, Any]] | None = getattr(self, f"do_{do}", None)
        if asked is None:
            raise WireError(f"{do!r} is no question of this pipe")
        try:
            return asked(SimpleNamespace(**question))
        except PhysicsError as error:
            return {"refused": "physics", "why": str(error)}
        except ProtocolError as error:
            return {"refused": "local" if isinstance(error, LocalProtocolError) else "remote", "why": str(error)}

    def do_hello(self, question: Any) -> dict[str, Any]:
        """Say which version is spoken, and which of the features that are asked for the subject claims."""
        claims = {"features": [name for name in question.features if claimed(self.claims, name)]}
        return {"protocol": PROTOCOL, "version": self.version, **(claims if self.claims is not None else {})}

    def do_layer(self, question: Any) -> dict[str, Any]:
        """Make a layer, or several that belong together."""
        if hasattr(question, "end"):
            made = self.make(FlowEnd(**question.end))
            (table,) = self._laid(question.layer, 0, (made,))
            return {"handles": sorted(_names(table))}
        site = site_of(question.site)
        if hasattr(question, "applications"):
            site = replace(site, applications=tuple(Listening(one, self.passed) for one in question.applications))
        tables = self._laid(question.layer, site.number, self.make(site))
        return {"handles": sorted({name for table in tables for name in _names(table)})}

    def do_node(self, question: Any) -> dict[str, Any]:
        """Make a whole node, and say of which layers."""
        site = site_of(question.site)
        made = self.make(site)
        tables = self._laid(question.layer, site.number, made)
        layers = made if isinstance(made, tuple) else (made,)
        named = zip(layers, tables, strict=True)
        return {"layers": [{"name": layer.name, "handles": _names(table)} for layer, table in named]}

    def _laid(self, number: int, node: int, made: Any) -> list[Mapping[Any, Any]]:
        """Take note of layers that are spoken to as one, and return the table of each."""
        layers = made if isinstance(made, tuple) else (made,)
        for layer in layers:
            if not isinstance(layer, Layer):
                raise ConfigError(f"{layer!r} is not a layer.")
        tables = [layer.handlers() for layer in layers]
        self.layers[number] = {kind: handler for table in tables for kind, handler in table.items()}, Context(node)
        return tables

    def do_give(self, question: Any) -> dict[str, Any]:
        """Give a layer a noun, or a timer that it has set."""
        table, context = self.layers[question.layer]
        context.now, context.sender = int(question.now), question.sender
        first = self.timers[question.timer] if hasattr(question, "timer") else lines.noun_of(question.noun)
        waiting: list[Noun] = [first]
        out: list[Noun] = []
        self.passed.clear()
        for noun in waiting:  # grows while it is read
            for answer in table[type(noun)](noun, context):
                (waiting if type(answer) in table else out).append(answer)
        self.timers |= {repr(noun.timer): noun.timer for noun in out if isinstance(noun, Set)}
        passed = [{"flow": flow, "noun": lines.plain(noun)} for flow, noun in self.passed]
        return {"out": [lines.plain(noun) for noun in out], **({"passed": passed} if passed else {})}

    def do_router(self, question: Any) -> dict[str, Any]:
        """Make a router."""
        self.routers[question.router] = self.make(view_of(question.view))
        return {}

    def do_route(self, question: Any) -> dict[str, Any]:
        """Ask a router."""
        found = self.routers[question.router](question.source, question.target, question.min_fidelity)
        if isinstance(found, NoRoute):
            return {"no_route": found.why, "path": list(found.path)}
        answer = {"path": list(found.path), "fidelities": list(found.fidelities), "expected": found.expected}
        return answer if isinf(found.rate) else {**answer, "rate": found.rate}

    def do_decay(self, question: Any) -> dict[str, Any]:
        """Ask a memory."""
        return asdict(self.make.memory.decay(question.age_s))

    def do_survival(self, question: Any) -> dict[str, Any]:
        """Ask what layers are told of a memory."""
        return {"factor": self.make.memory.survival()(int(question.age))}

    def do_herald(self, question: Any) -> dict[str, Any]:
        """Ask for every setting of a link between two of a kind."""
        interface = self.make.interface
        return {"heralds": [asdict(herald) for herald in interface.herald(interface, _arms(question))]}

    def do_period(self, question: Any) -> dict[str, Any]:
        """Ask for the time between two attempts."""
        return {"period": str(self.make.interface.period(_arms(question)))}

    def do_emit(self, question: Any) -> dict[str, Any]:
        """Ask when both ends emit."""
        return {"times": [str(at) for at in self.make.interface.emit(_arms(question))]}

    def do_reply(self, question: Any) -> dict[str, Any]:
        """Ask when both ends hear the answer."""
        return {"times": [str(at) for at in self.make.interface.reply(_arms(question))]}


def _arms(question: Any) -> tuple[Arm, Arm]:
    first, second = (Arm(arm["transmission"], int(arm["delay"])) for arm in question.arms)
    return first, second


def _names(table: Mapping[Any, Any]) -> list[str]:
    """Return the nouns of the standard that somebody takes, in his order."""
    known = set(lines.kinds().values())
    return [lines.name_of(kind) for kind in table if kind in known]


class Listening(Layer):
    """Stands for an application of the judge's: takes note of what it is given."""

    name = "listening"

    def __init__(self, told: Mapping[str, Any], passed: list[tuple[int, Noun]]) -> None:
        self.flow = told["flow"]
        self._kinds = kinds_of(told["handles"])
        self._passed = passed

    def _hear(self, noun: Noun, context: Context) -> tuple[Noun, ...]:
        self._passed.append((self.flow, noun))
        return ()

    def handlers(self) -> dict[type[Noun], Handler]:
        """Take what the judge's takes."""
        return dict.fromkeys(self._kinds, self._hear)


def serve(answerer: Answerer, questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until the questions end."""
    for data in questions:
        question = object_of(data)
        answers.write(lines.line({"re": question.get("re"), **answerer.answer(question)}))
        answers.flush()


def view_of(content: Mapping[str, Any]) -> NetworkView:
    """Return the network that JSON describes."""
    edges = tuple(
        Edge(e["a"], e["b"], tuple(Row(*row) for row in e["rows"]), e["lanes"], int(e["delay"]))
        for e in content["edges"]
    )
    storage = tuple(storage_of(samples) for samples in content["storage"])
    return NetworkView(
        tuple(content["names"]),
        edges,
        tuple(content["swap_factors"]),
        storage,
        int(content["cutoff"]),
        tuple(content.get("swap_success", ())),
    )


def site_of(content: Mapping[str, Any]) -> Site:
    """Return the place that JSON describes."""
    neighbours = {
        n["number"]: Neighbour(
            n["number"], n["lanes"], int(n["delay"]), tuple(Row(*row) for row in n["rows"]), int(n["period"])
        )
        for n in content["neighbours"]
    }
    return Site(
        content["number"],
        content["name"],
        neighbours,
        storage_of(content["storage"]),
        content["swap_factor"],
        view_of(content["view"]),
        content["gate_noise"],
        content["readout_error"],
    )
