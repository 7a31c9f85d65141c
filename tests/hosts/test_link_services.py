"""What a link gives its user, seen from both ends, with every attempt made and with failed ones skipped."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from math import sqrt

import pytest
from link_bench import PAIR, Pairs

from qstack.core.clock import MILLISECOND
from qstack.link.schedulers import strict_priority
from qstack.services.bell import Basis
from qstack.services.l2_link import Err, Ok, Receive
from qstack.services.reasons import Reason

both_ways = pytest.mark.parametrize("attempts", ["skip", "each"])
ENDLESS = 60_000


@both_ways
@pytest.mark.requirement("QS-L2-020")
def test_shares_are_those_of_the_priorities(attempts):
    pairs = Pairs(attempts)
    for purpose, priority in ((1, 0), (2, 1), (3, 3)):
        pairs.ask(1 + purpose % 2, purpose, ENDLESS, priority=priority)
    counts = pairs.run(3).counts()
    assert counts.total() > 1000
    for purpose, weight in ((1, 1), (2, 2), (3, 4)):
        assert counts[purpose] / counts.total() == pytest.approx(weight / 7, rel=0.05)
    assert pairs.counts(2) == counts


@both_ways
def test_neither_end_is_served_more_than_the_other(attempts):
    pairs = Pairs(attempts)
    for purpose in range(4):
        pairs.ask(1 + purpose % 2, purpose, ENDLESS)
    counts = pairs.run(3).counts()
    assert max(counts.values()) - min(counts.values()) <= 0.05 * counts.total() / 4


@both_ways
@pytest.mark.requirement("QS-L2-021")
def test_the_highest_priority_is_served_alone(attempts):
    pairs = Pairs(attempts, scheduler=strict_priority)
    for purpose, priority in ((1, 0), (2, 1), (3, 3)):
        pairs.ask(2, purpose, 100, priority=priority)
    pairs.run(5)
    for node in (1, 2):
        order = [(purpose, len(list(group))) for purpose, group in groupby(ok.purpose for ok in pairs.of(Ok, node))]
        assert order == [(3, 100), (2, 100), (1, 100)]


@both_ways
@pytest.mark.requirement("QS-L2-017", "QS-L2-018")
def test_atomic_and_collected_requests_beside_a_plain_one(attempts):
    pairs = Pairs(attempts)
    pairs.ask(1, 1, 300)
    pairs.ask(2, 2, 50, atomic=True)
    pairs.ask(1, 3, 4, consecutive=False)
    pairs.run(5)
    for node in (1, 2):
        assert pairs.counts(node) == {1: 300, 2: 50, 3: 4}
        places = [place for place, ok in enumerate(pairs.of(Ok, node)) if ok.purpose == 2]
        assert places == list(range(places[0], places[0] + 50))
        assert len(set(pairs.times(3, node))) == 1
        assert len(set(pairs.times(1, node))) > 100
    assert pairs.held == 0


@both_ways
@pytest.mark.requirement("QS-L2-019", "QS-L2-033")
def test_measured_pairs_and_their_bases(attempts):
    """Node 1 draws Z three times out of four, node 2 draws X or Y; where both read X, bits agree as the pair says."""
    pairs = Pairs(attempts)
    pairs.ask(1, 1, 2000, keep=False, bases=(0, 0, 0, 1), remote_bases=(1, 2))
    pairs.run(7)
    here, there = ({ok.sequence: ok for ok in pairs.of(Ok, node)} for node in (1, 2))
    assert here.keys() == there.keys()
    assert len(here) == 2000
    for oks, basis, share in ((here, Basis.Z, 0.75), (there, Basis.X, 0.5)):
        drawn = Counter(ok.basis for ok in oks.values())
        assert abs(drawn[basis] - 2000 * share) < 4 * sqrt(2000 * share * (1 - share))
    agree = [here[n].outcome == there[n].outcome for n in here if here[n].basis == there[n].basis == Basis.X]
    expected = (1 + PAIR[0]) / 2
    assert len(agree) > 180
    assert abs(sum(agree) - len(agree) * expected) < 4 * sqrt(len(agree) * expected * (1 - expected))
    assert pairs.held == 0


@both_ways
def test_remote_state_preparation(attempts):
    """The end that asks measures at once what the other one keeps."""
    pairs = Pairs(attempts)
    pairs.ask(1, 1, 100, keep=False, bases=(1,), prepare=True)
    pairs.run(2)
    assert {(ok.qubit, ok.basis) for ok in pairs.of(Ok)} == {(-1, 1)}
    kept = pairs.of(Ok, 2)
    assert len({ok.qubit for ok in kept}) == len(kept) == 100
    assert {(ok.basis, ok.outcome) for ok in kept} == {(-1, -1)}


@both_ways
def test_test_rounds_find_the_fidelity_that_pairs_have(attempts):
    pairs = Pairs(attempts, test_period=3)
    pairs.ask(1, 1, 1500)
    pairs.run(6)
    assert len(pairs.of(Ok)) == len(pairs.of(Ok, 2)) == 1500
    first, other = (pairs.simulation.nodes[node].layers[1].trials[3 - node].tallies[0] for node in (1, 2))
    assert first.estimate() == other.estimate()
    assert first.total > 150
    fidelity, low, high = first.estimate()
    assert low < (1 + sum(PAIR)) / 4 < high
    assert high - low < 0.2
    assert low < fidelity < high


@both_ways
@pytest.mark.requirement("QS-L2-024")
def test_purposes_are_gated_at_the_end_that_is_asked(attempts):
    pairs = Pairs(attempts)
    pairs.feed(2, Receive(1, 7))
    for node, purpose in ((1, 1), (1, 7), (2, 9)):
        pairs.ask(node, purpose, 3)
    pairs.run(1)
    assert pairs.counts() == pairs.counts(2) == {7: 3, 9: 3}
    assert [(err.purpose, err.reason) for err in pairs.of(Err)] == [(1, Reason.REJECTED)]
    assert pairs.of(Err, 2) == []


@both_ways
@pytest.mark.requirement("QS-L2-004", "QS-L2-029")
def test_a_deadline_ends_a_request_at_both_ends_and_frees_what_is_under_way(attempts):
    pairs = Pairs(attempts)
    pairs.ask(1, 1, 3000, max_time=900 * MILLISECOND)
    pairs.ask(2, 2, 50)
    pairs.run(2)
    for node in (1, 2):
        assert [(err.purpose, err.reason, err.remote) for err in pairs.of(Err, node)] == [
            (1, Reason.TIMEOUT, node == 2)
        ]
        assert max(pairs.times(1, node)) <= 900 * MILLISECOND
        assert pairs.counts(node)[2] == 50
    assert pairs.counts() == pairs.counts(2)
    assert pairs.held == 0
