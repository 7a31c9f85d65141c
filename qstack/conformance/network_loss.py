"""Tests of network layers: pairs that are taken back, given up or lost on the way, and numbers that come again."""

from __future__ import annotations

from qstack.conformance.marks import course, requirement
from qstack.conformance.network_talk import (
    CIRCUIT,
    CUTOFF,
    LONG,
    SESSION,
    Stand,
    asks,
    ends,
    head,
    middle,
    swapped,
    tail,
    track,
)
from qstack.conformance.refusals import refuses
from qstack.conformance.stand import LANES, Make, expect
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Send
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l3_network import Disconnect, Lost, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Expire, Track
from qstack.wire.signalling import Teardown

MOST = (1 << 16) - 1


def freed(t: Transcript) -> list[int]:
    """Return the qubits that were freed, in this order."""
    return [one.qubit for one in t.all(Free)]


def given_up(stand: Stand, qubit: int, answer: Send) -> None:
    """Expect that a half is freed, or that it is joined and whoever asks for its partner is answered; no TRACK passes.

    Raises
    ------
    TranscriptError
        If neither is so.
    """
    swaps = stand.t.all(Swap)
    for swap in swaps:
        stand.t >> Swapped(swap.left, swap.right, 0)
    if swaps:
        expect(stand.t, answer in stand.t.answers, "EXPIRE to whoever asks for the partner")
    else:
        expect(stand.t, freed(stand.t) == [qubit], "the half that was given up freed")
    stand.t.never(Track).never(Expire, more_than=len(swaps))


class TakenBackTests:
    """Pairs that a link takes back."""

    @course
    @requirement("QS-L3-359")
    def test_halves_that_an_end_holds(self, make: Make) -> None:
        """Freed, exactly these; and an EXPIRE follows the TRACK of each, once."""
        for stand in ends(make):
            node = stand.t.context.node
            for sequence in (MOST, 0)[:LANES]:
                stand.ok(1, sequence, qubit=20 + sequence % 7)
            for _ in range(2):
                stand.gone(1, MOST, 0)
            expect(stand.t, freed(stand.t) == [20 + MOST % 7], "the half that was taken back freed, and no other")
            stand.ok(1, 1, qubit=30)
            for _ in range(2):
                stand.gone(1, MOST, 1)
            expect(stand.t, freed(stand.t) == [20 + MOST % 7, 20], "the next half freed")
            said = [one.origin_pair for one in stand.t.all(Expire) if one.origin == node]
            expect(stand.t, said == [MOST, 0], f"an EXPIRE of the pairs {MOST} and 0, not of {said}")
            asks(stand, 1) << Pair(SESSION, ANY, ANY, 30, ANY, ANY)
            stand.t.never(Lost).never(Pair, more_than=1)

    @course
    @requirement("QS-L3-359", "QS-L3-363")
    def test_a_pair_that_was_delivered(self, make: Make) -> None:
        """Told as lost, once, and the other end hears so; its neighbour in number stays."""
        for stand in ends(make):
            for sequence in (6, 7):
                stand.ok(1, sequence, qubit=20 + sequence)
                asks(stand, sequence, pair=40 + sequence)
            told = stand.t.last(Pair)
            for _ in range(2):
                stand.gone(1, 7, 8)
            expect(stand.t, stand.t.all(Lost) == [Lost(SESSION, told.pair, 27, ANY)], "the pair told as lost, once")
            expect(stand.t, stand.t.all(Expire) == [Expire(stand.circuit, stand.t.context.node, 7, ANY)], "one EXPIRE")
            stand.t.never(Free)

    @course
    @requirement("QS-L3-359")
    def test_halves_that_wait_between_the_ends(self, make: Make) -> None:
        """Freed, exactly these; whoever asks for them is answered, before or later, and the next one is used."""
        stand = middle(make)
        for sequence, qubit in ((MOST - 1, 20), (MOST, 21), (0, 22), (1, 23)):
            stand.ok(0, sequence, qubit=qubit)
        track(stand, 0)
        stand.gone(0, MOST, 1)
        expect(stand.t, sorted(freed(stand.t)) == [21, 22], "two halves freed")
        stand.t << Send(0, Expire(CIRCUIT, 0, 40, ANY))
        track(stand, MOST)
        stand.t << Send(0, Expire(CIRCUIT, 0, 40, ANY))
        stand.t.never(Expire, more_than=2)
        for sequence in (8, 9):
            stand.ok(2, sequence, qubit=20 + sequence)
        joined = {(swap.left, swap.right) for swap in stand.t.all(Swap)}
        expect(stand.t, {one for one, _ in joined} == {20, 23}, "swaps of the two halves that are left")
        stand.t.wait(2 * CUTOFF)
        expect(stand.t, sorted(freed(stand.t)) == [21, 22], "no other half freed")

    @course
    @requirement("QS-L3-359")
    def test_a_pair_that_was_joined_already(self, make: Make) -> None:
        """Nothing is freed, and its TRACK goes on to where it finds out."""
        stand = middle(make)
        swapped(stand, 7, 8)
        stand.gone(0, 7, 8)
        track(stand, 7)
        expect(stand.t, stand.t.last(Track).link_pair == 8, "the TRACK passed on")
        stand.t.never(Free).never(Expire)


