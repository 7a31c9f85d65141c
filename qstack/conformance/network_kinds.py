"""Tests of network layers: sessions whose halves are measured as they are made or told early, and test rounds."""

from __future__ import annotations

from collections.abc import Collection

from qstack.conformance.marks import Unsupported, course, requirement
from qstack.conformance.network_talk import (
    CIRCUIT,
    SESSION,
    asks,
    ends,
    head,
    middle,
    tail,
)
from qstack.conformance.stand import Make, expect
from qstack.conformance.transcript import ANY
from qstack.core.nouns import Send
from qstack.services.device import Free, Probe, Probed
from qstack.services.l2_link import Create
from qstack.services.l3_network import (
    EARLY,
    KEEP,
    MEASURE,
    PREPARE,
    Early,
    FidelityTested,
    Lost,
    Pair,
    Result,
)
from qstack.services.reasons import Reason
from qstack.wire.network import CircuitTest, Expire, Forward, Track
from qstack.wire.signalling import Teardown

FOUR = (0, 1, 2, 3)


def measures(asked: Create) -> tuple[Collection[int], Collection[int]]:
    """Return in which bases this end of a link is to measure, and the other one; none where it keeps."""
    there = asked.keep != asked.prepare
    return (() if asked.keep else asked.bases), (() if there else asked.remote_bases or asked.bases)


