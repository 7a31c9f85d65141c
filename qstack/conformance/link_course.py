"""Tests of link layers over a longer course: many requests, both ends asking, losses, numbers that wrap, lost neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qstack.conformance.bench import Bench
from qstack.conformance.link_talk import CREATE, LONG, agree, answerer, asker, claims, herald, incoming, standing
from qstack.conformance.marks import Unsupported, course, extended, requirement
from qstack.conformance.stand import LANES, PERIOD, ROUND_TRIP, Make, expect
from qstack.conformance.transcript import ANY
from qstack.core.nouns import Send
from qstack.services.classical import NeighbourLost
from qstack.services.device import Free
from qstack.services.l1_physical import Heralded, Skipped
from qstack.services.l2_link import Accepted, Err, Ok, Unreachable, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import Add, AddAck, Drop, LinkExpire, LinkExpireAck

GROUPS = 22
"""Groups of requests, one after the other: more messages than there are numbers."""


def balanced(bench: Bench, wanted: dict[int, int]) -> None:
    """Expect that both ends were told of the same valid pairs, so many for each purpose.

    Raises
    ------
    TranscriptError
        If they were not.
    """
    one, other = (bench.valid(node) for node in (1, 2))
    counts = {purpose: sum(pair[0] == purpose for pair in one) for purpose in wanted}
    if sorted(one) != sorted(other) or counts != wanted:
        raise bench.ends[1].mismatch(f"- the same pairs at both ends, {wanted}, not {counts}\n{bench.dialogue()}")


def quiet(bench: Bench) -> None:
    """Expect that nothing is left: no attempt, and no timer but those that tidy up.

    Raises
    ------
    TranscriptError
        If something is.
    """
    for node, end in bench.ends.items():
        expect(end, bench.standing[node] == [-1] * LANES, "no attempt after the last pair")
        left = [timer for timer in end.timers if not timer.housekeeping]
        expect(end, not left, "no timer after the last pair")


def loses(*numbers: int) -> Callable[[int], bool]:
    """Return a line that loses these messages."""
    return lambda number: number in numbers


class CourseTests:
    """Both ends over time."""

    @course
    @requirement("QS-L2-050")
    def test_both_ends_serve_the_same(self, make: Make) -> None:
        """Whatever has been asked for, once the messages have arrived; at every cycle."""
        bench = Bench(make)
        for purpose in range(4, 9):
            bench.ask(1, replace(CREATE, purpose=purpose, number=7, priority=purpose % 4))
            bench.ask(2, replace(CREATE, peer=1, purpose=purpose + 10, number=5))
        bench.ask(1, replace(CREATE, purpose=4, number=6))
        began = 3 * ROUND_TRIP
        for cycle in range(80):
            bench.run(began + cycle * PERIOD + PERIOD // 2)
            expect(
                bench.ends[1],
                bench.standing[1] == bench.standing[2],
                f"attempts as at the other end, {bench.standing[2]}",
            )
        balanced(bench, {4: 13, 5: 7, 6: 7, 7: 7, 8: 7, **dict.fromkeys(range(14, 19), 5)})
        quiet(bench)

    @course
    @requirement("QS-L2-043")
    def test_numbers_wrap(self, make: Make) -> None:
        """More requests of either end than there are numbers of messages, each of which is served."""
        bench = Bench(make)
        for group in range(GROUPS):
            for purpose in range(25):
                bench.ask(1 + purpose % 2, replace(CREATE, peer=2 - purpose % 2, purpose=purpose, number=1))
            bench.run((group + 1) * 40 * ROUND_TRIP)
        balanced(bench, dict.fromkeys(range(25), GROUPS))
        quiet(bench)

    @course
    @requirement("QS-L2-041")
    def test_requests_that_wait_are_served_too(self, make: Make) -> None:
        """More than may be unanswered at a time, in one instant."""
        bench = Bench(make)
        for purpose in range(150):
            bench.ask(1, replace(CREATE, purpose=purpose, number=1))
        bench.run(LONG)
        balanced(bench, dict.fromkeys(range(150), 1))
        quiet(bench)

    @course
    @requirement("QS-L2-010", "QS-L2-014")
    def test_losses_while_both_ask(self, make: Make) -> None:
        """Any two messages that follow each other, with and without a success of which one end is not told."""
        for first in range(8):
            for missed in ({}, {1: 2}, {2: 3}):
                bench = Bench(make, lost=loses(first, first + 1), missed=missed)
                bench.ask(1, replace(CREATE, number=4))
                bench.ask(2, replace(CREATE, peer=1, purpose=5, number=4))
                bench.run(LONG)
                balanced(bench, {4: 4, 5: 4})
                quiet(bench)

    @course
    @requirement("QS-L2-014")
    def test_a_success_that_one_end_misses(self, make: Make) -> None:
        """At any place of a course with several purposes."""
        for deaf in (1, 2):
            for missed in range(12):
                bench = Bench(make, missed={deaf: missed})
                for purpose in (4, 5, 6):
                    bench.ask(1, replace(CREATE, purpose=purpose, number=6))
                bench.ask(1, replace(CREATE, purpose=5, number=3))
                bench.ask(2, replace(CREATE, peer=1, purpose=7, number=6))
                bench.run(LONG)
                balanced(bench, {4: 6, 5: 9, 6: 6, 7: 6})
                quiet(bench)

    @course
    @requirement("QS-L2-037", "QS-L2-045")
    def test_losses_of_a_withdrawal(self, make: Make) -> None:
        """Until the other end has heard, and nobody else is disturbed."""
        for lost in range(4, 8):
            bench = Bench(make, lost=loses(lost, lost + 1))
            bench.ask(1, replace(CREATE, number=40_000))
            bench.ask(2, replace(CREATE, peer=1, purpose=5, number=9))
            bench.run(4 * ROUND_TRIP)
            bench.ask(1, Withdraw(2, 4))
            bench.run(LONG)
            balanced(bench, {5: 9})
            quiet(bench)
            bench.ask(2, replace(CREATE, peer=1, number=2))
            before = len([pair for pair in bench.valid(1) if pair[0] == 4])
            bench.run(2 * LONG)
            balanced(bench, {4: before + 2, 5: 9})

    @course
    @requirement("QS-L2-055")
    def test_the_other_end_gives_a_request_up(self, make: Make) -> None:
        """One Err, and no attempt; the other requests go on."""
        t = asker(make)
        t >> replace(CREATE, purpose=6)
        other = agree(t, 6)
        t >> Drop(4, 9)
        t << Err(2, 4, ANY, ANY, remote=False)
        t >> Drop(4, 9)
        t.never(Err, more_than=1)
        expect(t, set(standing(t).values()) == {other}, "attempts for the request that is left, on every lane")

    @course
    @requirement("QS-L2-054")
    def test_a_late_drop_hits_nothing_new(self, make: Make) -> None:
        """It has been answered before."""
        t = answerer(make)
        t >> Drop(4, 9)
        expect(t, set(standing(t).values()) == {-1}, "no attempt after the DROP")
        t >> incoming(cseq=10, aid=2, start=4 * ROUND_TRIP)
        t << Send(1, AddAck(10, 2, ANY))
        t >> Drop(4, 9)
        t.at(4 * ROUND_TRIP)
        expect(t, set(standing(t).values()) == {2}, "attempts for the later request")
        t.never(Err)

    @course
    @requirement("QS-L2-056")
    @extended("lost-neighbours")
    def test_a_lost_neighbour(self, make: Make) -> None:
        """Nothing is attempted, asked or delivered any more; what is asked for afterwards is served."""
        t = asker(make)
        if NeighbourLost not in t.handlers:
            raise Unsupported("neighbours that are lost")
        aid = standing(t)[0]
        herald(t, 0)
        t >> replace(CREATE, purpose=6)
        t >> Withdraw(2, 6)
        t >> replace(CREATE, purpose=7)
        t >> NeighbourLost(2)
        t << Unreachable(2)
        expect(t, set(standing(t).values()) == {-1}, "no attempt for a neighbour that was lost")
        asked, dropped = len(t.all(Add)), len(t.all(Drop))
        t.wait(LONG).never(Add, more_than=asked).never(Drop, more_than=dropped)
        herald(t, 1, aid=aid, qubit=9)
        t.never(Ok, more_than=1)
        expect(t, Free(9) in t.answers, "the qubit of a forgotten request freed")
        t >> replace(CREATE, purpose=6)
        aid = agree(t, 6)
        expect(t, aid in standing(t).values(), "attempts for the new request")
        herald(t, 2, aid=aid, qubit=11)
        expect(t, t.last(Ok).purpose == 6, "a pair of the new request")


class ExpiredTests:
    """What is taken back, and what comes instead."""

    @course
    @requirement("QS-L2-014", "QS-L2-005")
    def test_a_request_that_was_done_goes_on(self, make: Make) -> None:
        """Its last pair is taken back."""
        for begin, remote in ((asker, False), (answerer, True)):
            t = begin(make, replace(CREATE, number=1)) if begin is asker else answerer(make, incoming(number=1))
            aid = standing(t)[0]
            herald(t, 0)
            told = t.last(Ok)
            t >> LinkExpire(aid, told.create_id, 1, 0, 1)
            t << Err(t.sender, 4, told.create_id, Reason.EXPIRE, remote=remote, low=0, high=1)
            expect(t, aid in standing(t).values(), "attempts for the request that lacks a pair")
            herald(t, 1, aid=aid)
            expect(t, t.last(Ok).sequence == 1, "another pair instead")
            expect(t, set(standing(t).values()) == {-1}, "no attempt after the last pair")
            t.wait(LONG)
            expect(t, not t.timers, "no timer after the last pair")

    @course
    @requirement("QS-L2-013")
    def test_a_pair_that_was_expired_before_it_came(self, make: Make) -> None:
        """Is not delivered; the next one is."""
        t = asker(make)
        aid = standing(t)[0]
        herald(t, 0)
        t >> LinkExpire(aid, t.last(Ok).create_id, 1, 1, 2)
        t.never(Err)
        herald(t, 1, qubit=8)
        t.never(Ok, more_than=1)
        expect(t, Free(8) in t.answers, "the qubit of an expired pair freed")
        herald(t, 2)
        expect(t, t.last(Ok).sequence == 2, "the pair after it")

    @course
    @requirement("QS-L2-015")
    def test_exactly_the_pairs_of_the_range(self, make: Make) -> None:
        """Of those that were told, the middle ones."""
        t = asker(make, replace(CREATE, number=9))
        aid = standing(t)[0]
        for sequence in range(5):
            herald(t, sequence, qubit=sequence)
        t >> LinkExpire(aid, t.last(Ok).create_id, 1, 1, 3)
        gone = {n for err in t.all(Err) for n in range(err.low, err.high)}
        expect(t, gone == {1, 2}, "an EXPIRE of the pairs 1 and 2")
        for sequence in range(5, 11):
            herald(t, sequence, aid=aid, qubit=sequence)
        t.never(Ok, more_than=11)
        expect(t, len(t.all(Ok)) == 11 and set(standing(t).values()) == {-1}, "nine pairs that are valid, and the end")

    @course
    @requirement("QS-L2-053")
    def test_only_what_was_answered_is_silent(self, make: Make) -> None:
        """Two ranges, one answer."""
        t = asker(make)
        herald(t, 0)
        t >> Skipped(2, 1, 2)
        first = t.last(LinkExpire)
        herald(t, 2)
        t >> Skipped(2, 3, 4)
        second = t.last(LinkExpire)
        t >> LinkExpireAck(first.aid, 2, first.low, first.high)
        before = len(t.all(LinkExpire))
        t.wait(10 * ROUND_TRIP)
        later = t.all(LinkExpire)[before:]
        expect(
            t,
            bool(later) and {one.low for one in later} == {second.low},
            "the range without an answer again, and no other",
        )

    @course
    @requirement("QS-L2-038")
    def test_a_pair_too_many_is_let_go(self, make: Make) -> None:
        """Under way when its request was withdrawn."""
        t = asker(make)
        aid = standing(t)[1]
        t >> Withdraw(2, 4)
        t >> Heralded(2, 1, aid, 0, 0, 21, t.context.now, -1, -1)
        t << Free(21)

    @course
    @requirement("QS-L2-018")
    @extended("collected-pairs")
    def test_a_collected_pair_is_taken_back(self, make: Make) -> None:
        """Nobody was told of it; another one is waited for."""
        request = replace(CREATE, number=2, consecutive=False)
        claims(make, "requests whose pairs are delivered together", request)
        t = asker(make, request)
        aid = standing(t)[0]
        herald(t, 0, qubit=7)
        t >> LinkExpire(aid, t.last(Accepted).create_id, 1, 0, 1)
        expect(t, Free(7) in t.answers, "the qubit that waited freed")
        herald(t, 1, aid=aid, qubit=8).never(Ok)
        herald(t, 2, aid=aid, qubit=9)
        expect(t, [ok.qubit for ok in t.open if isinstance(ok, Ok)] == [8, 9], "the two that are valid at once")
        t = asker(make, request)
        herald(t, 0, qubit=0)
        t >> Withdraw(2, 4)
        expect(t, Free(0) in t.answers, "the qubit that waited freed")
