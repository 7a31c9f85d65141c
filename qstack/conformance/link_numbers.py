"""Tests of link layers: timers, numbers that wrap, and ranges of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from qstack.conformance.link_talk import (
    CREATE,
    LONG,
    UNANSWERED,
    answerer,
    asker,
    herald,
    incoming,
    standing,
)
from qstack.conformance.marks import Unsupported, course, extended, requirement
from qstack.conformance.stand import LANES, ROUND_TRIP, Make, expect, talk
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Send
from qstack.services.classical import NeighbourLost
from qstack.services.device import Free
from qstack.services.l1_physical import Heralded, Skipped
from qstack.services.l2_link import Accepted, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Drop, DropAck, LinkExpire, LinkExpireAck

MOST = (1 << 16) - 1
IDS = 14 << 8
"""Queue ids that there are."""
MANY = 12


def both(make: Make, **changes: Any) -> Iterator[Transcript]:
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
    @extended("lost-neighbours")
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
