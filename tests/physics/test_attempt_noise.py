"""What a node's attempts do to what it has stored: counted in skip-ahead, noted attempt by attempt, in both tiers."""

from __future__ import annotations

from collections import deque
from math import exp, inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import qstack
from qstack.core.errors import ConfigError, PhysicsError
from qstack.core.layer import Context
from qstack.hardware.exact import ExactTier
from qstack.hardware.midpoint import midpoint
from qstack.hardware.models import RelaxingMemory
from qstack.hardware.tally import Counted, Noted
from qstack.hardware.tier import CorrelatorTier
from qstack.hosts.simulation import Simulation
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Decay, Herald, InterfaceModel, LinkSheet, MemoryModel, Outcome, Platform
from qstack.quantum.memory import attempts as closed_form
from qstack.services import device
from qstack.services.bell import Basis
from qstack.study.platforms import over_distance

PERIOD, REPLY = 10_000, 1_000
LASTING = 12.0
TIERS = {"correlators": CorrelatorTier, "exact": ExactTier}
MODES = ("skip", "each")


class Given(InterfaceModel):
    """Stands where the link is given as a sheet."""

    kind = "given"

    def herald(self, other, arms):
        return ()

    def period(self, arms):
        return PERIOD


class Vendor(MemoryModel):
    """A memory of a plugin: one function, and no word of attempts."""

    kind = "vendor"

    def decay(self, age_s):
        return Decay(exp(-age_s / 1e-8), 1.0)


def platform(lasting: float = LASTING, memory: type[MemoryModel] = RelaxingMemory) -> Platform:
    return Platform(memory=memory(dephasing_attempts=lasting), interface=Given())


class Bench:
    """Nodes in a row without layers: device requests in, indications out."""

    def __init__(
        self,
        tier,
        attempts,
        *,
        nodes=3,
        p=(0.1, 0.1),
        lanes=1,
        seed=1,
        lasting=LASTING,
        period=PERIOD,
        memory=RelaxingMemory,
    ) -> None:
        self.clock = Simulation()
        midpoint = (lambda ends: Midpoint(ends, window=1)) if attempts == "each" else None
        self.medium = TIERS[tier](self.clock, seed, 0, attempts, midpoint)
        self.tables = {n: self.medium.place(n, f"node {n}", platform(lasting, memory)) for n in range(nodes)}
        self.react = lambda node, noun, now: None
        for node in range(nodes):
            self.medium.connect(node, lambda noun, now, node=node: self.react(node, noun, now))
        for node, chance in zip(range(nodes - 1), p, strict=False):
            rows = (Herald(0.0, chance, (Outcome(1.0, 0, (1.0, 1.0, 1.0)),)),)
            sheet = LinkSheet(rows, period, (0, 0), (REPLY, REPLY), lanes, 500)
            self.medium.join((node, node + 1), f"link {node}", sheet)

    def do(self, node, request):
        context = Context(node)
        context.now = self.clock.now
        return list(self.tables[node][type(request)](request, context))

    def want(self, node, peer, aid=1, lane=0, *, keep=True):
        self.do(node, device.Trigger(peer, lane, aid, 0, keep, () if keep else (0,)))


def swapped(tier: str, attempts: str, number: int, seed: int) -> np.ndarray:
    """Return the fidelities of pairs of a repeater that swaps as soon as it can, the ends freed at once."""
    bench = Bench(tier, attempts, seed=seed)
    waiting = {0: deque(), 2: deque()}
    far = {}
    found = []

    def react(node, noun, now):
        if not isinstance(noun, device.Herald):
            return
        if node != 1:
            far[node] = noun.qubit
        else:
            waiting[noun.peer].append(noun.qubit)
        if waiting[0] and waiting[2] and len(far) == 2:
            bench.do(1, device.Swap(waiting[0].popleft(), waiting[2].popleft()))
            half = bench.medium.qubits[0][far[0]]
            half.age(now)
            found.append(half.pair.fidelity_with(half.pair.bell) if tier == "correlators" else best(half.pair))
            for end in (0, 2):
                bench.do(end, device.Free(far.pop(end)))

    bench.react = react
    for node, peer in ((0, 1), (1, 0), (1, 2), (2, 1)):
        bench.want(node, peer)
    while len(found) < number:
        bench.clock.run(bench.clock.now + 1000 * PERIOD)
    return np.array(found[:number])


