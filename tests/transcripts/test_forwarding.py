"""Dialogues with the network layer's data plane."""

from __future__ import annotations

import itertools
import random

import pytest

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.network.circuit import Activate, Install, Uninstall
from qstack.network.entries import BATCH, Broken, Uninstalled
from qstack.network.forwarding import UNIT, ForwardingLayer
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.l3_network import Connected, Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward, Track

C = 9
PATH = (1, 2, 3)
CUTOFF = 1000
LIFETIME = 100
PATIENCE = 3 * (CUTOFF + LIFETIME)


def node(number: int, *, cutoff: int = CUTOFF, path=PATH, survival=lambda _: 1.0, circuit: int = C) -> Transcript:
    layer = ForwardingLayer(survival, 1.0, dict.fromkeys(range(10), 3), LIFETIME)
    t = Transcript(layer, node=number)
    install(t, circuit, path, cutoff)
    return t


def install(t: Transcript, circuit: int = C, path=PATH, cutoff: int = CUTOFF, label: int = 4) -> None:
    here = path.index(t.context.node)
    labels = (label if here else -1, label if here + 1 < len(path) else -1)
    t >> Install(circuit, 7, here, path, labels, 0.9, cutoff)


def head(number: int = 0, **options) -> Transcript:
    t = node(1, **options)
    t >> Activate(C, number, 7)
    return t.from_(2)


def middle(**options) -> Transcript:
    t = node(2, **options)
    t.from_(1) >> Forward(C, 0, 7, head=1, tail=3, epoch=1)
    return t


def tail(**options) -> Transcript:
    t = node(3, **options)
    t.from_(2) >> Forward(C, 0, 7, head=1, tail=3, epoch=1)
    return t


def ok(
    peer: int, sequence: int, qubit: int, bell: int = 0, since: int = 0, goodness: float = 1.0, label: int = 4
) -> Ok:
    return Ok(peer, label, 1, sequence, bell, goodness, since, qubit, remote=False, basis=-1, outcome=-1)


def track(origin: int, origin_pair: int, link_pair: int, bell: int = 0, wish: int = 0, estimate: int = UNIT) -> Track:
    return Track(C, origin, origin_pair, link_pair, bell, 1, estimate, wish)


def tables_are_empty(t: Transcript) -> bool:
    layer = t.layers[0]
    return not (layer.circuits or layer.swapping or any(layer.labels.values()) or t.timers)


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


# -- ends -----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-L3-001", "QS-L3-007", "QS-L3-012")
def test_both_ends_report_the_same_pair():  # QS-L3-001, QS-L3-012
    t = head()
    t >> ok(2, 5, 10) << Send(2, track(1, 5, 5, wish=0))
    t >> ok(2, 6, 11) << Send(2, track(1, 6, 6, wish=1))
    t.at(40) >> track(3, 8, 6, bell=3)
    t.exactly(Pair(7, 1, 3, 11, ANY, asked=0))
    t = tail()
    t >> ok(2, 8, 20) << Send(2, track(3, 8, 8, wish=0))
    t >> track(1, 6, 8, bell=3, wish=1)
    t.exactly(Pair(7, 1, 3, 20, ANY, asked=-1))


@pytest.mark.requirement("QS-L3-032")
@pytest.mark.parametrize("end", [head, tail])
def test_a_track_that_overtakes_the_herald_waits_for_it(end):
    t = end()
    other = 3 if end is head else 1
    t >> track(other, 8, 5, bell=1)
    t.silent()
    t >> ok(2, 5, 10)
    t << Send(2, ANY) << Pair(7, 0, 1, 10, ANY, ANY)


@pytest.mark.requirement("QS-L3-006")
def test_expire_frees_the_half_and_the_wish_stays():  # QS-L3-006
    t = head(number=1)
    t.at(5) >> ok(2, 5, 10) >> Expire(C, 1, 5, Reason.CUTOFF)
    t.exactly(Free(10))
    t >> Expire(C, 1, 5, Reason.CUTOFF)
    t.silent()
    t >> ok(2, 6, 11) << Send(2, track(1, 6, 6, wish=0))
    t >> track(3, 8, 6) << Pair(7, 0, 0, 11, ANY, asked=0)


