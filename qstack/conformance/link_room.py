"""Tests of link layers about memories: who is full is told, asked again, and attempted nothing for."""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.link_talk import CREATE, agree, asker, claims, standing
from qstack.conformance.marks import Unsupported, course, requirement
from qstack.conformance.stand import LANES, ROWS, Make, expect, talk
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Send
from qstack.services.device import AskRoom, Room
from qstack.services.l2_link import Create
from qstack.wire.link import MemAck, MemReq

AGE = int(2_000 * ROWS[0].seconds_per_pair * 1e12)
"""So many mean times that "in the end" has come [ps]."""


def pass_time(t: Transcript, until: int, free: int = LANES) -> Transcript:
    """Let time pass, with a device that counts its memories whenever it is asked."""
    while min((at for at, _ in t.timers.values()), default=until) < until:
        asked = len(t.all(AskRoom))
        t.at(min(at for at, _ in t.timers.values()))
        for _ in t.all(AskRoom)[asked:]:
            t >> Room(t.sender, free)
    return t.at(until)


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
    @requirement("QS-L2-016")
    def test_a_request_that_comes_later_waits_too(self, make: Make) -> None:
        """The word is about the link, not about a request."""
        t = self._begin(make, None) >> MemAck(0, 0) >> CREATE
        agree(t)
        expect(t, set(standing(t).values()) == {-1}, "no attempt for a neighbour without memory")
        t >> MemAck(1, 0)
        expect(t, all(aid >= 0 for aid in standing(t).values()), "attempts for a neighbour that has memory again")
