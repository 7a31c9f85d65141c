"""The judge of hardware is judged: every installed platform passes, and a model that breaks a law fails that law."""

from __future__ import annotations

from itertools import count
from math import cos, exp
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from pydantic import PlainSerializer, model_validator

from qstack import api
from qstack.conformance.hardware import HardwareSuite
from qstack.conformance.judge import failed, judge
from qstack.conformance.specification import load
from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Decay, Herald, InterfaceModel, MemoryModel, Outcome, Platform
from qstack.plugin.units import Duration

SPECIFICATION = load(Path(__file__).parents[2] / "specs")


class Memory(MemoryModel):
    kind: ClassVar[str] = "memory"
    coherence_s: float = 0.5

    def decay(self, age_s):
        return Decay(exp(-age_s / self.coherence_s), exp(-age_s), 1 - exp(-age_s))


class Interface(InterfaceModel):
    kind: ClassVar[str] = "interface"
    outcome: ClassVar[Outcome] = Outcome(1.0, 2, (0.9, 0.8, 0.9))
    probability: ClassVar[float] = 0.1

    def herald(self, other, arms):
        return (Herald(0.0, self.probability, (self.outcome,)),)

    def period(self, arms):
        return 1_000_000


class LosesAtOnce(Memory):
    def decay(self, age_s):
        return Decay(0.99 * exp(-age_s), 0.99 * exp(-age_s))


class OutlivesRelaxation(Memory):
    coherence_s: float = 10.0


class Revives(Memory):
    def decay(self, age_s):
        return Decay(abs(cos(age_s)), 1.0)


class Flatters(Memory):
    def survival(self):
        return lambda age: 1.0


class Tires(Memory):
    asked: ClassVar = count()

    def decay(self, age_s):
        return Decay(exp(-age_s) * (1 - 1e-12 * (next(self.asked) % 1000) * (age_s > 0)), 1.0)


class Rounds(Memory):
    coherence_s: Annotated[float, PlainSerializer(round)] = 0.6


class Unbounded(Memory):
    relaxation_time: Duration = 0
    coherence_time: Duration = 0


class Mute(Memory):
    """Refuses what cannot be and does not say why."""

    relaxation_time: Duration = 0
    coherence_time: Duration = 0

    @model_validator(mode="after")
    def _physical(self):
        if self.coherence_time > 2 * self.relaxation_time:
            raise ValueError("impossible.")
        return self


class Resurrects(Memory):
    """Loses all coherence, and has a little again later, though less is left on the whole."""

    def decay(self, age_s):
        share, left = (1.0, 1.0) if age_s < 0.005 else (0.0, 1.0) if age_s < 0.05 else (0.001, 0.99)
        z = left * exp(-age_s)
        return Decay(share * exp(-age_s / self.coherence_s), z, 1 - z)


class Certain(Interface):
    probability: ClassVar[float] = 1.2


class Half(Interface):
    outcome: ClassVar[Outcome] = Outcome(0.5, 2, (0.9, 0.8, 0.9))


class NoState(Interface):
    outcome: ClassVar[Outcome] = Outcome(1.0, 2, (1.0, 1.0, -1.0))


class NoIndex(Interface):
    outcome: ClassVar[Outcome] = Outcome(1.0, 4, (0.9, 0.8, 0.9))


def rows(*diagonal, bias=0.0):
    matrix = [[float(i == j) * value for j in range(4)] for i, value in enumerate(diagonal)]
    matrix[0][3] = matrix[3][0] = bias
    return tuple(map(tuple, matrix))


class Overfull(Interface):
    """A state with populations below zero."""

    outcome: ClassVar[Outcome] = Outcome(1.0, 2, (0.9, 0.8, 0.9), rows(1.0, 0.9, 0.8, -0.9, bias=0.5))


class TwoMinds(Interface):
    """A state that is not what the correlators say."""

    outcome: ClassVar[Outcome] = Outcome(1.0, 2, (0.9, 0.8, 0.9), rows(1.0, 0.7, 0.7, -0.9))


class Timeless(Interface):
    def period(self, arms):
        return 0


class Fractional(Interface):
    def period(self, arms):
        return 0.5


class Superluminal(Interface):
    def reply(self, arms):
        return tuple(sent + arm.delay for sent, arm in zip(self.emit(arms), arms, strict=True))


class Prophetic(Interface):
    def emit(self, arms):
        return -10, -10


BROKEN = {
    LosesAtOnce: "QS-L1-030",
    OutlivesRelaxation: "QS-L1-031",
    Unbounded: "QS-L1-033",
    Mute: "QS-L1-033",
    Resurrects: "QS-L1-287",
    Tires: "QS-L1-038",
    Rounds: "QS-L1-039",
    Flatters: "QS-L1-040",
    Certain: "QS-L1-035",
    Half: "QS-L1-034",
    NoState: "QS-L1-036",
    NoIndex: "QS-L1-036",
    Overfull: "QS-L1-372",
    TwoMinds: "QS-L1-372",
    Timeless: "QS-L1-037",
    Fractional: "QS-L1-037",
    Superluminal: "QS-L1-006",
    Prophetic: "QS-L1-041",
}
SHOULD_TOO = {OutlivesRelaxation: {"QS-L1-288"}}
"""What is no channel from the beginning on is none between these two ages either."""


def platform(part=Memory):
    memory = part() if issubclass(part, MemoryModel) else Memory()
    interface = part() if issubclass(part, InterfaceModel) else Interface()
    return Platform(memory=memory, interface=interface)


def verdicts(make):
    return judge(HardwareSuite, make, SPECIFICATION)


class TestMine(HardwareSuite):
    """The suite as a vendor's pytest runs it."""

    @pytest.fixture
    def make(self):
        return platform()


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("part", BROKEN)
def test_a_broken_model_fails_what_it_breaks(part):
    assert {v.id for v in failed(verdicts(platform(part)), strict=True)} == {BROKEN[part], *SHOULD_TOO.get(part, ())}


def test_a_memory_that_revives_is_reported_and_counts_only_where_asked():
    found = verdicts(platform(Revives))
    assert failed(found) == []
    assert {v.id for v in failed(found, strict=True)} == {"QS-L1-042", "QS-L1-288"}


@pytest.mark.parametrize("name", sorted(api.manager().platforms))
def test_every_installed_platform_conforms(name):
    assert failed(verdicts(api.manager().platforms[name]), strict=True) == []


def test_every_requirement_of_the_suite_has_a_model_that_breaks_it():
    assert {v.id for v in verdicts(platform())} == {*BROKEN.values(), "QS-L1-042", "QS-L1-288", "QS-L1-340"}


class Shy(Interface):
    def herald(self, other, arms):
        raise PhysicsError("never with my like")


def test_an_interface_that_makes_no_link_with_its_like_is_not_judged_as_one():
    words = {v.id: v.verdict for v in verdicts(platform(Shy))}
    assert {number for number, word in words.items() if word == "unsupported"} == {
        f"QS-L1-{number:03d}" for number in (6, 33, 34, 35, 36, 37, 38, 41, 340, 372)
    }
    assert "fail" not in words.values()
