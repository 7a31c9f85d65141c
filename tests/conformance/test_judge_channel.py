"""The judge of channels is judged: built-in ones pass, and one that breaks a rule fails that rule and no other."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from spoiling import failures

from qstack.channels.models import Conditioned, Conditions, Ideal
from qstack.conformance.channel import ChannelSuite


@dataclass
class Channel:
    """Loses nothing, and is spoilt by a rule."""

    delay: int
    rule: object = None
    ideal: bool = False

    def arrivals(self, now, size, draw):
        return self.rule(self, now, size, draw)


def channel(rule, ideal=False):  # noqa: FBT002 - reads as written in the table
    return lambda light: Channel(light, rule, ideal)


shared = {"last": 0}


def coupled(self, now, size, draw):
    shared["last"] += 1
    return (now + self.delay,) if shared["last"] % 3 else ()


BROKEN = {
    "is faster than light": ({"QS-CL-281"}, channel(lambda c, now, size, draw: (now + c.delay - 1,))),
    "hides delay": ({"QS-CL-012"}, channel(lambda c, now, size, draw: (now + c.delay + 1,))),
    "lets nothing through": ({"QS-CL-282"}, channel(lambda c, now, size, draw: ())),
    "knows of the other direction": ({"QS-CL-283"}, channel(coupled)),
    "calls itself ideal and doubles": (
        {"QS-CL-284"},
        channel(lambda c, now, size, draw: (now + c.delay, now + c.delay), ideal=True),
    ),
    "has fractions": ({"QS-CL-285"}, channel(lambda c, now, size, draw: (float(now + c.delay),))),
}


def conditioned(light):
    return Conditioned(Conditions(loss=0.5, jitter="1 ms", reorder=0.2, held="1 s", rate=1e6), light)


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_channel_fails_what_it_breaks(name):
    numbers, make = BROKEN[name]
    assert failures(ChannelSuite, make) == numbers


@pytest.mark.requirement("QS-CF-007")
@pytest.mark.parametrize("make", [Ideal, conditioned])
def test_an_honest_channel_passes(make):
    assert failures(ChannelSuite, make) == set()
