"""Density matrices of a few qubits: the slow tier that every faster one is judged by.

A state is an array of shape (2^n, 2^n); qubit 0 is the first factor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import PhysicsError
from qstack.quantum.states import BellList, probability

Complex: TypeAlias = NDArray[np.complex128]
Real: TypeAlias = NDArray[np.float64]

MAX_QUBITS = 10
"""A density matrix of ten qubits takes 16 MB."""

_PSI, _PHI = 0.5**0.5 * np.array([[0, 1, 1, 0], [1, 0, 0, 1]])
BELL_STATES: Complex = np.array([_PHI, _PHI * [1, 1, 1, -1], _PSI, _PSI * [1, 1, -1, 1]], complex)
"""Row: state vector of a Bell index."""

X: Complex = np.array([[0, 1], [1, 0]], complex)
Z: Complex = np.array([[1, 0], [0, -1]], complex)
PAULIS: Complex = np.array([X @ X, X, 1j * X @ Z, Z])
"""I, X, Y, Z."""
_TRANSFERS = np.einsum("pij,qlk->pqijkl", PAULIS, PAULIS).reshape(16, 16) / 2
"""Row (p, q): the map on |k><l| that makes <s_p> of <s_q>."""
HADAMARD: Complex = 0.5**0.5 * np.array([[1, 1], [1, -1]], complex)
CNOT: Complex = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], complex)


def qubits(rho: Complex) -> int:
    """Return the number of qubits of a state."""
    return int(rho.shape[0]).bit_length() - 1


def bell_diagonal(bell: BellList) -> Complex:
    """Return the pair with these overlaps with [Phi+, Phi-, Psi+, Psi-]."""
    rho: Complex = np.einsum("b,bi,bj->ij", np.array(bell), BELL_STATES, BELL_STATES.conj())
    return rho


def product(*states: Complex) -> Complex:
    """Return states side by side.

    Raises
    ------
    PhysicsError
        If there are more qubits than this tier is made for.
    """
    total = sum(qubits(state) for state in states)
    if total > MAX_QUBITS:
        raise PhysicsError(f"{total} qubits: the density-matrix tier takes at most {MAX_QUBITS}")
    rho = np.ones((1, 1), complex)
    for state in states:
        rho = np.kron(rho, state)
    return rho


def apply(rho: Complex, kraus: Sequence[Complex], targets: Sequence[int]) -> Complex:
    """Return the state after Kraus operators on some qubits.

    Parameters
    ----------
    rho
        State of n qubits.
    kraus
        Operators of shape (2^k, 2^k).
    targets
        The k qubits, in the order of the operators' factors.
    """
    n = qubits(rho)
    k = len(targets)
    bras = [n + t for t in targets]
    tensor = rho.reshape((2,) * (2 * n))
    total = np.zeros_like(tensor)
    for operator in kraus:
        o = operator.reshape((2,) * (2 * k))
        half = np.moveaxis(np.tensordot(o, tensor, (range(k, 2 * k), targets)), range(k), targets)
        total += np.moveaxis(np.tensordot(o.conj(), half, (range(k, 2 * k), bras)), range(k), bras)
    return total.reshape(rho.shape)


def transfer(rho: Complex, channel: Real, target: int) -> Complex:
    """Return the state after a channel on one qubit that is given by its Pauli transfer matrix.

    Parameters
    ----------
    rho
        State of n qubits.
    channel
        Array (4, 4), row i saying what <s_i> becomes; it need not be completely positive, as between two ages of a law.
    target
        The qubit.
    """
    n = qubits(rho)
    super_operator = (channel.reshape(16) @ _TRANSFERS).reshape(4, 4)
    after: Complex = _put_back(super_operator @ _single_out(rho, n, target), n, target)
    return after


def condition(rho: Complex, effect: Real, target: int) -> Complex:
    """Return the unnormalised state of the other qubits when a measurement of one has had an outcome.

    Parameters
    ----------
    rho
        State of n qubits.
    effect
        Pauli coefficients of the outcome; (1, 0, 0, 0) traces the qubit out.
    target
        The qubit, which is gone afterwards.
    """
    n = qubits(rho)
    operator = (effect @ PAULIS.reshape(4, 4)).reshape(2, 2).T.reshape(4)
    left: Complex = (operator @ _single_out(rho, n, target)).reshape(2 ** (n - 1), 2 ** (n - 1))
    return left


def _single_out(rho: Complex, n: int, target: int) -> Complex:
    """Return a state of n qubits as an array (4, rest): ket and bra of one qubit, and those of the others."""
    a, b = 2**target, 2 ** (n - target - 1)
    return rho.reshape(a, 2, b, a, 2, b).transpose(1, 4, 0, 2, 3, 5).reshape(4, -1)


def _put_back(parts: Complex, n: int, target: int) -> Complex:
    """Undo `_single_out`."""
    a, b = 2**target, 2 ** (n - target - 1)
    return parts.reshape(2, 2, a, b, a, b).transpose(2, 0, 3, 4, 1, 5).reshape(2**n, 2**n)


def mixed(rho: Complex, targets: Sequence[int], q: float) -> Complex:
    """Return the state in which, with probability q, some qubits were replaced by the fully mixed state."""
    coin: list[Complex] = [X @ X / 2, X / 2, X @ Z / 2, Z / 2]
    replaced = rho
    for target in targets:
        replaced = apply(replaced, coin, (target,))
    return (1 - probability("q", q)) * rho + q * replaced


def cnot(rho: Complex, control: int, target: int, q: float = 0.0) -> Complex:
    """Return the state after a CNOT with gate noise q."""
    return mixed(apply(rho, (CNOT,), (control, target)), (control, target), q)


def read(rho: Complex, qubit: int, bit: int, m: float = 0.0) -> Complex:
    """Return the unnormalised state after a Z readout that reported this bit, wrong with probability m.

    The state collapses on the true bit; the qubit stays in place.
    """
    right = 1 - probability("m", m)
    weights = (right, m) if bit == 0 else (m, right)
    kraus: list[Complex] = [
        np.diag([math.sqrt(weight) if true == b else 0 for b in range(2)]).astype(complex)
        for true, weight in enumerate(weights)
    ]
    return apply(rho, kraus, (qubit,))


def keep(rho: Complex, kept: Sequence[int]) -> Complex:
    """Return the state of some qubits, in this order; the others are traced out."""
    n = qubits(rho)
    rest = [i for i in range(n) if i not in kept]
    order = [*kept, *rest]
    tensor = rho.reshape((2,) * (2 * n)).transpose([*order, *(n + i for i in order)])
    a, b = 2 ** len(kept), 2 ** len(rest)
    reduced: Complex = np.einsum("aibi->ab", tensor.reshape(a, b, a, b))
    return reduced


def overlap(rho: Complex, vector: Complex) -> float:
    """Return <vector| rho |vector>."""
    return float(np.real(vector.conj() @ rho @ vector))
