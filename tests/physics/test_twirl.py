"""Heralded states that are not Bell-diagonal: whole in the exact tier, twirled and bounded in the other."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qstack
from qstack.core.layer import Context
from qstack.hardware.exact import ExactTier
from qstack.hardware.installed import InstalledFibre, installed_fibre
from qstack.hardware.models import SingleClickInterface, StretchedMemory
from qstack.hardware.tier import CorrelatorTier
from qstack.hosts.simulation import Simulation
from qstack.plugin.contracts import Fibre, Herald, LinkSheet, Outcome, Platform
from qstack.quantum import density, exact, heralding
from qstack.quantum.heralding import Arm, Detectors
from qstack.quantum.memory import decay_pair, t1_t2, twirl_bound
from qstack.quantum.swapping import swap, swap_factors
from qstack.services import device
from qstack.services.bell import Basis

SINGLE = {
    "kind": "single-click",
    "detection": 0.3,
    "bright_states": [0.05, 0.2],
    "phase_noise": 0.3,
    "dark_click": 0.0003,
    "overhead": "5 us",
}
DOUBLE = {"kind": "double-click", "detection": 0.6, "visibility": 0.9, "overhead": "5 us"}
unit = st.floats(0.02, 1)
small = st.floats(0, 0.2)


def network(interface, tier="correlators", *, segments=1, station=0.5, number=300, least=0.3):
    return {
        "name": "whole states",
        "network": {
            "chain": {"segments": segments, "length": "10 km"},
            "fibre": {"station": station},
            "hardware": {"all": {"memory": {"kind": "relaxing"}, "interface": interface, "memories": 1}},
        },
        "flows": [{"name": "f", "from": "n0", "to": f"n{segments}", "min_fidelity": least, "number": number}],
        "run": {"until": "60 s", "seed": 2, "tier": tier},
    }


@st.composite
def announcements(draw):
    """A single click with everything that can be wrong with it."""
    arms = tuple(Arm(draw(unit), draw(st.floats(0.9, 1)), draw(small)) for _ in "ab")
    alphas = draw(st.tuples(st.floats(0.05, 0.6), st.floats(0.05, 0.6)))
    detectors = Detectors(draw(st.floats(0, 0.05)), draw(st.booleans()))
    return draw(st.sampled_from(heralding.single_click(alphas, arms, draw(unit), detectors, draw(small))))


@st.composite
def decays(draw):
    t1 = draw(st.floats(0.3, 10))
    return t1_t2(draw(st.floats(0, 3)), t1, t1 * draw(st.floats(0.05, 2)))


def twirled(rho, bell):
    """The average over equal Paulis on both halves of a pair."""
    paulis = [
        np.linalg.matrix_power(density.X, a) @ np.linalg.matrix_power(density.Z, b) for a in (0, 1) for b in (0, 1)
    ]
    return sum(np.kron(p, p.conj()) @ rho @ np.kron(p, p.conj()).conj().T for p in paulis) / 4


@given(announcements())
def test_correlators_are_the_twirl_and_its_distance(found):
    """Against the density matrix: Paulis on both ends, and half of the trace norm of what they took away."""
    rho = exact.to_density(found.matrix)
    twin = twirled(rho, found.bell)
    assert exact.from_density(twin) == pytest.approx(exact.from_correlators(found.correlators, found.bell), abs=1e-9)
    distance = np.abs(np.linalg.eigvalsh(rho - twin)).sum() / 2
    assert exact.twirl_distance(found.matrix) == pytest.approx(distance, abs=1e-9)
    assert (found.beyond_bell is None) == (distance < 1e-9) or distance < 1e-8


@pytest.mark.requirement("QS-L1-373")
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(announcements(), decays(), decays(), small, small), min_size=1, max_size=4))
def test_no_chain_moves_further_than_its_bound(chain):
    """Swapped, damped and corrected pairs in both tiers: distances of the states add up, and so do shifts that meet."""
    slow = fast = None
    bound = 0.0
    shifts = []
    for found, a, b, q, m in chain:
        decayed = exact.apply(found.matrix, exact.decay_channel(a), exact.decay_channel(b))
        twin = decay_pair(found.correlators, a, b)
        bound += exact.twirl_distance(found.matrix) + twirl_bound(a, b)
        in_phi = exact.correct(decayed, int(found.bell))
        if slow is None:
            slow, fast = in_phi, twin
        else:
            slow = sum(exact.correct(exact.swap(slow, in_phi, o, q, m), o) for o in range(4))
            fast = swap(fast, twin, swap_factors(q, m))
            bound += abs(shifts[-1] * a.shift) / 4 + abs(shifts[0] * b.shift) / 4
        shifts.append(b.shift)
    moved = exact.to_bell(slow)[0] - (1 + sum(fast)) / 4
    assert abs(moved) <= bound + 1e-9


BITS = tuple(itertools.product((0, 1), repeat=2))


def chances(t):
    """Return the probabilities that bits in Z are 00, 01, 10 and 11."""
    return np.array([exact.joint_probability(t, *(exact.effect(Basis.Z, bit) for bit in bits)) for bits in BITS])


def born(tier, outcome, number=4000):
    """Return how often a link's pairs, measured in Z at once, gave 00, 01, 10 and 11."""
    clock = Simulation()
    medium = tier(clock, 7, 0, "skip")
    part = Platform(memory=StretchedMemory(), interface=SingleClickInterface(detection=0.3))
    tables = [medium.place(n, f"node {n}", part) for n in (0, 1)]
    counts, first = np.zeros(4, int), {}

    def hear(node, noun):
        if node == 0:
            first[noun.sequence] = noun.outcome
        else:
            counts[2 * first[noun.sequence] + noun.outcome] += 1

    for node in (0, 1):
        medium.connect(node, lambda noun, now, node=node: hear(node, noun))
    sheet = LinkSheet((Herald(0.0, 1.0, (replace(outcome, share=1.0),)),), 1000, (0, 0), (500, 500), 1, 250)
    medium.join((0, 1), "link", sheet)
    for node in (0, 1):
        tables[node][device.Trigger](device.Trigger(1 - node, 0, 1, 0, keep=False, bases=(0,)), Context(node))
    clock.run(number * 1000)
    return counts


