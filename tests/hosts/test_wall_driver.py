"""Devices that die, lie, hang or speak nonsense: told in one sentence, and never believed."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from pathlib import Path

import pytest

import qstack
from qstack.cli.serve import load
from qstack.core.errors import ConfigError, HostError
from qstack.hosts.driver import Watch
from qstack.hosts.plain import line
from qstack.hosts.ports import Identity, Limits
from qstack.hosts.sockets import NodeHost
from qstack.services import device

pytest.importorskip("cryptography")
from qstack.integration.certificates import make_certificates

NAMES = ("n0", "n1", "n2", "laboratory")
LIMITS = Limits(handshake=2.0, keepalive=0.2, silence=0.6)


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    made = make_certificates(tmp_path_factory.mktemp("certificates"), NAMES)
    return {name: Identity(tls.certificate, tls.key, tls.authority) for name, tls in made.items()}


def greeting(**changes):
    said = {"laboratory": 2, "node": 0, "origin_ns": str(time.time_ns()), "slow": 1.0, **changes}
    return json.dumps(said).encode() + b"\n"


async def until(condition, patience=10.0):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


async def answering(reader, writer):
    """Answer whether one lives, and nothing else."""
    while data := await reader.readline():
        if data.startswith(b'{"alive"'):
            writer.write(data)


async def played(host, scene, told):
    """Play a scene with a node that runs."""
    work = asyncio.get_running_loop().create_task(host.run())
    try:
        await scene(host, work, told)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def with_device(three, identities, behaviour, scene):
    """Run node n0 with a device that behaves in some way."""

    async def play():
        own = identities["laboratory"]
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=own.authority)
        context.load_cert_chain(own.certificate, own.key)

        async def serve(reader, writer):
            try:
                await behaviour(reader, writer)
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        address = server.sockets[0].getsockname()
        told = []
        addresses = {**dict.fromkeys(NAMES, ("127.0.0.1", 1)), "n0": ("127.0.0.1", 0), "laboratory": address}
        host = NodeHost(qstack.load(three()).plan, 0, identities["n0"], addresses, told.append, limits=LIMITS)
        try:
            await played(host, scene, told)
        finally:
            server.close()

    asyncio.run(asyncio.wait_for(play(), 30))


async def dies(reader, writer):
    writer.write(greeting())
    await asyncio.sleep(0.2)


async def hangs(reader, writer):
    writer.write(greeting())
    await reader.read(-1)


async def deaf(reader, writer):
    """Talks, and never answers what it is asked."""
    writer.write(greeting())
    while True:
        writer.write(line(device.Missed(1, 0)))
        await asyncio.sleep(0.05)


async def nonsense(reader, writer):
    writer.write(greeting() + b"ready\n")
    await reader.read(-1)


async def unknown(reader, writer):
    writer.write(greeting() + b'{"noun":"Heralded"}\n')
    await reader.read(-1)


async def older(reader, writer):
    writer.write(greeting(laboratory=1))
    await reader.read(-1)


async def timeless(reader, writer):
    writer.write(greeting(slow=0))
    await reader.read(-1)


async def endless(reader, writer):
    writer.write(greeting() + b"x" * 100_000 + b"\n")
    await reader.read(-1)


ENDS = [
    (dies, "is gone: it closed the connection"),
    (hangs, r"is gone: it hangs: nothing came for 0\.6 s"),
    (deaf, "is gone: it hangs: it does not answer whether it lives"),
    (nonsense, r"is gone: not a line of JSON: b'ready"),
    (unknown, r"is gone: 'Heralded' is not one of .*Did you mean 'Herald'"),
    (older, "it greets node 0 with .*'laboratory': 1"),
    (timeless, r"its time runs 0\.0 times slower"),
    (endless, "is gone: a line is too long"),
]


@pytest.mark.requirement("QS-CL-245")
@pytest.mark.parametrize(("behaviour", "why"), ENDS, ids=[case[0].__name__ for case in ENDS])
def test_a_device_that_is_none_ends_its_node_with_a_sentence(behaviour, why, three, identities):
    async def scene(host, work, told):
        with pytest.raises(HostError, match=rf"the laboratory at 127\.0\.0\.1:\d+.*{why}"):
            await asyncio.wait_for(work, 20)

    with_device(three, identities, behaviour, scene)


@pytest.mark.requirement("QS-CL-245")
def test_a_device_that_owes_an_answer_is_given_up(three, identities):
    async def forgets(reader, writer):
        writer.write(greeting())
        await answering(reader, writer)

    async def scene(host, work, told):
        await until(lambda: told)
        host._ask(device.Swap(4, 7), None)
        with pytest.raises(HostError, match=r"the device owes Swapped \(4, 7\) for more than 0\.6 s: it hangs"):
            await asyncio.wait_for(work, 10)

    with_device(three, identities, forgets, scene)


LIES = {
    "nobody asked": device.Swapped(4, 7, 0),
    "no neighbour": device.Herald(2, 0, 1, 0, 2, 5, 0, -1, -1),
    "no lane": device.Herald(1, 9, 1, 0, 2, 5, 0, -1, -1),
    "no Bell index": device.Herald(1, 0, 1, 0, 4, 5, 0, -1, -1),
    "of the future": device.Herald(1, 0, 1, 0, 2, 5, 1 << 60, -1, -1),
    "bits": device.Bits(1, 8, 256),
    "outcome": device.Measured(3, 0, 2, 0),
    "stranger": device.Missed(0, 3),
    "no such memory": device.Spoiled(1, 9, 3),
}


@pytest.mark.requirement("QS-CL-246")
def test_lies_are_dropped_counted_and_told(three, identities):
    async def liar(reader, writer):
        writer.write(greeting() + b"".join(map(line, LIES.values())))
        await answering(reader, writer)

    async def scene(host, work, told):
        await until(lambda: host.counts["device indication"] == len(LIES))
        assert not work.done()
        why = [event["why"] for event in told if event["event"] == "refused"]
        assert len(why) == len(LIES)
        for text, sentence in zip(
            ["asked for it", "no such neighbour", "no such lane", "Bell index", "not been emitted", "more bits"],
            why,
            strict=False,
        ):
            assert text in sentence

    with_device(three, identities, liar, scene)


def test_what_was_asked_for_is_no_lie_once():
    watch = Watch({1: 2})
    watch.asked(device.Swap(4, 7), 1.0)
    watch.asked(device.DrawBits(8, 3), 2.0)
    watch.asked(device.Free(9), 0.0)
    assert watch.overdue(1.0) is None
    assert watch.overdue(1.5) == "Swapped (4, 7)"
    assert watch.lie(device.Swapped(4, 7, 3), 0) is None
    assert "nobody has asked" in watch.lie(device.Swapped(4, 7, 3), 0)
    assert watch.lie(device.Bits(3, 8, 255), 0) is None
    assert watch.lie(device.Herald(1, 1, 1, 0, 2, 5, 7, -1, -1), 7) is None
    watch.asked(device.Measure(5, 0, 1), 3.0)
    watch.refused(device.Measure(5, 0, 1))
    watch.refused(None)
    assert watch.owed == {}


def test_no_link_has_more_free_memories_than_memories():
    watch = Watch({1: 2})
    assert [watch.lie(device.Room(1, free), 0) for free in range(3)] == [None] * 3
    for free in (-1, 3):
        assert "not so many memories" in watch.lie(device.Room(1, free), 0)
    assert "no such neighbour" in watch.lie(device.Room(2, 0), 0)


@pytest.mark.requirement("QS-PL-241")
def test_node_files_choose_their_driver(tmp_path):
    (tmp_path / "scenario.yaml").write_text(
        "name: two\nnetwork: {chain: {segments: 1, length: 10 km}, hardware: {all: textbook}}\n"
        "flows: [{name: pairs, from: n0, to: n1, number: 3}]\nrun: {until: 5 s}\n"
    )
    good = {
        "scenario": "scenario.yaml",
        "node": "n0",
        "addresses": dict.fromkeys(("n0", "n1", "laboratory"), "127.0.0.1:52240"),
        "certificate": "a.pem",
        "key": "a.key",
        "authority": "ca.pem",
    }
    path = tmp_path / "n0.yaml"

    def read(**more):
        path.write_text(json.dumps({**good, **more}))
        return load(path)[0]

    assert read().driver.name == "socket"
    chosen = read(driver={"use": "socket", "name": "acme", "address": "127.0.0.1:4000"}).driver
    assert chosen.options.address == ("127.0.0.1", 4000)
    for driver, why in (("sockt", "'socket'"), ({"use": "socket", "adress": "h:1"}, "address"), (3, "driver")):
        with pytest.raises(ConfigError, match=why):
            read(driver=driver)


def with_driver(three, identities, driver, scene):
    """Run node n0 with a driver in Python."""

    async def play():
        addresses = {**dict.fromkeys(NAMES, ("127.0.0.1", 1)), "n0": ("127.0.0.1", 0)}
        told = []
        plan = qstack.load(three()).plan
        host = NodeHost(plan, 0, identities["n0"], addresses, told.append, limits=LIMITS, driver=lambda site: driver)
        await played(host, scene, told)

    asyncio.run(asyncio.wait_for(play(), 30))


def entropy_only():
    """Return the driver of the page on hooks."""
    page = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
    section = page[page.index("## qstack_drivers") :]
    names = {}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], names)
    (offer,) = names["qstack_drivers"]()
    return offer.make(None, site=None)


@pytest.mark.requirement("QS-PL-241")
def test_a_driver_in_python_serves_a_node_and_its_end_is_told(three, identities):
    async def scene(host, work, told):
        await until(lambda: any(event["event"] == "listening" for event in told))
        heard = []
        host.node.table[device.Bits] = lambda noun, ctx: heard.append(noun) or ()
        host._ask(device.DrawBits(8, 3), None)
        await until(lambda: heard)
        assert heard == [device.Bits(3, 8, 0)]
        assert host.watch.owed == {}
        host.driver.close()
        with pytest.raises(HostError, match="the driver has ended without a word"):
            await asyncio.wait_for(work, 10)

    with_driver(three, identities, entropy_only(), scene)
