"""Dialogues with the network layer about circuits, swaps, cutoffs, and what it tells of itself."""

from __future__ import annotations

import itertools

import pytest
from forwarding_dialogue import (
    CUTOFF,
    LIFETIME,
    PATH,
    C,
    head,
    install,
    middle,
    node,
    ok,
    tables_are_empty,
    track,
)

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.network.entries import BATCH, Broken, Uninstalled
from qstack.network.forwarding import UNIT, ForwardingLayer
from qstack.network.requests import Activate, Install, Uninstall
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Accepted, Create, Err, Withdraw
from qstack.services.l3_network import Connected
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward, Track

# -- circuits -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L3-028")
def test_every_node_starts_at_once():
    t = node(1)
    t >> Activate(C, 5, 7)
    t.exactly(
        Send(2, Forward(C, 5, 7, head=1, tail=3, epoch=1)),
        Create(2, 4, BATCH, 0.9),
        Connected(7, 3, initiator=True, number=5),
    )
    t = node(2)
    t.from_(1) >> Forward(C, 5, 7, head=1, tail=3, epoch=1)
    t.exactly(Send(3, Forward(C, 5, 7, head=1, tail=3, epoch=1)), Create(3, 4, BATCH, 0.9))
    t = node(3)
    t.from_(2) >> Forward(C, 5, 7, head=1, tail=3, epoch=1)
    t.exactly(Connected(7, 1, initiator=False, number=5))


def test_more_than_forward_can_carry_is_asked_for_without_end():
    t = node(1)
    t >> Activate(C, 65536, 7)
    t << Send(2, Forward(C, 0, 7, head=1, tail=3, epoch=1)) << Connected(7, 3, initiator=True, number=65536)


@pytest.mark.requirement("QS-L3-022")
def test_starting_twice_changes_nothing():  # QS-L3-022
    t = head()
    t >> Activate(C, 0, 7)
    t.silent()
    t = middle()
    t >> Forward(C, 0, 7, head=1, tail=3, epoch=1)
    t.silent()


