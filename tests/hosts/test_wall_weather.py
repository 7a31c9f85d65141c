"""Channels, faults and sessions on the wall clock, over TLS: invariants only."""

from __future__ import annotations

import asyncio

import pytest

import qstack
from qstack.core.errors import ConfigError
from qstack.hosts.sockets import NodeHost
from qstack.hosts.weather import Weather
from qstack.wire import encode
from qstack.wire.network import Complete

pytest.importorskip("cryptography")
from test_wall import LIMITS, NAMES, identities, play, until

assert callable(identities)  # a fixture that both files use

BAD_WEATHER = {"use": "lossy", "loss": 0.05, "reorder": 0.1, "held": "1 ms", "duplicate": 0.1}
FAULTS = [
    {"message": "Add", "from": "n0", "to": "n1", "nth": 1, "action": "drop"},
    {"message": "Track", "probability": 0.1, "action": "corrupt"},
]


def weathered(three, **more):
    data = three(stack={"network": {"cutoff": "200 ms"}}, run={"until": "100 s", "seed": 3}, **more)
    data["network"]["channel"] = BAD_WEATHER
    return data


@pytest.mark.requirement("QS-CL-241")
def test_bad_weather_and_faults_hold_on_the_wall_clock(three, identities):
    async def scene(net):
        net.start("n0", "n1", "n2")
        await net.finished()
        hosts = net.hosts
        head, tail = net.consumed("n0"), net.consumed("n2")
        both = head.keys() & tail.keys()
        assert len(both) >= 25
        assert {pair: head[pair] for pair in both} == {pair: tail[pair] for pair in both}
        assert sum(host.weather.counts["lost"] for host in hosts.values()) > 5
        assert sum(host.weather.counts["repeated"] for host in hosts.values()) > 0
        assert sum(host.counts["damaged"] for host in hosts.values()) > 0, "corrupted Tracks were told"
        assert hosts["n0"].weather.conditions.faults.rules[0].struck == 1
        await until(lambda: net.held() == 0)

    play(weathered(three, faults=FAULTS), identities, scene)


@pytest.mark.requirement("QS-CL-242")
def test_nothing_of_a_former_start_reaches_a_later_one(three, identities):
    """A message is held up on its way while its receiver is started anew."""
    data = weathered(three)
    data["network"]["channel"] = {"use": "delayed", "delay": "200 ms"}  # two seconds of the wall

    async def scene(net):
        net.start("n0", "n1")
        await until(lambda: net.events("n0", "connected") and net.events("n1", "connected"))
        n0, heard = net.hosts["n0"], []
        n0.weather.send(1, Complete(99))
        await asyncio.sleep(0.1)
        await net.end("n1")
        await until(lambda: net.events("n0", "lost"))
        net.start("n1")
        net.hosts["n1"].heard = lambda peer, data: heard.append(data)
        await until(lambda: len(net.events("n0", "connected")) == 2)
        await asyncio.sleep(2.5)
        assert not [one for one in heard if Complete(99) == decoded(one)]

    play(data, identities, scene)


def decoded(data):
    return qstack.wire.decode(data)


@pytest.mark.requirement("QS-CL-242")
def test_a_datagram_for_another_start_is_dropped(three, identities):
    data = weathered(three)

    async def scene(net):
        net.start("n0", "n1")
        await until(lambda: net.events("n1", "connected"))
        host = net.hosts["n1"]
        await until(lambda: 0 in host.others and not host.others[0].told_lost)
        host.heard(0, encode(Complete(99), 0, 0x50))  # no tag: that of nobody
        assert host.weather.ends[1, 0].machine.strays == 1
        assert host.counts["Complete"] == 0

    play(data, identities, scene)


@pytest.mark.requirement("QS-CL-241")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"faults": [{"message": "any", "nth": 3, "action": "drop"}]}, r"faults\.0\.nth .*'from'"),
        ({"faults": [{"message": "Reply", "action": "drop"}]}, r"faults\.0\.message .*its midpoints itself"),
        ({"run__shuffle_ties": 3}, "shuffle_ties"),
    ],
)
def test_what_no_process_can_do_is_refused(change, why, three, identities):
    async def scene():
        plan = qstack.load(three(**change)).plan
        with pytest.raises(ConfigError, match=why):
            NodeHost(plan, 0, identities["n0"], dict.fromkeys(NAMES, ("127.0.0.1", 1)), print, limits=LIMITS)

    asyncio.run(scene())


SESSIONS = {
    "teleport": "teleport",
    "chsh": "chsh",
    "pairs as they are": {"use": "pairs", "consumption": "C"},
    "pairs after correction": {"use": "pairs", "consumption": "T"},
}


@pytest.mark.requirement("QS-CL-014")
@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_on_the_wall_clock(name, three, identities):
    data = three(stack={"network": {"cutoff": "200 ms"}}, run={"until": "100 s", "seed": 3, "tier": "exact"})
    data["flows"][0] |= {"app": SESSIONS[name], "number": 12}

    async def scene(net):
        net.start("n0", "n1", "n2")
        await net.finished()
        head, tail = net.consumed("n0"), net.consumed("n2")
        if name == "teleport":  # the ends tell different things: what was measured, and the frame that was corrected
            head, tail = sorted(head), sorted(tail)
        assert head == tail
        assert len(head) >= 12
        await until(lambda: net.held() == 0)
        assert not net.events("laboratory", "refused")
        assert {e["reason"] for name in ("n0", "n2") for e in net.events(name, "Finished")} == {0}

    play(data, identities, scene)


def test_ideal_weather_costs_nothing(three, identities):
    async def scene():
        plan = qstack.load(three()).plan
        host = NodeHost(plan, 0, identities["n0"], dict.fromkeys(NAMES, ("127.0.0.1", 1)), print, limits=LIMITS)
        assert host.weather is None
        plan = qstack.load(weathered(three)).plan
        host = NodeHost(plan, 0, identities["n0"], dict.fromkeys(NAMES, ("127.0.0.1", 1)), print, limits=LIMITS)
        assert isinstance(host.weather, Weather)

    asyncio.run(scene())
