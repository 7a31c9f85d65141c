"""The judges of devices and media are judged: built-in tiers pass, and one that breaks a rule fails that rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qstack import api
from qstack.conformance.device import DeviceSuite
from qstack.conformance.judge import failed, judge
from qstack.conformance.medium import MediumSuite
from qstack.conformance.offers import devices, media
from qstack.conformance.specification import load
from qstack.core.errors import LocalProtocolError
from qstack.hardware.tier import CorrelatorTier
from qstack.physical.midpoint import Midpoint
from qstack.services.device import (
    Apply,
    AskRoom,
    Bits,
    DrawBits,
    Free,
    Herald,
    Measure,
    Measured,
    Spoiled,
    Swap,
    Swapped,
    Trigger,
)

SPECIFICATION = load(Path(__file__).parents[2] / "specs")


class Spoilt(CorrelatorTier):
    """The correlator tier, whose requests and indications pass through two functions of the node."""

    def __init__(self, clock, seed, attempts):
        super().__init__(clock, seed, 0, attempts, midpoint=lambda ends: Midpoint(ends, window=1))
        self.state = {}

    def asked(self, node, inner, req, ctx):
        return inner(req, ctx)

    def told(self, node, noun, now):
        return noun

    def place(self, number, name, platform):
        table = super().place(number, name, platform)
        return {
            kind: lambda req, ctx, inner=inner: [
                self.told(number, noun, ctx.now) for noun in self.asked(number, inner, req, ctx)
            ]
            for kind, inner in table.items()
        }

    def connect(self, number, feed):
        super().connect(number, lambda noun, now: feed(self.told(number, noun, now), now))


def told(change, kind=Herald):
    """Change every indication of a kind."""

    class Telling(Spoilt):
        def told(self, node, noun, now):
            return change(self, node, noun, now) if isinstance(noun, kind) else noun

    return Telling


def asked(change, *kinds):
    """Answer some requests in another way."""

    class Asking(Spoilt):
        def asked(self, node, inner, req, ctx):
            return change(self, node, inner, req, ctx) if isinstance(req, kinds) else inner(req, ctx)

    return Asking


def forgiving(self, node, inner, req, ctx):
    try:
        return inner(req, ctx)
    except LocalProtocolError:
        return ()


class Reuses(Spoilt):
    """Names memories, not qubits."""

    def told(self, node, noun, now):
        if isinstance(noun, Herald) and noun.qubit >= 0:
            name = 10 * noun.peer + noun.lane
            self.state[node, name] = noun.qubit
            self.state[node, "name of", noun.qubit] = name
            return replace(noun, qubit=name)
        named = isinstance(noun, Measured | Spoiled)
        return replace(noun, qubit=self.state[node, "name of", noun.qubit]) if named else noun

    def asked(self, node, inner, req, ctx):
        places = {Swap: ("left", "right"), Trigger: (), DrawBits: (), AskRoom: ()}.get(type(req), ("qubit",))
        meant = {place: self.state.get((node, getattr(req, place)), -1) for place in places}
        return inner(replace(req, **meant), ctx)


class Alone(Spoilt):
    """Takes the wish of one end for that of both."""

    def asked(self, node, inner, req, ctx):
        if isinstance(req, Trigger) and req.aid >= 0:
            other = self.boxes.get(3 - node)
            if other is not None and self.links[1, 2].lanes[req.lane].aid[2 - node] < 0:
                other.trigger(replace(req, peer=node), ctx)
        return inner(req, ctx)


class Skewed(Spoilt):
    """Draws outcomes of the other setting's probability."""

    def join(self, ends, name, sheet):
        slow, fast = sheet.heralds
        super().join(ends, name, replace(sheet, heralds=(replace(slow, probability=slow.probability * 1.3), fast)))


class Dull(Spoilt):
    """Makes worse pairs than it declares."""

    def join(self, ends, name, sheet):
        slow, fast = sheet.heralds
        worse = tuple(replace(o, correlators=tuple(0.8 * c for c in o.correlators)) for o in slow.outcomes)
        super().join(ends, name, replace(sheet, heralds=(replace(slow, outcomes=worse), fast)))


class Skips(Spoilt):
    """Makes more of skipped attempts than of made ones."""

    def join(self, ends, name, sheet):
        slow, fast = sheet.heralds
        factor = 1.0 if self.midpoint is None else 0.8
        super().join(ends, name, replace(sheet, heralds=(replace(slow, probability=slow.probability * factor), fast)))


class Late(Spoilt):
    """Lets a half age from its herald."""

    def join(self, ends, name, sheet):
        super().join(ends, name, sheet)
        for end in self.links[ends].ends:
            end.law = Shifted(end.law, end.reply - end.emit) if end.law else None


class Shifted:
    def __init__(self, law, by):
        self.law, self.by = law, by

    def survival(self, start, end):
        return self.law.survival(max(0, start - self.by), max(0, end - self.by))


class Forgetful:
    """Reads every wait as the first one."""

    def __init__(self, law):
        self.law = law

    def survival(self, start, end):
        return self.law.survival(0, end - start)


class Divides(Spoilt):
    """Multiplies what parts of a wait leave, a gate in between."""

    def asked(self, node, inner, req, ctx):
        half = self.qubits[node].get(req.qubit) if isinstance(req, Apply) else None
        if half is not None:
            half.age(ctx.now)
        return inner(req, ctx)

    def join(self, ends, name, sheet):
        super().join(ends, name, sheet)
        for end in self.links[ends].ends:
            end.law = Forgetful(end.law) if end.law else None


class Spares(Spoilt):
    """Attempts do no harm."""

    def place(self, number, name, platform):
        spared = platform.memory.model_copy(update={"dephasing_attempts": float("inf")})
        return super().place(number, name, platform.model_copy(update={"memory": spared}))


