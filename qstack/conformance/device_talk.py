"""How the device and medium suites talk: virtual time, device requests, and the two ends of a link."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, inf, sqrt
from typing import Any, ClassVar, TypeAlias, TypeVar

from qstack.conformance.chance import seeded
from qstack.core.clock import Clock
from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Handler
from qstack.core.nouns import Noun
from qstack.plugin.contracts import Arm, Decay, Herald, InterfaceModel, LinkSheet, MemoryModel, Outcome, Platform
from qstack.services import device
from qstack.services.device import Free, Measure, Measured, Trigger

N = TypeVar("N", bound=Noun)
Feed: TypeAlias = Callable[[int, Noun, int], None]
"""Takes a node's number, an indication of its device, and the time [ps]."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """Two devices with a link, nodes 1 and 2.

    Parameters
    ----------
    tables
        What answers the requests of each node's device.
    sheet
        What the two declare of their link.
    """

    tables: Mapping[int, Mapping[type[Noun], Handler]]
    sheet: LinkSheet


MakeDevice = Callable[[Clock, Feed, int], Equipment]
"""What a vendor gives: makes the devices for a clock, something that takes their indications, and a seed."""

DARK = Herald(0.0, 0.25, (Outcome(0.75, 2, (0.9, 0.8, 0.85)), Outcome(0.25, 3, (0.6, 0.75, 0.5))))
PERFECT = Herald(1.0, 1.0, (Outcome(0.5, 0, (1.0, 1.0, 1.0)), Outcome(0.5, 3, (1.0, 1.0, 1.0))))
SHEET = LinkSheet((DARK, PERFECT), 100_000, (0, 250_000), (1_000_000, 750_000), 2, 750_000)
"""The link that the medium suite declares: 500 and 250 ns to the station, two settings, two lanes."""
FEW, MANY = 0, 1
"""Rows of a sheet."""


class Kept(MemoryModel):
    """A memory that loses nothing, or whose coherence falls like a Gaussian."""

    kind: ClassVar[str] = "judge"
    coherence_s: float = 0.0

    def decay(self, age_s: float) -> Decay:
        """Return exp(-(t/T)^2) on the coherences; without T nothing is lost."""
        return Decay(exp(-((age_s / self.coherence_s) ** 2)) if self.coherence_s else 1.0, 1.0)


class Given(InterfaceModel):
    """Stands in a platform whose link is given as a sheet."""

    kind: ClassVar[str] = "judge-interface"

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return the sheet's settings."""
        return SHEET.heralds

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the sheet's period [ps]."""
        return SHEET.period


def platform(coherence_s: float = 0.0, lasting: float = inf, warm_up: int = 0) -> Platform:
    """Return a node's hardware without any noise but that of its memory [s], of so many attempts to 1/e, and of a warm-up [ps]."""
    memory = Kept(coherence_s=coherence_s, dephasing_attempts=lasting)
    cold = (("0 ps", f"{warm_up} ps"),) if warm_up else ()
    return Platform(name="judge", memory=memory, interface=Given(), memories=2, cold=cold, warm_loses=bool(cold))


class VirtualTime:
    """A clock that moves when the suite moves it; equal times are first come, first served."""

    def __init__(self) -> None:
        self.now = 0
        self.heap: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self.count = 0

    def at(self, time: int, call: Callable[[Any], None], argument: Any) -> None:
        """Call later."""
        assert time >= self.now, f"at {self.now} ps something is put off until {time} ps, which is past"
        self.count += 1
        heapq.heappush(self.heap, (time, self.count, call, argument))

    def run(self, until: int) -> None:
        """Let time pass [ps]."""
        while self.heap and self.heap[0][0] <= until:
            self.now, _, call, argument = heapq.heappop(self.heap)
            call(argument)
        self.now = until


