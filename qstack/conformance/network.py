"""The suite for network layers: dialogues with the head, a node between, and the tail of a circuit of three nodes.

A vendor writes one fixture::

    class TestMine(NetworkSuite):
        @pytest.fixture
        def make(self):
            return lambda site: (MyForwarding(site), MySignalling(site))

The suite speaks the services above and below and the messages of planes 2 and 3; it knows neither how a layer is made
of parts nor which labels and circuit numbers it chooses.
"""

from __future__ import annotations

from qstack.conformance.marks import requirement
from qstack.conformance.network_asking import AskingTests, EstimateTests, HoldingTests
from qstack.conformance.network_course import CourseTests
from qstack.conformance.network_kinds import KindTests
from qstack.conformance.network_loss import ExpireTests, TakenBackTests
from qstack.conformance.network_setup import LostTests, NumberTests, PassingTests
from qstack.conformance.network_sharing import SharingTests
from qstack.conformance.network_talk import (
    CIRCUIT,
    CUTOFF,
    LABEL,
    LONG,
    PATH,
    SESSION,
    STRANGER,
    Stand,
    head,
    middle,
    passed,
    setup,
    swapped,
    tail,
    track,
)
from qstack.conformance.network_waiting import FailureTests, WaitingTests
from qstack.conformance.refusals import refuses
from qstack.conformance.stand import DELAY, Make, expect, talk
from qstack.conformance.transcript import ANY
from qstack.core.nouns import Send
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Create, Err, Ok, Withdraw
from qstack.services.l3_network import Connect, Disconnect, Disconnected, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward, Track
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown


class SignallingTests:
    """Circuits are installed at all nodes or at none."""

    @requirement("QS-L3-013")
    def test_a_rejection_leaves_nothing(self, make: Make) -> None:
        """The rejection goes on, and the same circuit can be asked for again."""
        t = talk(make, 1, 0) >> setup()
        t.from_(2) >> Reject(CIRCUIT, 2, Reason.REJECTED)
        t << Send(0, Reject(CIRCUIT, 2, Reason.REJECTED, ANY))
        t.from_(0) >> setup()
        expect(
            t,
            any(isinstance(a, Send) and isinstance(a.message, SetupReq) for a in t.open),
            "the request passed on again",
        )

    @requirement("QS-L3-022")
    def test_a_repeated_request_changes_nothing(self, make: Make) -> None:
        """Neither at set-up nor at the start."""
        stand = middle(make)
        stand.t.from_(0) >> setup()
        stand.t.never(SetupReq, more_than=1).never(Reject)
        stand.t >> Forward(CIRCUIT, 3, SESSION, head=0, tail=2, epoch=1)
        stand.t.never(Forward, more_than=1).never(Create, more_than=1)

    @requirement("QS-L3-036")
    def test_no_route(self, make: Make) -> None:
        """Told at once, and nobody is asked."""
        t = talk(make, 0, 1) >> Connect(SESSION, 2, 0.999, 3)
        t << Disconnected(SESSION, Reason.NO_ROUTE)
        t.never(SetupReq)

    @requirement("QS-L3-037")
    def test_no_answer(self, make: Make) -> None:
        """A lost peer, in the end."""
        stand = head(make, active=False)
        stand.t.wait(LONG)
        expect(stand.t, Disconnected(SESSION, Reason.LOST_PEER) in stand.t.answers, "Disconnected with LOST_PEER")

    @requirement("QS-L3-041")
    def test_a_label_in_use_is_rejected(self, make: Make) -> None:
        """Whoever asks for it."""
        t = middle(make).t
        t.from_(0) >> SetupReq(CIRCUIT + 1, SESSION + 1, PATH, (0.8, 0.8), LABEL, CUTOFF)
        t << Send(0, Reject(CIRCUIT + 1, 1, ANY, ANY))

    @requirement("QS-L3-042")
    def test_a_senseless_path_is_refused(self, make: Make) -> None:
        """It does not lead from its sender through this node, or visits a node twice."""
        for path in ((0, 2), (2, 1, 0), (0, 1, 0)):
            t = talk(make, 1, 0)
            refuses(t, setup(path=path))

    @requirement("QS-L3-043")
    def test_strangers_may_not_speak_of_a_circuit(self, make: Make) -> None:
        """Only its two neighbours may."""
        for message in (Teardown(CIRCUIT, 17), Complete(CIRCUIT, SESSION), Track(CIRCUIT, 0, 1, 1, 0, 1, 1)):
            t = middle(make).t.from_(STRANGER)
            refuses(t, message)


