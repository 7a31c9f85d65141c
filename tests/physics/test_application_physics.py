"""Applications over pairs of known fidelity: what they count is what the closed forms say."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

import qstack
from qstack.core.errors import ConfigError
from qstack.study.outcomes import Trials, chsh, equator_fidelity, mean_fidelity
from qstack.study.result import FlowResult

CLASSICAL = 0.7803300858899106
"""Fidelity above which Werner pairs violate CHSH, (3/sqrt(2) + 1)/4."""


def flow(
    app: Any, fidelity: float, number: int, *, tier: str = "exact", segments: int = 1, **hardware: Any
) -> FlowResult:
    memory = {"kind": "relaxing", "relaxation_time": "inf", "coherence_time": "inf"}
    sheet = {"like": "textbook", "memory": memory, **hardware}
    sheet["interface"] = {"kind": "textbook", "probability": 0.5, "fidelity": fidelity, **hardware.get("interface", {})}
    data = {
        "name": "application",
        "network": {"chain": {"segments": segments, "length": "20 km"}, "hardware": {"all": sheet}},
        "flows": [
            {"name": "f", "app": app, "from": "n0", "to": f"n{segments}", "min_fidelity": 0.25, "number": number}
        ],
        "run": {"until": "200 s", "seed": 5, "tier": tier},
    }
    result = qstack.load(data).run()
    assert result.failures == []
    found: FlowResult = result.flows["f"]
    assert found.delivered == number
    return found


@pytest.mark.requirement("QS-L4-004")
@pytest.mark.parametrize("tier", ["correlators", "exact", "density", "stabiliser"])
@pytest.mark.parametrize("consumption", ["C", "T"])
@pytest.mark.requirement("QS-L4-004")
def test_perfect_pairs_teleport_perfectly(tier: str, consumption: str) -> None:
    found = flow({"use": "teleport", "consumption": consumption}, 1.0, 300, tier=tier, segments=2)
    assert set(found.trials) == set(range(6))
    assert all(case.passed == case.number for case in found.trials.values())
    assert found.outcome is not None
    assert found.outcome.value == 1
    assert 0 < found.outcome.error < 0.02
    assert found.fidelity.mean == pytest.approx(1)


@pytest.mark.requirement("QS-L4-004")
@pytest.mark.parametrize(("tier", "consumption"), [("correlators", "T"), ("exact", "T"), ("exact", "C")])
def test_werner_pairs_teleport_with_two_thirds_of_their_fidelity_and_a_third(tier: str, consumption: str) -> None:
    found = flow({"use": "teleport", "consumption": consumption}, 0.8, 6000, tier=tier)
    outcome = found.outcome
    assert outcome is not None
    assert outcome.tests == 6000
    assert found.fidelity.mean == pytest.approx(0.8)
    assert abs(outcome.value - (2 * 0.8 + 1) / 3) < 4 * outcome.error
    assert outcome.error < 0.01
    for case in found.trials.values():
        assert abs(case.share - (2 * 0.8 + 1) / 3) < 4 * sqrt(case.variance)
        assert case.number == pytest.approx(1000, abs=150)


@pytest.mark.parametrize("tier", ["correlators", "exact", "stabiliser"])
def test_the_reported_fidelity_is_that_of_the_channel(tier: str) -> None:
    """With noisy gates, a repeater and memories that forget, the counted mean still is (2F + 1)/3 of the reported F."""
    memory = {"kind": "relaxing", "relaxation_time": "inf", "coherence_time": "4 ms"}
    found = flow("teleport", 0.95, 4000, tier=tier, segments=2, gate_noise=0.03, memory=memory)
    outcome = found.outcome
    assert outcome is not None
    fidelity = found.fidelity.mean
    assert 0.6 < fidelity < 0.9
    assert abs(outcome.value - (2 * fidelity + 1) / 3) < 4 * outcome.error


def test_no_entanglement_teleports_no_better_than_a_coin() -> None:
    found = flow("teleport", 0.25, 3000)
    assert found.outcome is not None
    assert abs(found.outcome.value - 0.5) < 4 * found.outcome.error


@pytest.mark.requirement("QS-L5-007")
@pytest.mark.parametrize("fidelity", [1.0, 0.9, CLASSICAL, 0.5])
@pytest.mark.requirement("QS-L5-007")
def test_chsh_over_werner_pairs(fidelity: float) -> None:
    outcome = flow("chsh", fidelity, 6000).outcome
    assert outcome is not None
    assert outcome.tests == 6000
    expected = 2 * sqrt(2) * (4 * fidelity - 1) / 3
    assert abs(outcome.value - expected) < 4 * outcome.error
    assert outcome.error < 0.06
    if fidelity > CLASSICAL:
        assert outcome.value - 4 * outcome.error > 2
    elif fidelity == 0.5:  # separable
        assert outcome.value < 2


def test_chsh_over_swapped_pairs_needs_corrections() -> None:
    """Swaps leave any of the four Bell states: only with corrected pairs do directions between the axes violate 2."""
    outcome = flow("chsh", 0.97, 3000, segments=2).outcome
    w = ((4 * 0.97 - 1) / 3) ** 2
    assert outcome is not None
    assert abs(outcome.value - 2 * sqrt(2) * w) < 4 * outcome.error


def test_correlators_refuse_directions_between_the_axes() -> None:
    with pytest.raises(ConfigError, match=r"'chsh' needs directions that tier 'correlators' does not give"):
        flow("chsh", 0.9, 10, tier="correlators")
    with pytest.raises(ConfigError, match=r"choose another with run.tier, such as 'exact'"):
        flow({"use": "rsp", "states": 8}, 0.9, 100, tier="correlators")


@pytest.mark.parametrize(("tier", "states"), [("correlators", 4), ("exact", 4), ("exact", 16), ("stabiliser", 4)])
def test_remote_preparation_over_werner_pairs(tier: str, states: int) -> None:
    found = flow({"use": "rsp", "states": states}, 0.85, 4000, tier=tier, segments=1)
    outcome = found.outcome
    assert outcome is not None
    assert set(found.trials) == set(range(states))
    assert abs(outcome.value - (2 * 0.85 + 1) / 3) < 4 * outcome.error
    assert outcome.error < 0.01
    assert outcome.bound == pytest.approx({4: 0.8536, 16: 0.8204}[states], abs=1e-4)


def test_remote_preparation_over_swapped_perfect_pairs() -> None:
    found = flow({"use": "rsp", "states": 4}, 1.0, 200, tier="correlators", segments=2)
    assert all(case.passed == case.number for case in found.trials.values())


# -- how counts become numbers ------------------------------------------------------------------------------------------


def test_every_state_counts_alike() -> None:
    outcome = mean_fidelity({0: Trials(10, 10), 1: Trials(1000, 500)})
    assert outcome.value == 0.75
    assert outcome.tests == 1010


def test_s_needs_all_four_settings() -> None:
    cases = {0: Trials(8, 6), 1: Trials(8, 6), 2: Trials(8, 6)}
    assert chsh(cases) is None
    outcome = chsh({**cases, 3: Trials(8, 2)})
    assert outcome is not None
    assert outcome.value == 2


def test_a_bit_alone_tells_the_half_of_the_circle() -> None:
    assert equator_fidelity({1: Trials(1, 1)}).bound == pytest.approx(1)
    assert equator_fidelity({63: Trials(1, 1)}).bound == pytest.approx(0.8184, abs=1e-4)
