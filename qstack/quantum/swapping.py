"""Swaps, chains of swaps and teleportation with imperfect gates and readout.

A swap is CNOT from B1 to B2, Hadamard on B1, measure both, correct the far half.  Averaged over its outcomes it
multiplies correlators, for any two states: Z correlations hang on the bit of B2, X on the bit of B1, Y on both.
Gate noise q replaces both measured qubits by I/4 and leaves nothing; readout noise m flips a bit, a factor 1 - 2m.
"""

from __future__ import annotations

from qstack.core.errors import PhysicsError
from qstack.quantum.states import Correlators, probability


def swap_factors(q: float, m: float) -> Correlators:
    """Return the factors of an imperfect Bell measurement on the products of correlators.

    Parameters
    ----------
    q
        Probability that the gate replaces its two qubits by the fully mixed state.
    m
        Probability that a reported bit is wrong.

    Raises
    ------
    PhysicsError
        If one of them is no probability.
    """
    gate = 1 - probability("gate noise q", q)
    readout = 1 - 2 * probability("readout noise m", m)
    return gate * readout, gate * readout * readout, gate * readout


def swap(a: Correlators, b: Correlators, factors: Correlators = (1.0, 1.0, 1.0)) -> Correlators:
    """Return the correlators of the joined pair in the frame left XOR right XOR outcome."""
    (ax, ay, az), (bx, by, bz), (fx, fy, fz) = a, b, factors
    return ax * bx * fx, ay * by * fy, az * bz * fz


def swap_chain(pair: Correlators, segments: int, factors: Correlators = (1.0, 1.0, 1.0)) -> Correlators:
    """Return the end-to-end correlators of equal pairs, joined by ``segments - 1`` swaps.

    Raises
    ------
    PhysicsError
        If there is no segment.
    """
    if segments < 1:
        raise PhysicsError(f"segments = {segments}: a chain has at least one")
    x, y, z = (c**segments * f ** (segments - 1) for c, f in zip(pair, factors, strict=True))
    return x, y, z


def teleport_fidelity(resource: Correlators, factors: Correlators = (1.0, 1.0, 1.0)) -> float:
    """Return the mean fidelity of teleportation over all pure states, 1/2 + (x + y + z) / 6.

    The resource's correlators shrink the Bloch vector of the data along X, Y and Z; the Bell measurement is that of a
    swap.  Without noise this is (2F + 1) / 3: Horodecki, Phys. Rev. A 60, 1888 (1999).
    """
    x, y, z = swap(resource, factors)
    return 0.5 + (x + y + z) / 6
