"""The suite for hardware: a platform's memory and interface, asked for their pure functions.

A vendor writes one fixture::

    class TestMine(HardwareSuite):
        @pytest.fixture
        def make(self):
            return Platform(name="mine", memory=MyMemory(), interface=MyInterface(...))

Ages, fibres and stations are the suite's; no state is looked at that the model does not declare.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import isclose, log

import numpy as np
from pydantic import ValidationError

from qstack.conformance.fibres import over
from qstack.conformance.marks import Informational, Unsupported, requirement
from qstack.plugin.contracts import Arm, Decay, Fibre, Herald, Platform
from qstack.quantum.exact import to_correlators, to_density

AGES_S = (0.0, 1e-9, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1e4)
"""Ages at which a memory is asked [s]."""
FIBRES = tuple(
    Fibre(length, 0.2 * length, 2e5, station) for length in (0.1, 2.0, 25.0, 75.0) for station in (0.5, 0.25, 1.0)
)
ROUNDING = 1e-9
EXACT = 1e-6
ALIVE = 1e-6
"""Factors below this say too little of the time after."""


def decays(make: Platform) -> Iterator[tuple[float, Decay]]:
    """Return what is left at every age [s]."""
    return ((age, make.memory.decay(age)) for age in AGES_S)


def choi(decay: Decay) -> float:
    """Return the least eigenvalue of a decay's Choi matrix: negative if it is not completely positive (Choi 1975)."""
    xy, z, shift = decay.xy, decay.z, decay.shift
    matrix = np.diag([1 + z + shift, 1 - z - shift, 1 - z + shift, 1 + z - shift]) / 2
    matrix[0, 3] = matrix[3, 0] = xy
    return float(np.linalg.eigvalsh(matrix)[0])


def links(make: Platform) -> Iterator[tuple[tuple[Arm, Arm], tuple[Herald, ...]]]:
    """Return every fibre over which the platform makes a link with its like, and what its attempts give.

    Raises
    ------
    Unsupported
        If it makes none.
    """
    words = "links between two of a kind over fibres of 0.1 to 75 km"
    for fibre, heralds in over(FIBRES, lambda fibre: make.interface.herald(make.interface, fibre.arms), words):
        yield fibre.arms, heralds


def _times(age: float, decay: Decay) -> str:
    """Say that T2 exceeds 2 T1 if that is what is wrong with a decay; empty if it is not."""
    if not (age > 0 and 0 < decay.xy < 1 and 0 < decay.z < 1):
        return ""
    t1, t2 = -age / log(decay.z), -age / log(decay.xy)
    if t2 <= 2 * t1:
        return ""
    return f"T2 exceeds 2 T1: the coherence falls with T2 = {t2:g} s, the population with T1 = {t1:g} s."


class MemoryTests:
    """How a stored qubit decays."""

    @requirement("QS-L1-030")
    def test_nothing_is_lost_at_once(self, make: Platform) -> None:
        """The identity at age 0."""
        decay = make.memory.decay(0.0)
        assert decay == Decay(1.0, 1.0, 0.0), f"after 0 s: {decay}"

    @requirement("QS-L1-031")
    def test_decay_is_a_channel_at_every_age(self, make: Platform) -> None:
        """Its Choi matrix has no negative eigenvalue; its trace is kept by what a decay can say."""
        for age, decay in decays(make):
            least = choi(decay)
            why = _times(age, decay) or f"{decay} is no channel: Choi eigenvalue {least:g}"
            assert least >= -ROUNDING, f"after {age:g} s: {why}"

    @requirement("QS-L1-033")
    def test_coherence_does_not_outlive_relaxation(self, make: Platform) -> None:
        """T2 above 2 T1 is refused, in words that name both."""
        model = type(make.memory)
        if not {"relaxation_time", "coherence_time"} <= set(model.model_fields):
            raise Unsupported("a relaxation_time and a coherence_time")
        sheet = make.memory.model_dump(mode="json") | {"relaxation_time": "1 s", "coherence_time": "2.1 s"}
        try:
            model.model_validate(sheet)
        except ValidationError as error:
            words = str(error)
            assert "T1" in words, f"T2 above 2 T1 is refused without naming T1: {words}"
            assert "T2" in words, f"T2 above 2 T1 is refused without naming T2: {words}"
        else:
            raise AssertionError("a memory with T1 = 1 s and T2 = 2.1 s is taken")

    @requirement("QS-L1-287")
    def test_nothing_comes_back(self, make: Platform) -> None:
        """A factor that is 0 stays 0: what is left between two ages is a ratio of factors."""
        for (before, early), (after, late) in pairwise(decays(make)):
            for name, was, now in (("xy", early.xy, late.xy), ("z", early.z, late.z)):
                assert was or not now, f"{name} is 0 after {before:g} s and {now:g} after {after:g} s"

    @requirement("QS-L1-288")
    def test_decay_is_a_channel_between_two_ages(self, make: Platform) -> None:
        """The ratio of the factors, and what the shift grows by."""
        for (before, early), (after, late) in pairwise(decays(make)):
            if min(abs(early.xy), abs(early.z)) > ALIVE:
                z = late.z / early.z
                between = Decay(late.xy / early.xy, z, late.shift - early.shift * z)
                least = choi(between)
                assert least >= -EXACT, (
                    f"from {before:g} s to {after:g} s {between} is no channel: Choi eigenvalue {least:g}"
                )

    @requirement("QS-L1-040")
    def test_layers_are_told_the_decay(self, make: Platform) -> None:
        """(2 xy + z) / 3."""
        survival = make.memory.survival()
        for age, decay in decays(make):
            told, true = survival(round(age * 1e12)), (2 * decay.xy + decay.z) / 3
            assert isclose(told, true, abs_tol=1e-6), (
                f"after {age:g} s layers are told {told:g}, the decay says {true:g}"
            )

    @requirement("QS-L1-042")
    def test_waiting_costs(self, make: Platform) -> None:
        """What is left never grows."""
        left = [(2 * decay.xy + decay.z) / 3 for _, decay in decays(make)]
        for age, before, after in zip(AGES_S[1:], left, left[1:], strict=False):
            assert after <= before + ROUNDING, f"after {age:g} s more is left than before: {after:g} > {before:g}"


