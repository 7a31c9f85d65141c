"""The suite for link layers.

A vendor writes one fixture::

    class TestMine(LinkSuite):
        @pytest.fixture
        def make(self):
            return lambda site: MyLinkLayer(site)

and runs pytest, or ``qstack conform NAME --profile link``.  The suite talks to a layer by the services and the messages
of plane 1.  It forbids what the texts forbid: an answer may come with others, a request may wait, numbers are the
subject's own.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from qstack.conformance.bench import Bench
from qstack.conformance.marks import Unsupported, requirement
from qstack.conformance.stand import FAST, GOOD, PERIOD, ROUND_TRIP, ROWS, Make, talk
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.errors import RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.wire import decode, encode
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Drop, DropAck

LONG = 100 * ROUND_TRIP
CREATE = Create(peer=2, purpose=4, number=3, min_fidelity=0.8)
STRANGER = 9
UNANSWERED = 64


def incoming(cseq: int = 1, aid: int = 1, **changes: Any) -> Add:
    """Return the ADD that the neighbour of the answering end sends."""
    base = Add(cseq, aid, 4, 1, 3, 0.8, 0, keep=True, bases=(), start=2 * ROUND_TRIP, deadline=0)
    return replace(base, **changes)


def herald(t: Transcript, sequence: int, *, aid: int | None = None, qubit: int = 7, basis: int = -1) -> Transcript:
    """Tell the layer of a success on lane 0, by default for what it attempts for."""
    wanted = standing(t)[0] if aid is None else aid
    outcome = -1 if basis < 0 else 1
    return t >> Heralded(t.sender, 0, wanted, sequence, 2, qubit, t.context.now, basis, outcome)


def standing(t: Transcript) -> dict[int, int]:
    """Return the queue id that each lane attempts for, -1 for none."""
    return {0: -1, 1: -1} | {attempt.lane: attempt.aid for attempt in t.all(Attempt)}


def agree(t: Transcript, purpose: int = 4) -> int:
    """Answer the last ADD of a purpose, wait for its start, and return its queue id."""
    asked = [add for add in t.all(Add) if add.purpose == purpose][-1:] or [t.last(Add)]
    aid = 1 if asked[0].aid == UNASSIGNED else asked[0].aid
    t >> AddAck(asked[0].cseq, aid)
    t.at(max(t.context.now, asked[0].start))
    return aid


def asker(make: Make, request: Create = CREATE) -> Transcript:
    """Bring a request of node 1 to the point where it is served."""
    t = talk(make, 1, 2) >> request
    agree(t, request.purpose)
    return t


def answerer(make: Make, add: Add | None = None) -> Transcript:
    """Bring a request of node 1 to the point where node 2 serves it."""
    t = talk(make, 2, 1) >> (add or incoming())
    return t.at(2 * ROUND_TRIP)


def claims(make: Make, what: str, request: Create) -> None:
    """Say that a feature is not claimed if a sensible request for it is refused.

    Raises
    ------
    Unsupported
        If it is.
    """
    t = talk(make, 1, 2) >> request
    if any(err.reason == Reason.UNSUPP for err in t.all(Err)):
        raise Unsupported(what)


def expect(t: Transcript, holds: bool, missing: str) -> None:  # noqa: FBT001 - reads as a sentence: expect(t, condition, words)
    """Show the dialogue if something does not hold.

    Raises
    ------
    TranscriptError
        If it does not.
    """
    if not holds:
        raise t.mismatch(f"- {missing}")


def _among(lost: range, number: int) -> bool:
    return number in lost


class RequestTests:
    """What is said at once to a request."""

    @requirement("QS-L2-001")
    def test_accepted_once_and_before_any_pair(self, make: Make) -> None:
        """One Accepted, and it comes first."""
        t = asker(make)
        herald(t, 0)
        t.never(Accepted, more_than=1)
        told = [answer for answer in t.answers if isinstance(answer, Accepted | Ok)]
        expect(t, bool(told) and isinstance(told[0], Accepted), "an Accepted before the first Ok")

    @requirement("QS-L2-028")
    def test_refused_by_exactly_one_err(self, make: Make) -> None:
        """Nothing but one Err, and nothing later."""
        t = talk(make, 1, 2) >> replace(CREATE, min_fidelity=0.95)
        t.exactly(Err(2, 4, ANY, ANY, remote=False))
        t.wait(LONG)
        t.never(Err, more_than=1).never(Accepted)

    @requirement("QS-L2-006")
    def test_a_fidelity_out_of_reach(self, make: Make) -> None:
        """UNSUPP at once."""
        t = talk(make, 1, 2) >> replace(CREATE, min_fidelity=0.95)
        t << Err(2, 4, ANY, Reason.UNSUPP, remote=False)

    @requirement("QS-L2-030")
    def test_a_time_that_is_too_short(self, make: Make) -> None:
        """UNSUPP at once."""
        t = talk(make, 1, 2) >> replace(CREATE, max_time=1)
        t << Err(2, 4, ANY, Reason.UNSUPP, remote=False)

    @requirement("QS-L2-025")
    def test_fields_out_of_their_range(self, make: Make) -> None:
        """CREATE, for every field."""
        wrong: list[dict[str, Any]] = [
            *({"number": 0}, {"number": 1 << 16}, {"purpose": -1}, {"purpose": 1 << 16}, {"max_time": -1}),
            *({"min_fidelity": 1.01}, {"min_fidelity": -0.1}, {"priority": 8}),
            *({"bases": (0,)}, {"keep": False}, {"keep": False, "bases": (3,)}),
        ]
        for changes in wrong:
            request = replace(CREATE, **changes)
            t = talk(make, 1, 2) >> request
            t << Err(2, request.purpose, ANY, Reason.CREATE, remote=False)

    @requirement("QS-L2-026")
    def test_only_neighbours(self, make: Make) -> None:
        """CREATE for oneself and for a stranger."""
        for peer in (1, STRANGER):
            t = talk(make, 1, 2) >> replace(CREATE, peer=peer)
            t << Err(peer, 4, ANY, Reason.CREATE, remote=False)

    @requirement("QS-L2-022")
    def test_the_fastest_setting_that_reaches_the_fidelity(self, make: Make) -> None:
        """The fast one for little, the good one for much."""
        for fidelity, row in ((0.6, FAST), (0.8, GOOD)):
            t = asker(make, replace(CREATE, min_fidelity=fidelity))
            t.last(Attempt)
            rows = {attempt.row for attempt in t.all(Attempt) if attempt.aid >= 0}
            expect(t, rows == {row}, f"attempts with row {row} for fidelity {fidelity}")

    @requirement("QS-L2-046")
    def test_no_timer_is_left(self, make: Make) -> None:
        """Neither before the first request nor after the last pair."""
        t = talk(make, 1, 2)
        t.wait(LONG)
        expect(t, not t.timers, "no timer of a layer that was asked for nothing")
        t = asker(make)
        for sequence in range(3):
            herald(t, sequence, qubit=sequence)
        t.wait(LONG)
        expect(t, not t.timers, "no timer after the last pair")


class AgreementTests:
    """How two ends come to hold the same requests."""

    @requirement("QS-L2-007")
    def test_the_fidelity_that_travels(self, make: Make) -> None:
        """Not below what was asked, not above what reaches it."""
        for wanted, row in ((0.8, GOOD), (0.87, GOOD), (0.9, GOOD), (0.7, FAST)):
            t = talk(make, 1, 2) >> replace(CREATE, min_fidelity=wanted)
            heard = decode(encode(t.last(Add)))
            assert isinstance(heard, Add)
            least, most = wanted - 1 / 65535, ROWS[row].fidelity
            exact = wanted if wanted < most else least
            expect(
                t, exact <= heard.min_fidelity <= most, f"a fidelity from {wanted} to {most} in the ADD, as it travels"
            )

    @requirement("QS-L2-010")
    def test_lost_answers_are_asked_for_again(self, make: Make) -> None:
        """The third ADD is as good as the first."""
        for losses in (1, 2):
            t = talk(make, 1, 2) >> CREATE
            for _ in range(50):
                if len(t.all(Add)) > losses:
                    break
                t.wait(ROUND_TRIP)
            expect(t, len(t.all(Add)) > losses, f"ADD number {losses + 1}")
            expect(t, t.all(Add)[0] == t.last(Add), "the same ADD again")
            aid = agree(t)
            expect(t, aid in standing(t).values(), "attempts after the answer")

    @requirement("QS-L2-010")
    def test_any_message_may_be_lost(self, make: Make) -> None:
        """Lose every message of a run once, and every two that follow each other."""
        for width in (1, 2):
            for first in range(6):
                bench = Bench(make, lost=partial(_among, range(first, first + width)))
                bench.ask(1, CREATE)
                bench.run(LONG)
                got = [len(bench.pairs(node)) for node in (1, 2)]
                if got != [3, 3]:
                    raise bench.ends[1].mismatch(
                        f"- 3 pairs at both ends, not {got}, with message {first} lost\n{bench.dialogue()}"
                    )

    @requirement("QS-L2-011")
    def test_repeated_add_is_one_entry(self, make: Make) -> None:
        """The same answer, and one request's pairs."""
        t = talk(make, 2, 1) >> incoming(number=1)
        first = t.last(AddAck)
        t >> incoming(number=1)
        t << Send(1, AddAck(1, first.aid, ANY))
        t.at(2 * ROUND_TRIP)
        herald(t, 0)
        t.never(Ok, more_than=1)
        expect(t, set(standing(t).values()) == {-1}, "no attempt after the only pair of the only request")

    @requirement("QS-L2-012")
    def test_no_attempt_before_the_answer(self, make: Make) -> None:
        """However long it takes."""
        t = talk(make, 1, 2) >> CREATE
        t.wait(2 * ROUND_TRIP)
        expect(t, not [a for a in t.all(Attempt) if a.aid >= 0], "no attempt without an answer")

    @requirement("QS-L2-012")
    def test_no_attempt_before_the_start(self, make: Make) -> None:
        """At the end that answers."""
        t = talk(make, 2, 1) >> incoming()
        t.at(2 * ROUND_TRIP - 1)
        expect(t, not [a for a in t.all(Attempt) if a.aid >= 0], "no attempt before the start of the ADD")
        t.wait(1)
        expect(t, 1 in standing(t).values(), "attempts at the start of the ADD")

    @requirement("QS-L2-008")
    def test_the_id_of_the_answer_is_attempted_for(self, make: Make) -> None:
        """Both ends, the id on which they agreed."""
        t = talk(make, 1, 2) >> CREATE
        aid = agree(t)
        expect(t, set(standing(t).values()) - {-1} == {aid}, f"attempts for {aid} and nothing else at the asking end")
        t = answerer(make, incoming(aid=5))
        aid = t.last(AddAck).aid
        expect(
            t, set(standing(t).values()) - {-1} == {aid}, f"attempts for {aid} and nothing else at the answering end"
        )

    @requirement("QS-L2-032")
    def test_no_answer_at_all(self, make: Make) -> None:
        """NOTIME once, and the request is withdrawn at the other end."""
        t = talk(make, 1, 2) >> CREATE
        t.wait(LONG)
        t.never(Err, more_than=1)
        expect(t, t.last(Err) == Err(2, 4, ANY, Reason.NOTIME, remote=False), "an Err of reason NOTIME")
        expect(t, Drop(4, ANY) in t.all(Drop), "a DROP of the purpose")

    @requirement("QS-L2-034")
    def test_a_refusal_is_told_with_its_reason(self, make: Make) -> None:
        """The other end knows why."""
        t = talk(make, 1, 2) >> CREATE
        t >> AddRej(t.last(Add).cseq, Reason.NORES)
        t << Err(2, 4, ANY, Reason.NORES, remote=False)
        t.wait(LONG)
        t.never(Err, more_than=1)

    @requirement("QS-L2-039")
    def test_a_repeated_answer_changes_nothing(self, make: Make) -> None:
        """Not a word to it."""
        t = talk(make, 1, 2) >> CREATE
        add = t.last(Add)
        aid = agree(t)
        t >> AddAck(add.cseq, aid)
        t.silent()

    @requirement("QS-L2-040")
    def test_strangers_are_refused(self, make: Make) -> None:
        """As the stranger's error."""
        for message in (incoming(), AddAck(1, 1), Drop(4)):
            t = talk(make, 1, STRANGER)
            try:
                t >> message
            except RemoteProtocolError:
                continue
            raise t.mismatch("- a RemoteProtocolError")

    @requirement("QS-L2-041")
    def test_few_questions_at_a_time(self, make: Make) -> None:
        """The others wait."""
        t = talk(make, 1, 2)
        for purpose in range(2 * UNANSWERED):
            t >> replace(CREATE, purpose=purpose)
        t.never(Add, more_than=UNANSWERED)

    @requirement("QS-L2-052")
    def test_a_malformed_add_is_refused(self, make: Make) -> None:
        """A pair that is measured needs a basis."""
        t = talk(make, 2, 1) >> incoming(keep=False, bases=())
        t << Send(1, AddRej(1, ANY, ANY, ANY))