def test_a_bright_part_reaches_the_exact_tier_whole():
    """One click leaves 11 far more often than 00; correlators cannot say so, and give both the same share."""
    outcome = qstack.load(network(SINGLE, station=0.3)).plan.links[0].sheet.heralds[-1].outcomes[0]
    whole = chances(np.array(outcome.state))
    twin = chances(exact.from_correlators(outcome.correlators, outcome.bell))
    assert whole[3] > 3 * whole[0]
    for tier, expected in ((ExactTier, whole), (CorrelatorTier, twin)):
        counts = born(tier, outcome)
        number = counts.sum()
        z = (counts - number * expected) / np.sqrt(number * expected * (1 - expected))
        assert number > 3900
        assert np.abs(z).max() < 4


def test_a_state_that_is_bell_diagonal_is_not_given_twice():
    for interface, kind in ((DOUBLE, type(None)), (SINGLE, tuple)):
        outcomes = qstack.load(network(interface, station=0.3)).plan.links[0].sheet.heralds[0].outcomes
        assert {type(outcome.state) for outcome in outcomes} == {kind}
    result = qstack.load(network(DOUBLE, number=20)).run()
    assert result.formalism.heralded == 0
    assert str(result.formalism) == "Tier: correlators, exact for this hardware."


@pytest.mark.requirement("QS-L1-373")
def test_a_run_bounds_what_twirling_heralded_states_moves():
    """The distances of the rows that the route asks for, all links together."""
    result = qstack.load(network(SINGLE, segments=2, number=100)).run()
    sheet = qstack.load(network(SINGLE, segments=2)).plan.links[0].sheet
    bright = max(exact.twirl_distance(np.array(o.state)) for o in sheet.heralds[1].outcomes)
    assert result.formalism.heralded == pytest.approx(2 * bright)
    assert "twirling heralded states moves a fidelity by at most" in str(result.formalism)
    faithful = qstack.load(network(SINGLE, least=0.85, number=100)).run()
    dim = max(exact.twirl_distance(np.array(o.state)) for o in sheet.heralds[0].outcomes)
    assert faithful.formalism.heralded == pytest.approx(dim)
    assert dim < bright / 2


@pytest.mark.requirement("QS-L1-373")
def test_tiers_differ_by_less_than_the_bound():
    runs = [qstack.load(network(SINGLE, tier, segments=2, station=0.3)).run() for tier in ("correlators", "exact")]
    fast, slow = (run.flows[0].fidelities for run in runs)
    bound = runs[0].formalism.heralded
    error = np.hypot(fast.std(), slow.std()) / np.sqrt(len(fast))
    assert 0 < bound < 1
    assert abs(fast.mean() - slow.mean()) < bound + 4 * error
    assert str(runs[1].formalism) == "Tier: exact, exact for this hardware."


@given(announcements(), st.floats(0, 1), st.floats(0, 1))
def test_drift_spoils_whole_states_as_it_spoils_their_twirls(found, phase, turn):
    """What a channel leaves is a state whose twirl is what the channel leaves of the twirl."""

    class Same(SingleClickInterface):
        def herald(self, other, arms):
            outcome = Outcome(1.0, int(found.bell), found.correlators, found.state)
            return (replace(super().herald(other, arms)[0], outcomes=(outcome,)),)

    end = Platform(memory=StretchedMemory(), interface=Same(detection=0.5))
    sheet = installed_fibre(InstalledFibre(phase_drift=phase, polarisation_drift=turn), end, end, Fibre(10.0, 2.0, 2e5))
    outcome = sheet.heralds[0].outcomes[0]
    t = exact.check_state(np.array(outcome.state))
    assert exact.to_correlators(t, found.bell) == pytest.approx(outcome.correlators, abs=1e-9)
