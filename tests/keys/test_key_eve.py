"""Eavesdroppers: what each learns is what the books say, and what the block does about it."""

from __future__ import annotations

from math import cos, exp, expm1, pi, sqrt

import numpy as np
import pytest

from qstack.core.errors import ConfigError
from qstack.keys import bb84, pulses
from qstack.keys.amplify import toeplitz
from qstack.keys.channel import Side
from qstack.keys.eve.blinding import Blinding
from qstack.keys.eve.middle import Listener
from qstack.keys.eve.report import assess
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.eve.splitting import PhotonNumberSplitting
from qstack.keys.information import binary_entropy
from qstack.keys.ledger import Assumption, Block, Reason, Rejected
from qstack.keys.messages import Amplify, Verify
from qstack.keys.models import Fibre, Receiver, Setup, Source
from qstack.keys.records import ALICE_BASIS, ALICE_BIT, BOB_BASIS, INTENSITY

BRIGHT = Setup(
    source=Source(intensities=(0.5, 0.1), probabilities=(0.5, 0.5), p_key=0.5),
    fibre=Fibre(length_km=5),
    receiver=Receiver(optical_error=0, dark_rate_hz=0, p_key=0.5),
)


def key_bits(experiment):
    """Alice's sifted key bits."""
    alice, bob = experiment.alice, experiment.bob
    chosen = (alice.field(ALICE_BASIS) == bob.field(BOB_BASIS)) & (alice.field(ALICE_BASIS) == 0)
    return alice.field(ALICE_BIT)[chosen]


def close(share, chance, size):
    return abs(share - chance) < 4 * sqrt(max(chance * (1 - chance), 1e-12) / size) + 1e-12


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("between", [False, True])
def test_intercept_resend_learns_and_disturbs_as_published(share, between):
    """QBER p/4; guess 3/4 or cos^2(pi/8) of the attacked bits; I = p/2 or 0.399 p."""
    tapped = pulses.sample(BRIGHT, 600_000, 3, 0, InterceptResend(share=share, between=between))
    key, errors, test, test_errors = tapped.experiment.sifted()
    assert close(errors / key, share / 4, key)
    assert close(test_errors / test, share / 4, test)
    guess, information = tapped.on_key()
    assert information.size == key
    worth = 1 - binary_entropy(cos(pi / 8) ** 2) if between else 0.5
    assert information.mean() == pytest.approx(share * worth, abs=4 * 0.5 / sqrt(key))
    right = (guess == key_bits(tapped.experiment))[information > 0]
    if between and share:
        assert close(right.mean(), cos(pi / 8) ** 2, right.size)
    assert between or right.all()


def test_guesses_of_intercept_resend_are_right_three_times_in_four():
    tapped = pulses.sample(BRIGHT, 600_000, 3, 0, InterceptResend())
    guess, _ = tapped.on_key()
    coin = np.random.Generator(np.random.Philox(1)).integers(0, 2, guess.size, dtype=np.uint8)
    known = tapped.on_key()[1] > 0
    right = np.where(known, guess, coin) == key_bits(tapped.experiment)
    assert close(right.mean(), 0.75, right.size)


def test_splitting_knows_every_multiphoton_bit_and_leaves_no_error():
    tapped = pulses.sample(BRIGHT, 1_000_000, 3, 0, PhotonNumberSplitting.hidden(BRIGHT))
    key, errors, *_ = tapped.experiment.sifted()
    guess, information = tapped.on_key()
    assert errors == 0
    assert set(information.tolist()) == {0.0, 1.0}
    assert np.array_equal(guess[information == 1], key_bits(tapped.experiment)[information == 1])
    assert 0.2 * key < information.sum() < 0.9 * key


@pytest.mark.parametrize(("mean", "chance"), [(0.5, 0.0902), (0.1, 0.00468)])
def test_pulses_with_two_or_more_photons_are_as_many_as_published(mean, chance):
    assert 1 - exp(-mean) * (1 + mean) == pytest.approx(chance, abs=5e-5)


