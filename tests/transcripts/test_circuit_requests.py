"""Dialogues about the requests of a circuit: shared, paced, measured, early, tested; and about halves given up."""

from __future__ import annotations

import pytest

from qstack.conformance.transcript import ANY, Transcript
from qstack.core.clock import SECOND
from qstack.core.nouns import Send
from qstack.network.entries import BATCH, Left, Uninstalled
from qstack.network.forwarding import UNIT, ForwardingLayer
from qstack.network.requests import Activate, Deactivate, Install, Uninstall
from qstack.services import l3_network
from qstack.services.device import Free, Probe, Probed, Swap, Swapped
from qstack.services.l2_link import Create, Err, Ok, Withdraw
from qstack.services.l3_network import Connected, Early, FidelityTested, Lost, Pair, Result
from qstack.services.reasons import Reason
from qstack.wire import network
from qstack.wire.network import EARLY, KEEP, MEASURE, PREPARE, CircuitTest, Complete, Expire, Forward, Track

C, HEAD, TAIL = 9, 1, 3
PATH = (1, 2, 3)
LANES = 4


def node(number: int, **options) -> Transcript:
    t = Transcript(ForwardingLayer(lambda _: 1.0, 1.0, {1: LANES, 2: LANES, 3: LANES}, SECOND, **options), node=number)
    here = PATH.index(number)
    t >> Install(C, 7, here, PATH, (4 if here else -1, 4 if here < 2 else -1), 0.9, 0)
    return t


def head(number: int = 0, kind: int = KEEP, rate: float = 0.0, basis: int = 0, **options) -> Transcript:
    t = node(HEAD, **options)
    t >> Activate(C, number, 7, kind, basis, rate)
    return t.from_(2)


def other(number: int, kind: int = KEEP, basis: int = 0, **options) -> Transcript:
    t = node(number, **options)
    t.from_(number - 1) >> Forward(C, 0, 7, HEAD, TAIL, kind, basis, epoch=1)
    return t


def ok(peer: int, sequence: int, qubit: int | None = None, basis: int = -1, outcome: int = -1) -> Ok:
    qubit = 10 + sequence if qubit is None else qubit
    return Ok(peer, 4, 1, sequence, 0, 1.0, 0, qubit, remote=False, basis=basis, outcome=outcome)


def track(origin: int, pair: int, link_pair: int, **fields) -> Track:
    return Track(C, origin, pair, link_pair, fields.pop("bell", 0), fields.pop("epoch", 1), UNIT, **fields)


def test_kinds_are_numbered_alike_everywhere():
    for name in ("KEEP", "MEASURE", "PREPARE", "EARLY"):
        assert getattr(l3_network, name) == getattr(network, name)


# -- several requests -----------------------------------------------------------------------------------------------


def test_requests_of_a_circuit_take_turns():
    t = head()
    (
        t
        >> Activate(C, 3, 8)
        << Send(2, Forward(C, 3, 8, HEAD, TAIL, epoch=2))
        << Connected(8, TAIL, initiator=True, number=3)
    )
    t.never(Create, more_than=1)
    wishes = []
    for n in range(10):
        t >> ok(2, n)
        sent = t.last(Track)
        wishes.append((sent.epoch, sent.member, sent.request))
        t >> track(TAIL, n, n)
    assert wishes[:4] == [(2, 0, 0), (2, 0, 1), (2, 0, 2), (2, 0, 3)]  # asked for before the second one came
    assert wishes[4:] == [(2, 1, 0), (2, 0, 4), (2, 1, 1), (2, 0, 5), (2, 1, 2), (3, 0, 6)]  # the second one has ended
    pairs = [(p.session, p.pair) for p in t.all(Pair)]
    assert pairs == [(8 if member else 7, request) for _, member, request in wishes]


def test_one_request_ends_and_the_other_goes_on():
    t = head()
    t >> Activate(C, 1, 8)
    for n in range(4):
        t >> ok(2, n) >> track(TAIL, n, n)
    t >> ok(2, 4) >> track(TAIL, 4, 4)
    t << Pair(8, 0, 0, 14, ANY, ANY) << Send(2, Complete(C, 8, HEAD, TAIL))
    t.never(Withdraw)
    t >> ok(2, 5)
    assert (t.last(Track).epoch, t.last(Track).member) == (3, 0)


