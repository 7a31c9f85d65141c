"""Q-CAST's metric against the published recurrence's values, a simulation of slots and all paths of small graphs."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qstack_router_qcast import best_path, expected_throughput, plugin
from qstack_router_qcast.search import Hop

from qstack.core.errors import PhysicsError
from qstack.plugin.sites import NetworkView
from qstack.services.strategies import Edge, NoRoute, Row

# EXT for p = 0.6 and q = 0.9, computed exactly with fractions from the recurrence of Shi and Qian (SIGCOMM 2020).
WIDTHS = (1, 2, 3, 5)
TABLE = {
    1: (0.6, 1.2, 1.8, 3.0),
    2: (0.324, 0.75168, 1.2083904, 2.1587378688),
    3: (0.17496, 0.5178816, 0.89278308864, 1.6906870003),
    4: (0.0944784, 0.37519262208, 0.689663417168, 1.3736988104),
    6: (0.02754990144, 0.208723342891, 0.440848716772, 0.957621230806),
    8: (0.0080335512599, 0.118693203114, 0.296648040214, 0.693943738647),
}


@pytest.mark.requirement("QS-L3-021")
@pytest.mark.parametrize(
    ("hops", "width", "ext"),
    [(hops, width, ext) for hops, row in TABLE.items() for width, ext in zip(WIDTHS, row, strict=True)],
)
def test_metric_is_the_published_one(hops, width, ext):
    assert expected_throughput([0.6] * hops, width, 0.9) == pytest.approx(ext, abs=1e-6)


def test_metric_is_the_mean_of_simulated_slots():
    """Unequal hops: a path gives as many pairs as its poorest hop has channels, each swapped with probability q."""
    generator = random.Random(5)
    hops, width, swap, slots = (0.5, 0.8, 0.3), 4, 0.9, 40_000
    total = squares = 0
    for _ in range(slots):
        least = min(sum(generator.random() < p for _ in range(width)) for p in hops)
        pairs = sum(all(generator.random() < swap for _ in hops[1:]) for _ in range(least))
        total += pairs
        squares += pairs * pairs
    mean = total / slots
    error = ((squares / slots - mean * mean) / slots) ** 0.5
    assert abs(mean - expected_throughput(hops, width, swap)) < 4 * error
    assert error < 0.01 * mean


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.integers(1, 6), st.floats(0, 1))
def test_order_of_hops_does_not_matter_and_a_further_hop_never_helps(hops, width, swap):
    ext = expected_throughput(hops, width, swap)
    assert expected_throughput(hops[::-1], width, swap) == pytest.approx(ext, abs=1e-9)
    assert expected_throughput([*hops, 0.9], width, swap) <= ext + 1e-9
    assert 0 <= ext <= width + 1e-9


@pytest.mark.parametrize(("hops", "width", "swap"), [([], 1, 1), ([0.5], 0, 1), ([1.5], 1, 1), ([0.5], 1, -0.1)])
def test_impossible_values_are_refused(hops, width, swap):
    with pytest.raises(PhysicsError):
        expected_throughput(hops, width, swap)


def graph(seed, widths):
    generator = random.Random(seed)
    network = {node: {} for node in range(7)}
    for a, b in itertools.combinations(range(7), 2):
        if generator.random() < 0.5:
            network[a][b] = network[b][a] = Hop(generator.uniform(0.1, 0.95), generator.choice(widths))
    return network


def all_paths(network, path, target):
    if path[-1] == target:
        yield path
        return
    for there in network[path[-1]]:
        if there not in path:
            yield from all_paths(network, (*path, there), target)


def exhaustive(network, swap):
    def ext(path):
        hops = [network[a][b] for a, b in itertools.pairwise(path)]
        return expected_throughput([hop.probability for hop in hops], min(hop.width for hop in hops), swap)

    return max((ext(path) for path in all_paths(network, (0,), 6)), default=None)


@pytest.mark.parametrize("seed", range(30))
def test_search_is_exact_for_width_one(seed):
    network = graph(seed, [1])
    found = best_path(network, 0, 6, 0.9)
    best = exhaustive(network, 0.9)
    assert (found is None) == (best is None)
    if found is not None:
        assert found[0] == pytest.approx(best)


def test_greedy_search_finds_the_best_path_nearly_always():
    shares = []
    for seed in range(60):
        network = graph(seed, [1, 2, 4])
        found = best_path(network, 0, 6, 0.9)
        if found is not None:
            shares.append(found[0] / exhaustive(network, 0.9))
    assert max(shares) <= 1 + 1e-9
    assert min(shares) > 0.9
    assert sum(share > 1 - 1e-9 for share in shares) > 0.9 * len(shares)


def test_longest_path_is_kept():
    network = {0: {1: Hop(0.9, 1)}, 1: {0: Hop(0.9, 1), 2: Hop(0.9, 1)}, 2: {1: Hop(0.9, 1)}}
    assert best_path(network, 0, 2, most_hops=1) is None
    assert best_path(network, 0, 2, most_hops=2)[1] == (0, 1, 2)


def view(*edges, cutoff=0):
    """Return a network of (a, b, seconds per pair, fidelity, lanes)."""
    nodes = max(max(e[:2]) for e in edges) + 1
    return NetworkView(
        names=tuple(f"n{i}" for i in range(nodes)),
        edges=tuple(
            Edge(a, b, (Row(0.1, seconds, fidelity),), lanes, 10**6) for a, b, seconds, fidelity, lanes in edges
        ),
        swap_factors=(1.0,) * nodes,
        storage=(lambda age: 1.0,) * nodes,
        cutoff=cutoff,
    )


WIDE = [(0, 1, 1.0, 0.99, 8), (1, 3, 1.0, 0.99, 8)]
NARROW = [(0, 2, 0.3, 0.99, 1), (2, 3, 0.3, 0.99, 1)]


def test_router_prefers_the_wide_path():
    router = plugin.Qcast(plugin.QcastOptions(), view(*WIDE, *NARROW, cutoff=10**12))
    assert router(0, 3, 0.5).path == (0, 1, 3)


def test_router_takes_the_path_that_reaches_the_fidelity():
    poor = [(a, b, seconds, 0.8, lanes) for a, b, seconds, _, lanes in WIDE]
    router = plugin.Qcast(plugin.QcastOptions(), view(*poor, *NARROW, cutoff=10**12))
    assert router(0, 3, 0.5).path == (0, 1, 3)
    route = router(0, 3, 0.95)
    assert route.path == (0, 2, 3)
    assert route.expected >= 0.95
    refusal = router(0, 3, 0.999)
    assert isinstance(refusal, NoRoute)
    assert "out of reach" in refusal.why


def test_cut_network_is_told():
    refusal = plugin.Qcast(plugin.QcastOptions(), view((0, 1, 1.0, 0.9, 1), (2, 3, 1.0, 0.9, 1)))(0, 3, 0.5)
    assert isinstance(refusal, NoRoute)
    assert refusal.why == "there is no path of at most 15 hops from n0 to n3."


def test_slot_is_the_option_then_the_cutoff_then_the_slowest_link():
    network = view(*WIDE, *NARROW)
    assert plugin.Qcast(plugin.QcastOptions(slot="2 s"), network).slot == 2.0
    assert plugin.Qcast(plugin.QcastOptions(), view(*WIDE, cutoff=5 * 10**11)).slot == 0.5
    assert plugin.Qcast(plugin.QcastOptions(), network).slot == 1.0
