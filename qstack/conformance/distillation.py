"""The suite for distillation schemes: what no two ends that only talk to each other can do.

A vendor writes one fixture::

    class TestMine(DistillationSuite):
        @pytest.fixture
        def make(self):
            return lambda gate_noise, readout_error: MyScheme(gate_noise, readout_error)

Which gates a scheme uses is its own business; that it is a scheme of local gates and messages is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, product
from math import isclose

from qstack.conformance.marks import Unsupported, requirement
from qstack.plugin.contracts import DistillationScheme
from qstack.quantum.bounds import binary_entropy
from qstack.quantum.states import Correlators, bell_from_correlators, werner

MakeScheme = Callable[[float, float], DistillationScheme | None]
NOISES = ((0.0, 0.0), (0.02, 0.0), (0.0, 0.03), (0.1, 0.05), (1.0, 0.5))
"""Gate noise and readout error of the two ends."""
BELLS: tuple[Correlators, ...] = ((1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1))
"""The four Bell states in the frame of Phi+."""
SEPARABLE: tuple[Correlators, ...] = ((0, 0, 0), (0, 0, 1), (1 / 3, 1 / 3, 1 / 3), (0.4, 0.1, 0.5), (-0.2, 0.3, 0.5))
"""No overlap with a Bell state above 1/2."""
ENTANGLED: tuple[Correlators, ...] = ((0.9, 0.9, 0.9), (0.5, 0.5, 0.5), (0.9, 0.2, 0.3), (0.3, 0.3, 1.0), (1, 1, 1))
FIDELITIES = (0.55, 0.7, 0.8, 0.9, 0.97)
ROUNDING = 1e-9
EXACT = 1e-6


def scheme(make: MakeScheme, gate_noise: float = 0.0, readout_error: float = 0.0) -> DistillationScheme:
    """Return the subject for two ends with this noise.

    Raises
    ------
    Unsupported
        If it delivers every pair as it is.
    """
    made = make(gate_noise, readout_error)
    if made is None:
        raise Unsupported("schemes that do anything")
    return made


def largest(pair: Correlators) -> float:
    """Return the largest overlap with a Bell state."""
    return max(bell_from_correlators(pair))


def entanglement(pair: Correlators) -> float:
    """Return the relative entropy of entanglement of a Bell-diagonal pair [bit].

    1 - h(F) for a largest overlap F above 1/2, otherwise 0: Vedral and Plenio, Phys. Rev. A 57, 1619 (1998).
    """
    weight = min(1.0, largest(pair))
    return 1 - binary_entropy(weight) if weight > 0.5 else 0.0


def tried(
    make: MakeScheme, pairs: tuple[Correlators, ...]
) -> Iterator[tuple[str, Correlators, Correlators, float, Correlators]]:
    """Return, for every noise and every two of these pairs: words, the two, the probability to keep, the kept pair."""
    for noise in NOISES:
        judged = scheme(make, *noise)
        for first, second in product(pairs, repeat=2):
            kept, pair = judged.combine(first, second)
            words = f"gate noise {noise[0]:g}, readout error {noise[1]:g}, pairs {first} and {second}"
            yield words, first, second, kept, pair


class StateTests:
    """What is kept, and how often."""

    @requirement("QS-L2-281")
    def test_what_is_kept_is_a_state(self, make: MakeScheme) -> None:
        """With a probability that is one."""
        for words, _, _, kept, pair in tried(make, (*BELLS, *SEPARABLE, *ENTANGLED)):
            assert -ROUNDING <= kept <= 1 + ROUNDING, f"{words}: kept with probability {kept:g}"
            if kept > ROUNDING:
                assert min(bell_from_correlators(pair)) >= -ROUNDING, f"{words}: {pair} is no state"

    @requirement("QS-L2-286")
    def test_mixtures_are_distilled_as_mixtures(self, make: MakeScheme) -> None:
        """What is kept, times its probability, is linear in either pair."""
        for noise in NOISES:
            combine = scheme(make, *noise).combine
            pure = {(i, j): weighted(combine(a, b)) for i, a in enumerate(BELLS) for j, b in enumerate(BELLS)}
            for first, second in product((*SEPARABLE, *ENTANGLED), repeat=2):
                weights = [(i, p) for i, p in enumerate(bell_from_correlators(first))]
                others = [(j, q) for j, q in enumerate(bell_from_correlators(second))]
                mixed = [sum(p * q * pure[i, j][k] for i, p in weights for j, q in others) for k in range(4)]
                found = weighted(combine(first, second))
                assert all(isclose(a, b, abs_tol=EXACT) for a, b in zip(found, mixed, strict=True)), (
                    f"gate noise {noise[0]:g}, readout error {noise[1]:g}, pairs {first} and {second}: (p, p x, p y, p z) "
                    f"is {found}, but their mixtures of Bell states give {mixed}"
                )


class BoundTests:
    """What gates at the two ends and messages between them cannot do."""

    @requirement("QS-L2-282")
    def test_separable_pairs_stay_separable(self, make: MakeScheme) -> None:
        """No overlap above 1/2 comes of two pairs that have none."""
        for words, _, _, kept, pair in tried(make, SEPARABLE):
            if kept > ROUNDING:
                assert largest(pair) <= 0.5 + EXACT, f"{words}: kept with an overlap of {largest(pair):g}"

    @requirement("QS-L2-283")
    def test_entanglement_does_not_grow(self, make: MakeScheme) -> None:
        """On average no more than both pairs had together."""
        for words, first, second, kept, pair in tried(make, ENTANGLED):
            had, has = entanglement(first) + entanglement(second), kept * entanglement(pair)
            assert has <= had + EXACT, f"{words}: {has:g} of entanglement come of {had:g}"

    @requirement("QS-L2-287")
    def test_noise_costs(self, make: MakeScheme) -> None:
        """Noisier ends keep worse pairs, and gates that leave nothing keep nothing entangled."""
        for noises in (((0, 0), (0.02, 0), (0.1, 0)), ((0, 0), (0, 0.02), (0, 0.1))):
            for fidelity in FIDELITIES:
                got = [scheme(make, *noise).output_fidelity(fidelity, fidelity) for noise in noises]
                assert all(a > b for a, b in pairwise(got)), (
                    f"two pairs of fidelity {fidelity}, noises {noises}: fidelities {got} do not fall"
                )
        dead = scheme(make, 1.0, 0.0).output_fidelity(1.0, 1.0)
        assert dead <= 0.5 + EXACT, f"gates that leave nothing keep a pair of fidelity {dead:g}"


class PromiseTests:
    """What the link layer is told before it asks for pairs."""

    @requirement("QS-L2-284")
    def test_the_promised_fidelity_is_that_of_the_kept_pair(self, make: MakeScheme) -> None:
        """For Werner pairs."""
        for noise in NOISES:
            judged = scheme(make, *noise)
            for first, second in product(FIDELITIES, repeat=2):
                kept, pair = judged.combine(werner(first), werner(second))
                told, true = judged.output_fidelity(first, second), (1 + sum(pair)) / 4
                assert kept <= ROUNDING or isclose(told, true, abs_tol=EXACT), (
                    f"noise {noise}, fidelities {first} and {second}: promised {told:g}, kept {true:g}"
                )

    @requirement("QS-L2-285")
    def test_the_fidelity_that_is_needed_is_enough(self, make: MakeScheme) -> None:
        """And not more than enough; where nothing is enough it says so."""
        for noise in NOISES[:-1]:
            judged = scheme(make, *noise)
            best = judged.output_fidelity(1.0, 1.0)
            for wanted in FIDELITIES:
                needed = judged.input_fidelity(wanted)
                if needed > 1:
                    assert best < wanted, (
                        f"noise {noise}: nothing is said to give {wanted}, but perfect pairs give {best:g}"
                    )
                    continue
                got = judged.output_fidelity(needed, needed)
                assert got >= wanted - EXACT, f"noise {noise}: {needed:g} is said to give {wanted}, it gives {got:g}"
                less = judged.output_fidelity(needed - 0.01, needed - 0.01)
                assert less < wanted, f"noise {noise}: {needed:g} is said to be needed for {wanted}, less would do"

    @requirement("QS-L2-288")
    def test_a_scheme_has_one_name(self, make: MakeScheme) -> None:
        """Whatever the noise."""
        names = {scheme(make, *noise).name for noise in NOISES}
        assert len(names) == 1, f"the scheme calls itself {sorted(map(repr, names))}"

    @requirement("QS-L2-289")
    def test_it_is_worth_the_trouble(self, make: MakeScheme) -> None:
        """Two good pairs and perfect ends give a better one."""
        got = [scheme(make).output_fidelity(fidelity, fidelity) for fidelity in FIDELITIES]
        assert any(after > before for before, after in zip(FIDELITIES, got, strict=True)), (
            f"of two pairs of fidelities {FIDELITIES} come {got}"
        )


def weighted(answer: tuple[float, Correlators]) -> tuple[float, float, float, float]:
    """Return the probability to keep, and the kept correlators times it."""
    kept, (x, y, z) = answer
    return kept, kept * x, kept * y, kept * z


class DistillationSuite(StateTests, BoundTests, PromiseTests):
    """Everything that a distillation scheme is held to."""

    profile = "distillation"