class InterfaceTests:
    """How entanglement is made and heralded."""

    @requirement("QS-L1-035")
    def test_probabilities_are_probabilities(self, make: Platform) -> None:
        """Of every setting over every fibre."""
        for arms, heralds in links(make):
            for herald in heralds:
                assert 0 <= herald.probability <= 1, (
                    f"{arms}: an attempt succeeds with probability {herald.probability:g}"
                )

    @requirement("QS-L1-034")
    def test_shares_sum_to_one(self, make: Platform) -> None:
        """Of the outcomes of a setting that can succeed."""
        for arms, heralds in links(make):
            for herald in heralds:
                if herald.probability > 0:
                    total = sum(outcome.share for outcome in herald.outcomes)
                    assert isclose(total, 1, abs_tol=ROUNDING), f"{arms}: shares sum to {total:g}"
                    least = min(outcome.share for outcome in herald.outcomes)
                    assert least >= 0, f"{arms}: a share of {least:g}"

    @requirement("QS-L1-036")
    def test_outcomes_are_states(self, make: Platform) -> None:
        """All four Bell weights are probabilities, and the index is one."""
        for arms, heralds in links(make):
            for herald in heralds:
                for outcome in herald.outcomes:
                    x, y, z = outcome.correlators
                    weights = (1 + x + y + z, 1 - x - y + z, 1 + x - y - z, 1 - x + y - z)
                    assert min(weights) >= -ROUNDING, f"{arms}: correlators {outcome.correlators} belong to no state"
                    assert outcome.bell in range(4), f"{arms}: {outcome.bell} is no Bell index"

    @requirement("QS-L1-372")
    def test_whole_states_are_states(self, make: Platform) -> None:
        """Of trace 1, positive, and with the correlators that the outcome gives."""
        for arms, heralds in links(make):
            for outcome in (outcome for herald in heralds for outcome in herald.outcomes):
                if outcome.state is None:
                    continue
                t = np.array(outcome.state, float)
                assert t.shape == (4, 4), f"{arms}: a state of shape {t.shape}, not 4 x 4"
                assert isclose(t[0, 0], 1, abs_tol=ROUNDING), f"{arms}: a state of trace {t[0, 0]:g}"
                least = float(np.linalg.eigvalsh(to_density(t))[0])
                assert least >= -ROUNDING, f"{arms}: a state with eigenvalue {least:g}"
                told = to_correlators(t, outcome.bell)
                assert np.allclose(told, outcome.correlators, rtol=0, atol=EXACT), (
                    f"{arms}: correlators {outcome.correlators} with a state of which they are {told}"
                )

    @requirement("QS-L1-037")
    def test_the_period_is_positive(self, make: Platform) -> None:
        """Picoseconds, and some of them."""
        for arms, _ in links(make):
            period = make.interface.period(arms)
            assert type(period) is int, f"{arms}: a period of {period!r}"
            assert period > 0, f"{arms}: a period of {period} ps"

    @requirement("QS-L1-006")
    def test_no_herald_is_faster_than_light(self, make: Platform) -> None:
        """What happens at one end cannot be known at the other before light has gone there."""
        for arms, _ in links(make):
            way = arms[0].delay + arms[1].delay
            for sent, heard in zip(make.interface.emit(arms), reversed(make.interface.reply(arms)), strict=True):
                late = heard - sent
                assert late >= way, f"{arms}: known {late} ps after the emission at the other end, light needs {way} ps"

    @requirement("QS-L1-041")
    def test_answers_come_after_emissions(self, make: Platform) -> None:
        """At each end."""
        for arms, _ in links(make):
            for sent, heard in zip(make.interface.emit(arms), make.interface.reply(arms), strict=True):
                assert 0 <= sent <= heard, f"{arms}: emitted at {sent} ps of the cycle, answered at {heard} ps"

    @requirement("QS-L1-340")
    def test_there_may_be_several_settings(self, make: Platform) -> None:
        """A link layer chooses one for each request."""
        most = max(len(heralds) for _, heralds in links(make))
        raise Informational(f"{most} {'setting' if most == 1 else 'settings'} for one link")


class ModelTests:
    """What makes a model a data sheet and a pure function."""

    @requirement("QS-L1-038")
    def test_answers_do_not_change(self, make: Platform) -> None:
        """Asked twice, in another order."""
        first = [decay for _, decay in decays(make)]
        again = [make.memory.decay(age) for age in reversed(AGES_S)]
        assert first == again[::-1], "the memory's answers depend on what it was asked before"
        assert list(links(make)) == list(links(make)), "the interface's answers depend on what it was asked before"

    @requirement("QS-L1-039")
    def test_a_sheet_survives_writing_and_reading(self, make: Platform) -> None:
        """Every part of it."""
        for part in (make.memory, make.interface):
            read = type(part).model_validate(part.model_dump(mode="json"))
            assert read == part, f"{part!r} was read again as {read!r}"


class HardwareSuite(MemoryTests, InterfaceTests, ModelTests):
    """Everything that a hardware platform is held to."""

    profile = "hardware"
