"""The judge of network layers is judged: the reference passes, and a layer that breaks a rule fails that rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spoiling import SPECIFICATION, Spoilt, edit, failures, more, swallow, without

from qstack.conformance.judge import judge
from qstack.conformance.network import NetworkSuite
from qstack.conformance.network_talk import CIRCUIT, SESSION
from qstack.core.errors import LocalProtocolError
from qstack.core.nouns import Cancel, Send, Set
from qstack.network.circuit import Record
from qstack.network.entries import Cutoff, Pace, Sweep
from qstack.network.forwarding import ForwardingLayer
from qstack.network.requests import Uninstall
from qstack.network.signalling import SetupDue, SignallingLayer
from qstack.routing.shortest import ShortestPath
from qstack.services.device import Free, Probe, Swap, Swapped
from qstack.services.l2_link import Create, Err, Ok, Withdraw
from qstack.services.l3_network import Connect, Connected, Disconnected, Early, Lost, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward, Track
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown


def reference(site, signalling=SignallingLayer, partner=None):
    lanes = {peer: n.lanes for peer, n in site.neighbours.items()}
    return (
        ForwardingLayer(site.storage, site.swap_factor, lanes, 10**12, partner),
        signalling(ShortestPath(site.view), site.view.cutoff, neighbours=lanes.keys(), give_way=20.0),
    )


def joins_anything():
    """A pair of any circuit is a partner for one that waits."""
    waiting = []

    def extra(answers, noun, ctx):
        if answers and not isinstance(answers[0], Swap) and ctx.node == 1 and noun.peer == 0:
            waiting.append(noun.qubit)
        elif not answers or not isinstance(answers[0], Swap | Free):
            return [Swap(waiting.pop(), noun.qubit)] if waiting and noun.peer == 2 else []
        return []

    return more(extra)


def after_the_end(extra):
    """Say something when the circuit is gone already."""
    gone = []

    def spoil(inner, noun, ctx):
        answers = list(inner(noun, ctx))
        if isinstance(noun, Teardown):
            gone.append(noun)
        elif gone and not answers:
            return extra(noun)
        return answers

    return spoil


def keeps_records():
    """A record answers every TRACK that asks."""
    said = {}

    def spoil(inner, noun, ctx):
        answers = list(inner(noun, ctx))
        if not answers and noun.link_pair in said:
            return said[noun.link_pair]
        if ctx.node == 1 and answers:
            said[noun.link_pair] = answers
        return answers

    return spoil


def remembers_numbers():
    """A number that has come before stands for the pair that had it first."""
    seen = []

    def spoil(inner, noun, ctx):
        if isinstance(noun, Ok) and ctx.node == 1 and noun.peer == 0:
            seen.append(noun.sequence)
        elif isinstance(noun, Track) and ctx.node == 1 and seen.count(noun.link_pair) > 1 and ctx.sender == 0:
            return [Send(0, Expire(noun.circuit, noun.origin, noun.origin_pair, Reason.CUTOFF))]
        return inner(noun, ctx)

    return spoil


def forgiving(where):
    """Some of what its user may not ask for is nobody's error."""

    def spoil(inner, noun, ctx):
        try:
            return list(inner(noun, ctx))
        except LocalProtocolError:
            if where(noun):
                return []
            raise

    return spoil


def strikes_records(inner, noun, ctx):
    """Records are old after a while."""
    for circuit in inner.__self__.circuits.values():
        for side in circuit.sides if not circuit.cutoff else ():
            side.fates = {number: fate for number, fate in side.fates.items() if not isinstance(fate, Record)}
    return inner(noun, ctx)


def counts_from_one():
    """The head calls the first pair number 1, and says so to the tail."""
    told = edit(Pair, lambda pair: replace(pair, pair=pair.pair + (pair.asked >= 0)))
    said = edit(Track, lambda track: replace(track, request=track.request + 1))
    lost = edit(
        Lost,
        lambda lost: replace(lost, pair=lost.pair + (lost.pair >= 0 <= lost.qubit)),
        lambda noun, ctx: ctx.node == 0,
    )
    spoilt = {Ok: said, Track: told}
    return lambda inner, noun, ctx: spoilt.get(type(noun), lost)(inner, noun, ctx)