def test_the_tail_hands_pairs_to_the_request_that_the_head_names():  # QS-L3-012
    t = other(TAIL)
    t >> Forward(C, 3, 8, HEAD, TAIL, epoch=2) << Connected(8, HEAD, initiator=False, number=3)
    for n in range(3):
        t >> ok(2, n)
    t >> track(HEAD, 0, 0, epoch=1, request=5) << Pair(7, 5, 0, 10, ANY, -1)
    t >> track(HEAD, 1, 1, epoch=2, member=1, request=0) << Pair(8, 0, 0, 11, ANY, -1)
    t >> Complete(C, 8)
    t.exactly(Left(C, 8))
    t >> track(HEAD, 2, 2, epoch=2, member=0, request=6) << Pair(7, 6, 0, 12, ANY, -1)
    t >> Complete(C, 7) << Withdraw(2, 4)


def test_a_request_that_the_tail_has_never_heard_of_is_delivered_at_no_end():  # QS-L3-007
    t = other(TAIL)
    t >> ok(2, 0) >> track(HEAD, 0, 0, epoch=5, member=1)
    t.exactly(Free(10), Send(2, Expire(C, TAIL, 0, Reason.OTHER)))
    h = head()
    h >> ok(2, 0) >> track(TAIL, 0, 0) >> Expire(C, TAIL, 0, Reason.OTHER)
    h.exactly(Lost(7, 0, 10, Reason.OTHER))


def test_repetitions_of_requests_change_nothing():  # QS-L3-022
    t = other(2)
    t >> Forward(C, 0, 8, HEAD, TAIL, epoch=2) >> Complete(C, 8)
    for message in (Forward(C, 0, 8, HEAD, TAIL, epoch=2), Complete(C, 8)):
        t >> message
        t.silent()


def test_a_session_that_leaves_is_served_no_longer():
    t = head()
    t >> Activate(C, 0, 8) >> Deactivate(C, 7)
    t.exactly(Send(2, Complete(C, 7, HEAD, TAIL)))
    t >> ok(2, 0)
    assert (t.last(Track).epoch, t.last(Track).member) == (3, 0)
    t >> track(TAIL, 0, 0) << Pair(8, 0, 0, 10, ANY, ANY)


def test_the_tail_asks_the_head_to_serve_a_session_no_longer():
    t = other(TAIL)
    t >> Forward(C, 0, 8, HEAD, TAIL, epoch=2) >> Deactivate(C, 8)
    t.exactly(Send(2, Complete(C, 8)))
    h = head()
    h >> Activate(C, 0, 8) >> Complete(C, 8)
    h.exactly(Left(C, 8), Send(2, Complete(C, 8, HEAD, TAIL)))


# -- shaping --------------------------------------------------------------------------------------------------------


def test_a_paced_request_asks_no_faster_than_its_rate():  # QS-L3-008
    t = head(rate=10.0)
    assert t.last(Forward).rate == 10_000
    for n in range(30):
        t >> ok(2, n)
        if t.last(Track).origin_pair == n:
            t >> track(TAIL, n, n)
        t.wait(SECOND // 100)
    assert [p.asked // (SECOND // 100) for p in t.all(Pair)] == [0, 10, 20]


# -- kinds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        (KEEP, {}, {}),
        (EARLY, {}, {}),
        (PREPARE, {"keep": False, "bases": (1,), "prepare": True}, {}),
        (MEASURE, {"keep": False, "bases": (1,), "prepare": True}, {"prepare": True, "remote_bases": (1,)}),
    ],
)
def test_ends_that_measure_do_so_at_their_own_link(kind, first, last):
    assert head(kind=kind, basis=1).last(Create) == Create(2, 4, BATCH, 0.9, **first)
    assert other(2, kind, 1).last(Create) == Create(3, 4, BATCH, 0.9, **last)


