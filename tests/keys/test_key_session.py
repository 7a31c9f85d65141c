"""A block from clicks to secret bits: equal keys, honest ledgers, refusals with reasons."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qstack.core.errors import ConfigError, LocalProtocolError
from qstack.keys import bbm92, finite
from qstack.keys.authentication import SLOT_BITS
from qstack.keys.bbm92 import Pairs
from qstack.keys.bob import Bob
from qstack.keys.hashing import TAG_BITS
from qstack.keys.information import binary_entropy
from qstack.keys.ledger import Assumption, Block, Reason, Rejected
from qstack.keys.randomness import stream
from qstack.keys.records import Experiment, Record
from qstack.keys.secret import Secret
from qstack.keys.session import Link, run_block
from qstack.keys.terms import Proof, Terms, announce, leak_limit


def accepted(outcome):
    assert outcome.accepted, (outcome.alice, outcome.bob)
    return outcome.alice, outcome.bob


@pytest.mark.requirement("QS-KY-001")
def test_both_ends_hold_the_same_secret_bits(bench):
    alice, bob = accepted(bench.link().run_block(bench.block()))
    assert alice.key == bob.key
    assert alice.key.bits == alice.ledger.length - SLOT_BITS > 50_000
    ones = np.unpackbits(np.frombuffer(alice.key.reveal(), np.uint8), count=alice.key.bits).mean()
    assert abs(ones - 0.5) < 4 * 0.5 / alice.key.bits**0.5


@pytest.mark.requirement("QS-KY-003")
def test_both_ledgers_agree_and_say_everything(bench):
    alice, bob = accepted(bench.link().run_block(bench.block()))
    one, two = alice.ledger, bob.ledger
    assert one == two
    key, key_errors, test, test_errors = bench.block().sifted()
    assert (one.key_bits, one.key_errors, one.test_bits, one.test_errors) == (key, key_errors, test, test_errors)
    assert one.pulses == bench.pulses
    assert one.detected == bench.block().clicks
    assert one.authentication_bits == 2 * TAG_BITS
    assert one.leak == one.disclosed_alice + one.disclosed_bob
    assert one.simulated
    assert one.epsilon >= one.epsilon_secrecy + one.epsilon_correctness
    assert json.loads(json.dumps(one.as_dict()))["length"] == one.length


def test_the_length_is_the_announced_one_whatever_was_seen(bench):
    terms = bench.terms()
    link = bench.link(terms)
    lengths = {accepted(link.run_block(bench.block(number)))[0].ledger.length for number in range(3)}
    announced = finite.length(terms.tolerances.bounds, terms.tolerances.leak, finite.TWO_DECOYS.cost(terms.epsilons))
    assert lengths == {announced}


def test_variable_length_follows_what_was_seen_and_costs_more(bench):
    fixed = accepted(bench.link().run_block(bench.block()))[0].ledger
    variable = accepted(bench.link(bench.terms(fixed=False)).run_block(bench.block()))[0].ledger
    assert "variable" in variable.proof
    assert "fixed" in fixed.proof
    assert variable.bounds.single < fixed.bounds.single
    assert variable.bounds.phase_error > fixed.bounds.phase_error


@pytest.mark.requirement("QS-KY-002")
@pytest.mark.parametrize("fixed", [True, False])
def test_a_key_is_never_longer_than_its_bound(bench, bench_one_decoy, fixed):
    for stage in (bench, bench_one_decoy):
        terms = stage.terms(fixed=fixed)
        ledger = accepted(stage.link(terms).run_block(stage.block()))[0].ledger
        assert ledger.length <= ledger.bounds.secret - ledger.leak - terms.cost
        assert ledger.leak <= terms.most_leak(ledger.key_bits)


def test_one_decoy_makes_keys_too(bench_one_decoy):
    alice, bob = accepted(bench_one_decoy.link().run_block(bench_one_decoy.block()))
    assert alice.key == bob.key
    assert alice.ledger.proof.startswith("one-decoy")


@pytest.mark.parametrize("fixed", [True, False])
def test_pairs_make_keys_too(fixed):
    pairs = Pairs(x=0.97, y=0.96, z=0.96, p_key=0.8)
    mean = bbm92.expected(pairs, 400_000)
    limit = leak_limit(pairs.error_key, 1.15, sum(mean.key), both_ways=True)
    terms = Terms(proof=Proof.PAIRS, leak_limit=limit)
    terms = announce(mean, terms) if fixed else terms
    link = Link.between("a", "b", terms, Secret(bytes(112)), stream(1, 0, "public").bytes)
    alice, bob = accepted(link.run_block(bbm92.sample(pairs, 400_000, 3)))
    assert alice.key == bob.key
    assert alice.ledger.length < 400_000 * 0.64 * (1 - binary_entropy(0.015) - binary_entropy(0.02))
    assert Assumption.SINGLE in alice.ledger.assumptions


@pytest.mark.parametrize("name", ["cascade-yan", "cascade-original", "ldpc"])
def test_every_strategy_serves(bench, name):
    terms = bench.terms(reconciliation=name)
    if name == "cascade-original":
        terms = announce(
            bench.mean, terms.model_copy(update={"leak_limit": terms.leak_limit * 1.1, "tolerances": None})
        )
    alice, bob = accepted(bench.link(terms).run_block(bench.block()))
    assert alice.key == bob.key


def test_one_way_reconciliation_leaves_more_key_when_both_ways_count(bench):
    both = bench.terms().leak_limit
    key = sum(bench.mean.key)
    one_way = leak_limit(sum(bench.mean.key_errors) / key, 1.25, key, both_ways=False)
    terms = announce(
        bench.mean, bench.terms(fixed=False, reconciliation="ldpc").model_copy(update={"leak_limit": one_way})
    )
    alice, _ = accepted(bench.link(terms).run_block(bench.block()))
    assert one_way < both
    assert alice.ledger.length > accepted(bench.link().run_block(bench.block()))[0].ledger.length


def test_not_counting_bob_is_an_assumption_in_the_ledger(bench):
    ledger = accepted(bench.link(bench.terms(count_reverse=False)).run_block(bench.block()))[0].ledger
    assert Assumption.POSITIONS in ledger.assumptions
    assert ledger.leak == ledger.disclosed_alice < ledger.disclosed_alice + ledger.disclosed_bob
    counted = accepted(bench.link().run_block(bench.block()))[0].ledger
    assert Assumption.POSITIONS not in counted.assumptions


def test_same_seed_same_key_and_other_blocks_other_keys(bench):
    first, second = bench.link(), bench.link()
    one, two = first.run_block(bench.block(0)), second.run_block(bench.block(0))
    assert one.alice.key == two.alice.key
    assert first.run_block(bench.block(1)).alice.key != one.alice.key


def test_run_block_is_enough_for_one_block(bench):
    outcome = run_block(bench.block(), bench.terms(), Secret(bytes(range(48))))
    assert outcome.accepted
    assert outcome.alice.key.take(256) == outcome.bob.key.take(256)


def test_the_outcome_shows_no_key(bench):
    alice, _ = accepted(bench.link().run_block(bench.block()))
    assert alice.key.reveal().hex()[:16] not in repr(alice)
    assert "bits>" in repr(alice)


def refused(outcome, reason):
    ends = [end for end in (outcome.alice, outcome.bob) if isinstance(end, Rejected)]
    assert len(ends) == 2
    assert {end.reason for end in ends} == {reason, Reason.PEER}
    assert all(end.ledger.length == 0 for end in ends)
    return next(end for end in ends if end.reason is reason)


def worse(experiment, share, seed=1):
    """The same clicks with some of Bob's bits wrong."""
    generator = np.random.Generator(np.random.Philox(seed))
    flips = (generator.random(experiment.clicks) < share).astype(np.uint8) << 1
    bob = experiment.bob
    return Experiment(experiment.alice, Record(bob.total, bob.pulse, bob.mark ^ flips))


