"""Asymptotic rates against published thresholds and golden values that others computed."""

from __future__ import annotations

from math import log10

import pytest

from qstack.keys import rates
from qstack.keys.information import binary_entropy, plob
from qstack.keys.models import Fibre, Receiver, Setup, Source

# Golden vectors of the project's reference data, kind gllp_infinite_decoy (Ma et al., PRA 72, 012326 (2005)).
GLLP = [
    ((48.58018, 0.401728, 0.186148, 0.227825, 1.381e-08, 0.030255, 1.113724), 0.00183412956153),
    ((43.029688, 0.372753, 0.24135, 0.103256, 2.936e-06, 0.007593, 1.056304), 0.00100908255116),
    ((97.88622, 0.236976, 0.210292, 0.069621, 7.042e-08, 0.026864, 1.207259), 3.10880860827e-05),
    ((39.697805, 0.234406, 0.199961, 0.113803, 1.401e-07, 0.007965, 1.155754), 0.00141668648552),
]


@pytest.mark.parametrize(
    ("efficiency", "limit"), [(1.0, 0.11003), (1.05, 0.1060), (1.10, 0.1023), (1.16, 0.0981), (1.20, 0.0955)]
)
def test_bb84_ends_where_it_should(efficiency, limit):
    assert rates.threshold(lambda q: rates.bb84(q, q, efficiency)) == pytest.approx(limit, abs=5e-5)


def test_six_state_ends_at_12_6_percent():
    assert rates.threshold(rates.six_state) == pytest.approx(0.12619, abs=1e-5)
    assert rates.six_state(0.0) == 1.0


def test_device_independent_ends_at_7_1_percent():
    assert rates.threshold(rates.device_independent) == pytest.approx(0.0715, abs=1e-4)


def test_bb84_limit_is_a_fidelity_of_0_835():
    limit = rates.threshold(lambda q: rates.bb84(q, q))
    assert 1 - 1.5 * limit == pytest.approx(0.8350, abs=1e-4)


@pytest.mark.parametrize(("parameters", "rate"), GLLP)
def test_gllp_golden_vectors(parameters, rate):
    km, mean, loss, receiver, background, misalignment, efficiency = parameters
    yields = rates.gys(
        km, mean, loss_db_per_km=loss, receiver=receiver, background=background, misalignment=misalignment
    )
    assert rates.gllp(yields, efficiency) == pytest.approx(rate, abs=1e-12)


@pytest.mark.parametrize(("km", "rate"), [(0, 2.555e-3), (50, 2.226e-4), (100, 1.719e-5)])
def test_gys_with_the_best_intensity(km, rate):
    best = max(rates.gllp(rates.gys(km, mean / 1000), 1.22) for mean in range(300, 700))
    assert best == pytest.approx(rate, rel=5e-4)


def test_gys_reaches_142_km():
    def reach(mean):
        return rates.threshold(lambda km: rates.gllp(rates.gys(km, mean), 1.22), 50, 200)

    assert reach(0.48) == pytest.approx(142.01, abs=0.01)
    assert max(reach(mean / 1000) for mean in range(400, 600, 5)) == pytest.approx(142.21, abs=0.01)
    assert rates.gllp(rates.gys(100, 0.48), 1.22) == pytest.approx(1.71844447639e-5, rel=1e-10)


@pytest.mark.parametrize(("km", "bound"), [(50, 0.152003093445), (100, 1.44995696951e-2), (1000, 1.44269504e-20)])
def test_plob(km, bound):
    assert plob(10 ** (-0.02 * km)) == pytest.approx(bound, rel=1e-8)


@pytest.mark.parametrize("km", [0.5, 10, 50, 100, 200])
@pytest.mark.parametrize("mean", [0.1, 0.5, 0.9])
def test_no_rate_exceeds_plob(km, mean):
    setup = Setup(
        source=Source(intensities=(mean, 0.01), probabilities=(0.99, 0.01), p_key=0.999),
        fibre=Fibre(length_km=km),
        receiver=Receiver(efficiency=1, dark_rate_hz=0, optical_error=0, p_key=0.999),
    )
    assert rates.decoy_bb84(setup) < plob(setup.fibre.transmittance)


def test_the_exact_detector_model_meets_the_usual_approximation():
    setup = Setup(
        source=Source(intensities=(0.48,), probabilities=(1.0,), rate_hz=1e9),
        fibre=Fibre(length_km=80, loss_db_per_km=0.21),
        receiver=Receiver(efficiency=0.045, dark_rate_hz=850, optical_error=0.033),
    )
    yields = rates.gys(80, 0.48)
    assert setup.gain(0.48) == pytest.approx(yields.gain, rel=1e-4)
    assert setup.error(0.48) / setup.gain(0.48) == pytest.approx(yields.error, rel=1e-3)


def test_entropy_at_its_ends_and_middle():
    assert [binary_entropy(x) for x in (-1, 0, 0.5, 1, 2)] == [0, 0, 1, 0, 0]
    assert binary_entropy(1e-300) > 0
    assert log10(binary_entropy(0.11)) == pytest.approx(log10(0.4999), abs=1e-4)
