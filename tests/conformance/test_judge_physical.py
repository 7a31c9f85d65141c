"""The judge of physical layers is judged: the reference passes, and a layer that breaks a rule fails that rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spoiling import SPECIFICATION, Spoilt, edit, failures, more, nothing, swallow, without

from qstack.conformance.judge import judge
from qstack.conformance.physical import PhysicalSuite
from qstack.physical.layer import PhysicalLayer
from qstack.services.device import Herald, Missed, Trigger
from qstack.services.l1_physical import Attempt, Heralded, Renumber, Skipped


def physical(site):
    return PhysicalLayer({peer: n.lanes for peer, n in site.neighbours.items()})


def told_again(answers, noun, ctx):
    if answers or noun.sequence > 1:
        return []
    return [Heralded(noun.peer, noun.lane, noun.aid, noun.sequence, noun.bell, noun.qubit, noun.emitted, -1, -1)]


def stops_all_lanes(answers, noun, ctx):
    return [Trigger(2, lane, -1, 0, keep=True, bases=()) for lane in (0, 1) if noun.aid < 0]


def one_count():
    """Count the successes of all links together."""
    count = []

    def spoil(inner, noun, ctx):
        if noun.peer == 0:
            count.append(noun)
            return [Skipped(0, 65_535, 0), *inner(noun, ctx)]
        return inner(noun, ctx)

    return spoil


def plain_numbers():
    """Take a smaller number for an older one."""
    last = {}

    def spoil(inner, noun, ctx):
        old = noun.sequence < last.get(noun.peer, 0) - 40_000
        last[noun.peer] = noun.sequence
        return [] if old else inner(noun, ctx)

    return spoil


BROKEN = {
    "attempts unasked": ("QS-L1-001", (Herald,), lambda: more(lambda a, noun, ctx: [Trigger(2, 0, 17, 0, True, ())])),  # noqa: FBT003 - as on the service
    "stops every lane": ("QS-L1-001", (Attempt,), lambda: more(stops_all_lanes)),
    "goes on after a withdrawal": ("QS-L1-001", (Attempt,), lambda: without(Trigger, lambda noun, ctx: noun.aid < 0)),
    "takes any lane": ("QS-L1-013", (Attempt,), lambda: swallow),
    "tells a success twice": ("QS-L1-022", (Herald,), lambda: more(told_again)),
    "improves the index": ("QS-L1-023", (Herald,), lambda: edit(Heralded, lambda h: replace(h, bell=0))),
    "listens to strangers": ("QS-L1-025", (Herald, Missed), lambda: swallow),
    "hides gaps": ("QS-L1-044", (Herald, Missed), lambda: without(Skipped)),
    "counts all links together": ("QS-L1-044", (Herald,), one_count),
    "forgets to wrap": ("QS-L1-282", (Herald,), plain_numbers),
    "counts on": ("QS-L1-281", (Renumber,), lambda: nothing),
}


class TestReference(PhysicalSuite):
    """The suite as a vendor's pytest runs it."""

    @pytest.fixture
    def make(self):
        return physical


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_layer_fails_what_it_breaks(name):
    number, kinds, spoil = BROKEN[name]
    assert failures(PhysicalSuite, lambda site: Spoilt([physical(site)], kinds, spoil())) == {number}


def test_every_requirement_of_the_suite_has_a_layer_that_breaks_it():
    assert {verdict.id for verdict in judge(PhysicalSuite, physical, SPECIFICATION)} == {
        number for number, _, _ in BROKEN.values()
    }
