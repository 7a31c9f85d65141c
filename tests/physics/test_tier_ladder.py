"""One switch, four formalisms: the same scenario agrees in all of them where it must, and differs where theory says so."""

from __future__ import annotations

import sys
from math import sqrt
from typing import Any

import numpy as np
import pytest

import qstack
from qstack.api import manager
from qstack.conformance.offers import media
from qstack.core.errors import ConfigError, PhysicsError
from qstack.hardware.clusters import DensityHalf, DensityPair, cnot
from qstack.hardware.randomness import Stream
from qstack.hardware.tableau import StabiliserHalf, StabiliserPair, Tableau
from qstack.quantum import density, exact
from qstack.quantum.memory import Decay
from qstack.services.bell import Basis
from qstack.study.outcomes import Trials
from qstack.study.result import FlowResult, Result

TIERS = ("correlators", "exact", "density", "stabiliser")
RELAXING = {"kind": "relaxing", "relaxation_time": "20 ms", "coherence_time": "15 ms"}
DEPHASING = {"kind": "relaxing", "relaxation_time": "inf", "coherence_time": "15 ms"}
LOST = [{"message": "Reply", "nth": [3, 9, 20], "action": "drop"}]


def run(
    tier: Any,
    *,
    app: Any = "bbm92",
    number: int = 800,
    distillation: str = "none",
    attempts: str = "skip",
    faults: Any = (),
    **sheet: Any,
) -> Result:
    hardware = {"like": "textbook", "gate_noise": 0.02, "memory": DEPHASING, "readout_error": 0.03, **sheet}
    return qstack.load(
        {
            "name": "ladder",
            "network": {"chain": {"segments": 2, "length": "20 km"}, "hardware": {"all": hardware}},
            "stack": {"network": {"cutoff": "6 ms"}, "link": {"distillation": distillation}},
            "flows": [{"name": "key", "app": app, "from": "n0", "to": "n2", "min_fidelity": 0.5, "number": number}],
            "faults": list(faults),
            "run": {"until": "6 s", "seed": 3, "tier": tier, "attempts": attempts},
        }
    ).run()


def close(one: FlowResult, two: FlowResult) -> None:
    """Expect the same fidelity and the same error rates."""
    spread = np.hypot(one.fidelity.sem, two.fidelity.sem)
    assert abs(one.fidelity.mean - two.fidelity.mean) < 4 * spread + 1e-9
    for basis in (Basis.X, Basis.Z):
        a, b = (Trials(flow.errors[basis].bits, flow.errors[basis].errors) for flow in (one, two))
        assert abs(a.share - b.share) < 4 * sqrt(a.variance + b.variance)


@pytest.mark.parametrize("attempts", ["skip", pytest.param("each", marks=pytest.mark.slow)])
def test_all_tiers_agree_where_correlators_are_exact(attempts: str) -> None:
    """Pauli noise and equal readout: pairs come at the same picosecond, with the same fidelities and errors."""
    first, *others = (run(tier, attempts=attempts).flows["key"] for tier in TIERS)
    assert first.delivered == 800
    for other in others:
        assert other.times_s == pytest.approx(first.times_s, abs=0)
        close(first, other)


@pytest.mark.parametrize("scheme", [pytest.param("bbpssw", marks=pytest.mark.slow), "dejmps"])
def test_all_tiers_distil_alike(scheme: str) -> None:
    first, *others = (run(tier, distillation=scheme, number=150).flows["key"] for tier in TIERS)
    assert first.delivered == 150
    for other in others:
        assert other.rate_hz == pytest.approx(first.rate_hz, rel=0.15)
        close(first, other)


@pytest.mark.parametrize(
    "sheet",
    [{"memory": RELAXING, "readout_error": [0.01, 0.05]}, {"bell_outcomes": 2, "memory": RELAXING}],
    ids=["relaxing", "failing swaps"],
)
@pytest.mark.parametrize("scheme", ["none", "dejmps"])
def test_matrices_of_clusters_give_the_exact_tier_pair_by_pair(scheme: str, sheet: dict[str, Any]) -> None:
    """T1 with its shift, unequal readout, half-done distillation, swaps that fail: the same draws give the same run."""
    whole, gates = (run(tier, distillation=scheme, number=60, **sheet) for tier in ("exact", "density"))
    one, two = whole.flows["key"], gates.flows["key"]
    assert one.delivered == 60
    assert two.times_s == pytest.approx(one.times_s, abs=0)
    assert two.fidelities == pytest.approx(one.fidelities, abs=1e-9)
    assert {b: (e.bits, e.errors) for b, e in two.errors.items()} == {
        b: (e.bits, e.errors) for b, e in one.errors.items()
    }
    assert str(gates.formalism) == "Tier: density, exact for this hardware."


