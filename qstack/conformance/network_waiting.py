"""Tests of network layers: circuits that fail with pairs under way, what waits and for how long, numbers that come again."""

from __future__ import annotations

from qstack.conformance.marks import course, requirement
from qstack.conformance.network_loss import freed
from qstack.conformance.network_talk import (
    CUTOFF,
    LONG,
    SESSION,
    asks,
    ends,
    head,
    middle,
    swapped,
    tail,
    track,
)
from qstack.conformance.stand import Make, expect
from qstack.conformance.transcript import ANY
from qstack.core.nouns import Send
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l3_network import Disconnect, Lost, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Expire, Track
from qstack.wire.signalling import Teardown


class FailureTests:
    """Circuits that fail, with pairs under way."""

    @course
    @requirement("QS-L3-364")
    def test_pairs_that_the_other_end_may_not_have(self, make: Make) -> None:
        """Told as lost where a circuit fails just after they were delivered, and only there."""
        for reason in (Reason.LOST_PEER, Reason.NONE):
            for stand in ends(make):
                stand.ok(1, 7, qubit=27)
                asks(stand, 7)
                told = stand.t.last(Pair)
                stand.t.wait(1000)
                stand.t.from_(1) >> Teardown(stand.circuit, reason)
                lost = [Lost(SESSION, told.pair, 27, ANY)] if reason else []
                expect(stand.t, stand.t.all(Lost) == lost, f"{len(lost)} pairs told as lost")
                stand.t.never(Free)

    @course
    @requirement("QS-L3-365")
    def test_the_head_says_what_it_gives_up(self, make: Make) -> None:
        """Ahead of what ends the circuit."""
        stand = head(make)
        for sequence in (6, 7):
            stand.ok(1, sequence)
        asks(stand, 6)
        stand.t >> Disconnect(SESSION)
        said = [one.message for one in stand.t.open if isinstance(one, Send)]
        expect(
            stand.t, said == [Expire(stand.circuit, 0, 7, ANY), Teardown(stand.circuit, ANY)], "EXPIRE, then TEARDOWN"
        )
        expect(stand.t, freed(stand.t) == [7], "the half freed")

    @course
    @requirement("QS-L3-366")
    def test_no_timer_is_left(self, make: Make) -> None:
        """At any node, in whatever state the circuit is torn down; after COMPLETE none that keeps a host busy."""
        stands = (
            *(head(make, active=False), head(make), head(make, 0, rate=1.0), tail(make), tail(make, active=False)),
            *(middle(make), middle(make, active=False)),
        )
        for stand in stands:
            peer = 0 if stand.t.context.node == 1 else 1
            for sequence in range(4):
                stand.ok(peer, sequence)
                track(stand, sequence, from_head=stand.t.context.node > 0)
            stand.t.from_(peer) >> Teardown(stand.circuit, Reason.NONE)
            expect(stand.t, not stand.t.timers, "no timer of a circuit that is gone")
        stand = middle(make, cutoff=0)
        stand.ok(0, 7)
        stand.t.wait(LONG)
        left = [timer for timer in stand.t.timers if not timer.housekeeping]
        expect(stand.t, not left, "no timer of a half that may wait for ever, but those that tidy up")


