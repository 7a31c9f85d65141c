"""Tests of network layers: what the head asks for, how it numbers and holds pairs, and what is believed of them."""

from __future__ import annotations

from qstack.conformance.marks import course, requirement
from qstack.conformance.network_talk import (
    SESSION,
    asks,
    ends,
    head,
    middle,
    tail,
    track,
)
from qstack.conformance.refusals import misuse
from qstack.conformance.stand import LANES, Make, expect, kept, site, talk
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.clock import SECOND
from qstack.core.nouns import Send
from qstack.services.device import Free, Swapped
from qstack.services.l2_link import Create, Ok
from qstack.services.l3_network import Connect, Connected, Disconnected, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward, Track
from qstack.wire.signalling import SetupReq

UNIT = 65535
BRISK = 20
"""Pairs in a second that the links of a busy head make."""
RATES = ((5.0, 3), (0.5, 8), (15.0, 2))
"""Rates [pairs/s], and for how many seconds."""
NEAR = 4 / UNIT
"""Rounding of an estimate on its way, on both sides of one swap."""


def fidelity(werner: float) -> float:
    """Return the fidelity of a Werner state."""
    return (1 + 3 * werner) / 4


def busy(make: Make, rate: float, seconds: int) -> tuple[Transcript, int]:
    """Give a head a pair at every moment, each with the TRACK of its other half; return how many it has delivered."""
    stand = head(make, 0, rate=rate)
    for n in range(BRISK * seconds):
        stand.t.at(n * SECOND // BRISK)
        stand.ok(1, n)
        track(stand, n, from_head=False)
    return stand.t, len(stand.t.all(Pair))


class AskingTests:
    """Requests on their way from the head."""

    @course
    @requirement("QS-L3-350")
    def test_forward_says_what_was_asked(self, make: Make) -> None:
        """And a number beyond its field is asked for without end."""
        for number, told, rate in ((3, 3, 0.0), (65_535, 65_535, 0.0), (65_536, 0, 0.0), (0, 0, 2.5), (4, 4, 0.25)):
            stand = head(make, number, rate=rate)
            said = stand.t.last(Forward)
            expect(stand.t, (said.circuit, said.number, said.request) == (stand.circuit, told, SESSION), "the request")
            expect(stand.t, (said.head, said.tail, said.kind) == (0, 2, 0), "its ends and its kind")
            expect(stand.t, said.rate == round(1000 * rate), f"its rate, {round(1000 * rate)} mHz")
            up = Connected(SESSION, 2, initiator=True, number=number)
            expect(stand.t, stand.t.all(Connected) == [up], "the user told once, with the number that was asked for")
        stand = tail(make)
        up = Connected(SESSION, 0, initiator=False, number=3)
        expect(stand.t, stand.t.all(Connected) == [up], "the user of the tail told once")

    @course
    @requirement("QS-L3-030")
    def test_requests_are_renewed(self, make: Make) -> None:
        """At every moment more pairs have been asked for than have come."""
        stand = middle(make, cutoff=0)
        first = asked = stand.t.last(Create).number
        for sequence in range(min(9 * first // 4, 20_000)):
            # Past the transcript: nobody reads so long a dialogue.
            answers = stand.t.handlers[Ok](stand.pair(2, sequence % (1 << 16)), stand.t.context)
            asked += sum(one.number for one in answers if isinstance(one, Create) and one.purpose == stand.behind)
            expect(stand.t, asked > sequence + 1, f"a new request before pair {asked}, the last of the old ones")
            expect(stand.t, asked <= sequence + 3 * first, f"not {asked} pairs asked for at pair {sequence}")

    @course
    @requirement("QS-L3-008")
    def test_a_rate_that_cannot_be(self, make: Make) -> None:
        """More than the path can give is refused at once."""
        t = talk(make, 0, 1) >> Connect(SESSION, 2, 0.7, 3, rate=1e9)
        t << Disconnected(SESSION, Reason.NORES)
        t.never(SetupReq)

    @course
    @requirement("QS-L3-357")
    def test_a_rate_that_is_none(self, make: Make) -> None:
        """Too slow to be told, or below nothing; the slowest is taken."""
        for rate in (5e-4, -1.0, float("nan")):
            misuse(talk(make, 0, 1), Connect(SESSION, 2, 0.7, 3, rate=rate))
        t = talk(make, 0, 1) >> Connect(SESSION, 2, 0.7, 3, rate=1e-3)
        t.never(Disconnected).last(SetupReq)

    @course
    @requirement("QS-L3-008")
    def test_no_faster_than_the_rate(self, make: Make) -> None:
        """Where every moment brings a pair."""
        for rate, seconds in RATES:
            t, told = busy(make, rate, seconds)
            expect(t, told <= rate * seconds + LANES, f"{rate * seconds:g} pairs in {seconds} s, not {told}")

    @course
    @requirement("QS-L3-356")
    def test_no_slower_than_the_rate(self, make: Make) -> None:
        """Where every moment brings a pair."""
        for rate, seconds in RATES:
            t, told = busy(make, rate, seconds)
            expect(t, told >= rate * seconds - LANES, f"{rate * seconds:g} pairs in {seconds} s, not only {told}")

    @course
    @requirement("QS-L3-356")
    def test_pairs_without_end(self, make: Make) -> None:
        """As fast as they come, at any number of memories in use, and numbered on."""
        for number in (0, 70_000):
            stand = head(make, number)
            for n in range(0, 40, 2):
                stand.t.wait(1000)
                for sequence in (n, n + 1):
                    stand.ok(1, sequence)
                for sequence in (n, n + 1):
                    track(stand, sequence, from_head=False)
            told = {pair.pair for pair in stand.t.all(Pair)}
            expect(stand.t, len(told) == len(stand.t.all(Pair)) == 40, "40 pairs of as many numbers")
            stand.t.never(Complete).never(Free)


class HoldingTests:
    """Pairs at an end until they are delivered."""

    @course
    @requirement("QS-L3-354")
    def test_numbers_without_gaps(self, make: Make) -> None:
        """From 0; the number of a pair that is lost is given to the next one."""
        stand = head(make, 5)
        for sequence in (7, 8):
            stand.ok(1, sequence)
        stand.t >> Expire(stand.circuit, 0, 7, Reason.CUTOFF) << Free(7)
        stand.ok(1, 9)
        numbers = [told.request for told in stand.t.all(Track)]
        expect(stand.t, numbers == [0, 1, 0], f"the pairs numbered 0, 1, and 0 again, not {numbers}")
        for sequence in (8, 9):
            track(stand, sequence, from_head=False)
        for sequence in (10, 11, 12):
            stand.ok(1, sequence)
            track(stand, sequence, from_head=False)
        told = [(pair.pair, pair.qubit) for pair in stand.t.all(Pair)]
        expect(stand.t, told == [(1, 8), (0, 9), (2, 10), (3, 11), (4, 12)], f"five pairs, numbered 0 to 4, not {told}")
        over = Complete(stand.circuit, SESSION, 0, 2)
        expect(stand.t, stand.t.all(Complete) == [over], "one COMPLETE, after the last of them")

    @course
    @requirement("QS-L3-354")
    def test_the_tail_tells_the_heads_number(self, make: Make) -> None:
        """Whatever the order in which they come."""
        stand = tail(make)
        for sequence in (7, 8):
            stand.ok(1, sequence)
        stand.t >> Track(stand.circuit, 0, 41, 8, 3, 1, 60_000, 1)
        stand.t << Pair(SESSION, 1, 3, 8, ANY, -1)
        stand.t >> Track(stand.circuit, 0, 40, 7, 2, 1, 60_000, 0)
        stand.t << Pair(SESSION, 0, 2, 7, ANY, -1)

    @course
    @requirement("QS-L3-355")
    def test_no_half_that_nobody_waits_for(self, make: Make) -> None:
        """One more than there are memories, or than were asked for; its TRACK is answered."""
        for number, room in ((9, LANES), (1, 1), (0, LANES)):
            stand = head(make, number)
            for sequence in range(room + 1):
                stand.ok(1, sequence, qubit=room - sequence)
            expect(stand.t, Free(0) in stand.t.answers, f"half {room + 1} freed")
            expect(stand.t, len(stand.t.all(Track)) == room, f"TRACKs of {room} halves")
            stand.t.never(Free, more_than=1)
            track(stand, room, from_head=False)
            stand.t << Send(1, Expire(stand.circuit, 2, 40, ANY))
            stand.t.never(Pair).never(Expire, more_than=1)
            track(stand, room + 1, from_head=False)
            stand.t.never(Expire, more_than=1)
            stand.ok(1, room + 1, qubit=40)
            stand.t << (Free(40), Send(1, Expire(stand.circuit, 2, 40, ANY)))

    @course
    @requirement("QS-L3-355")
    def test_a_half_before_its_time(self, make: Make) -> None:
        """Of a circuit that is not started yet, at any node; a TRACK that asks for it later is answered."""
        for stand, peer in (
            (tail(make, active=False), 1),
            (middle(make, active=False), 0),
            (head(make, active=False), 1),
        ):
            stand.ok(peer, 7, qubit=0)
            stand.t.exactly(Free(0))
            if peer == 0 or stand.t.context.node == 2:
                stand.t.from_(peer) >> Forward(stand.circuit, 3, SESSION, head=0, tail=2, epoch=1)
                track(stand, 7)
                stand.t << Send(peer, Expire(stand.circuit, 0, 40, ANY))

    @course
    @requirement("QS-L3-029")
    def test_the_first_qubit(self, make: Make) -> None:
        """Has the number 0, and is freed like any other."""
        stand = middle(make)
        stand.t >> Ok(0, 999, 1, 8, 0, 0.9, 0, 0, False, -1, -1)  # noqa: FBT003 - as asked by this node
        stand.t.exactly(Free(0))


class EstimateTests:
    """What is believed of a pair."""

    @course
    @requirement("QS-L3-044")
    def test_an_estimate_through_a_swap(self, make: Make) -> None:
        """Times what the next pair promises, the swap, and the waits of both halves, at once or later, both ways."""
        for early in (False, True):
            stand = middle(make, cutoff=0)
            if early:
                track(stand, 7)
                track(stand, 8, from_head=False)
            waits = (SECOND // 10, SECOND // 25)
            stand.t.at(SECOND)
            stand.ok(0, 7, goodness=0.85, age=waits[0])
            stand.ok(2, 8, goodness=0.95, age=waits[1])
            stand.t >> Swapped(7, 8, 0)
            if not early:
                track(stand, 7)
                track(stand, 8, from_head=False)
            came = (4 * 60_000 / UNIT - 1) / 3
            lost = site(1).swap_factor * kept(waits[0]) * kept(waits[1])
            for origin, goodness in ((0, 0.95), (2, 0.85)):
                told = next(one for one in stand.t.all(Track) if one.origin == origin)
                right = fidelity(came * lost * (4 * goodness - 1) / 3)
                expect(
                    stand.t,
                    right - NEAR <= told.estimate / UNIT <= right + 1e-9,
                    f"an estimate of {right:.5f} or a little less in the TRACK of {origin}, not {told.estimate / UNIT:.5f}",
                )

    @course
    @requirement("QS-L3-044")
    def test_an_estimate_begins(self, make: Make) -> None:
        """With what the link promises."""
        for stand in ends(make):
            stand.ok(1, 7, goodness=0.9, age=1000)
            said = stand.t.last(Track).estimate / UNIT
            expect(stand.t, 0.9 - NEAR <= said <= 0.9, f"an estimate of 0.9 in the TRACK, not {said:.5f}")

    @course
    @requirement("QS-L3-358")
    def test_an_estimate_ends(self, make: Make) -> None:
        """With the waits of both halves until the delivery."""
        for wait in (0, SECOND // 8):
            for stand in ends(make):
                stand.t.wait(SECOND // 2)
                stand.ok(1, 7, age=1000)
                stand.t.wait(wait)
                asks(stand, 7)
                told = stand.t.last(Pair).estimate
                right = fidelity((4 * 60_000 / UNIT - 1) / 3 * kept(wait + 1000) ** 2)
                expect(stand.t, abs(told - right) < NEAR, f"an estimate of {right:.5f}, not {told:.5f}")

    @course
    @requirement("QS-L3-044")
    def test_when_a_pair_was_asked_for(self, make: Make) -> None:
        """After the session, before the half came; the tail does not know it."""
        stand = head(make, 4)
        began = stand.t.context.now
        for sequence in range(4):
            stand.t.wait(1000)
            came = stand.t.context.now
            stand.ok(1, sequence)
            stand.t.wait(1000)
            track(stand, sequence, from_head=False)
            asked = stand.t.last(Pair).asked
            expect(stand.t, began <= asked <= came, f"a time between {began} and {came} ps, not {asked}")