def best(pair) -> float:
    return max(pair.overlap(bell) for bell in range(4))


@pytest.mark.requirement("QS-L1-029", "QS-L1-370")
@pytest.mark.parametrize("tier", TIERS)
def test_a_repeater_swaps_pairs_that_its_attempts_have_dephased(tier):
    """The first half waits d = |A - B| attempts; A, B geometric: E[e^(-d/N)] = p/(2-p) (1 + 2 q e/(1 - q e))."""
    p, e = 0.1, exp(-1 / LASTING)
    q = 1 - p
    mean = p / (2 - p) * (1 + 2 * q * e / (1 - q * e))
    square = p / (2 - p) * (1 + 2 * q * e**2 / (1 - q * e**2))
    number = 1500
    found = {mode: swapped(tier, mode, number, seed) for seed, mode in enumerate(MODES, 3)}
    for sample in found.values():
        error = sqrt((square - mean**2) / 4 / number)
        assert abs(sample.mean() - (1 + mean) / 2) < 4 * error
        waits = -LASTING * np.log(2 * sample - 1)  # whole attempts, and as many as there were
        assert np.abs(waits - waits.round()).max() < 1e-6
        counts = np.bincount(waits.round().astype(int), minlength=31)[:31]
        expected = np.array([p / (2 - p), *(2 * p * q**d / (2 - p) for d in range(1, 31))]) * number
        assert stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-4
    assert stats.ks_2samp(found["skip"], found["each"]).pvalue > 1e-4


@pytest.mark.requirement("QS-L1-370")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("attempts", MODES)
def test_attempts_that_nobody_answers_do_harm_too(tier, attempts):
    """Node 1 holds a pair with node 0 and attempts alone towards node 2, stops, and starts again at another pace."""
    bench = Bench(tier, attempts, p=(1.0, 0.5), period=400)
    qubits = {}
    seen = []

    def react(node, noun, now):
        qubits[node] = noun.qubit

    def read(_):
        half = bench.medium.qubits[1][qubits[1]]
        half.age(bench.clock.now)
        seen.append(half.pair.fidelity_with(0))

    bench.react = react
    bench.want(0, 1)
    bench.want(1, 0)  # emitted at 0, told at 1000
    wishes = {
        1000: {},  # kept: one attempt every 1200 ps: 1200, 2400, 3600
        4799: {"aid": -1},
        10_001: {"aid": 2, "keep": False},  # measured: every 400 ps, 10 400 to 12 000
    }
    for time, wish in wishes.items():
        bench.clock.at(time, lambda wish: bench.want(1, 2, **wish), wish)
    bench.clock.at(12_050, read, None)
    bench.clock.at(12_060, lambda _: bench.do(0, device.Free(qubits[0])), None)  # node 1 is full, and does not attempt
    bench.clock.at(13_001, read, None)  # 12 400 and 12 800, towards node 2
    bench.clock.run(13_001)
    p = (1 - exp(-1 / LASTING)) / 2
    assert seen == pytest.approx([(1 + closed_form(n, p).xy) / 2 for n in (8, 10)])


def first_heralds(bench):
    """Return what both ends of the first link are told at their first answer, while the middle node attempts on both."""
    heralds = []
    bench.react = lambda node, noun, now: heralds.append(noun)
    bench.want(1, 2, keep=False)
    bench.want(0, 1)
    bench.want(1, 0)
    bench.clock.run(REPLY)
    return heralds


