"""The judge of nodes over sockets is judged: the reference passes, and a server that breaks a rule fails that rule alone."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest

pytest.importorskip("cryptography")
from processes import free_addresses

import qstack
from qstack.conformance import peer_talk, peer_trouble
from qstack.conformance.judge import judge
from qstack.conformance.peer import PeerSuite
from qstack.conformance.peer_wire import Seat
from qstack.conformance.specification import load
from qstack.core.nouns import Send
from qstack.hosts import sockets
from qstack.hosts.dark import DarkDriver
from qstack.hosts.ports import Identity, Limits, Port
from qstack.hosts.reliable import NUMBERS, Reliable, Step
from qstack.hosts.sockets import NodeHost
from qstack.integration.certificates import make_certificates
from qstack.plugin.drivers import address_of
from qstack.wire.channel import Tag
from qstack.wire.codec import CHECKED, LAYOUTS, header
from qstack.wire.link import Add
from qstack.wire.network import Keepalive
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown

# Nodes are stopped in the middle of handshakes, whose sockets nobody gets to see.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
SPECIFICATION = load(Path(__file__).parents[2] / "specs")
NODES = ("n0", "n1", "n2")
BEARS = {"silence": 1.0, "keepalive": 0.1, "rate": 1e6}
PATIENCE = 2.0
SULKING = 2.5
"""Time for which a server is no use, longer than the judge's patience [s]."""
ON_DATAGRAMS = {"QS-CL-336", "QS-CL-337", "QS-CL-242"}


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    made = make_certificates(tmp_path_factory.mktemp("peer"), NODES)
    return {name: Identity(tls.certificate, tls.key, tls.authority) for name, tls in made.items()}


@pytest.fixture(scope="module")
def plans():
    network = {"chain": {"segments": 2, "length": "20 km"}, "hardware": {"all": "textbook"}}
    flows = [{"name": "pairs", "from": "n0", "to": "n2", "min_fidelity": 0.7, "number": 3}]
    data = {"name": "three", "network": network, "flows": flows, "run": {"until": "1 s", "seed": 3}}
    delayed = {**data, "network": {**network, "channel": {"use": "delayed", "delay": "1 ms"}}}
    return {False: qstack.load(data).plan, True: qstack.load(delayed).plan}


@pytest.fixture
def impatient(monkeypatch):
    """Let nobody wait longer than a process of the same machine needs."""
    monkeypatch.setattr(sockets, "RETRY", 0.02)
    monkeypatch.setattr(peer_talk, "RETRY", 0.03)
    monkeypatch.setattr(peer_talk, "SETTLED", 0.03)
    monkeypatch.setattr(peer_talk, "ASK", 0.1)
    monkeypatch.setattr(peer_trouble, "FLOOD", 2_000)


class Server:
    """A node in a thread of its own, and the judge's seat beside it; other nodes may run too."""

    def __init__(self, plan, identities, *, kind=NodeHost, reliable=False, subject=1, judge=0, others=(), **bears):
        addresses = {name: address_of(where) for name, where in free_addresses().items()}
        self.told = []
        limits = Limits(**{**BEARS, **bears})
        options = {"limits": limits, "driver": lambda site: DarkDriver()}

        def node(number, kind=NodeHost):
            return kind(plan, number, identities[f"n{number}"], addresses, self.told.append, **options)

        self.nodes = lambda: [node(subject, kind), *map(node, others)]
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        mine, name = identities[f"n{judge}"], f"n{subject}"
        self.seat = Seat(
            *(judge, subject, name, addresses[name], addresses[f"n{judge}"]),
            *(mine.certificate, mine.key, mine.authority),
            reliable=reliable,
            start=int(time.time()),
            patience=PATIENCE,
            silence=3.0,
        )

    async def _run(self):
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.current_task()
        nodes = self.nodes()
        for place, node in enumerate(nodes):  # no two have the same start
            node.port.greeting = Keepalive(node.number, node.port.greeting.incarnation + place)
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*(node.run() for node in nodes))

    def __enter__(self):
        self.thread.start()
        end = time.monotonic() + 10
        while not any(one["event"] == "listening" for one in self.told):
            assert time.monotonic() < end, self.told
            time.sleep(0.005)
        return self.seat

    def __exit__(self, *_):
        time.sleep(0.05)  # calls of the judge that are under way are taken first
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join(10)


# -- servers that break one rule --------------------------------------------------------------------------------------