class Bench:
    """Devices of a few nodes, asked and listened to.

    Parameters
    ----------
    make
        Makes the devices.
    seed
        Of their chance.

    Attributes
    ----------
    heard
        Time, node and noun of every indication.
    react
        Called with a node and a herald as soon as it comes.
    """

    def __init__(self, make: MakeDevice, seed: int = 1) -> None:
        self.time = VirtualTime()
        self.heard: list[tuple[int, int, Noun]] = []
        self.react: Callable[[int, device.Herald], None] = lambda node, herald: None
        made = make(self.time, self._feed, seeded(seed))
        self.tables, self.sheet = made.tables, made.sheet

    def _feed(self, node: int, noun: Noun, now: int) -> None:
        self.heard.append((now, node, noun))
        if isinstance(noun, device.Herald):
            self.react(node, noun)

    def ask(self, node: int, request: Noun) -> None:
        """Give a device a request; its answers are heard."""
        context = Context(node)
        context.now = self.time.now
        for answer in self.tables[node][type(request)](request, context):
            self._feed(node, answer, self.time.now)

    def refuses(self, node: int, request: Noun) -> bool:
        """Tell whether a device refuses a request as the error of its user."""
        try:
            self.ask(node, request)
        except LocalProtocolError:
            return True
        return False

    def wait(self, duration: int) -> Bench:
        """Let time pass [ps]."""
        self.time.run(self.time.now + duration)
        return self

    def attempt(
        self, aid: int = 5, row: int = FEW, lane: int = 0, *, keep: bool = True, bases: tuple[int, ...] = ()
    ) -> Bench:
        """Let both ends attempt alike."""
        for node in (1, 2):
            self.ask(node, Trigger(3 - node, lane, aid, row, keep, bases))
        return self

    def all(self, kind: type[N], node: int = 0) -> list[N]:
        """Return all indications of a kind, of one node or of both."""
        return [noun for _, at, noun in self.heard if isinstance(noun, kind) and at == (node or at)]

    def heralds(self, node: int) -> list[tuple[int, device.Herald]]:
        """Return every herald of a node with the time at which it came [ps]."""
        return [(now, noun) for now, at, noun in self.heard if at == node and isinstance(noun, device.Herald)]

    def rounds(self, number: int) -> Bench:
        """Let time pass until about so many pairs of the slow setting could have come."""
        return self.wait(round(number * self.sheet.kept_cycle / self.sheet.heralds[FEW].probability))

    def freeing(self) -> Bench:
        """Free every qubit as soon as it is heralded."""
        self.react = lambda node, herald: self.ask(node, Free(herald.qubit)) if herald.qubit >= 0 else None
        return self

    def measuring(
        self, basis: Callable[[int], int], after: int = 0, touch: Callable[[int, int], None] | None = None
    ) -> Bench:
        """Measure every qubit a while after its herald, in a basis that its number decides.

        Parameters
        ----------
        basis
            From the number of the success.
        after
            How long after the herald [ps].
        touch
            Called with node and qubit at half of that time.
        """

        def react(node: int, herald: device.Herald) -> None:
            if herald.qubit < 0:
                return  # measured already
            request = Measure(herald.qubit, basis(herald.sequence), herald.sequence)
            now = self.time.now
            if touch is not None:
                self.time.at(now + after // 2, lambda _: touch(node, herald.qubit), None)
            self.time.at(now + after, lambda _: self.ask(node, request), None)

        self.react = react
        return self

    def correlators(self) -> dict[tuple[int, int], tuple[int, float]]:
        """Return number and mean product of the signs of both bits of every measured pair, by announced index and basis."""
        bells = {herald.sequence: herald.bell for _, herald in self.heralds(1)}
        bits: dict[int, list[Measured]] = {}
        for one in self.all(Measured):
            bits.setdefault(one.purpose, []).append(one)
        found: dict[tuple[int, int], list[int]] = {}
        for sequence, both in bits.items():
            if len(both) == 2:
                a, b = both
                found.setdefault((bells[sequence], a.basis), []).append(1 - 2 * (a.outcome ^ b.outcome))
        return {key: (len(signs), sum(signs) / len(signs)) for key, signs in found.items()}


SIGMAS = 4.0
"""Standard deviations within which a frequency has to lie: once in 16 000 honest tests it does not."""


def agrees(words: str, number: int, mean: float, expected: float, variance: float) -> None:
    """Expect that the mean of so many independent draws is what was declared.

    Raises
    ------
    AssertionError
        If it is off by more than `SIGMAS` standard deviations.
    """
    assert number > 0, f"{words}: nothing was seen"
    error = sqrt(max(variance, 1e-9) / number) + 1e-9
    sigmas = (mean - expected) / error
    assert abs(sigmas) < SIGMAS, (
        f"{words}: {mean:.4g} of {number}, declared {expected:.4g}: {sigmas:+.1f} standard deviations"
    )
