"""Tests of network layers: pairs that are taken back, given up or lost on the way."""

from __future__ import annotations

from qstack.conformance.marks import course, requirement
from qstack.conformance.network_talk import (
    CIRCUIT,
    CUTOFF,
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
from qstack.services.l3_network import Lost, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Expire, Track

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
