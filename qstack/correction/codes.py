"""Stabiliser codes small enough to enumerate, with the decoder that picks the most likely logical class.

A Pauli on n qubits is two bit masks (x, z), qubit 0 in the lowest bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import comb
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import PhysicsError
from qstack.quantum.states import probability

Masks: TypeAlias = tuple[int, int]
Array: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StabilizerCode:
    """A code with one logical qubit.

    Parameters
    ----------
    name
        What users call it.
    stabilizers
        Generators as strings of I, X, Y, Z.
    logical_x, logical_z
        Two operators that commute with the stabilisers and anticommute with each other.

    Raises
    ------
    PhysicsError
        If the operators do not commute as they must, or are too few or too many.
    """

    name: str
    stabilizers: tuple[str, ...]
    logical_x: str
    logical_z: str

    def __post_init__(self) -> None:
        checks = [masks(row) for row in self.stabilizers]
        logicals = masks(self.logical_x), masks(self.logical_z)
        if len(checks) != self.qubits - 1 or not anticommute(*logicals):
            raise PhysicsError(f"{self.name}: one logical qubit has n - 1 generators and anticommuting logicals")
        if any(anticommute(check, other) for check in checks for other in (*checks, *logicals)):
            raise PhysicsError(f"{self.name}: stabilisers commute with each other and with the logical operators")

    @property
    def qubits(self) -> int:
        """Number of data qubits."""
        return len(self.logical_x)

    @property
    def distance(self) -> int:
        """Least weight of an error that no generator sees and that changes the logical qubit."""
        return next(weight for weight in range(1, self.qubits + 1) if class_counts(self)[0, 1:, weight].any())

    def decode(self, syndrome: int) -> str:
        """Return a recovery of least weight for a syndrome, whose bit k says that generator k was turned."""
        return recoveries(self)[syndrome]


def masks(pauli: str) -> Masks:
    """Return the masks of a Pauli string.

    Raises
    ------
    PhysicsError
        If a letter is not I, X, Y or Z.
    """
    if set(pauli) - set("IXYZ"):
        raise PhysicsError(f"{pauli!r}: a Pauli string is made of I, X, Y and Z")
    x = sum(1 << k for k, letter in enumerate(pauli) if letter in "XY")
    z = sum(1 << k for k, letter in enumerate(pauli) if letter in "YZ")
    return x, z


def anticommute(a: Masks, b: Masks) -> bool:
    """Return whether two Paulis anticommute."""
    return ((a[0] & b[1]).bit_count() + (a[1] & b[0]).bit_count()) % 2 == 1


def _rows(letter: str, supports: Iterable[str]) -> tuple[str, ...]:
    return tuple(support.replace("1", letter).replace("0", "I") for support in supports)


_HAMMING = ("1010101", "0110011", "0001111")
_NEIGHBOURS = ("110000000", "011000000", "000110000", "000011000", "000000110", "000000011")
_BLOCKS = ("111111000", "000111111")

FIVE_QUBIT = StabilizerCode("[[5,1,3]]", ("XZZXI", "IXZZX", "XIXZZ", "ZXIXZ"), "XXXXX", "ZZZZZ")
"""Laflamme, Miquel, Paz and Zurek, Phys. Rev. Lett. 77, 198 (1996)."""

STEANE = StabilizerCode("Steane [[7,1,3]]", _rows("X", _HAMMING) + _rows("Z", _HAMMING), "X" * 7, "Z" * 7)
"""Steane, Phys. Rev. Lett. 77, 793 (1996)."""

SHOR = StabilizerCode("Shor [[9,1,3]]", _rows("Z", _NEIGHBOURS) + _rows("X", _BLOCKS), "Z" * 9, "X" * 9)
"""Shor, Phys. Rev. A 52, R2493 (1995)."""

CODES = {code.name: code for code in (FIVE_QUBIT, STEANE, SHOR)}


@lru_cache(maxsize=8)
def class_counts(code: StabilizerCode) -> Array:
    """Return how many Paulis of each weight lie in each logical class of each syndrome.

    Returns
    -------
    ndarray of int, shape (2^(n-1), 4, n+1)
        Indexed by syndrome, class (relative to the syndrome's least Pauli) and weight.
    """
    n = code.qubits
    errors = np.arange(4**n, dtype=np.int64)
    x, z = errors >> n, errors & (2**n - 1)

    def flips(pauli: str) -> Array:
        px, pz = masks(pauli)
        return (_weights(x & pz) + _weights(z & px)) % 2

    syndrome = np.zeros_like(errors)
    for k, row in enumerate(code.stabilizers):
        syndrome |= flips(row) << k
    logical = 2 * flips(code.logical_x) + flips(code.logical_z)
    counts = np.zeros((2 ** (n - 1), 4, n + 1), np.int64)
    np.add.at(counts, (syndrome, logical, _weights(x | z)), 1)
    return counts


def _weights(values: Array) -> Array:
    """Return the number of ones of each value."""
    total = np.zeros_like(values)
    while values.any():
        total += values & 1
        values = values >> 1
    return total


@lru_cache(maxsize=8)
def recoveries(code: StabilizerCode) -> tuple[str, ...]:
    """Return the first Pauli of least weight of every syndrome, by syndrome."""
    n, checks = code.qubits, [masks(row) for row in code.stabilizers]
    found: dict[int, str] = {}
    for weight in range(n + 1):
        for places in combinations(range(n), weight):
            for letters in product("XYZ", repeat=weight):
                chosen = dict(zip(places, letters, strict=True))
                pauli = "".join(chosen.get(k, "I") for k in range(n))
                error = masks(pauli)
                found.setdefault(sum(anticommute(check, error) << k for k, check in enumerate(checks)), pauli)
        if len(found) == 1 << len(checks):
            break
    return tuple(found[syndrome] for syndrome in range(1 << len(checks)))


def logical_error(code: StabilizerCode, p: float) -> float:
    """Return the logical error probability under depolarising noise with perfect syndromes.

    Each data qubit suffers X, Y or Z with probability p/3 each; the decoder picks the most likely of the four logical
    classes of the syndrome, which is optimal.  Small p keeps its relative accuracy: the classes not picked are added.

    Raises
    ------
    PhysicsError
        If p is no probability.
    """
    probability("p", p)
    n = code.qubits
    weights = np.array([(1 - p) ** (n - k) * (p / 3) ** k for k in range(n + 1)])
    classes = np.sort(class_counts(code) @ weights, axis=1)
    return float(classes[:, :-1].sum())


def parity_code_survival(blocks: int, photons: int, eta: float) -> float:
    """Return the probability that a quantum parity code survives loss.

    Every block keeps a photon and at least one block keeps all: Ralph, Hayes and Gilchrist, Phys. Rev. Lett. 95,
    100501 (2005).  The number of whole blocks is summed, so that all terms are positive.

    Parameters
    ----------
    blocks, photons
        The code (n, m): n blocks of m photons.
    eta
        Probability that a photon survives.

    Raises
    ------
    PhysicsError
        If there is no block or photon, or eta is no probability.
    """
    if blocks < 1 or photons < 1:
        raise PhysicsError(f"({blocks}, {photons}): a parity code has at least one block of one photon")
    whole = probability("eta", eta) ** photons
    damaged = 1 - whole - (1 - eta) ** photons
    return sum(comb(blocks, k) * whole**k * damaged ** (blocks - k) for k in range(1, blocks + 1))
