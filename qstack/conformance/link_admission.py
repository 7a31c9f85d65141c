"""Tests of link layers about purposes, deadlines and kinds of requests, over a longer course."""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.link_talk import CREATE, LONG, agree, answerer, asker, claims, herald, incoming, standing
from qstack.conformance.marks import Unsupported, course, extended, requirement
from qstack.conformance.stand import LANES, PERIOD, ROUND_TRIP, ROWS, Make, expect, talk
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Send
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Accepted, Err, Ok, Receive, StopReceive
from qstack.services.reasons import Reason
from qstack.wire.link import Add, AddAck, AddRej, LinkExpire, LinkExpireAck


class AdmissionTests:
    """Purposes, deadlines and kinds of requests at either end."""

    DATED = replace(CREATE, max_time=50 * ROUND_TRIP)

    @course
    @requirement("QS-L2-301")
    def test_numbers_of_requests_differ(self, make: Make) -> None:
        """Of those that live at one end."""
        t = talk(make, 1, 2)
        for purpose in range(10):
            t >> replace(CREATE, purpose=purpose)
        numbers = [told.create_id for told in t.all(Accepted)]
        expect(t, len(set(numbers)) == len(numbers) == 10, "ten numbers that differ")
        expect(t, all(0 <= number < 1 << 16 for number in numbers), "numbers that fit their field")

    @course
    @requirement("QS-L2-032")
    def test_a_request_is_taken_back(self, make: Make) -> None:
        """At the end that answered: an empty range ends this request and no other, and is confirmed."""
        t = answerer(make, incoming(aid=2))
        t >> incoming(cseq=2, aid=4, purpose=6, create_id=3, start=t.context.now)
        t >> LinkExpire(2, 1, 1, 0, 0)
        t << Send(1, LinkExpireAck(2, ANY, 0, 0))
        expect(t, set(standing(t).values()) == {4}, "attempts for the request that is left, and no other")
        herald(t, 0, aid=2, qubit=9)
        t.never(Ok)
        expect(t, Free(9) in t.answers, "the qubit of the request that was taken back freed")

    @course
    @requirement("QS-L2-028")
    def test_a_refused_request_has_no_number(self, make: Make) -> None:
        """It was never accepted."""
        t = talk(make, 1, 2) >> replace(CREATE, min_fidelity=0.95)
        expect(t, t.last(Err).create_id == -1, "the number -1")

    @course
    @requirement("QS-L2-024")
    @extended("accepted-purposes")
    def test_purposes_come_and_go(self, make: Make) -> None:
        """What is no longer received is refused again."""
        t = talk(make, 2, 1)
        if Receive not in t.handlers or StopReceive not in t.handlers:
            raise Unsupported("purposes that a node was told to accept")
        for request in (Receive(1, 9), Receive(1, 4), StopReceive(1, 9)):
            t >> request
        t >> incoming(cseq=1) << Send(1, AddAck(1, ANY, ANY))
        t >> incoming(cseq=2, aid=2, purpose=9) << Send(1, AddRej(2, Reason.REJECTED, ANY, ANY))
        t >> StopReceive(1, 4)
        t >> incoming(cseq=3, aid=3) << Send(1, AddRej(3, Reason.REJECTED, ANY, ANY))

    @course
    @requirement("QS-L2-029")
    @extended("deadlines")
    def test_a_deadline_before_the_answer(self, make: Make) -> None:
        """TIMEOUT once, and a late answer starts nothing."""
        claims(make, "deadlines", self.DATED)
        t = talk(make, 1, 2) >> replace(CREATE, max_time=4 * ROUND_TRIP)
        add = t.last(Add)
        t.at(4 * ROUND_TRIP)
        expect(t, [err.reason for err in t.all(Err)] == [Reason.TIMEOUT], "one Err of reason TIMEOUT")
        t >> AddAck(add.cseq, add.aid)
        t.wait(LONG).never(Err, more_than=1)
        expect(t, set(standing(t).values()) == {-1}, "no attempt after the deadline")

    @course
    @requirement("QS-L2-029")
    @extended("deadlines")
    def test_a_deadline_in_the_backlog(self, make: Make) -> None:
        """Of requests that have not even been asked for."""
        claims(make, "deadlines", self.DATED)
        t = talk(make, 1, 2)
        for purpose in range(80):
            t >> replace(CREATE, purpose=purpose, max_time=2 * ROUND_TRIP)
        t.at(2 * ROUND_TRIP)
        late = [err.purpose for err in t.all(Err) if err.reason == Reason.TIMEOUT]
        expect(t, sorted(late) == list(range(80)), "an Err of reason TIMEOUT for each of 80 requests")
        t.wait(LONG).never(Err, more_than=80)

    @course
    @requirement("QS-L2-030")
    @extended("deadlines")
    def test_the_least_time(self, make: Make) -> None:
        """What leaves room for an attempt per pair on every lane is accepted, a cycle less is not."""
        claims(make, "deadlines", self.DATED)
        for time, accepted in ((5 * PERIOD, True), (5 * PERIOD - 1, False)):
            t = talk(make, 1, 2) >> replace(CREATE, number=5 * LANES, max_time=time)
            expect(t, bool(t.all(Accepted)) is accepted, f"{'an' if accepted else 'no'} Accepted for {time} ps")

    @course
    @requirement("QS-L2-033")
    @extended("measured-pairs")
    def test_the_answering_end_measures_too(self, make: Make) -> None:
        """In the bases of the request, and tells no qubit."""
        claims(make, "pairs of type M", replace(CREATE, keep=False, bases=(0, 1)))
        t = answerer(make, incoming(keep=False, bases=(1, 2)))
        attempt = t.last(Attempt)
        expect(
            t, not attempt.keep and set(attempt.bases) == {1, 2}, "attempts that measure in one of the bases asked for"
        )
        herald(t, 0, qubit=-1, basis=2) << Ok(1, 4, ANY, 0, 2, ANY, ANY, -1, True, 2, 1)  # noqa: FBT003 - as the neighbour asked

    @course
    @requirement("QS-L2-023")
    def test_goodness_and_its_time(self, make: Make) -> None:
        """Of the setting that serves the request, from the emission on."""
        for fidelity, row in ((0.6, ROWS[1]), (0.8, ROWS[0])):
            for t in (
                asker(make, replace(CREATE, min_fidelity=fidelity)),
                answerer(make, incoming(min_fidelity=fidelity)),
            ):
                aid, emitted = standing(t)[0], t.context.now - 17
                t >> Heralded(t.sender, 0, aid, 0, 1, 7, emitted, -1, -1)
                told = t.last(Ok)
                expect(
                    t,
                    (told.goodness, told.since) == (row.fidelity, emitted),
                    f"goodness {row.fidelity} since {emitted}",
                )

    @course
    @requirement("QS-L2-034")
    def test_a_refusal_leaves_nothing(self, make: Make) -> None:
        """Not at the asking end, whose other requests go on."""
        t: Transcript = talk(make, 1, 2) >> CREATE
        refused = t.last(Add)
        t >> replace(CREATE, purpose=6)
        t >> AddRej(refused.cseq, Reason.NORES, refused.aid)
        t >> AddRej(refused.cseq, Reason.NORES, refused.aid)
        t.never(Err, more_than=1)
        other = agree(t, 6)
        expect(t, set(standing(t).values()) == {other}, "attempts for the other request")
        asked = len(t.all(Add))
        t.wait(LONG).never(Add, more_than=asked)
