"""The judge of link layers is judged: the reference passes, a different layer fails what it breaks, a broken one too."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import qstack.builtins
from qstack import api
from qstack.conformance.bench import Bench
from qstack.conformance.features import told
from qstack.conformance.judge import failed, judge
from qstack.conformance.link import LinkSuite
from qstack.conformance.link_talk import CREATE, incoming
from qstack.conformance.specification import load
from qstack.conformance.stand import FAST, GOOD, ROUND_TRIP
from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Layer
from qstack.core.nouns import Cancel, Send, Set
from qstack.link.endings import AddDue, Remind, Repeat
from qstack.link.layer import LinkLayer, Serve
from qstack.link.queue import Link
from qstack.link.room import RoomDue, RoomLater
from qstack.link.schedulers import first_come, strict_priority, weighted_fair
from qstack.plugin.discovery import inline
from qstack.services.classical import NeighbourLost
from qstack.services.device import AskRoom, Free, Room, Spoiled
from qstack.services.l1_physical import Attempt, Heralded, Skipped
from qstack.services.l2_link import Accepted, Create, Err, Ok, Receive, Unreachable, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import Add, AddAck, AddRej, Drop, DropAck, LinkExpire, LinkExpireAck, MemAck, MemReq

ROOT = Path(__file__).parents[2]
SPECIFICATION = load(ROOT / "specs")
EVERYTHING = (Create, Add, AddAck, AddRej, Drop, DropAck, AddDue, Serve, Heralded, Withdraw)


def reference(site, link=Link, scheduler=weighted_fair):
    links = {
        peer: link(peer, n.lanes, 2 * n.delay, n.rows, master=site.number < peer, cycle=n.period)
        for peer, n in site.neighbours.items()
    }
    return LinkLayer(links, scheduler)


class Spoilt(Layer):
    """The reference with other answers to some nouns; `spoil(inner, noun, context)` gives them."""

    name = "link"

    def __init__(self, site, kinds, spoil):
        self.kinds, self.spoil = kinds, spoil
        self.table = reference(site).handlers()

    def handlers(self):
        return {
            kind: (lambda noun, ctx, inner=inner: self.spoil(inner, noun, ctx)) if kind in self.kinds else inner
            for kind, inner in self.table.items()
        }


def edit(kind, change, *, where=lambda noun: True):
    """Change every answer of a kind; what is changed into None is left out."""

    def spoil(inner, noun, ctx):
        for answer in inner(noun, ctx):
            content = answer.message if isinstance(answer, Send) else answer
            if not (isinstance(content, kind) and where(noun)):
                yield answer
                continue
            changed = change(content)
            if changed is not None:
                yield Send(answer.peer, changed) if isinstance(answer, Send) else changed

    return spoil


def more(extra):
    """Append answers."""

    def spoil(inner, noun, ctx):
        answers = list(inner(noun, ctx))
        return [*answers, *extra(answers, noun)]

    return spoil


def twice(kind):
    return more(lambda answers, noun: [a for a in answers if isinstance(a, kind)])


def reason(old, new):
    return edit(Err, lambda err: replace(err, reason=new) if err.reason == old else err)


def deaf(inner, noun, ctx):
    """Say that a success was heard which the other end has missed, and keep the pair."""
    if (noun.low, noun.high) != (1, 2):
        return inner(noun, ctx)
    return [Send(3 - ctx.node, LinkExpireAck(noun.aid, 2, noun.low, noun.high))]


def nothing(inner, noun, ctx):
    return ()


def row_for(fidelity):
    return FAST if fidelity <= 0.7 else GOOD


def without_answer(answers, noun):
    if isinstance(noun, Withdraw):
        return [Attempt(noun.peer, 0, -1, 0, keep=True, bases=())]
    adds = [a.message for a in answers if isinstance(a, Send) and isinstance(a.message, Add)]
    return [Attempt(noun.peer, 0, add.aid, row_for(noun.min_fidelity), keep=True, bases=()) for add in adds]


def before_the_start(answers, noun):
    accepted = any(isinstance(a, Send) and isinstance(a.message, AddAck) for a in answers)
    return [Attempt(1, 0, noun.aid, GOOD, noun.keep, noun.bases)] if accepted else []


def swallow(inner, noun, ctx):
    try:
        return list(inner(noun, ctx))
    except RemoteProtocolError:
        return []


def second_entry():
    """After a repeated ADD there is a request more when the first is done."""
    seen = set()

    def spoil(inner, noun, ctx):
        answers = list(inner(noun, ctx))
        if isinstance(noun, Add):
            seen.add("twice" if noun.cseq in seen else noun.cseq)
        elif "twice" in seen:
            answers = [replace(a, aid=77) if isinstance(a, Attempt) and a.aid < 0 else a for a in answers]
        return answers

    return spoil


def held_back():
    """The second pair waits for the third."""
    held = []

    def spoil(inner, noun, ctx):
        for answer in inner(noun, ctx):
            if isinstance(answer, Ok) and noun.sequence == 1:
                held.append(answer)
            else:
                yield answer
        if noun.sequence == 2:
            yield from held
            held.clear()

    return spoil


def late_pair(inner, noun, ctx):
    answers = list(inner(noun, ctx))
    if ctx.now == 50 * ROUND_TRIP and any(isinstance(a, Free) for a in answers):
        return [Ok(noun.peer, 4, 1, noun.sequence, noun.bell, 0.9, 0, noun.qubit, remote=False, basis=-1, outcome=-1)]
    return answers


def takes_all(inner, noun, ctx):
    yield from inner(noun, ctx)
    yield from inner(replace(noun, purpose=6), ctx)


def only_changes(inner, noun, ctx):
    answers = list(inner(noun, ctx))
    return answers if any(isinstance(a, Attempt) for a in answers) else []


def last_of_three(noun):
    return isinstance(noun, Heralded) and noun.sequence == 2 and noun.qubit == 7


def orphan(expire):
    return None if expire.low == expire.high else expire


def expired_again(answers, noun):
    none = not any(isinstance(a, Err) for a in answers)
    return [Err(2, 4, 1, Reason.EXPIRE, remote=False, low=0, high=1)] if none and noun.low == 0 else []


def impatient():
    """Nothing is held back: an atomic request and one whose pairs come together are served like any other."""

    def spoil(inner, noun, ctx):
        return inner(replace(noun, atomic=False), ctx)

    return spoil


def one_by_one(inner, noun, ctx):
    return inner(replace(noun, consecutive=True), ctx)


def first_only(kind):
    """A message of a kind is sent once."""
    sent = set()
    return edit(kind, lambda message: None if kind in sent or sent.add(kind) else message)


def any_number():
    """A second pair of a number is delivered like the first."""
    given = []

    def spoil(inner, noun, ctx):
        for answer in inner(noun, ctx):
            if isinstance(answer, Ok):
                given.append(answer)
            yield answer
        if given and (noun.qubit, noun.sequence) == (10, 5):
            yield replace(given[0], sequence=noun.sequence, qubit=10)

    return spoil


STOP = edit(Attempt, lambda attempt: attempt if attempt.aid >= 0 else None)


def drops_again():
    """A repeated Drop counts as a new one."""
    seen = set()

    def spoil(inner, noun, ctx):
        again = noun.cseq in seen
        seen.add(noun.cseq)
        for answer in inner(replace(noun, cseq=noun.cseq + 100) if again else noun, ctx):
            acked = isinstance(answer, Send) and isinstance(answer.message, DropAck)
            yield Send(answer.peer, replace(answer.message, cseq=noun.cseq)) if acked else answer

    return spoil


def rests_alone():
    """One end lets its lanes rest, once it was asked for five pairs of purpose 14, while the other end attempts."""
    asked = set()

    def spoil(inner, noun, ctx):
        if isinstance(noun, Create):
            asked.add((noun.purpose, noun.number))
            return list(inner(noun, ctx))
        rests = (14, 5) in asked and 15 < noun.sequence < 25
        return [replace(a, aid=-1) if rests and isinstance(a, Attempt) else a for a in inner(noun, ctx)]

    return spoil


def remembers_for_ever():
    """A range that has been answered is answered like that again, whatever pairs its numbers stand for."""
    said = {}

    def spoil(inner, noun, ctx):
        key = (noun.aid, noun.low, noun.high)
        if key not in said:
            said[key] = list(inner(noun, ctx))
            return said[key]
        return [a for a in said[key] if isinstance(a, Send)]

    return spoil


def asks_nobody():
    """Only a neighbour that has said that it is full is asked for its memories."""
    full = []

    def spoil(inner, noun, ctx):
        if isinstance(noun, MemReq | MemAck):
            full[:] = [] if noun.communication else [True]
        return [a for a in inner(noun, ctx) if full or not isinstance(a, AskRoom) or isinstance(noun, MemReq)]

    return spoil


BROKEN = {
    "hides that its queue is full": ("QS-L2-042", (Create,), lambda: reason(Reason.NORES, Reason.OTHER)),
    "takes what was dropped": (
        "QS-L2-202",
        (Add,),
        lambda: edit(AddRej, lambda said: AddAck(said.cseq, 9) if said.reason == Reason.NOTIME else said),
    ),
    "leaves a timer of a withdrawal": ("QS-L2-350", (DropAck,), lambda: edit(Cancel, lambda stop: None)),
    "never tires": (
        "QS-L2-351",
        (Repeat, Remind, Withdraw, Skipped),
        lambda: edit(Set, lambda ask: Set(Repeat(2), ask.at) if isinstance(ask.timer, Remind) else ask),
    ),
    "lets a pair go in silence": ("QS-L2-352", (Heralded,), lambda: edit(LinkExpire, lambda expire: None)),
    "expects another number": (
        "QS-L2-353",
        (LinkExpire,),
        lambda: edit(LinkExpireAck, lambda ack: replace(ack, expected=(ack.expected + 1) % (1 << 16))),
    ),
    "remembers ranges for ever": ("QS-L2-354", (LinkExpire,), remembers_for_ever),
    "prepares nothing": (
        "QS-L2-355",
        (Create,),
        lambda: lambda inner, noun, ctx: inner(replace(noun, prepare=False, remote_bases=()), ctx),
    ),
    "tells a goodness of its own": (
        "QS-L2-023",
        (Heralded,),
        lambda: edit(Ok, lambda ok: replace(ok, goodness=1.0)),
    ),
    "is deaf to a number": (
        "QS-L2-043",
        (AddAck,),
        lambda: lambda inner, noun, ctx: () if noun.cseq == 200 else inner(noun, ctx),
    ),
    "rests alone": ("QS-L2-050", (Create, Heralded), rests_alone),
    "measures in another basis": (
        "QS-L2-033",
        (Add, Serve),
        lambda: edit(Attempt, lambda attempt: replace(attempt, bases=(0,)) if attempt.bases == (1, 2) else attempt),
    ),
    "drops again": ("QS-L2-054", (Drop,), drops_again),
    "gives up in silence": ("QS-L2-055", (Drop,), lambda: edit(Err, lambda err: None)),
    "holds on to a lost neighbour": (
        "QS-L2-056",
        (NeighbourLost,),
        lambda: lambda inner, noun, ctx: [Unreachable(noun.peer)],
    ),
    "uses a number twice": (
        "QS-L2-301",
        (Create,),
        lambda: edit(Accepted, lambda told: replace(told, create_id=7) if told.purpose in {8, 9} else told),
    ),
    "accepts twice": ("QS-L2-001", (Create,), lambda: twice(Accepted)),
    "calls both ends the asker": ("QS-L2-002", (Heralded,), lambda: edit(Ok, lambda ok: replace(ok, remote=False))),
    "uses numbers of living pairs": ("QS-L2-003", (Heralded,), any_number),
    "delivers after the deadline": ("QS-L2-004", (Heralded,), lambda: late_pair),
    "goes on after the last pair": (
        "QS-L2-005",
        (Heralded,),
        lambda: edit(Attempt, lambda attempt: None, where=last_of_three),
    ),
    "gives another reason for a fidelity out of reach": (
        "QS-L2-006",
        (Create,),
        lambda: edit(Err, lambda err: replace(err, reason=Reason.NORES), where=lambda noun: noun.min_fidelity == 0.95),
    ),
    "rounds down": (
        "QS-L2-007",
        (Create,),
        lambda: edit(
            Add,
            lambda add: replace(add, min_fidelity=int(0.87 * 65535) / 65535),
            where=lambda noun: noun.min_fidelity == 0.87,
        ),
    ),
    "attempts for two ids": (
        "QS-L2-008",
        EVERYTHING,
        lambda: edit(Attempt, lambda a: replace(a, aid=a.aid + 1) if a.lane == 1 and a.aid >= 0 else a),
    ),
    "asks once": ("QS-L2-010", (AddDue,), lambda: edit(Add, lambda add: None)),
    "enters a repetition": ("QS-L2-011", (Add, Heralded), second_entry),
    "attempts without an answer": ("QS-L2-012", (Create, Withdraw), lambda: more(without_answer)),
    "attempts before the start": ("QS-L2-012", (Add,), lambda: more(before_the_start)),
    "expires too many": (
        "QS-L2-013",
        (Skipped, Repeat, Remind),
        lambda: edit(LinkExpire, lambda expire: replace(expire, high=9) if expire.high == 3 else expire),
    ),
    "delivers what the other end has lost": ("QS-L2-014", (LinkExpire,), lambda: deaf),
    "takes a pair back twice": ("QS-L2-015", (LinkExpire,), lambda: more(expired_again)),
    "keeps a loss from its neighbour": (
        "QS-L2-451",
        (Spoiled,),
        lambda: edit(LinkExpire, lambda expire: None),
    ),
    "keeps a loss from its user": ("QS-L2-451", (Spoiled,), lambda: edit(Err, lambda err: None)),
    "expires once": ("QS-L2-053", (Repeat, Remind), lambda: edit(LinkExpire, lambda expire: None)),
    "knows nothing atomic": ("QS-L2-017", (Create, Add), impatient),
    "delivers one by one": ("QS-L2-018", (Create,), lambda: one_by_one),
    "accepts every purpose": ("QS-L2-024", (Receive,), lambda: nothing),
    "holds a pair back": ("QS-L2-018", (Heralded,), held_back),
    "forgets the bit": (
        "QS-L2-019",
        (Heralded,),
        lambda: edit(Ok, lambda ok: replace(ok, outcome=-1)),
    ),
    "always takes the good setting": ("QS-L2-022", EVERYTHING, lambda: edit(Attempt, lambda a: replace(a, row=GOOD))),
    "gives another reason for a wrong field": (
        "QS-L2-025",
        (Create,),
        lambda: edit(Err, lambda err: replace(err, reason=Reason.UNSUPP), where=lambda noun: noun.priority == 8),
    ),
    "gives another reason for a stranger": (
        "QS-L2-026",
        (Create,),
        lambda: edit(Err, lambda err: replace(err, reason=Reason.UNSUPP), where=lambda noun: noun.peer == 9),
    ),
    "changes the label": (
        "QS-L2-027",
        (Heralded,),
        lambda: edit(Ok, lambda ok: replace(ok, purpose=78) if ok.purpose == 77 else ok),
    ),
    "refuses twice": ("QS-L2-028", (Create,), lambda: twice(Err)),
    "tells the deadline twice": ("QS-L2-029", (Serve,), lambda: twice(Err)),
    "forgets the deadline of the other end's request": (
        "QS-L2-029",
        (Serve,),
        lambda: edit(Err, lambda err: None if err.remote else err),
    ),
    "gives another reason for a time too short": (
        "QS-L2-030",
        (Create,),
        lambda: edit(Err, lambda err: replace(err, reason=Reason.NOTIME), where=lambda noun: noun.max_time == 1),
    ),
    "leaves an orphan": ("QS-L2-032", (AddDue, Repeat, Remind), lambda: edit(LinkExpire, orphan)),
    "hides the reason of a refusal": ("QS-L2-034", (AddRej,), lambda: reason(Reason.NORES, Reason.OTHER)),
    "goes on after a withdrawal": ("QS-L2-035", (Withdraw,), lambda: STOP),
    "answers a DROP once": ("QS-L2-036", (Drop,), lambda: only_changes),
    "withdraws once": ("QS-L2-037", (Repeat, Remind), lambda: edit(Drop, lambda drop: None)),
    "leaks the qubit of an ended request": ("QS-L2-038", (Heralded,), lambda: edit(Free, lambda free: None)),
    "answers a repetition": (
        "QS-L2-039",
        (AddAck,),
        lambda: more(lambda answers, noun: [] if answers else [Accepted(2, 4, 1)]),
    ),
    "listens to strangers": ("QS-L2-040", (Add, AddAck, Drop), lambda: swallow),
    "asks everything at once": (
        "QS-L2-041",
        (Create,),
        lambda: more(
            lambda answers, noun: [Send(2, incoming(200))] if [type(a) for a in answers] == [Accepted] else []
        ),
    ),
    "takes up a purpose on its way out": (
        "QS-L2-044",
        (Create,),
        lambda: edit(Err, lambda err: Accepted(2, 4, 9) if err.reason == Reason.REJECTED else err),
    ),
    "withdraws everything": ("QS-L2-045", (Withdraw,), lambda: takes_all),
    "leaves a timer": (
        "QS-L2-046",
        (Heralded,),
        lambda: more(lambda answers, noun: [Set(AddDue(2, 9), 1 << 60)] if noun.sequence == 2 else []),
    ),
    "attempts for a full neighbour": (
        "QS-L2-016",
        (MemAck, MemReq),
        lambda: edit(Attempt, lambda attempt: None if attempt.aid < 0 else attempt),
    ),
    "answers the first question about memories": ("QS-L2-310", (Room,), lambda: first_only(MemAck)),
    "keeps a freed memory to itself": (
        "QS-L2-311",
        (Room,),
        lambda: edit(MemReq, lambda asked: None, where=lambda noun: noun.free == 1),
    ),
    "asks a full neighbour once": ("QS-L2-312", (Room,), lambda: first_only(MemReq)),
    "takes silence for a lack": (
        "QS-L2-313",
        (RoomDue, RoomLater),
        lambda: edit(Attempt, lambda attempt: None if attempt.aid >= 0 else attempt),
    ),
    "holds up what is measured": (
        "QS-L2-314",
        (MemAck,),
        lambda: more(lambda answers, noun: [] if noun.communication else [Attempt(2, 0, -1, 0, keep=True, bases=())]),
    ),
    "asks in the midst of pairs": (
        "QS-L2-430",
        (Heralded,),
        lambda: more(lambda answers, noun: [Send(noun.peer, MemReq(2, 0))] if noun.sequence == 20 else []),
    ),
    "never asks a silent neighbour": ("QS-L2-431", (MemReq, MemAck, RoomDue, RoomLater), asks_nobody),
    "accepts a malformed ADD": (
        "QS-L2-052",
        (Add,),
        lambda: edit(AddRej, lambda rejection: AddAck(rejection.cseq, 1), where=lambda noun: not noun.keep),
    ),
}


def failures(make):
    return {verdict.id for verdict in failed(judge(LinkSuite, make, SPECIFICATION), strict=True)}


class TestReference(LinkSuite):
    """The suite as a vendor's pytest runs it."""

    @pytest.fixture
    def make(self):
        return reference


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layer_fails_what_it_breaks(name):
    number, kinds, spoil = BROKEN[name]
    assert failures(lambda site: Spoilt(site, kinds, spoil())) == {number}


