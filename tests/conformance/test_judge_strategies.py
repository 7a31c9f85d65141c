"""The judges of strategies are judged: built-in ones pass, and one that breaks a rule fails that rule and no other."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, count
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar
from zlib import crc32

import numpy as np
import pytest

from qstack.channels.models import Conditioned, Conditions, Ideal
from qstack.conformance.channel import ChannelSuite
from qstack.conformance.code import CodeSuite
from qstack.conformance.distillation import DistillationSuite
from qstack.conformance.features import told
from qstack.conformance.judge import failed, judge
from qstack.conformance.policies import CutoffSuite, SchedulerSuite, SwapPolicySuite
from qstack.conformance.reconciliation import ReconciliationSuite
from qstack.conformance.specification import load
from qstack.core.errors import ProtocolError, RemoteProtocolError
from qstack.correction.codes import FIVE_QUBIT, SHOR, STEANE
from qstack.correction.distillation import Bbpssw, Dejmps
from qstack.keys.reconcile.cascade import Cascade
from qstack.keys.reconcile.ldpc import Ldpc
from qstack.link.schedulers import first_come, strict_priority, weighted_fair
from qstack.quantum.purification import dejmps
from qstack.quantum.states import bell_from_correlators, fidelity, werner

SPECIFICATION = load(Path(__file__).parents[2] / "specs")
ticks = count()


# -- distillation -----------------------------------------------------------------------------------------------------


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


# -- codes ------------------------------------------------------------------------------------------------------------


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


# -- reconciliation ---------------------------------------------------------------------------------------------------


class Ends:
    """Cascade between two ends that may be spoilt."""

    name = "spoilt"

    def __init__(self, alice=lambda end: end, bob=lambda end: end):
        self.change = {"alice": alice, "bob": bob}

    def alice(self, key, rate):
        return self.change["alice"](Cascade().alice(key, rate))

    def bob(self, key, rate):
        return self.change["bob"](Cascade().bob(key, rate))


class End:
    """One end at work, to be spoilt."""

    def __init__(self, inner):
        self.inner = inner

    @property
    def done(self):
        return self.inner.done

    @property
    def key(self):
        return self.inner.key

    def open(self):
        return self.inner.open()

    def answer(self, bits):
        return self.inner.answer(bits)


class Careless(End):
    """Leaves an error, and says that it is done."""

    @property
    def key(self):
        key = self.inner.key.copy()
        key[:1] ^= self.done
        return key


class Moving(End):
    """Changes its key, and so does the other end."""

    @property
    def key(self):
        return 1 - self.inner.key


class Loud(End):
    """Says more than bits."""

    def open(self):
        return self.inner.open() | 2

    def answer(self, bits):
        answer = self.inner.answer(bits)
        return None if answer is None else answer | 2


class Hearing(End):
    """Hears bits in what is more than bits."""

    def answer(self, bits):
        return self.inner.answer(bits & 1)


class Stubborn(End):
    """After its first word it goes on, whatever it hears."""

    began = False

    def answer(self, bits):
        try:
            answer = self.inner.answer(bits)
        except ProtocolError:
            if not self.began:
                raise
            return np.zeros(len(bits), np.uint8)
        self.began = True
        return answer


class Tolerant(End):
    """Leaves out what is too much."""

    def answer(self, bits):
        try:
            return self.inner.answer(bits)
        except ProtocolError:
            return self.inner.answer(bits[:-3])


class Telepath:
    """Says one bit; the other end knows the rest."""

    name = "telepath"
    keys: ClassVar[dict] = {}

    def alice(self, key, rate):
        self.keys["key"] = key
        return Told(key)

    def bob(self, key, rate):
        return Told(self.keys["key"].copy())


@dataclass
class Told:
    key: np.ndarray
    done: bool = False

    def open(self):
        return np.zeros(1, np.uint8)

    def answer(self, bits):
        if len(bits) != 1:
            raise RemoteProtocolError("one bit")
        if self.done:
            return None
        self.done = True
        return bits


class Moody:
    """Says one bit more every time."""

    name = "moody"

    def alice(self, key, rate):
        return self.end(Cascade().alice(key, rate), first=True)

    def bob(self, key, rate):
        return self.end(Cascade().bob(key, rate), first=False)

    def end(self, inner, *, first):
        return Salted(inner, first=first)


class Salted(End):
    """Alice draws a random mask for a bit that she says first."""

    def __init__(self, inner, *, first):
        super().__init__(inner)
        self.fresh = not first

    def open(self):
        return np.append(self.inner.open(), np.uint8(next(ticks) % 2))

    def answer(self, bits):
        if self.fresh:
            self.fresh = False
            return self.inner.answer(bits[:-1])
        return self.inner.answer(bits)


RECONCILIATION = {
    "leaves an error": ({"QS-KY-007"}, lambda: Ends(bob=Careless)),
    "corrects by telepathy": ({"QS-KY-281"}, Telepath),
    "moves the key that stands": ({"QS-KY-282"}, lambda: Ends(Moving, Moving)),
    "says more than bits": ({"QS-KY-283"}, lambda: Ends(Loud, Hearing)),
    "never gives up": ({"QS-KY-009"}, lambda: Ends(Stubborn, Stubborn)),
    "takes what is too long": ({"QS-KY-285"}, lambda: Ends(Tolerant, Tolerant)),
    "is moody": ({"QS-KY-284"}, Moody),
}


# -- channels ---------------------------------------------------------------------------------------------------------


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


CHANNELS = {
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


# -- policies ---------------------------------------------------------------------------------------------------------


def tired(policy):
    """Give another answer every thirteenth time."""
    asked = count()
    return lambda *arguments: 0 if next(asked) % 13 == 3 else policy(*arguments)


def hashed(ready, turn):
    """Share by a hash of the turn instead of by turns."""
    weights = [item.priority + 1 for item in ready]
    return bisect_right(list(accumulate(weights)), crc32(turn.to_bytes(2, "big")) % sum(weights))


SCHEDULERS = {
    "chooses beyond the end": ({"QS-L2-290"}, lambda: lambda ready, turn: len(ready)),
    "remembers": ({"QS-L2-050"}, lambda: tired(lambda ready, turn: len(ready) - 1)),
}
SHARING, STRICT = (told(SchedulerSuite, (name,)) for name in ("proportional-shares", "strict-priorities"))
SHARES = {
    "serves the oldest": ({"QS-L2-020"}, lambda: first_come),
    "serves all alike": ({"QS-L2-020"}, lambda: lambda ready, turn: turn % len(ready)),
    "gives the first a turn more": (
        {"QS-L2-020"},
        lambda: lambda ready, turn: weighted_fair(ready, turn % (1 + sum(item.priority + 1 for item in ready))),
    ),
}
PRIORITIES = {
    "gives everybody a turn": ({"QS-L2-021"}, lambda: weighted_fair),
    "takes lower for higher": (
        {"QS-L2-021"},
        lambda: lambda ready, turn: min(range(len(ready)), key=lambda i: ready[i].priority),
    ),
}
SWAPS = {
    "chooses beyond the end": ({"QS-L3-281"}, lambda: lambda waiting: waiting),
    "remembers": ({"QS-L3-281"}, lambda: tired(lambda waiting: waiting - 1)),
}
CUTOFFS = {
    "lies in the past": ({"QS-L3-282"}, lambda: lambda storage: -1),
    "has fractions": ({"QS-L3-282"}, lambda: lambda storage: 0.5),
    "remembers": ({"QS-L3-283"}, lambda: lambda storage: next(ticks)),
}

BROKEN = {
    DistillationSuite: DISTILLATION,
    CodeSuite: CODES,
    ReconciliationSuite: RECONCILIATION,
    ChannelSuite: CHANNELS,
    SchedulerSuite: SCHEDULERS,
    SHARING: SHARES,
    STRICT: PRIORITIES,
    SwapPolicySuite: SWAPS,
    CutoffSuite: CUTOFFS,
}
CASES = [(suite, name) for suite, table in BROKEN.items() for name in table]

PASSING = [
    (DistillationSuite, Bbpssw),
    (DistillationSuite, Dejmps),
    (DistillationSuite, table(honest)),
    (DistillationSuite, lambda q, m: None),
    (CodeSuite, code()),
    (CodeSuite, code(STEANE)),
    (CodeSuite, code(SHOR)),
    (ReconciliationSuite, Cascade),
    (ReconciliationSuite, Ldpc),
    (ReconciliationSuite, Ends),
    (ChannelSuite, Ideal),
    (
        ChannelSuite,
        lambda light: Conditioned(Conditions(loss=0.5, jitter="1 ms", reorder=0.2, held="1 s", rate=1e6), light),
    ),
    (SchedulerSuite, lambda: first_come),
    (SchedulerSuite, lambda: weighted_fair),
    (SchedulerSuite, lambda: strict_priority),
    (SHARING, lambda: weighted_fair),
    (SHARING, lambda: hashed),
    (STRICT, lambda: strict_priority),
    (SwapPolicySuite, lambda: lambda waiting: 0),
    (CutoffSuite, lambda: lambda storage: 0),
]


def failures(suite, make):
    return {verdict.id for verdict in failed(judge(suite, make, SPECIFICATION), strict=True)}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize(("suite", "name"), CASES, ids=lambda value: getattr(value, "profile", value))
def test_a_broken_strategy_fails_what_it_breaks(suite, name):
    numbers, make = BROKEN[suite][name]
    assert failures(suite, make) == numbers


@pytest.mark.requirement("QS-CF-007")
@pytest.mark.parametrize(("suite", "make"), PASSING, ids=lambda value: getattr(value, "profile", ""))
def test_an_honest_strategy_passes(suite, make):
    assert failures(suite, make) == set()
