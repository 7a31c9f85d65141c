"""The suite for link media: two platforms and a fibre in, what the link between them can do out.

A vendor writes one fixture::

    class TestMine(LinkMediumSuite):
        @pytest.fixture
        def make(self):
            return lambda a, b, fibre: my_link(a, b, fibre)

The platforms are the suite's.  What stands between the ends is the medium's own business; physics is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import isclose
from typing import ClassVar

from qstack.conformance.device_talk import Kept
from qstack.conformance.fibres import over
from qstack.conformance.marks import Unsupported, requirement
from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Arm, Fibre, Herald, InterfaceModel, LinkSheet, Platform
from qstack.plugin.links import Outcome

MakeLink = Callable[[Platform, Platform, Fibre], LinkSheet]
VACUUM = 299_792.458
"""Speed of light [km/s]."""
LENGTHS = (0.5, 5.0, 25.0, 80.0)
"""Of the fibres between the suite's platforms [km]."""
FIBRES = tuple(Fibre(length, 0.2 * length, 2e5, station) for length in LENGTHS for station in (0.5, 0.3, 1.0))
ROUNDING = 1e-9


class Double(InterfaceModel):
    """Two photons meet at the station: every photon has to arrive, and half of the Bell states are told apart."""

    kind: ClassVar[str] = "judge-double"

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return a good setting and a fast one, each with the two states that linear optics tells apart."""
        arrive = arms[0].transmission * arms[1].transmission
        return tuple(
            Herald(share, share * arrive / 2, (Outcome(0.5, 2, (kept,) * 3), Outcome(0.5, 3, (kept,) * 3)))
            for share, kept in ((0.1, 0.95), (0.4, 0.8))
        )

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the time until the answer, and a microsecond [ps]."""
        return max(self.reply(arms)) + 1_000_000

    def lit(self, clicks: float) -> InterfaceModel:
        """Return an interface that sees none of the background."""
        return self


class Alone(Double):
    """Fits nothing."""

    kind: ClassVar[str] = "judge-alone"

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Refuse every other end.

        Raises
        ------
        PhysicsError
            Always.
        """
        raise PhysicsError("this interface makes links with nobody")


def node(memories: int, interface: InterfaceModel | None = None) -> Platform:
    """Return one end's hardware."""
    return Platform(name="judge", memory=Kept(), interface=interface or Double(), memories=memories)


def links(make: MakeLink) -> Iterator[tuple[Fibre, LinkSheet]]:
    """Return every link that the medium makes.

    Raises
    ------
    Unsupported
        If it makes none.
    """
    words = "links of two interfaces that emit one photon each, over fibres of 0.5 to 80 km"
    return over(FIBRES, lambda fibre: make(node(3), node(2), fibre), words)


def possible(herald: Herald) -> str:
    """Return what is wrong with a setting, or nothing."""
    if not 0 <= herald.probability <= 1:
        return f"an attempt succeeds with probability {herald.probability:g}"
    total = sum(outcome.share for outcome in herald.outcomes)
    if herald.probability > 0 and not isclose(total, 1, abs_tol=ROUNDING):
        return f"shares of the outcomes sum to {total:g}"
    for outcome in herald.outcomes:
        x, y, z = outcome.correlators
        if min(outcome.share, 1 + x + y + z, 1 - x - y + z, 1 + x - y - z, 1 - x + y - z) < -ROUNDING:
            return f"{outcome} is no state with a share"
        if outcome.bell not in range(4):
            return f"{outcome.bell} is no Bell index"
    return ""


def light(fibre: Fibre) -> int:
    """Return the least time from one end to the other [ps]."""
    return round(fibre.length / VACUUM * 1e12)


class LinkMediumSuite:
    """Everything that a link medium is held to."""

    profile = "link-medium"

    @requirement("QS-L1-341")
    def test_what_is_announced_is_possible(self, make: MakeLink) -> None:
        """Of every setting."""
        for fibre, sheet in links(make):
            assert sheet.heralds, f"{fibre}: a link without any setting"
            for herald in sheet.heralds:
                wrong = possible(herald)
                assert not wrong, f"{fibre}: {wrong}"

    @requirement("QS-L1-342")
    def test_no_answer_is_faster_than_light(self, make: MakeLink) -> None:
        """From the emission at the one end to the answer at the other."""
        for fibre, sheet in links(make):
            for sent, heard in zip(sheet.emit, reversed(sheet.reply), strict=True):
                assert heard - sent >= light(fibre), (
                    f"{fibre}: known {heard - sent} ps after the emission at the other end, light needs {light(fibre)} ps"
                )

    @requirement("QS-L1-343")
    def test_the_period_is_positive(self, make: MakeLink) -> None:
        """Whole picoseconds, and some of them."""
        for fibre, sheet in links(make):
            assert type(sheet.period) is int, f"{fibre}: a period of {sheet.period!r}"
            assert sheet.period > 0, f"{fibre}: a period of {sheet.period} ps"

    @requirement("QS-L1-344")
    def test_no_message_is_faster_than_light(self, make: MakeLink) -> None:
        """From end to end."""
        for fibre, sheet in links(make):
            assert sheet.delay >= light(fibre), (
                f"{fibre}: a message takes {sheet.delay} ps, light needs {light(fibre)} ps"
            )

    @requirement("QS-L1-345")
    def test_the_same_is_made_of_the_same(self, make: MakeLink) -> None:
        """Whatever was made before."""
        first = list(links(make))
        again = list(links(make))
        assert first == again, "another link is made of the same platforms and the same fibre"

    @requirement("QS-L1-346")
    def test_what_does_not_fit_is_refused(self, make: MakeLink) -> None:
        """Interfaces that say so."""
        for fibre, _ in links(make):
            try:
                sheet = make(node(1, Alone()), node(1, Alone()), fibre)
            except PhysicsError:
                continue
            raise AssertionError(f"{fibre}: of two interfaces that make links with nobody comes {sheet}")

    @requirement("QS-L1-347")
    def test_lanes_have_memories(self, make: MakeLink) -> None:
        """At both ends: three here, two there."""
        for fibre, sheet in links(make):
            assert sheet.lanes in {1, 2}, f"{fibre}: {sheet.lanes!r} lanes between 3 and 2 memories"

    @requirement("QS-L1-348")
    def test_a_longer_way_is_no_better(self, make: MakeLink) -> None:
        """For every setting, with the station at the same share of the way; light that goes by the sky goes another one."""
        along = [(fibre, sheet) for fibre, sheet in links(make) if sheet.delay <= 2 * fibre.delay]
        if not along:
            raise Unsupported("links along the fibre")
        for station in sorted({fibre.station for fibre in FIBRES}):
            for (near, first), (far, second) in pairwise(one for one in along if one[0].station == station):
                chances = zip(first.heralds, second.heralds, strict=False)
                for before, after in chances:
                    assert after.probability <= before.probability + ROUNDING, (
                        f"setting {before.parameter:g}: an attempt over {far.length:g} km succeeds with "
                        f"{after.probability:g}, over {near.length:g} km with {before.probability:g}"
                    )
