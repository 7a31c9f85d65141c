"""What both ends agree on before a block: the proof, its epsilons and tolerances, and how the key is handled."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from math import sqrt
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from qstack.core.errors import ConfigError
from qstack.keys import finite
from qstack.keys.authentication import SLOT_BITS
from qstack.keys.finite import Bounds, Counts, Epsilons
from qstack.keys.information import binary_entropy
from qstack.keys.models import Sheet, Source
from qstack.keys.randomness import stream


class Proof(StrEnum):
    """Composable finite-key proofs; nothing else ever makes a key."""

    TWO_DECOYS = "two-decoys"
    ONE_DECOY = "one-decoy"
    PAIRS = "pairs"


SOURCES = {
    Proof.TWO_DECOYS: "Lim et al., PRA 89, 022307 (2014)",
    Proof.ONE_DECOY: "Rusca et al., APL 112, 171104 (2018)",
    Proof.PAIRS: "Tomamichel et al., Nat. Commun. 3, 634 (2012)",
}
VARIABLE = "variable length after Tupkary et al., arXiv:2408.17349"
FIXED = "fixed length, tolerances announced before the block (Wiesemann et al., arXiv:2405.16578)"


class Tolerances(Sheet):
    """What a block must reach to be accepted at the announced length.

    Attributes
    ----------
    vacuum, single
        Least bits that the proof must find from empty and single-photon pulses [bit].
    phase_error
        Greatest phase error rate that it may find.
    leak
        Most that reconciliation and verification may disclose [bit].
    """

    vacuum: Annotated[float, Field(ge=0)] = 0.0
    single: Annotated[float, Field(gt=0)]
    phase_error: Annotated[float, Field(ge=0, le=0.5)]
    leak: Annotated[float, Field(ge=0)]

    @property
    def bounds(self) -> Bounds:
        """The tolerances as the bounds of the worst block that passes."""
        return Bounds(self.vacuum, self.single, self.phase_error)

    def admit(self, found: Bounds) -> bool:
        """Return whether a block is at least as good as announced."""
        good = found.vacuum >= self.vacuum and found.single >= self.single
        return good and found.phase_error <= self.phase_error


class Terms(Sheet):
    """The agreement.

    Attributes
    ----------
    proof
        Which proof bounds the key.
    source
        Intensities and probabilities that the proof relies on; ignored for pairs.
    secrecy, correctness
        Epsilons of a block, without authentication.
    tolerances
        Of a fixed-length proof; None asks for the variable-length proof.
    reconciliation
        Name of the strategy.
    key_error
        Error rate of the key bits that reconciliation should expect, such as that of earlier blocks; None takes the
        rate of the test bits.
    leak_limit
        Most that reconciliation and verification may disclose, in bits per key bit; given up before the block.
    count_reverse
        Whether Bob's reconciliation messages count as leak as well; without them the proof must grant Eve the
        positions of the errors.
    refill_bits
        Bits of every key that go to authentication, whole slots of 256 [bit].
    alarm
        Error rate among the test bits above which the block is given up at once; by default none, because what counts
        is h(e_X) + f h(e_Z) < 1 and that is always asked.
    """

    proof: Proof
    source: Source = Source()
    secrecy: Annotated[float, Field(gt=0, lt=1)] = 1e-9
    correctness: Annotated[float, Field(gt=0, lt=1)] = 1e-12
    tolerances: Tolerances | None = None
    reconciliation: str = "cascade-patient"
    key_error: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    leak_limit: Annotated[float, Field(gt=0, lt=1)]
    count_reverse: bool = True
    refill_bits: Annotated[int, Field(ge=0, multiple_of=SLOT_BITS)] = SLOT_BITS
    alarm: Annotated[float, Field(gt=0, le=0.5)] = 0.5

    @model_validator(mode="after")
    def _fit(self) -> Self:
        wanted = {Proof.TWO_DECOYS: 3, Proof.ONE_DECOY: 2}.get(self.proof)
        if wanted is not None and len(self.source.intensities) != wanted:
            raise ValueError(f"{self.proof} needs {wanted} intensities, not {len(self.source.intensities)}")
        return self

    @property
    def digest(self) -> bytes:
        """SHA-256 of the terms: both ends compare it before anything else."""
        return hashlib.sha256(self.model_dump_json().encode()).digest()

    @property
    def intensities(self) -> int:
        """Number of intensities that counts are kept for."""
        return 1 if self.proof is Proof.PAIRS else len(self.source.intensities)

    @property
    def epsilons(self) -> Epsilons:
        """The epsilons that the bounds are computed with.

        Notes
        -----
        The variable-length proof needs every bound together to fail with at most eps_AT^2 where the secrecy is
        2 eps_AT + eps_PA; half of the secrecy goes to each.
        """
        secrecy = self.secrecy if self.tolerances else (self.secrecy / 4) ** 2
        return Epsilons(secrecy, self.correctness)

    @property
    def cost(self) -> float:
        """Bits given up to the epsilons [bit]."""
        if self.tolerances is None:
            leftover = self.secrecy / 2
            return 2 * float(np.log2(1 / (2 * leftover))) + float(np.log2(2 / self.correctness))
        if self.proof is Proof.PAIRS:
            return finite.pair_cost(self.epsilons)
        return (finite.TWO_DECOYS if self.proof is Proof.TWO_DECOYS else finite.ONE_DECOY).cost(self.epsilons)

    def bounds(self, counts: Counts) -> Bounds:
        """Return what the proof makes of a block's counts."""
        if self.proof is Proof.TWO_DECOYS:
            return finite.two_decoys(self.source, counts, self.epsilons)
        if self.proof is Proof.ONE_DECOY:
            return finite.one_decoy(self.source, counts, self.epsilons)
        test = sum(counts.test)
        error = sum(counts.test_errors) / test if test else 0.5
        return finite.single_photons(sum(counts.key), test, error, self.epsilons)

    def length(self, found: Bounds, key_bits: int) -> int:
        """Return the length of the key of a block that is accepted; 0 when it is refused.

        Parameters
        ----------
        found
            The block's bounds.
        key_bits
            Its sifted key bits; the leak is taken at its limit, as the proof wants it fixed before reconciliation.
        """
        known = found
        if self.tolerances is not None:
            if not self.tolerances.admit(found):
                return 0
            known = self.tolerances.bounds
        return min(key_bits, finite.length(known, self.most_leak(key_bits), self.cost))

    def most_leak(self, key_bits: int) -> float:
        """Return what a block of this size may disclose [bit]."""
        return self.leak_limit * key_bits if self.tolerances is None else self.tolerances.leak


