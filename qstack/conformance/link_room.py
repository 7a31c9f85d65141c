"""Tests of link layers about memories: who is full is told, asked again, and attempted nothing for."""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.link_talk import CREATE, agree, asker, claims, herald, standing
from qstack.conformance.marks import Unsupported, course, extended, requirement
from qstack.conformance.stand import LANES, ROWS, Make, expect, talk
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Send
from qstack.services.classical import NeighbourLost
from qstack.services.device import AskRoom, Room
from qstack.services.l2_link import Create, Withdraw
from qstack.wire.link import Drop, DropAck, MemAck, MemReq

MEAN = int(ROWS[0].seconds_per_pair * 1e12)
"""Mean time between pairs of the good setting [ps]."""
AGE = 2_000 * MEAN
"""So many mean times that "in the end" has come [ps]."""


def pass_time(t: Transcript, until: int, free: int = LANES) -> Transcript:
    """Let time pass, with a device that counts its memories whenever it is asked."""
    while min((at for at, _ in t.timers.values()), default=until) < until:
        asked = len(t.all(AskRoom))
        t.at(min(at for at, _ in t.timers.values()))
        for _ in t.all(AskRoom)[asked:]:
            t >> Room(t.sender, free)
    return t.at(until)


def until_asked(t: Transcript, until: int) -> bool:
    """Let time pass until the neighbour is asked for its memories, or to a time; return whether it is."""
    before = len(t.all(MemReq))
    while len(t.all(MemReq)) == before:
        due = min((at for at, _ in t.timers.values()), default=until)
        if due >= until:
            return False
        pass_time(t, due + 1)
    return True


def serve(t: Transcript, first: int, last: int, pause: int = MEAN) -> None:
    """Tell an end of successes, from one number to before another, so much time apart [ps]."""
    for sequence in range(first, last):
        herald(t, sequence)
        pass_time(t, t.context.now + pause)


def told(t: Transcript) -> list[int]:
    """Return every number of free memories that the neighbour was told."""
    return [message.communication for message in t.all(MemReq)] + [message.communication for message in t.all(MemAck)]


