"""What a run says of its own approximations, against density matrices; and no link beats the repeaterless bound."""

from __future__ import annotations

import itertools
from math import exp

import numpy as np
import pytest

import qstack
from qstack.core.errors import PhysicsError
from qstack.hardware.models import DoubleClickInterface, StretchedMemory
from qstack.hardware.pairsources import AbsorptiveInterface, PairSourceInterface, SourceInterface
from qstack.plugin.contracts import Fibre, Platform
from qstack.quantum.memory import t1_t2
from qstack.quantum.sources import emitted_or_not
from qstack.quantum.states import bell_from_correlators, fidelity, werner
from qstack.study.platforms import bound_hz, over_distance, secret_share

MEMORY = {"kind": "relaxing", "relaxation_time": "50 ms", "coherence_time": "80 ms"}


def network(**hardware):
    return {
        "name": "bounds",
        "network": {"chain": {"segments": 2, "length": "20 km"}, "hardware": {"all": {"like": "textbook", **hardware}}},
        "stack": {"network": {"cutoff": "10 ms"}},
        "flows": [{"name": "pairs", "from": "n0", "to": "n2", "min_fidelity": 0.6, "number": 50}],
        "run": {"until": "20 s", "seed": 1},
    }


def test_a_run_without_relaxation_is_exact():
    result = qstack.load(network()).run()
    assert str(result.formalism) == "Tier: correlators, exact for this hardware."


def test_a_run_with_relaxation_bounds_the_twirl():
    result = qstack.load(network(memory=MEMORY)).run()
    age = float(result.flows[0].latencies_s.max()) + 100e-6
    assert result.formalism.twirl == pytest.approx(min(1, 3 * (1 - exp(-age / 0.05)) ** 2 / 4))
    assert result.formalism.readout == 0
    assert "twirling T1 moves a fidelity by at most" in str(result.formalism)
    assert "formalism" not in result.summary()


def damped(rho, qubit, survival):
    """Amplitude damping of one of two qubits, by its Kraus operators."""
    kraus = [np.diag([1, survival**0.5]), np.array([[0, (1 - survival) ** 0.5], [0, 0]])]
    lifted = [np.kron(k, np.eye(2)) if qubit == 0 else np.kron(np.eye(2), k) for k in kraus]
    return sum(k @ rho @ k.T for k in lifted)


@pytest.mark.parametrize("bell", [(1, 0, 0, 1), (0, 1, 1, 0)])
@pytest.mark.parametrize(("a", "b"), [(0.9, 0.8), (0.3, 0.99)])
def test_twirl_of_one_pair_stays_within_its_bound(bell, a, b):
    target = np.array(bell) / 2**0.5
    rho = damped(damped(np.outer(target, target), 0, a), 1, b)
    exact = target @ rho @ target
    twirled = fidelity(((a * b) ** 0.5, (a * b) ** 0.5, a * b))
    assert abs(exact - twirled) <= (1 - a) * (1 - b) / 4 + 1e-12
    assert abs(exact - twirled) == pytest.approx((1 - a) * (1 - b) / 4)


def test_unequal_readout_is_its_mean_and_a_bound():
    result = qstack.load(network(readout_error=[0.05, 0.01])).run()
    sheet = qstack.load(network(readout_error=[0.05, 0.01])).plan.platforms[0]
    assert (sheet.readout_error, sheet.readout_bias) == pytest.approx((0.03, 0.02))
    assert result.formalism.readout == pytest.approx(2 * 0.02**2)
    for correlator in (1.0, 0.7, -0.4):  # bits of a pair without bias, read with unequal errors, counted exactly
        flips = ({0: 0.05, 1: 0.01},) * 2
        error = 0.0
        for x, y in itertools.product((0, 1), repeat=2):
            chance = (1 + correlator * (-1) ** (x + y)) / 4
            for fx, fy in itertools.product((0, 1), repeat=2):
                wrong = [f[t] if flip else 1 - f[t] for f, t, flip in zip(flips, (x, y), (fx, fy), strict=True)]
                error += chance * wrong[0] * wrong[1] * ((x ^ fx) != (y ^ fy))
        mean = (1 - correlator * (1 - 0.06) ** 2) / 2
        assert abs(error - mean) == pytest.approx(result.formalism.readout)