def too_early(answers, noun, ctx):
    if ctx.node != 2 or any(isinstance(a, Pair) for a in answers):
        return []
    return [Pair(SESSION, 0, noun.bell, noun.qubit, 0.9, -1)]


def repeated_start(answers, noun, ctx):
    return [] if answers else [Create(2, 1, 1, 0.8)]


def impatient(answers, noun, ctx):
    return [Send(1, Expire(noun.circuit, noun.origin, noun.origin_pair, 4))] if ctx.node == 2 and not answers else []


def once_more(answers, noun, ctx):
    return [a for a in answers if isinstance(a, Send) and isinstance(a.message, Expire)]


def another_pair(answers, noun, ctx):
    return [Pair(SESSION, 9, 0, 9, 0.9, 0)] if ctx.node == 0 and noun.link_pair == 8 else []


BROKEN = {
    "numbers pairs by itself": (
        "QS-L3-001",
        (Track,),
        lambda: edit(Pair, lambda pair: replace(pair, pair=pair.pair + 1), lambda noun, ctx: ctx.node == 2),
    ),
    "forgets the outcome": (
        "QS-L3-002",
        (Swapped,),
        lambda: lambda inner, noun, ctx: inner(replace(noun, outcome=0), ctx),
    ),
    "does not swap": ("QS-L3-003", (Ok,), lambda: without(Swap)),
    "keeps records": ("QS-L3-004", (Track,), keeps_records),
    "tells of a discard": (
        "QS-L3-005",
        (Cutoff,),
        lambda: more(lambda answers, noun, ctx: [Send(0, Complete(CIRCUIT))]),
    ),
    "keeps a half after EXPIRE": ("QS-L3-006", (Expire,), lambda: without(Free)),
    "delivers before the TRACK": ("QS-L3-007", (Ok,), lambda: more(too_early)),
    "goes on generating": ("QS-L3-009", (Complete,), lambda: without(Withdraw)),
    "joins pairs of two circuits": ("QS-L3-010", (Ok,), joins_anything),
    "leaks halves at the end": ("QS-L3-011", (Uninstall,), lambda: without(Free)),
    "says nothing of a disconnect": (
        "QS-L3-011",
        None,
        lambda: without(Teardown, lambda noun, ctx: ctx.node == 0),
    ),
    "forgets the epoch": (
        "QS-L3-012",
        (Ok,),
        lambda: edit(Track, lambda track: replace(track, epoch=0), lambda noun, ctx: ctx.node == 2),
    ),
    "keeps what was rejected": ("QS-L3-013", (Reject,), lambda: lambda inner, noun, ctx: ()),
    "starts twice": ("QS-L3-022", (Forward,), lambda: more(repeated_start)),
    "answers a TRACK twice": ("QS-L3-027", (Track,), lambda: more(once_more)),
    "waits with its request": ("QS-L3-028", (Forward,), lambda: without(Create)),
    "keeps strange pairs": ("QS-L3-029", (Ok,), lambda: without(Free, lambda noun, ctx: noun.purpose == 999)),
    "hides the link's reason": (
        "QS-L3-031",
        (Err,),
        lambda: lambda inner, noun, ctx: inner(replace(noun, reason=Reason.OTHER), ctx),
    ),
    "cannot wait for a herald": ("QS-L3-032", (Track,), lambda: more(impatient)),
    "delivers too many": ("QS-L3-034", (Track,), lambda: more(another_pair)),
    "gives another reason for no route": (
        "QS-L3-036",
        (Connect,),
        lambda: edit(Disconnected, lambda told: replace(told, reason=Reason.OTHER)),
    ),
    "waits for ever": ("QS-L3-037", (SetupDue,), lambda: lambda inner, noun, ctx: ()),
    "says nothing of a label in use": (
        "QS-L3-041",
        (SetupReq,),
        lambda: without(Reject, lambda noun, ctx: noun.circuit == CIRCUIT + 1),
    ),
    "takes any path": ("QS-L3-042", (SetupReq,), lambda: swallow),
    "listens to strangers": ("QS-L3-043", (Teardown, Complete, Track), lambda: swallow),
    "answers late messages": (
        "QS-L3-047",
        (Teardown, Track),
        lambda: after_the_end(lambda noun: [Send(0, Expire(CIRCUIT, 0, 1, 16))]),
    ),
    "frees after a late outcome": (
        "QS-L3-048",
        (Teardown, Swapped),
        lambda: after_the_end(lambda noun: [Free(noun.left)]),
    ),
    "leaks at the cutoff": ("QS-L3-049", (Cutoff,), lambda: without(Free)),
    "takes any rate": (
        "QS-L3-008",
        (Connect,),
        lambda: lambda inner, noun, ctx: inner(replace(noun, rate=min(noun.rate, 100.0)), ctx),
    ),
    "gives another reason for what it lacks": (
        "QS-L3-014",
        (SetupReq,),
        lambda: edit(Reject, lambda told: replace(told, reason=Reason.OTHER), lambda noun, ctx: noun.path[-1] == 7),
    ),
    "asks once": ("QS-L3-030", (Ok,), lambda: without(Create)),
    "confuses numbers": ("QS-L3-035", (Ok, Track), remembers_numbers),
    "connects twice": ("QS-L3-040", (Connect,), lambda: forgiving(lambda noun: not (noun.rate or noun.priority))),
    "is too sure": (
        "QS-L3-044",
        (Track, Swapped),
        lambda: edit(Track, lambda track: replace(track, estimate=65_000)),
    ),
    "forgets records": ("QS-L3-045", (Sweep,), lambda: strikes_records),
    "never answers": ("QS-L3-046", (Sweep,), lambda: without(Expire)),
    "lets halves wait for ever": ("QS-L3-201", (Connect,), lambda: edit(SetupReq, lambda ask: replace(ask, cutoff=0))),
    "hides the rate": ("QS-L3-350", None, lambda: edit(Forward, lambda told: replace(told, rate=0))),
    "keeps all halves": (
        "QS-L3-351",
        None,
        lambda: edit(Create, lambda ask: replace(ask, keep=True, prepare=False, bases=(), remote_bases=())),
    ),
    "tells nothing early": ("QS-L3-352", (Ok,), lambda: without(Early)),
    "measures in another basis": (
        "QS-L3-353",
        (Track,),
        lambda: edit(Probe, lambda ask: replace(ask, basis=(ask.basis + 1) % 3)),
    ),
    "counts from 1": ("QS-L3-354", (Ok, Track, Err, Expire, Uninstall), counts_from_one),
    "keeps a half that comes too early": (
        "QS-L3-355",
        (Ok,),
        lambda: without(Free, lambda noun, ctx: ctx.node == 1 and noun.sequence == 7 and noun.qubit == 0),
    ),
    "is late": (
        "QS-L3-356",
        None,
        lambda: edit(Set, lambda ask: replace(ask, at=ask.at + 2 * 10**12) if isinstance(ask.timer, Pace) else ask),
    ),
    "takes what is no rate": ("QS-L3-357", (Connect,), lambda: forgiving(lambda noun: noun.rate)),
    "forgets the priority": ("QS-L3-400", (Forward,), lambda: edit(Create, lambda ask: replace(ask, priority=0))),
    "tells nobody the priority": (
        "QS-L3-400",
        (SetupReq,),
        lambda: edit(SetupReq, lambda told: replace(told, priority=0)),
    ),
    "takes any priority": (
        "QS-L3-402",
        (Connect,),
        lambda: lambda inner, noun, ctx: inner(replace(noun, priority=noun.priority % 8), ctx),
    ),
    "forgets that halves wait": (
        "QS-L3-358",
        (Track, Ok),
        lambda: edit(Pair, lambda told: replace(told, estimate=0.9)),
    ),
    "keeps what its link takes back": ("QS-L3-359", (Err,), lambda: without(Free)),
    "lets TRACKs run on": (
        "QS-L3-361",
        (Expire,),
        lambda: without(Expire, lambda noun, ctx: ctx.node == 1 and ctx.sender == noun.origin == 0),
    ),
    "takes messages from anywhere": ("QS-L3-362", (Forward, SetupRsp, Reject), lambda: swallow),
    "says twice that a pair is lost": (
        "QS-L3-363",
        (Expire,),
        lambda: more(lambda answers, noun, ctx: [a for a in answers if isinstance(a, Lost) and a.pair >= 0]),
    ),
    "says nothing of doubtful pairs": (
        "QS-L3-364",
        (Uninstall,),
        lambda: edit(Lost, lambda told: None if told.pair >= 0 else told),
    ),
    "says nothing of what it gives up": ("QS-L3-365", (Uninstall,), lambda: without(Expire)),
    "leaves timers": ("QS-L3-366", (Uninstall,), lambda: without(Cancel)),
    "hides a session": (
        "QS-L3-367",
        (Forward,),
        lambda: without(Connected, lambda noun, ctx: noun.request == SESSION + 1),
    ),
    "gives pairs to the first": (
        "QS-L3-368",
        (Track,),
        lambda: lambda inner, noun, ctx: inner(replace(noun, member=0), ctx),
    ),
    "changes the cutoff": (
        "QS-L3-369",
        (SetupReq,),
        lambda: edit(SetupReq, lambda ask: replace(ask, cutoff=ask.cutoff + 1)),
    ),
}


