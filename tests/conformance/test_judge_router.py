"""The judge of routers is judged: built-in routers pass, and one that breaks a rule fails that rule."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from qstack.conformance.judge import failed, judge
from qstack.conformance.router import RouterSuite
from qstack.conformance.specification import load
from qstack.routing.shortest import ShortestPath, WidestPath
from qstack.services.strategies import NoRoute, Route

SPECIFICATION = load(Path(__file__).parents[2] / "specs")


def spoilt(change):
    """Return a router factory that changes every route that the reference finds."""

    def make(view):
        router = ShortestPath(view)

        def route(source, target, fidelity):
            answer = router(source, target, fidelity)
            return change(answer) if isinstance(answer, Route) else answer

        return route

    return make


def silent(view):
    router = ShortestPath(view)

    def route(source, target, fidelity):
        answer = router(source, target, fidelity)
        return NoRoute("") if isinstance(answer, NoRoute) else answer

    return route


ticks = count()
BROKEN = {
    "turns round": ("QS-L3-020", lambda r: replace(r, path=r.path[::-1])),
    "walks in circles": (
        "QS-L3-020",
        lambda r: replace(r, path=(*r.path, *r.path[-2:]), fidelities=(*r.fidelities, 0.5, 0.5)),
    ),
    "flies": ("QS-L3-020", lambda r: replace(r, path=(r.path[0], r.path[-1]), fidelities=r.fidelities[:1])),
    "forgets a link": ("QS-L3-020", lambda r: replace(r, fidelities=r.fidelities[1:])),
    "is moody": ("QS-L3-020", lambda r: replace(r, rate=float(next(ticks)))),
    "hopes": ("QS-L3-051", lambda r: replace(r, expected=0.3)),
}


def failures(make):
    return {verdict.id for verdict in failed(judge(RouterSuite, make, SPECIFICATION), strict=True)}


class TestReference(RouterSuite):
    """The suite as a vendor's pytest runs it."""

    @pytest.fixture(params=[ShortestPath, WidestPath])
    def make(self, request):
        return request.param


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_router_fails_what_it_breaks(name):
    number, change = BROKEN[name]
    assert failures(spoilt(change)) == {number}


def test_a_router_without_words_fails():
    assert failures(silent) == {"QS-L3-050"}


def test_a_router_that_never_finds_anything_fails():
    assert failures(lambda view: lambda source, target, fidelity: NoRoute("no")) == {"QS-L3-020"}
