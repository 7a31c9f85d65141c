"""The sampled BB84 link against its closed form, and skipping against pulse by pulse."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from qstack.core.errors import ConfigError
from qstack.keys import bb84, pulses
from qstack.keys.marks import MARKS, alias_table, draw_marks
from qstack.keys.models import Fibre, Receiver, Setup, Source
from qstack.keys.randomness import stream
from qstack.keys.records import ALICE_MASK, BOB_MASK, INTENSITY

DECOY = Source(intensities=(0.5, 0.15, 0.0), probabilities=(0.5, 0.3, 0.2), p_key=0.7)
WORKLOAD = Setup(source=Source(intensities=(0.1,), probabilities=(1.0,), p_key=0.5), receiver=Receiver(p_key=0.5))
SETUPS = {
    "workload": (WORKLOAD, 20_000_000),
    "decoys": (Setup(source=DECOY, receiver=Receiver(p_key=0.6)), 2_000_000),
    "dark": (
        Setup(source=DECOY, fibre=Fibre(length_km=60), receiver=Receiver(dark_rate_hz=2e5, p_key=0.6)),
        10_000_000,
    ),
    "bright": (Setup(source=DECOY, fibre=Fibre(length_km=0), receiver=Receiver(optical_error=0.2, p_key=0.5)), 300_000),
    "testing": (Setup(source=DECOY, receiver=Receiver(self_test=0.1, p_key=0.6)), 2_000_000),
}


def tally(experiment):
    """Counts by mark of all clicks, shape (64,)."""
    return np.bincount(experiment.alice.mark | experiment.bob.mark, minlength=MARKS)


@pytest.mark.parametrize("name", SETUPS)
def test_every_count_agrees_with_the_closed_form(name):
    setup, number = SETUPS[name]
    seen = tally(bb84.sample(setup, number, 11))
    mean = number * bb84.mark_probabilities(setup)
    assert seen[mean == 0].sum() == 0
    often = mean > 25
    z = (seen - mean)[often] / np.sqrt(mean[often])
    assert np.abs(z).max() < 4
    assert stats.chi2.sf((z**2).sum(), z.size) > 1e-4
    rare = mean[~often].sum()
    assert min(stats.poisson.cdf(seen[~often].sum(), rare), stats.poisson.sf(seen[~often].sum() - 1, rare)) > 1e-5


@pytest.mark.parametrize("name", SETUPS)
def test_sifted_bits_and_errors_agree_with_the_rate(name):
    setup, number = SETUPS[name]
    found = bb84.sample(setup, number, 5).sifted()
    mean = bb84.expected(setup, number)
    for seen, part in zip(found, (mean.key, mean.key_errors, mean.test, mean.test_errors), strict=True):
        assert abs(seen - sum(part)) < 4 * sqrt(sum(part))


def test_the_workload_gives_0_0246_sifted_bits_a_pulse():
    mean = bb84.expected(WORKLOAD, 1.0)
    assert sum(mean.key) + sum(mean.test) == pytest.approx(0.0246, abs=5e-5)


@pytest.mark.parametrize("name", ["decoys", "dark", "bright", "testing"])
def test_pulse_by_pulse_gives_the_same_distribution(name):
    setup, number = SETUPS[name]
    fast, slow = bb84.sample(setup, number, 3), pulses.sample(setup, min(number, 2_000_000), 4).experiment
    a, b = tally(fast).astype(float), tally(slow).astype(float)
    used = a + b > 10
    assert stats.chi2_contingency(np.array([a[used], b[used]]) + 1e-9).pvalue > 1e-4
    gap_fast, gap_slow = np.diff(fast.bob.pulse)[:50_000], np.diff(slow.bob.pulse)[:50_000]
    assert stats.ks_2samp(gap_fast, gap_slow).pvalue > 1e-4


@pytest.mark.parametrize("name", SETUPS)
def test_gaps_are_geometric(name):
    setup, number = SETUPS[name]
    gaps = np.diff(bb84.sample(setup, number, 8).bob.pulse)
    click = bb84.mark_probabilities(setup).sum()
    assert abs(gaps.mean() - 1 / click) < 4 * sqrt((1 - click) / click**2 / gaps.size)
    for low in (1, 2, 5):
        p = (1 - click) ** low
        assert abs((gaps > low).mean() - p) < 4 * sqrt(p * (1 - p) / gaps.size) + 1e-12


def test_dead_time_keeps_clicks_apart_and_costs_what_it_should():
    setup = Setup(source=DECOY, receiver=Receiver(dead_time_s=1e-7, p_key=0.6))
    assert setup.dead_pulses == 8
    record = bb84.sample(setup, 2_000_000, 2).bob
    assert np.diff(record.pulse).min() == 9
    click = bb84.mark_probabilities(setup).sum()
    mean = 2_000_000 / (1 / click + 8)
    assert abs(record.pulse.size - mean) < 4 * sqrt(mean)


def test_same_seed_same_clicks_and_other_blocks_others():
    setup, number = SETUPS["decoys"]
    one, two = bb84.sample(setup, number, 1, 0), bb84.sample(setup, number, 1, 0)
    other = bb84.sample(setup, number, 1, 1)
    assert one.alice.mark.tobytes() == two.alice.mark.tobytes()
    assert one.bob.pulse.tobytes() == two.bob.pulse.tobytes()
    assert one.bob.pulse.tobytes() != other.bob.pulse.tobytes()


def test_without_a_seed_nothing_repeats():
    setup, _ = SETUPS["bright"]
    assert bb84.sample(setup, 10_000, None).bob.pulse.tobytes() != bb84.sample(setup, 10_000, None).bob.pulse.tobytes()


def test_each_end_knows_its_own_half_only():
    experiment = bb84.sample(SETUPS["dark"][0], 100_000, 1)
    assert not (experiment.alice.mark & ~ALICE_MASK).any()
    assert not (experiment.bob.mark & ~BOB_MASK).any()
    assert set(experiment.alice.field(INTENSITY, 2).tolist()) == {0, 1, 2}


def test_no_light_and_no_dark_counts_give_no_click():
    setup = Setup(
        source=Source(intensities=(1e-12,), probabilities=(1.0,)),
        fibre=Fibre(length_km=5000),
        receiver=Receiver(dark_rate_hz=0),
    )
    assert bb84.sample(setup, 1000, 1).clicks == 0


def test_clicks_may_be_rare():
    setup = Setup(fibre=Fibre(length_km=900), receiver=Receiver(dark_rate_hz=1e-3))
    seen, mean = bb84.sample(setup, 1 << 40, 3).clicks, (1 << 40) * bb84.mark_probabilities(setup).sum()
    assert mean < 100
    assert abs(seen - mean) < 4 * sqrt(mean)


@pytest.mark.parametrize("number", [0, -5])
def test_blocks_have_pulses(number):
    for sampler in (bb84.sample, pulses.sample):
        with pytest.raises(ConfigError, match="needs at least one"):
            sampler(WORKLOAD, number, 1)


def test_memory_is_refused_not_approximated():
    with pytest.raises(ConfigError, match="memory"):
        bb84.sample(Setup(receiver=Receiver(afterpulse=0.04)), 1000, 1)
    with pytest.raises(ConfigError, match="pulse by pulse"):
        pulses.sample(Setup(receiver=Receiver(afterpulse=0.04)), 1000, 1)


def test_alias_table_is_exact():
    weights = np.random.default_rng(3).random(MARKS) * (np.arange(MARKS) % 3 > 0)
    weights /= weights.sum()
    thresholds, aliases = alias_table(weights)
    share = thresholds / 2.0**58 / MARKS
    back = share.copy()
    np.add.at(back, aliases, 1 / MARKS - share)
    assert back == pytest.approx(weights, abs=1e-15)
    seen = np.bincount(draw_marks(stream(1, 0, "test"), 400_000, thresholds, aliases), minlength=MARKS)
    assert seen[weights == 0].sum() == 0
    assert stats.chisquare(seen[weights > 0], 400_000 * weights[weights > 0]).pvalue > 1e-4