@pytest.mark.parametrize("km", [10, 25, 50])
def test_splitting_hides_in_the_signal_and_shows_in_the_decoy(km):
    setup = BRIGHT.model_copy(update={"fibre": Fibre(length_km=km)})
    attack, size = PhotonNumberSplitting.hidden(setup), 2_000_000
    seen = [pulses.sample(setup, size, 5, 0, a).experiment.alice.field(INTENSITY, 2) for a in (attack, None)]
    for index, share in enumerate((0.5, 0.5)):
        expected = size * share * -expm1(-setup.transmittance * setup.source.intensities[index])
        tapped, honest = (np.count_nonzero(clicks == index) for clicks in seen)
        assert abs(honest - expected) < 4 * sqrt(expected)
        if index == 0 and 0 < attack.single < 1:
            assert abs(tapped - expected) < 4 * sqrt(expected)
        else:
            assert abs(tapped - expected) > 4 * sqrt(expected)


INSIDE = [
    InterceptResend(share=0.02),
    InterceptResend(share=0.02, between=True),
    InterceptResend(share=0.1),
    InterceptResend(),
    InterceptResend(between=True),
    PhotonNumberSplitting(single=1.0),
    PhotonNumberSplitting(single=0.9),
    PhotonNumberSplitting(single=0.5),
]


@pytest.mark.parametrize("attack", INSIDE, ids=lambda a: a.name)
def test_inside_the_proof_the_key_is_shorter_than_what_eve_does_not_know(bench, attack):
    tapped = bench.tapped(attack)
    _, information = tapped.on_key()
    assert attack.breaks is None
    for fixed in (False, True):
        outcome = bench.link(bench.terms(fixed=fixed, leak_limit=0.45)).run_block(tapped.experiment)
        ledger = outcome.alice.ledger
        assert ledger.length <= max(0.0, information.size - information.sum() - ledger.leak)
        assert ledger.length <= max(0.0, information.size - information.sum() - 0.45 * ledger.key_bits) or fixed


def test_a_little_eavesdropping_costs_bits_and_a_lot_costs_the_block(bench):
    bounds = []
    for share in (0.0, 0.02, 0.2):
        clicks = bench.tapped(InterceptResend(share=share)).experiment
        terms = bench.terms(fixed=False, leak_limit=0.15 + 0.3 * share, count_reverse=False)
        ledger = bench.link(terms).run_block(clicks).alice.ledger
        bounds.append((ledger.length, ledger.bounds.phase_error))
    lengths, phases = zip(*bounds, strict=True)
    assert lengths[0] > lengths[1] > 0 == lengths[2]
    assert phases[0] < phases[1] < phases[2]


def test_the_announced_tolerances_catch_splitting(bench):
    outcome = bench.link().run_block(bench.tapped(PhotonNumberSplitting.hidden(bench.setup)).experiment)
    assert not outcome.accepted
    assert Reason.TOLERANCE in {outcome.alice.reason, outcome.bob.reason}
    honest = pulses.sample(bench.setup, bench.pulses, 1).experiment
    assert bench.link().run_block(honest).accepted


def test_full_interception_is_caught_with_m_test_bits():
    """At a threshold of 15 % above honest noise, 99 % of attacks are caught at 200 test bits, and none of the honest."""
    generator = np.random.Generator(np.random.Philox(2))
    attacked = pulses.sample(BRIGHT, 400_000, 1, 0, InterceptResend()).experiment
    alice, bob = attacked.alice, attacked.bob
    same = alice.field(ALICE_BASIS) == bob.field(BOB_BASIS)
    wrong = (alice.field(ALICE_BIT) != bob.field(1))[same]
    samples = wrong[generator.integers(0, wrong.size, (2000, 200))].mean(axis=1)
    assert (samples > 0.15).mean() > 0.99


def eve_key(listener, guess):
    """What Eve computes from the public transcript and her copy of the sifted key."""
    amplify = next(message for _, message in listener.heard if isinstance(message, Amplify))
    return toeplitz(guess, amplify.seed, amplify.length)


def blinded(bench, self_test):
    receiver = Receiver(p_key=0.8, self_test=self_test)
    setup = bench.setup.model_copy(update={"receiver": receiver})
    honest = bb84.expected(setup, 1.0)
    sent = sum(p * -expm1(-k) for k, p in zip(bench.source.intensities, bench.source.probabilities, strict=True))
    return bench.tapped(Blinding(share=min(1.0, sum(honest.key) / (0.8 * sent * 0.8))), setup)