def with_port(**changes):
    """Return a host whose port has other methods."""

    def init(self, *arguments, **options):
        NodeHost.__init__(self, *arguments, **options)
        self.port.__class__ = type("BrokenPort", (Port,), changes)

    return type("Broken", (NodeHost,), {"__init__": init})


def with_host(**changes):
    return type("Broken", (NodeHost,), changes)


def reading(change):
    """Return a host that changes the bytes of messages before it reads them."""
    return with_host(heard=lambda self, peer, data: NodeHost.heard(self, peer, change(data)))


def taking(change):
    """Return a host that hands up other messages than it was sent."""
    return with_host(
        take=lambda self, message, peer: [NodeHost.take(self, m, peer) for m in change(self, message, peer)]
    )


def with_channel(**changes):
    """Return a host whose reliable channel has other methods."""

    def build(self):
        NodeHost._build(self)
        made = self.weather._machine

        def machine(hop, patience):
            found = made(hop, patience)
            found.__class__ = type("BrokenChannel", (Reliable,), changes)
            return found

        self.weather._machine = machine

    return with_host(_build=build)


async def answer_as_another_start(self, *arguments):
    caller = copy(self)
    caller.greeting = Keepalive(self.number, self.greeting.incarnation + 1)
    return await Port._answer(caller, *arguments)


class Mumbler:
    """A writer that leaves every second answer out."""

    def __init__(self, writer):
        self.writer, self.transport, self.turn = writer, writer.transport, 0

    def write(self, data):
        self.turn += 1
        if self.turn % 2:
            self.writer.write(data)


def mumble(self, peer, reader, writer, stream):
    return Port._read(self, peer, reader, Mumbler(writer), stream)


def any_number(self, peer, said):
    Port.check(self, peer, Keepalive(peer, said.incarnation))


def any_start(self, peer, said):
    self.incarnations.pop(peer, None)
    Port.check(self, peer, said)


def nameless(self, *arguments):
    self.numbers[""] = 0
    self.server_tls.verify_mode = ssl.CERT_OPTIONAL
    return Port.reserve(self, *arguments)


def chokes(self, peer, said):
    self.counted = getattr(self, "counted", 0) + 1
    if self.counted > 1_500:
        self.counted = 0
        time.sleep(SULKING)
    Port.check(self, peer, said)


def sulks(self, text):
    if "into a message" in text:
        self.port.limits = replace(self.limits, connections=0)
        self.port.spawn(forgive(self))
    NodeHost.refused(self, text)


async def forgive(self):
    await asyncio.sleep(SULKING)
    self.port.limits = self.limits


def panics(self, text):
    if "did not introduce itself" in text:
        for peer in list(self.port.incoming):
            self.port.hang_up(peer)
    NodeHost.refused(self, text)


def forgives_flags(data):
    return data[:2] + bytes([data[2] & 0xF0]) + data[3:]