def test_every_requirement_of_the_suite_has_a_layer_that_breaks_it():
    judged = {verdict.id for verdict in judge(LinkSuite, reference, SPECIFICATION)}
    assert judged == {number for number, _, _ in BROKEN.values()} | {"QS-L2-031", "QS-L2-432", "QS-L2-020"}


class ByArrival(Link):
    """The first requests stand in the order in which they came."""

    def insert(self, item):
        super().insert(item)
        if not self.master and len(self.items) < 4 and set(self.items) <= {1, 2, 3}:
            self.last_order = item.order = len(self.items)


class Thrifty(Link):
    """The least queue id that is free is given to the next request."""

    def assign(self):
        return next(n for n in range(1, 1 << 11) if n not in self.items)


QUEUES = {"stand by arrival": (ByArrival, "QS-L2-031"), "give ids again": (Thrifty, "QS-L2-432")}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_of_its_own(name):
    link, number = QUEUES[name]
    assert failures(lambda site: reference(site, link)) == {number}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("scheduler", [first_come, strict_priority])
def test_shares_that_are_claimed_and_not_given(scheduler):
    suite = told(LinkSuite, ("proportional-shares",))
    verdicts = judge(suite, lambda site: reference(site, scheduler=scheduler), SPECIFICATION)
    assert {verdict.id for verdict in failed(verdicts, strict=True)} == {"QS-L2-020"}


