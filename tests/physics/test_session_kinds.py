"""Kinds of sessions through the whole stack: what is counted is what the closed forms say."""

from __future__ import annotations

from math import exp, sqrt
from typing import Any

import pytest

import qstack
from qstack.core.errors import ConfigError
from qstack.services.bell import Basis
from qstack.study.outcomes import Outcome, Trials, correlation
from qstack.study.result import FlowResult

HERALD = 0.1e-3
"""From the photon to its herald, over 20 km with a station in the middle [s]."""


def flow(
    app: Any,
    number: int,
    *,
    fidelity: float,
    segments: int = 1,
    tier: str = "correlators",
    t2: str = "inf",
    faults: list[dict[str, Any]] | None = None,
) -> FlowResult:
    memory = {"kind": "relaxing", "relaxation_time": "inf", "coherence_time": t2}
    sheet = {
        "like": "textbook",
        "memory": memory,
        "interface": {"kind": "textbook", "probability": 0.5, "fidelity": fidelity},
    }
    data = {
        "name": "kinds",
        "network": {"chain": {"segments": segments, "length": "20 km"}, "hardware": {"all": sheet}},
        "stack": {"network": {"cutoff": "20 ms"}},
        "flows": [
            {"name": "f", "app": app, "from": "n0", "to": f"n{segments}", "min_fidelity": 0.25, "number": number}
        ],
        "faults": faults or [],
        "run": {"until": "2000 s", "seed": 11, "tier": tier},
    }
    result = qstack.load(data).run()
    assert result.failures == []
    found: FlowResult = result.flows["f"]
    assert found.delivered == number
    return found


def counted(found: FlowResult) -> Outcome:
    assert found.outcome is not None
    return found.outcome


@pytest.mark.parametrize(("tier", "segments"), [("correlators", 2), ("exact", 1), ("exact", 2), ("stabiliser", 2)])
@pytest.mark.parametrize("basis", ["X", "Y", "Z"])
def test_bits_measured_as_pairs_are_made_show_the_correlators(basis: str, tier: str, segments: int) -> None:
    """Werner pairs of F = 0.9 have (4F - 1)/3 in every basis; a swap multiplies."""
    found = flow({"use": "correlate", "basis": basis}, 3000, fidelity=0.9, segments=segments, tier=tier)
    outcome = counted(found)
    assert outcome.what == f"correlation in {basis}"
    assert outcome.tests == 3000
    assert abs(outcome.value - ((4 * 0.9 - 1) / 3) ** segments) < 4 * outcome.error
    assert outcome.error < 0.02
    assert found.summary()["fidelity"] is None, "nobody can know the fidelity of a pair that was never kept"


def test_halves_that_are_measured_at_once_do_not_age() -> None:
    """A memory that forgets within the time of a message spoils what is kept, and nothing that is measured as it is made."""
    kept = flow("bbm92", 1500, fidelity=1.0, t2="0.2 ms")
    assert kept.errors[Basis.X].rate > 0.3
    outcome = counted(flow({"use": "correlate", "basis": "X"}, 1500, fidelity=1.0, t2="0.2 ms"))
    assert outcome.value == 1


@pytest.mark.parametrize("early", [True, False])
def test_early_halves_age_until_their_herald_and_others_until_their_track(*, early: bool) -> None:
    """x = w exp(-2 t/T2): t is the time from photon to measurement, with the TRACK's way if its frame is waited for."""
    t2 = 1e-3
    found = flow({"use": "bbm92", "early": early}, 5000, fidelity=0.9, t2=f"{t2} s")
    w = (4 * 0.9 - 1) / 3
    waited = HERALD if early else HERALD + 0.1e-3
    for basis, correlator in ((Basis.X, w * exp(-2 * waited / t2)), (Basis.Z, w)):
        counts = found.errors[basis]
        expected = (1 - correlator) / 2
        assert counts.bits > 500
        assert abs(counts.rate - expected) < 4 * sqrt(expected * (1 - expected) / counts.bits)


