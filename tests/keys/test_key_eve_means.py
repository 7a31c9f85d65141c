"""Closed forms of attacks, against pulses that were sent one by one; dead time in that mode against the skipping one."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from qstack.core.errors import ConfigError
from qstack.keys import bb84, pulses
from qstack.keys.eve.attack import on_pairs
from qstack.keys.eve.blinding import Blinding
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.eve.splitting import PhotonNumberSplitting
from qstack.keys.models import Fibre, Receiver, Setup, Source
from qstack.keys.records import ALICE_BASIS, BOB_BASIS, INTENSITY

LINK = Setup(
    source=Source(intensities=(0.6, 0.2, 0.0), probabilities=(0.5, 0.3, 0.2), p_key=0.7),
    fibre=Fibre(length_km=5),
    receiver=Receiver(efficiency=0.6, dark_rate_hz=8e4, optical_error=0.03, p_key=0.6, self_test=0.02),
)
NUMBER = 400_000
ATTACKS = [
    InterceptResend(share=0.3),
    InterceptResend(between=True),
    PhotonNumberSplitting(single=0.4),
    PhotonNumberSplitting(single=1.0),
    Blinding(share=0.5),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_closed_form_of_an_attack_is_what_pulses_show(attack):
    tapped = pulses.sample(LINK, NUMBER, 11, 0, attack)
    key, key_errors, test, test_errors = tapped.experiment.sifted()
    mean = attack.mean(LINK, NUMBER)
    wanted = mean.counts
    for found, parts in (
        (key, wanted.key),
        (key_errors, wanted.key_errors),
        (test, wanted.test),
        (test_errors, wanted.test_errors),
    ):
        assert abs(found - sum(parts)) < 4 * sqrt(max(sum(parts), 1))
    _, information = tapped.on_key()
    assert abs(information.sum() - mean.learned) < 4 * sqrt(max(mean.learned, 1))
    alice, bob = tapped.experiment.alice, tapped.experiment.bob
    on_key = (alice.field(ALICE_BASIS) == 0) & (bob.field(BOB_BASIS) == 0)
    seen = np.bincount(alice.field(INTENSITY, 2)[on_key], minlength=3)
    assert all(abs(a - b) < 4 * sqrt(max(b, 1)) for a, b in zip(seen, wanted.key, strict=True))


def test_the_closed_form_without_an_attack_is_the_honest_one():
    nobody = InterceptResend(share=0.0).mean(LINK, 1e6)
    honest = bb84.expected(LINK, 1e6)
    assert nobody.learned == 0
    for mine, theirs in zip(
        (nobody.counts.key, nobody.counts.key_errors, nobody.counts.test, nobody.counts.test_errors),
        (honest.key, honest.key_errors, honest.test, honest.test_errors),
        strict=True,
    ):
        assert mine == pytest.approx(theirs)


def test_on_pairs_only_measuring_and_resending_does_something():
    both = [on_pairs(InterceptResend(share=0.4, between=between), "eve") for between in (False, True)]
    assert [(one.x, one.y, one.z) for one in both] == [pytest.approx((0.8, 0.6, 0.8))] * 2
    assert [one.worth for one in both] == pytest.approx([0.2, 0.4 * 0.399], abs=1e-3)
    with pytest.raises(ConfigError, match="'splitter' acts on weak pulses and has nothing to do on pairs"):
        on_pairs(PhotonNumberSplitting(), "splitter")


def test_dead_time_pulse_by_pulse_is_that_of_the_skipping_mode():
    receiver = LINK.receiver.model_copy(update={"dead_time_s": 30 / LINK.source.rate_hz, "self_test": 0.0})
    link = LINK.model_copy(update={"receiver": receiver})
    slow, fast = pulses.sample(link, NUMBER, 3).experiment, bb84.sample(link, NUMBER, 4)
    for experiment in (slow, fast):
        assert np.diff(experiment.alice.pulse).min() == 31
    # a click and 30 dead pulses: the number of clicks varies less than a Poissonian one
    assert abs(slow.clicks - fast.clicks) < 4 * sqrt(slow.clicks + fast.clicks)
