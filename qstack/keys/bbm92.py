"""BBM92: both ends measure halves of entangled pairs; key in Z, test in X.

A pair is the three correlators (x, y, z) = (<XX>, -<YY>, <ZZ>) in the frame of its announced Bell index, as everywhere
in the stack: the error rates are (1 - z)/2 in Z and (1 - x)/2 in X.  Pairs come from a model (`sample`) or from the
measurements of a run (`from_measurements`); both give the same records and the same key.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from qstack.core.errors import ConfigError
from qstack.keys.finite import Counts
from qstack.keys.marks import MARKS, alias_table, draw_marks
from qstack.keys.models import Sheet
from qstack.keys.randomness import stream
from qstack.keys.records import ALICE_BASIS, ALICE_BIT, BOB_BASIS, BOB_BIT, Experiment, split
from qstack.services.bell import Basis, Bell, flip

Correlator = Annotated[float, Field(ge=-1, le=1)]


class Pairs(Sheet):
    """Pairs as the two ends measure them.

    Attributes
    ----------
    x, y, z
        Correlators at the moment of measurement, readout errors included.
    p_key
        Probability that an end measures in Z.
    """

    x: Correlator = 0.95
    y: Correlator = 0.95
    z: Correlator = 0.95
    p_key: Annotated[float, Field(gt=0, lt=1)] = 0.5

    @model_validator(mode="after")
    def _physical(self) -> Self:
        x, y, z = self.x, self.y, self.z
        weights = (1 + x + y + z, 1 + x - y - z, 1 - x + y - z, 1 - x - y + z)
        if min(weights) < -1e-12:
            raise ValueError(f"correlators ({x}, {y}, {z}) belong to no state: a Bell weight is {min(weights) / 4:.3g}")
        return self

    @classmethod
    def werner(cls, fidelity: float, p_key: float = 0.5) -> Pairs:
        """Return Werner pairs: every correlator (4F - 1)/3, every error rate 2(1 - F)/3."""
        value = (4 * fidelity - 1) / 3
        return cls(x=value, y=value, z=value, p_key=p_key)

    @property
    def error_key(self) -> float:
        """Error rate in the key basis."""
        return (1 - self.z) / 2

    @property
    def error_test(self) -> float:
        """Error rate in the test basis."""
        return (1 - self.x) / 2


def expected(pairs: Pairs, number: float) -> Counts:
    """Return the mean counts of a block of so many pairs."""
    key, test = number * pairs.p_key**2, number * (1 - pairs.p_key) ** 2
    return Counts((key,), (test,), (test * pairs.error_test,), (key * pairs.error_key,))


def sample(pairs: Pairs, number: int, seed: int | None, block: int = 0) -> Experiment:
    """Measure pairs and return what both ends wrote down.

    Parameters
    ----------
    pairs
        The state and the choice of bases.
    number
        Number of pairs.
    seed, block
        As in `qstack.keys.randomness.stream`.

    Raises
    ------
    ConfigError
        When the number is not positive.
    """
    if number <= 0:
        raise ConfigError(f"{number} pairs: a block needs at least one")
    weights = np.zeros(MARKS)
    chance = {0: pairs.p_key, 1: 1 - pairs.p_key}
    for index in range(1 << (BOB_BASIS + 1)):
        a, b = index >> ALICE_BASIS & 1, index >> BOB_BASIS & 1
        wrong = (index >> ALICE_BIT ^ index >> BOB_BIT) & 1
        error = 0.5 if a != b else (pairs.error_test if a else pairs.error_key)
        weights[index] = chance[a] * chance[b] * (error if wrong else 1 - error) / 2
    mark = draw_marks(stream(seed, block, "bbm92"), number, *alias_table(weights / weights.sum()))
    return split(number, np.arange(number, dtype=np.int64), mark)


def from_measurements(
    bases: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    bits: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    bell: NDArray[np.uint8],
    *,
    simulated: bool = True,
) -> Experiment:
    """Return the records of pairs that a network delivered and both ends measured.

    Parameters
    ----------
    bases, bits
        What Alice and Bob measured and found, shape (pairs,) each; bases as `qstack.services.bell.Basis`, Z or X.
    bell
        Announced Bell index of each pair; Bob's bit is flipped so that every pair reads like Phi+.
    simulated
        Whether the pairs came out of a generator.

    Raises
    ------
    ConfigError
        When shapes differ, or a basis is not Z or X.
    """
    columns = [np.asarray(part, np.uint8) for part in (*bases, *bits, bell)]
    if len({part.shape for part in columns}) != 1 or columns[0].ndim != 1:
        raise ConfigError(f"bases, bits and Bell indices differ in shape: {[part.shape for part in columns]}")
    alice_basis, bob_basis, alice_bit, bob_bit, index = columns
    if columns[0].size and max(int(alice_basis.max()), int(bob_basis.max())) > Basis.X:
        raise ConfigError("BBM92 measures in Z or X only")
    flips = np.array([[flip(state, basis) for basis in (Basis.Z, Basis.X)] for state in Bell], np.uint8)
    seen = bob_bit ^ flips[index, bob_basis]
    mark = alice_bit | seen << BOB_BIT | alice_basis << ALICE_BASIS | bob_basis << BOB_BASIS
    plain = split(alice_bit.size, np.arange(alice_bit.size, dtype=np.int64), mark.astype(np.uint8))
    return Experiment(plain.alice, plain.bob, simulated)
