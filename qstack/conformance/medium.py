"""The suite for media: the owner of all quantum state of a network, judged as its nodes see it.

A vendor writes one fixture::

    class TestMine(MediumSuite):
        @pytest.fixture
        def make(self):
            return lambda clock, seed, attempts: MyMedium(clock=clock, seed=seed, shot=0, attempts=attempts)

Platforms and links are the suite's, so what has to come of them is known.  All that is asked of a device is asked of a
medium too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import exp, inf, sqrt

from qstack.conformance.device import Benches, DeviceSuite, intervals, sign, tomography
from qstack.conformance.device_talk import (
    FEW,
    MANY,
    SHEET,
    Bench,
    Equipment,
    Feed,
    agrees,
    platform,
)
from qstack.conformance.marks import requirement
from qstack.core.clock import Clock
from qstack.core.nouns import Noun
from qstack.plugin.contracts import Medium
from qstack.services.bell import Basis
from qstack.services.device import Apply, Free, Herald, Measure, Measured, Spoiled, Swap, Swapped, Trigger

MakeMedium = Callable[[Clock, int, str], Medium]
SWAPS = 24
SECOND = 1e12
LASTING = 40.0
"""Attempts to 1/e of a memory that suffers from them."""
HELD = 430_000
"""How long its qubits are kept after their heralds [ps]: no attempt begins just when one is measured."""


def network(
    make: MakeMedium,
    links: tuple[tuple[int, int], ...],
    attempts: str,
    coherence_s: float,
    clock: Clock,
    feed: Feed,
    seed: int,
    lasting: float = inf,
    warm_up: int = 0,
) -> Equipment:
    """Return the devices of a network on one medium."""
    medium = make(clock, seed, attempts)
    tables = {}
    for number in sorted({node for link in links for node in link}):
        tables[number] = medium.place(number, f"n{number}", platform(coherence_s, lasting, warm_up * (number == 1)))
        medium.connect(number, partial(_hear, feed, number))
    for a, b in links:
        medium.join((a, b), f"n{a}--n{b}", SHEET)
    return Equipment(tables, SHEET)


def _hear(feed: Feed, node: int, noun: Noun, now: int) -> None:
    feed(node, noun, now)


def pair_bench(
    make: MakeMedium,
    seed: int = 1,
    attempts: str = "skip",
    coherence_s: float = 0.0,
    lasting: float = inf,
    warm_up: int = 0,
) -> Bench:
    """Return two nodes with a link; the first may warm up [ps]."""
    return Bench(partial(network, make, ((1, 2),), attempts, coherence_s, lasting=lasting, warm_up=warm_up), seed)


class AgeTests(Benches):
    """Waiting in memories."""

    @requirement("QS-L1-032")
    def test_two_waits_are_one(self, make: MakeMedium) -> None:
        """A law that is not exponential is read by total age, though somebody looks in between."""
        after = 40_000_000
        for touched in (False, True):
            bench = pair_bench(make, coherence_s=70e-6)

            def touch(node: int, qubit: int, bench: Bench = bench) -> None:
                bench.ask(node, Apply(qubit, 0))
                bench.ask(node, Apply(qubit, 3))
                bench.ask(node, Apply(qubit, 3))

            bench.measuring(lambda number: Basis.X, after, touch if touched else None)
            faded(bench.attempt(row=MANY).wait(1000 * self.effort * (after + SHEET.kept_cycle)), 70e-6, after)

    @requirement("QS-L1-286")
    def test_a_half_ages_from_its_emission(self, make: MakeMedium) -> None:
        """Not from its herald: light's way counts."""
        bench = pair_bench(make, coherence_s=1.6e-6).measuring(lambda number: Basis.X).attempt(row=MANY)
        faded(bench.wait(1000 * self.effort * SHEET.kept_cycle), 1.6e-6, 0)

    @requirement("QS-L1-370")
    def test_attempts_dephase_what_is_stored(self, make: MakeMedium) -> None:
        """Those of the other lane, after each half's emission and before its measurement, made or skipped."""
        for attempts in ("skip", "each"):
            bench = pair_bench(make, attempts=attempts, lasting=LASTING).attempt(lane=1, keep=False, bases=(0,))
            bench.measuring(lambda number: Basis.X, HELD).attempt(row=MANY)
            bench.wait(400 * self.effort * (HELD + SHEET.kept_cycle))
            worn(bench, attempts)

    @requirement("QS-L1-450")
    def test_what_a_warm_up_loses_is_told(self, make: MakeMedium) -> None:
        """Once for every half that is still held there, also where its herald comes later; and not at the other end."""
        begin = 2 * SHEET.kept_cycle
        for attempts, freed in (("skip", False), ("each", False), ("skip", True)):
            bench = pair_bench(make, attempts=attempts, warm_up=begin + SHEET.reply[0] // 2).attempt(row=MANY)
            bench.wait(begin - 1).attempt(-1).attempt(row=MANY, lane=1)
            if freed:
                bench.ask(1, Free(bench.heralds(1)[0][1].qubit))
            bench.wait(10 * begin)
            lost = [Spoiled(2, herald.lane, herald.qubit) for _, herald in bench.heralds(1)]
            assert [one.lane for one in lost] == [0, 1], f"{lost}: one pair on each lane before the warm-up"
            told = [(node, noun) for _, node, noun in bench.heard if isinstance(noun, Spoiled)]
            wanted = [(1, one) for one in (lost[1:] if freed else lost)]
            assert told == wanted, f"after a warm-up of node 1 that loses {wanted}, told was {told} ({attempts})"
            heralded = bench.heard.index((bench.heralds(1)[1][0], 1, bench.heralds(1)[1][1]))
            assert [noun for _, _, noun in bench.heard].index(lost[1]) > heralded, f"{lost[1]} before its herald"


def worn(bench: Bench, attempts: str) -> None:
    """Expect that the correlations in X are what so many attempts leave of perfect pairs.

    Raises
    ------
    AssertionError
        If they are not.
    """
    seen = sum(
        (reply + HELD - 1) // SHEET.period - emit // SHEET.period
        for emit, reply in zip(SHEET.emit, SHEET.reply, strict=True)
    )
    for (bell, basis), (number, mean) in bench.correlators().items():
        expected = exp(-seen / LASTING) * sign(bell, basis)
        words = f"index {bell}, {seen} attempts while both halves waited ({attempts})"
        agrees(words, number, mean, expected, 1 - expected**2)


def faded(bench: Bench, coherence_s: float, after: int) -> None:
    """Expect that the correlations in X are what a Gaussian law leaves of perfect pairs, at both halves' ages.

    Raises
    ------
    AssertionError
        If they are not.
    """
    left = 1.0
    for emit, reply in zip(SHEET.emit, SHEET.reply, strict=True):
        left *= exp(-((((reply + after - emit) / SECOND) / coherence_s) ** 2))
    for (bell, basis), (number, mean) in bench.correlators().items():
        expected = left * sign(bell, basis)
        agrees(f"index {bell}, {after} ps after the herald", number, mean, expected, 1 - expected**2)


class ChanceTests(Benches):
    """Where chance comes from."""

    @requirement("QS-L1-012")
    def test_the_same_seed_gives_the_same(self, make: MakeMedium) -> None:
        """Every indication, at the same time; another link changes nothing."""
        first, again, wider = (
            Bench(partial(network, make, links, "skip", 0.0), 5) for links in (((1, 2),), ((1, 2),), ((1, 2), (2, 3)))
        )
        for bench in (first, again, wider):
            bench.measuring(lambda number: number % 2).attempt().rounds(200)
        assert first.heard == again.heard, "two runs with the same seed differ"
        told = [[(now, node, herald.bell) for now, node, herald in heralds(bench)] for bench in (first, wider)]
        assert told[0] == told[1], "a link more changes the successes of another one"

    @requirement("QS-L1-029")
    def test_skipped_attempts_cost_nothing(self, make: MakeMedium) -> None:
        """Made one by one, attempts give successes after the same times."""
        skipped, made = (
            intervals(pair_bench(make, attempts=attempts).freeing().attempt().rounds(600 * self.effort))
            for attempts in ("skip", "each")
        )
        means = [sum(found) / len(found) for found in (skipped, made)]
        p = SHEET.heralds[FEW].probability
        error = sqrt((1 - p) / p**2 * (1 / len(skipped) + 1 / len(made)))
        assert abs(means[0] - means[1]) < 4 * error, (
            f"attempts until a success: {means[0]:.3f} skipped, {means[1]:.3f} made"
        )

    @requirement("QS-L1-014")
    def test_states_of_single_attempts_agree_with_the_outcomes(self, make: MakeMedium) -> None:
        """Where every attempt is made and asks the midpoint."""
        bench = pair_bench(make, attempts="each").measuring(lambda number: number % 3)
        tomography(bench.attempt().rounds(700 * self.effort))


class SwapTests:
    """Joining pairs."""

    @requirement("QS-L1-283")
    def test_a_swap_composes_by_xor(self, make: MakeMedium) -> None:
        """Of both indices and the outcome: perfect pairs leave one that reads like the index says, in X and in Z."""
        for basis in (Basis.Z, Basis.X):
            for seed in range(1, SWAPS // 2 + 1):
                swapped(make, basis, seed)


def swapped(make: MakeMedium, basis: Basis, seed: int) -> None:
    """Swap two perfect pairs and compare the bits of the ends with the index.

    Raises
    ------
    AssertionError
        If they do not agree.
    """
    bench = Bench(partial(network, make, ((1, 2), (2, 3)), "skip", 0.0), seed)
    for node, peer in ((1, 2), (2, 1), (2, 3), (3, 2)):
        bench.ask(node, Trigger(peer, 0, 5, MANY, keep=True, bases=()))
    bench.wait(2 * SHEET.kept_cycle)
    held = {(node, herald.peer): herald for _, node, herald in heralds(bench)}
    left, right = held[2, 1], held[2, 3]
    bench.ask(2, Swap(left.qubit, right.qubit))
    bench.wait(1)
    (told,) = bench.all(Swapped, 2)
    for node in (1, 3):
        bench.ask(node, Measure(held[node, 2].qubit, basis, 0))
    bench.wait(1)
    a, b = (one.outcome for one in bench.all(Measured))
    index = left.bell ^ right.bell ^ told.outcome
    assert 1 - 2 * (a ^ b) == sign(index, basis), (
        f"pairs {left.bell} and {right.bell}, outcome {told.outcome}: bits {a} and {b} in {basis.name} are not those of {index}"
    )


def heralds(bench: Bench) -> list[tuple[int, int, Herald]]:
    """Return time, node and herald of every success."""
    return [(now, node, noun) for now, node, noun in bench.heard if isinstance(noun, Herald)]


class MediumSuite(AgeTests, ChanceTests, SwapTests, DeviceSuite):
    """Everything that a medium is held to."""

    profile = "medium"

    def bench(self, make: MakeMedium, seed: int = 1) -> Bench:
        """Return two nodes with a link on one medium."""
        return pair_bench(make, seed)
