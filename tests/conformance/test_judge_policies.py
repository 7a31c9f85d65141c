"""The judges of schedulers, swap policies and cutoffs are judged: built-in ones pass, and one that breaks a rule fails that rule and no other."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, count
from zlib import crc32

import pytest
from spoiling import failures

from qstack.conformance.features import told
from qstack.conformance.policies import CutoffSuite, SchedulerSuite, SwapPolicySuite
from qstack.link.schedulers import first_come, strict_priority, weighted_fair

ticks = count()


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

BROKEN = {SchedulerSuite: SCHEDULERS, SHARING: SHARES, STRICT: PRIORITIES, SwapPolicySuite: SWAPS, CutoffSuite: CUTOFFS}
PASSING = [
    (SchedulerSuite, lambda: first_come),
    (SchedulerSuite, lambda: weighted_fair),
    (SchedulerSuite, lambda: strict_priority),
    (SHARING, lambda: weighted_fair),
    (SHARING, lambda: hashed),
    (STRICT, lambda: strict_priority),
    (SwapPolicySuite, lambda: lambda waiting: 0),
    (CutoffSuite, lambda: lambda storage: 0),
]


CASES = [(suite, name) for suite, table in BROKEN.items() for name in table]


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize(("suite", "name"), CASES, ids=lambda value: getattr(value, "profile", value))
def test_a_broken_policy_fails_what_it_breaks(suite, name):
    numbers, make = BROKEN[suite][name]
    assert failures(suite, make) == numbers


@pytest.mark.requirement("QS-CF-007")
@pytest.mark.parametrize(("suite", "make"), PASSING, ids=lambda value: getattr(value, "profile", ""))
def test_an_honest_policy_passes(suite, make):
    assert failures(suite, make) == set()