def test_expire_passes_through_towards_its_origin():
    t = middle()
    t.from_(3) >> Expire(C, 1, 5, Reason.CUTOFF)
    t.exactly(Send(1, Expire(C, 1, 5, Reason.CUTOFF)))
    t.from_(1) >> Expire(C, 3, 5, Reason.CUTOFF)
    t.exactly(Send(3, Expire(C, 3, 5, Reason.CUTOFF)))
    with pytest.raises(RemoteProtocolError, match="no end"):
        t >> Expire(C, 2, 5, Reason.CUTOFF)


@pytest.mark.requirement("QS-L3-034")
def test_the_head_takes_no_more_than_was_asked_for():  # QS-L3-007
    t = head(number=2)
    t >> ok(2, 0, 10) >> ok(2, 1, 11) >> ok(2, 2, 12)
    t.exactly(Free(12))
    t >> track(3, 2, 2)
    t.exactly(Send(2, Expire(C, 3, 2, Reason.UNWANTED)))
    t >> track(3, 3, 3) >> ok(2, 3, 13)
    t.exactly(Free(13), Send(2, Expire(C, 3, 3, Reason.UNWANTED)))
    t >> track(3, 0, 0) << Pair(7, 0, 0, 10, ANY, 0)
    t >> track(3, 1, 1)
    t.exactly(Pair(7, 1, 0, 11, ANY, 0), Withdraw(2, 4), Send(2, Complete(C, 7, 1, 3)))


def test_every_wish_has_its_own_time():
    t = head()
    for n in range(3):
        t >> ok(2, n, 10 + n)
    t.at(70) >> track(3, 0, 0)
    t.at(90) >> ok(2, 3, 13) << Send(2, track(1, 3, 3, wish=3))
    t.at(99) >> track(3, 3, 3) << Pair(7, 3, 0, 13, ANY, asked=70)


@pytest.mark.requirement("QS-L3-044")
def test_the_estimate_ages_until_delivery():
    t = head(survival=lambda age: 0.9 if age == 40 else 1.0)
    t >> ok(2, 0, 10)
    t.at(40) >> track(3, 0, 0, estimate=int(0.97 * UNIT))
    assert t.last(Pair).estimate == pytest.approx((1 + (4 * 0.97 - 1) * 0.81) / 4, abs=1e-4)


def test_a_pair_before_forward_is_freed_and_its_track_is_answered():
    t = node(3).from_(2)
    t >> ok(2, 0, 20)
    t.exactly(Free(20))
    t >> Forward(C, 0, 7, head=1, tail=3, epoch=1) >> track(1, 0, 0)
    t.exactly(Send(2, Expire(C, 1, 0, Reason.UNWANTED)))


# -- numbers that come again, records that nobody asks for ------------------------------------------------------------


@pytest.mark.requirement("QS-L3-035")
def test_a_number_that_comes_again_is_a_new_pair():
    t = middle()
    t >> ok(1, 0, 10, since=0)
    t.at(CUTOFF)  # discarded, and no TRACK ever asked
    t >> ok(1, 0, 11, since=CUTOFF)
    t.from_(1) >> track(1, 0, 0)
    t.silent()
    t >> ok(3, 0, 20) << Swap(11, 20)
    t >> Swapped(11, 20, 1) << Send(3, track(1, 0, 0, bell=1))
    t >> ok(1, 0, 12) >> ok(3, 4, 21) << Swap(12, 21)  # the record of 11 for the tail's TRACK is still there
    t >> Swapped(12, 21, 2)
    t.from_(1) >> track(1, 0, 0)
    t.exactly(Send(3, track(1, 0, 4, bell=2)))


@pytest.mark.requirement("QS-L3-004")
def test_sweeps_forget_what_nobody_can_ask_for():
    t = middle()
    t >> ok(1, 0, 10) >> ok(3, 0, 20) >> Swapped(10, 20, 0)
    t.at(PATIENCE)
    t.from_(1) >> track(1, 0, 0) << Send(3, track(1, 0, 0))  # one generation later it is still known
    t.at(3 * PATIENCE)
    sides = t.layers[0].circuits[C].sides
    assert not any(side.fates or side.faded for side in sides)