def test_a_circuit_of_one_link_measures_at_both_ends():
    t = Transcript(ForwardingLayer(lambda _: 1.0, 1.0, {2: LANES}, 100), node=1)
    t >> Install(C, 7, 0, (1, 2), (-1, 4), 0.9, 0) >> Activate(C, 0, 7, MEASURE, 2)
    assert t.last(Create) == Create(2, 4, BATCH, 0.9, keep=False, bases=(2,), remote_bases=(2,))


@pytest.mark.parametrize("end", ["head", "tail"])
def test_bits_are_told_with_their_frame(end):
    t, far = (head(kind=MEASURE), TAIL) if end == "head" else (other(TAIL, MEASURE), HEAD)
    t >> ok(2, 0, -1, basis=0, outcome=1) >> track(far, 5, 0, bell=2, request=3)
    t.exactly(Result(7, 0 if end == "head" else 3, 2, 0, 1, 1.0, 0 if end == "head" else -1))
    t >> ok(2, 1, -1, basis=0, outcome=1) >> Expire(C, t.context.node, 1, Reason.CUTOFF)
    t.silent()


def test_an_early_half_is_told_and_then_confirmed_or_lost():  # QS-L3-007
    t = head(kind=EARLY)
    t >> ok(2, 0) << Send(2, ANY) << Early(7, 10)
    t >> ok(2, 1) << Early(7, 11)
    t >> track(TAIL, 0, 0, bell=3) << Pair(7, 0, 3, 10, ANY, 0)
    t >> Expire(C, HEAD, 1, Reason.CUTOFF)
    t.exactly(Lost(7, -1, 11, Reason.CUTOFF))
    t >> ok(2, 2) >> Uninstall(C) << Lost(7, -1, 12, Reason.TORN_DOWN)
    t.never(Free)


# -- test rounds ----------------------------------------------------------------------------------------------------


def after_rounds(number: int, errors: int = 0) -> Transcript:
    t = head(test_share=0.25)
    for n in range(number):
        t >> ok(2, n) >> track(TAIL, n, n)
        for probe in [a for a in t.open if isinstance(a, Probe)]:
            t >> Probed(probe.qubit, probe.basis, 0)
            wrong = errors and len(t.all(Probe)) % errors == 0
            t >> CircuitTest(C, HEAD, n, probe.basis, int(wrong) ^ (probe.basis == 2))
    return t


def test_a_share_of_the_pairs_is_measured_instead_of_delivered():
    t = after_rounds(400)
    assert len(t.all(Probe)) == pytest.approx(100, abs=3)
    assert len(t.all(Pair)) + len(t.all(Probe)) == 400
    assert [p.pair for p in t.all(Pair)] == [*range(len(t.all(Pair)))]
    assert {p.basis for p in t.all(Probe)} == {0, 1, 2}
    told = t.last(FidelityTested)
    assert (told.fidelity, told.high, told.rounds) == (1.0, 1.0, len(t.all(Probe)))
    assert told.low > 0.9
    assert not t.layers[0].probing


def test_errors_of_test_rounds_are_counted():
    told = after_rounds(2000, errors=7).last(FidelityTested)
    assert told.fidelity == pytest.approx(1 - 1.5 / 7, abs=0.03)
    assert told.low < 1 - 1.5 / 7 < told.high


def test_the_tail_measures_what_the_head_says_and_tells_its_bit():
    t = other(TAIL)
    t >> ok(2, 0) >> track(HEAD, 5, 0, request=4, test=True)
    t.exactly(Probe(10, 1))
    t >> Probed(10, 1, 1)
    t.exactly(Send(2, CircuitTest(C, HEAD, 5, 1, 1)))
    t >> CircuitTest(C, HEAD, 5, 1, 1) << FidelityTested(7, ANY, ANY, ANY, 1)
    m = other(2)
    m >> CircuitTest(C, HEAD, 5, 1, 1)
    m.exactly(Send(3, CircuitTest(C, HEAD, 5, 1, 1)))


