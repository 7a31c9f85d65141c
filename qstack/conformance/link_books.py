"""Tests of link layers about what is kept and what is let go: numbers that wrap, ranges of pairs, timers, late messages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from qstack.conformance.bench import Bench
from qstack.conformance.link_talk import (
    CREATE,
    LONG,
    UNANSWERED,
    agree,
    answerer,
    asker,
    claims,
    herald,
    incoming,
    standing,
)
from qstack.conformance.marks import Unsupported, course, requirement
from qstack.conformance.stand import LANES, PERIOD, ROUND_TRIP, Make, expect, talk
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Send
from qstack.services.classical import NeighbourLost
from qstack.services.device import Free
from qstack.services.l1_physical import Attempt, Heralded, Skipped
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Drop, DropAck, LinkExpire, LinkExpireAck

MOST = (1 << 16) - 1
IDS = 14 << 8
"""Queue ids that there are."""
MANY = 12
FULL = 1000
"""More requests than a queue has to hold."""
LATE = 5 * ROUND_TRIP // 2
"""A deadline at which nothing else happens [ps]."""


def both(make: Make, **changes: int) -> Iterator[Transcript]:
    """Return a request at the asking and at the answering end, where it is served."""
    yield asker(make, replace(CREATE, **changes))
    yield answerer(make, incoming(**changes))


class TimerTests:
    """No timer for nothing."""

    @course
    @requirement("QS-L2-350")
    def test_nothing_is_left_of_a_request(self, make: Make) -> None:
        """However it ends: done, refused, withdrawn, or with its neighbour."""
        t = asker(make)
        for sequence in range(3):
            herald(t, sequence)
        expect(t, not t.timers, "no timer after the last pair")
        t = talk(make, 1, 2) >> CREATE
        t >> AddRej(t.last(Add).cseq, Reason.NORES)
        expect(t, not t.timers, "no timer of a request that was refused")
        for t in (asker(make), talk(make, 1, 2) >> CREATE):
            t >> Withdraw(2, 4)
            t >> DropAck(4, t.last(Drop).cseq)
            expect(t, not t.timers, "no timer after the answer to a withdrawal")
        t = asker(make)
        herald(t, 0)
        t >> Skipped(2, 1, 2)
        t >> LinkExpireAck(t.last(LinkExpire).aid, 2, 1, 2)
        t >> Withdraw(2, 4)
        t.wait(LONG)
        t >> DropAck(4, t.last(Drop).cseq)
        expect(t, not t.timers, "no timer after an answer that came late")
        t = answerer(make)
        t >> Drop(4, 9)
        expect(t, not t.timers, "no timer at the other end")

    @course
    @requirement("QS-L2-056")
    def test_nothing_is_left_of_a_lost_neighbour(self, make: Make) -> None:
        """But for what takes back at the other end what may just have been asked for."""
        t = asker(make)
        if NeighbourLost not in t.handlers:
            raise Unsupported("neighbours that are lost")
        t >> replace(CREATE, purpose=6)
        t >> Withdraw(2, 4)
        t >> NeighbourLost(2)
        for told in t.all(LinkExpire):
            t >> LinkExpireAck(told.aid, 0, told.low, told.high)
        expect(t, not t.timers, "no timer for a neighbour that was lost")

    @course
    @requirement("QS-L2-351")
    def test_a_neighbour_that_says_nothing(self, make: Make) -> None:
        """Keeps no host busy for long; the next question does, for a while."""
        t = asker(make)
        herald(t, 0)
        t >> Skipped(2, 1, 2)
        first = t.last(LinkExpire)
        for question in (0, 1):
            busy = [timer for timer in t.timers if not timer.housekeeping]
            expect(t, bool(busy), "a timer that keeps the host busy until the first repetition")
            t.wait(LONG)
            busy = [timer for timer in t.timers if not timer.housekeeping]
            expect(t, bool(t.timers) and not busy, "timers that tidy up, and no other")
            if question == 0:
                t >> LinkExpireAck(first.aid, 2, first.low, first.high)
                t >> Withdraw(2, 4)


class NumberTests:
    """Numbers of pairs, of messages and of requests."""

    @course
    @requirement("QS-L2-352")
    def test_a_pair_that_is_let_go_is_told(self, make: Make) -> None:
        """The other end may have delivered it: its request was withdrawn, or is too late."""
        for sequence in (5, MOST):
            for t in both(make, number=5):
                aid = standing(t)[0]
                t >> (Withdraw(2, 4) if t.context.node == 1 else Withdraw(1, 4))
                create = t.last(Accepted).create_id if t.context.node == 1 else 1
                herald(t, sequence, aid=aid, qubit=0)
                expect(t, Free(0) in t.open, "the qubit freed")
                told = t.last(LinkExpire)
                expect(t, (told.low, told.high) == (sequence, (sequence + 1) % (MOST + 1)), "an EXPIRE of the pair")
                known = (told.aid, told.create_id, told.origin) == (aid, create, 1)
                expect(t, known or told.aid == UNASSIGNED, "its request in the EXPIRE, or none")

    @course
    @requirement("QS-L2-353")
    def test_what_was_expected(self, make: Make) -> None:
        """The number behind the last success, also if it was not told."""
        for first in (0, MOST - 3, MOST - 2, MOST - 1, MOST):
            t = asker(make, replace(CREATE, number=MANY))
            aid, create = standing(t)[0], t.last(Accepted).create_id
            numbers = [(first + n) % (MOST + 1) for n in range(6)]
            for number in numbers[:2]:
                herald(t, number)
            expired = LinkExpire(aid, create, 1, numbers[0], numbers[1])
            t >> expired << Send(2, LinkExpireAck(aid, numbers[2], numbers[0], numbers[1]))
            t >> Skipped(2, numbers[2], numbers[4])
            expect(t, (t.last(LinkExpire).low, t.last(LinkExpire).high) == (numbers[2], numbers[4]), "the range told")
            t >> expired << Send(2, LinkExpireAck(aid, ANY, numbers[0], numbers[1]))
            t >> LinkExpire(aid, create, 1, numbers[1], numbers[2])
            t << Send(2, LinkExpireAck(aid, numbers[4], numbers[1], numbers[2]))
            lost = [(err.low, err.high) for err in t.all(Err) if err.reason == Reason.EXPIRE]
            expect(t, set(pairwise(numbers[:3])) <= set(lost), "both pairs taken back")

    @course
    @requirement("QS-L2-013")
    def test_a_range_from_the_past_into_the_future(self, make: Make) -> None:
        """What was told is taken back, what is still to come is not told, and no more than that."""
        for first in (0, MOST - 2, MOST):
            for unassigned in (False, True):
                t = asker(make, replace(CREATE, number=MANY))
                aid, create = standing(t)[0], t.last(Accepted).create_id
                numbers = [(first + n) % (MOST + 1) for n in range(7)]
                for number in numbers[:3]:
                    herald(t, number, qubit=10 + number % 7)
                message = LinkExpire(UNASSIGNED, 0, 2, numbers[1], numbers[5])
                t >> (message if unassigned else replace(message, aid=aid, create_id=create, origin=1))
                taken = {
                    (err.low + n) % (MOST + 1) for err in t.all(Err) for n in range((err.high - err.low) % (MOST + 1))
                }
                expect(t, set(numbers[1:3]) <= taken <= set(numbers[1:5]), f"the pairs {numbers[1:3]} taken back")
                for number in numbers[3:]:
                    herald(t, number, aid=aid, qubit=10 + number % 7)
                told = [ok.sequence for ok in t.all(Ok)]
                expect(
                    t, told == [*numbers[:3], *numbers[5:]], f"no pair from {numbers[3]} to {numbers[4]}, not {told}"
                )

    @course
    @requirement("QS-L2-013")
    def test_a_range_in_the_future(self, make: Make) -> None:
        """Exactly its pairs are not told when they come."""
        for first in (0, MOST - 3):
            t = asker(make, replace(CREATE, number=MANY))
            aid, create = standing(t)[0], t.last(Accepted).create_id
            numbers = [(first + n) % (MOST + 1) for n in range(8)]
            herald(t, numbers[0])
            t >> LinkExpire(aid, create, 1, numbers[3], numbers[5])
            t.never(Err)
            for number in numbers[1:]:
                herald(t, number, aid=aid, qubit=0)
            told = [ok.sequence for ok in t.all(Ok)]
            expect(t, told == [*numbers[:3], *numbers[5:]], f"no pairs {numbers[3:5]}, and all others, not {told}")
            expect(t, t.all(Free) == [Free(0), Free(0)], "the qubits of both freed")

    @course
    @requirement("QS-L2-018")
    def test_a_number_that_is_free_again(self, make: Make) -> None:
        """The numbers have begun anew, and the lane of the old pair has had another one: the new pair is told."""
        t = asker(make, replace(CREATE, number=MANY))
        aid = standing(t)[0]
        for lane, sequence in ((0, 0), (1, 5), (0, 0), (1, 3), (0, 5)):
            t >> Heralded(2, lane, aid, sequence, 2, 7, t.context.now, -1, -1)
            expect(t, any(isinstance(answer, Ok) for answer in t.open), f"the pair {sequence} of lane {lane}")

    @course
    @requirement("QS-L2-354")
    def test_a_range_of_a_later_turn(self, make: Make) -> None:
        """Is another one, though its numbers are the same."""
        t = asker(make, replace(CREATE, number=40))
        aid, create = standing(t)[0], t.last(Accepted).create_id
        for turn, last in enumerate((0, MOST, 5 << 13)):
            for sequence in range(0, last + 1, 1 << 13):
                herald(t, sequence, aid=aid)
                t >> Heralded(2, 1, aid, sequence + 1, 2, 7, t.context.now, -1, -1)
            if turn != 1:
                t >> LinkExpire(aid, create, 1, 0, 1)
                taken = [err for err in t.all(Err) if err.reason == Reason.EXPIRE]
                expect(t, len(taken) == 1 + turn // 2, f"a pair taken back in turn {turn + 1}")

    @course
    @requirement("QS-L2-043")
    def test_a_number_that_waits_for_its_answer(self, make: Make) -> None:
        """Is not given to another message, however many there are."""
        t = asker(make) >> Withdraw(2, 4)
        waits = t.last(Drop).cseq
        for _ in range(300):
            t >> replace(CREATE, purpose=6)
            t >> AddRej(t.last(Add).cseq, Reason.NORES)
        numbers = [add.cseq for add in t.all(Add)]
        expect(t, waits not in numbers[1:], f"no other message of the number {waits}")
        expect(t, set(numbers) <= set(range(256)), "numbers of 8 bits")
        expect(t, len(set(numbers[-UNANSWERED:])) == UNANSWERED, "numbers that come again as late as possible")

    @course
    @requirement("QS-L2-031")
    def test_the_order_of_ids(self, make: Make) -> None:
        """Whatever the order of messages, and where ids begin anew."""
        for ids in ((2, 1, 3), (1, 2, 3), (3, 2, 1)):
            self._served(make, ids, sorted(ids))

    @course
    @requirement("QS-L2-043")
    def test_ids_wrap(self, make: Make) -> None:
        """The last one comes before the first."""
        for ids in ((0, IDS - 1, 1), (IDS - 1, 0, 1)):
            self._served(make, ids, [IDS - 1, 0, 1])

    def _served(self, make: Make, ids: tuple[int, ...], order: list[int]) -> None:
        t = talk(make, 2, 1)
        for cseq, aid in enumerate(ids, 1):
            t >> incoming(cseq=cseq, aid=aid, create_id=cseq, number=LANES)
            t << Send(1, AddAck(cseq, aid, ANY))
        t.at(2 * ROUND_TRIP)
        served = []
        for sequence in range(LANES * len(ids)):
            wanted = standing(t)
            lane = min(wanted, key=lambda lane: order.index(wanted[lane]) if wanted[lane] >= 0 else IDS)
            served.append(wanted[lane])
            t >> Heralded(1, lane, served[-1], sequence, 2, sequence, t.context.now, -1, -1)
        expect(
            t, served == [aid for aid in order for _ in range(LANES)], f"attempts in the order {order}, not {served}"
        )
        expect(t, set(standing(t).values()) == {-1}, "no attempt after the last pair")


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
    def test_bases(self, make: Make) -> None:
        """Eight at most, of which some may be the same."""
        claims(make, "pairs of type M", replace(CREATE, keep=False, bases=(0, 1)))
        for number in (1, 8, 9):
            t = talk(make, 1, 2) >> replace(CREATE, keep=False, bases=(0, 1, 2, 0, 1, 2, 0, 1, 2)[:number])
            expect(t, bool(t.all(Accepted)) is (number < 9), f"a request with {number} bases")

    @course
    @requirement("QS-L2-355")
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
            t >> AddAck(add.cseq, n if add.aid == UNASSIGNED else add.aid)
            t.lines.clear()  # nobody reads so long a dialogue
        t.never(Err, more_than=1)

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