class DeliveryTests:
    """What is told of pairs."""

    @requirement("QS-L2-002")
    def test_both_ends_tell_of_the_same_pairs(self, make: Make) -> None:
        """Whoever asked."""
        bench = Bench(make)
        bench.ask(1, CREATE)
        bench.ask(2, replace(CREATE, peer=1, purpose=5))
        bench.run(LONG)
        same = bench.pairs(1) == bench.pairs(2) and len(bench.pairs(1)) == 6
        opposite = [not remote for remote in bench.directions(1)] == bench.directions(2)
        if not (same and opposite):
            raise bench.ends[1].mismatch(
                f"- the same six pairs at both ends, in opposite direction\n{bench.dialogue()}"
            )

    @requirement("QS-L2-027")
    def test_the_label_comes_back(self, make: Make) -> None:
        """Unchanged, at either end."""
        t = asker(make)
        herald(t, 0) << Ok(2, 4, ANY, 0, 2, ANY, ANY, 7, ANY, -1, -1)
        t = answerer(make, incoming(purpose=77))
        herald(t, 0) << Ok(1, 77, ANY, 0, 2, ANY, ANY, 7, ANY, -1, -1)

    @requirement("QS-L2-018")
    def test_a_pair_is_delivered_at_once(self, make: Make) -> None:
        """In the instant of its herald."""
        t = asker(make)
        for sequence in range(3):
            herald(t, sequence)
            expect(t, any(isinstance(answer, Ok) for answer in t.open), "an Ok in the instant of the herald")

    @requirement("QS-L2-005")
    def test_as_many_as_were_asked_for(self, make: Make) -> None:
        """Three, and then no more attempts."""
        t = asker(make)
        aid = standing(t)[0]
        for sequence in range(3):
            expect(t, standing(t)[0] == aid, f"attempts for pair {sequence + 1} of 3")
            herald(t, sequence)
        expect(t, set(standing(t).values()) == {-1}, "no attempt after the last pair")
        herald(t, 3, aid=aid)
        t.never(Ok, more_than=3)

    @requirement("QS-L2-038")
    def test_the_qubit_of_an_ended_request_is_freed(self, make: Make) -> None:
        """And nothing is said of one that was measured."""
        t = talk(make, 1, 2)
        herald(t, 0, aid=44, qubit=7) << Free(7)
        herald(t, 1, aid=44, qubit=-1, basis=0)
        t.never(Free, more_than=1)

    @requirement("QS-L2-019")
    def test_a_measured_pair_has_a_basis_and_a_bit(self, make: Make) -> None:
        """And no qubit."""
        request = replace(CREATE, keep=False, bases=(0, 1))
        claims(make, "pairs of type M", request)
        t = asker(make, request)
        attempt = t.last(Attempt)
        expect(t, not attempt.keep and set(attempt.bases) == {0, 1}, "attempts that measure in one of both bases")
        herald(t, 0, qubit=-1, basis=1) << Ok(2, 4, ANY, 0, 2, ANY, ANY, -1, ANY, 1, 1)


