"""Links that change while they run: draws from the summed hazard against sums by hand, and both ways of attempting."""

from __future__ import annotations

from math import exp, log1p
from time import perf_counter

import numpy as np
import pytest
from scipy import stats

from qstack.core.errors import PhysicsError
from qstack.core.node import Node
from qstack.hardware.course import Course, Summed, courses
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Medium
from qstack.hosts.simulation import Simulation
from qstack.physical.midpoint import Midpoint
from qstack.plugin.contracts import Herald as Row
from qstack.plugin.contracts import LinkSheet, Outcome, Phase
from qstack.services.device import Free, Herald, Trigger

US = 10**6
PERFECT = (Outcome(1.0, 0, (1.0, 1.0, 1.0)),)
WORSE = (Outcome(1.0, 3, (0.5, 0.5, 0.5)),)
SWELLING = Course(
    (3000 * US, 5000 * US, 8000 * US, 11_000 * US, 12_000 * US),
    (0.0, 0.01, 0.1, 0.004, 0.0),
    ((), WORSE, PERFECT, WORSE, ()),
)


def by_hand(course, cycle, start):
    """Return the distribution of the first success, attempt by attempt, and the chance that there is none."""
    survived, chances = 1.0, {}
    for attempt in range(start, -(-course.until[-1] // cycle)):
        p = course.probability(attempt * cycle)
        chances[attempt] = survived * p
        survived *= 1 - p
    return chances, survived


@pytest.mark.requirement("QS-L1-380")
@pytest.mark.parametrize("cycle", [7 * US, 10 * US])
@pytest.mark.parametrize("start", [0, 450, 700])
def test_the_draw_is_that_of_all_attempts(cycle, start):
    """The attempt of every drawn number is the one at which the probability of having succeeded passes it."""
    summed = Summed(SWELLING, cycle)
    chances, none = by_hand(SWELLING, cycle, start)
    passed = np.cumsum(list(chances.values()))
    attempts = list(chances)
    for share in np.linspace(0.0005, 0.9995, 997):
        found = summed.success(start, -log1p(-share))
        expected = attempts[int(np.searchsorted(passed, share, side="right"))] if share < 1 - none - 1e-12 else None
        assert found == expected


def test_certain_and_impossible_stretches():
    course = Course((10, 20, 30), (0.0, 1.0, 0.0), ((), PERFECT, ()))
    summed = Summed(course, 2)
    assert [summed.success(k, 3.0) for k in (0, 5, 7, 9, 10, 400)] == [5, 5, 7, 9, None, None]
    assert course.probability(30) == 0.0


@pytest.mark.parametrize(("until", "chances"), [((5, 5), (0.1, 0.1)), ((0,), (0.1,)), ((5,), (1.5,)), ((5,), (-0.1,))])
def test_an_impossible_course_is_refused(until, chances):
    with pytest.raises(PhysicsError, match="course"):
        Course(until, chances, (PERFECT,) * len(until))


def heard(attempts, *, keep, seed, course=SWELLING, period=10 * US, reply=35 * US, until=13_000 * US):
    """Return (emission, Bell index) of all successes of one lane whose ends attempt all the time and free at once."""
    clock = Simulation()
    station = (lambda ends: Midpoint(ends, window=1)) if attempts == "each" else None
    medium = Medium(clock, seed, attempts=attempts, midpoint=station)
    found, nodes = [], []

    def feed(side):
        def told(noun, now):
            if isinstance(noun, Herald):
                if side == 0:
                    found.append((noun.emitted, noun.bell))
                if noun.qubit >= 0:
                    nodes[side].context.now = now
                    medium.boxes[side].free(Free(noun.qubit), nodes[side].context)

        return told

    for side in (0, 1):
        medium.add_node(side, Device(None), feed(side))
        medium.effects(side, f"node {side}")
        nodes.append(Node(side, (), {}))
    medium.add_link((0, 1), 1, (Setting(period, 0.5, PERFECT, course),), (0, 0), (reply, reply), "link")
    for side in (0, 1):
        nodes[side].context.now = 0
        medium.boxes[side].trigger(Trigger(1 - side, 0, 1, 0, keep, () if keep else (0,)), nodes[side].context)
    clock.run(until)
    return found, clock.events


@pytest.mark.requirement("QS-L1-029", "QS-L1-380", "QS-L1-381")
@pytest.mark.parametrize("keep", [True, False])
def test_attempt_by_attempt_equals_skip_ahead(keep):
    """Times of all successes of 150 runs, how many there are, and what they announce at which time."""
    found = {mode: [heard(mode, keep=keep, seed=s)[0] for s in range(150)] for mode in ("skip", "each")}
    times = {mode: np.array([t for run in runs for t, _ in run]) for mode, runs in found.items()}
    assert stats.ks_2samp(times["skip"], times["each"]).pvalue > 1e-4
    cycle = 40 * US if keep else 10 * US  # a kept qubit waits for the answer
    expected = sum(SWELLING.probability(k * cycle) for k in range(12_000 * US // cycle))
    for mode, runs in found.items():
        sizes = np.array([len(run) for run in runs])
        assert abs(sizes.mean() - expected) < 4 * sizes.std() / np.sqrt(150), mode
        for time, bell in (pair for run in runs for pair in run):
            assert 3000 * US <= time < 11_000 * US
            assert bell == (0 if 5000 * US <= time < 8000 * US else 3)


def test_a_pass_of_a_billion_attempts_takes_seconds():
    """300 s, an attempt every 300 ns, success rising and falling as a Gaussian from second to second."""
    peak, width = 2e-5, 60.0
    chances = tuple(peak * exp(-(((k + 0.5 - 150) / width) ** 2)) for k in range(300))
    course = Course(tuple((k + 1) * 10**12 for k in range(300)), chances, (PERFECT,) * 300)
    begin = perf_counter()
    pairs, events = heard("skip", keep=False, seed=4, course=course, period=300_000, reply=300_000, until=301 * 10**12)
    assert perf_counter() - begin < 10  # a loaded machine; half a second on a quiet one
    expected = sum(chances) * 1e12 / 300_000
    assert abs(len(pairs) - expected) < 4 * expected**0.5
    assert events < 4 * len(pairs) + 10


def test_rows_over_a_span_count_what_comes_in_it():
    herald = Row(0.2, 0.02, WORSE)
    sheet = LinkSheet(
        (herald,), 10 * US, (0, 0), (US, US), 1, US,
        (Phase(10**12), Phase(2 * 10**12, (Row(0.2, 0.03, PERFECT),)), Phase(3 * 10**12, (Row(0.2, 0.01, WORSE),))),
    )  # fmt: skip
    assert sheet.windows == ((10**12, 3 * 10**12),)
    assert sheet.rows[0].seconds_per_pair == pytest.approx(1e-5 / 0.02)
    assert sheet.rows_between(0, 4 * 10**12)[0].seconds_per_pair == pytest.approx(4 / 4000)
    assert sheet.rows_between(0, 10**12) == ()
    assert sheet.rows_between(5 * 10**11, 15 * 10**11)[0].seconds_per_pair == pytest.approx(1 / (0.5 / 1e-5 * 0.03))
    assert courses([(p.until, p.heralds) for p in sheet.phases], 1)[0].probabilities == (0.0, 0.03, 0.01)
