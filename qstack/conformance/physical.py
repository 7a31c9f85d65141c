"""The suite for physical layers: dialogues between a link layer and a device, with the layer in between.

A vendor writes one fixture::

    class TestMine(PhysicalSuite):
        @pytest.fixture
        def make(self):
            return lambda site: MyPhysicalLayer(site)

The suite stands at node 1 of the chain 0 - 1 - 2, whose links have two lanes each.
"""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.marks import requirement
from qstack.conformance.refusals import misuse, refuses
from qstack.conformance.stand import LANES, Make, expect, talk
from qstack.conformance.transcript import Transcript
from qstack.services.device import Herald, Missed, Trigger
from qstack.services.l1_physical import Attempt, Heralded, Renumber, Skipped

SEQUENCES = 1 << 16
"""Successes are counted modulo this number."""
STRANGER = 9
HERALD = Herald(2, 0, 17, 0, 2, qubit=5, emitted=100, basis=-1, outcome=-1)
LONG = 10**12


def stand(make: Make) -> Transcript:
    """Begin a dialogue with the layer of node 1."""
    return talk(make, 1, 2)


def told(t: Transcript) -> list[int]:
    """Return the numbers of all successes that were reported."""
    return [heralded.sequence for heralded in t.all(Heralded)]


def skipped(t: Transcript) -> set[int]:
    """Return the numbers of all successes that were reported as missed, by however many reports."""
    spans = ((one.low, (one.high - one.low) % SEQUENCES) for one in t.all(Skipped))
    return {(low + k) % SEQUENCES for low, length in spans for k in range(length)}


class PollTests:
    """Answers to polls, and what comes of them."""

    @requirement("QS-L1-001")
    def test_nothing_is_attempted_unasked(self, make: Make) -> None:
        """Neither in silence nor after a success, and no longer than asked."""
        t = stand(make).at(LONG)
        t >> HERALD
        t.never(Trigger)
        t >> Attempt(2, 1, 17, 3, keep=False, bases=(0, 1)) << Trigger(2, 1, 17, 3, keep=False, bases=(0, 1))
        t >> Attempt(2, 1, -1, 0, keep=True, bases=())
        t.wait(LONG)
        expect(t, t.last(Trigger).aid < 0, "the lane's attempts stopped")

    @requirement("QS-L1-001")
    def test_an_answer_is_for_its_lane(self, make: Make) -> None:
        """The other lanes, and the other links, go on as before."""
        t = stand(make) >> Attempt(2, 0, 17, 0, keep=True, bases=())
        t >> Attempt(2, 1, -1, 0, keep=True, bases=()) >> Attempt(0, 0, -1, 0, keep=True, bases=())
        lane = [one.aid for one in t.all(Trigger) if (one.peer, one.lane) == (2, 0)]
        expect(t, lane[-1:] == [17], "attempts for 17 on lane 0")

    @requirement("QS-L1-013")
    def test_a_lane_that_is_not_there_is_refused(self, make: Make) -> None:
        """Above the last one, below the first one, and of no link."""
        for peer, lane in ((2, LANES), (2, -1), (STRANGER, 0)):
            misuse(stand(make), Attempt(peer, lane, 17, 0, keep=True, bases=()))

    @requirement("QS-L1-023")
    def test_a_success_is_told_as_it_was_heard(self, make: Make) -> None:
        """A kept qubit, and one that was measured at once."""
        t = stand(make) >> HERALD << Heralded(2, 0, 17, 0, 2, 5, 100, -1, -1)
        t >> Herald(2, 1, 18, 1, 3, -1, 101, 1, 0) << Heralded(2, 1, 18, 1, 3, -1, 101, 1, 0)


class CountTests:
    """The numbers of successes."""

    @requirement("QS-L1-022")
    def test_a_success_is_told_once(self, make: Make) -> None:
        """Its announcement may come twice, also late."""
        t = stand(make) >> HERALD >> HERALD >> replace(HERALD, sequence=1) >> HERALD
        expect(t, told(t) == [0, 1], "each success once")

    @requirement("QS-L1-025")
    def test_a_herald_of_a_stranger_is_refused(self, make: Make) -> None:
        """One that succeeds and one that does not."""
        for herald in (replace(HERALD, peer=STRANGER), Missed(STRANGER, 0)):
            refuses(stand(make), herald)

    @requirement("QS-L1-044")
    def test_a_gap_is_told(self, make: Make) -> None:
        """Which successes it was; by a later success and by a later failure."""
        t = stand(make) >> HERALD >> replace(HERALD, sequence=3)
        expect(t, skipped(t) == {1, 2}, "successes 1 and 2 reported as missed")
        expect(t, told(t) == [0, 3], "successes 0 and 3")
        t >> Missed(2, 3)
        expect(t, skipped(t) == {1, 2}, "nothing more missed")
        t >> Missed(2, 5)
        expect(t, skipped(t) == {1, 2, 4, 5}, "successes 4 and 5 reported as missed")
        t >> replace(HERALD, sequence=6)
        expect(t, told(t) == [0, 3, 6], "success 6")
        expect(t, skipped(t) == {1, 2, 4, 5}, "nothing more missed")

    @requirement("QS-L1-044")
    def test_links_are_counted_apart(self, make: Make) -> None:
        """A success of one link is no gap in another."""
        t = stand(make) >> HERALD >> replace(HERALD, peer=0)
        expect(t, told(t) == [0, 0], "the first success of either link")
        expect(t, not skipped(t), "nothing missed")

    @requirement("QS-L1-282")
    def test_numbers_wrap(self, make: Make) -> None:
        """After the last comes 0, which is ahead and leaves no gap."""
        t = stand(make)
        for sequence in (0, 30_000, 60_000, SEQUENCES - 1):
            t >> replace(HERALD, sequence=sequence)
        before = skipped(t)
        t >> HERALD
        expect(t, told(t)[-1] == 0, "success 0 after the last number")
        expect(t, skipped(t) == before, "nothing missed at the wrap")

    @requirement("QS-L1-281")
    def test_numbers_may_begin_anew(self, make: Make) -> None:
        """With any one, and go on from there."""
        t = stand(make) >> HERALD >> Renumber(2)
        t >> replace(HERALD, sequence=40_000) >> replace(HERALD, sequence=40_001)
        expect(t, told(t) == [0, 40_000, 40_001], "the successes after the new beginning")
        expect(t, not skipped(t), "nothing missed")


class PhysicalSuite(PollTests, CountTests):
    """Everything that a physical layer is held to."""

    profile = "physical"
