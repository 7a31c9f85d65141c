"""What media do to a pair is what the pure functions say."""

from __future__ import annotations

import math

import pytest

from qstack.core.errors import PhysicsError
from qstack.hardware.models import RelaxingMemory
from qstack.hardware.pairs import Exponential, Half, Pair, swap
from qstack.hardware.randomness import Stream
from qstack.quantum import memory, swapping


@pytest.mark.parametrize(("t1", "t2", "age"), [(10e12, 5e12, 1e12), (math.inf, 3e12, 7e11), (1e9, 2e9, 5e8)])
def test_decay_of_a_stored_half(t1, t2, age):
    decay = memory.t1_t2(age, t1, t2)
    assert Exponential(t1, t2).survival(0, int(age)) == pytest.approx((decay.xy, decay.z), rel=1e-12)
    if t1 < math.inf:
        sheet = RelaxingMemory(relaxation_time=f"{t1:.0f} ps", coherence_time=f"{t2:.0f} ps").decay(age * 1e-12)
        assert (sheet.xy, sheet.z, sheet.shift) == pytest.approx((decay.xy, decay.z, decay.shift), rel=1e-9)


def test_swap_of_aged_pairs():
    factors, draw = swapping.swap_factors(0.02, 0.01), Stream(1, 0, "test")
    law, stored = Exponential(8e3, 5e3), []
    for correlators in ((0.9, 0.85, 0.95), (0.8, 0.75, 0.9)):
        pair = Pair(2, *correlators)
        pair.a, pair.b = Half(pair, law, 0, None, 0), Half(pair, law, 0, None, 1)
        stored.append(pair)
    outcome = swap(stored[0].b, stored[1].a, factors, draw, 1000)
    for half in (stored[0].a, stored[0].b):
        half.age(3000)
    joined = stored[0]
    inner, outer = memory.t1_t2(1000, 8e3, 5e3), memory.t1_t2(3000, 8e3, 5e3)
    expected = swapping.swap(
        memory.decay_pair((0.9, 0.85, 0.95), outer, inner), memory.decay_pair((0.8, 0.75, 0.9), inner, outer), factors
    )
    assert (joined.x, joined.y, joined.z) == pytest.approx(expected, rel=1e-12)
    assert joined.bell == outcome


def test_noise_of_attempts_adds_up():
    assert memory.attempts(3, 0.1).xy == pytest.approx(0.8**3)
    assert memory.attempts(0, 0.1) == memory.Decay(1.0, 1.0)
    step = memory.between(memory.attempts(10, 0.01), memory.attempts(25, 0.01))
    assert step.xy == pytest.approx(memory.attempts(15, 0.01).xy)
    with pytest.raises(PhysicsError, match="attempts"):
        memory.attempts(-1, 0.1)


def test_stretched_decay():
    assert memory.stretched(1.0, math.inf, 2.0, 2.0).xy == pytest.approx(math.exp(-0.25))
    assert memory.stretched(1.0, 3.0, 2.0, 1.0) == memory.t1_t2(1.0, 3.0, 2.0)
    with pytest.raises(PhysicsError, match="more coherence"):
        memory.stretched(1.0, 1.0, 10.0, 2.0)
