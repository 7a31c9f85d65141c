"""The whole stack against closed forms: chains of links, one pair at a time and all at once."""

from __future__ import annotations

from math import exp, inf, sqrt

import numpy as np
import pytest

from benchmarks.p1 import BORN, HOP, PERIOD, PROBABILITY, TABLE, Network, chain, check, measure
from qstack.core.clock import MILLISECOND, NANOSECOND, SECOND
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.pairs import Exponential
from qstack.plugin.contracts import Outcome
from qstack.services.l5_application import Start

WERNER = (4 * BORN - 1) / 3


def ends_stored(segments: int, p: float, a: float) -> float:
    """Return E[exp(-a (D + 2 max(N) - N_1 - N_n))], summed over the largest N by a transfer matrix."""
    top = int(40 / p)
    slots = np.arange(1, top + 1)
    mass = p * (1 - p) ** (slots - 1)
    step = np.exp(-a * np.abs(slots[:, None] - slots[None, :])) * mass[None, :]
    edge = np.exp(a * (slots - top))  # the factor exp(2 a max) is taken out later; scaled to stay finite
    total, before = 0.0, 0.0
    for m in range(1, top + 1):
        state = mass[:m] * edge[:m]
        for _ in range(segments - 1):
            state = state @ step[:m, :m]
        below = float(state @ edge[:m])
        total += exp(-2 * a * (m - top)) * (below - before)
        before = below
    return total


def mean_of_largest(segments: int, p: float) -> float:
    """Return E[max of N geometrics] = sum over n of 1 - (1 - (1-p)^n)^N."""
    n = np.arange(0, int(60 / p))
    return float(np.sum(-np.expm1(segments * np.log1p(-((1 - p) ** n[1:])))) + 1)


def test_the_closed_forms_of_this_file():
    assert ends_stored(5, 0.079236, 0.01756) == pytest.approx(0.329247273024, abs=1e-8)
    assert ends_stored(3, 0.122402, 0.0294) == pytest.approx(0.519551284551, abs=1e-8)
    assert mean_of_largest(8, 0.01) == pytest.approx(270.925, abs=1e-3)


SLOT = 10 * MILLISECOND
DECAY = 0.02


def one_at_a_time(segments: int, shots: int, attempts: str) -> tuple[np.ndarray, np.ndarray]:
    """Ask for single pairs, each when the last one is long gone; return slots and fidelities.

    Messages take no time compared to a slot, so every link begins in the same slot.
    """
    setting = Setting(SLOT, PROBABILITY, (Outcome(1.0, 2, (WERNER,) * 3),))
    net = chain(
        segments,
        seed=segments,
        number=1,
        lanes=1,
        cutoff=0,
        settings=(setting,),
        device=Device(Exponential(inf, SLOT / DECAY)),
        attempts=attempts,
        hop=NANOSECOND,
    )
    slots = []
    for _ in range(shots):
        begin = (net.simulation.now // SLOT + 2) * SLOT + 1
        net.simulation.at(begin, lambda _: net.simulation.nodes[0].feed(Start(0), net.simulation.now), None)
        until_done(net)
        slots.append(net.tally.times[-1] // SLOT - begin // SLOT)
    return np.array(slots), np.array(net.tally.fidelities)


def until_done(net: Network) -> None:
    """Run until both ends have finished."""
    goal = len(net.tally.finished) + 2
    while len(net.tally.finished) < goal:
        net.simulation.run(net.simulation.now + SLOT)
        assert not net.simulation.idle


def agrees(sample: np.ndarray, expected: float) -> bool:
    error = sample.std(ddof=1) / sqrt(len(sample))
    return abs(sample.mean() - expected) < 4 * error


@pytest.mark.parametrize("attempts", ["skip", "each"])
@pytest.mark.parametrize(
    ("segments", "shots"),
    [
        (2, 1500),
        (4, 1000),
        *(pytest.param(n, 10_000, marks=pytest.mark.slow) for n in (2, 4, 8)),
    ],
)
def test_one_pair_at_a_time(segments, shots, attempts):
    slots, fidelities = one_at_a_time(segments, shots, attempts)
    assert len(slots) == len(fidelities) == shots
    assert agrees(slots, mean_of_largest(segments, PROBABILITY))
    xy, z = WERNER**segments * ends_stored(segments, PROBABILITY, DECAY), WERNER**segments
    assert agrees(fidelities, (1 + 2 * xy + z) / 4)


@pytest.mark.parametrize(
    ("segments", "distilled", "seconds"),
    [
        (1, False, 10),
        (2, False, 10),
        (4, False, 8),
        (1, True, 10),
        (4, True, 10),
        *(pytest.param(*row, 40, marks=pytest.mark.slow) for row in TABLE),
    ],
)
def test_the_table_of_p1(segments, distilled, seconds):
    result = measure(chain(segments, seed=3, distilled=distilled), seconds)
    assert result.delivered >= 0.9 * 0.9 * seconds * TABLE[segments, distilled][0]
    check(result, segments, distilled=distilled)


def test_one_link_is_exact():
    """A memory succeeds with p each period while it is free: 10 p / period pairs a second, two hops old at delivery."""
    result = measure(chain(1, seed=5), 30)
    error = sqrt(10 * PROBABILITY * (1 - PROBABILITY) / (PERIOD / SECOND) / 27)
    assert abs(result.rate - 10 * PROBABILITY / (PERIOD / SECOND)) < 4 * error
    aged = WERNER * exp(-2 * 2 * HOP / (0.1 * SECOND))
    assert result.fidelity == pytest.approx((1 + 2 * aged + WERNER) / 4, abs=1e-9)


def test_sixteen_links_never_stand_still():
    """Oldest with oldest, ten memories, no cutoff and no losses: pairs keep coming."""
    net = chain(16, seed=9, cutoff=0)
    net.start()
    for second in range(1, 4):
        before = len(net.tally.times)
        net.run(second)
        assert len(net.tally.times) > before + 1000
    assert not net.simulation.idle
    lost = sum(box.discards for box in net.medium.boxes.values())
    made = sum(link.successes for link in net.medium.links.values())
    assert lost < made / 200  # both halves of what was in flight when a link went on to its next request


def test_youngest_first_stands_still_and_says_who_waits_for_whom():
    net = chain(16, seed=9, cutoff=0, partner=lambda waiting: waiting - 1)
    net.start()
    net.run(30)
    assert net.simulation.idle
    stuck = {number: list(node.layers[2].waiting()) for number, node in net.simulation.nodes.items()}
    assert sum(map(bool, stuck.values())) > 8
    for number, waits in stuck.items():
        for wait in waits:
            assert wait.peer != number
            assert wait.what
            assert 0 <= wait.since <= net.simulation.now
