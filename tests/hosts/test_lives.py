"""A node whose device ends begins anew when the device is back, and what was complete stays complete."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from pathlib import Path

import pytest

import qstack
from qstack.core.errors import HostError
from qstack.hosts.lives import live
from qstack.hosts.ports import Identity, Limits
from qstack.hosts.sockets import NodeHost

pytest.importorskip("cryptography")
sys.path.insert(0, str(Path(__file__).parent))
from processes import NODES, Processes

from qstack.integration.certificates import make_certificates

NAMES = (*NODES, "laboratory")
LIMITS = Limits(handshake=2.0, keepalive=0.2, silence=1.0)
LOST_PEER = 20


class Fleeting:
    """A host whose life is written down beforehand: whether it comes to listen, what it completes, why it ends."""

    def __init__(self, flows, script, told):
        self.given = flows
        self.listening, completed, self.why = script
        self.open = [flow for flow in ([0, 1, 2] if flows is None else flows) if flow not in completed]
        self.told = told

    async def run(self):
        raise HostError(self.why)

    def report(self, event, **more):
        self.told.append((event, more["why"]))


def lives(scripts, again):
    """Live as often as is written, and return what each life was given, what was told, and the last word."""
    hosts, told = [], []

    def make(flows):
        if len(hosts) == len(scripts):
            raise asyncio.CancelledError
        hosts.append(Fleeting(flows, scripts[len(hosts)], told))
        return hosts[-1]

    try:
        asyncio.run(live(make, again))
    except HostError as error:
        return [host.given for host in hosts], told, str(error)
    except asyncio.CancelledError:
        return [host.given for host in hosts], told, None
    raise AssertionError("it ended without a word")


@pytest.mark.requirement("QS-CL-470")
def test_the_next_life_has_the_flows_that_are_not_complete():
    given, told, end = lives([(True, [1], "gone"), (False, [], "away"), (False, [], "away"), (True, [0], "gone")], 1e-3)
    assert given == [None, [0, 2], [0, 2], [0, 2]]
    assert told == [("ended", "gone"), ("ended", "away"), ("ended", "gone")], "the same trouble is told once"
    assert end is None


@pytest.mark.parametrize(("scripts", "again"), [([(False, [], "no port")], 1e-3), ([(True, [], "gone")], None)])
def test_one_life_for_who_never_came_to_listen_or_does_not_want_another(scripts, again):
    assert lives(scripts * 2, again) == ([None], [], scripts[0][2])


@pytest.mark.requirement("QS-CL-470")
def test_a_device_that_comes_back_has_its_node_back(three, tmp_path):
    """A later start of the same node; the device of the first life closes its connection."""
    made = make_certificates(tmp_path, NAMES)
    identities = {name: Identity(tls.certificate, tls.key, tls.authority) for name, tls in made.items()}
    greeting = {"laboratory": 2, "node": 0, "origin_ns": str(time.time_ns()), "slow": 1.0}
    told, starts, served = [], [], []

    async def play():
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=identities["laboratory"].authority)
        context.load_cert_chain(identities["laboratory"].certificate, identities["laboratory"].key)

        async def serve(reader, writer):
            served.append(writer)
            writer.write(json.dumps(greeting).encode() + b"\n")
            while len(served) == 2 and (data := await reader.readline()):
                writer.write(data) if data.startswith(b'{"alive"') else None
            if len(served) == 1:
                await asyncio.sleep(0.1)
            writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        addresses = {**dict.fromkeys(NAMES, ("127.0.0.1", 1)), "n0": ("127.0.0.1", 0)}
        addresses["laboratory"] = server.sockets[0].getsockname()

        def make(flows):
            host = NodeHost(
                qstack.load(three()).plan, 0, identities["n0"], addresses, told.append, limits=LIMITS, flows=flows
            )
            starts.append(host.port.greeting.incarnation)
            return host

        work = asyncio.get_running_loop().create_task(live(make, 0.2))
        end = time.monotonic() + 20
        while sum(event["event"] == "listening" for event in told) < 2:
            assert time.monotonic() < end, told
            assert not work.done(), work
            await asyncio.sleep(0.02)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        server.close()

    asyncio.run(asyncio.wait_for(play(), 30))
    events = [event["event"] for event in told if event["event"] in {"listening", "ended"}]
    assert events == ["listening", "ended", "listening"]
    assert starts[1] > starts[0]


@pytest.mark.slow
@pytest.mark.requirement("QS-CL-470")
def test_a_killed_laboratory_is_noticed_told_and_recovered_from(three, tmp_path):
    """Only the laboratory is started again; the nodes are the same processes as before."""
    data = three(stack={"network": {"cutoff": "200 ms"}}, run={"until": "100 s", "seed": 3})
    data["flows"][0]["number"] = 150
    net = Processes(tmp_path, data)
    try:
        net.start("laboratory", *NODES)
        for name in ("n0", "n2"):
            net.wait(name, "Consumed", 20)
        net.kill("laboratory")
        marks = {}
        for name in NODES:
            assert "the laboratory at" in net.wait(name, "ended")["why"]
            marks[name] = len(net.events(name))
        net.start("laboratory")
        for name in NODES:
            net.wait(name, "listening", 2)
        for name in ("n0", "n2"):
            net.wait(name, "Finished", flow=0, reason=0)
        pairs = {
            name: {e["pair"]: e["bell"] for e in net.events(name)[marks[name] :] if e["event"] == "Consumed"}
            for name in ("n0", "n2")
        }
        assert len(pairs["n0"]) >= 150
        both = pairs["n0"].keys() & pairs["n2"].keys()
        assert len(both) > 60
        assert all(pairs["n0"][pair] == pairs["n2"][pair] for pair in both)
        assert set(net.stop().values()) == {0}
        assert not any(net.errors(name) for name in NODES), "nothing but lines of JSON is said"
    finally:
        net.stop()