def test_amplification_is_refused_where_both_entropies_use_up_the_bit(bench):
    end = refused(bench.link().run_block(worse(bench.block(), 0.25)), Reason.NO_KEY)
    assert "h(e_X) + f h(e_Z) = 1." in end.detail
    assert end.ledger.disclosed_alice == end.ledger.authentication_bits == 0


def test_a_rate_above_the_mean_qber_limit_is_no_reason_to_refuse():
    """12 % errors in one basis, 1 % in the other: more than 11 % in the test, and still a key."""
    pairs = Pairs(x=0.76, y=0.75, z=0.98, p_key=0.8)
    assert pairs.error_test > 0.11
    mean = bbm92.expected(pairs, 1_000_000)
    limit = leak_limit(pairs.error_key, 1.2, sum(mean.key), both_ways=True)
    terms = Terms(proof=Proof.PAIRS, leak_limit=limit, key_error=pairs.error_key)
    outcome = run_block(bbm92.sample(pairs, 1_000_000, 3), announce(mean, terms), Secret(bytes(48)))
    assert accepted(outcome)[0].ledger.length > 50_000


def test_an_alarm_can_be_set(bench):
    end = refused(bench.link(bench.terms(alarm=0.012)).run_block(bench.block()), Reason.ALARM)
    assert "more than 0.012" in end.detail


