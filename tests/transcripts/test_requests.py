"""Dialogues about the kinds of requests of a link: at once or one by one, alone or shared, kept, measured or prepared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qstack.conformance.transcript import Transcript
from qstack.core.errors import LocalProtocolError
from qstack.core.nouns import Message, Send
from qstack.link.layer import LinkLayer
from qstack.link.queue import TEST, UNANSWERED, Link
from qstack.link.schedulers import first_come
from qstack.services.bell import Basis
from qstack.services.device import Free
from qstack.services.estimation import Tally
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Accepted, Create, Err, Ok, Receive, StopReceive
from qstack.services.reasons import Reason
from qstack.services.strategies import Row
from qstack.wire.link import Add, AddAck, AddRej, LinkTest

RTT = 1000
ROWS = (Row(0.1, 2e-3, 0.9),)
CREATE = Create(2, 4, 3, 0.8)


def node(number: int = 1, peer: int = 2, *, lanes: int = 2, **options) -> Transcript:
    link = Link(peer, lanes, RTT, ROWS, master=number < peer, cycle=100)
    return Transcript(LinkLayer({peer: link}, **options), node=number).from_(peer)


def serving(*creates: Create, **options) -> Transcript:
    t = node(**options)
    for create in creates:
        t >> create
        t >> AddAck(t.last(Add).cseq, t.last(Add).aid)
    return t.wait(2 * RTT)


def herald(aid: int, sequence: int, lane: int = 0, **fields) -> Heralded:
    return replace(Heralded(2, lane, aid, sequence, 0, 10 + sequence, 5, -1, -1), **fields)


def told(t: Transcript) -> list[tuple[int, int]]:
    return [(ok.purpose, ok.sequence) for ok in t.all(Ok)]


# -- atomic and consecutive -----------------------------------------------------------------------------------------


def test_an_atomic_request_has_the_link_from_its_first_pair_to_its_last():  # QS-L2-017
    t = serving(replace(CREATE, purpose=6, number=9), replace(CREATE, atomic=True))
    t >> herald(1, 0) >> herald(2, 1, lane=1)
    assert {a.lane: a.aid for a in t.all(Attempt)} == {0: 2, 1: 2}
    t >> herald(1, 2) << Free(12)  # of the other request: both ends let it go
    t >> herald(2, 3) >> herald(2, 4)
    assert told(t) == [(6, 0), (4, 1), (4, 3), (4, 4)]
    assert {a.lane: a.aid for a in t.all(Attempt)} == {0: 1, 1: 1}
    t >> herald(1, 5)
    assert told(t)[-1] == (6, 5)


def test_pairs_that_are_wanted_together_come_together():  # QS-L2-018
    t = serving(replace(CREATE, number=2, consecutive=False))
    t >> herald(1, 0)
    t.silent()
    t >> herald(1, 1, lane=1)
    assert told(t) == [(4, 0), (4, 1)]
    t.never(Free)


def test_more_pairs_than_memories_cannot_come_together():  # QS-L2-018
    t = node()
    t >> replace(CREATE, consecutive=False) << Err(2, 4, -1, Reason.UNSUPP, remote=False)
    t >> replace(CREATE, consecutive=False, keep=False, bases=(0,)) << Accepted(2, 4, 1)  # bits need no memory


def test_pairs_that_wait_for_others_are_freed_when_their_request_ends():
    t = serving(replace(CREATE, number=2, consecutive=False, max_time=9 * RTT))
    t >> herald(1, 0)
    t.wait(7 * RTT) << Free(10) << Err(2, 4, 1, Reason.TIMEOUT, remote=False)


def test_flags_travel():
    t = node()
    t >> replace(CREATE, number=2, consecutive=False, atomic=True)
    assert (t.last(Add).consecutive, t.last(Add).atomic) == (False, True)


# -- measured and prepared ------------------------------------------------------------------------------------------


def test_each_end_has_bases_of_its_own():  # QS-L2-019
    t = serving(replace(CREATE, keep=False, bases=(0, 0, 1), remote_bases=(2,)))
    assert t.last(Add).bases == (2,)
    t << Attempt(2, 0, 1, 0, keep=False, bases=(0, 0, 1))


def test_a_state_is_prepared_at_the_other_end():
    t = serving(replace(CREATE, keep=False, bases=(1,), prepare=True))
    add = t.last(Add)
    assert (add.keep, add.prepare, add.bases) == (False, True, ())
    t << Attempt(2, 0, 1, 0, keep=False, bases=(1,))
    t >> herald(1, 0, qubit=-1, basis=1, outcome=1)
    t << Ok(2, 4, 1, 0, 0, 0.9, 5, -1, remote=False, basis=1, outcome=1)
    b = node(2, 1)
    b >> add
    b.wait(2 * RTT) << Attempt(1, 0, 1, 0, keep=True, bases=())
    b >> herald(1, 0, peer=1) << Ok(1, 4, 1, 0, 0, 0.9, 5, 10, remote=True, basis=-1, outcome=-1)


def test_the_other_end_may_measure_what_this_one_keeps():
    t = serving(replace(CREATE, prepare=True, remote_bases=(0,)))
    t << Attempt(2, 0, 1, 0, keep=True, bases=())
    b = node(2, 1)
    b >> t.last(Add)
    b.wait(2 * RTT) << Attempt(1, 0, 1, 0, keep=False, bases=(0,))


@pytest.mark.parametrize(
    "fields",
    [
        {"prepare": True},  # the other end measures, in no basis
        {"prepare": True, "bases": (0,)},
        {"keep": False, "bases": (0,), "prepare": True, "remote_bases": (0,)},
        {"remote_bases": (0,)},
        {"keep": False, "bases": (0,) * 9},
        {"keep": False, "bases": (0,), "remote_bases": (7,)},
    ],
)
def test_bases_without_a_measurement_and_measurements_without_bases_are_refused(fields):  # QS-L2-025
    request = replace(CREATE, **fields)
    node() >> request << Err(2, 4, -1, Reason.CREATE, remote=False)


# -- who is let in --------------------------------------------------------------------------------------------------


def add(purpose: int, cseq: int) -> Add:
    return Add(cseq, cseq, purpose, 1, 3, 0.8, 0, keep=True, bases=(), start=2 * RTT, deadline=0, consecutive=True)


def test_requests_are_let_in_by_purpose():  # QS-L2-024
    t = node(2, 1)
    t >> add(4, 1) << Send(1, AddAck(1, 1))  # nobody has said anything: all are welcome
    t >> Receive(1, 6) >> add(7, 2) << Send(1, AddRej(2, Reason.REJECTED))
    t >> add(6, 3) << Send(1, AddAck(3, 3))
    t >> StopReceive(1, 6) >> add(6, 4) << Send(1, AddRej(4, Reason.REJECTED))
    t >> Receive(1, 7) >> add(7, 2) << Send(1, AddRej(2, Reason.REJECTED))  # the same one, the same answer
    t >> add(7, 5) << Send(1, AddAck(5, 5))


@pytest.mark.parametrize("kind", [Receive, StopReceive])
def test_strangers_cannot_be_let_in(kind):
    with pytest.raises(LocalProtocolError, match="QS-L2-026"):
        node() >> kind(9, 4)


# -- one request after the other ------------------------------------------------------------------------------------


def test_the_last_pairs_of_a_request_are_made_by_as_many_lanes():
    """Lanes that the old request does not need serve its successor, so no pair is made for nobody."""
    t = serving(replace(CREATE, number=4), replace(CREATE, number=9), lanes=4, scheduler=first_come)
    standing = {a.lane: a.aid for a in t.all(Attempt)}
    assert standing == dict.fromkeys(range(4), 1)
    for n, lane in enumerate((2, 0, 3, 1)):
        t >> herald(1, n, lane=lane)
        standing |= {a.lane: a.aid for a in t.all(Attempt)}
        assert list(standing.values()).count(1) == 3 - n
        assert standing[lane] == 2
    t.never(Free)
    assert len(t.all(Ok)) == 4


def test_the_last_pairs_of_the_last_request_are_made_by_all_lanes():
    t = serving(replace(CREATE, number=2), lanes=4)
    t >> herald(1, 0)
    t.never(Attempt, more_than=4)


# -- test rounds ----------------------------------------------------------------------------------------------------


def test_one_success_in_so_many_is_followed_by_a_test_round():
    t = serving(replace(CREATE, number=100), test_period=5)
    for n in range(5):
        t >> herald(1, n, lane=n % 2)
    t << Attempt(2, 0, TEST, 0, keep=False, bases=tuple(Basis))
    t >> herald(TEST, 5, qubit=-1, basis=1, outcome=1)
    t.exactly(Send(2, LinkTest(5, 1, 1)), Attempt(2, 0, 1, 0, keep=True, bases=()))
    assert len(t.all(Ok)) == 5


@pytest.mark.requirement("QS-L2-203")
def test_a_lane_without_a_success_makes_no_test_round_whatever_others_have_seen():
    """One end has heard of the request before the first success, the other after it: both answer alike."""
    early, late = (serving(replace(CREATE, number=100), lanes=6, test_period=5) for _ in range(2))
    for n in range(5):
        early >> herald(1, n)
        late >> herald(1, n)
    late >> replace(CREATE, purpose=5)
    late >> AddAck(2, 2)  # all answers are planned anew
    standing = [t.layers[0].links[2].standing for t in (early, late)]
    assert standing[0] == standing[1] == [TEST, 1, 1, 1, 1, 1]


def test_equal_bases_are_counted_and_the_interval_closes_on_the_truth():
    t = node(test_period=5)
    trials = t.layers[0].trials[2]
    for n in range(3000):
        basis, wrong = Basis(n % 3), n % 30 < 3  # one in ten is wrong, in every basis
        theirs = wrong ^ (basis == Basis.Y)
        first, second = herald(TEST, n, qubit=-1, basis=basis, outcome=0), LinkTest(n, basis, int(theirs))
        for noun in (first, second) if n % 2 else (second, first):
            t >> noun
    tally = trials.tallies[0]
    assert tally.total == 3000
    assert not trials.mine
    assert not trials.theirs
    fidelity, low, high = tally.estimate()
    assert fidelity == pytest.approx(0.85)
    assert low < 0.85 < high
    assert high - low < 0.04


def test_different_bases_and_lost_bits_count_nothing():
    t = node(test_period=5)
    t >> herald(TEST, 0, qubit=-1, basis=0, outcome=0) >> LinkTest(0, 1, 0) >> LinkTest(7, 1, 0)
    assert t.layers[0].trials[2].tallies == {}
    fidelity, low, high = Tally().estimate()
    assert (fidelity, low) == (0.25, 0.0)
    assert high > 0.8


# -- fairness -------------------------------------------------------------------------------------------------------


def test_with_both_ends_backlogged_no_end_has_more_than_a_window_in_a_row():
    ends = {1: node(1, 2), 2: node(2, 1)}
    for _ in range(400):
        ends[1] >> CREATE
        ends[2] >> replace(CREATE, peer=1)
    flying: list[tuple[int, Message]] = []
    seen = dict.fromkeys(ends, 0)
    for _ in range(100):
        for number, t in ends.items():
            flying += [(3 - number, a.message) for a in t.answers[seen[number] :] if isinstance(a, Send)]
            seen[number] = len(t.answers)
        arrived, flying = flying, []
        for to, message in arrived:
            ends[to] >> message
        for t in ends.values():
            t.wait(RTT // 2)
    items = sorted(ends[1].layers[0].links[2].items.values(), key=lambda item: item.order)
    mirror = sorted(ends[2].layers[0].links[1].items.values(), key=lambda item: item.order)
    assert [item.remote for item in items] == [not item.remote for item in mirror]
    assert len(items) == 800
    runs, last = [0], None
    for item in items:
        runs = [*runs[:-1], runs[-1] + 1] if item.remote == last else [*runs, 1]
        last = item.remote
    assert max(runs) <= UNANSWERED


def test_ids_are_the_same_at_both_ends():  # QS-L2-008
    t = node(2, 1)
    t >> replace(CREATE, peer=1) >> add(6, 1) << Send(1, AddAck(1, 1))
    t >> AddAck(1, 2)
    assert {aid: item.purpose for aid, item in t.layers[0].links[1].items.items()} == {1: 6, 2: 4}