def test_keys_of_early_halves_are_equal_where_pairs_are_perfect() -> None:
    """Over a repeater: frames are learnt after the bits, and undone all the same."""
    found = flow({"use": "bbm92", "early": True}, 1000, fidelity=1.0, segments=2)
    assert sum(counts.errors for counts in found.errors.values()) == 0
    assert sum(counts.bits for counts in found.errors.values()) > 250
    assert found.kept > 80


@pytest.mark.parametrize(("tier", "segments"), [("correlators", 1), ("exact", 2), ("stabiliser", 2)])
@pytest.mark.parametrize("basis", ["X", "Y"])
def test_states_prepared_by_a_measured_half(basis: str, tier: str, segments: int) -> None:
    """The fidelity over the equator is 1/2 + (x + y)/4 of the pair's correlators, for either of the two states."""
    found = flow({"use": "rsp", "basis": basis}, 3000, fidelity=0.9, segments=segments, tier=tier)
    outcome = counted(found)
    expected = (1 + ((4 * 0.9 - 1) / 3) ** segments) / 2
    assert set(found.trials) == {0, 1}
    assert all(case.number == pytest.approx(1500, abs=150) for case in found.trials.values())
    assert abs(outcome.value - expected) < 4 * outcome.error
    for case in found.trials.values():
        assert abs(case.share - expected) < 4 * sqrt(case.variance)


@pytest.mark.parametrize("basis", ["X", "Y"])
def test_perfect_pairs_prepare_perfectly(basis: str) -> None:
    found = flow({"use": "rsp", "basis": basis}, 300, fidelity=1.0, segments=2)
    assert all(case.passed == case.number for case in found.trials.values())


@pytest.mark.parametrize("window", [0, 3])
def test_pairs_that_are_handed_up_early_are_what_they_are_told_to_be(window: int) -> None:
    found = flow({"use": "pairs", "consumption": "B", "window": window}, 500, fidelity=0.9, segments=2)
    assert found.fidelity.mean == pytest.approx((1 + 3 * ((4 * 0.9 - 1) / 3) ** 2) / 4, abs=1e-9)


def test_states_are_those_of_a_basis_or_of_a_choice() -> None:
    with pytest.raises(ConfigError, match="give 'states' or 'basis', not both"):
        flow({"use": "rsp", "basis": "X", "states": 4}, 10, fidelity=1.0)
    with pytest.raises(ConfigError, match="'Q'"):
        flow({"use": "correlate", "basis": "Q"}, 10, fidelity=1.0)


def test_a_correlation_is_twice_the_share_less_one() -> None:
    outcome = correlation({Basis.Y: Trials(1000, 900)})
    assert outcome.value == pytest.approx(0.8)
    assert outcome.error == pytest.approx(2 * sqrt(0.9 * 0.1 / 1000), rel=0.02)
    assert (outcome.what, outcome.bound) == ("correlation in Y", 1.0)


# -- in a storm -------------------------------------------------------------------------------------------------------------

STORM = [
    {"probability": 0.05, "action": "drop"},
    {"probability": 0.03, "action": "duplicate", "by": "300 us"},
    {"probability": 0.05, "action": "delay", "by": "500 us"},
    {"probability": 0.02, "action": "corrupt"},
    {"message": "Reply", "probability": 0.04, "action": "drop"},
]
WERNER = ((4 * 0.95 - 1) / 3) ** 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ({"use": "teleport", "consumption": "C"}, (1 + WERNER) / 2),
        ({"use": "teleport", "consumption": "T"}, (1 + WERNER) / 2),
        ("chsh", 2 * sqrt(2) * WERNER),
        ({"use": "rsp", "states": 8}, (1 + WERNER) / 2),
        ({"use": "rsp", "basis": "Y"}, (1 + WERNER) / 2),
        ({"use": "correlate", "basis": "Y"}, WERNER),
    ],
    ids=str,
)
def test_no_frame_is_lost_in_a_storm(app: Any, expected: float) -> None:
    """Swapped Werner pairs of F = 0.95, any of the four Bell states: wrong frames would be seen."""
    outcome = counted(flow(app, 1000, fidelity=0.95, segments=2, tier="exact", faults=STORM))
    assert outcome.tests == 1000
    assert abs(outcome.value - expected) < 4 * outcome.error