def test_blinding_without_a_countermeasure_gives_eve_the_key(bench):
    """The block is accepted, the error rate is perfect, Eve holds the final key; the ledger names what was assumed."""
    tapped = blinded(bench, 0.0)
    guess, information = tapped.on_key()
    assert tapped.experiment.sifted()[1] == 0
    assert information.min() == pytest.approx(1.0)
    link, listener = bench.link(bench.terms(fixed=False)), Listener()
    link.wire = listener
    outcome = link.run_block(tapped.experiment)
    assert outcome.accepted
    stolen = eve_key(listener, guess)[outcome.alice.ledger.refill_bits :]
    assert np.packbits(stolen).tobytes() == outcome.alice.key.reveal()
    attack = Blinding()
    assert attack.breaks is Assumption.DETECTORS
    assert attack.breaks in outcome.alice.ledger.assumptions


def test_blinding_with_a_self_test_is_caught(bench):
    tapped = blinded(bench, 0.01)
    assert tapped.experiment.bob.self_tests > 1000
    assert tapped.experiment.bob.self_test_clicks == 0
    outcome = bench.link(bench.terms(fixed=False)).run_block(tapped.experiment)
    assert isinstance(outcome.alice, Rejected)
    assert outcome.alice.reason is Reason.BLINDED


def test_the_self_test_does_not_disturb_honest_blocks(bench):
    setup = bench.setup.model_copy(update={"receiver": Receiver(p_key=0.8, self_test=0.01)})
    for sampler in (
        lambda: bb84.sample(setup, bench.pulses, 1),
        lambda: pulses.sample(setup, bench.pulses, 1).experiment,
    ):
        experiment = sampler()
        assert experiment.bob.self_test_clicks == experiment.bob.self_tests > 0
        assert bench.link(bench.terms(fixed=False)).run_block(experiment).accepted


def test_without_anybody_eve_knows_nothing():
    guess, information = pulses.sample(BRIGHT, 100_000, 1).on_key()
    assert guess.size == information.size > 1000
    assert not information.any()


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_are_probabilities(share):
    for attack in (InterceptResend, Blinding):
        with pytest.raises(ConfigError, match=r"share: -?\d"):
            attack(share=share)


def test_a_listener_hears_only_what_is_public(bench):
    listener = Listener()
    link = bench.link()
    link.wire = listener
    outcome = link.run_block(bench.block())
    assert isinstance(outcome.alice, Block)
    secret = outcome.alice.key.reveal()
    assert all(secret[:8] not in frame for _, frame in listener.frames)
    assert {speaker for speaker, _ in listener.heard} == {Side.ALICE, Side.BOB}
    assert any(isinstance(message, Verify) for _, message in listener.heard)


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (InterceptResend(share=0.02), "accepted"),
        (InterceptResend(), "nothing secret would remain"),
        (PhotonNumberSplitting(single=0.5), "worse than announced"),
    ],
)
def test_the_report_of_an_attack_within_the_proof(bench, attack, words):
    tapped = bench.tapped(attack)
    fixed = isinstance(attack, PhotonNumberSplitting)
    terms = bench.terms(fixed=fixed, leak_limit=0.16, count_reverse=False)
    report = assess(attack, tapped, bench.link(terms).run_block(tapped.experiment))
    assert report.secure
    assert report.broken is None
    assert words in str(report)
    assert report.learned > 0


def test_the_report_of_blinding_names_the_assumption_that_fell(bench):
    tapped = blinded(bench, 0.0)
    report = assess(Blinding(), tapped, bench.link(bench.terms(fixed=False)).run_block(tapped.experiment))
    assert not report.secure
    assert report.broken is Assumption.DETECTORS
    assert "The key is hers, because this does not hold: the detectors answer to single photons" in str(report)
    caught = blinded(bench, 0.01)
    report = assess(Blinding(), caught, bench.link(bench.terms(fixed=False)).run_block(caught.experiment))
    assert report.secure
    assert "does not see its own test light" in str(report)
