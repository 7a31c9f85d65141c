"""Whoever asks gets: circuits that share links in both directions go on, with few memories, with a cutoff and without."""

from __future__ import annotations

import random

import pytest

import qstack

EVERYDAY = 12
MANY = 150


def network(seed: int, **options: object) -> dict[str, object]:
    """Return a random chain, tree or ring with two to five flows between random ends, and few memories."""
    draw = random.Random(seed)
    shape = draw.choice(("chain", "chain", "tree", "ring"))
    size = draw.choice((3, 5, 7, 9)) if shape == "chain" else draw.randrange(4, 9)
    edges = [(draw.randrange(i) if shape == "tree" else i - 1, i) for i in range(1, size)]
    edges += [(size - 1, 0)] if shape == "ring" else []
    ends = [draw.sample(range(size), 2) for _ in range(draw.randrange(1, 4))]
    ends += [ends[0][::-1], draw.sample(range(size), 2)][: draw.randrange(1, 3)]
    return scenario(edges, ends, draw.randrange(1, 5), seed, draw.randrange(5, 40), **options)


def scenario(
    edges: list[tuple[int, int]], ends: list[list[int]], memories: int, seed: int, number: int, **options: object
) -> dict[str, object]:
    """Return flows over perfect links, with simultaneous events in random order."""
    interface = {"kind": "textbook", "probability": 0.3, "fidelity": 1.0, "attempt_period": "100 us"}
    memory = {"kind": "relaxing", "relaxation_time": "inf", "coherence_time": "inf"}
    sheet = {"memory": memory, "interface": interface, "memories": memories}
    return {
        "name": f"shared links {seed}",
        "network": {
            "nodes": [f"n{i}" for i in range(1 + max(max(edge) for edge in edges))],
            "links": [{"a": f"n{a}", "b": f"n{b}", "length": "1 km"} for a, b in edges],
            "hardware": {"all": sheet},
        },
        "stack": {"network": options},
        "flows": [
            {"name": f"flow {i}", "from": f"n{a}", "to": f"n{b}", "number": number} for i, (a, b) in enumerate(ends)
        ],
        "run": {"until": "60 s", "seed": seed, "shuffle_ties": seed},
    }


def served(data: dict[str, object]) -> None:
    """Run a network until nothing is left to do; everybody must have had all pairs."""
    result = qstack.load(data).run()
    assert result.standstill is None
    assert [flow.delivered for flow in result.flows] == [flow["number"] for flow in data["flows"]], data


def chain(segments: int, memories: int, seed: int, **options: object) -> dict[str, object]:
    """Return one flow along a chain, whose half-chains may overlap and hold every lane."""
    edges = [(i, i + 1) for i in range(segments)]
    return scenario(edges, [[0, segments]], memories, seed, 100, **options)


@pytest.mark.requirement("QS-L3-201")
@pytest.mark.parametrize("seed", range(EVERYDAY))
def test_shared_links_go_on_without_a_cutoff(seed):
    served(network(seed))


@pytest.mark.parametrize("seed", range(EVERYDAY, EVERYDAY + EVERYDAY // 2))
def test_shared_links_go_on_with_a_cutoff(seed):
    served(network(seed, cutoff="10 ms"))


@pytest.mark.requirement("QS-L3-201")
@pytest.mark.parametrize("segments", [6, 8])
@pytest.mark.parametrize("memories", [1, 2, 4])
def test_long_chains_go_on_without_a_cutoff(segments, memories):
    served(chain(segments, memories, seed=1))


@pytest.mark.slow
def test_many_shared_links_and_long_chains_go_on():
    for seed in range(1000, 1000 + MANY):
        served(network(seed, **({"cutoff": "10 ms"} if seed % 5 == 0 else {})))
        served(chain(4 + seed % 6, 1 + seed % 5, seed))


def test_without_giving_way_two_flows_stand_still_and_it_is_told():
    data = scenario([(0, 1), (1, 2)], [[0, 2], [2, 0]], 1, 3, 20, give_way=0)
    result = qstack.load(data).run()
    assert result.standstill is not None
    assert "waits for partners" in result.standstill
    served({**data, "stack": {"network": {}}})
