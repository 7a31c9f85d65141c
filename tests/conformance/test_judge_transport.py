"""The judge of transport layers is judged: the reference passes, and a layer that breaks a rule fails that rule."""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

import pytest
from spoiling import SPECIFICATION, Spoilt, edit, failures, more, swallow, without

from qstack.conformance.judge import judge
from qstack.conformance.transport import TransportSuite
from qstack.services.bell import flip
from qstack.services.device import Apply, BellMeasure, BellMeasured, Free
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
from qstack.wire.transport import (
    Acknowledgement,
    Correction,
    Loss,
    SessionClose,
    SessionOpen,
    SessionOpenAck,
    SessionReset,
)


def transport(site):
    return TransportLayer()


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


BROKEN = {
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


class TestReference(TransportSuite):
    """The suite as a vendor's pytest runs it."""

    @pytest.fixture
    def make(self):
        return transport


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layer_fails_what_it_breaks(name):
    number, kinds, spoil = BROKEN[name]
    assert failures(TransportSuite, lambda site: Spoilt([transport(site)], kinds, spoil())) == {number}


def test_every_requirement_of_the_suite_has_a_layer_that_breaks_it():
    assert {verdict.id for verdict in judge(TransportSuite, transport, SPECIFICATION)} == {
        number for number, _, _ in BROKEN.values()
    }