class Random(Spoilt):
    """Draws seeds of its own."""

    drawn = 0

    def __init__(self, clock, seed, attempts):
        Random.drawn += 1
        super().__init__(clock, seed + 1000 * Random.drawn, attempts)


class Hasty(Spoilt):
    """Tells of a success before light can."""

    def join(self, ends, name, sheet):
        super().join(ends, name, replace(sheet, reply=(1_000_000, 749_000)))


class Rewrites(Spoilt):
    """Gives a success that was on its way to whoever attempts now."""

    def asked(self, node, inner, req, ctx):
        if isinstance(req, Trigger):
            self.state[node, req.lane] = req.aid
        return inner(req, ctx)

    def told(self, node, noun, now):
        if isinstance(noun, Herald) and self.state.get((1, noun.lane)) == self.state.get((2, noun.lane)):
            return replace(noun, aid=self.state[node, noun.lane])
        return noun


class Deserted(Spoilt):
    """Counts memories of both ends."""

    def asked(self, node, inner, req, ctx):
        if isinstance(req, AskRoom):
            return [
                replace(room, free=sum(any(lane.free) for lane in self.links[1, 2].lanes)) for room in inner(req, ctx)
            ]
        return inner(req, ctx)


class Unasked(Spoilt):
    """Says nothing of a memory that is freed."""

    def asked(self, node, inner, req, ctx):
        answers = list(inner(req, ctx))
        for link in self.links.values():
            link.wanted[:] = [False, False]
        return answers


class Hides(Spoilt):
    """Says nothing of what it has lost."""

    def connect(self, number, feed):
        super().connect(number, lambda noun, now: None if isinstance(noun, Spoiled) else feed(noun, now))


class Overwrites(Spoilt):
    """Attempts although a memory is in use: it frees the qubit by itself and says nothing."""

    def told(self, node, noun, now):
        if isinstance(noun, Herald) and noun.lane == 0 and not self.state.setdefault(node, 0):
            self.state[node] = 1
            half = self.qubits[node][noun.qubit]
            self.clock.at(now + 3_000_000, lambda half: half.place.release(half.side, self.clock.now), half)
        return noun


BROKEN = {
    "renumbers": ("QS-L1-004", told(lambda self, node, noun, now: replace(noun, sequence=2 * noun.sequence))),
    "is faster than light": ("QS-L1-006", Hasty),
    "reads another basis": (
        "QS-L1-009",
        told(
            lambda self, node, noun, now: replace(noun, purpose=noun.purpose + 1) if noun.purpose == 44 else noun,
            Measured,
        ),
    ),
    "forgives": ("QS-L1-010", asked(forgiving, Free, Measure, Apply, Swap)),
    "is random": ("QS-L1-012", Random),
    "succeeds too often": ("QS-L1-014", Skewed),
    "makes worse pairs": ("QS-L1-014", Dull),
    "rewrites history": ("QS-L1-028", Rewrites),
    "skips too much": ("QS-L1-029", Skips),
    "divides its decay": ("QS-L1-032", Divides),
    "forgets the outcome": ("QS-L1-283", told(lambda self, node, noun, now: replace(noun, outcome=0), Swapped)),
    "turns the other axis": (
        "QS-L1-284",
        asked(lambda self, node, inner, req, ctx: inner(replace(req, pauli=(0, 2, 1, 3)[req.pauli]), ctx), Apply),
    ),
    "is biased": (
        "QS-L1-285",
        told(lambda self, node, noun, now: replace(noun, value=noun.value | int("1000" * (noun.number // 4), 2)), Bits),
    ),
    "gives one bit for many": (
        "QS-L1-285",
        asked(
            lambda self, node, inner, req, ctx: [Bits(req.purpose, req.number, int("10" * (req.number // 2), 2))],
            DrawBits,
        ),
    ),
    "ages from the herald": ("QS-L1-286", Late),
    "spares what is stored": ("QS-L1-370", Spares),
    "hides a warm-up": ("QS-L1-450", Hides),
    "mistakes what it has lost": (
        "QS-L1-450",
        told(lambda self, node, noun, now: replace(noun, qubit=noun.qubit + 1), Spoiled),
    ),
    "names memories": ("QS-L1-017", Reuses),
    "needs one end only": ("QS-L1-026", Alone),
    "overwrites": ("QS-L1-027", Overwrites),
    "counts what is free at either end": ("QS-L1-310", Deserted),
    "keeps silent about a freed memory": ("QS-L1-311", Unasked),
}


def failures(suite, make):
    return {verdict.id for verdict in failed(judge(suite, make, SPECIFICATION), strict=True)}


@pytest.mark.slow
@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_medium_fails_what_it_breaks(name):
    number, make = BROKEN[name]
    assert failures(MediumSuite, make) == {number}


@pytest.mark.parametrize("name", sorted(media(api.manager())))
def test_every_installed_tier_conforms(name):
    assert failures(MediumSuite, media(api.manager())[name]) == set()
    assert failures(DeviceSuite, devices(api.manager())[name]) == set()


def test_an_honest_wrapper_conforms():
    assert failures(MediumSuite, Spoilt) == set()


def test_every_requirement_of_the_suite_has_a_medium_that_breaks_it():
    judged = {verdict.id for verdict in judge(MediumSuite, Spoilt, SPECIFICATION)}
    assert judged == {number for number, _ in BROKEN.values()}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(media(api.manager())))
def test_every_installed_tier_conforms_on_closer_inspection(name):
    thorough = type("Thorough", (MediumSuite,), {"effort": 8})
    assert failures(thorough, media(api.manager())[name]) == set()
