"""Tests of link layers: who is let into the queue, who is shown out, and whom both ends serve."""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.bench import Bench
from qstack.conformance.link_talk import (
    CREATE,
    UNANSWERED,
    agree,
    answerer,
    asker,
    claims,
    herald,
    incoming,
    standing,
)
from qstack.conformance.marks import Unsupported, course, extended, requirement
from qstack.conformance.policies import in_proportion
from qstack.conformance.stand import LANES, PERIOD, ROUND_TRIP, Make, expect, talk
from qstack.conformance.transcript import ANY
from qstack.core.nouns import Send
from qstack.services.classical import NeighbourLost
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Drop, LinkExpire, LinkExpireAck

MANY = 12
FULL = 1000
"""More requests than a queue has to hold."""
SHARED = 500
"""Pairs in which shares show."""
LATE = 5 * ROUND_TRIP // 2
"""A deadline at which nothing else happens [ps]."""


class QueueTests:
    """Who is let into the queue, and who is shown out."""

    @course
    @requirement("QS-L2-202")
    def test_a_drop_that_overtakes(self, make: Make) -> None:
        """What was asked for before it is refused; what comes after it, or long before, is not."""
        for drop, add, late in (
            (9, 8, True),
            (9, 10, False),
            (1, 255, True),
            (255, 0, False),
            (200, 60, False),
            (9, 9, False),
        ):
            t = talk(make, 2, 1) >> Drop(4, drop)
            t >> Drop(77, 100)
            t >> incoming(cseq=add)
            t << Send(1, AddRej(add, Reason.NOTIME, ANY, ANY) if late else AddAck(add, ANY, ANY))

    @course
    @requirement("QS-L2-202", "QS-L2-032")
    def test_a_request_that_is_disowned(self, make: Make) -> None:
        """Known by its queue id, or by its number where it never had one; requests of this end are none of it."""
        t = talk(make, 1, 2) >> replace(CREATE, purpose=8)
        own = t.last(Accepted).create_id
        aid = agree(t, 8)
        t >> incoming(
            cseq=1, aid=UNASSIGNED if t.last(Add).aid != UNASSIGNED else 5, create_id=own, start=t.context.now
        )
        if not t.all(AddAck):
            raise Unsupported("requests that leave the queue id open")
        given = t.last(AddAck).aid
        expect(t, given != aid, "another queue id")
        t >> LinkExpire(UNASSIGNED, own, 2, own, own)
        t << Send(2, LinkExpireAck(UNASSIGNED, ANY, own, own))
        herald(t, 0, aid=given, qubit=9)
        t.never(Ok)
        expect(t, Free(9) in t.answers, "the qubit of the request that was taken back freed")
        herald(t, 1, aid=aid, qubit=10)
        expect(t, t.last(Ok).purpose == 8, "the request of this end served")

    @course
    @requirement("QS-L2-045", "QS-L2-035")
    def test_a_withdrawal_of_what_waits(self, make: Make) -> None:
        """Requests that have not been proposed yet: of this purpose none is, of others all are."""
        t = talk(make, 1, 2)
        for purpose in range(UNANSWERED + 6):
            t >> replace(CREATE, purpose=purpose)
        for purpose in (UNANSWERED + 2, 3):
            t >> Withdraw(2, purpose)
        for add in t.all(Add)[:UNANSWERED]:
            t >> AddAck(add.cseq, add.aid if add.aid != UNASSIGNED else add.purpose)
        asked = {add.purpose for add in t.all(Add)}
        expect(t, asked == set(range(UNANSWERED + 6)) - {UNANSWERED + 2}, "ADDs of the others, and of no purpose twice")

    @course
    @requirement("QS-L2-029")
    @extended("deadlines")
    def test_a_deadline_that_only_waits(self, make: Make) -> None:
        """Of a request that has not been proposed, while those before it have all the time."""
        dated = replace(CREATE, purpose=77, max_time=LATE)
        claims(make, "deadlines", dated)
        t = talk(make, 1, 2)
        for purpose in range(UNANSWERED):
            t >> replace(CREATE, purpose=purpose)
        t >> dated
        number = t.last(Accepted).create_id
        t.at(LATE - 1).never(Err)
        t.wait(1)
        expect(t, t.all(Err) == [Err(2, 77, number, Reason.TIMEOUT, remote=False)], "an Err of reason TIMEOUT")
        for node, peer in ((1, 2), (2, 1)):
            t = talk(make, node, peer) >> replace(dated, peer=peer)
            t.at(LATE)
            told = Err(peer, 77, t.last(Accepted).create_id, Reason.TIMEOUT, remote=False)
            expect(t, t.all(Err) == [told], "an Err of reason TIMEOUT")

    @course
    @requirement("QS-L2-004")
    @extended("deadlines")
    def test_too_late_for_another_pair(self, make: Make) -> None:
        """A request that was done is not served again after its deadline."""
        dated = replace(CREATE, number=1, max_time=50 * ROUND_TRIP)
        claims(make, "deadlines", dated)
        for wait, again in ((10 * ROUND_TRIP, True), (50 * ROUND_TRIP, False)):
            t = asker(make, dated)
            aid = standing(t)[0]
            herald(t, 0)
            t.at(wait)
            t >> LinkExpire(aid, t.last(Ok).create_id, 1, 0, 1)
            t << Err(2, 4, ANY, Reason.EXPIRE, remote=False, low=0, high=1)
            expect(t, (aid in standing(t).values()) is again, f"{'' if again else 'no '}attempts for the request")

    @course
    @requirement("QS-L2-025")
    @extended("measured-pairs")
    def test_bases(self, make: Make) -> None:
        """Eight at most, of which some may be the same."""
        claims(make, "pairs of type M", replace(CREATE, keep=False, bases=(0, 1)))
        for number in (1, 8, 9):
            t = talk(make, 1, 2) >> replace(CREATE, keep=False, bases=(0, 1, 2, 0, 1, 2, 0, 1, 2)[:number])
            expect(t, bool(t.all(Accepted)) is (number < 9), f"a request with {number} bases")

    @course
    @requirement("QS-L2-355")
    @extended("measured-pairs")
    def test_one_end_measures(self, make: Make) -> None:
        """Type R: one measures at once what the other one keeps."""
        request = replace(CREATE, prepare=True, remote_bases=(0, 2))
        claims(make, "pairs of type R", request)
        for keep in (True, False):
            asked: Create = replace(request, keep=keep, bases=() if keep else (2,), remote_bases=(0, 2) if keep else ())
            t = asker(make, asked)
            attempt, add = t.last(Attempt), t.last(Add)
            expect(t, (attempt.keep, attempt.bases) == (keep, () if keep else (2,)), "what the asking end does")
            expect(t, add.prepare and add.keep is keep, "the type in the ADD")
            expect(t, add.bases == ((0, 2) if keep else ()), "the bases of the other end in the ADD")
            t = answerer(make, incoming(keep=keep, prepare=True, bases=add.bases))
            attempt = t.last(Attempt)
            expect(t, (attempt.keep, attempt.bases) == (not keep, add.bases), "the opposite at the answering end")

    @course
    @requirement("QS-L2-056")
    @extended("lost-neighbours")
    def test_a_neighbour_lost_in_the_middle(self, make: Make) -> None:
        """Of an atomic request: others are served afterwards."""
        t = talk(make, 1, 2)
        if NeighbourLost not in t.handlers:
            raise Unsupported("neighbours that are lost")
        request = replace(CREATE, atomic=True, number=3)
        claims(make, "atomic requests", request)
        t = asker(make, request)
        herald(t, 0)
        t >> NeighbourLost(2)
        t >> replace(CREATE, purpose=6)
        aid = agree(t, 6)
        herald(t, 1, aid=aid)
        expect(t, t.last(Ok).purpose == 6, "a pair of the new request")

    @course
    @requirement("QS-L2-056")
    @extended("lost-neighbours")
    def test_a_neighbour_that_begins_anew(self, make: Make) -> None:
        """Agrees with one that has only lost it, lane by lane, whatever was served before."""
        for before in range(6):
            bench = Bench(make)
            if NeighbourLost not in bench.ends[1].handlers:
                raise Unsupported("neighbours that are lost")
            bench.ask(1, replace(CREATE, number=40_000))
            bench.run(3 * ROUND_TRIP + before * PERIOD)
            bench.restart(2)
            bench.give(1, NeighbourLost(2))
            for purpose in (4, 5, 6):
                bench.ask(1, replace(CREATE, purpose=purpose, number=7, priority=purpose % 3))
            bench.ask(1, replace(CREATE, purpose=4, number=5))
            began = bench.now + 4 * ROUND_TRIP
            for cycle in range(30):
                bench.run(began + cycle * PERIOD + PERIOD // 2)
                one, other = (bench.standing[node] for node in (1, 2))
                expect(bench.ends[1], one == other, f"attempts as at the other end, {other}, not {one}")
            counts = [sum(pair[0] == purpose for pair in bench.pairs(2)) for purpose in (4, 5, 6)]
            expect(bench.ends[2], counts == [12, 7, 7], f"12, 7 and 7 pairs, not {counts}")

    @course
    @requirement("QS-L2-018")
    def test_pairs_taken_back_of_a_request_that_was_done(self, make: Make) -> None:
        """Are told again as the request wants it: one by one, or together."""
        for consecutive in (True, False):
            request = replace(CREATE, number=LANES, consecutive=consecutive)
            if not consecutive:
                claims(make, "requests whose pairs are delivered together", request)
            t = asker(make, request)
            aid, create = standing(t)[0], t.last(Accepted).create_id
            for sequence in range(LANES):
                t >> Heralded(2, sequence, aid, sequence, 2, sequence, t.context.now, -1, -1)
            expect(t, len(t.all(Ok)) == LANES, f"{LANES} pairs")
            t >> LinkExpire(aid, create, 1, 0, LANES)
            herald(t, 4, aid=aid, qubit=14)
            expect(t, len(t.all(Ok)) == LANES + consecutive, "one more pair at once, or none")
            herald(t, 5, aid=aid, qubit=15)
            expect(t, len(t.all(Ok)) == 2 * LANES and set(standing(t).values()) == {-1}, "the last pair, and the end")

    @course
    @requirement("QS-L2-017")
    @extended("atomic-requests")
    def test_a_pair_that_interrupts(self, make: Make) -> None:
        """Under way for another request when an atomic one begins: it is let go."""
        request = replace(CREATE, atomic=True)
        claims(make, "atomic requests", request)
        t = talk(make, 1, 2) >> replace(CREATE, purpose=6)
        t >> request
        other = agree(t, 6)
        aid = agree(t, 4)
        herald(t, 0, aid=aid)
        for sequence in (1, 2):
            herald(t, sequence, aid=other, qubit=sequence)
            t << Free(sequence)
        t.never(Ok, more_than=1)
        for sequence in (3, 4):
            herald(t, sequence, aid=aid)
        herald(t, 5, aid=other, qubit=5)
        expect(t, [ok.purpose for ok in t.all(Ok)] == [4, 4, 4, 6], "the other request served afterwards")

    @course
    @requirement("QS-L2-018")
    @extended("atomic-requests")
    def test_a_pair_before_an_atomic_request_begins(self, make: Make) -> None:
        """Nothing stands against it: the atomic request has had no pair yet."""
        request = replace(CREATE, atomic=True)
        claims(make, "atomic requests", request)
        t = talk(make, 1, 2) >> request
        aid = agree(t, 4)
        t >> replace(CREATE, purpose=6)
        other = agree(t, 6)
        herald(t, 0, aid=other, qubit=5)
        expect(t, [ok.purpose for ok in t.all(Ok)] == [6], "a pair of the other request at once")
        herald(t, 1, aid=aid)
        expect(t, [ok.purpose for ok in t.all(Ok)] == [6, 4], "a pair of the atomic request at once")

    @course
    @requirement("QS-L2-432")
    def test_ids_of_requests_that_have_just_ended(self, make: Make) -> None:
        """Are not given again at once, by whichever end gives ids."""
        for node, peer in ((1, 2), (2, 1)):
            t = talk(make, node, peer)
            given = []
            for sequence in range(MANY):
                t >> replace(CREATE, peer=peer, number=1)
                add = t.last(Add)
                if add.aid == UNASSIGNED:
                    break
                given.append(add.aid)
                t >> AddAck(add.cseq, add.aid)
                t.at(max(t.context.now, add.start))
                herald(t, sequence, aid=add.aid)
            expect(t, len(set(given)) == len(given), f"{MANY} queue ids that differ, not {given}")

    @course
    @requirement("QS-L2-042")
    def test_a_queue_that_is_full(self, make: Make) -> None:
        """What it has no room for is refused, and what is in it stays."""
        t = talk(make, 1, 2)
        for n in range(FULL):
            t >> replace(CREATE, purpose=n)
            if isinstance(t.open[-1], Err):
                t << Err(2, n, ANY, Reason.NORES, remote=False)
                break
            add = t.last(Add)
            expect(t, add.purpose == n, f"an ADD of purpose {n}, or an Err of reason NORES")
            t >> AddAck(add.cseq, n if add.aid == UNASSIGNED else add.aid)
            t.lines.clear()  # nobody reads so long a dialogue
        t.never(Err, more_than=1)

    @course
    @requirement("QS-L2-020")
    @extended("proportional-shares")
    def test_requests_share_the_lanes(self, make: Make) -> None:
        """In proportion to priority + 1, whichever was asked for first."""
        for priorities in ((0, 2), (2, 0)):
            t = talk(make, 1, 2)
            for purpose, priority in enumerate(priorities):
                t >> replace(CREATE, purpose=purpose, priority=priority, number=SHARED)
                agree(t, purpose)
            wanted = standing(t)
            for sequence in range(SHARED):
                lane = sequence % LANES
                t >> Heralded(2, lane, wanted[lane], sequence, 2, sequence, t.context.now, -1, -1)
                wanted |= {answer.lane: answer.aid for answer in t.open if isinstance(answer, Attempt)}
            served = [ok.purpose for ok in t.all(Ok)]
            counts = [served.count(purpose) for purpose in range(len(priorities))]
            if not in_proportion(counts, priorities):
                raise Unsupported(
                    f"shares in proportion ({counts} of {SHARED} pairs for priorities {list(priorities)})"
                )

    @course
    @requirement("QS-L2-050")
    def test_both_ends_agree_after_a_loss(self, make: Make) -> None:
        """At every cycle, once both have heard of it."""
        for deaf in (1, 2):
            for missed, misses in ((2, 1), (5, 2), (8, 2)):
                bench = Bench(make, missed={deaf: missed}, misses=misses)
                for purpose in (4, 5, 6):
                    bench.ask(1, replace(CREATE, purpose=purpose, number=60, priority=purpose % 3))
                bench.ask(2, replace(CREATE, peer=1, purpose=7, number=60))
                began = 5 * ROUND_TRIP
                for cycle in range(40):
                    bench.run(began + cycle * PERIOD + PERIOD // 2)
                    if bench.line or missed <= bench.sequence <= missed + misses:
                        continue
                    one, other = (bench.standing[node] for node in (1, 2))
                    expect(bench.ends[1], one == other, f"attempts as at the other end, {other}, not {one}")
