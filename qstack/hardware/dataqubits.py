"""Data qubits in the correlator tier, and directions on the Bloch sphere.

A qubit prepared in an eigenstate of X, Y or Z is half of a perfect pair whose other half has been measured in that
basis: nothing that can be done to it tells the difference, and no further formalism is needed.  A direction that is not
along an axis is more than three correlators can express, and refused.
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import Any

from qstack.core.errors import ConfigError
from qstack.hardware.pairs import Half, Law, Pair
from qstack.services.bell import Basis
from qstack.services.device import TURN

QUARTER = TURN // 4


def vector(polar: int, azimuth: int) -> tuple[float, float, float]:
    """Return the unit vector of a direction, whose angles are in steps of 2 pi / `TURN`."""
    theta, phi = 2 * pi * polar / TURN, 2 * pi * azimuth / TURN
    return sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)


def axis(polar: int, azimuth: int) -> tuple[Basis, int]:
    """Return the basis of a direction along an axis, and 1 if it points the other way.

    Raises
    ------
    ConfigError
        If it lies along no axis.
    """
    if polar % (2 * QUARTER) == 0:
        return Basis.Z, polar // (2 * QUARTER) % 2
    if polar % QUARTER == 0 and azimuth % QUARTER == 0:
        turns = azimuth // QUARTER + 2 * (polar // QUARTER % 4 == 3)
        return (Basis.X, Basis.Y)[turns % 2], turns // 2 % 2
    degrees = f"polar angle {360 * polar / TURN:g} and azimuth {360 * azimuth / TURN:g} degrees"
    raise ConfigError(
        f"three correlators cannot express the direction with {degrees}: only X, Y and Z. Choose run: {{tier: exact}}."
    )


class Slot:
    """Where a data qubit is kept: not one of the memories that link pairs wait for."""

    def __init__(self, box: Any, born: int) -> None:
        self.box = box
        self.born = born

    def release(self, side: int, now: int) -> None:
        """Take the time out of that of the links' memories."""
        self.box.busy -= now - self.born


def prepared(direction: tuple[Basis, int], law: Law | None, slot: Slot) -> Half:
    """Return a qubit in the eigenstate of a basis with this bit."""
    basis, bit = direction
    pair = Pair(0, 1.0, 1.0, 1.0)
    pair.a = half = Half(pair, law, slot.born, slot, 0)
    pair.b = other = Half(pair, None, slot.born, slot, 1)
    other.basis = basis
    other.outcome = bit ^ (basis == Basis.Y)  # the ends of Phi+ disagree in Y
    half.consumed = True  # freeing it loses no pair
    return half
