"""The other end of the pipe: any installed subject as a program that answers the judge's lines.

It is the example that a program in another language is compared with; what is asked stands in
``specs/conformance/conformance.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import isinf
from types import SimpleNamespace
from typing import IO, Any

from qstack.conformance import lines
from qstack.conformance.marks import Claims, claimed
from qstack.conformance.pipe_strategies import StrategyAnswers
from qstack.conformance.places import storage_of
from qstack.conformance.program import PROTOCOL
from qstack.core.errors import ConfigError, LocalProtocolError, PhysicsError, ProtocolError, WireError
from qstack.core.layer import Context, Layer
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
            node, made = 0, self.make(FlowEnd(**question.end))
        else:
            site = site_of(question.site)
            node, made = site.number, self.make(site)
        table: dict[Any, Any] = {}
        for layer in made if isinstance(made, tuple) else (made,):
            if not isinstance(layer, Layer):
                raise ConfigError(f"{layer!r} is not a layer.")
            table |= layer.handlers()
        self.layers[question.layer] = table, Context(node)
        known = set(lines.kinds().values())
        return {"handles": sorted(lines.name_of(kind) for kind in table if kind in known)}

    def do_give(self, question: Any) -> dict[str, Any]:
        """Give a layer a noun, or a timer that it has set."""
        table, context = self.layers[question.layer]
        context.now, context.sender = int(question.now), question.sender
        first = self.timers[question.timer] if hasattr(question, "timer") else lines.noun_of(question.noun)
        waiting: list[Noun] = [first]
        out: list[Noun] = []
        for noun in waiting:  # grows while it is read
            for answer in table[type(noun)](noun, context):
                (waiting if type(answer) in table else out).append(answer)
        self.timers |= {repr(noun.timer): noun.timer for noun in out if isinstance(noun, Set)}
        return {"out": [lines.plain(noun) for noun in out]}

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