@pytest.mark.parametrize("app", [{"use": "correlate", "basis": "Y"}, "teleport", {"use": "rsp", "states": 8}])
def test_clusters_keep_what_was_measured_early_and_data(app: Any) -> None:
    """Ends measure before the swap between them, or measure data beside their halves: bit by bit as in the exact tier."""
    one, two = (run(tier, app=app, number=200, memory=RELAXING).flows["key"] for tier in ("exact", "density"))
    assert one.delivered == 200
    assert one.outcome == two.outcome


def test_stabilisers_twirl_as_correlators_do_and_say_so() -> None:
    """T1 is twirled in both; unequal readout is taken as it is, so only correlators have a bound for it."""
    sheet = {"memory": RELAXING, "readout_error": [0.0, 0.06]}
    mean, drawn = (run(tier, **sheet) for tier in ("correlators", "stabiliser"))
    close(mean.flows["key"], drawn.flows["key"])
    assert drawn.formalism is not None
    assert mean.formalism is not None
    assert drawn.formalism.twirl == mean.formalism.twirl > 0
    assert drawn.formalism.readout == 0 < mean.formalism.readout
    assert "noise is drawn" in str(drawn.formalism)
    assert set(drawn.flows["key"].fidelities) == {0.0, 1.0}


def test_stabilisers_draw_from_the_run_and_from_nowhere_else() -> None:
    one, two = (run("stabiliser", distillation="dejmps", faults=LOST, number=100) for _ in range(2))
    assert one.summary() == two.summary()


@pytest.mark.parametrize("tier", ["density", "stabiliser"])
def test_lost_answers_leave_no_qubit_behind(tier: str) -> None:
    result = run(tier, faults=LOST, number=300)
    assert result.flows["key"].delivered == 300
    close(run("correlators", faults=LOST, number=300).flows["key"], result.flows["key"])


def test_swaps_that_fail_leave_stabilisers_nothing() -> None:
    """Linear optics: half of the swaps fail in both tiers, and those that do not give the same pairs."""
    mean, drawn = (run(tier, bell_outcomes=2) for tier in ("correlators", "stabiliser"))
    close(mean.flows["key"], drawn.flows["key"])
    for result in (mean, drawn):
        swaps = result.nodes[1]["swaps"]
        assert abs(result.nodes[1]["swaps_failed"] - swaps / 2) < 4 * sqrt(swaps / 4)


# -- what is refused --------------------------------------------------------------------------------------------------


def test_more_qubits_than_allowed_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"4 qubits would share one density matrix, and at most 3 may.*tier: exact"):
        run({"use": "density", "qubits": 3})
    with pytest.raises(ConfigError, match=r"qubits"):
        run({"use": "density", "qubits": 11})


def test_stabilisers_without_stim_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stim", None)
    with pytest.raises(ConfigError, match=r"needs stim: install the extra 'stabiliser'"):
        run("stabiliser")
    judged = set(media(manager()))
    assert judged == set(TIERS) - {"stabiliser"}, "what cannot work here is not judged"


def test_stabilisers_refuse_directions_between_the_axes() -> None:
    with pytest.raises(ConfigError, match=r"'chsh' needs directions that tier 'stabiliser' does not give"):
        qstack.load(
            {
                "name": "directions",
                "network": {"chain": {"segments": 1, "length": "1 km"}, "hardware": {"all": "textbook"}},
                "flows": [{"name": "f", "app": "chsh", "from": "n0", "to": "n1", "number": 5}],
                "run": {"until": "1 s", "tier": "stabiliser"},
            }
        )


class Reviving:
    """A memory whose coherence comes back, which no Pauli error can do."""

    def survival(self, start: int, end: int) -> tuple[float, float]:
        return 1.5, 1.0


