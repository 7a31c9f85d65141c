"""Finite keys: bounds on the safe side, lengths that never exceed what they may, published behaviour."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.core.errors import ConfigError
from qstack.keys import bb84, finite, rates
from qstack.keys.finite import Counts, Epsilons
from qstack.keys.information import binary_entropy
from qstack.keys.models import Fibre, Receiver, Setup, Source

EPS = Epsilons(1e-9, 1e-12)
TWO = Source(intensities=(0.5, 0.15, 0.0), probabilities=(0.4, 0.4, 0.2), p_key=0.8)
ONE = Source(intensities=(0.5, 0.15), probabilities=(0.6, 0.4), p_key=0.8)


def setup_of(source, km=10.0, **receiver):
    return Setup(source=source, fibre=Fibre(length_km=km), receiver=Receiver(p_key=source.p_key, **receiver))


def true_singles(setup, pulses):
    """Single-photon key clicks and their error rate, from the model itself."""
    source, receiver = setup.source, setup.receiver
    eta, dark, wrong = setup.transmittance, setup.dark, receiver.optical_error
    yield_one = 1 - (1 - dark) ** 2 * (1 - eta)
    error = eta * (wrong * (1 - dark / 2) + (1 - wrong) * dark / 2) + (1 - eta) * dark * (2 - dark) / 2
    sent = pulses * source.p_key * receiver.p_key
    singles = sent * sum(p * k * exp(-k) for k, p in zip(source.intensities, source.probabilities, strict=True))
    empty = sent * finite.poisson_share(source, 0) * dark * (2 - dark)
    return empty, singles * yield_one, error / yield_one


@given(
    km=st.floats(0, 120),
    pulses=st.floats(1e7, 1e12),
    efficiency=st.floats(0.05, 1),
    error=st.floats(0, 0.08),
    dark=st.floats(0, 1e4),
    signal=st.floats(0.2, 0.9),
    share=st.floats(0.1, 0.45),
    p_key=st.floats(0.3, 0.95),
    decoys=st.integers(1, 2),
)
@settings(max_examples=300, deadline=None)
def test_bounds_stay_on_the_safe_side_of_the_truth(km, pulses, efficiency, error, dark, signal, share, p_key, decoys):
    mus = (signal, signal * share, 0.0)[: decoys + 1]
    chances = (0.4, 0.4, 0.2) if decoys == 2 else (0.6, 0.4)
    source = Source(intensities=mus, probabilities=chances, p_key=p_key)
    setup = setup_of(source, km, efficiency=efficiency, optical_error=error, dark_rate_hz=dark)
    counts = bb84.expected(setup, pulses)
    found = (finite.two_decoys if decoys == 2 else finite.one_decoy)(source, counts, EPS)
    empty, singles, phase = true_singles(setup, pulses)
    assert found.vacuum <= empty * (1 + 1e-9) + 1e-6
    assert found.single <= singles * (1 + 1e-9)
    assert found.phase_error >= min(0.5, phase) - 1e-9
    leak = 1.1 * sum(counts.key) * binary_entropy(sum(counts.key_errors) / sum(counts.key))
    length = finite.length(found, leak, finite.TWO_DECOYS.cost(EPS))
    assert length <= sum(counts.key)
    assert length <= pulses * max(0.0, rates.decoy_bb84(setup, 1.1)) + empty + 1e-6


@pytest.mark.parametrize("decoys", [1, 2])
def test_length_rises_with_the_block_and_tends_to_the_asymptotic_bound(decoys):
    source = TWO if decoys == 2 else ONE
    setup = setup_of(source)
    rate = []
    for pulses in (1e5, 1e7, 1e9, 1e11, 1e13, 1e15):
        counts = bb84.expected(setup, pulses)
        found = (finite.two_decoys if decoys == 2 else finite.one_decoy)(source, counts, EPS)
        leak = sum(counts.key) * binary_entropy(sum(counts.key_errors) / sum(counts.key))
        rate.append(finite.length(found, leak, finite.TWO_DECOYS.cost(EPS)) / pulses)
    assert rate[0] == 0
    assert rate[1:] == sorted(rate[1:])
    assert rate[-1] < rates.decoy_bb84(setup, 1.0)
    assert rate[-1] > 0.8 * rates.decoy_bb84(setup, 1.0)


# Best parameters (signal, decoy/signal, shares, p_key) for 1e7 key bits, detectors of 20 % and 100 Hz at 1 GHz.
BEST = {
    50: ((0.514, 0.294, 0.685, 0.882), (0.518, 0.477, 0.505, 0.752, 0.888)),
    100: ((0.495, 0.314, 0.700, 0.887), (0.537, 0.453, 0.521, 0.778, 0.880)),
    150: ((0.505, 0.314, 0.690, 0.882), (0.553, 0.448, 0.507, 0.754, 0.888)),
}


@pytest.mark.parametrize("km", BEST)
def test_one_decoy_beats_two_at_ten_million_bits(km):
    """The claim of Rusca et al. for blocks up to 1e8; each protocol at its own optimum."""
    (mu, ratio, p1, p_key), (mu2, ratio2, p12, share, p_key2) = BEST[km]
    one = Source(intensities=(mu, mu * ratio), probabilities=(p1, 1 - p1), p_key=p_key, rate_hz=1e9)
    two = Source(
        intensities=(mu2, mu2 * ratio2, 2e-4),
        probabilities=(p12, (1 - p12) * share, (1 - p12) * (1 - share)),
        p_key=p_key2,
        rate_hz=1e9,
    )

    def rate(source, bound, cost):
        setup = setup_of(source, km, efficiency=0.2, dark_rate_hz=100, optical_error=0.01)
        pulses = 1e7 / sum(bb84.expected(setup, 1.0).key)
        counts = bb84.expected(setup, pulses)
        leak = 1.16e7 * binary_entropy(sum(counts.key_errors) / 1e7)
        return finite.length(bound(source, counts, EPS), leak, cost.cost(EPS)) / pulses

    first, second = rate(one, finite.one_decoy, finite.ONE_DECOY), rate(two, finite.two_decoys, finite.TWO_DECOYS)
    assert 1.0 < first / second < 1.1


def test_vacuum_and_weak_decoy_bounds_of_ma_2005():
    """Endless blocks: the two-decoy bound on Y_1 is 0.9857 of the truth for the GYS link (mu = 0.48, nu = 0.05)."""
    source = Source(intensities=(0.48, 0.05, 0.0), probabilities=(0.5, 0.25, 0.25), p_key=0.5, rate_hz=1e9)
    setup = Setup(
        source=source,
        fibre=Fibre(length_km=50, loss_db_per_km=0.21),
        receiver=Receiver(efficiency=0.045, dark_rate_hz=850, optical_error=0.033, p_key=0.5),
    )
    pulses = 1e24
    found = finite.two_decoys(source, bb84.expected(setup, pulses), EPS)
    _, singles, phase = true_singles(setup, pulses)
    assert found.single / singles == pytest.approx(0.9857, abs=2e-4)
    assert phase == pytest.approx(0.0332, abs=1e-4)
    assert found.phase_error == pytest.approx(0.0354, abs=2e-4)


def pair_length(key, test, error=0.03):
    return finite.length(
        finite.single_photons(key, test, error, EPS), 1.1 * key * binary_entropy(error), finite.pair_cost(EPS)
    )


def test_pairs_behave_as_published():
    """Length rises with n + k, is zero for small blocks, and the best share of test bits falls (Tomamichel et al.)."""
    best = {}
    for total in (1e3, 1e4, 1e5, 1e6, 1e7):
        best[total] = max((pair_length(total * (1 - s / 100), total * s / 100), s / 100) for s in range(1, 80))
    rate = [length / total for total, (length, _) in best.items()]
    assert rate[0] == 0
    assert rate == sorted(rate)
    assert rate[-1] < rates.bb84(0.03, 0.03, 1.1)
    shares = [share for total, (_, share) in best.items() if total >= 1e4]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.requirement("QS-KY-002")
@given(
    key=st.integers(0, 10**7),
    test=st.integers(0, 10**7),
    error=st.floats(0, 0.5),
    leak=st.floats(0, 1e7),
    secrecy=st.floats(1e-15, 0.1),
)
def test_pairs_never_longer_than_the_bound(key, test, error, leak, secrecy):
    eps = Epsilons(secrecy, 1e-12)
    length = finite.length(finite.single_photons(key, test, error, eps), leak, finite.pair_cost(eps))
    assert 0 <= length <= max(0.0, key * (1 - binary_entropy(min(error, 0.5))) - leak)


def test_smaller_epsilons_cost_bits():
    counts = bb84.expected(setup_of(TWO), 1e9)
    lengths = []
    for secrecy in (1e-6, 1e-9, 1e-12):
        eps = Epsilons(secrecy, secrecy)
        lengths.append(finite.length(finite.two_decoys(TWO, counts, eps), 0, finite.TWO_DECOYS.cost(eps)))
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 3


def test_bad_input_is_named():
    counts = Counts((1.0, 1.0), (1.0, 1.0), (0.0, 0.0))
    with pytest.raises(ConfigError, match="three intensities, not 2"):
        finite.two_decoys(ONE, counts, EPS)
    with pytest.raises(ConfigError, match="errors of the key basis"):
        finite.one_decoy(ONE, counts, EPS)
    with pytest.raises(ConfigError, match="mu1 > mu2"):
        finite.two_decoys(
            Source(intensities=(0.5, 0.3, 0.25), probabilities=(0.4, 0.4, 0.2)),
            Counts((1,) * 3, (1,) * 3, (0,) * 3),
            EPS,
        )
    with pytest.raises(ConfigError, match="epsilon of secrecy"):
        Epsilons(0, 1e-9)


def test_nothing_counted_proves_nothing():
    zero = Counts((0.0,) * 3, (0.0,) * 3, (0.0,) * 3)
    assert finite.length(finite.two_decoys(TWO, zero, EPS), 0, finite.TWO_DECOYS.cost(EPS)) == 0
    assert finite.single_photons(0, 0, 0.0, EPS) == finite.NOTHING
