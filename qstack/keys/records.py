"""What the two sides of a link wrote down, click by click.

A click is a pulse number and one byte, the *mark*:

====  =======================================
bits  meaning
====  =======================================
0     Alice's bit
1     Bob's bit
2     Alice's basis, 0 key and 1 test
3     Bob's basis
4, 5  intensity, 0 the signal
====  =======================================

Each end holds only its own bits of the mark.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError

Marks = NDArray[np.uint8]
Pulses = NDArray[np.int64]

ALICE_BIT, BOB_BIT, ALICE_BASIS, BOB_BASIS, INTENSITY = 0, 1, 2, 3, 4
ALICE_MASK = np.uint8(0b110101)
BOB_MASK = np.uint8(0b001010)


@dataclass(frozen=True, slots=True)
class Record:
    """One end's notes of a block.

    Parameters
    ----------
    total
        Pulses that Alice sent in this block.
    pulse
        Numbers of the pulses that clicked, rising, shape (clicks,).
    mark
        One byte each, see the module, shape (clicks,).
    self_tests, self_test_clicks
        How often the receiver shone its own light on its detectors, and how often they answered; Bob's record only.
    """

    total: int
    pulse: Pulses = field(repr=False)
    mark: Marks = field(repr=False)
    self_tests: int = 0
    self_test_clicks: int = 0

    def __post_init__(self) -> None:
        if self.pulse.shape != self.mark.shape or self.pulse.ndim != 1:
            raise ConfigError(f"a record needs one mark per pulse: {self.pulse.shape} pulses, {self.mark.shape} marks")

    def field(self, place: int, width: int = 1) -> Marks:
        """Return one field of every mark, shape (clicks,)."""
        return (self.mark >> np.uint8(place)) & np.uint8((1 << width) - 1)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A block as the quantum hardware left it: two records of the same clicks.

    Parameters
    ----------
    alice, bob
        The records of the two ends.
    simulated
        Whether the clicks came out of a generator; a key keeps this mark for ever.
    """

    alice: Record
    bob: Record
    simulated: bool = True

    @property
    def clicks(self) -> int:
        """Number of clicks, sifted or not."""
        return self.bob.pulse.size

    def sifted(self) -> tuple[int, int, int, int]:
        """Return the sifted key bits, their errors, the sifted test bits and their errors; nobody but a test sees it."""
        basis, same = self.alice.field(ALICE_BASIS), self.alice.field(ALICE_BASIS) == self.bob.field(BOB_BASIS)
        wrong = self.alice.field(ALICE_BIT) != self.bob.field(BOB_BIT)
        key, test = same & (basis == 0), same & (basis == 1)
        counts = (key, key & wrong, test, test & wrong)
        n_key, e_key, n_test, e_test = (int(np.count_nonzero(part)) for part in counts)
        return n_key, e_key, n_test, e_test


def split(total: int, pulse: Pulses, mark: Marks, self_tests: int = 0, answered: int = 0) -> Experiment:
    """Return an experiment whose ends each know their own half of the marks."""
    alice = Record(total, pulse, mark & ALICE_MASK)
    return Experiment(alice, Record(total, pulse, mark & BOB_MASK, self_tests, answered))