@pytest.mark.requirement("QS-L3-030")
def test_generation_is_renewed_before_the_last_pair():
    t = middle()
    for n in range(BATCH // 2 - 1):
        t >> ok(3, n, n)
        t >> ok(1, n, 10**6 + n)
    t.never(Create, more_than=1)
    t >> ok(3, BATCH // 2, 5) << Create(3, 4, BATCH, 0.9)
    for n in range(BATCH - 1):
        t >> ok(3, n, n)
    t.never(Create, more_than=2)
    t >> ok(3, 0, 5)
    assert len(t.all(Create)) == 3


@pytest.mark.requirement("QS-L3-031")
def test_a_link_that_cannot_serve_breaks_the_circuit():
    t = middle()
    t >> Err(3, 4, 1, Reason.UNSUPP, remote=False)
    t.exactly(Broken(C, Reason.UNSUPP))
    t >> Err(3, 5, 1, Reason.UNSUPP, remote=False)
    t.silent()
    t >> Err(77, 4, 1, Reason.CREATE, remote=False)
    t.silent()
    t >> Accepted(3, 4, 1)
    t.silent()


@pytest.mark.requirement("QS-L3-009", "QS-L3-011")
def test_complete_stops_generation_and_frees_all():  # QS-L3-009, QS-L3-011
    t = middle()
    t >> ok(1, 0, 10) >> ok(1, 1, 11)
    t >> Complete(C, 7)
    t.exactly(Withdraw(1, 4), Free(10), Free(11), Withdraw(3, 4), Send(3, Complete(C, 7)))
    t >> ok(1, 2, 12)
    t.exactly(Free(12))
    t >> Uninstall(C)
    t.exactly(Uninstalled(C))
    assert tables_are_empty(t)


@pytest.mark.requirement("QS-L3-011")
def test_uninstall_frees_all_at_an_end():  # QS-L3-011
    t = head()
    t >> ok(2, 0, 10) >> Uninstall(C)
    t.exactly(Send(2, Expire(C, 1, 0, Reason.TORN_DOWN)), Withdraw(2, 4), Free(10), Uninstalled(C))
    assert tables_are_empty(t)
    t >> ok(2, 1, 11)
    t.exactly(Free(11))
    t >> Uninstall(C)
    t.exactly(Uninstalled(C))


@pytest.mark.requirement("QS-L3-048")
def test_a_swap_that_ends_after_the_circuit_leaves_nothing():
    t = middle()
    t >> ok(1, 0, 10) >> ok(3, 0, 11) >> Uninstall(C) >> Swapped(10, 11, 2)
    t.silent()
    assert tables_are_empty(t)


@pytest.mark.requirement("QS-L3-047")
def test_late_messages_of_a_circuit_that_is_gone_are_ignored():
    t = middle()
    t >> Uninstall(C)
    for message in (track(1, 0, 0), Expire(C, 1, 0, 16), Complete(C, 7), Forward(C, 0, 7, head=1, tail=3, epoch=1)):
        t >> message
        t.silent()


@pytest.mark.requirement("QS-L3-023", "QS-L3-043")
@pytest.mark.parametrize(
    "message", [track(1, 0, 0), Expire(C, 1, 0, 16), Complete(C, 7), Forward(C, 0, 7, head=1, tail=3, epoch=1)]
)
def test_strangers_may_not_speak_of_a_circuit(message):
    t = middle()
    with pytest.raises(RemoteProtocolError):
        t.from_(8) >> message


@pytest.mark.requirement("QS-L3-023")
@pytest.mark.parametrize(("origin", "there"), [(1, 3), (3, 1)])
def test_a_track_goes_away_from_its_origin(origin, there):
    t = middle() >> ok(1, 0, 10) >> ok(3, 0, 20) >> Swapped(10, 20, 0)
    t.from_(origin) >> track(origin, 0, 0)
    t.exactly(Send(there, track(origin, 0, 0)))


@pytest.mark.requirement("QS-L3-043")
def test_only_the_side_of_the_head_starts_and_stops():
    t = middle()
    with pytest.raises(RemoteProtocolError):
        t.from_(3) >> Forward(C, 0, 7, head=1, tail=3, epoch=1)
    t >> Complete(C, 7)  # the tail may only ask the head for that
    t.exactly(Send(1, Complete(C, 7)))
    t >> ok(1, 0, 10) >> ok(3, 0, 20) << Swap(10, 20)


# -- swapping -------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L3-003")
def test_a_swap_waits_for_no_message():  # QS-L3-003
    t = middle()
    t >> ok(1, 0, 10)
    t.silent()
    t >> ok(3, 0, 20)
    t.exactly(Swap(10, 20))


@pytest.mark.requirement("QS-L3-033")
def test_oldest_with_oldest():
    t = middle()
    t >> ok(3, 0, 20) >> ok(3, 1, 21)
    t >> ok(1, 0, 10) << Swap(10, 20)
    t >> ok(1, 1, 11) << Swap(11, 21)


def test_another_policy_may_take_the_youngest():
    layer = ForwardingLayer(lambda _: 1.0, 1.0, {1: 3, 3: 3}, LIFETIME, partner=lambda waiting: waiting - 1)
    t = Transcript(layer, node=2)
    install(t)
    t.from_(1) >> Forward(C, 0, 7, head=1, tail=3, epoch=1)
    t >> ok(1, 0, 10) >> ok(1, 1, 11) >> ok(3, 0, 20) << Swap(11, 20)


@pytest.mark.requirement("QS-L3-010")
def test_pairs_of_two_circuits_are_never_joined():  # QS-L3-010
    t = middle()
    install(t, circuit=10, path=(3, 2, 1), label=5)
    t.from_(3) >> Forward(10, 0, 7, epoch=1)
    t >> ok(1, 0, 10, label=4) >> ok(3, 0, 20, label=5)
    t.never(Swap)
    t >> ok(3, 1, 21, label=4) << Swap(10, 21)
    t >> ok(1, 1, 11, label=5) << Swap(20, 11)


@pytest.mark.requirement("QS-L3-029")
def test_a_pair_with_an_unknown_label_is_freed():
    t = middle()
    t >> ok(1, 0, 10, label=6)
    t.exactly(Free(10))
    t >> ok(1, 0, -1, label=6)
    t.silent()


@pytest.mark.requirement("QS-L3-002", "QS-L3-004")
def test_no_order_of_events_changes_the_frame():  # QS-L3-002
    pairs = [ok(1, 5, 10, bell=1), ok(3, 6, 20, bell=2)]
    for order in itertools.permutations(range(4)):
        t = middle()
        done = set()
        for step in order:
            if step == 0:
                t.from_(1) >> track(1, 5, 5, bell=1)
            elif step == 1:
                t.from_(3) >> track(3, 6, 6, bell=2)
            else:
                t >> pairs[step - 2]
                done.add(step)
                if len(done) == 2:
                    t >> Swapped(10, 20, 3)
        onward = {s.peer: s.message for s in t.answers if isinstance(s, Send) and isinstance(s.message, Track)}
        assert onward[3] == track(1, 5, 6, bell=1 ^ 2 ^ 3, estimate=ANY)
        assert onward[1] == track(3, 6, 5, bell=1 ^ 2 ^ 3, estimate=ANY)
        circuit = t.layers[0].circuits[C]
        assert not any(side.fates or side.queue for side in circuit.sides)  # QS-L3-004


@pytest.mark.requirement("QS-L3-044")
def test_a_track_gathers_what_the_pair_has_suffered():
    t = middle(survival=lambda age: 0.9 if age == 100 else 0.8)
    t.at(100) >> ok(1, 0, 10, since=0, goodness=0.97) >> ok(3, 0, 20, since=60, goodness=0.95) >> Swapped(10, 20, 0)
    t.from_(1) >> track(1, 0, 0, estimate=int(0.97 * UNIT))
    werner = (4 * int(0.97 * UNIT) / UNIT - 1) / 3 * 0.9 * 0.8 * (4 * 0.95 - 1) / 3
    assert t.last(Track).estimate == int((1 + 3 * werner) / 4 * UNIT)


@pytest.mark.requirement("QS-L3-380")
@pytest.mark.parametrize("early", [True, False])
def test_a_swap_that_failed_is_told_to_whoever_asks(early):
    """Both TRACKs are answered with an EXPIRE, whether they come before or after the measurement; nobody else hears."""
    t = middle()
    t >> ok(1, 5, 71)
    t >> ok(3, 6, 72) << Swap(71, 72)
    tracks = ((1, track(1, 5, 5)), (3, track(3, 6, 6)))
    gone = [Send(1, Expire(C, 1, 5, Reason.SWAP_FAILED)), Send(3, Expire(C, 3, 6, Reason.SWAP_FAILED))]
    if early:
        for peer, message in tracks:
            (t.from_(peer) >> message).silent()
    t >> Swapped(71, 72, -1)
    if early:
        assert t.answers[-2:] == gone
    else:
        t.silent()
        for (peer, message), answer in zip(tracks, gone, strict=True):
            t.from_(peer) >> message << answer


# -- cutoff ---------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L3-005", "QS-L3-027")
def test_a_discard_is_told_to_nobody_until_a_track_asks():  # QS-L3-005
    t = middle()
    t >> ok(1, 0, 10, since=0)
    t.at(CUTOFF).exactly(Free(10))
    t.from_(1) >> track(1, 0, 0)
    t.exactly(Send(1, Expire(C, 1, 0, Reason.CUTOFF)))


@pytest.mark.requirement("QS-L3-027")
def test_a_track_that_waits_is_answered_at_the_discard():  # QS-L3-005
    t = middle()
    t >> ok(1, 0, 10, since=0)
    t.from_(1) >> track(1, 0, 0)
    t.silent()
    t.at(CUTOFF).exactly(Free(10), Send(1, Expire(C, 1, 0, Reason.CUTOFF)))


@pytest.mark.requirement("QS-L3-049")
def test_every_pair_has_its_own_age():
    t = middle()
    t >> ok(1, 0, 10, since=0)
    t.at(300) >> ok(1, 1, 11, since=300)
    t.at(CUTOFF).exactly(Free(10))
    t.at(CUTOFF + 299).silent()
    t.wait(1).exactly(Free(11))
    t.at(CUTOFF + 400) >> ok(1, 2, 12, since=CUTOFF + 400)
    t.wait(CUTOFF).exactly(Free(12))


def test_a_joined_pair_is_not_discarded():
    t = middle()
    t >> ok(1, 0, 10) >> ok(3, 0, 20) >> Swapped(10, 20, 0)
    t.at(2 * CUTOFF).never(Free)


@pytest.mark.requirement("QS-L3-006")
def test_ends_apply_no_cutoff():  # QS-L3-006
    t = head()
    t >> ok(2, 0, 10)
    t.wait(50 * CUTOFF).never(Free)


# -- inspection -----------------------------------------------------------------------------------------------------


def test_waiting_tells_what_is_missing_and_who_has_to_bring_it():
    t = middle()
    t >> ok(1, 0, 10, since=3)
    (wait,) = t.layers[0].waiting()
    assert (wait.peer, wait.since) == (3, 3)
    t = head()
    t >> ok(2, 0, 10, since=4)
    held, wanted = t.layers[0].waiting()
    assert (held.peer, held.since) == (3, 4)
    assert (wanted.peer, wanted.since) == (2, 0)
    t >> Uninstall(C)
    assert not list(t.layers[0].waiting())


@pytest.mark.parametrize(
    "request_",
    [
        Install(C, 7, 1, PATH, (5, 5), 0.9, 0),  # in use
        Install(10, 7, 1, PATH, (4, 5), 0.9, 0),  # its label is in use
        Install(10, 7, 3, PATH, (5, 5), 0.9, 0),
        Install(10, 7, 1, (1, 2, 1), (5, 6), 0.9, 0),
        Install(10, 7, 1, (1, 2, 99), (5, 6), 0.9, 0),
    ],
)
def test_a_senseless_installation_is_refused(request_):
    t = middle()
    with pytest.raises(LocalProtocolError):
        t >> request_
