"""Dialogues with the network layer at the ends of a circuit: who is told of which pair, and what is kept for how long."""

from __future__ import annotations

import random

import pytest
from forwarding_dialogue import (
    CUTOFF,
    PATIENCE,
    C,
    head,
    middle,
    node,
    ok,
    tail,
    track,
)

from qstack.conformance.transcript import ANY
from qstack.core.errors import RemoteProtocolError
from qstack.core.nouns import Send
from qstack.network.forwarding import UNIT
from qstack.network.requests import Activate
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Withdraw
from qstack.services.l3_network import Pair
from qstack.services.reasons import Reason
from qstack.wire.network import Complete, Expire, Forward

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
