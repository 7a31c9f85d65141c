"""The judge of link media is judged: built-in ones pass, and one that breaks a rule fails that rule and no other."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from qstack import api
from qstack.conformance.judge import failed, judge
from qstack.conformance.link_medium import Double, LinkMediumSuite
from qstack.conformance.profiles import PROFILES
from qstack.conformance.specification import load
from qstack.core.errors import PhysicsError
from qstack.hardware.midpoint import midpoint

SPECIFICATION = load(Path(__file__).parents[2] / "specs")
ticks = count(1)


def changed(**changes):
    """Return a medium whose sheets differ from the reference's; each change is a function of sheet and fibre."""

    def make(a, b, fibre):
        sheet = midpoint(a, b, fibre)
        return replace(sheet, **{name: change(sheet, fibre) for name, change in changes.items()})

    return make


def surer(sheet, fibre):
    return tuple(replace(h, probability=1.5) for h in sheet.heralds)


def partial(sheet, fibre):
    return tuple(replace(h, outcomes=h.outcomes[:1]) for h in sheet.heralds)


def purer(sheet, fibre):
    return tuple(
        replace(h, outcomes=tuple(replace(o, correlators=(1.2, 1.2, 1.2)) for o in h.outcomes)) for h in sheet.heralds
    )


def growing(sheet, fibre):
    return tuple(replace(h, probability=fibre.length / 100) for h in sheet.heralds)


def stubborn(a, b, fibre):
    """Make a link of anything, with the suite's own good interface in the place of what does not fit."""
    return midpoint(*(end.model_copy(update={"interface": Double()}) for end in (a, b)), fibre)


VARIANTS = {
    "success is more than certain": (changed(heralds=surer), "QS-L1-341"),
    "an outcome is left out": (changed(heralds=partial), "QS-L1-341"),
    "correlators of no state": (changed(heralds=purer), "QS-L1-341"),
    "there is no setting": (changed(heralds=lambda s, f: ()), "QS-L1-341"),
    "a herald is there at once": (changed(reply=lambda s, f: (s.emit[0], s.emit[1])), "QS-L1-342"),
    "one end is told too early": (changed(reply=lambda s, f: (s.reply[0], s.emit[1])), "QS-L1-342"),
    "attempts take no time": (changed(period=lambda s, f: 0), "QS-L1-343"),
    "a period in floating point": (changed(period=lambda s, f: s.period + 0.5), "QS-L1-343"),
    "messages at once": (changed(delay=lambda s, f: 0), "QS-L1-344"),
    "sheets drift": (changed(period=lambda s, f: s.period + next(ticks)), "QS-L1-345"),
    "everything fits": (stubborn, "QS-L1-346"),
    "no lane": (changed(lanes=lambda s, f: 0), "QS-L1-347"),
    "more lanes than memories": (changed(lanes=lambda s, f: 3), "QS-L1-347"),
    "far is better": (changed(heralds=growing), "QS-L1-348"),
}


OFFERED = PROFILES["link-medium"].subjects(api.manager())


SLOW = pytest.mark.slow  # the sky is followed second by second


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[SLOW] if name.startswith("satellite") else []) for name in OFFERED]
)
def test_the_reference_passes(name):
    words = {v.id: v.verdict for v in judge(LinkMediumSuite, OFFERED[name], SPECIFICATION)}
    assert words.pop("QS-L1-348") == ("unsupported" if name.startswith("satellite") else "pass")
    assert set(words.values()) == {"pass"}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_one_fails_what_it_breaks_and_nothing_else(name):
    make, broken = VARIANTS[name]
    assert [v.id for v in failed(judge(LinkMediumSuite, make, SPECIFICATION), strict=True)] == [broken]


def test_a_medium_for_short_ways_is_judged_on_those():
    def short(a, b, fibre):
        if fibre.length > 5:
            raise PhysicsError("too long")
        return midpoint(a, b, fibre)

    assert {v.verdict for v in judge(LinkMediumSuite, short, SPECIFICATION)} == {"pass"}


@pytest.mark.requirement("QS-CF-007")
def test_a_medium_that_makes_no_such_link_is_not_failed():
    def never(a, b, fibre):
        raise PhysicsError("it needs atoms in cavities")

    found = judge(LinkMediumSuite, never, SPECIFICATION)
    assert {v.verdict for v in found} <= {"unsupported", "pass"}
    assert sum(v.verdict == "unsupported" for v in found) >= 6
