"""Devices that are warm at first, or cold in cycles: they attempt only while they are cold, and may lose what they hold."""

from __future__ import annotations

import pytest
from tier_bench import CHAIN, CYCLE, MODES, TIERS, Bench, platform, scenario

import qstack
from qstack.core.errors import ConfigError
from qstack.services import device


@pytest.mark.requirement("QS-L1-377")
@pytest.mark.parametrize("attempts", MODES)
def test_a_warm_device_makes_no_attempts(attempts):
    """Wanted from the beginning, changed once while it is warm: the last wish holds when it is cold."""
    bench = Bench("correlators", attempts, [platform(), platform(cooled_at="55 ns")], p=1.0)
    bench.want((0, 1), 1)
    bench.clock.at(20_000, lambda _: bench.want((0, 1), 2), None)
    bench.clock.run(61_001)
    assert [(node, now, noun.emitted, noun.aid) for node, now, noun in bench.heard] == [
        (0, 61_000, 60_000, 2),
        (1, 61_000, 60_000, 2),
    ]


def test_what_is_wanted_at_the_moment_of_the_cold_holds():
    bench = Bench("correlators", "skip", [platform(), platform(cooled_at="60 ns")], p=1.0)
    bench.clock.at(60_000, lambda _: bench.want((0, 1), -1), None)  # before the device is cold, in the same moment
    bench.want((0, 1), 1)
    bench.clock.run(100_000)
    assert bench.heard == []


@pytest.mark.parametrize("attempts", MODES)
def test_a_run_waits_for_the_cold_and_says_so(attempts, tmp_path):
    flow = qstack.load(scenario(CHAIN, attempts, number=5, cooled_at="2 s")).run().flows[0]
    assert flow.delivered == 5
    assert flow.times_s.min() > 2


@pytest.mark.requirement("QS-L1-377")
def test_a_run_that_ends_before_its_hardware_is_cold_is_refused():
    with pytest.raises(ConfigError, match=r"(?s)fewer than 0\.1 in the 0 s .* when n3 is cold at 2 s"):
        qstack.load(scenario(CHAIN, until="1500 ms", cooled_at="2 s"))


TWICE = (("15 ns", "55 ns"), ("80 ns", "200 ns"))


@pytest.mark.requirement("QS-L1-410")
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("attempts", MODES)
def test_a_device_attempts_only_while_it_is_cold(attempts, keep):
    """Cycles begin every 10 ns and succeed: those of 20 to 50 and of 80 to 190 ns, in which the device is cold."""
    bench = Bench("correlators", attempts, [platform(), platform(cold=TWICE)], p=1.0)
    bench.react = lambda node, noun, now: bench.do(node, device.Free(noun.qubit)) if noun.qubit >= 0 else None
    bench.want((0, 1), keep=keep)
    bench.clock.run(300_000)
    emitted = [noun.emitted for node, _, noun in bench.heard if node == 1]
    assert emitted == [n * CYCLE for n in (*range(2, 6), *range(8, 20))]


@pytest.mark.parametrize("attempts", MODES)
def test_what_is_wanted_last_while_it_is_warm_holds_when_it_is_cold(attempts):
    bench = Bench("correlators", attempts, [platform(), platform(cold=TWICE)], p=1.0)
    bench.react = lambda node, noun, now: bench.do(node, device.Free(noun.qubit))
    bench.want((0, 1), 1)
    bench.clock.at(60_000, lambda _: bench.want((0, 1), 2), None)
    bench.clock.at(70_000, lambda _: bench.want((0, 1), 3), None)
    bench.clock.run(100_000)
    assert {noun.aid for _, now, noun in bench.heard if now < 60_000} == {1}
    assert {noun.aid for _, now, noun in bench.heard if now > 60_000} == {3}


@pytest.mark.requirement("QS-L1-411")
@pytest.mark.parametrize("loses", [True, False])
@pytest.mark.parametrize("tier", TIERS)
def test_what_is_stored_is_lost_when_the_device_warms_up_if_its_sheet_says_so(tier, loses):
    bench = Bench(tier, "skip", [platform(), platform(cold=TWICE, warm_loses=loses)], p=1.0)
    bench.want((0, 1))
    bench.clock.run(54_999)
    qubit = bench.heard[-1][2].qubit
    assert bench.fidelity(1, qubit, 54_999) == pytest.approx(1)
    assert bench.fidelity(1, qubit, 55_000) == pytest.approx(0.25 if loses else 1)


def test_a_pair_whose_herald_comes_after_the_warm_up_is_lost_too():
    bench = Bench("correlators", "skip", [platform(), platform(cold=(("0 s", "20500 ps"),), warm_loses=True)], p=1.0)
    bench.clock.at(15_000, lambda _: bench.want((0, 1)), None)
    bench.clock.run(40_000)
    (_, now, noun), _, (node, _, spoiled) = bench.heard
    assert (node, spoiled) == (1, device.Spoiled(0, 0, noun.qubit))
    assert (noun.emitted, now) == (20_000, 21_000)
    assert bench.fidelity(1, noun.qubit, now) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        ({"cold": [["1 s", "2 s"]], "cooled_at": "1 s"}, "give one of them"),
        ({"cold": [["2 s", "1 s"]]}, "times must rise"),
        ({"cold": [["0 s", "2 s"], ["1 s", "3 s"]]}, "times must rise"),
        ({"warm_loses": True}, "nothing warms up"),
    ],
)
def test_times_that_no_cryostat_has_are_refused(sheet, words):
    with pytest.raises(ConfigError, match=words):
        qstack.load(scenario(CHAIN, **sheet))


@pytest.mark.requirement("QS-L1-410")
@pytest.mark.parametrize("attempts", MODES)
def test_a_run_delivers_while_its_hardware_is_cold(attempts):
    cold = [["1 s", "1500 ms"], ["3 s", "3500 ms"]]
    flow = qstack.load(scenario(CHAIN, attempts, number=400, cold=cold, until="5 s")).run().flows[0]
    slack = 0.01  # an answer that was on its way [s]
    assert flow.delivered > 10
    assert all(any(a <= time < b + slack for a, b in ((1, 1.5), (3, 3.5))) for time in flow.times_s)
    assert flow.times_s.min() < 1.5
    assert flow.times_s.max() > 3
    with pytest.raises(ConfigError, match=r"in the 0 s of the run in which .* are cold together"):
        qstack.load(scenario(CHAIN, until="900 ms", cold=cold))
