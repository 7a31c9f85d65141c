"""Tests of network layers: several sessions on one circuit, one after the other or together."""

from __future__ import annotations

from qstack.conformance.marks import course, requirement
from qstack.conformance.network_talk import (
    CIRCUIT,
    CUTOFF,
    SESSION,
    Stand,
    asks,
    head,
    middle,
    start,
    swapped,
    tail,
    track,
)
from qstack.conformance.refusals import misuse
from qstack.conformance.stand import Make, expect, talk
from qstack.conformance.transcript import ANY
from qstack.core.nouns import Send
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Create, Withdraw
from qstack.services.l3_network import (
    Connect,
    Connected,
    Disconnect,
    Disconnected,
    Pair,
)
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward, Track
from qstack.wire.signalling import SetupReq, Teardown

OTHER = SESSION + 1


class SharingTests:
    """Several sessions on one circuit, one after the other or together."""

    @staticmethod
    def _two(stand: Stand) -> Stand:
        stand.t.from_(1 if stand.t.context.node == 2 else 0) >> start(session=OTHER, epoch=2)
        return stand

    @course
    @requirement("QS-L3-367")
    def test_a_further_session_between_the_ends(self, make: Make) -> None:
        """Passed on; nothing is asked for twice, and nothing stops before the last is complete."""
        stand = self._two(middle(make))
        stand.t.exactly(Send(2, start(session=OTHER, epoch=2)))
        stand.t >> Complete(CIRCUIT, SESSION)
        stand.t.exactly(Send(2, Complete(CIRCUIT, SESSION)))
        swapped(stand, 7, 8)
        track(stand, 7)
        stand.t.last(Track)
        stand.t >> Complete(CIRCUIT, SESSION)
        stand.t.never(Withdraw).never(Complete, more_than=1)
        stand.t >> start(session=SESSION, epoch=4)
        stand.t.exactly(Send(2, start(session=SESSION, epoch=4)))
        for session in (OTHER, SESSION):
            stand.t.never(Withdraw)
            stand.t >> Complete(CIRCUIT, session)
            stand.t.last(Complete)
        gone = {(one.peer, one.purpose) for one in stand.t.all(Withdraw)}
        expect(stand.t, gone == {(0, stand.before), (2, stand.behind)}, "the requests at both links withdrawn")

    @course
    @requirement("QS-L3-367")
    def test_a_circuit_starts_anew(self, make: Make) -> None:
        """After its last session has ended, with nothing left of it but what may still come."""
        stand = middle(make)
        for sequence in (7, 8):
            stand.ok(0, sequence)
        track(stand, 8)
        track(stand, 30, from_head=False)
        stand.t.from_(0) >> Complete(CIRCUIT, SESSION)
        stand.t >> start(session=OTHER, epoch=3)
        stand.t << (Send(2, start(session=OTHER, epoch=3)), Create(2, stand.behind, ANY, ANY))
        stand.ok(2, 30)
        stand.t.never(Swap)
        stand.ok(0, 8, qubit=18)
        stand.t.last(Swap)
        stand.t >> Swapped(18, 30, 0)
        stand.t.never(Track).never(Expire)
        stand.ok(0, 9, qubit=19)
        stand.t.wait(CUTOFF)
        expect(stand.t, [one.qubit for one in stand.t.all(Free)] == [7, 8, 19], "the halves freed, each once")
        stand = tail(make)
        stand.ok(1, 7)
        stand.t >> Complete(CIRCUIT, SESSION)
        stand.t >> start(session=OTHER, epoch=3)
        asks(stand, 7)
        stand.t.never(Pair)
        stand.t >> Complete(CIRCUIT, OTHER)
        stand.t.never(Free, more_than=1)

    @course
    @requirement("QS-L3-022", "QS-L3-367")
    def test_old_epochs_change_nothing(self, make: Make) -> None:
        """Nor do half a turn of the numbers; the number wraps."""
        most = 1 << 24
        for first, old, new in (
            (1, most // 2 + 2, 3),
            (most - 1, most - 2, 0),
            (most // 2, most // 2 - 9, most // 2 + 9),
        ):
            stand = middle(make, active=False)
            for part in (1, 2, 3):  # no jump of half a turn or more
                stand.t.from_(0) >> start(epoch=first * part // 3 or 1)
            stand.t >> start(session=OTHER, epoch=old)
            expect(
                stand.t, all(one.request != OTHER for one in stand.t.all(Forward)), f"nothing of epoch {old} passed on"
            )
            stand.t >> start(session=OTHER, epoch=new)
            expect(stand.t, stand.t.last(Forward).request == OTHER, f"the session of epoch {new} passed on")
        stand = tail(make)
        stand.t >> start()
        stand.t.never(Connected, more_than=1)
        t = middle(make, active=False).t.from_(0)
        t >> start(epoch=most - 1)
        t.never(Forward).never(Create)

    @course
    @requirement("QS-L3-367")
    def test_the_tail_tells_of_each_session(self, make: Make) -> None:
        """That it is connected, and that it is not any more; the last one stays until the circuit is torn down."""
        stand = self._two(tail(make))
        up = [Connected(session, 0, initiator=False, number=3) for session in (SESSION, OTHER)]
        expect(stand.t, stand.t.all(Connected) == up, "two sessions connected")
        stand.ok(1, 7)
        stand.t >> Complete(CIRCUIT, SESSION)
        stand.t << Disconnected(SESSION, ANY)
        stand.t.never(Withdraw).never(Free)
        stand.t >> start(epoch=4)
        expect(stand.t, stand.t.all(Connected) == [*up, up[0]], "the session that has left connected again")
        stand.t.from_(1) >> Teardown(CIRCUIT, Reason.NORES)
        for session in (SESSION, OTHER):
            expect(stand.t, Disconnected(session, Reason.NORES) in stand.t.answers, f"session {session} disconnected")
        stand.t.never(Disconnected, more_than=3)
        expect(stand.t, Free(7) in stand.t.answers, "the half freed")

    @course
    @requirement("QS-L3-368")
    def test_the_track_names_the_session(self, make: Make) -> None:
        """By the epoch and the place in it; at the tail, which tells its newest epoch."""
        stand = self._two(tail(make))
        for sequence in range(6):
            stand.ok(1, sequence)
        expect(stand.t, {one.epoch for one in stand.t.all(Track)} == {2}, "TRACKs of the newest epoch, 2")
        stand.t >> Complete(CIRCUIT, SESSION)
        stand.ok(1, 6)
        expect(stand.t, stand.t.last(Track).epoch == 3, "a TRACK of epoch 3, which COMPLETE has begun")
        for sequence, epoch, member, session in (
            (3, 2, 1, OTHER),
            (0, 1, 0, SESSION),
            (1, 2, 0, SESSION),
            (2, 3, 0, OTHER),
        ):
            stand.t >> Track(CIRCUIT, 0, 40 + sequence, sequence, 1, epoch, 60_000, sequence, 0, member)
            stand.t << Pair(session, sequence, 1, sequence, ANY, -1)
        stand.t.never(Pair, more_than=4).never(Expire)

    @course
    @requirement("QS-L3-368")
    def test_a_session_that_nobody_has_heard_of(self, make: Make) -> None:
        """Its pair is let go, and the head hears so."""
        stand = tail(make)
        stand.ok(1, 7)
        stand.t >> Track(CIRCUIT, 0, 40, 7, 1, 2, 60_000)
        stand.t << (Free(7), Send(1, Expire(CIRCUIT, 2, 7, ANY)))
        stand.t.never(Pair)

    @course
    @requirement("QS-L3-011", "QS-L3-367")
    def test_the_tail_has_enough(self, make: Make) -> None:
        """It asks the head, which ends the session; nothing is delivered or lost before that."""
        stand = tail(make)
        stand.t >> Disconnect(SESSION)
        stand.t << Send(1, Complete(CIRCUIT, SESSION, ANY, ANY))
        stand = middle(make)
        stand.t.from_(2) >> Complete(CIRCUIT, SESSION)
        stand.t.exactly(Send(0, Complete(CIRCUIT, SESSION)))
        stand = head(make)
        stand.ok(1, 7)
        stand.t >> Complete(stand.circuit, SESSION)
        stand.t << Disconnected(SESSION, ANY)
        expect(stand.t, Free(7) in stand.t.answers, "the half that was held freed")
        expect(stand.t, stand.t.last(Teardown).circuit == stand.circuit, "the circuit torn down")

    @course
    @requirement("QS-L3-401")
    def test_priorities_share_no_circuit(self, make: Make) -> None:
        """A session of another one gets a circuit of its own, whose links are asked with it."""
        t = head(make).t >> Connect(OTHER, 2, 0.7, 3, priority=6)
        asked = t.last(SetupReq)
        expect(t, (asked.session, asked.priority) == (OTHER, 6), "a set-up for the session of priority 6")
        expect(t, len(t.all(SetupReq)) == 2, "two circuits")

    @course
    @requirement("QS-L3-040")
    def test_a_session_is_connected_once(self, make: Make) -> None:
        """And again when it has ended."""
        t = talk(make, 0, 1)
        for _ in range(2):
            t >> Connect(SESSION, 2, 0.7, 3)
            misuse(t, Connect(SESSION, 1, 0.7, 3))
            t >> Disconnect(SESSION)
            t << Disconnected(SESSION, ANY)