def test_stabilisers_refuse_a_memory_that_revives() -> None:
    half, _ = sample(Tableau(Stream(1, 0, "noise")), 0, law=Reviving())
    with pytest.raises(PhysicsError, match=r"no Pauli noise: the memory revives"):
        half.age(5)


# -- states -----------------------------------------------------------------------------------------------------------


def sample(tableau: Tableau, bell: int, law: Any = None) -> tuple[StabiliserHalf, StabiliserHalf]:
    made = StabiliserPair(tableau, bell, 1.0, 1.0, 1.0)
    made.a = StabiliserHalf(made, law, 0, None, 0)
    made.b = StabiliserHalf(made, law, 0, None, 1)
    return made.a, made.b


@pytest.mark.parametrize("bell", range(4))
def test_a_perfect_pair_is_its_bell_state_before_and_after_a_half_is_measured(bell: int) -> None:
    tableau = Tableau(Stream(1, 0, "noise"))
    a, b = sample(tableau, bell)
    assert [a.pair.fidelity_with(k) for k in range(4)] == [float(k == bell) for k in range(4)]
    bits = a.leave(Basis.Y, tableau.draw), b.leave(Basis.Y, tableau.draw)
    signs = exact.BELL_SIGNS[bell]
    assert (bits[0] == bits[1]) == (signs[2] > 0)
    assert [a.pair.fidelity_with(k) for k in range(4)] == [float(k == bell) for k in range(4)]
    assert len(tableau.unused) == tableau.columns == 2


def test_twirled_errors_have_the_factors_of_the_channel() -> None:
    """One half of Phi+ under (xy, z) = (0.6, 0.8): <XX> is 0.6 and <ZZ> 0.8 in the mean."""

    class Fading:
        def survival(self, start: int, end: int) -> tuple[float, float]:
            return 0.6, 0.8

    tableau = Tableau(Stream(2, 0, "noise"))
    number = 4000
    total = np.zeros(4)
    for _ in range(number):
        a, b = sample(tableau, 0, law=Fading())
        a.age(7)
        total += tableau.signs(a.column, b.column)
        for half in (a, b):
            half.leave(Basis.Z, tableau.draw)
    mean = total / number
    for found, expected in zip(mean, (1.0, 0.6, -0.6, 0.8), strict=True):
        assert abs(found - expected) < 4 * sqrt((1 - expected**2) / number) + 1e-12
    assert tableau.columns == 2


def test_clusters_follow_kraus_operators_through_random_circuits() -> None:
    """Channels, noisy CNOTs and readouts between three pairs, against operators on one matrix of six qubits."""
    rng = np.random.default_rng(11)
    for _ in range(12):
        halves: list[DensityHalf] = []
        rho = np.ones((1, 1), complex)
        for bell in rng.integers(0, 4, 3):
            made = DensityPair(int(bell), 0.9, 0.85, 0.8)
            made.a, made.b = (DensityHalf(made, None, 0, None, side) for side in (0, 1))
            halves += [made.a, made.b]
            rho = np.kron(rho, exact.to_density(exact.from_correlators((0.9, 0.85, 0.8), int(bell))))
        for _ in range(6):
            one, two = (int(i) for i in rng.choice(6, 2, replace=False))
            g = float(rng.uniform())
            halves[one].apply(exact.decay_channel(Decay(sqrt(1 - g), 1 - g, g)))
            damping = [np.diag([1, sqrt(1 - g)]).astype(complex), np.array([[0, sqrt(g)], [0, 0]], complex)]
            rho = density.cnot(density.apply(rho, damping, (one,)), one, two, 0.1)
            cnot(halves[one], halves[two], 0.1, 6)
        read, kept = halves[0], halves[1]
        effect = exact.effect(Basis.Z, 1, 0.1, 0.2)
        chance = read.cluster.chance((read, effect))
        read.cluster.drop(read, effect)
        operator = np.sqrt(np.diag([0.1, 0.8])).astype(complex)  # reported 1 from a true 0, and from a true 1
        after = density.apply(rho, [operator], (0,))
        assert chance == pytest.approx(float(np.real(np.trace(after))))
        expected = density.keep(after / np.trace(after), (1,))
        cluster = kept.cluster
        assert density.keep(cluster.rho, (cluster.halves.index(kept),)) == pytest.approx(expected)