class KindTests:
    """What becomes of halves at the ends."""

    @course
    @requirement("QS-L3-351")
    def test_where_halves_are_measured(self, make: Make) -> None:
        """By kind and place: whether this end of the link behind measures, and whether the other one does."""
        kinds = {KEEP: (False, False), MEASURE: (True, True), PREPARE: (True, False), EARLY: (False, False)}
        for kind, (first, last) in kinds.items():
            for basis in (1, 2):
                stands = {
                    (first, False): head(make, kind=kind, basis=basis),
                    (False, last): middle(make, kind=kind, basis=basis),
                    (False, False): middle(make, kind=kind, basis=basis, path=FOUR),
                    (first, last): head(make, kind=kind, basis=basis, peer=1),
                }
                for there, stand in stands.items():
                    bases = tuple((basis,) if one else () for one in there)
                    found = measures(stand.t.last(Create))
                    expect(stand.t, found == bases, f"measurements in {bases} here and there, not in {found}")
                if kind != KEEP:
                    said = stands[first, last].t.last(Forward)
                    expect(stand.t, (said.kind, said.basis) == (kind, basis), "the kind and the basis in FORWARD")

    @course
    @requirement("QS-L3-352")
    def test_what_was_measured_is_told(self, make: Make) -> None:
        """As a Result with basis and bit, when the TRACK has come, and nothing is freed."""
        for kind, stands in ((MEASURE, ends(make, MEASURE, 1)), (PREPARE, [head(make, kind=PREPARE, basis=1)])):
            for stand in stands:
                stand.measured(1, 0, 2, 1, 1).never(Result)
                stand.t.wait(10**11)
                asks(stand, 0, bell=3)
                told = stand.t.last(Result)
                expect(stand.t, (told.session, told.pair, told.bell) == (SESSION, 0, 3), "the pair of the TRACK")
                expect(stand.t, (told.basis, told.outcome) == (1, 1), "basis and bit")
                expect(
                    stand.t, abs(told.estimate - 60_000 / 65_535) < 1e-4, "the estimate of the TRACK: it has not waited"
                )
                stand.measured(1, 1, 2, 1, 0)
                stand.t.from_(1) >> Expire(stand.circuit, stand.t.context.node, 1, Reason.CUTOFF)
                asks(stand, 5, pair=41)
                stand.gone(1, 0, 1)
                stand.t << Lost(SESSION, 0, -1, ANY)
                stand.t.never(Free).never(Pair).never(Early).never(Result, more_than=1).never(Lost, more_than=1)
            expect(stand.t, kind > KEEP, "a kind that measures")
        stand = tail(make, kind=PREPARE)
        stand.ok(1, 0)
        asks(stand, 0)
        stand.t.never(Result).last(Pair)

    @course
    @requirement("QS-L3-352")
    def test_nothing_is_freed_that_was_measured(self, make: Make) -> None:
        """A pair that nobody wants, that comes too early, or of no circuit."""
        for stand in (head(make, 1, kind=MEASURE), tail(make, active=False), middle(make, active=False)):
            stand.measured(1 if stand.t.context.node != 1 else 0, 0, 0, 0, 0)
            stand.measured(1 if stand.t.context.node != 1 else 0, 1, 0, 0, 0)
            stand.before = stand.behind = 999
            stand.measured(1 if stand.t.context.node != 1 else 0, 2, 0, 0, 0)
            stand.t.never(Free).never(Pair).never(Result)

    @course
    @requirement("QS-L3-352")
    def test_a_half_is_told_early(self, make: Make) -> None:
        """At once; then as the pair that it has become, or as lost, and it is the user's to free."""
        for stand in ends(make, EARLY):
            node = stand.t.context.node
            for sequence in (0, 1):
                stand.ok(1, sequence, qubit=20 + sequence)
                stand.t << Early(SESSION, 20 + sequence)
            asks(stand, 0, bell=3) << Pair(SESSION, ANY, 3, 20, ANY, ANY)
            stand.t.from_(1) >> Expire(stand.circuit, node, 1, Reason.CUTOFF)
            stand.t << Lost(SESSION, -1, 21, ANY)
            asks(stand, 2, pair=41)
            stand.ok(1, 2, qubit=22)
            stand.t << (Early(SESSION, 22), Pair(SESSION, ANY, ANY, 22, ANY, ANY))
            stand.ok(1, 3, qubit=23)
            stand.t.from_(1) >> Teardown(stand.circuit, Reason.NONE)
            expect(stand.t, Lost(SESSION, -1, 23, ANY) in stand.t.answers, "the half that was told early lost")
            stand.t.never(Free)
        for stand in ends(make):
            stand.ok(1, 0)
            asks(stand, 0)
            stand.t.never(Early)

    @course
    @requirement("QS-L3-353")
    def test_a_test_round_at_the_tail(self, make: Make) -> None:
        """Measured in the basis of its number, told to the head, delivered to nobody."""
        for number, basis in enumerate((0, 1, 2, 0)):
            stand = tail(make)
            if Probed not in stand.t.handlers or CircuitTest not in stand.t.handlers:
                raise Unsupported("test rounds of circuits")
            stand.ok(1, 7, qubit=20)
            stand.t >> Track(CIRCUIT, 0, 40, 7, 1, 1, 60_000, number, 0, 0, True)  # noqa: FBT003 - a test round
            stand.t << Probe(20, basis)
            stand.t >> Probed(20, basis, 1)
            stand.t << Send(1, CircuitTest(CIRCUIT, 0, 40, basis, 1))
            stand.t.never(Pair).never(Free)

    @course
    @requirement("QS-L3-353")
    def test_what_test_rounds_show(self, make: Make) -> None:
        """Told when both bits are there, in whatever order; bits of different bases show nothing."""
        stand = tail(make)
        if Probed not in stand.t.handlers or CircuitTest not in stand.t.handlers:
            raise Unsupported("test rounds of circuits")
        for number, (early, basis, rounds) in enumerate(((False, 0, 1), (True, 1, 2), (False, 0, 2), (True, 0, 3))):
            stand.ok(1, number, qubit=number)
            stand.t >> Track(CIRCUIT, 0, 40 + number, number, 0, 1, 60_000, number, 0, 0, True)  # noqa: FBT003 - a test round
            theirs = CircuitTest(CIRCUIT, 0, 40 + number, basis, 0)
            for heard in (theirs, Probed(number, number % 3, 0))[:: 1 if early else -1]:
                stand.t >> heard
            expect(stand.t, len(stand.t.all(FidelityTested)) == rounds, f"{rounds} rounds told")
            expect(stand.t, stand.t.last(FidelityTested).rounds == rounds, f"{rounds} rounds counted")

    @course
    @requirement("QS-L3-353")
    def test_the_bit_of_a_test_round_is_passed_on(self, make: Make) -> None:
        """Between the ends, in both directions, and not of a circuit that is gone."""
        stand = middle(make)
        if CircuitTest not in stand.t.handlers:
            raise Unsupported("test rounds of circuits")
        for sender, receiver in ((0, 2), (2, 0)):
            stand.t.from_(sender) >> CircuitTest(CIRCUIT, 0, 40, 1, 1)
            stand.t.exactly(Send(receiver, CircuitTest(CIRCUIT, 0, 40, 1, 1)))
        stand.t.from_(0) >> Teardown(CIRCUIT, Reason.NONE)
        stand.t >> CircuitTest(CIRCUIT, 0, 40, 1, 1)
        stand.t.silent()