@pytest.mark.parametrize("value", [[0.1], [0.1, 0.2, 0.3], [0.1, 1.2]])
def test_wrong_readout_is_refused(value):
    with pytest.raises(qstack.ConfigError, match=r"expected one error, or those|expected numbers from 0 to 1"):
        qstack.load(network(readout_error=value))


# -- no link beats the bound --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(qstack.manager().platforms))
@pytest.mark.parametrize("length", [1.0, 30.0, 150.0])
def test_no_platform_beats_the_repeaterless_bound_of_its_worse_arm(name, length):
    manager = qstack.manager()
    platform = manager.platforms[name]
    if platform.status == "ideal":
        pytest.skip("success and fidelity are given, whatever the fibre")
    make = manager.offers("media", "")["midpoint"]
    fibre = Fibre(length, 0.2 * length, 2e5)
    sheet = make.make(make.options(), a=platform, b=platform, fibre=fibre)
    modes = getattr(platform.interface, "modes", 1)  # each temporal mode is a use of the channel
    for herald in sheet.heralds:
        rate = sheet.lanes * herald.probability / (sheet.period * 1e-12) * secret_share(herald)
        assert rate <= modes * bound_hz(fibre, sheet) * (1 + 1e-9)


# -- sources between nodes ----------------------------------------------------------------------------------------------


def test_a_source_that_may_emit_nothing_by_counting():
    """Every event of one pulse: emitted or not, loaded or not, falsely heralded or not."""
    emission, loads, falses, f = 0.6, (0.3, 0.5), (0.02, 0.05), 0.93
    total = overlap = 0.0
    for emitted, la, lb, fa, fb in itertools.product((0, 1), repeat=5):
        if not emitted and (la or lb):
            continue
        chance = emission if emitted else 1 - emission
        for took, load, false, wrong in ((la, loads[0], falses[0], fa), (lb, loads[1], falses[1], fb)):
            if emitted:
                chance *= load if took else 1 - load
            chance *= false if wrong else 1 - false
            if took and wrong:
                continue
        if (la or fa) and (lb or fb):
            total += chance
            overlap += chance * (f if la and lb else 0.25)
    found = emitted_or_not(bell_from_correlators(werner(f)), emission, loads, falses)
    assert found.probability == pytest.approx(total)
    assert found.fidelity == pytest.approx(overlap / total)


def platform(interface):
    return Platform(name="x", memory=StretchedMemory(coherence_time="1 s"), interface=interface, memories=3)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_timing_of_a_source_in_the_middle(share):
    """A photon arrives after its own arm; a node knows when the other's message has passed the whole fibre too."""
    interface = SourceInterface(pulse_period="1 us", loading=0.5)
    near, far = round(40e6 * 5 * share), round(40e6 * 5 * (1 - share))
    arms = Fibre(40.0, 8.0, 2e5, station=share).arms
    assert interface.emit(arms) == (near, far)
    assert interface.reply(arms) == (far + near + far, near + near + far)
    assert interface.period(arms) == 1_000_000


def test_kept_pairs_of_a_fast_source_wait_for_the_answer():
    make = qstack.manager().offers("media", "")["midpoint"]

    def medium(a, b, fibre):
        return make.make(make.options(), a=a, b=b, fibre=fibre)

    (found,) = over_distance(platform(SourceInterface(pulse_period="1 us", loading=0.5)), medium, [40.0], 0.2)
    (view,) = found.views
    assert view.cycle_s == pytest.approx(300e-6)
    assert view.rate_hz == pytest.approx(3 * view.probability / 300e-6)


