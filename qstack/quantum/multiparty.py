"""States of more than two parties made from pairs."""

from __future__ import annotations

import numpy as np

from qstack.core.errors import PhysicsError
from qstack.quantum.states import Correlators, probability


def ghz_star_fidelity(pair: Correlators, parties: int, q: float = 0.0, m: float = 0.0) -> float:
    """Return the fidelity of a GHZ state fused at the centre of a star.

    ``parties - 1`` equal pairs (c_i, v_i) share a centre.  For each i >= 1: CNOT c_0 -> c_i with noise q, c_i measured
    in Z with noise m, X on v_i if the reported bit is 1; c_0 stays a member.

    The fidelity is the mean of the 2^n stabilisers of the GHZ state (Gottesman, arXiv:quant-ph/9705052), each pulled
    back to a product of correlators.  Stabilisers with X cross every gate: a factor 1 - q each.  Those of Z alone
    cross a gate only if they touch it, so a 2 x 2 transfer matrix follows whether Z stands on c_0.

    Parameters
    ----------
    pair
        Correlators of each pair in the frame of Phi+.
    parties
        Members of the GHZ state, at least 2.
    q, m
        Gate and readout noise.

    Raises
    ------
    PhysicsError
        If q or m is no probability or there are fewer than two parties.
    """
    if parties < 2:
        raise PhysicsError(f"parties = {parties}: a GHZ state has at least 2")
    x, y, z = pair
    kept = 1 - probability("gate noise q", q)
    readout = 1 - 2 * probability("readout noise m", m)
    fusions = parties - 2
    touched = kept * readout * z
    transfer = np.array([[1.0, touched], [touched, kept]])
    only_z = (np.linalg.matrix_power(transfer, fusions) @ [1.0, z]).sum()
    with_x = (x + y) * (kept * (x + readout * y)) ** fusions
    return float((only_z + with_x) / 2**parties)