class PairTests:
    """Generation and swaps."""

    @requirement("QS-L3-028")
    def test_a_node_starts_at_once(self, make: Make) -> None:
        """FORWARD goes on, and the link is asked, in the same instant."""
        stand = middle(make)
        t = stand.t
        asked = [one for one in t.all(Create) if one.peer == 2]
        expect(t, len(asked) == 1 and asked[0].purpose == stand.behind, "a Create with the circuit's label")
        expect(t, asked[0].min_fidelity >= 0.8 - 1e-4, "the fidelity that the request for the circuit names")
        expect(t, t.last(Forward).circuit == CIRCUIT, "FORWARD passed on")

    @requirement("QS-L3-003")
    def test_a_swap_waits_for_no_message(self, make: Make) -> None:
        """Both pairs are there: swap."""
        stand = middle(make)
        stand.ok(0, 7)
        stand.t.never(Swap)
        stand.ok(2, 8)
        swap = stand.t.last(Swap)
        expect(stand.t, {swap.left, swap.right} == {7, 8}, "a swap of the two pairs")

    @requirement("QS-L3-010")
    def test_pairs_of_two_circuits_are_never_joined(self, make: Make) -> None:
        """One label on each side, of different circuits."""
        stand = middle(make)
        t = stand.t
        t.from_(0) >> SetupReq(CIRCUIT + 1, SESSION + 1, PATH, (0.8, 0.8), LABEL + 2, CUTOFF)
        other = Stand(t, LABEL + 2, t.last(SetupReq).label, CIRCUIT + 1)
        t.from_(2) >> SetupRsp(CIRCUIT + 1)
        t.from_(0) >> Forward(CIRCUIT + 1, 3, SESSION + 1, head=0, tail=2, epoch=1)
        stand.ok(0, 7)
        other.ok(2, 8)
        t.never(Swap)

    @requirement("QS-L3-029")
    def test_a_pair_with_an_unknown_label_is_freed(self, make: Make) -> None:
        """At once."""
        t = middle(make).t
        t >> Ok(0, 999, 1, 7, 0, 0.9, 0, 7, False, -1, -1)  # noqa: FBT003 - as asked by this node
        t << Free(7)

    @requirement("QS-L3-049")
    def test_a_half_is_discarded_at_the_cutoff(self, make: Make) -> None:
        """Not before, and not later."""
        stand = middle(make)
        stand.ok(0, 7)
        stand.t.wait(CUTOFF - 1).never(Free)
        stand.t.wait(1)
        expect(stand.t, Free(7) in stand.t.answers, "the half freed at the cutoff")

    @requirement("QS-L3-005")
    def test_a_discard_is_told_to_nobody(self, make: Make) -> None:
        """Until a TRACK asks."""
        stand = middle(make)
        stand.ok(0, 7)
        before = sum(isinstance(answer, Send) for answer in stand.t.answers)
        stand.t.wait(2 * CUTOFF)
        after = sum(isinstance(answer, Send) for answer in stand.t.answers)
        expect(stand.t, before == after, "no message after the discard")

    @requirement("QS-L3-027")
    def test_a_track_that_meets_a_discard_is_answered_once(self, make: Make) -> None:
        """Whether it comes before or after it."""
        stand = middle(make)
        stand.ok(0, 7)
        stand.t.wait(2 * CUTOFF)
        track(stand, 7)
        stand.t << Send(0, Expire(CIRCUIT, 0, 40, ANY))
        stand.t.never(Expire, more_than=1)
        stand = middle(make)
        stand.ok(0, 7)
        track(stand, 7)
        stand.t.never(Expire)
        stand.t.wait(2 * CUTOFF)
        stand.t.never(Track).never(Expire, more_than=1)
        expect(stand.t, stand.t.last(Expire) == Expire(CIRCUIT, 0, 40, ANY), "EXPIRE to the origin")


