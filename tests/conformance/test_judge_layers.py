"""The judges of physical and transport layers are judged: references pass, and a layer that breaks a rule fails that rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

from qstack import api
from qstack.conformance.judge import failed, judge
from qstack.conformance.node import NodeSuite
from qstack.conformance.offers import nodes
from qstack.conformance.physical import PhysicalSuite
from qstack.conformance.specification import load
from qstack.conformance.transport import TransportSuite
from qstack.core.errors import ProtocolError
from qstack.core.layer import Layer
from qstack.core.nouns import Send
from qstack.network.circuit import Uninstall
from qstack.physical.layer import PhysicalLayer
from qstack.services.bell import flip
from qstack.services.device import Apply, BellMeasure, BellMeasured, Free, Herald, Missed, Swap, Swapped, Trigger
from qstack.services.l1_physical import Attempt, Heralded, Renumber, Skipped
from qstack.services.l2_link import Ok
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected, FidelityTested, Pair, Result
from qstack.services.l3_network import Lost as PairLost
from qstack.services.l4_transport import (
    Close,
    Closed,
    Delivery,
    EarlyDelivery,
    Expired,
    FidelityReported,
    Lost,
    Open,
    Opened,
    Outcome,
    Received,
    Refused,
    Release,
    Returned,
    Sent,
    Transmit,
)
from qstack.services.reasons import Reason
from qstack.transport.layer import TransportLayer
from qstack.transport.session import AnswerDue
from qstack.wire.signalling import Teardown
from qstack.wire.transport import (
    Acknowledgement,
    Correction,
    Loss,
    SessionClose,
    SessionOpen,
    SessionOpenAck,
    SessionReset,
)

NODES = nodes(api.manager())
SPECIFICATION = load(Path(__file__).parents[2] / "specs")


def physical(site):
    return PhysicalLayer({peer: n.lanes for peer, n in site.neighbours.items()})


def transport(site):
    return TransportLayer()


class Spoilt(Layer):
    """A layer with other answers to some nouns; `spoil(inner, noun, context)` gives them."""

    name = "spoilt"

    def __init__(self, layer, kinds, spoil):
        self.table = layer.handlers()
        for kind in kinds or self.table:
            self.table[kind] = lambda noun, ctx, inner=self.table[kind]: list(spoil(inner, noun, ctx))

    def handlers(self):
        return self.table


def edit(kind, change, where=lambda noun, ctx: True):
    """Change every answer of a kind, inside its Send too; what is changed into None is left out."""

    def spoil(inner, noun, ctx):
        for answer in inner(noun, ctx):
            content = answer.message if isinstance(answer, Send) else answer
            changed = change(content) if isinstance(content, kind) and where(noun, ctx) else content
            if changed is not None:
                yield Send(answer.peer, changed) if isinstance(answer, Send) else changed

    return spoil


def without(kind, where=lambda noun, ctx: True):
    return edit(kind, lambda answer: None, where)


def more(extra):
    def spoil(inner, noun, ctx):
        answers = list(inner(noun, ctx))
        return [*answers, *extra(answers, noun, ctx)]

    return spoil


def twice(kind):
    return more(lambda answers, noun, ctx: [a for a in answers if isinstance(a, kind)])


def swallow(inner, noun, ctx):
    try:
        return list(inner(noun, ctx))
    except ProtocolError:
        return []


def nothing(inner, noun, ctx):
    return ()


def told_again(answers, noun, ctx):
    if answers or noun.sequence > 1:
        return []
    return [Heralded(noun.peer, noun.lane, noun.aid, noun.sequence, noun.bell, noun.qubit, noun.emitted, -1, -1)]


def stops_all_lanes(answers, noun, ctx):
    return [Trigger(2, lane, -1, 0, keep=True, bases=()) for lane in (0, 1) if noun.aid < 0]


def one_count():
    """Count the successes of all links together."""
    count = []

    def spoil(inner, noun, ctx):
        if noun.peer == 0:
            count.append(noun)
            return [Skipped(0, 65_535, 0), *inner(noun, ctx)]
        return inner(noun, ctx)

    return spoil


def plain_numbers():
    """Take a smaller number for an older one."""
    last = {}

    def spoil(inner, noun, ctx):
        old = noun.sequence < last.get(noun.peer, 0) - 40_000
        last[noun.peer] = noun.sequence
        return [] if old else inner(noun, ctx)

    return spoil


PHYSICAL = {
    "attempts unasked": ("QS-L1-001", (Herald,), lambda: more(lambda a, noun, ctx: [Trigger(2, 0, 17, 0, True, ())])),  # noqa: FBT003 - as on the service
    "stops every lane": ("QS-L1-001", (Attempt,), lambda: more(stops_all_lanes)),
    "goes on after a withdrawal": ("QS-L1-001", (Attempt,), lambda: without(Trigger, lambda noun, ctx: noun.aid < 0)),
    "takes any lane": ("QS-L1-013", (Attempt,), lambda: swallow),
    "tells a success twice": ("QS-L1-022", (Herald,), lambda: more(told_again)),
    "improves the index": ("QS-L1-023", (Herald,), lambda: edit(Heralded, lambda h: replace(h, bell=0))),
    "listens to strangers": ("QS-L1-025", (Herald, Missed), lambda: swallow),
    "hides gaps": ("QS-L1-044", (Herald, Missed), lambda: without(Skipped)),
    "counts all links together": ("QS-L1-044", (Herald,), one_count),
    "forgets to wrap": ("QS-L1-282", (Herald,), plain_numbers),
    "counts on": ("QS-L1-281", (Renumber,), lambda: nothing),
}


def early_return(answers, noun, ctx):
    """Give the circuit back with the first pair of several."""
    return [Disconnect(noun.session)] if noun.pair == 0 and noun.qubit == 20 and Delivery in map(type, answers) else []


def both_ends(inner, noun, ctx):
    """Apply the frame of a pair at the end that asked too."""
    answers = list(inner(noun, ctx))
    corrected = any(isinstance(a, Delivery) and a.bell != noun.bell for a in answers)
    missing = corrected and not any(isinstance(a, Apply) for a in answers)
    return [Apply(noun.qubit, noun.bell), *answers] if missing else answers


def late_gate(inner, noun, ctx):
    """Apply the correction when the qubit has been handed up."""
    answers = list(inner(noun, ctx))
    if any(isinstance(answer, Received) for answer in answers):
        answers.sort(key=lambda answer: isinstance(answer, Apply))
    return answers


def again(inner, noun, ctx):
    """Receive a qubit for every correction."""
    answers = list(inner(noun, ctx))
    if isinstance(noun, Correction) and not answers and noun.outcome == 2 and noun.bell == 1:
        return [Received(noun.session, noun.sequence, 20, 0, 0.9)]
    return answers


def sends_back():
    """Give a qubit back that was measured."""
    measured = []

    def spoil(inner, noun, ctx):
        answers = list(inner(noun, ctx))
        measured.extend(a for a in answers if isinstance(a, Sent))
        if isinstance(noun, Disconnected) and measured:
            answers.append(Returned(noun.session, measured[0].qubit))
        return answers

    return spoil


def no_windows():
    """Hand up every pair at once."""
    seen = []

    def spoil(inner, noun, ctx):
        answers = list(inner(noun, ctx))
        if isinstance(noun, Open | SessionOpen):
            seen.append(noun)
        if (
            isinstance(noun, Pair)
            and not answers
            and ctx.node == 1
            and seen
            and not seen[-1].mode
            and seen[-1].window > 1
        ):
            return [Delivery(noun.session, noun.pair, noun.bell, noun.qubit, noun.estimate, noun.asked)]
        return answers

    return spoil


def reckless():
    """Measure a qubit of a wide session with any half, pair or no pair."""
    wide = []

    def extra(answers, noun, ctx):
        if isinstance(noun, Open):
            wide[:] = [noun.window > 1]
        return [BellMeasure(noun.qubit, 0, noun.session)] if wide == [True] and not answers else []

    return more(extra)


def unsorted_():
    """Hand up qubits as they come."""

    def spoil(inner, noun, ctx):
        if isinstance(noun, Open | SessionOpen):
            noun = replace(noun, ordered=False)
        return inner(noun, ctx)

    return spoil


def slow_halves():
    """Hand every early half up when the next thing happens."""
    late = WeakKeyDictionary()

    def spoil(inner, noun, ctx):
        layer = inner.__self__
        waiting = late.pop(layer, [])
        answers = list(inner(noun, ctx))
        late[layer] = [a for a in answers if isinstance(a, EarlyDelivery)]
        return [*waiting, *(a for a in answers if not isinstance(a, EarlyDelivery))]

    return spoil


def turns_too(inner, noun, ctx):
    for answer in inner(noun, ctx):
        if isinstance(answer, Outcome) and answer.bell != noun.bell and ctx.node == 1:
            yield replace(answer, outcome=answer.outcome ^ flip(noun.bell, noun.basis))
        else:
            yield answer


TRANSPORT = {
    "asks another fidelity": ("QS-L4-288", (Open,), lambda: edit(Connect, lambda c: replace(c, min_fidelity=0.5))),
    "forgets the priority": (
        "QS-L4-400",
        (Open, SessionOpenAck),
        lambda: edit(Connect, lambda c: replace(c, priority=0)),
    ),
    "forgets the rate": ("QS-L4-470", (Open, SessionOpenAck), lambda: edit(Connect, lambda c: replace(c, rate=0.0))),
    "measures without a pair": ("QS-L4-001", (Open, Transmit), reckless),
    "receives twice": ("QS-L4-002", (Correction,), lambda: again),
    "undoes the wrong frame": (
        "QS-L4-003",
        (Correction, Pair),
        lambda: edit(Received, lambda r: replace(r, frame=r.frame ^ 1)),
    ),
    "says another outcome": ("QS-L4-003", (BellMeasured,), lambda: edit(Correction, lambda c: replace(c, outcome=0))),
    "corrects too late": ("QS-L4-005", (Correction, Pair), lambda: late_gate),
    "gives a measured qubit back": ("QS-L4-006", (BellMeasured, Disconnected), sends_back),
    "knows no windows": ("QS-L4-007", None, no_windows),
    "keeps pairs after the end": (
        "QS-L4-011",
        (Pair,),
        lambda: without(Free, lambda noun, ctx: noun.pair in {1, 2} and noun.qubit in {20, 21}),
    ),
    "does not tell the responder": (
        "QS-L4-013",
        (Connected,),
        lambda: without(Opened, lambda noun, ctx: not noun.initiator),
    ),
    "keeps the circuit": ("QS-L4-014", (Pair,), lambda: without(Disconnect)),
    "gives the circuit back early": ("QS-L4-014", (Pair,), lambda: more(early_return)),
    "ends twice": (
        "QS-L4-015",
        (Disconnected,),
        lambda: more(
            lambda answers, noun, ctx: [a for a in answers if isinstance(a, Closed) and a.reason == Reason.NO_ROUTE]
        ),
    ),
    "takes misuse": ("QS-L4-016", (Open,), lambda: swallow),
    "corrects at both ends": ("QS-L4-281", (Pair,), lambda: both_ends),
    "listens to strangers": ("QS-L4-282", (Acknowledgement, SessionClose, SessionReset), lambda: swallow),
    "refuses without a word": (
        "QS-L4-283",
        (SessionOpen,),
        lambda: without(SessionReset, lambda noun, ctx: noun.mode > 1),
    ),
    "waits for ever": ("QS-L4-284", (AnswerDue,), lambda: without(Closed)),
    "leaks what waits": ("QS-L4-285", (Close, Disconnected), lambda: without(Free)),
    "sends out of order": ("QS-L4-286", (Open, SessionOpen), unsorted_),
    "tells losses twice": (
        "QS-L4-287",
        (Loss,),
        lambda: more(lambda answers, noun, ctx: [Lost(noun.session, 0, erasure=True)] if ctx.node == 1 else []),
    ),
    "hides losses": ("QS-L4-287", (Loss, AnswerDue), lambda: without(Lost, lambda noun, ctx: ctx.node == 1)),
    "keeps refusals to itself": ("QS-L4-320", (SessionReset, AnswerDue), lambda: without(Refused)),
    "refuses streams in silence": ("QS-L4-321", (Disconnected,), lambda: without(SessionReset)),
    "asks for pairs that are kept": (
        "QS-L4-322",
        (Open, SessionOpenAck),
        lambda: edit(Connect, lambda c: replace(c, kind=0)),
    ),
    "waits with early halves": ("QS-L4-323", None, slow_halves),
    "forgets early halves": ("QS-L4-324", (Disconnected,), lambda: without(Expired)),
    "hides that a pair is gone": (
        "QS-L4-325",
        (PairLost,),
        lambda: without(Expired, lambda noun, ctx: noun.pair >= 0),
    ),
    "turns bits at both ends": ("QS-L4-326", (Result,), lambda: turns_too),
    "hides what was tested": ("QS-L4-327", (FidelityTested,), lambda: without(FidelityReported)),
    "counts pairs and not numbers": (
        "QS-L4-328",
        (Release,),
        lambda: edit(Acknowledgement, lambda a: replace(a, cumulative=a.cumulative - 1)),
    ),
    "waits for lost qubits": (
        "QS-L4-329",
        (Loss,),
        lambda: lambda inner, noun, ctx: () if ctx.node == 2 else inner(noun, ctx),
    ),
    "hides what it knows of a pair": ("QS-L5-005", (Pair,), lambda: edit(Delivery, lambda d: replace(d, estimate=1.0))),
}


def node(site):
    return NODES["reference"](site)


def pile(kinds, spoil):
    """Return whole nodes of which the layer that handles these kinds is spoilt."""

    def make(site):
        return tuple(
            Spoilt(layer, [kind for kind in kinds if kind in layer.handlers()], spoil)
            if any(kind in layer.handlers() for kind in kinds)
            else layer
            for layer in node(site)
        )

    return make


def eager(answers, noun, ctx):
    return [Attempt(1, 0, 3, 0, keep=True, bases=())]


WHOLE = {
    "has two layers for one noun": ("QS-CV-281", lambda: lambda site: (*node(site), transport(site))),
    "attempts at once": ("QS-CV-282", lambda: pile((Open,), more(eager))),
    "delivers under the link's index": (
        "QS-CV-283",
        lambda: pile((Pair,), edit(Delivery, lambda d: replace(d, bell=1))),
    ),
    "does not swap": ("QS-CV-284", lambda: pile((Ok,), without(Swap))),
    "tells the user of a swap": (
        "QS-CV-284",
        lambda: pile((Swapped,), more(lambda a, noun, ctx: [Delivery(5, 0, 0, noun.left, 0.9, -1)])),
    ),
    "keeps halves": ("QS-CV-285", lambda: pile((Close, Disconnect, Teardown, Uninstall), without(Free))),
    "says nothing of a lost neighbour": ("QS-CV-286", lambda: pile((Disconnected,), without(Closed))),
    "tells of a lost neighbour twice": ("QS-CV-286", lambda: pile((Disconnected,), twice(Closed))),
}


CASES = [
    (suite, layer, name, table)
    for suite, layer, table in ((PhysicalSuite, physical, PHYSICAL), (TransportSuite, transport, TRANSPORT))
    for name in table
]


def failures(suite, make):
    return {verdict.id for verdict in failed(judge(suite, make, SPECIFICATION), strict=True)}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", WHOLE)
def test_a_broken_node_fails_what_it_breaks(name):
    number, make = WHOLE[name]
    assert failures(NodeSuite, make()) == {number}


def test_the_reference_is_a_whole_node():
    assert failures(NodeSuite, node) == set()
    assert {verdict.id for verdict in judge(NodeSuite, node, SPECIFICATION)} == {number for number, _ in WHOLE.values()}


class TestPhysical(PhysicalSuite):
    """The suite as a vendor's pytest runs it."""

    @pytest.fixture
    def make(self):
        return physical


class TestTransport(TransportSuite):
    """The suite as a vendor's pytest runs it."""

    @pytest.fixture
    def make(self):
        return transport


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize(("suite", "layer", "name", "table"), CASES, ids=[f"{s.profile}-{n}" for s, _, n, _ in CASES])
def test_a_broken_layer_fails_what_it_breaks(suite, layer, name, table):
    number, kinds, spoil = table[name]
    assert failures(suite, lambda site: Spoilt(layer(site), kinds, spoil())) == {number}


@pytest.mark.parametrize(
    ("suite", "layer", "table"), [(PhysicalSuite, physical, PHYSICAL), (TransportSuite, transport, TRANSPORT)]
)
def test_every_requirement_of_a_suite_has_a_layer_that_breaks_it(suite, layer, table):
    assert {verdict.id for verdict in judge(suite, layer, SPECIFICATION)} == {number for number, _, _ in table.values()}
