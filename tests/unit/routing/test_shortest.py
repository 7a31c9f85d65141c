"""Routers: seconds per pair decide, wanted fidelity shapes the path, and a cut network is told."""

from __future__ import annotations

import random

import pytest

from qstack.plugin.sites import NetworkView
from qstack.routing.shortest import ShortestPath, WidestPath
from qstack.services.strategies import Edge, NoRoute, Route, Row


def view(nodes, edges, swap=1.0):
    return NetworkView(
        names=tuple("ABCDEFGHIJ"[:nodes]),
        edges=tuple(edges),
        swap_factors=(swap,) * nodes,
        storage=(lambda age: 1.0,) * nodes,
    )


def edge(a, b, seconds, fidelity=0.98, lanes=1):
    return Edge(a, b, (Row(0.0, seconds, fidelity),), lanes, 1000)


def test_shortest_sums_and_widest_looks_at_the_slowest():
    # A-B-D: 1 + 9 s; A-C-E-D: 4 + 4 + 4 s
    edges = [edge(0, 1, 1), edge(1, 3, 9), edge(0, 2, 4), edge(2, 4, 4), edge(4, 3, 4)]
    found = view(5, edges)
    assert ShortestPath(found)(0, 3, 0.5).path == (0, 1, 3)
    assert WidestPath(found)(0, 3, 0.5).path == (0, 2, 4, 3)


def test_lanes_count():
    edges = [edge(0, 1, 4, lanes=8), edge(1, 2, 4, lanes=8), edge(0, 2, 3)]
    assert ShortestPath(view(3, edges))(0, 2, 0.5).path == (0, 1, 2)


def test_a_wanted_fidelity_leads_another_way():
    edges = [edge(0, 1, 1, 0.9), edge(1, 2, 1, 0.9), edge(0, 2, 50, 0.95)]
    assert ShortestPath(view(3, edges))(0, 2, 0.7).path == (0, 1, 2)
    assert ShortestPath(view(3, edges))(0, 2, 0.9).path == (0, 2)


def test_a_slower_setting_is_taken_where_it_is_needed():
    rows = (Row(0.3, 1.0, 0.7), Row(0.1, 3.0, 0.9), Row(0.02, 15.0, 0.97))
    router = ShortestPath(view(3, [Edge(0, 1, rows, 1, 0), Edge(1, 2, rows, 1, 0)]))
    loose, tight = router(0, 2, 0.5), router(0, 2, 0.9)
    assert loose.fidelities[0] <= 0.9 < tight.fidelities[0] <= 0.97
    assert tight.expected >= 0.9
    assert tight.rate < loose.rate


@pytest.mark.requirement("QS-L3-050")
def test_out_of_reach_says_what_can_be_expected():
    found = ShortestPath(view(3, [edge(0, 1, 1, 0.9), edge(1, 2, 1, 0.9)]))(0, 2, 0.95)
    assert isinstance(found, NoRoute)
    assert found.path == (0, 1, 2)
    assert found.why == "fidelity 0.95 is out of reach over A - B - C: about 0.813 can be expected."


@pytest.mark.requirement("QS-L3-050")
def test_a_cut_network():
    found = ShortestPath(view(4, [edge(0, 1, 1), edge(2, 3, 1)]))(0, 3, 0.5)
    assert found == NoRoute("there is no path from A to D: the network is cut.")


@pytest.mark.requirement("QS-L3-020", "QS-L3-051")
@pytest.mark.parametrize("kind", [ShortestPath, WidestPath])
def test_every_path_is_simple_and_keeps_its_promise(kind):
    draw = random.Random(11)
    served = 0
    for _ in range(60):
        nodes = draw.randint(2, 10)
        pairs = {tuple(sorted(draw.sample(range(nodes), 2))) for _ in range(3 * nodes)}
        edges = [
            edge(a, b, draw.uniform(0.1, 9), draw.uniform(0.7, 0.999), draw.randint(1, 4)) for a, b in sorted(pairs)
        ]
        router = kind(view(nodes, edges, swap=0.99))
        wanted = draw.uniform(0.4, 0.95)
        found = router(0, nodes - 1, wanted)
        assert found == router(0, nodes - 1, wanted)
        if isinstance(found, Route):
            served += 1
            assert found.path[0] == 0
            assert found.path[-1] == nodes - 1
            assert len(set(found.path)) == len(found.path)
            assert found.expected >= wanted - 1e-9
            assert found.rate > 0
    assert served > 20