@pytest.mark.requirement("QS-L3-045")
def test_without_cutoff_nothing_is_forgotten():
    t = middle(cutoff=0)
    t >> ok(1, 0, 10) >> ok(3, 0, 20) >> Swapped(10, 20, 0)
    t.at(100 * PATIENCE)
    t.from_(1) >> track(1, 0, 0) << Send(3, track(1, 0, 0))


@pytest.mark.requirement("QS-L3-046")
def test_a_track_whose_pair_never_came_is_answered_in_the_end():
    t = middle()
    t.from_(1) >> track(1, 5, 5)
    t.at(2 * PATIENCE) << Send(1, Expire(C, 1, 5, Reason.OTHER))
    t.at(9 * PATIENCE).never(Expire, more_than=1)


def test_a_track_whose_pair_waits_is_not_answered():
    t = middle(cutoff=0)
    t >> ok(1, 5, 10)
    t.from_(1) >> track(1, 5, 5)
    t.at(100 * PATIENCE).never(Expire)
    t >> ok(3, 0, 20) >> Swapped(10, 20, 1) << Send(3, track(1, 5, 0, bell=1))


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


# -- a whole chain, messages only -----------------------------------------------------------------------------------


class Chain:
    """Five nodes, random heralds, random delays; messages of one channel stay in order."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        path = (0, 1, 2, 3, 4)
        self.nodes = {n: node(n, path=path, cutoff=0) for n in path}
        self.channels: dict[tuple[int, int], list] = {}
        self.seen = dict.fromkeys(path, 0)
        self.bells: dict[int, int] = {}  # by qubit number: 1000 times the link plus the pair's number
        self.joined: dict[int, tuple[int, int]] = {}
        self.sequence = dict.fromkeys(range(4), 0)
        self.nodes[0] >> Activate(C, 0, 7)
        self.drain(0)

    def drain(self, n: int) -> None:
        t = self.nodes[n]
        while self.seen[n] < len(t.answers):
            answer = t.answers[self.seen[n]]
            self.seen[n] += 1
            if isinstance(answer, Send):
                self.channels.setdefault((n, answer.peer), []).append(answer.message)
            elif isinstance(answer, Swap):
                outcome = self.draw.randrange(4)
                self.joined[answer.left] = (answer.right, outcome)
                t >> Swapped(answer.left, answer.right, outcome)

    def herald(self) -> None:
        link = self.draw.randrange(4)
        if all(self.nodes[n].layers[0].circuits[C].active for n in (link, link + 1)):
            number, bell = self.sequence[link], self.draw.randrange(4)
            self.sequence[link] += 1
            self.bells[1000 * link + number] = bell
            for here, there in ((link, link + 1), (link + 1, link)):
                self.nodes[here] >> ok(there, number, 1000 * link + number, bell=bell)
                self.drain(here)

    def message(self) -> None:
        ready = [channel for channel in self.channels if self.channels[channel]]
        if ready:
            source, target = self.draw.choice(sorted(ready))
            self.nodes[target].from_(source) >> self.channels[source, target].pop(0)
            self.drain(target)

    def truth(self, qubit: int) -> tuple[int, int]:
        """Return Bell index and far half of the pair that begins with a half of the head."""
        bell = self.bells[qubit]
        while qubit in self.joined:
            qubit, outcome = self.joined[qubit]
            bell ^= self.bells[qubit] ^ outcome
        return bell, qubit


@pytest.mark.requirement("QS-CV-003", "QS-L3-001", "QS-L3-002")
@pytest.mark.parametrize("seed", range(20))
def test_any_order_gives_both_ends_the_same_frame(seed):  # QS-L3-001, QS-L3-002
    chain = Chain(seed)
    for _ in range(400):
        chain.herald() if chain.draw.random() < 0.3 else chain.message()
    ends = {n: {p.pair: p for p in chain.nodes[n].all(Pair)} for n in (0, 4)}
    both = ends[0].keys() & ends[4].keys()
    assert len(both) > 5
    for pair in both:
        a, b = ends[0][pair], ends[4][pair]
        assert chain.truth(a.qubit) == (a.bell, b.qubit)
        assert a.bell == b.bell


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
