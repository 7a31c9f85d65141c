"""Layers that are programs: one, a pile of them that is a whole node, and the front end that finds applications."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from qstack.conformance import lines
from qstack.conformance.places import end_as_data, site_as_data
from qstack.core.errors import WireError
from qstack.core.layer import Context, Layer
from qstack.core.nouns import Noun
from qstack.hosts.plain import simple
from qstack.plugin.sites import FlowEnd, Site
from qstack.plugin.spelling import nearest

Answer = Mapping[str, Any]
Passed = list[tuple[int, Noun]]
"""Flows, and what their applications are given."""


class Layers(Protocol):
    """What the suites for layers take, made of questions."""

    def number(self) -> int:
        """Return a number for something new."""
        ...

    def ask(self, do: str, **content: Any) -> dict[str, Any]:
        """Ask one question and return the answer."""
        ...

    def trouble(self, words: str) -> Exception:
        """Return the error of a program that does not keep to the protocol of the pipe."""
        ...

    def layer(self, site: Site) -> Layer:
        """Make a layer at a place."""
        return self._layer(site=site_as_data(site))

    def application(self, end: FlowEnd) -> Layer:
        """Make one end of an application."""
        return self._layer(end=end_as_data(end))

    def front_end(self, site: Site) -> Layer:
        """Make the layer that finds applications; what it hands on is given to those of the judge."""
        told = [{"flow": one.flow, "handles": sorted(map(lines.name_of, one.handlers()))} for one in site.applications]
        made = self._layer(site=site_as_data(site), applications=told)
        made.applications = {one.flow: one.handlers() for one in site.applications}
        return made

    def node(self, site: Site) -> tuple[Layer, ...]:
        """Make a whole node; what passes between its layers is its own business, so all of them are one question."""
        number = self.number()
        parts = self.ask("node", layer=number, site=site_as_data(site)).get("layers")
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts) or not parts:
            raise self.trouble(f"'layers' is {parts!r:.60}; expected a list of 'name' and 'handles'")
        layers = [PipedLayer(self, number, self._kinds(part), str(part.get("name"))[:60]) for part in parts]
        layers[0].keep_time()
        return tuple(layers)

    def _layer(self, **place: Any) -> PipedLayer:
        number = self.number()
        return PipedLayer(self, number, self._kinds(self.ask("layer", layer=number, **place))).keep_time()

    def _kinds(self, answer: Answer) -> list[type[Noun]]:
        try:
            return kinds_of(answer.get("handles"))
        except WireError as error:
            raise self.trouble(str(error)) from error

    def given(self, layer: int, noun: Noun, ctx: Context) -> tuple[list[Noun], Passed]:
        """Give a layer a noun, and return what follows, and what is handed to applications."""
        sent = {"timer": noun.name} if isinstance(noun, lines.Named) else {"noun": lines.plain(noun)}
        answer = self.ask("give", layer=layer, now=str(ctx.now), sender=ctx.sender, **sent)
        out, passed = answer.get("out"), answer.get("passed", [])
        if not isinstance(out, list):
            raise self.trouble(f"'out' is {out!r:.60}; expected a list of nouns")
        if not isinstance(passed, list) or not all(isinstance(one, dict) and "noun" in one for one in passed):
            raise self.trouble(f"'passed' is {passed!r:.60}; expected a list of 'flow' and 'noun'")
        try:
            return list(map(lines.noun_of, out)), [
                (simple("flow", one.get("flow"), "int"), lines.noun_of(one["noun"])) for one in passed
            ]
        except WireError as error:
            raise self.trouble(str(error)) from error


def kinds_of(names: Any) -> list[type[Noun]]:
    """Return the nouns that a list names.

    Raises
    ------
    WireError
        If it is no list of nouns of the standard.
    """
    known = lines.kinds()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WireError(f"'handles' is {names!r:.60}; expected a list of nouns")
    for name in names:
        if name not in known:
            raise WireError(f"it handles {name[:60]!r}, which is no noun of the standard.{nearest(name, known)}")
    return [known[name] for name in names]


class PipedLayer(Layer):
    """A layer whose handlers are questions to a program.

    Attributes
    ----------
    applications
        What the judge's applications take, by flow; none but for a front end.
    """

    def __init__(self, program: Layers, number: int, handles: Iterable[type[Noun]], name: str = "program") -> None:
        self.name = name
        self.applications: Mapping[int, Mapping[type[Noun], Callable[[Any, Context], Iterable[Noun]]]] = {}
        self._program = program
        self._number = number
        self._handles: Sequence[type[Noun]] = (*handles,)

    def keep_time(self) -> PipedLayer:
        """Take the program's timers too; of several layers that are one program it is one of them that does."""
        self._handles = (*self._handles, lines.Named, lines.Tidying)
        return self

    def handlers(self) -> dict[type[Noun], Callable[[Any, Context], list[Noun]]]:  # type: ignore[override]  # answers are lists
        """Return the same question for everything that the program handles."""
        return dict.fromkeys(self._handles, self._ask)

    def _ask(self, noun: Noun, ctx: Context) -> list[Noun]:
        out, passed = self._program.given(self._number, noun, ctx)
        for flow, one in passed:
            handler = self.applications.get(flow, {}).get(type(one))
            if handler is None:
                raise self._program.trouble(
                    f"it hands {type(one).__name__} to flow {flow!r:.60}, which does not take it"
                )
            out += handler(one, ctx)
        return out
