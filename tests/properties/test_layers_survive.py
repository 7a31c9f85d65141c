"""No sequence of well-typed inputs makes a layer raise anything but a ProtocolError."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qstack.application.bbm92 import Bbm92
from qstack.application.chsh import Chsh
from qstack.application.layer import ApplicationLayer
from qstack.application.pairs import Pairs, Wish
from qstack.application.rsp import Preparer, Target
from qstack.application.teleport import TeleportReceiver, TeleportSender
from qstack.conformance.transcript import Transcript
from qstack.core.errors import ProtocolError
from qstack.core.layer import Layer
from qstack.core.nouns import Cancel, Send, Set, Timer
from qstack.link.distil import Distiller
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.network.forwarding import ForwardingLayer
from qstack.network.requests import Progress
from qstack.network.signalling import SignallingLayer
from qstack.physical.layer import PhysicalLayer
from qstack.physical.midpoint import Midpoint
from qstack.services.strategies import NoRoute, Route, Row
from qstack.transport.layer import TransportLayer

NODES = (1, 2, 3)
ROWS = (Row(0.1, 2e-3, 0.9), Row(0.3, 1e-3, 0.7))
SMALL = st.integers(-1, 3)
NUMBERS = st.one_of(SMALL, st.integers(0, 7), st.integers(0, (1 << 16) - 1))
PROGRESS = st.builds(Progress, NUMBERS, NUMBERS, st.lists(st.tuples(SMALL, SMALL), max_size=3).map(tuple))
BY_TYPE: dict[str, st.SearchStrategy] = {
    "int": NUMBERS,
    "float": st.floats(0, 1),
    "bool": st.booleans(),
    "tuple[int, ...]": st.lists(SMALL, max_size=3).map(tuple),
    "tuple[int, int]": st.tuples(SMALL, SMALL),
    "tuple[float, ...]": st.lists(st.floats(0, 1), max_size=2).map(tuple),
    "Progress | None": st.none() | PROGRESS,
    "Mapping[int, Progress] | None": st.none() | st.dictionaries(SMALL, PROGRESS, max_size=2),
}


class Scheme:
    name = "scheme"

    def output_fidelity(self, first: float, second: float) -> float:
        return (first + second) / 2

    def input_fidelity(self, wanted: float) -> float:
        return wanted


def router(source: int, target: int, min_fidelity: float) -> Route | NoRoute:
    if source == target or target not in NODES or min_fidelity > 0.9:
        return NoRoute("none")
    path = tuple(range(source, target + 1)) or tuple(range(source, target - 1, -1))
    return Route(path, (0.5,) * (len(path) - 1), 0.6, 1.0)


def link_layer(distiller: Distiller | None = None) -> LinkLayer:
    return LinkLayer({peer: Link(peer, 2, 10, ROWS, master=peer > 2) for peer in (1, 3)}, distiller=distiller)


def network() -> tuple[Layer, ...]:
    return ForwardingLayer(lambda _: 0.9, 1.0, {1: 2, 3: 2}, 100), SignallingLayer(router, 50, neighbours={1, 3})


PILES: dict[str, Callable[[], tuple[Layer, ...]]] = {
    "physical": lambda: (PhysicalLayer({1: 2, 3: 2}),),
    "link": lambda: (link_layer(),),
    "distilling link": lambda: (link_layer(Distiller(Scheme())),),
    "forwarding": lambda: network()[:1],
    "signalling": lambda: network()[1:],
    "network": network,
    "transport": lambda: (TransportLayer(),),
    "midpoint": lambda: (Midpoint((1, 3), window=10),),
    "key, asking": lambda: (ApplicationLayer([Bbm92(1, Wish(1, 0.5, 2), initiator=True)]),),
    "key, answering": lambda: (ApplicationLayer([Bbm92(1, Wish(1, 0.5, 2), initiator=False)]),),
    "teleport, sending": lambda: (ApplicationLayer([TeleportSender(1, Wish(1, 0.5, 2), consumption=2, window=3)]),),
    "teleport, receiving": lambda: (ApplicationLayer([TeleportReceiver(1, 1)]),),
    "chsh, asking": lambda: (ApplicationLayer([Chsh(1, Wish(1, 0.5, 2), initiator=True)]),),
    "chsh, answering": lambda: (ApplicationLayer([Chsh(1, Wish(1, 0.5, 2), initiator=False)]),),
    "steering": lambda: (ApplicationLayer([Preparer(1, Wish(1, 0.5, 2), choice=2)]),),
    "steered": lambda: (ApplicationLayer([Target(1, Wish(1, 0.5, 2))]),),
    "pairs": lambda: (ApplicationLayer([Pairs(flow, Wish(1, 0.5, 2)) for flow in (1, 2)]),),
}


def inputs(layers: tuple[Layer, ...]) -> st.SearchStrategy:
    """Return a strategy for everything that the layers handle, in time and from any sender."""
    kinds = sorted({kind for layer in layers for kind in layer.handlers()}, key=lambda kind: kind.__name__)
    nouns = [st.builds(kind, **{f.name: BY_TYPE[f.type] for f in dataclasses.fields(kind)}) for kind in kinds]
    return st.tuples(st.one_of(nouns), st.integers(0, 4), st.sampled_from([0, 0, 1, 10, 1000]))


@pytest.mark.requirement("QS-CV-008", "QS-CV-010")
@pytest.mark.parametrize("name", PILES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_only_protocol_errors(name, data):
    layers = PILES[name]()
    t = Transcript(*layers, node=2)
    for noun, sender, pause in data.draw(st.lists(inputs(layers), max_size=25)):
        try:
            t.wait(pause)
            t.from_(sender) >> noun
        except ProtocolError:
            continue
        for answer in t.open:
            if isinstance(answer, Set):
                assert answer.at >= t.context.now, "a timer in the past"
                assert isinstance(answer.timer, Timer)
            elif isinstance(answer, Cancel):
                assert isinstance(answer.timer, Timer)
            elif isinstance(answer, Send):
                assert answer.peer != 2, "a message to oneself"


@pytest.mark.requirement("QS-CV-011")
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_same_inputs_same_answers(data):
    steps = data.draw(st.lists(inputs(network()), max_size=20))
    transcripts = []
    for _ in range(2):
        t = Transcript(*network(), node=2)
        for noun, sender, pause in steps:
            try:
                t.wait(pause)
                t.from_(sender) >> noun
            except ProtocolError as error:
                t.lines.append(str(error))
        transcripts.append(t.lines)
    assert transcripts[0] == transcripts[1]
