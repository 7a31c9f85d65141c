"""The suite for routers: paths through small networks whose links are all alike.

A vendor writes one fixture::

    class TestMine(RouterSuite):
        @pytest.fixture
        def make(self):
            return lambda view: MyRouter(view)

What is best is the router's own business; what a path is, and what it promises, is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, permutations
from math import isfinite

from qstack.conformance.marks import Informational, requirement
from qstack.conformance.stand import DELAY, LANES, ROWS, kept
from qstack.plugin.sites import NetworkView
from qstack.services.strategies import Edge, NoRoute, Route, Router

MakeRouter = Callable[[NetworkView], Router]
FIDELITIES = (0.5, 0.6, 0.7, 0.8)
CUTOFF = 10_000_000_000
CHAIN = ((0, 1), (1, 2), (2, 3))
RING = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0))
GRID = ((0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5))
CUT = ((0, 1), (2, 3))


def view(links: tuple[tuple[int, int], ...]) -> NetworkView:
    """Return a network as a router sees it."""
    number = 1 + max(max(link) for link in links)
    edges = tuple(Edge(a, b, ROWS, LANES, DELAY) for a, b in links)
    names = tuple(f"n{node}" for node in range(number))
    return NetworkView(names, edges, (0.98,) * number, (kept,) * number, CUTOFF)


def answers(make: MakeRouter) -> Iterator[tuple[str, set[frozenset[int]], int, int, float, Route | NoRoute]]:
    """Return what a router answers for every two nodes and several fidelities: question in words, links, question, answer."""
    for name, links in (("chain", CHAIN), ("ring", RING), ("grid", GRID), ("cut network", CUT)):
        router = make(view(links))
        there = {frozenset(link) for link in links}
        for a, b in permutations(sorted({node for link in links for node in link}), 2):
            for fidelity in FIDELITIES:
                words = f"{name}, from {a} to {b} at fidelity {fidelity}"
                yield words, there, a, b, fidelity, router(a, b, fidelity)


class RouterSuite:
    """Everything that a router is held to."""

    profile = "router"

    @requirement("QS-L3-020")
    def test_paths_are_simple_and_over_links_that_exist(self, make: MakeRouter) -> None:
        """From source to target, with a fidelity for each link."""
        some = 0
        for words, links, a, b, _, answer in answers(make):
            if isinstance(answer, NoRoute):
                continue
            some += 1
            path = answer.path
            assert (path[0], path[-1]) == (a, b), f"{words}: the path {path} leads elsewhere"
            assert len(set(path)) == len(path), f"{words}: the path {path} visits a node twice"
            hops = [frozenset(hop) for hop in pairwise(path)]
            assert all(hop in links for hop in hops), f"{words}: the path {path} uses a link that does not exist"
            assert len(answer.fidelities) == len(hops), (
                f"{words}: {len(answer.fidelities)} fidelities for {len(hops)} links"
            )
        assert some, "the router finds no path in any network"

    @requirement("QS-L3-020")
    def test_answers_do_not_change(self, make: MakeRouter) -> None:
        """Neither of the same router nor of another one that is told the same."""
        first = [answer for *_, answer in answers(make)]
        assert first == [answer for *_, answer in answers(make)], (
            "another router for the same network answers otherwise"
        )
        router = make(view(GRID))
        twice = [router(a, b, FIDELITIES[0]) for _ in range(2) for a, b in permutations(range(6), 2)]
        assert twice[: len(twice) // 2] == twice[len(twice) // 2 :], "the same question is answered in two ways"

    @requirement("QS-L3-050")
    def test_no_route_says_why(self, make: MakeRouter) -> None:
        """For a cut network, and for a fidelity that no link has."""
        for links, a, b, fidelity in ((CUT, 0, 3, 0.5), (CHAIN, 0, 1, 0.999)):
            answer = make(view(links))(a, b, fidelity)
            assert isinstance(answer, NoRoute), f"from {a} to {b} at {fidelity}: {answer} where there is no route"
            assert answer.why.strip(), f"from {a} to {b} at {fidelity}: no word of why there is no route"

    @requirement("QS-L3-051")
    def test_routes_reach_the_fidelity(self, make: MakeRouter) -> None:
        """By the router's own estimate."""
        for words, _, _, _, fidelity, answer in answers(make):
            if isinstance(answer, Route):
                assert answer.expected >= fidelity, f"{words}: a route of fidelity {answer.expected:g}"

    @requirement("QS-L3-340")
    def test_a_rate_may_be_told(self, make: MakeRouter) -> None:
        """Some routers estimate it."""
        routes = [answer for *_, answer in answers(make) if isinstance(answer, Route)]
        told = sum(isfinite(route.rate) for route in routes)
        raise Informational(f"a rate is told for {told} of {len(routes)} routes")