def forgives_words(data):
    is_setup = header(data).plane == LAYOUTS[SetupReq].plane and data[1] == LAYOUTS[SetupReq].code
    return data[:3] + bytes([LAYOUTS[SetupReq].size // 4]) + data[4:] if is_setup else data


def forgives_checksums(data):
    return data[:-4] + crc32(data[:-4]).to_bytes(4, "big") if data[2] & CHECKED else data


def forgiving_number(*, repeated):
    """Return how a host hears that takes any number that was there before, or any that skips others."""

    def heard(self, peer, data):
        number, other = header(data).sequence, self.others[peer]
        ahead = (number - other.expected) % NUMBERS
        if ahead and (ahead >= NUMBERS // 2) is repeated:
            other.expected = number
        NodeHost.heard(self, peer, data)

    return heard


def acknowledge_once(self, datagram, now):
    seen = (datagram.sequence - self.expected) % NUMBERS >= NUMBERS // 2
    return Step() if datagram.wanted and seen else Reliable.receive(self, datagram, now)


def never_again(self, now):
    self.deadline = None
    return Step()


def from_any_start(self, datagram, now):
    datagram.tag = Tag(self.theirs or 0, self.incarnation)
    return Reliable.receive(self, datagram, now)


def answer_adds_once(self, message, peer):
    seen = self.__dict__.setdefault("seen", [])
    if isinstance(message, Add):
        if message in seen:
            return []
        seen.append(message)
    return [message]


def accept_everything(self, noun, ctx):
    if isinstance(noun.message, Reject):
        noun = Send(noun.peer, SetupRsp(noun.message.circuit))
    return NodeHost._send(self, noun, ctx)


def take_any_path(self, message, peer):
    if isinstance(message, SetupReq):
        message = SetupReq(message.circuit, message.session, (0, 1), message.fidelities, message.label, message.cutoff)
    return [message]


def echo_teardown(self, message, peer):
    if isinstance(message, Teardown):
        NodeHost._send(self, Send(peer, message), None)
    return [message]


def ignore_teardown(self, message, peer):
    return [] if isinstance(message, Teardown) else [message]


BROKEN = {
    "two starts at a time": ("QS-CL-330", with_port(_answer=answer_as_another_start)),
    "every second question": ("QS-CL-331", with_port(_read=mumble)),
    "any number": ("QS-CL-332", with_port(check=any_number)),
    "any start": ("QS-CL-333", with_port(check=any_start)),
    "no certificate": ("QS-CL-002", with_port(reserve=nameless)),
    "flags": ("QS-WI-004", reading(forgives_flags)),
    "words": ("QS-WI-005", reading(forgives_words)),
    "checksums": ("QS-WI-008", reading(forgives_checksums)),
    "sulks": ("QS-CL-334", with_host(refused=sulks)),
    "panics": ("QS-CL-015", with_host(refused=panics)),
    "chokes in a flood": ("QS-CL-015", with_port(check=chokes)),
    "waits for ever": ("QS-CL-009", NodeHost),
    "replays": ("QS-CL-001", with_host(heard=forgiving_number(repeated=True))),
    "gaps": ("QS-CL-335", with_host(heard=forgiving_number(repeated=False))),
    "acknowledges once": ("QS-CL-336", with_channel(receive=acknowledge_once)),
    "repeats nothing": ("QS-CL-337", with_channel(due=never_again)),
    "any tag": ("QS-CL-242", with_channel(receive=from_any_start)),
    "one answer to an ADD": ("QS-L2-010", taking(answer_adds_once)),
    "any label": ("QS-L3-041", with_host(_send=accept_everything)),
    "any path": ("QS-L3-042", taking(take_any_path)),
    "echo": ("QS-L3-047", taking(echo_teardown)),
    "no teardown": ("QS-L3-011", taking(ignore_teardown)),
}
"""Servers that break one requirement each."""


def verdicts_on(name, plans, identities, *, alone):
    """Return the verdicts on a broken server: on its requirement alone, or on all."""
    number, kind = BROKEN[name]
    reliable = number in ON_DATAGRAMS
    bears = {"silence": 60.0} if name == "waits for ever" else {}
    with Server(plans[reliable], identities, kind=kind, reliable=reliable, **bears) as seat:
        return judge(PeerSuite, seat, SPECIFICATION, [number] if alone else ())


def verdicts_on_all(names, plans, identities, *, alone):
    """Return the verdicts on broken servers; each waits most of the time, so several are judged at once."""
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda name: verdicts_on(name, plans, identities, alone=alone), names)
        return dict(zip(names, found, strict=True))


@pytest.mark.requirement("QS-CF-007")
@pytest.mark.parametrize("reliable", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_reference_passes(reliable, plans, identities, impatient):
    with Server(plans[reliable], identities, reliable=reliable) as seat:
        verdicts = judge(PeerSuite, seat, SPECIFICATION)
    assert [(v.id, v.detail) for v in verdicts if v.verdict == "fail"] == []
    assert {v.id for v in verdicts if v.verdict != "pass"} == (set() if reliable else ON_DATAGRAMS)
    assert len(verdicts) >= 20


@pytest.mark.slow
@pytest.mark.requirement("QS-CF-007")
def test_a_head_of_circuits_with_another_neighbour_passes(plans, identities, impatient):
    """It asks for circuits of its own meanwhile, and the judge is called by the other neighbour too."""
    with Server(plans[True], identities, reliable=True, subject=0, judge=1, others=(2,)) as seat:
        verdicts = judge(PeerSuite, seat, SPECIFICATION)
    assert [(v.id, v.detail) for v in verdicts if v.verdict != "pass"] == []


def test_a_broken_server_fails_its_requirement(plans, identities, impatient):
    """Some of them every day."""
    for name, (verdict,) in verdicts_on_all([*BROKEN][::4], plans, identities, alone=True).items():
        assert (verdict.verdict, bool(verdict.detail)) == ("fail", True), name


@pytest.mark.slow
@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("half", [0, 1])
def test_a_broken_server_fails_nothing_else(half, plans, identities, impatient):
    for name, verdicts in verdicts_on_all([*BROKEN][half::2], plans, identities, alone=False).items():
        failures = {v.id: v.detail for v in verdicts if v.verdict == "fail"}
        assert failures.keys() == {BROKEN[name][0]}, (name, failures)
