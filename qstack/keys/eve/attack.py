"""What an attack on the quantum channel is, and what Eve writes down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError
from qstack.keys.finite import Counts
from qstack.keys.ledger import Assumption
from qstack.keys.light import BASIS_ANGLE, Bytes, Floats, Light, Mask, Stored
from qstack.keys.models import Setup


@dataclass(frozen=True, slots=True)
class Notes:
    """Eve's notes, pulse by pulse.

    Parameters
    ----------
    angle
        Angle at which she measured, NaN where she did not [rad].
    outcome
        What she found.
    stored
        Polarisation of the photon that she kept for later, NaN where she kept none [rad]; she cannot read it before
        the basis is announced, and `learn` is the only reader.
    """

    angle: Floats
    outcome: Bytes
    stored: Floats

    @classmethod
    def blank(cls, pulses: int) -> Notes:
        """Return empty notes."""
        return cls(np.full(pulses, np.nan), np.zeros(pulses, np.uint8), np.full(pulses, np.nan))

    @classmethod
    def join(cls, parts: Sequence[Notes]) -> Notes:
        """Return notes one after the other."""
        return cls(
            np.concatenate([part.angle for part in parts]),
            np.concatenate([part.outcome for part in parts]),
            np.concatenate([part.stored for part in parts]),
        )

    def at(self, chosen: Mask) -> Notes:
        """Return the notes of some pulses."""
        return Notes(self.angle[chosen], self.outcome[chosen], self.stored[chosen])

    def learn(self, basis: Bytes) -> tuple[Bytes, NDArray[np.float64]]:
        """Return the best guess of Alice's bits and the information about each [bit], once the bases are public.

        Notes
        -----
        An outcome at an angle a from the announced basis agrees with Alice's bit with probability c = cos^2 a; it is
        worth 1 - h(c): 1 bit or none in intercept-resend, 0.399 bit in the Breidbart basis.
        """
        guess = self.outcome.copy()
        information = np.zeros(guess.size)
        measured = ~np.isnan(self.angle)
        agree = np.cos(self.angle[measured] - BASIS_ANGLE[basis[measured]]) ** 2
        guess[measured] ^= (agree < 0.5).astype(np.uint8)
        information[measured] = 1 - _entropy(agree)
        kept = ~np.isnan(self.stored)
        guess[kept] = Stored(self.stored[kept]).measure(basis[kept])
        information[kept] = 1.0
        return guess, information


def _entropy(chance: Floats) -> Floats:
    inside = np.clip(chance, 1e-300, 1 - 1e-16)
    value: Floats = -inside * np.log2(inside) - (1 - inside) * np.log2(1 - inside)
    return value


@dataclass(frozen=True, slots=True)
class Mean:
    """What an attack comes to on average, without a pulse being drawn.

    Parameters
    ----------
    counts
        Mean counts of a block.
    learned
        Mean information about its sifted key bits [bit].
    """

    counts: Counts
    learned: float


@dataclass(frozen=True, slots=True)
class OnPairs:
    """What an attack does to the photons of a pair source.

    Parameters
    ----------
    x, y, z
        Factors on the correlators of a pair.
    worth
        Information about a sifted key bit [bit].
    """

    x: float
    y: float
    z: float
    worth: float


class Foreseen(Protocol):
    """An attack with closed forms, so that a plan can reckon with it; an attacker need not have them."""

    def mean(self, setup: Setup, pulses: float) -> Mean:
        """Return what becomes of a block of so many pulses."""
        ...


class PairAttack(Protocol):
    """An attack that finds something to do on pairs; an attacker need not."""

    @property
    def on_pairs(self) -> OnPairs:
        """What it does."""
        ...


def on_pairs(attack: Any, name: str) -> OnPairs:
    """Return what an attack does to pairs.

    Raises
    ------
    ConfigError
        When it has nothing to do there.
    """
    found = getattr(attack, "on_pairs", None)
    if not isinstance(found, OnPairs):
        raise ConfigError(f"'{name}' acts on weak pulses and has nothing to do on pairs")
    return found


class QuantumAttack(Protocol):
    """Somebody on the quantum channel."""

    @property
    def name(self) -> str:
        """Name, for reports."""
        ...

    @property
    def breaks(self) -> Assumption | None:
        """The assumption of the proof that this attack breaks; None for an attack that the proof covers."""
        ...

    @property
    def blinds(self) -> bool:
        """Whether the receiver's detectors are held blind."""
        ...

    def tap(self, light: Light, setup: Setup, generator: np.random.Generator) -> Notes:
        """Act on light that leaves Alice, and leave in it what enters Bob's receiver, losses included."""
        ...


RIGHT_ANGLE = pi / 2