def toy(site):
    (plugin,) = inline(ROOT / "examples" / "replace-link")
    return plugin.module.StopAndWait(dict(site.neighbours))


TOY_BREAKS = {
    "QS-L2-003",  # it does not look at numbers
    "QS-L2-013",  # and never hears of those that were lost
    "QS-L2-014",
    "QS-L2-015",
    "QS-L2-053",
    "QS-L2-018",  # it delivers every pair as it comes
    "QS-L2-007",  # a fidelity is sent as it is, and the codec rounds it beyond what the table reaches
    "QS-L2-012",  # it serves the neighbour's request at once
    "QS-L2-025",  # it looks at the number only
    "QS-L2-026",  # and takes every peer for a neighbour
    "QS-L2-032",  # the neighbour learns of a failure from the next message
    "QS-L2-036",  # it does not answer a DROP
    "QS-L2-037",  # nor repeat one
    "QS-L2-040",
    "QS-L2-044",
    "QS-L2-052",
}


@pytest.mark.requirement("QS-CF-007")
def test_a_different_layer_fails_only_what_it_breaks():
    assert failures(toy) == TOY_BREAKS


@pytest.mark.requirement("QS-CF-014")
def test_what_is_not_claimed_is_unsupported():
    verdicts = judge(LinkSuite, toy, SPECIFICATION)
    assert {v.id: v.detail for v in verdicts if v.verdict == "unsupported"} == {
        "QS-L2-004": "deadlines",
        "QS-L2-029": "deadlines",
        "QS-L2-024": "purposes that a node was told to accept",
        "QS-L2-016": "advertisements of memories",
        "QS-L2-451": "losses of stored halves",
        **{f"QS-L2-{number}": "advertisements of memories" for number in range(310, 315)},
    }