class TrackTests:
    """Following a pair to its ends."""

    @requirement("QS-L3-002")
    def test_the_frame_is_the_xor_of_everything(self, make: Make) -> None:
        """Of the TRACK, the outcome and the next pair, in both directions and for every order."""
        for outcome in range(4):
            for early in (False, True):
                stand = middle(make)
                if early:
                    track(stand, 7)
                swapped(stand, 7, 8, outcome)
                if not early:
                    track(stand, 7)
                forth = stand.t.last(Track)
                expect(stand.t, forth.bell == 1 ^ outcome ^ 2, f"index {1 ^ outcome ^ 2} towards the tail")
                expect(
                    stand.t,
                    (forth.link_pair, forth.origin, forth.origin_pair) == (8, 0, 40),
                    "the TRACK of the same pair",
                )
                track(stand, 8, from_head=False, bell=2)
                back = stand.t.last(Track)
                expect(stand.t, back.bell == 2 ^ outcome ^ 1, f"index {2 ^ outcome ^ 1} towards the head")
                expect(stand.t, back.link_pair == 7, "the TRACK of the same pair")

    @requirement("QS-L3-012")
    def test_the_epoch_is_the_same_in_both_directions(self, make: Make) -> None:
        """That of FORWARD."""
        for stand, peer in ((tail(make), 1), (head(make), 1)):
            stand.ok(peer, 7)
            told = stand.t.all(Forward)[-1].epoch if stand.t.all(Forward) else 1
            expect(stand.t, stand.t.last(Track).epoch == told, f"a TRACK of epoch {told}")

    @requirement("QS-L3-032")
    def test_a_track_that_overtakes_the_herald_waits(self, make: Make) -> None:
        """At an end."""
        stand = tail(make)
        track(stand, 7, bell=3)
        stand.t.never(Pair).never(Expire)
        stand.ok(1, 7)
        expect(stand.t, stand.t.last(Pair).bell == 3, "the pair, with the index of the TRACK")

    @requirement("QS-L3-006")
    def test_an_end_keeps_its_half(self, make: Make) -> None:
        """Whatever the cutoff, until EXPIRE."""
        for stand in (tail(make), head(make)):
            stand.ok(1, 7)
            stand.t.wait(3 * CUTOFF).never(Free)
            origin = stand.t.context.node
            stand.t.from_(1) >> Expire(stand.circuit, origin, stand.t.last(Track).origin_pair, Reason.CUTOFF)
            stand.t << Free(7)

    @requirement("QS-L3-007")
    def test_no_delivery_before_the_other_ends_track(self, make: Make) -> None:
        """At either end."""
        for stand in (tail(make), head(make)):
            stand.ok(1, 7)
            stand.t.wait(10 * DELAY).never(Pair)
            track(stand, 7, from_head=stand.t.context.node == 2)
            stand.t.never(Pair, more_than=1)
            stand.t.last(Pair)

    @requirement("QS-L3-001")
    def test_both_ends_report_the_same_pair(self, make: Make) -> None:
        """Let the two ends hear each other's TRACK, as the node between would pass it on."""
        first, last = head(make), tail(make)
        last.circuit = first.circuit
        last.t = talk(make, 2, 1) >> SetupReq(first.circuit, SESSION, PATH, (0.8, 0.8), LABEL, CUTOFF)
        last.t >> first.t.last(Forward)
        first.ok(1, 7, bell=1)
        last.ok(1, 8, bell=2)
        forth, back = first.t.last(Track), last.t.last(Track)
        outcome = 3
        last.t >> passed(forth, 8, forth.bell ^ outcome ^ 2)
        first.t.from_(1) >> passed(back, 7, back.bell ^ outcome ^ 1)
        told = [(pair.session, pair.pair, pair.bell) for pair in (first.t.last(Pair), last.t.last(Pair))]
        expect(last.t, told[0] == told[1], f"the same session, number and index as the head: {told[0]}, not {told[1]}")

    @requirement("QS-L3-034")
    def test_the_head_delivers_no_more_than_was_asked_for(self, make: Make) -> None:
        """And completes the circuit with the last."""
        stand = head(make, number=1)
        stand.ok(1, 7)
        stand.ok(1, 8)
        for sequence in (7, 8):
            track(stand, sequence, from_head=False)
        stand.t.never(Pair, more_than=1).last(Pair)
        expect(stand.t, Free(8) in stand.t.answers, "the pair that nobody wants freed")

    @requirement("QS-L3-004")
    def test_a_record_is_used_once(self, make: Make) -> None:
        """A second TRACK for the same pair finds nothing."""
        stand = middle(make)
        swapped(stand, 7, 8)
        track(stand, 7)
        track(stand, 7)
        towards = [one for one in stand.t.all(Track) if one.origin == 0]
        expect(stand.t, len(towards) == 1, "one TRACK towards the tail for one swap")


