"""The judges of applications are judged: built-in ones pass, and one that breaks a rule fails that rule."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from qstack import api
from qstack.application.bbm92 import Bbm92
from qstack.application.layer import ApplicationLayer
from qstack.application.pairs import Pairs, Wish
from qstack.conformance.application import ApplicationSuite, FrontEndSuite
from qstack.conformance.application_talk import NUMBER, Flow
from qstack.conformance.judge import failed, judge
from qstack.conformance.offers import offered
from qstack.conformance.specification import load
from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Layer
from qstack.services.device import Free, Measure
from qstack.services.l4_transport import Closed, Delivery, Open, Refused
from qstack.services.l5_application import Checked, Consumed, Finished, Sifted, Start

SPECIFICATION = load(Path(__file__).parents[2] / "specs")
APPLICATIONS = offered("applications", "end")(api.manager())
ticks = count()


def pairs(end):
    return Pairs(end.flow, Wish(end.peer, end.min_fidelity, end.number, end.priority, end.rate))


def bbm92(end):
    return Bbm92(
        end.flow, Wish(end.peer, end.min_fidelity, end.number, end.priority, end.rate), initiator=end.initiator
    )


class Spoilt(Layer):
    """An application whose handlers of some nouns are changed."""

    def __init__(self, inner, kinds, spoil):
        self.flow = inner.flow
        self.table = inner.handlers()
        for kind in set(kinds) & set(self.table):
            self.table[kind] = lambda noun, ctx, handler=self.table[kind]: list(spoil(handler, noun, ctx))

    def handlers(self):
        return self.table


def spoilt(make, *kinds):
    def with_(spoil):
        return lambda end: Spoilt(make(end), kinds, spoil)

    return with_


def edit(kind, change):
    return lambda inner, noun, ctx: [change(a) if isinstance(a, kind) else a for a in inner(noun, ctx)]


def without(kind):
    return lambda inner, noun, ctx: [a for a in inner(noun, ctx) if not isinstance(a, kind)]


def twice(kind):
    return lambda inner, noun, ctx: [b for a in inner(noun, ctx) for b in ([a, a] if isinstance(a, kind) else [a])]


def moody(inner, noun, ctx):
    return [replace(a, qubit=next(ticks)) if isinstance(a, Consumed) else a for a in inner(noun, ctx)]


class Hasty(Bbm92):
    """Chooses its basis by the pair's number when it has no bits."""

    def handlers(self):
        table = super().handlers()
        inner = table[Delivery]
        table[Delivery] = lambda noun, ctx: [*inner(noun, ctx), *self._guess(noun)]
        return table

    def _guess(self, noun):
        if self.entropy.left or noun.qubit in self.measuring:
            return []
        self.measuring[noun.qubit] = (noun.pair, noun.bell)
        return [Measure(noun.qubit, noun.pair % 2, self.flow)]


def hasty(end):
    return Hasty(
        end.flow, Wish(end.peer, end.min_fidelity, end.number, end.priority, end.rate), initiator=end.initiator
    )


BROKEN = {
    "asks another fidelity": (
        "QS-L5-281",
        lambda: spoilt(pairs, Start)(edit(Open, lambda o: replace(o, min_fidelity=0.5))),
    ),
    "forgets the priority": ("QS-L5-400", lambda: spoilt(pairs, Start)(edit(Open, lambda o: replace(o, priority=0)))),
    "forgets the rate": ("QS-L5-470", lambda: spoilt(pairs, Start)(edit(Open, lambda o: replace(o, rate=0.0)))),
    "finishes twice": ("QS-L5-009", lambda: spoilt(pairs, Closed)(twice(Finished))),
    "waits for a refused session": ("QS-L5-321", lambda: spoilt(pairs, Refused)(without(Finished))),
    "hides the reason": ("QS-L5-009", lambda: spoilt(pairs, Closed)(edit(Finished, lambda f: replace(f, reason=0)))),
    "keeps qubits": ("QS-L5-282", lambda: spoilt(pairs, Delivery)(without(Free))),
    "frees twice": ("QS-L5-282", lambda: spoilt(pairs, Delivery)(twice(Free))),
    "consumes twice": ("QS-L5-283", lambda: spoilt(pairs, Delivery)(twice(Consumed))),
    "flatters": ("QS-L5-283", lambda: spoilt(pairs, Delivery)(edit(Consumed, lambda c: replace(c, estimate=1.0)))),
    "guesses a basis": ("QS-L5-013", lambda: hasty),
    "is moody": ("QS-L5-284", lambda: spoilt(pairs, Delivery)(moody)),
    "forgets the frame": (
        "QS-L5-006",
        lambda: spoilt(bbm92, Delivery)(lambda inner, noun, ctx: list(inner(replace(noun, bell=0), ctx))),
    ),
}


class Deaf(ApplicationLayer):
    """Drops what is for nobody."""

    def handlers(self):
        return {
            kind: lambda noun, ctx, inner=inner: drop(inner, noun, ctx) for kind, inner in super().handlers().items()
        }


def drop(inner, noun, ctx):
    try:
        return list(inner(noun, ctx))
    except RemoteProtocolError:
        return []


class Loose(ApplicationLayer):
    """Tells the first application of everything."""

    def handlers(self):
        first = self.applications[0].handlers()

        def told(kind, inner):
            return lambda noun, ctx: [*inner(noun, ctx), *first[kind](noun, ctx)]

        return {kind: told(kind, inner) for kind, inner in super().handlers().items()}


FRONT = {"drops what is for nobody": ("QS-L5-008", Deaf), "tells everybody": ("QS-L5-285", Loose)}


def failures(suite, make):
    return {verdict.id for verdict in failed(judge(suite, make, SPECIFICATION), strict=True)}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_application_fails_what_it_breaks(name):
    number, make = BROKEN[name]
    assert failures(ApplicationSuite, make()) == {number}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", FRONT)
def test_a_broken_front_end_fails_what_it_breaks(name):
    number, layer = FRONT[name]
    assert failures(FrontEndSuite, lambda site: layer(site.applications)) == {number}


@pytest.mark.parametrize("name", sorted(APPLICATIONS))
def test_every_installed_application_conforms(name):
    assert failures(ApplicationSuite, APPLICATIONS[name]) == set()


def test_the_reference_front_end_conforms():
    assert failures(FrontEndSuite, lambda site: ApplicationLayer(site.applications)) == set()


@pytest.mark.parametrize(
    ("name", "kind"), [("teleport", Checked), ("rsp", Checked), ("chsh", Checked), ("bbm92", Sifted)]
)
def test_the_flow_of_the_suite_is_a_real_one(name, kind):
    flow = Flow(APPLICATIONS[name])
    told = [one for end in flow.ends.values() for one in end.all(kind)]
    assert flow.given == NUMBER
    assert len(told) > 3
    if name in {"teleport", "rsp"}:
        assert all(one.passed for one in told)
