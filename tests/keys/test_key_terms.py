"""Terms: whatever was counted, the length stays below what the proof, the leak and the epsilons leave."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.keys import bb84
from qstack.keys.finite import Bounds, Counts
from qstack.keys.models import Setup, Source
from qstack.keys.secret import Secret
from qstack.keys.session import run_block
from qstack.keys.terms import Proof, Terms, Tolerances, announce, leak_limit

SOURCES = {
    Proof.TWO_DECOYS: Source(intensities=(0.5, 0.15, 0.0), probabilities=(0.4, 0.4, 0.2)),
    Proof.ONE_DECOY: Source(intensities=(0.5, 0.15), probabilities=(0.6, 0.4)),
    Proof.PAIRS: Source(),
}
CLICKS = st.integers(0, 10**7)


@given(
    proof=st.sampled_from(list(Proof)),
    data=st.data(),
    limit=st.floats(0.01, 0.9),
    secrecy=st.floats(1e-15, 1e-3),
    fixed=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_no_counts_at_all_give_a_key_longer_than_its_bound(proof, data, limit, secrecy, fixed):
    width = {Proof.TWO_DECOYS: 3, Proof.ONE_DECOY: 2, Proof.PAIRS: 1}[proof]
    key, test = (data.draw(st.tuples(*[CLICKS] * width)) for _ in range(2))
    wrong, key_wrong = (tuple(data.draw(st.integers(0, n)) for n in part) for part in (test, key))
    tolerances = Tolerances(vacuum=0, single=1000, phase_error=0.1, leak=limit * sum(key)) if fixed else None
    terms = Terms(proof=proof, source=SOURCES[proof], leak_limit=limit, secrecy=secrecy, tolerances=tolerances)
    found = terms.bounds(Counts(key, test, wrong, key_wrong))
    length = terms.length(found, sum(key))
    assert 0 <= length <= sum(key)
    assert length <= max(0.0, found.secret - terms.most_leak(sum(key)) - terms.cost)
    assert found.phase_error <= 0.5


def test_tolerances_admit_what_is_at_least_as_good():
    terms = Tolerances(vacuum=10, single=1000, phase_error=0.05, leak=0)
    assert terms.admit(Bounds(10, 1000, 0.05))
    for worse in (Bounds(9, 1000, 0.05), Bounds(10, 999, 0.05), Bounds(10, 1000, 0.051)):
        assert not terms.admit(worse)


def test_the_digest_covers_every_term():
    base = Terms(proof=Proof.TWO_DECOYS, source=SOURCES[Proof.TWO_DECOYS], leak_limit=0.2)
    changes = (
        {"secrecy": 1e-10},
        {"correctness": 1e-10},
        {"leak_limit": 0.3},
        {"count_reverse": False},
        {"refill_bits": 512},
        {"alarm": 0.1},
        {"key_error": 0.02},
        {"reconciliation": "ldpc"},
        {"tolerances": Tolerances(single=1, phase_error=0.5, leak=1)},
        {"source": Source()},
    )
    digests = {base.model_copy(update=change).digest for change in changes} | {base.digest}
    assert len(digests) == len(changes) + 1


def test_leak_limits_count_both_ways():
    one, both = (leak_limit(0.03, 1.1, 1e6, both_ways=way) for way in (False, True))
    assert both == pytest.approx(2 * one, rel=1e-2)
    assert one > 1.1 * 0.1944


def test_the_example_of_the_package_makes_a_key():
    setup = Setup()
    pulses = bb84.pulses_for(setup, 1_000_000)
    mean = bb84.expected(setup, pulses)
    terms = announce(mean, Terms(proof="two-decoys", source=setup.source, leak_limit=0.3))
    outcome = run_block(bb84.sample(setup, pulses, seed=7), terms, Secret(os.urandom(48)))
    assert outcome.accepted
    assert len(outcome.alice.key.take(256)) == 32


def test_nothing_heavy_is_imported_before_it_is_used():
    code = (
        "import sys, qstack.keys.session, qstack.keys.pulses, qstack.keys.eve.report, qstack.keys.bbm92;"
        "print([m for m in ('scipy', 'numba', 'cryptography') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
