"""Two-qubit states: Bell lists, correlators and the exact matrix, and how they turn into each other.

==============  ======================================================  ===============================================
tier            what is kept                                            what it loses
==============  ======================================================  ===============================================
correlators     (x, y, z) = (<XX>, -<YY>, <ZZ>), frame of a Bell index  everything off the Bell diagonal
Bell list       overlaps with [Phi+, Phi-, Psi+, Psi-]                  the same
exact           T[i, j] = <s_i x s_j> with s = (I, X, Y, Z)             nothing
==============  ======================================================  ===============================================

Fidelity is always the overlap with the target state, never its square root.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from qstack.core.errors import PhysicsError

Correlators: TypeAlias = tuple[float, float, float]
BellList: TypeAlias = tuple[float, float, float, float]

ROUNDING = 1e-9
"""How far an overlap may leave [0, 1] through rounding."""


def probability(name: str, value: float) -> float:
    """Return a number that lies in [0, 1].

    Raises
    ------
    PhysicsError
        If it does not.
    """
    if not 0.0 <= value <= 1.0:
        raise PhysicsError(f"{name} = {value}: a probability lies in [0, 1]")
    return value


def correlators_from_bell(bell: Sequence[float], announced: int = 0) -> Correlators:
    """Return (x, y, z) of a Bell list, in the frame of the announced Bell index.

    Parameters
    ----------
    bell
        Overlaps with [Phi+, Phi-, Psi+, Psi-]; they add up to 1.
    announced
        Bell index in whose frame a perfect pair is (1, 1, 1).
    """
    a, b, c, d = (bell[k ^ announced] for k in range(4))
    return a - b + c - d, a - b - c + d, a + b - c - d


def bell_from_correlators(correlators: Correlators, announced: int = 0) -> BellList:
    """Return the overlaps with [Phi+, Phi-, Psi+, Psi-]; the inverse of `correlators_from_bell`."""
    x, y, z = correlators
    framed = ((1 + x + y + z) / 4, (1 - x - y + z) / 4, (1 + x - y - z) / 4, (1 - x + y - z) / 4)
    return framed[announced], framed[1 ^ announced], framed[2 ^ announced], framed[3 ^ announced]


def fidelity(correlators: Correlators) -> float:
    """Return the overlap with the announced Bell state, (1 + x + y + z) / 4."""
    x, y, z = correlators
    return (1 + x + y + z) / 4


def werner(pair_fidelity: float) -> Correlators:
    """Return the correlators of a Werner pair, all equal to w = (4F - 1) / 3.

    Raises
    ------
    PhysicsError
        If the fidelity is no probability.
    """
    w = (4 * probability("fidelity", pair_fidelity) - 1) / 3
    return w, w, w


def werner_fidelity(w: float) -> float:
    """Return the fidelity (1 + 3w) / 4 of a Werner pair."""
    return (1 + 3 * w) / 4


def check_correlators(correlators: Correlators) -> Correlators:
    """Return correlators that belong to a state: none of the four overlaps is negative.

    Raises
    ------
    PhysicsError
        If they belong to no state.
    """
    for name, overlap in zip(("Phi+", "Phi-", "Psi+", "Psi-"), bell_from_correlators(correlators), strict=True):
        if not -ROUNDING <= overlap <= 1 + ROUNDING:
            raise PhysicsError(f"correlators {correlators}: the overlap with {name} would be {overlap}")
    return correlators