class ManyAlike(SignallingLayer):
    """From its 16th label on, a node chooses among the labels of the other end too."""

    def _label(self, node, behind):
        label = super()._label(node, behind)
        return label - 1 if label % 2 and label > 30 else label


class ManyTimes(SignallingLayer):
    """From its 25th circuit on, a head gives the second one's number."""

    def _number(self, node):
        number = super()._number(node)
        return node << 16 | 2 if number & 0xFFFF > 25 else number


class Mixing(SignallingLayer):
    """Sessions share a circuit whatever their priorities."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options, aggregate=True)

    def _shared(self, req):
        standing = [one for entry in self.entries.values() for one in entry.sessions.values() if one is not None]
        return super()._shared(replace(req, priority=standing[0].priority) if standing else req)


class Soon(SignallingLayer):
    """A label that is free is chosen again at once."""

    def _label(self, node, behind):
        self.last_label.pop(behind, None)
        return super()._label(node, behind)


def with_signalling(kind):
    return lambda site: reference(site, kind)


OTHERWISE = {
    "swaps the youngest": ("QS-L3-033", lambda site: reference(site, partner=lambda waiting: waiting - 1)),
    "chooses the other end's labels": ("QS-L3-038", with_signalling(ManyAlike)),
    "mixes priorities": ("QS-L3-401", with_signalling(Mixing)),
    "gives a number twice": ("QS-L3-039", with_signalling(ManyTimes)),
    "chooses a label again at once": ("QS-L3-360", with_signalling(Soon)),
}
"""Layers that are built otherwise."""


class TestReference(NetworkSuite):
    """The suite as a vendor's pytest runs it."""

    @pytest.fixture
    def make(self):
        return reference


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layer_fails_what_it_breaks(name):
    number, kinds, spoil = BROKEN[name]
    assert failures(NetworkSuite, lambda site: Spoilt(reference(site), kinds, spoil())) == {number}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", OTHERWISE)
def test_a_layer_that_is_built_otherwise_fails_what_it_breaks(name):
    number, make = OTHERWISE[name]
    assert failures(NetworkSuite, make) == {number}


def test_every_requirement_of_the_suite_has_a_layer_that_breaks_it():
    judged = {verdict.id for verdict in judge(NetworkSuite, reference, SPECIFICATION)}
    assert judged == {number for number, *_ in (*BROKEN.values(), *OTHERWISE.values())}
