"""What dialogues with the forwarding layer begin with: a node of one circuit, pairs, and messages about them."""

from __future__ import annotations

from qstack.conformance.transcript import Transcript
from qstack.network.forwarding import UNIT, ForwardingLayer
from qstack.network.requests import Activate, Install
from qstack.services.l2_link import Ok
from qstack.wire.network import Forward, Track

C = 9
PATH = (1, 2, 3)
CUTOFF = 1000
LIFETIME = 100
PATIENCE = 3 * (CUTOFF + LIFETIME)


def node(number: int, *, cutoff: int = CUTOFF, path=PATH, survival=lambda _: 1.0, circuit: int = C) -> Transcript:
    layer = ForwardingLayer(survival, 1.0, dict.fromkeys(range(10), 3), LIFETIME)
    t = Transcript(layer, node=number)
    install(t, circuit, path, cutoff)
    return t


def install(t: Transcript, circuit: int = C, path=PATH, cutoff: int = CUTOFF, label: int = 4) -> None:
    here = path.index(t.context.node)
    labels = (label if here else -1, label if here + 1 < len(path) else -1)
    t >> Install(circuit, 7, here, path, labels, 0.9, cutoff)


def head(number: int = 0, **options) -> Transcript:
    t = node(1, **options)
    t >> Activate(C, number, 7)
    return t.from_(2)


def middle(**options) -> Transcript:
    t = node(2, **options)
    t.from_(1) >> Forward(C, 0, 7, head=1, tail=3, epoch=1)
    return t


def tail(**options) -> Transcript:
    t = node(3, **options)
    t.from_(2) >> Forward(C, 0, 7, head=1, tail=3, epoch=1)
    return t


def ok(
    peer: int, sequence: int, qubit: int, bell: int = 0, since: int = 0, goodness: float = 1.0, label: int = 4
) -> Ok:
    return Ok(peer, label, 1, sequence, bell, goodness, since, qubit, remote=False, basis=-1, outcome=-1)


def track(origin: int, origin_pair: int, link_pair: int, bell: int = 0, wish: int = 0, estimate: int = UNIT) -> Track:
    return Track(C, origin, origin_pair, link_pair, bell, 1, estimate, wish)


def tables_are_empty(t: Transcript) -> bool:
    layer = t.layers[0]
    return not (layer.circuits or layer.swapping or any(layer.labels.values()) or t.timers)
