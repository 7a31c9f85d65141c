"""Light between Alice and Bob, pulse by pulse, and what anybody in between may do to it.

The four states are linear polarisations at 0 and 90 degrees (key basis) and 45 and 135 degrees (test basis).  `Light`
shows what quantum mechanics lets anyone see without disturbance, the number of photons, and nothing else: Alice's
choices are not in it, so an attack cannot cheat.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Bytes = NDArray[np.uint8]

BASIS_ANGLE = np.array([0.0, pi / 4])
"""Angle of bit 0 in the key and in the test basis [rad]; bit 1 stands at a right angle to it."""
DARK = 255
"""Not a faked state: equal to no basis."""


@dataclass(slots=True)
class Stored:
    """Photons kept in a perfect memory until the bases are announced."""

    angle: Floats

    def measure(self, basis: Bytes) -> Bytes:
        """Return the bits read in the announced bases; exact, because the basis is the right one."""
        turned = np.rint((self.angle - BASIS_ANGLE[basis]) / (pi / 2)).astype(np.int64)
        bit: Bytes = (turned & 1).astype(np.uint8)
        return bit


class Light:
    """A train of pulses.

    Parameters
    ----------
    photons
        Photons in each pulse, shape (pulses,).
    angle
        Polarisation of each pulse [rad].

    Attributes
    ----------
    faked_basis, faked_bit
        For pulses that steer blinded detectors: the basis that makes one click, and the bit; `DARK` elsewhere.
    """

    def __init__(self, photons: Counts, angle: Floats) -> None:
        self.photons = photons
        self._angle = angle
        self.faked_basis = np.full(photons.size, DARK, np.uint8)
        self.faked_bit = np.zeros(photons.size, np.uint8)

    def __len__(self) -> int:
        return self.photons.size

    def measure(self, where: Mask, angle: Floats, generator: np.random.Generator) -> Bytes:
        """Measure one photon of each chosen pulse; it is destroyed.

        Parameters
        ----------
        where
            Pulses with at least one photon.
        angle
            Angle of outcome 0, one per chosen pulse [rad].
        generator
            Source of the outcomes.

        Returns
        -------
        ndarray
            Outcomes, one per chosen pulse; 0 with probability cos^2 of the angle between.
        """
        chance = np.cos(self._angle[where] - angle) ** 2
        self.photons[where] -= 1
        return (generator.random(chance.size) >= chance).astype(np.uint8)

    def store(self, where: Mask) -> Stored:
        """Take one photon out of each chosen pulse and keep it."""
        self.photons[where] -= 1
        return Stored(self._angle[where])

    def send(self, where: Mask, photons: Counts, angle: Floats) -> None:
        """Replace chosen pulses by fresh ones."""
        self.photons[where] = photons
        self._angle[where] = angle

    def block(self, where: Mask) -> None:
        """Absorb chosen pulses."""
        self.photons[where] = 0

    def lose(self, transmittance: float, generator: np.random.Generator) -> None:
        """Let every photon survive with a probability."""
        lit = np.flatnonzero(self.photons)
        self.photons[lit] = generator.binomial(self.photons[lit], transmittance)

    def steer(self, where: Mask, basis: Bytes, bit: Bytes) -> None:
        """Send bright light that makes a blinded detector click in one basis only, with a bit of the sender's choice."""
        self.faked_basis[where] = basis
        self.faked_bit[where] = bit

    def split_at(
        self, lit: Counts, angle: Floats, wrong: float, generator: np.random.Generator
    ) -> tuple[Counts, Counts]:
        """Return how many of the detected photons of pulses `lit` go to each exit of a receiver at an angle.

        Parameters
        ----------
        lit
            Indices of pulses.
        angle
            Receiver's angle for each of them [rad].
        wrong
            Probability that a photon takes the other exit than its polarisation says.
        generator
            Source of the outcomes.
        """
        straight = np.cos(self._angle[lit] - angle) ** 2
        zero = generator.binomial(self.photons[lit], straight * (1 - wrong) + (1 - straight) * wrong)
        return zero, self.photons[lit] - zero
