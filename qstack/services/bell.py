"""The Bell index: two bits that name a Bell state and compose by XOR.

=====  =====  ===  ===  ===
index  state   ZZ   XX   YY
=====  =====  ===  ===  ===
0      Phi+    +1   +1   -1
1      Phi-    +1   -1   +1
2      Psi+    -1   +1   +1
3      Psi-    -1   -1   -1
=====  =====  ===  ===  ===

Bit 1 is the X frame, bit 0 is the Z frame.  A swap of pairs with indices a and b and outcome o leaves index
``a ^ b ^ o``.  Every renumbering that keeps Phi+ at 0 composes by XOR too, so only a correlation can tell a wrong one.
"""

from __future__ import annotations

from enum import IntEnum


class Bell(IntEnum):
    """The four Bell states."""

    PHI_PLUS = 0
    PHI_MINUS = 1
    PSI_PLUS = 2
    PSI_MINUS = 3


class Basis(IntEnum):
    """Measurement bases, numbered as in the link-layer draft (section 4.2 of draft-dahlberg-ll-quantum-03)."""

    Z = 0
    X = 1
    Y = 2


def flip(bell: int, basis: int) -> int:
    """Return 1 if one end has to flip its bit so that a pair of this index reads like Phi+.

    Parameters
    ----------
    bell
        Bell index, 0 to 3.
    basis
        Basis in which both ends measured.

    Notes
    -----
    Bit 1 in Z, bit 0 in X, their sum in Y.  In Y the ends of Phi+ disagree; after the flip they still do.
    """
    if basis == Basis.Z:
        return bell >> 1
    if basis == Basis.X:
        return bell & 1
    return (bell >> 1) ^ (bell & 1)
