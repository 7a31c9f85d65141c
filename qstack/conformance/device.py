"""The suite for devices: two of them with a link, asked by device requests only.

A vendor writes one fixture::

    class TestMine(DeviceSuite):
        @pytest.fixture
        def make(self):
            return lambda clock, feed, seed: Equipment(tables={1: ..., 2: ...}, sheet=LinkSheet(...))

Nothing but the answers is looked at: rates by the times of heralds, states by the bits of measurements.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

from qstack.conformance.device_talk import FEW, Bench, agrees
from qstack.conformance.marks import Unsupported, extended, requirement
from qstack.services.bell import Basis, flip
from qstack.services.device import Apply, Bits, DrawBits, Free, Measure, Measured, Swap, Trigger

SEQUENCES = 1 << 16
BITS = 8192
CLEAR = 30.0
"""Pairs times square of their correlation, above which its sign is beyond doubt: more than five standard deviations."""


class Benches:
    """How the tests of a suite come to a bench.

    Attributes
    ----------
    effort
        Factor on the number of pairs that statistics are made of: a thorough judge sets a larger one.
    """

    effort: ClassVar[int] = 1

    def bench(self, make: Any, seed: int = 1) -> Bench:
        """Return two devices with a link."""
        return Bench(make, seed)


class QubitTests(Benches):
    """Handles of qubits, and what is done to them."""

    @requirement("QS-L1-010")
    def test_a_qubit_that_is_not_held_is_refused(self, make: Any) -> None:
        """One that never was, one that was freed, one that was measured."""
        requests: tuple[Callable[[int], Any], ...] = (
            Free,
            lambda qubit: Measure(qubit, Basis.Z, 0),
            lambda qubit: Apply(qubit, 1),
        )
        for end in requests[:2]:
            bench = self.bench(make).attempt().rounds(20)
            held = first(bench).qubit
            bench.ask(1, end(held))
            bench.wait(bench.sheet.period)
            for qubit in (held, held + 10**6):
                for request in requests:
                    assert bench.refuses(1, request(qubit)), (
                        f"{request(qubit)!r} is taken, though no such qubit is held"
                    )
        bench = self.bench(make).attempt().rounds(20)
        held = first(bench).qubit
        assert bench.refuses(1, Swap(held, held)), "a qubit is swapped with itself"

    @requirement("QS-L1-017")
    def test_numbers_are_never_used_twice(self, make: Any) -> None:
        """Of the qubits of a node."""
        bench = self.bench(make).freeing().attempt().attempt(lane=1).rounds(200)
        for node in (1, 2):
            numbers = [herald.qubit for _, herald in bench.heralds(node)]
            assert len(numbers) > 20, f"node {node} hears of {len(numbers)} qubits"
            assert len(set(numbers)) == len(numbers), f"node {node}: a number is used for two qubits"

    @requirement("QS-L1-009")
    def test_x_and_z_can_be_measured(self, make: Any) -> None:
        """And the answer says what was measured."""
        for basis in (Basis.X, Basis.Z):
            bench = self.bench(make).attempt().rounds(20)
            qubit = first(bench).qubit
            bench.ask(1, Measure(qubit, basis, 44))
            bench.wait(10**12)
            answers = [(one.qubit, one.basis, one.purpose) for one in bench.all(Measured, 1)]
            assert answers == [(qubit, basis, 44)], f"a measurement of qubit {qubit} in {basis.name} answers {answers}"
            assert bench.all(Measured, 1)[0].outcome in {0, 1}, "an outcome is a bit"

    @requirement("QS-L1-284")
    def test_a_pauli_moves_the_frame(self, make: Any) -> None:
        """By its own index: the pair reads as one of the announced index XOR the Pauli."""
        for pauli in range(4):
            bench = self.bench(make)

            def touch(node: int, qubit: int, bench: Bench = bench, pauli: int = pauli) -> None:
                if node == 1:
                    bench.ask(1, Apply(qubit, pauli))

            bench.measuring(lambda number: number % 2, 2, touch).attempt().rounds(400)
            declared = states(bench)
            for (bell, basis), (number, mean) in bench.correlators().items():
                if number * declared[bell][basis] ** 2 > CLEAR:
                    assert mean * sign(bell ^ pauli, basis) > 0, (
                        f"announced as {bell}, Pauli {pauli} applied: {mean:+.2f} in {Basis(basis).name} is not of {bell ^ pauli}"
                    )

    @requirement("QS-L1-285")
    @extended("random-bits")
    def test_random_bits_are_random(self, make: Any) -> None:
        """As many as asked for, half of them set, and no bit like the one before."""
        bench = self.bench(make)
        if DrawBits not in bench.tables[1]:
            raise Unsupported("random bits")
        bench.ask(1, DrawBits(BITS, 9))
        bench.wait(10**12)
        (answer,) = bench.all(Bits, 1)
        assert (answer.number, answer.purpose) == (BITS, 9), (
            f"asked for {BITS} bits for 9: {answer.number}, {answer.purpose}"
        )
        assert 0 <= answer.value < 1 << BITS, f"more than {BITS} bits"
        agrees("bits that are set", BITS, answer.value.bit_count() / BITS, 0.5, 0.25)
        changes = (answer.value ^ answer.value >> 1) & ((1 << BITS - 1) - 1)
        agrees("bits unlike the one before", BITS - 1, changes.bit_count() / (BITS - 1), 0.5, 0.25)


class HeraldTests(Benches):
    """Attempts and heralds."""

    @requirement("QS-L1-026")
    def test_one_end_alone_has_no_success(self, make: Any) -> None:
        """Nor have two that attempt for different requests."""
        for other in (-1, 6):
            bench = self.bench(make)
            bench.ask(1, Trigger(2, 0, 5, FEW, keep=True, bases=()))
            if other >= 0:
                bench.ask(2, Trigger(1, 0, other, FEW, keep=True, bases=()))
            bench.rounds(100)
            assert not bench.heralds(1) + bench.heralds(2), f"ids 5 and {other}: a success is told"

    @requirement("QS-L1-004")
    def test_both_ends_hear_the_same(self, make: Any) -> None:
        """Every success, numbered without gaps."""
        bench = self.bench(make).freeing().attempt(5).attempt(8, lane=1).rounds(200)
        bench.attempt(-1).attempt(-1, lane=1).wait(10**9)
        first_end, other = ([(h.lane, h.aid, h.sequence, h.bell) for _, h in bench.heralds(node)] for node in (1, 2))
        assert sorted(first_end) == sorted(other), "the two ends hear of different successes"
        assert len(first_end) > 20, f"only {len(first_end)} successes"
        for one, after in pairwise(sequence for _, _, sequence, _ in first_end):
            assert after == (one + 1) % SEQUENCES, f"after success {one} comes {after}"

    @requirement("QS-L1-027")
    def test_a_memory_in_use_is_left_alone(self, make: Any) -> None:
        """On its own lane; the other one goes on."""
        bench = self.bench(make).attempt(5).rounds(30)
        assert len(bench.heralds(1)) == 1, f"{len(bench.heralds(1))} successes on a lane with one memory"
        bench.ask(2, Free(bench.heralds(2)[0][1].qubit))
        bench.rounds(30)
        assert len(bench.heralds(1)) == 1, "a success while one end's memory is still in use"
        bench.attempt(5, lane=1).rounds(30)
        assert len(bench.heralds(1)) == 2, "no success on the lane that is free"

    @requirement("QS-L1-028")
    def test_what_was_emitted_keeps_its_request(self, make: Any) -> None:
        """After a change of mind: what began before belongs to the old request, what begins later to the new one."""
        for changed in (7, -1):
            early = late = 0
            for seed in range(1, 13):
                bench = self.bench(make, seed).freeing().attempt(5).rounds(5)
                turn = bench.time.now + seed * bench.sheet.period // 5
                bench.time.run(turn)
                bench.attempt(changed).rounds(5)
                for side, node in enumerate((1, 2)):
                    for now, herald in bench.heralds(node):
                        begun = herald.emitted - bench.sheet.emit[side]
                        wanted = 5 if begun < turn else changed
                        assert herald.aid == wanted, (
                            f"begun at {begun} ps, changed at {turn} ps: a success for {herald.aid}"
                        )
                        early += begun < turn < now
                        late += begun >= turn
            assert early, "no success that was on its way at the change arrived"
            assert late or changed < 0, "no success after the change"

    @requirement("QS-L1-006")
    def test_no_herald_is_faster_than_light(self, make: Any) -> None:
        """From the emission at the other end."""
        bench = self.bench(make).freeing().attempt().rounds(100)
        emitted = {(node, herald.sequence): herald.emitted for node in (1, 2) for _, herald in bench.heralds(node)}
        for node in (1, 2):
            for now, herald in bench.heralds(node):
                since = now - emitted.get((3 - node, herald.sequence), herald.emitted)
                assert since >= bench.sheet.delay, (
                    f"node {node} hears {since} ps after the emission at the other end, light needs {bench.sheet.delay} ps"
                )


class CapabilityTests(Benches):
    """What was declared of a link, and what is seen of it."""

    @requirement("QS-L1-014")
    def test_times_agree_with_the_probability(self, make: Any) -> None:
        """Attempts until a success are geometric: their mean, and the shares of 1, 2 and 3 of them."""
        waits(self.bench(make).freeing().attempt().rounds(1500 * self.effort))

    @requirement("QS-L1-014")
    def test_states_agree_with_the_outcomes(self, make: Any) -> None:
        """How often each index is announced, and the correlations of the bits of both ends."""
        tomography(self.bench(make).measuring(lambda number: number % 3).attempt().rounds(1800 * self.effort))


def first(bench: Bench) -> Any:
    """Return the first herald of node 1.

    Raises
    ------
    AssertionError
        If there is none.
    """
    found = bench.heralds(1)
    assert found, "both ends attempt alike, and no success is told"
    return found[0][1]


def sign(bell: int, basis: int) -> int:
    """Return the sign of the correlation of a perfect pair of this index in a basis; Phi+ has -1 in Y."""
    turned = 1 - 2 * flip(bell, basis)
    return -turned if basis == Basis.Y else turned


def states(bench: Bench) -> dict[int, dict[int, float]]:
    """Return the declared strength of correlations by announced index and basis; outcomes of one index are averaged."""
    found: dict[int, dict[int, float]] = {}
    for bell in {outcome.bell for outcome in bench.sheet.heralds[FEW].outcomes}:
        outcomes = [outcome for outcome in bench.sheet.heralds[FEW].outcomes if outcome.bell == bell]
        total = sum(outcome.share for outcome in outcomes)
        x, y, z = (sum(o.share * o.correlators[k] for o in outcomes) / total for k in range(3))
        found[bell] = {Basis.X: x, Basis.Y: y, Basis.Z: z}
    return found


def tomography(bench: Bench) -> None:
    """Compare announced indices, and bits that both ends measured, with the declared outcomes.

    Raises
    ------
    AssertionError
        If they do not agree.
    """
    told = [herald.bell for _, herald in bench.heralds(1)]
    for outcome in bench.sheet.heralds[FEW].outcomes:
        share = sum(o.share for o in bench.sheet.heralds[FEW].outcomes if o.bell == outcome.bell)
        seen = told.count(outcome.bell) / max(1, len(told))
        agrees(f"share of index {outcome.bell}", len(told), seen, share, share * (1 - share))
    declared = states(bench)
    for (bell, basis), (number, mean) in bench.correlators().items():
        expected = declared[bell][basis] * sign(bell, basis)
        agrees(f"index {bell}, both in {Basis(basis).name}", number, mean, expected, 1 - expected**2)


def intervals(bench: Bench) -> list[int]:
    """Return how many attempts each success took.

    Raises
    ------
    AssertionError
        If it is no whole number, or none at all.
    """
    begun = [herald.emitted for _, herald in bench.heralds(1)]
    cycle = bench.sheet.kept_cycle
    found = []
    for one, after in pairwise(begun):
        attempts, rest = divmod(after - one, cycle)
        assert rest == 0, f"emissions at {one} and {after} ps are no whole number of cycles of {cycle} ps apart"
        assert attempts > 0, f"two successes of one lane were emitted at {one} ps"
        found.append(attempts)
    return found


def waits(bench: Bench) -> None:
    """Compare how many attempts each success took with the declared probability.

    Raises
    ------
    AssertionError
        If they do not agree.
    """
    found, p = intervals(bench), bench.sheet.heralds[FEW].probability
    agrees("attempts until a success", len(found), sum(found) / max(1, len(found)), 1 / p, (1 - p) / p**2)
    for k in (1, 2, 3):
        share = p * (1 - p) ** (k - 1)
        agrees(f"successes after {k} attempts", len(found), found.count(k) / len(found), share, share * (1 - share))


class DeviceSuite(QubitTests, HeraldTests, CapabilityTests):
    """Everything that a device is held to."""

    profile = "device"
