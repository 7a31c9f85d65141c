"""What dialogues with a link layer begin with: a node with one neighbour, requests, answers, successes."""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.transcript import Transcript
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.services.l1_physical import Heralded
from qstack.services.l2_link import Create
from qstack.services.strategies import Row
from qstack.wire.link import Add, AddAck

RTT = 1000
ROWS = (Row(0.1, 2e-3, 0.9), Row(0.3, 1e-3, 0.7))
CREATE = Create(peer=2, purpose=4, number=3, min_fidelity=0.8)


def link(node: int, peer: int, lanes: int = 2, **options) -> Transcript:
    layer = LinkLayer({peer: Link(peer, lanes, RTT, ROWS, master=node < peer, cycle=100)}, **options)
    return Transcript(layer, node=node).from_(peer)


def add(cseq: int = 1, aid: int = 1, **fields) -> Add:
    base = Add(cseq, aid, 4, 1, 3, 0.8, 0, keep=True, bases=(), start=2 * RTT, deadline=0, consecutive=True)
    return replace(base, **fields)


def herald(aid: int, sequence: int, lane: int = 0, qubit: int = 7, **fields) -> Heralded:
    return replace(Heralded(2, lane, aid, sequence, 2, qubit, 5, -1, -1), **fields)


def served(t: Transcript, create: Create = CREATE) -> Transcript:
    """Bring a request of the master to the point where it is served."""
    t >> create
    t >> AddAck(t.last(Add).cseq, t.last(Add).aid)
    return t.wait(2 * RTT)


def queue_of(t: Transcript, *requests: tuple[int, int]) -> Transcript:
    """Bring requests of the master, of these purposes and priorities, to the point where they are served."""
    for n, (purpose, priority) in enumerate(requests, 1):
        t >> replace(CREATE, purpose=purpose, priority=priority, number=1000)
        t >> AddAck(n, n)
    return t.wait(2 * RTT)


class Better:
    """A scheme that adds 0.05."""

    name = "better"

    def output_fidelity(self, first: float, second: float) -> float:
        return (first + second) / 2 + 0.05

    def input_fidelity(self, wanted: float) -> float:
        return wanted - 0.05