@pytest.mark.requirement("QS-CL-006")
def test_a_block_worse_than_announced_is_refused_even_if_key_could_be_made(bench):
    clicks = worse(bench.block(), 0.01)
    assert bench.link(bench.terms(fixed=False, leak_limit=0.4)).run_block(clicks).accepted
    refused(bench.link(bench.terms(leak_limit=0.4)).run_block(clicks), Reason.TOLERANCE)


def test_leak_beyond_the_limit_is_refused(bench):
    terms = bench.terms()
    tight = terms.tolerances.model_copy(update={"leak": 0.5 * terms.tolerances.leak})
    refused(bench.link(terms.model_copy(update={"tolerances": tight})).run_block(bench.block()), Reason.LEAK)


def test_small_blocks_give_nothing_and_say_so(bench):
    small = Experiment(
        *(Record(e.total, e.pulse[:2000], e.mark[:2000]) for e in (bench.block().alice, bench.block().bob))
    )
    end = refused(bench.link(bench.terms(fixed=False)).run_block(small), Reason.NO_KEY)
    assert "nothing to amplify" in end.detail or "no secret bit" in end.detail
    with pytest.raises(ConfigError, match="longer ones"):
        announce(finite.Counts((100.0,) * 3, (50.0,) * 3, (2.0,) * 3), bench.terms(fixed=False))


def test_no_clicks_at_all(bench):
    nothing = Record(bench.pulses, np.empty(0, np.int64), np.empty(0, np.uint8))
    refused(bench.link().run_block(Experiment(nothing, nothing)), Reason.NO_KEY)


@pytest.mark.requirement("QS-KY-006")
def test_ends_with_different_terms_do_not_start(bench):
    link, other = bench.link(), bench.link(bench.terms(secrecy=1e-6))
    link.bob = other.bob
    refused(link.run_block(bench.block()), Reason.TERMS)


@pytest.mark.requirement("QS-KY-006")
def test_ends_with_different_names_do_not_start(bench):
    link = bench.link()
    link.bob = Link.between("gouda", "leiden", bench.terms(), Secret(bytes(80))).bob
    refused(link.run_block(bench.block()), Reason.TERMS)


def test_a_wrong_preshared_secret_is_an_authentication_failure(bench):
    link = bench.link()
    link.bob = bench.link(preshared=bytes(400)).bob
    refused(link.run_block(bench.block()), Reason.AUTHENTICATION)


def test_clicks_at_pulses_never_sent_are_refused(bench):
    block = bench.block()
    pulse = block.bob.pulse.copy()
    pulse[-1] += 1
    outcome = bench.link().run_block(Experiment(block.alice, Record(block.bob.total, pulse, block.bob.mark)))
    refused(outcome, Reason.MESSAGE)


def test_the_pool_pays_and_is_refilled_one_block_later(bench):
    link = bench.link()
    before = link.alice.pool.slots
    for number in range(3):
        accepted(link.run_block(bench.block(number)))
        assert link.alice.pool.slots == link.bob.pool.slots == before - 1
        assert link.alice.pool.epsilon == pytest.approx(number * (1e-9 + 1e-12))


def test_inherited_epsilon_is_in_the_ledger(bench):
    link = bench.link()
    epsilons = [accepted(link.run_block(bench.block(n)))[0].ledger.epsilon_authentication for n in range(3)]
    assert epsilons[0] < 1e-20
    assert epsilons[1] < 1e-20  # the first refill is settled by the second block, and pays for later ones
    assert epsilons[2] == pytest.approx(1.001e-9)


@pytest.mark.requirement("QS-KY-005")
def test_a_dry_pool_stops_everything(bench):
    link = bench.link(bench.terms(refill_bits=0), preshared=PRESHARED_FOR_ONE)
    accepted(link.run_block(bench.block()))
    outcome = link.run_block(bench.block(1))
    assert outcome.alice.reason is Reason.OUT_OF_KEY
    assert outcome.bob.reason is Reason.PEER
    assert link.backoff.wait_s > 0


PRESHARED_FOR_ONE = bytes(range(48))


def test_an_end_that_is_over_says_so(bench):
    link = bench.link()
    outcome = link.run_block(bench.block())
    assert isinstance(outcome.alice, Block)
    bob = Bob(link.bob, bench.block().bob)
    bob.receive(b"\xff")
    assert bob.outcome.reason is Reason.MESSAGE
    with pytest.raises(LocalProtocolError, match="is over"):
        bob.receive(b"\xff")


def test_unknown_strategies_are_named(bench):
    with pytest.raises(ConfigError, match="'cascade-pateint' is unknown; there are"):
        bench.link(bench.terms(reconciliation="cascade-pateint"))