@pytest.mark.parametrize("attempts", MODES)
def test_a_half_sees_what_was_attempted_while_its_answer_was_on_its_way(attempts):
    """Emitted at 0, told at 1000: the attempts at 400 and 800 of another lane came after its emission."""
    bench = Bench("correlators", attempts, p=(1.0, 0.0), period=400)
    heralds = first_heralds(bench)
    half = bench.medium.qubits[1][heralds[0].qubit]
    half.age(bench.clock.now)
    assert half.pair.fidelity == pytest.approx((1 + exp(-2 / LASTING)) / 2)
    half.age(bench.clock.now)  # nothing twice
    assert half.pair.fidelity == pytest.approx((1 + exp(-2 / LASTING)) / 2)


@pytest.mark.requirement("QS-PL-370")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("attempts", MODES)
def test_a_memory_of_a_plugin_suffers_from_attempts_too(tier, attempts):
    """Two attempts of the other lane, and a nanosecond at each end of its own decay."""
    bench = Bench(tier, attempts, p=(1.0, 0.0), period=400, memory=Vendor)
    heralds = first_heralds(bench)
    for node, noun in zip((0, 1), heralds, strict=True):
        half = bench.medium.qubits[node][noun.qubit]
        half.age(REPLY)
    left = exp(-2 / LASTING - 2 * REPLY * 1e-12 / 1e-8)
    assert half.pair.fidelity_with(0) == pytest.approx((1 + left) / 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2), st.sampled_from([0, 4, 7])), max_size=25), st.data())
def test_counting_is_making(changes, data):
    """Counted from paces equals noted one by one, at every time and as far back as the horizon."""
    counted, noted = Counted(1.0), Noted(1.0)
    counted.horizon = noted.horizon = 40
    paces, now = [0, 0, 0], 0
    for wait, lane, pace in changes:
        for time in range(now, now + wait):
            for _ in range(sum(1 for p in paces if p and time % p == 0)):
                noted.note(time)
        now += wait
        counted.change(now, paces[lane], pace)
        paces[lane] = pace
        assert counted.until(now) == noted.until(now)
        back = data.draw(st.integers(0, min(40, now)))
        assert counted.before(now - back) == noted.before(now - back)


def test_noted_attempts_are_forgotten_when_nobody_can_ask():
    noted = Noted(1.0)
    noted.horizon = 10
    for time in range(5000):
        noted.note(time)
    assert noted.until(5000) == 5000
    assert noted.before(4995) == 4995
    assert len(noted._times) < 2048


@pytest.mark.parametrize("lasting", [0, -1.0, float("nan")])
def test_no_attempts_or_fewer_are_refused(lasting):
    with pytest.raises(PhysicsError, match="positive"):
        Counted(lasting)


# -- through the whole stack ------------------------------------------------------------------------------------------


def scenario(attempts="skip", tier="correlators", lasting="50", memories=2, **memory):
    interface = {"kind": "textbook", "probability": 0.05, "fidelity": 1.0, "attempt_period": "100 us"}
    hardware = {
        "memory": {"kind": "relaxing", "dephasing_attempts": lasting, **memory},
        "interface": interface,
        "memories": memories,
    }
    return {
        "name": "worn",
        "network": {"chain": {"segments": 3, "length": "10 km"}, "hardware": {"all": hardware}},
        "flows": [{"name": "pairs", "from": "n0", "to": "n3", "min_fidelity": 0.3, "number": 300}],
        "run": {"until": "100 s", "seed": 4, "attempts": attempts, "tier": tier},
    }


@pytest.mark.requirement("QS-L1-029", "QS-L1-370")
@pytest.mark.parametrize("memory", [{}, {"coherence_time": "20 ms"}])
def test_attempt_by_attempt_equals_skip_ahead_in_a_chain(memory):
    runs = {mode: qstack.load(scenario(mode, **memory)).run().flows[0].fidelities for mode in MODES}
    skip, each = runs["skip"], runs["each"]
    assert len(skip) == len(each) == 300
    assert abs(skip.mean() - each.mean()) < 4 * np.hypot(skip.std(), each.std()) / sqrt(300)
    assert stats.ks_2samp(skip, each).pvalue > 1e-4
    clean = qstack.load(scenario(lasting="inf", **memory)).run().flows[0].fidelities
    assert clean.mean() > skip.mean() + 0.1


