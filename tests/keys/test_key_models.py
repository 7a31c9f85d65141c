"""Data sheets refuse what no hardware can be, in words."""

from __future__ import annotations

from math import inf, nan

import pytest

from qstack.core.errors import ConfigError
from qstack.keys.bbm92 import Pairs
from qstack.keys.models import Fibre, Receiver, Setup, Source
from qstack.keys.terms import Terms


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Fibre(length_km=-1), "Fibre.length_km: -1"),
        (lambda: Fibre(length_km=nan), "Fibre.length_km"),
        (lambda: Fibre(lenght_km=1), "Did you mean 'length_km'"),
        (lambda: Receiver(efficiency=1.2), "Receiver.efficiency: 1.2"),
        (lambda: Receiver(efficiency=0), "Receiver.efficiency: 0"),
        (lambda: Receiver(optical_error=0.6), "Receiver.optical_error: 0.6"),
        (lambda: Receiver(dark_rate_hz=inf), "Receiver.dark_rate_hz"),
        (lambda: Source(rate_hz=0), "Source.rate_hz: 0"),
        (lambda: Source(p_key=1), "Source.p_key: 1"),
        (lambda: Source(intensities=(0.1, 0.5, 0.0)), "fall strictly"),
        (lambda: Source(intensities=(0.5, 0.5, 0.0)), "fall strictly"),
        (lambda: Source(intensities=(0.5, 0.1)), "2 intensities need as many"),
        (lambda: Source(probabilities=(0.7, 0.2, 0.2)), "add up to 1"),
        (lambda: Source(intensities=(0.4, 0.3, 0.2, 0.1), probabilities=(0.25,) * 4), "one, two or three"),
        (lambda: Setup(receiver=Receiver(dark_rate_hz=1e9)), "fill every gate"),
        (lambda: Pairs(x=1, y=-1, z=1), "belong to no state"),
        (lambda: Pairs(x=1.1), "Pairs.x: 1.1"),
        (lambda: Terms(proof="two-decoys", leak_limit=0.2, secrecy=0), "Terms.secrecy: 0"),
        (lambda: Terms(proof="two-decoys", leak_limit=0.2, refill_bits=100), "Terms.refill_bits: 100"),
        (lambda: Terms(proof="one-decoy", leak_limit=0.2), "one-decoy needs 2 intensities, not 3"),
        (lambda: Terms(proof="gllp", leak_limit=0.2), "Terms.proof: 'gllp'"),
    ],
)
def test_refused(make, says):
    with pytest.raises(ConfigError) as caught:
        make()
    assert says in str(caught.value)


def test_sheets_are_frozen_and_hashable():
    assert hash(Setup()) == hash(Setup())
    with pytest.raises(ValueError, match="frozen"):
        Setup().fibre = Fibre()


def test_click_probability_does_not_depend_on_the_basis_and_error_is_half_in_the_dark():
    setup = Setup(receiver=Receiver(dark_rate_hz=1000))
    assert setup.error(0.0) / setup.gain(0.0) == pytest.approx(0.5)
    assert setup.gain(0.0) == pytest.approx(setup.dark * (2 - setup.dark))