class RoomTests:
    """Memories at both ends of a link."""

    def _begin(self, make: Make, request: Create | None = CREATE) -> Transcript:
        """Return a dialogue with an end that serves a request, or none, and that claims to know of memories."""
        t = talk(make, 1, 2)
        if MemReq not in t.handlers or Room not in t.handlers:
            raise Unsupported("advertisements of memories")
        return asker(make, request) if request else t

    @requirement("QS-L2-310")
    def test_a_question_is_answered(self, make: Make) -> None:
        """With what the device says, and again when it is repeated."""
        t = self._begin(make, None)
        for free in (LANES, 0, 0):
            t >> MemReq(1, 0)
            if t.open[-1:] == [AskRoom(2)]:
                t >> Room(2, free)
            t << Send(2, MemAck(free, ANY))

    @requirement("QS-L2-016")
    def test_nothing_is_attempted_for_a_neighbour_that_is_full(self, make: Make) -> None:
        """Until it has room; whichever message says so, doubled or not."""
        for word in (MemAck, MemReq):
            t = self._begin(make)
            aid = standing(t)[0]
            for _ in range(2):
                t >> word(0, 0)
                expect(t, set(standing(t).values()) == {-1}, "no attempt for a neighbour without memory")
            t >> word(1, 0)
            expect(t, set(standing(t).values()) == {aid}, "attempts for a neighbour that has memory again")

    @requirement("QS-L2-314")
    def test_what_is_measured_goes_on(self, make: Make) -> None:
        """It fills no memory."""
        request = replace(CREATE, keep=False, bases=(0,))
        self._begin(make, None)
        claims(make, "pairs of type M", request)
        t = asker(make, request) >> MemAck(0, 0)
        expect(t, all(aid >= 0 for aid in standing(t).values()), "attempts that need no memory of the neighbour")

    @requirement("QS-L2-311")
    def test_a_freed_memory_is_news(self, make: Make) -> None:
        """For a neighbour that was told that there is none."""
        t = self._begin(make)
        t >> MemReq(1, 0) >> Room(2, 0)
        expect(t, told(t)[-1:] == [0], "the word that no memory is free")
        t >> Room(2, 1)
        expect(t, 1 in told(t), "the word that a memory is free")

    @requirement("QS-L2-312")
    def test_a_full_neighbour_is_asked_again(self, make: Make) -> None:
        """And again after it has said the same."""
        t = self._begin(make)
        for _ in range(2):
            t >> MemAck(0, 0)
            before = len(t.all(MemReq))
            pass_time(t, t.context.now + AGE)
            expect(t, len(t.all(MemReq)) > before, "a question whether the neighbour has memory again")

    @requirement("QS-L2-313")
    def test_no_answer_is_no_lack(self, make: Make) -> None:
        """Nor is it never to have said anything."""
        t = self._begin(make)
        pass_time(t, AGE)
        expect(t, all(aid >= 0 for aid in standing(t).values()), "attempts for a neighbour that never said anything")
        t >> MemAck(0, 0)
        pass_time(t, 2 * AGE)
        expect(t, all(aid >= 0 for aid in standing(t).values()), "attempts for a neighbour that no longer answers")

    @course
    @requirement("QS-L2-312", "QS-L2-016")
    def test_a_neighbour_that_stays_full(self, make: Make) -> None:
        """Is asked as often as it says so, and nothing is attempted for it meanwhile."""
        t = self._begin(make)
        t >> MemReq(1, 0) >> Room(2, LANES)
        for _ in range(6):
            t >> MemAck(0, 0)
            expect(t, until_asked(t, t.context.now + AGE), "a question whether the neighbour has memory again")
            expect(t, set(standing(t).values()) == {-1}, "no attempt for a neighbour that has answered that it is full")
        t >> MemAck(1, 0)
        expect(t, all(aid >= 0 for aid in standing(t).values()), "attempts for a neighbour that has memory again")

    @course
    @requirement("QS-L2-430")
    def test_nobody_asks_while_pairs_come(self, make: Make) -> None:
        """Whatever was said before, and for every request anew."""
        t = self._begin(make, None)
        for purpose in (4, 6):
            t >> replace(CREATE, purpose=purpose, number=150)
            agree(t, purpose)
            first = 150 * (purpose == 6)
            for word in (Room(2, LANES), MemReq(LANES, 0), MemAck(LANES, 0)):
                herald(t, first)
                before = len(t.all(MemReq))
                t >> word
                if t.open[-1:] == [AskRoom(2)]:
                    t >> Room(2, LANES)
                serve(t, first + 1, first + 50)
                expect(t, len(t.all(MemReq)) == before, "no question about memories while pairs come")
                first += 50

    @course
    @requirement("QS-L2-431")
    def test_a_silent_link_asks(self, make: Make) -> None:
        """Though pairs have come before, and though requests come meanwhile."""
        t = self._begin(make, replace(CREATE, number=90))
        serve(t, 0, 40)
        expect(t, until_asked(t, t.context.now + AGE), "a question about memories on a link that makes no pairs")
        t = self._begin(make)
        before = len(t.all(MemReq))
        for purpose in range(10, 50):
            pass_time(t, t.context.now + 20 * MEAN)
            t >> replace(CREATE, purpose=purpose)
            agree(t, purpose)
        expect(t, len(t.all(MemReq)) > before, "a question about memories on a link that makes no pairs")

    @course
    @requirement("QS-L2-350")
    def test_nothing_is_left_of_words_about_memories(self, make: Make) -> None:
        """When the request has ended: done, or withdrawn."""
        t = self._begin(make) >> MemAck(0, 0)
        until_asked(t, t.context.now + AGE)
        t >> MemAck(1, 0)
        for sequence in range(CREATE.number):
            herald(t, sequence)
        expect(t, not t.timers, "no timer after the last pair")
        t = self._begin(make) >> MemAck(0, 0) >> Withdraw(2, 4)
        t >> DropAck(4, t.last(Drop).cseq)
        expect(t, not t.timers, "no timer after the answer to a withdrawal")

    @course
    @requirement("QS-L2-056")
    @extended("lost-neighbours")
    def test_a_lost_neighbour_is_full_no_longer(self, make: Make) -> None:
        """It has begun anew."""
        t = self._begin(make)
        if NeighbourLost not in t.handlers:
            raise Unsupported("neighbours that are lost")
        t >> MemAck(0, 0) >> NeighbourLost(2) >> CREATE
        agree(t)
        expect(t, all(aid >= 0 for aid in standing(t).values()), "attempts for a neighbour that has begun anew")

    @course
    @requirement("QS-L2-016")
    def test_a_request_that_comes_later_waits_too(self, make: Make) -> None:
        """The word is about the link, not about a request."""
        t = self._begin(make, None) >> MemAck(0, 0) >> CREATE
        agree(t)
        expect(t, set(standing(t).values()) == {-1}, "no attempt for a neighbour without memory")
        t >> MemAck(1, 0)
        expect(t, all(aid >= 0 for aid in standing(t).values()), "attempts for a neighbour that has memory again")
