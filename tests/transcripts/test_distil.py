"""Dialogues with a link layer that distils."""

from __future__ import annotations

import pytest
from link_dialogue import RTT, Better

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.nouns import Send
from qstack.link.distil import EARLY, Distiller
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.services.device import Distil, Distilled, Free
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.services.strategies import Row
from qstack.wire.link import Add, AddAck, DistilBit


def node(number: int, peer: int, lanes: int = 4, survival=lambda _: 1.0) -> Transcript:
    rows = (Row(0.0, 1e-3, 0.9),)
    layer = LinkLayer(
        {peer: Link(peer, lanes, RTT, rows, master=number < peer)}, distiller=Distiller(Better(), survival)
    )
    return Transcript(layer, node=number).from_(peer)


def begin(number: int = 2, lanes: int = 4, **options) -> Transcript:
    t = node(1, 2, lanes, **options)
    t >> Create(2, 4, number, 0.95) >> AddAck(1, 1)
    return t.wait(2 * RTT)


def pair(sequence: int, since: int = 0) -> Heralded:
    return Heralded(2, sequence % 4, 1, sequence, 3, 10 + sequence, since, -1, -1)


@pytest.fixture
def t() -> Transcript:
    return begin()


@pytest.mark.requirement("QS-L2-047")
def test_raw_pairs_are_asked_for_at_the_fidelity_that_the_scheme_needs(t):
    assert t.last(Add).min_fidelity == pytest.approx(0.9, abs=1 / 65535)


def test_the_second_pair_starts_a_round_and_the_younger_is_kept(t):
    t >> pair(0)
    t.never(Ok)
    t >> pair(1) << Distil(keep=11, spare=10, scheme="better", keep_pauli=3, spare_pauli=3)
    t >> Distilled(11, 10, 1) << Send(2, DistilBit(keep=1, spare=0, outcome=1))
    t >> DistilBit(1, 0, 1) << Ok(2, 4, 1, 1, 0, ANY, 0, 11, remote=False, basis=-1, outcome=-1)
    t.never(Free)


def test_only_the_master_turns_the_pairs():
    t = node(2, 1)
    t >> Add(1, 1, 4, 1, 2, 0.9, 0, keep=True, bases=(), start=0, deadline=0, consecutive=True)
    t.wait(1)
    for n in range(2):
        t >> Heralded(1, n, 1, n, 3, 10 + n, 0, -1, -1)
    t << Distil(11, 10, "better", 0, 0)


@pytest.mark.requirement("QS-L3-019")
@pytest.mark.parametrize("first", ["mine", "theirs"])
def test_unequal_bits_free_the_kept_pair(t, first):  # QS-L3-019
    t >> pair(0) >> pair(1)
    if first == "mine":
        t >> Distilled(11, 10, 1) >> DistilBit(1, 0, 0) << Free(11)
    else:
        t >> DistilBit(1, 0, 0) >> Distilled(11, 10, 1) << Send(2, DistilBit(1, 0, 1, seen=True)) << Free(11)
    t.never(Ok)


@pytest.mark.requirement("QS-L2-005")
def test_number_counts_what_is_kept(t):  # QS-L2-005
    for n in range(8):
        t >> pair(n)
    for keep, bit in ((1, 0), (3, 1), (5, 1)):
        t >> Distilled(10 + keep, 9 + keep, 1) >> DistilBit(keep, keep - 1, bit)
    assert [ok.sequence for ok in t.all(Ok)] == [3, 5]
    assert [f.qubit for f in t.all(Free)] == [11]
    assert t.last(Attempt).aid == -1
    t >> Distilled(17, 16, 0) << Free(17)  # the round that was under way when the request ended
    t.never(Ok, more_than=2)


@pytest.mark.requirement("QS-L2-048")
def test_what_waits_is_freed_when_the_request_is_withdrawn(t):
    for n in range(5):
        t >> pair(n)
    t >> Distilled(11, 10, 1)  # judging, then measuring, then a first pair
    t >> Withdraw(2, 4) << (Free(14), Free(11))
    t >> Distilled(13, 12, 0) << Free(13)
    t >> DistilBit(3, 2, 0)
    t.silent()


def test_the_estimate_ages_the_older_pair():
    t = begin(survival=lambda age: 0.9 if age == 50 else 0.0)
    t >> pair(0, since=100) >> pair(1, since=150)
    t >> Distilled(11, 10, 1) >> DistilBit(1, 0, 1)
    aged = (1 + (4 * 0.9 - 1) * 0.81) / 4
    assert t.last(Ok).goodness == pytest.approx((0.9 + aged) / 2 + 0.05)


@pytest.mark.requirement("QS-L2-049")
def test_one_lane_cannot_distil():
    t = node(1, 2, lanes=1)
    t >> Create(2, 4, 1, 0.95) << Err(2, 4, -1, Reason.UNSUPP, remote=False)


@pytest.mark.requirement("QS-L2-049")
def test_requests_that_could_hold_every_lane_are_refused():
    t = begin(lanes=2)
    t >> Create(2, 6, 1, 0.95) << Err(2, 6, -1, Reason.NORES, remote=False)
    t >> Create(2, 4, 1, 0.95)  # the same purpose queues up behind its first request
    t.never(Err, more_than=1)


def test_measured_pairs_are_not_distilled():
    t = node(1, 2)
    t >> Create(2, 4, 1, 0.9, keep=False, bases=(0,)) >> AddAck(1, 1)
    t.wait(2 * RTT)
    t >> Heralded(2, 0, 1, 0, 3, -1, 0, 0, 1) << Ok(2, 4, ANY, 0, 3, 0.9, 0, -1, remote=False, basis=0, outcome=1)


@pytest.mark.requirement("QS-L2-051")
def test_bits_that_nobody_asks_for_are_not_kept_for_ever(t):
    for n in range(EARLY + 50):
        t >> DistilBit(n, n + 1, 0)
    assert len(t.layers[0].distiller.early) == EARLY