class Crashing(Layer):
    name = "crashing"

    def handlers(self):
        return {Create: self.crash, Add: self.endless}

    def crash(self, noun, ctx):
        raise ZeroDivisionError("division by zero")

    def endless(self, noun, ctx):
        while True:
            yield Send(1, AddAck(noun.cseq, 1))


@pytest.mark.requirement("QS-CF-009")
def test_a_layer_that_crashes_gets_a_verdict():
    verdicts = judge(LinkSuite, lambda site: Crashing(), SPECIFICATION)
    assert {v.verdict for v in verdicts} == {"fail", "unsupported", "not run"}
    memories = {"QS-L2-016", *(f"QS-L2-{number}" for number in range(310, 315))}
    assert {v.id for v in verdicts if v.verdict == "unsupported"} == {"QS-L2-024", *memories}
    details = {v.id: v.detail for v in verdicts}
    assert "no exception, but ZeroDivisionError: division by zero" in details["QS-L2-001"]
    assert "fewer than 20000 answers" in details["QS-L2-011"]
    assert "somebody who handles Heralded" in details["QS-L2-038"]


def test_a_subject_that_cannot_be_made_gets_a_verdict():
    def make(site):
        raise RuntimeError("no such device")

    verdicts = judge(LinkSuite, make, SPECIFICATION, only=["QS-L2-001"])
    assert [(v.verdict, v.detail) for v in verdicts] == [("fail", " - no exception, but RuntimeError: no such device")]


@pytest.mark.requirement("QS-CF-011")
def test_verdicts_are_the_same_every_time():
    assert judge(LinkSuite, toy, SPECIFICATION) == judge(LinkSuite, toy, SPECIFICATION)


@pytest.mark.requirement("QS-CF-010")
def test_suites_import_no_reference_layer():
    names = ("physical", "link", "network", "transport", "application", "hardware", "routing", "correction", "keys")
    code = (
        "import sys, qstack.conformance.profiles\n"
        f"found = [n for n in sys.modules if n.startswith('qstack.') and n.split('.')[1] in {names}]\n"
        "sys.exit(' '.join(found) or 0)"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_bench_says_when_two_ends_never_rest():
    bench = Bench(reference)
    bench.ask(1, replace(CREATE, number=60_000))
    with pytest.raises(AssertionError, match="do not come to rest"):
        bench.run(1 << 50)


def test_the_built_in_layer_is_the_one_that_is_judged():
    manager = api.manager()
    offer = manager.offers("layers", "link")["reference"]
    options = offer.options.model_validate({}, context={"plugins": manager})
    assert failures(lambda site: offer.make(options, site=site)) == set()
    assert qstack.builtins.qstack_specs() == [ROOT / "specs"]