class ExpireTests:
    """EXPIRE on its way."""

    @course
    @requirement("QS-L3-361")
    def test_it_goes_on_as_it_came(self, make: Make) -> None:
        """To its origin, or from its origin to the other end, unchanged."""
        for origin in (0, 2):
            for sender, receiver in ((0, 2), (2, 0)):
                stand = middle(make)
                told = Expire(CIRCUIT, origin, 40, Reason.CUTOFF)
                stand.t.from_(sender) >> told
                stand.t.exactly(Send(receiver, told))

    @course
    @requirement("QS-L3-361")
    def test_it_overtakes_the_track_that_waits(self, make: Make) -> None:
        """Both end there; the half is given up with whatever it is joined to, and whoever asks is told."""
        for from_head in (True, False):
            first, second = (0, 2) if from_head else (2, 0)
            for there, others in ((True, ()), (False, (9,)), (True, (6, 9))):
                stand = middle(make)
                if there:
                    stand.ok(first, 7, qubit=7)
                for other in others:
                    stand.t.from_(first) >> Track(CIRCUIT, first, 60 + other, other, 1, 1, 60_000)
                track(stand, 7, from_head=from_head)
                told = Expire(CIRCUIT, first, 40, Reason.EXPIRE)
                stand.t.from_(first) >> told
                stand.t.never(Expire)
                if not there:
                    stand.ok(first, 7, qubit=7)
                stand.ok(second, 8, qubit=8)
                track(stand, 8, from_head=not from_head)
                given_up(stand, 7, Send(second, Expire(CIRCUIT, second, 40, ANY)))

    @course
    @requirement("QS-L3-361")
    def test_it_overtakes_a_track_whose_partner_asks_first(self, make: Make) -> None:
        """The TRACK of the other end waits too."""
        for from_head in (True, False):
            first, second = (0, 2) if from_head else (2, 0)
            stand = middle(make)
            stand.ok(first, 7, qubit=7)
            track(stand, 7, from_head=from_head)
            stand.t.from_(second) >> Track(CIRCUIT, second, 50, 8, 1, 1, 60_000)
            stand.t.from_(first) >> Expire(CIRCUIT, first, 40, Reason.EXPIRE)
            stand.ok(second, 8, qubit=8)
            given_up(stand, 7, Send(second, Expire(CIRCUIT, second, 50, ANY)))

    @course
    @requirement("QS-L3-361")
    def test_it_overtakes_a_herald_at_an_end(self, make: Make) -> None:
        """The half that comes then is freed."""
        for stand in ends(make):
            asks(stand, 7)
            stand.t >> Expire(stand.circuit, 2 - stand.t.context.node, 40, Reason.EXPIRE)
            stand.ok(1, 7, qubit=0)
            stand.t.exactly(Free(0))
            stand.ok(1, 8, qubit=21)
            stand.t.never(Pair).never(Track, more_than=1).never(Free, more_than=1)

    @course
    @requirement("QS-L3-362")
    def test_an_origin_that_is_no_end(self, make: Make) -> None:
        """At every node."""
        for stand, sender in ((tail(make), 1), (middle(make), 0), (head(make), 1)):
            refuses(stand.t.from_(sender), Expire(stand.circuit, 1, 40, Reason.CUTOFF))

    @course
    @requirement("QS-L3-363")
    def test_it_comes_after_the_delivery(self, make: Make) -> None:
        """From either direction: the pair is told as lost, once, and no other."""
        for own in (True, False):
            for stand in ends(make):
                node = stand.t.context.node
                for sequence in (6, 7):
                    stand.ok(1, sequence, qubit=20 + sequence)
                    asks(stand, sequence, pair=40 + sequence)
                told = stand.t.last(Pair)
                for _ in range(2):
                    stand.t >> Expire(stand.circuit, node if own else 2 - node, 7 if own else 47, Reason.EXPIRE)
                lost = [Lost(SESSION, told.pair, 27, Reason.EXPIRE)]
                expect(stand.t, stand.t.all(Lost) == lost, "the pair told as lost, once")
                stand.t.never(Free).never(Expire)

    @course
    @requirement("QS-L3-006")
    def test_it_frees_one_half(self, make: Make) -> None:
        """That of its number, once, and not that of the other end's."""
        for stand in ends(make):
            for sequence in (6, 7):
                stand.ok(1, sequence, qubit=7 - sequence)
            for _ in range(2):
                stand.t.from_(1) >> Expire(stand.circuit, stand.t.context.node, 7, Reason.CUTOFF)
            expect(stand.t, freed(stand.t) == [0], "one half freed")
            stand.t >> Expire(stand.circuit, 2 - stand.t.context.node, 6, Reason.CUTOFF)
            stand.t.never(Free, more_than=1).never(Lost)


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