class WaitingTests:
    """What waits, and how long."""

    @course
    @requirement("QS-L3-045")
    def test_a_record_waits_for_ever(self, make: Make) -> None:
        """Where there is no cutoff."""
        self._record(make, 0, LONG)

    @course
    @requirement("QS-L3-004")
    def test_a_record_waits_for_its_tracks(self, make: Make) -> None:
        """For longer than halves may."""
        self._record(make, CUTOFF, 3 * CUTOFF)

    def _record(self, make: Make, cutoff: int, wait: int) -> None:
        stand = middle(make, cutoff)
        swapped(stand, 7, 8, outcome=3)
        for sequence, from_head in ((7, True), (8, False)):
            stand.t.wait(wait)
            track(stand, sequence, from_head=from_head)
            expect(stand.t, stand.t.last(Track).link_pair == 15 - sequence, "the TRACK passed on")
        stand.t.never(Expire)

    @course
    @requirement("QS-L3-046")
    def test_a_track_for_nothing(self, make: Make) -> None:
        """Is answered in the end, once, at any node; one whose half is there waits with it."""
        for stand in (middle(make), tail(make), head(make)):
            from_head = stand.t.context.node > 0
            track(stand, 7, from_head=from_head)
            stand.t.wait(LONG)
            origin = 0 if from_head else 2
            expect(stand.t, stand.t.all(Expire) == [Expire(stand.circuit, origin, 40, ANY)], "one EXPIRE to its origin")
            stand.t.wait(LONG)
            stand.t.never(Expire, more_than=1)
        stand = middle(make, cutoff=0)
        stand.ok(0, 7, qubit=7)
        track(stand, 7)
        stand.t.wait(LONG)
        stand.t.never(Expire)
        stand.ok(2, 8, qubit=8)
        stand.t >> Swapped(7, 8, 0)
        expect(stand.t, stand.t.last(Track).link_pair == 8, "the TRACK passed on after all")

    @course
    @requirement("QS-L3-035")
    def test_a_number_that_comes_again(self, make: Make) -> None:
        """After a discard, a swap or a refusal of which nobody has asked, recently or long ago."""
        for cutoff in (CUTOFF, 0):
            for wait in (3 * CUTOFF, LONG // 4):
                stand = middle(make, cutoff)
                if cutoff:
                    stand.ok(0, 7, qubit=7)
                else:
                    swapped(stand, 7, 8)
                stand.t.wait(wait)
                stand.ok(0, 7, qubit=17)
                track(stand, 7)
                stand.t.never(Expire).never(Track)
                stand.ok(2, 9, qubit=19)
                stand.t << Swap(17, 19)
                stand.t >> Swapped(17, 19, 0)
                expect(stand.t, stand.t.last(Track).link_pair == 9, "the TRACK of the new pair passed on")
                stand.t.never(Expire)

    @course
    @requirement("QS-L3-049")
    def test_each_half_has_its_own_time(self, make: Make) -> None:
        """From its emission; and one that came after a swap is not taken for the one before it."""
        for peer in (0, 2):
            stand = middle(make)
            stand.ok(peer, 7, qubit=7, age=CUTOFF // 4)
            stand.t.wait(CUTOFF // 2)
            stand.ok(peer, 8, qubit=8, age=CUTOFF // 8)
            stand.ok(peer, 9, qubit=9)
            for step in (CUTOFF // 4 - 1, 1, 5 * CUTOFF // 8 - 1, 1, CUTOFF // 8 - 1, 1):
                before = freed(stand.t)
                stand.t.wait(step)
                expect(
                    stand.t, (freed(stand.t) == before) is (step > 1), f"a half freed at {stand.t.context.now} ps only"
                )
            expect(stand.t, freed(stand.t) == [7, 8, 9], "the halves freed in turn")
            stand.ok(peer, 10, qubit=10)
            stand.t.wait(CUTOFF // 2)
            stand.ok(2 - peer, 11, qubit=11)
            stand.ok(peer, 12, qubit=12)
            stand.t.wait(CUTOFF - 1)
            expect(stand.t, freed(stand.t) == [7, 8, 9], "nothing freed that was joined, or that is young")
            stand.t.wait(1)
            expect(stand.t, freed(stand.t) == [7, 8, 9, 12], "the last half freed")
            stand.ok(peer, 13, qubit=13, age=2 * CUTOFF)
            stand.t.wait(1)
            expect(stand.t, freed(stand.t) == [7, 8, 9, 12, 13], "a half freed that was too old when it came")

    @course
    @requirement("QS-L3-033")
    def test_the_oldest_first(self, make: Make) -> None:
        """On either side."""
        for peer in (0, 2):
            stand = middle(make)
            for sequence in (7, 8, 9):
                stand.ok(peer, sequence, qubit=sequence)
            for sequence, partner in ((17, 7), (18, 8), (19, 9)):
                stand.ok(2 - peer, sequence, qubit=sequence)
                swap = stand.t.last(Swap)
                expect(stand.t, {swap.left, swap.right} == {sequence, partner}, f"a swap with {partner}, the oldest")