def test_sender_receiver_has_its_station_at_the_second_end():
    make = qstack.manager().offers("media", "")["sender-receiver"]
    interface = AbsorptiveInterface(detection=0.5, overhead="1 us")
    node = platform(interface)
    sheet = make.make(make.options(), a=node, b=node, fibre=Fibre(20.0, 4.0, 2e5))
    assert sheet.emit == (0, 100_000_000)
    assert sheet.reply == (200_000_000, 100_000_000)


@pytest.mark.parametrize(
    ("interface", "words"),
    [
        (lambda: AbsorptiveInterface(detection=1.5), "between 0 and 1"),
        (lambda: AbsorptiveInterface(detection=0.5, modes=0), "greater than or equal to 1"),
        (lambda: AbsorptiveInterface(detection=0.5, mean_pairs=(1.0,)), "less than 1"),
        (lambda: PairSourceInterface(pulse_period="0 s", detection=0.5), "must be positive"),
        (lambda: SourceInterface(pulse_period="1 us", loading=0), "greater than 0"),
        (lambda: StretchedMemory(relaxation_time="1 s", coherence_time="3 s"), "T2 exceeds 2 T1"),
    ],
)
def test_impossible_sheets_are_refused(interface, words):
    with pytest.raises(ValueError, match=words):
        interface()


def test_interfaces_that_do_not_fit_are_refused():
    source = SourceInterface(pulse_period="1 us", loading=0.5)
    with pytest.raises(PhysicsError, match="source and absorptive cannot make a link"):
        source.herald(AbsorptiveInterface(detection=0.5), Fibre(1.0, 0.2, 2e5).arms)
    no_cycle = AbsorptiveInterface(detection=0.5)
    with pytest.raises(PhysicsError, match="a cycle of no length"):
        no_cycle.period(Fibre(1e-12, 0.0, 2e5).arms)


@pytest.mark.parametrize("exponent", [1, 2, 3])
def test_stretched_memory(exponent):
    memory = StretchedMemory(relaxation_time="4 s", coherence_time="1 s", exponent=exponent)
    assert memory.decay(1.0).xy == pytest.approx(exp(-1))
    for age in (0.0, 0.01, 0.3, 5.0):
        memory.decay(age).check()
    if exponent == 1:
        assert memory.decay(0.7).xy == pytest.approx(t1_t2(0.7, 4.0, 1.0).xy)


# -- detectors of the station -------------------------------------------------------------------------------------------


def ions(**changes):
    return DoubleClickInterface(detection=0.5, overhead="1 us", **changes)


def test_dead_time_beyond_the_bins_leaves_different_detectors():
    arms = Fibre(1.0, 0.0, 2e5).arms
    ready, dead = ions(), ions(dead_time="60 ns", bin_spacing="40 ns")
    (good,), (half,) = ready.herald(ready, arms), dead.herald(dead, arms)
    assert half.probability == pytest.approx(good.probability / 2)
    assert {outcome.bell for outcome in half.outcomes} == {3}
    quick = ions(dead_time="30 ns", bin_spacing="40 ns")
    assert quick.herald(quick, arms) == (good,)


def test_arrival_jitter_costs_visibility_and_needs_a_lifetime():
    """Mean of exp(-|offset| / lifetime) over Gaussian offsets, drawn."""
    arms = Fibre(1.0, 0.0, 2e5).arms
    shaken = ions(arrival_jitter="3 ns", photon_lifetime="10 ns")
    offsets = np.random.default_rng(2).normal(scale=3.0, size=400_000)
    (herald,) = shaken.herald(shaken, arms)
    assert herald.fidelity == pytest.approx((1 + np.exp(-np.abs(offsets) / 10).mean()) / 2, rel=2e-3)
    careless = ions(arrival_jitter="3 ns")
    with pytest.raises(PhysicsError, match="needs photon_lifetime"):
        careless.herald(careless, arms)
