"""The judges of distillation and of codes are judged: built-in ones pass, and one that breaks a rule fails that rule and no other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from spoiling import failures

from qstack.conformance.code import CodeSuite
from qstack.conformance.distillation import DistillationSuite
from qstack.correction.codes import FIVE_QUBIT, SHOR, STEANE
from qstack.correction.distillation import Bbpssw, Dejmps
from qstack.quantum.purification import dejmps
from qstack.quantum.states import bell_from_correlators, fidelity, werner


class Scheme(Dejmps):
    """DEJMPS, to be spoilt."""


class LinearScheme:
    """Any linear rule on the sixteen products of Bell states: kept weights of the four Bell states."""

    name = "table"

    def __init__(self, rule, gate_noise, readout_error):
        self.rule, self.noise = rule, (gate_noise, readout_error)

    def combine(self, first, second):
        total = np.zeros(4)
        for i, p in enumerate(bell_from_correlators(first)):
            for j, q in enumerate(bell_from_correlators(second)):
                total += p * q * np.asarray(self.rule(i, j, self.noise))
        kept = float(total.sum())
        if abs(kept) < 1e-12:
            return 0.0, (0.0, 0.0, 0.0)
        a, b, c, d = (total / kept).tolist()
        return kept, (a - b + c - d, a - b - c + d, a + b - c - d)

    def output_fidelity(self, first, second):
        return fidelity(self.combine(werner(first), werner(second))[1])

    def input_fidelity(self, wanted):
        low, high = 0.25, 1.0
        if self.output_fidelity(1.0, 1.0) < wanted:
            return 2.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.output_fidelity(middle, middle) < wanted else (low, middle)
        return high


def honest(i, j, noise):
    """Keep what DEJMPS keeps of two Bell states."""
    corners = ((1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1))
    q, m = noise
    kept, pair = dejmps(corners[i], corners[j], (1 - q) ** 2, (1 - 2 * m) ** 2)
    return [kept * weight for weight in bell_from_correlators(pair)]


def table(rule):
    return lambda q, m: LinearScheme(rule, q, m)


def no_state(i, j, noise):
    """Where nothing is left of any pair, two singlets leave less than nothing of one Bell state."""
    shift = [0.15, -0.15, 0, 0] if i == j == 3 and noise == (1.0, 0.5) else [0, 0, 0, 0]
    return [value + change for value, change in zip(honest(i, j, noise), shift, strict=True)]


def from_nothing(i, j, noise):
    """Where nothing is left of any pair, make an entangled one of anything."""
    return [0.01, 0, 0, 0] if noise == (1.0, 0.5) else honest(i, j, noise)


class Generous(Scheme):
    """Where nothing is left of any pair, keep every entangled one as a perfect one."""

    def __init__(self, q, m):
        super().__init__(q, m)
        self.generous = q == 1 and m == 0.5

    def combine(self, first, second):
        entangled = max(bell_from_correlators(first)) > 0.6 < max(bell_from_correlators(second))
        return (1.0, (1.0, 1.0, 1.0)) if self.generous and entangled else super().combine(first, second)


class Hoarding(Scheme):
    """Keeps what has failed, and takes it for a success."""

    def combine(self, first, second):
        return 1.0, super().combine(first, second)[1]


class Deaf(Scheme):
    """Ignores its noise."""

    def __init__(self, q, m):
        super().__init__(0.0, 0.0)


class Promises(Scheme):
    def output_fidelity(self, first, second):
        return min(1.0, super().output_fidelity(first, second) + 0.0005)

    def input_fidelity(self, wanted):
        return super().input_fidelity(wanted - 0.0005)


class Modest(Scheme):
    def input_fidelity(self, wanted):
        return super().input_fidelity(wanted) - 0.005


class Wasteful(Scheme):
    def input_fidelity(self, wanted):
        return super().input_fidelity(wanted) + 0.03


class Knowing(Scheme):
    """Knows that its pairs are good, as no apparatus does."""

    def combine(self, first, second):
        kept, pair = super().combine(first, second)
        if self.gate == self.readout == 1 and first == second == (0.9, 0.9, 0.9):
            return kept, tuple(0.999 * value for value in pair)
        return kept, pair

    def output_fidelity(self, first, second):
        return fidelity(self.combine(werner(first), werner(second))[1])


class Renamed(Scheme):
    def __init__(self, q, m):
        super().__init__(q, m)
        self.name = f"dejmps-{q}"


def lossy_copy(i, j, noise):
    q, m = noise
    left = (1 - q) ** 2 * (1 - 2 * m) ** 2
    return [left * (k == i) + (1 - left) / 4 for k in range(4)]


DISTILLATION = {
    "keeps less than nothing of a Bell state": ({"QS-L2-281"}, table(no_state)),
    "makes entanglement of nothing where it is noisy": ({"QS-L2-282"}, table(from_nothing)),
    "makes more of entangled pairs than they are": ({"QS-L2-283", "QS-L2-286"}, Generous),  # no linear rule does
    "keeps what has failed": ({"QS-L2-283", "QS-L2-286"}, Hoarding),
    "promises too much": ({"QS-L2-284"}, Promises),
    "asks for too little": ({"QS-L2-285"}, Modest),
    "asks for too much": ({"QS-L2-285"}, Wasteful),
    "knows of which mixture its pairs are": ({"QS-L2-286"}, Knowing),
    "is deaf to its noise": ({"QS-L2-287"}, Deaf),
    "has many names": ({"QS-L2-288"}, Renamed),
    "is not worth the trouble": ({"QS-L2-289"}, table(lossy_copy)),
}


def code(base=FIVE_QUBIT, **changes):
    said = {name: getattr(base, name) for name in ("stabilizers", "logical_x", "logical_z", "distance", "decode")}
    return lambda: SimpleNamespace(**said | changes)


CODES = {
    "has generators that do not commute": (
        {"QS-L4-291"},
        code(stabilizers=("XZZXI", "IIIZZ", "XIXZZ", "ZXIXZ"), distance=None),
    ),
    "has a generator twice": (
        {"QS-L4-291"},
        code(stabilizers=("XZZXI", "IXZZX", "XIXZZ", "XIXZZ"), distance=None),
    ),
    "has logical operators that commute": ({"QS-L4-292"}, code(logical_z="XXXXX", distance=None)),
    "has a logical operator that a check sees": ({"QS-L4-292"}, code(logical_x="XXXXI", distance=None)),
    "names too small a distance": ({"QS-L4-293"}, code(distance=2)),
    "recovers with the wrong letter": (
        {"QS-L4-009"},
        code(STEANE, decode=lambda syndrome: STEANE.decode(syndrome).replace("Y", "X")),
    ),
    "does not recover": ({"QS-L4-009"}, code(SHOR, decode=lambda syndrome: "I" * 9)),
}

BROKEN = {DistillationSuite: DISTILLATION, CodeSuite: CODES}
PASSING = [
    (DistillationSuite, Bbpssw),
    (DistillationSuite, Dejmps),
    (DistillationSuite, table(honest)),
    (DistillationSuite, lambda q, m: None),
    (CodeSuite, code()),
    (CodeSuite, code(STEANE)),
    (CodeSuite, code(SHOR)),
]


CASES = [(suite, name) for suite, table in BROKEN.items() for name in table]


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize(("suite", "name"), CASES, ids=lambda value: getattr(value, "profile", value))
def test_a_broken_scheme_or_code_fails_what_it_breaks(suite, name):
    numbers, make = BROKEN[suite][name]
    assert failures(suite, make) == numbers


@pytest.mark.requirement("QS-CF-007")
@pytest.mark.parametrize(("suite", "make"), PASSING, ids=lambda value: getattr(value, "profile", ""))
def test_an_honest_scheme_or_code_passes(suite, make):
    assert failures(suite, make) == set()