def leak_limit(error: float, efficiency: float, key_bits: float, *, both_ways: bool, spare: float = 4.0) -> float:
    """Return a leak limit for `Terms` [bit/bit]: f h(e) with room for fluctuations and for verification.

    Parameters
    ----------
    error
        Expected error rate of the key bits.
    efficiency
        Efficiency f that reconciliation keeps.
    key_bits
        Key bits of a block.
    both_ways
        Whether Bob's messages count, see `Terms.count_reverse`.
    spare
        Standard deviations of the number of errors to be prepared for.
    """
    worst = error + spare * sqrt(error * (1 - error) / key_bits)
    return (efficiency * (2 if both_ways else 1) * binary_entropy(worst) * key_bits + 512) / key_bits


def announce(mean: Counts, terms: Terms, spare: float = 4.0) -> Terms:
    """Return terms whose tolerances an honest link nearly always meets.

    The bounds of 64 blocks with Poissonian counts are computed, and the tolerances set `spare` standard deviations on
    the unlucky side of their mean.

    Parameters
    ----------
    mean
        Mean counts of a block, such as `qstack.keys.bb84.expected`.
    terms
        Everything else.
    spare
        Standard deviations.

    Raises
    ------
    ConfigError
        When such a link gives no key at this block size.
    """
    key = sum(mean.key) + spare * sqrt(sum(mean.key))
    loosest = Tolerances(single=1, phase_error=0.5, leak=terms.leak_limit * key)
    fixed = terms.model_copy(update={"tolerances": loosest})
    generator = stream(0, 0, "tolerances")

    def fluctuate() -> Bounds:
        draws = (generator.poisson(part) for part in (mean.key, mean.test, mean.test_errors, mean.key_errors))
        return fixed.bounds(Counts(*(tuple(map(float, draw)) for draw in draws)))

    found = np.array([(b.vacuum, b.single, b.phase_error) for b in (fluctuate() for _ in range(64))])
    centre, width = found.mean(axis=0), found.std(axis=0)
    single, phase = centre[1] - spare * width[1], centre[2] + spare * width[2]
    if single <= 0 or phase >= 0.5:
        raise ConfigError(f"blocks of {key:.0f} key bits prove nothing on this link: take longer ones or a better link")
    vacuum = max(0.0, centre[0] - spare * width[0])
    announced = Tolerances(vacuum=vacuum, single=single, phase_error=phase, leak=loosest.leak)
    return terms.model_copy(update={"tolerances": announced})
