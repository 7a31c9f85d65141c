"""Three nodes and their laboratory on the wall clock: invariants only, and what hostile peers can do to them."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time

import pytest

import qstack
from qstack.core.errors import HostError, WireError
from qstack.core.nouns import Set, Timer, timer
from qstack.hosts.laboratory import Laboratory
from qstack.hosts.plain import INDICATIONS, LONGEST, REQUESTS, line, noun_of
from qstack.hosts.ports import Identity, Limits, Port
from qstack.hosts.reliable import start_number
from qstack.hosts.sockets import NodeHost
from qstack.hosts.wall import Timers, Wall
from qstack.services.device import AskRoom, Bits, Free, Herald, Swap, Trigger
from qstack.wire import encode
from qstack.wire.network import Complete, Forward, Track

pytest.importorskip("cryptography")
from qstack.integration.certificates import make_certificates

NAMES = ("n0", "n1", "n2", "laboratory")
LIMITS = Limits(handshake=5.0, keepalive=0.2, silence=3.0)
SLOW = 10.0


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    made = make_certificates(tmp_path_factory.mktemp("certificates"), NAMES)
    return {name: Identity(tls.certificate, tls.key, tls.authority) for name, tls in made.items()}


async def until(condition, patience=30.0):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


class Net:
    """All processes of a network as tasks of one loop."""

    def __init__(self, data, identities):
        self.plan = qstack.load(data).plan
        self.identities = identities
        self.told = {name: [] for name in NAMES}
        self.addresses = {}
        self.hosts = {}
        self.tasks = {}

    async def __aenter__(self):
        for name in NAMES:
            with socket.socket() as one:
                one.bind(("127.0.0.1", 0))
                self.addresses[name] = one.getsockname()
        self.laboratory = Laboratory(
            self.plan, self.identities["laboratory"], self.told["laboratory"].append, seed=3, slow=SLOW, limits=LIMITS
        )
        self.run("laboratory", self.laboratory.serve(self.addresses["laboratory"]))
        await until(lambda: self.told["laboratory"])
        return self

    def run(self, name, work):
        self.tasks[name] = asyncio.get_running_loop().create_task(work)

    def start(self, *names):
        for name in names:
            number = self.plan.names.index(name)
            host = NodeHost(
                self.plan, number, self.identities[name], self.addresses, self.told[name].append, limits=LIMITS
            )
            self.hosts[name] = host
            self.run(name, host.run())

    async def end(self, name):
        task = self.tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def __aexit__(self, *_):
        for name in reversed(list(self.tasks)):
            await self.end(name)

    def events(self, name, kind):
        return [event for event in self.told[name] if event["event"] == kind]

    def consumed(self, name):
        found = {}
        for event in self.events(name, "Consumed"):
            assert event["pair"] not in found, "delivered twice"
            found[event["pair"]] = event["bell"]
        return found

    async def finished(self):
        await until(lambda: all(self.hosts[name].done.is_set() for name in ("n0", "n2")), 60)

    def held(self):
        return sum(len(qubits) for qubits in self.laboratory.medium.qubits.values())


def play(data, identities, scene):
    async def whole():
        async with Net(data, identities) as net:
            await scene(net)

    asyncio.run(asyncio.wait_for(whole(), 120))


@pytest.fixture
def calm(three):
    return three(stack={"network": {"cutoff": "200 ms"}}, run={"until": "100 s", "seed": 3})


@pytest.mark.requirement("QS-CL-014")
def test_equal_pairs_and_frames_at_both_ends_and_no_leak(calm, identities):
    async def scene(net):
        net.start("n0", "n1", "n2")
        await net.finished()
        assert net.consumed("n0") == net.consumed("n2")
        assert sorted(net.consumed("n0")) == list(range(30))
        await until(lambda: net.held() == 0)
        assert [e["reason"] for e in net.events("n0", "Finished")] == [0]
        assert not net.events("laboratory", "refused")
        swaps = sum(net.laboratory.medium.counts(n)["swaps"] for n in range(3))
        assert swaps >= 30

    play(calm, identities, scene)


@pytest.mark.requirement("QS-CL-007")
def test_messages_that_mean_nothing_are_dropped_and_the_rest_goes_on(calm, identities):
    """The certificate of n2 in the wrong hands: unknown circuits, wrong places, replays, gaps."""

    async def scene(net):
        net.start("n1")
        await until(lambda: net.events("n1", "listening"))
        port = Port(2, net.plan.names, identities["n2"], start_number(time.time_ns()), Silent(), LIMITS)
        hostile = await port.connect(1, net.addresses["n1"])
        lies = [
            Complete(99),
            Forward(99, 5, head=0, tail=2, epoch=1),
            Track(99, 2, 1, 1, 0, 1, 60000, 0),
            encode(Complete(99), 1),  # a replay
        ]
        for number, lie in enumerate(lies):
            hostile.send(lie if isinstance(lie, bytes) else encode(lie, number))
        await until(lambda: net.hosts["n1"].counts["replay"] == 1)
        hostile.send(encode(Complete(99), 9))
        await until(lambda: hostile.lost is not None)
        assert any("6 messages of n2 are missing" in e["why"] for e in net.events("n1", "refused"))
        await port.close()
        net.start("n0", "n2")
        await net.finished()
        assert net.consumed("n0") == net.consumed("n2")
        assert len(net.consumed("n0")) == 30

    play(calm, identities, scene)


class Silent:
    def heard(self, peer, data):
        pass

    def introduced(self, peer, incarnation):
        pass

    def gone(self, peer, why):
        pass

    def refused(self, text):
        pass


async def ask(net, who, *requests):
    """Talk to the laboratory as somebody; return its answers so far."""
    context = ssl.create_default_context(cafile=net.identities[who].authority)
    context.check_hostname = False
    context.load_cert_chain(net.identities[who].certificate, net.identities[who].key)
    reader, writer = await asyncio.open_connection(*net.addresses["laboratory"], ssl=context, server_hostname="")
    try:
        answers = [json.loads(await reader.readline())] if requests else []
        for request in requests:
            writer.write(request)
            data = await asyncio.wait_for(reader.readline(), 5)
            answers.append(json.loads(data) if data else None)
        return answers
    finally:
        writer.transport.abort()


def test_the_laboratory_refuses_what_cannot_be(calm, identities):
    async def scene(net):
        greeting, *answers = await ask(
            net,
            "n0",
            b"{}\n",
            b"[]\n",
            b"not JSON\n",
            line(Free(12345)),
            b'{"noun":"Free","qubit":"1"}\n',
            b'{"noun":"Free"}\n',
            b'{"noun":"Fre","qubit":1}\n',
            line(Trigger(7, 0, 1, 0, keep=True, bases=())),
            line(Trigger(1, 99, 1, 0, keep=True, bases=())),
            line(Herald(1, 0, 1, 0, 0, 5, 0, -1, -1)),
        )
        assert greeting["laboratory"] == 2
        assert greeting["node"] == 0
        assert all(next(iter(answer)) == "error" for answer in answers)
        assert answers[3]["request"] == {"noun": "Free", "qubit": 12345}
        assert "holds no qubit 12345" in answers[3]["error"]
        assert "expected int" in answers[4]["error"]
        assert "Did you mean 'Free'" in answers[6]["error"]
        assert await ask(net, "n0", b"x" * 2 * LONGEST + b"\n") == [greeting, None]
        net.start("n0", "n1", "n2")
        await net.finished()
        assert net.consumed("n0") == net.consumed("n2")

    play(calm, identities, scene)


def test_the_laboratory_counts_free_memories(calm, identities):
    async def scene(net):
        lanes = net.plan.links[0].sheet.lanes
        _, here, nowhere = await ask(net, "n0", line(AskRoom(1)), line(AskRoom(2)))
        assert here == {"noun": "Room", "peer": 1, "free": lanes}
        assert nowhere["error"] == "node 0 has no link to node 2"

    play(calm, identities, scene)


def test_the_laboratory_knows_its_nodes_by_their_certificates(calm, identities):
    async def scene(net):
        await ask(net, "laboratory")
        await until(lambda: net.events("laboratory", "left"))
        assert "'laboratory' is that of no node" in net.events("laboratory", "left")[0]["why"]

    play(calm, identities, scene)


def test_a_node_whose_laboratory_is_somebody_else_does_not_start(calm, identities):
    async def scene(net):
        net.start("n0")
        await until(lambda: net.events("n0", "listening"))
        net.addresses["laboratory"] = net.addresses["n0"]
        host = NodeHost(net.plan, 1, identities["n1"], net.addresses, net.told["n1"].append, limits=LIMITS)
        with pytest.raises(HostError, match="the certificate is that of 'n0', not of 'laboratory'"):
            await host.run()

    play(calm, identities, scene)


def test_a_device_forgets_a_node_that_leaves(calm, identities):
    async def scene(net):
        calm["flows"][0]["number"] = 10_000
        net.start("n0", "n1", "n2")
        await until(lambda: len(net.events("n0", "Consumed")) > 10)
        await net.end("n1")
        bench = net.laboratory.benches["n1"]
        await until(lambda: bench.writer is None)
        assert bench.held == set()
        assert not net.laboratory.medium.qubits[1]
        await until(lambda: net.events("n0", "lost") and net.events("n2", "lost"))

    calm["flows"][0]["number"] = 10_000
    play(calm, identities, scene)


@pytest.mark.parametrize(
    "noun",
    [
        Swap(4, 7),
        Bits(3, 8192, (1 << 8191) + 5),
        Herald(1, 0, 5, 9, 2, 77, 1 << 61, -1, -1),
        Trigger(1, 0, 3, 0, keep=False, bases=(0, 1)),
    ],
)
def test_lines_come_back(noun):
    assert noun_of(line(noun), {**REQUESTS, **INDICATIONS}) == noun


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"3",
        b"[" * 9000,
        b'{"noun":[]}',
        b'{"noun":"Swap","left":true,"right":1}',
        b'{"noun":"Swap","left":1e400,"right":1}',
        b"\xff",
        b'{"noun":"Bits","purpose":1,"number":8,"value":255}',
        b'{"noun":"Bits","purpose":1,"number":8,"value":"xyz"}',
    ],
)
def test_lines_that_are_none_raise_wire_errors(data):
    with pytest.raises(WireError):
        noun_of(data, {**REQUESTS, **INDICATIONS})


@timer
class Due(Timer):
    number: int


@pytest.mark.requirement("QS-CV-009")
def test_timers_on_the_wall_fire_once_and_never_early():
    async def scene():
        clock = Wall(time.time_ns(), 0.5)
        fired = []
        timers = Timers(clock, lambda noun: fired.append((noun.number, clock.now)))
        now = clock.now
        timers.set(Set(Due(1), now + 10**11))
        timers.set(Set(Due(2), now + 5 * 10**10))
        timers.set(Set(Due(1), now + 2 * 10**11))
        timers.set(Set(Due(3), now))
        task = asyncio.get_running_loop().create_task(clock.run())
        await until(lambda: len(fired) == 3, 5)
        task.cancel()
        assert [number for number, _ in fired] == [3, 2, 1]
        assert all(at >= now + wait for (_, at), wait in zip(fired, (0, 5 * 10**10, 2 * 10**11), strict=True))

    asyncio.run(scene())