class EndTests:
    """What remains of a circuit."""

    @requirement("QS-L3-009")
    def test_complete_stops_generation(self, make: Make) -> None:
        """On both sides, and it goes on."""
        stand = middle(make)
        stand.t.from_(0) >> Complete(CIRCUIT, SESSION)
        withdrawn = {(one.peer, one.purpose) for one in stand.t.all(Withdraw)}
        expect(stand.t, (2, stand.behind) in withdrawn, "the request at the link behind withdrawn")
        stand.t.last(Complete)

    @requirement("QS-L3-011")
    def test_after_a_tear_down_everything_is_free(self, make: Make) -> None:
        """Halves, label and session."""
        stand = middle(make)
        stand.ok(0, 7)
        stand.t.from_(0) >> Teardown(CIRCUIT, Reason.NONE)
        expect(stand.t, Free(7) in stand.t.answers, "the half that waits freed")
        expect(stand.t, stand.t.last(Teardown).circuit == CIRCUIT, "the tear-down passed on")
        stand.t.from_(0) >> setup()
        expect(stand.t, len(stand.t.all(SetupReq)) == 2, "the circuit can be asked for anew")
        for end in (tail(make), head(make)):
            end.ok(1, 7)
            end.t.from_(1) >> Teardown(end.circuit, Reason.NORES)
            expect(end.t, Free(7) in end.t.answers, "the half at the end freed")
            expect(end.t, Disconnected(SESSION, Reason.NORES) in end.t.answers, "the user told, with the reason")

    @requirement("QS-L3-011")
    def test_a_disconnect_reaches_the_path(self, make: Make) -> None:
        """From the user of the head."""
        stand = head(make)
        stand.t >> Disconnect(SESSION)
        expect(stand.t, stand.t.last(Teardown).circuit == stand.circuit, "TEARDOWN to the next node")

    @requirement("QS-L3-031")
    def test_a_link_that_cannot_serve_breaks_the_circuit(self, make: Make) -> None:
        """In both directions, with its reason."""
        stand = middle(make)
        stand.t >> Err(2, stand.behind, 1, Reason.UNSUPP, remote=False)
        for peer in (0, 2):
            expect(
                stand.t,
                Send(peer, Teardown(CIRCUIT, Reason.UNSUPP)) in stand.t.answers,
                f"TEARDOWN to {peer} with UNSUPP",
            )

    @requirement("QS-L3-047")
    def test_late_messages_are_ignored(self, make: Make) -> None:
        """Of a circuit that is gone."""
        stand = middle(make)
        stand.t.from_(0) >> Teardown(CIRCUIT, Reason.NONE)
        for message in (Track(CIRCUIT, 0, 1, 1, 0, 1, 1), Expire(CIRCUIT, 0, 1, 16), Complete(CIRCUIT, SESSION)):
            stand.t >> message
            stand.t.silent()

    @requirement("QS-L3-048")
    def test_a_late_outcome_leaves_nothing(self, make: Make) -> None:
        """Of a swap that ends after its circuit."""
        stand = middle(make)
        stand.ok(0, 7)
        stand.ok(2, 8)
        stand.t.from_(0) >> Teardown(CIRCUIT, Reason.NONE)
        stand.t >> Swapped(7, 8, 0)
        stand.t.silent()


class NetworkSuite(
    SignallingTests,
    PairTests,
    TrackTests,
    EndTests,
    CourseTests,
    AskingTests,
    HoldingTests,
    EstimateTests,
    KindTests,
    SharingTests,
    TakenBackTests,
    ExpireTests,
    FailureTests,
    WaitingTests,
    PassingTests,
    NumberTests,
    LostTests,
):
    """Everything that a network layer is held to."""

    profile = "network"
