"""Classical channels in virtual time: what they do to datagrams, and what the stack makes of it."""

from __future__ import annotations

import numpy as np
import pytest

import qstack
from qstack.api import manager
from qstack.core.errors import ConfigError
from qstack.hosts.build import _ties
from qstack.hosts.simulation import Simulation
from qstack.plugin.chance import generator

MS = 10**9
CONDITIONS = {
    "lossy": {"loss": 0.2},
    "delayed": {"delay": "1 ms"},
    "jittered": {"jitter": "1 ms"},
    "reordered": {"reorder": 0.2, "held": "1 ms"},
    "rate-limited": {"rate": 1e6},
}


def channel(name, **options):
    offer = manager().offers("channels")[name]
    return offer.make(offer.options(**options), delay=100)


def arrivals(made, number=20_000, gap=10 * MS, size=50):
    draw = generator(1, 0, "channel a > b")
    return [made.arrivals(i * gap, size, draw) for i in range(number)]


def share(found, number, expected):
    return (found - number * expected) / np.sqrt(number * expected * (1 - expected))


@pytest.mark.requirement("QS-CL-012")
def test_ideal_is_light():
    made = channel("ideal")
    assert made.ideal
    assert made.arrivals(5, 50, generator(1, 0, "x")) == (105,)


def test_lossy_loses_its_share():
    lost = sum(not times for times in arrivals(channel("lossy", loss=0.2)))
    assert abs(share(lost, 20_000, 0.2)) < 4


def test_duplicates_have_their_share():
    twice = sum(len(times) == 2 for times in arrivals(channel("lossy", loss=0, duplicate=0.3)))
    assert abs(share(twice, 20_000, 0.3)) < 4


@pytest.mark.requirement("QS-CL-012")
def test_delay_is_added():
    made = channel("delayed", delay="1 ms")
    assert {times[0] - i * 10 * MS for i, times in enumerate(arrivals(made, 10))} == {MS + 100}
    assert made.delay == MS + 100


@pytest.mark.requirement("QS-CL-012")
def test_jitter_is_uniform_and_keeps_order():
    wide = [t[0] - i * 10 * MS - 100 for i, t in enumerate(arrivals(channel("jittered", jitter="1 ms")))]
    assert 0 <= min(wide) <= max(wide) < MS
    assert abs(np.mean(wide) - MS / 2) < 4 * MS / np.sqrt(12 * len(wide))
    close = [t[0] for t in arrivals(channel("jittered", jitter="1 ms"), 1000, gap=MS // 100)]
    assert close == sorted(close)


def test_reordered_overtakes():
    times = [t[0] for t in arrivals(channel("reordered", reorder=0.2, held="1 ms"), gap=MS // 2)]
    late = sum(t - i * (MS // 2) == MS + 100 for i, t in enumerate(times))
    assert abs(share(late, 20_000, 0.2)) < 4
    assert times != sorted(times)


def test_rate_serialises():
    times = [t[0] for t in arrivals(channel("rate-limited", rate=1e6), 5, gap=0, size=125)]
    assert times == [100 + (i + 1) * MS for i in range(5)]


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_channel_delivers_every_pair(name, three, run):
    data = three()
    data["network"]["channel"] = {"use": name, **CONDITIONS[name]}
    data["run"]["until"] = "60 s"
    ran = run(data)
    head, tail = ran.consumed("n0"), ran.consumed("n2")
    assert len(head) == 30
    assert head == tail
    assert ran.held == 0


def test_same_seed_same_bytes_another_seed_others(three, run):
    data = three()
    data["network"]["channel"] = {"use": "lossy", "loss": 0.2}
    first, second = run(data), run(data)
    assert first.lines == second.lines
    data["run"]["seed"] = 4
    assert run(data).lines != first.lines


@pytest.mark.requirement("QS-CL-013")
def test_encoded_run_has_the_same_transcript(three, run):
    objects, coded = run(three()), run(three(run__encode=True))
    assert objects.network.carriage is None
    assert coded.network.carriage is not None
    assert coded.lines == objects.lines


@pytest.mark.requirement("QS-CV-017")
@pytest.mark.parametrize("seed", range(4))
def test_shuffled_ties_change_no_invariant(seed, three, run):
    ran = run(three(run__shuffle_ties=seed))
    assert ran.consumed("n0") == ran.consumed("n2")
    assert ran.delivered == 30
    assert ran.held == 0


def test_shuffled_ties_shuffle():
    def order(ties):
        simulation, fired = Simulation(ties=ties), []
        for i in range(10):
            simulation.at(5, fired.append, i)
        for i in range(10, 20):
            simulation.deliver((0, 1), 5, fired.append, i)
        simulation.run(10)
        return fired

    plain, shuffled = order(None), order(_ties(1))
    assert plain == list(range(20))
    assert sorted(shuffled) == plain
    assert shuffled != plain
    assert [i for i in shuffled if i >= 10] == list(range(10, 20)), "a hop keeps its order"
    assert order(_ties(1)) == shuffled


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"use": "lossy"}, "loss"),
        ({"use": "lossy", "loss": 1}, "loss"),
        ({"use": "losy", "loss": 0.1}, "Did you mean 'lossy'"),
        ({"use": "delayed", "delay": 5}, "unit"),
        ({"use": "rate-limited", "rate": 0}, "rate"),
        ({"use": "lossy", "loss": 0.1, "reorder": 0.1}, "held"),
    ],
)
def test_bad_conditions_are_refused(given, message, three):
    data = three()
    data["network"]["channel"] = given
    with pytest.raises(ConfigError, match=message):
        qstack.load(data)
