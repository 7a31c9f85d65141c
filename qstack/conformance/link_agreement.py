"""Tests of link layers: what is said at once to a request, and how two ends come to hold the same requests."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from qstack.conformance.bench import Bench
from qstack.conformance.link_talk import (
    CREATE,
    LONG,
    STRANGER,
    UNANSWERED,
    agree,
    answerer,
    asker,
    herald,
    incoming,
    standing,
)
from qstack.conformance.marks import Unsupported, extended, requirement
from qstack.conformance.stand import FAST, GOOD, ROUND_TRIP, ROWS, Make, expect, talk
from qstack.conformance.transcript import ANY
from qstack.core.errors import RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.l1_physical import Attempt
from qstack.services.l2_link import Accepted, Err, Ok, Receive
from qstack.services.reasons import Reason
from qstack.wire import decode, encode
from qstack.wire.link import Add, AddAck, AddRej, Drop, Hello, LinkExpire, MemAck, MemReq


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
        """NOTIME once, and the request is taken back at the other end, by its purpose or as an empty range of pairs."""
        t = talk(make, 1, 2) >> CREATE
        t.wait(LONG)
        t.never(Err, more_than=1)
        expect(t, t.last(Err) == Err(2, 4, ANY, Reason.NOTIME, remote=False), "an Err of reason NOTIME")
        create = t.last(Accepted).create_id
        back = any(e.create_id == create and e.low == e.high for e in t.all(LinkExpire)) or Drop(4, ANY) in t.all(Drop)
        expect(t, back, "an EXPIRE of the request, or a DROP of its purpose")

    @requirement("QS-L2-034")
    def test_a_refusal_is_told_with_its_reason(self, make: Make) -> None:
        """The other end knows why."""
        t = talk(make, 1, 2) >> CREATE
        t >> AddRej(t.last(Add).cseq, Reason.NORES)
        t << Err(2, 4, ANY, Reason.NORES, remote=False)
        t.wait(LONG)
        t.never(Err, more_than=1)

    @requirement("QS-L2-024")
    @extended("accepted-purposes")
    def test_a_purpose_that_is_not_accepted(self, make: Make) -> None:
        """Whoever was told what to accept refuses the rest."""
        t = talk(make, 2, 1)
        if Receive not in t.handlers:
            raise Unsupported("purposes that a node was told to accept")
        t >> Receive(1, 9)
        t >> incoming()
        t << Send(1, AddRej(1, Reason.REJECTED, ANY, ANY))
        t >> incoming(cseq=2, purpose=9)
        t << Send(1, AddAck(2, ANY, ANY))

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
        words = (incoming(), AddAck(1, 1), AddRej(1, Reason.NORES), Drop(4), Hello(), MemReq(1, 0), MemAck(1, 0))
        for message in words:
            t = talk(make, 1, STRANGER)
            if type(message) not in t.handlers:  # no layer knows it, so that it falls (QS-CV-400)
                continue
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