def test_every_session_of_a_circuit_hears_of_its_test_rounds():
    t = head(test_share=0.25) >> Activate(C, 0, 8)
    for n in range(8):
        t >> ok(2, n) >> track(TAIL, n, n)
        for probe in [a for a in t.open if isinstance(a, Probe)]:
            t >> Probed(probe.qubit, probe.basis, 0) >> CircuitTest(C, HEAD, n, probe.basis, int(probe.basis == 2))
    told = t.all(FidelityTested)
    assert [one.session for one in told] == [7, 8] * (len(told) // 2)
    assert told


# -- halves given up ------------------------------------------------------------------------------------------------


def test_an_end_that_is_torn_down_says_which_pairs_it_has_given_up():  # QS-L3-007
    t = head()
    t >> ok(2, 0) >> ok(2, 1) >> Uninstall(C)
    gone = [Send(2, Expire(C, HEAD, n, Reason.TORN_DOWN)) for n in (0, 1)]
    t.exactly(*gone, Withdraw(2, 4), Free(10), Free(11), Uninstalled(C))
    far = other(TAIL)
    far >> ok(2, 8) >> track(HEAD, 0, 8) << Pair(7, 0, 0, 18, ANY, -1)
    far >> Expire(C, HEAD, 0, Reason.TORN_DOWN)
    far.exactly(Lost(7, 0, 18, Reason.TORN_DOWN))
    far >> Expire(C, HEAD, 0, Reason.TORN_DOWN)
    far.silent()


def test_a_track_that_waits_for_its_swap_goes_no_further():  # QS-L3-007
    m = other(2)
    m >> track(HEAD, 0, 5) >> Expire(C, HEAD, 0, Reason.TORN_DOWN)
    m.silent()
    m >> ok(1, 5) >> ok(3, 6) << Swap(15, 16)
    m >> Swapped(15, 16, 0)
    m.never(Track)
    m.from_(3) >> track(TAIL, 6, 6)
    m.exactly(Send(3, Expire(C, TAIL, 6, Reason.TORN_DOWN)))


def test_an_expiry_that_overtakes_the_herald_at_the_other_end_is_remembered():
    far = other(TAIL)
    far >> track(HEAD, 0, 8) >> Expire(C, HEAD, 0, Reason.TORN_DOWN) >> ok(2, 8)
    far.exactly(Free(18))


def expired(peer: int, low: int, high: int) -> Err:
    return Err(peer, 4, 1, Reason.EXPIRE, remote=False, low=low, high=high)


def test_a_pair_that_the_link_takes_back_is_given_up_wherever_it_is():
    t = head()
    t >> ok(2, 0) >> ok(2, 1) >> track(TAIL, 9, 0)
    t >> expired(2, 0, 2)  # delivered, held
    t.exactly(
        Lost(7, 0, 10, Reason.EXPIRE),
        Send(2, Expire(C, HEAD, 0, Reason.EXPIRE)),
        Free(11),
        Send(2, Expire(C, HEAD, 1, Reason.EXPIRE)),
    )
    t >> ok(2, 2)
    assert t.last(Track).request == 1  # the wish is given to the next pair
    m = other(2)
    m >> ok(1, 0) >> expired(1, 0, 1) << Free(10)
    m >> ok(3, 0, 20)
    m.never(Swap)
    m.from_(1) >> track(HEAD, 0, 0)
    m.exactly(Send(1, Expire(C, HEAD, 0, Reason.EXPIRE)))


def test_a_pair_that_never_came_is_answered_for():
    m = other(2)
    m.from_(3) >> track(TAIL, 4, 4)
    m >> expired(3, 4, 5)
    m.exactly(Send(3, Expire(C, TAIL, 4, Reason.EXPIRE)))
    m >> expired(3, 5, 6) >> track(TAIL, 5, 5)
    m.exactly(Send(3, Expire(C, TAIL, 5, Reason.EXPIRE)))


def test_a_pair_that_was_swapped_already_is_followed_to_where_it_is_missed():
    m = other(2)
    m >> ok(1, 0) >> ok(3, 0, 20) >> Swapped(10, 20, 0) >> expired(1, 0, 1)
    m.from_(3) >> track(TAIL, 0, 0) << Send(1, track(TAIL, 0, 0))
    m.from_(1) >> track(HEAD, 0, 0) << Send(3, track(HEAD, 0, 0))


def test_a_withdrawal_of_the_neighbour_is_not_its_failure():
    t = other(2)
    t >> Err(3, 4, 1, Reason.TORN_DOWN, remote=False)
    t.silent()
