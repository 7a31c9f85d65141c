"""Distillation strategies: what they promise is what they do."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstack.core.errors import PhysicsError
from qstack.correction.distillation import Bbpssw, Dejmps
from qstack.link.distil import Distiller
from qstack.quantum.states import fidelity, werner

SCHEMES = pytest.mark.parametrize("scheme", [Bbpssw, Dejmps])
noise = st.floats(0, 0.1)


@SCHEMES
@given(noise, noise, st.floats(0.3, 0.97))
def test_input_fidelity_is_the_inverse_of_output_fidelity(scheme, q, m, wanted):
    strategy = scheme(q, m)
    needed = strategy.input_fidelity(wanted)
    if needed <= 1:
        assert strategy.output_fidelity(needed, needed) == pytest.approx(wanted, abs=1e-9)
    else:
        assert strategy.output_fidelity(1.0, 1.0) < wanted


@SCHEMES
@given(noise, noise, st.floats(0.25, 1), st.floats(0.25, 1))
def test_output_fidelity_grows_with_the_input(scheme, q, m, one, two):
    strategy = scheme(q, m)
    low, high = sorted((one, two))
    assert strategy.output_fidelity(low, low) <= strategy.output_fidelity(high, high) + 1e-12


@SCHEMES
def test_published_values(scheme):
    strategy = scheme()
    probability, correlators = strategy.combine(werner(0.9), werner(0.9))
    assert probability == pytest.approx(0.875555555556)
    assert fidelity(correlators) == pytest.approx(0.926395939086)
    assert strategy.output_fidelity(0.9, 0.9) == pytest.approx(0.926395939086)


def test_rounds_of_dejmps():
    pair, found = werner(0.7), []
    for _ in range(5):
        _, pair = Dejmps().combine(pair, pair)
        found.append(fidelity(pair))
    assert found == pytest.approx([0.735294117647, 0.845945945946, 0.934394661582, 0.972003997929, 0.996963915271])


@SCHEMES
def test_a_scheme_is_what_the_link_layer_takes(scheme):
    strategy = scheme(0.01, 0.02)
    assert Distiller(strategy).input_fidelity(0.9) == strategy.input_fidelity(0.9)
    assert pickle.loads(pickle.dumps(strategy)).combine(werner(0.9), werner(0.8)) == strategy.combine(
        werner(0.9), werner(0.8)
    )


def test_limits():
    assert Dejmps().input_fidelity(0.2) == 0.25
    assert Dejmps(1.0).input_fidelity(0.2) == 0.25
    assert Dejmps(1.0).input_fidelity(0.5) == math.inf
    with pytest.raises(PhysicsError, match="gate noise"):
        Dejmps(1.5)