def test_dephasing_is_the_same_in_both_tiers():
    fast, slow = (qstack.load(scenario(tier=tier)).run().flows[0].fidelities for tier in TIERS)
    assert slow == pytest.approx(fast, abs=1e-9)


def test_layers_expect_what_attempts_do():
    """A node that is never idle: two links of two lanes but for the one that is kept, once every 100 us."""
    worn, clean = (qstack.load(scenario(lasting=lasting)).plan.view.storage for lasting in ("50", "inf"))
    wait = 10**10  # 10 ms: 300 attempts of a repeater, 100 of an end
    assert clean[1](wait) == 1
    assert worn[1](wait) == pytest.approx((2 * exp(-300 / 50) + 1) / 3)
    assert worn[0](wait) == pytest.approx((2 * exp(-100 / 50) + 1) / 3)


# -- the data sheet ---------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L1-371")
@pytest.mark.parametrize("value", [0, -3, "-3", "many", True, "nan"])
def test_sheets_with_an_impossible_number_are_refused(value):
    with pytest.raises(ConfigError, match=r"memory\.dephasing_attempts.*\n?.*number of attempts"):
        qstack.load(scenario(lasting=value))


def test_a_key_that_is_misspelt_is_named():
    data = scenario()
    memory = data["network"]["hardware"]["all"]["memory"]
    memory["dephasing_attempt"] = memory.pop("dephasing_attempts")
    with pytest.raises(ConfigError, match="dephasing_attempts"):
        qstack.load(data)


def test_a_sheet_is_the_same_after_writing():
    for lasting in (1800.0, inf):
        memory = RelaxingMemory(dephasing_attempts=lasting)
        assert RelaxingMemory.model_validate(memory.model_dump(mode="json")) == memory
        RelaxingMemory.model_validate_json(memory.model_dump_json())


def test_what_a_platform_implies_counts_its_attempts():
    """The next pair takes 1/p attempts on average; a shared communication qubit makes the pairs of both memories."""
    data = scenario(lasting="40")["network"]["hardware"]["all"]
    shared = {**data, "qubits": {"communication": 1, "storage": 1}}
    (two,), (one,) = (
        over_distance(qstack.load(with_sheet(sheet)).plan.platforms[0], midpoint, [10.0], 0.2)
        for sheet in (data, shared)
    )
    assert two.views[0].waiting == pytest.approx((2 * exp(-1 / 0.05 / 40) + 1) / 3)
    assert two.views[0].rate_hz == pytest.approx(2 * one.views[0].rate_hz)


def with_sheet(sheet):
    return {**scenario(), "network": {"chain": {"segments": 1, "length": "10 km"}, "hardware": {"all": sheet}}} | {
        "flows": [{"name": "pairs", "from": "n0", "to": "n1", "min_fidelity": 0.3, "number": 1}]
    }


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("attempts", MODES)
def test_data_qubits_are_stored_qubits(tier, attempts):
    """A qubit in |+> at 50, three attempts at 400, 800 and 1200: read 0 in X with probability (1 + e^(-3/N)) / 2."""
    zeros, number = 0, 1500
    for seed in range(number // 50):
        bench = Bench(tier, attempts, p=(0.0, 0.0), period=400, seed=seed)
        made, told = [], []
        bench.want(1, 2, keep=False)

        def prepare(_, bench=bench, made=made):
            made += [answer.qubit for _ in range(50) for answer in bench.do(1, device.Prepare(device.TURN // 4, 0, 0))]

        def read(_, bench=bench, made=made, told=told):
            told += [answer.outcome for qubit in made for answer in bench.do(1, device.Measure(qubit, Basis.X, 0))]

        bench.clock.at(50, prepare, None)
        bench.clock.at(1250, read, None)
        bench.clock.run(1250)
        zeros += told.count(0)
    p = (1 + exp(-3 / LASTING)) / 2
    assert abs(zeros - number * p) < 4 * sqrt(number * p * (1 - p))