class EndingTests:
    """Deadlines and withdrawal."""

    DATED = replace(CREATE, max_time=50 * ROUND_TRIP)

    @requirement("QS-L2-029")
    def test_a_deadline_is_told_once(self, make: Make) -> None:
        """At the asking end."""
        claims(make, "deadlines", self.DATED)
        t = asker(make, self.DATED)
        t.at(50 * ROUND_TRIP - 1).never(Err)
        t.wait(1)
        expect(t, t.last(Err) == Err(2, 4, ANY, Reason.TIMEOUT, remote=False), "an Err of reason TIMEOUT")
        t.wait(LONG).never(Err, more_than=1)

    @requirement("QS-L2-029")
    def test_a_deadline_is_told_at_the_other_end(self, make: Make) -> None:
        """At the same time."""
        claims(make, "deadlines", self.DATED)
        t = answerer(make, incoming(deadline=50 * ROUND_TRIP))
        t.at(50 * ROUND_TRIP)
        expect(t, t.last(Err) == Err(1, 4, ANY, Reason.TIMEOUT, remote=True), "an Err of reason TIMEOUT")
        t.wait(LONG).never(Err, more_than=1)

    @requirement("QS-L2-004")
    def test_no_pair_after_the_deadline(self, make: Make) -> None:
        """Even if it was under way."""
        claims(make, "deadlines", self.DATED)
        t = asker(make, self.DATED)
        aid = standing(t)[0]
        t.at(50 * ROUND_TRIP)
        herald(t, 0, aid=aid)
        t.never(Ok)

    @requirement("QS-L2-035")
    def test_no_pair_after_a_withdrawal(self, make: Make) -> None:
        """At the end that withdraws."""
        t = asker(make)
        aid = standing(t)[0]
        t >> Withdraw(2, 4)
        expect(t, set(standing(t).values()) == {-1}, "no attempt after the withdrawal")
        herald(t, 0, aid=aid)
        t.never(Ok)

    @requirement("QS-L2-035")
    def test_no_pair_after_the_withdrawal_of_an_unanswered_request(self, make: Make) -> None:
        """The answer comes too late."""
        t = talk(make, 1, 2) >> CREATE
        add = t.last(Add)
        aid = 1 if add.aid == UNASSIGNED else add.aid
        t >> Withdraw(2, 4)
        t >> AddAck(add.cseq, aid)
        t.wait(LONG)
        expect(t, set(standing(t).values()) == {-1}, "no attempt for what was withdrawn")

    @requirement("QS-L2-036")
    def test_a_drop_is_answered_every_time(self, make: Make) -> None:
        """The answer may have been lost."""
        t = answerer(make)
        for _ in range(2):
            t >> Drop(4)
            t << Send(1, DropAck(4, ANY))

    @requirement("QS-L2-037")
    def test_a_withdrawal_is_repeated(self, make: Make) -> None:
        """Three times in all, and no more after the answer."""
        t = asker(make) >> Withdraw(2, 4)
        t.wait(LONG)
        expect(t, len(t.all(Drop)) == 3, "three DROPs without an answer")
        t = asker(make) >> Withdraw(2, 4)
        t >> DropAck(4)
        t.wait(LONG).never(Drop, more_than=1)

    @requirement("QS-L2-044")
    def test_a_purpose_on_its_way_out(self, make: Make) -> None:
        """REJECTED until the other end has confirmed."""
        t = asker(make) >> Withdraw(2, 4)
        t >> CREATE
        t << Err(2, 4, ANY, Reason.REJECTED, remote=False)
        t >> DropAck(4)
        t >> CREATE
        t << Accepted(2, 4, ANY)

    @requirement("QS-L2-045")
    def test_other_purposes_go_on(self, make: Make) -> None:
        """One is withdrawn, the other gets its pairs."""
        bench = Bench(make)
        bench.ask(1, replace(CREATE, number=500))
        bench.ask(1, replace(CREATE, purpose=6, number=60))
        bench.run(2 * ROUND_TRIP + 5 * PERIOD)
        bench.ask(1, Withdraw(2, 4))
        bench.run(LONG)
        got = [sum(purpose == 6 for purpose, _, _ in bench.pairs(node)) for node in (1, 2)]
        if got != [60, 60]:
            raise bench.ends[1].mismatch(f"- 60 pairs of purpose 6 at both ends, not {got}\n{bench.dialogue()}")


class LinkSuite(RequestTests, AgreementTests, DeliveryTests, EndingTests):
    """Everything that a link layer is held to."""

    profile = "link"
