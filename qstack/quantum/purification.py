"""Two-to-one purification and its relatives on Bell-diagonal pairs.

Pair 1 is kept, pair 2 is measured.  After a bilateral CNOT with noise q at each end, the ends are spared with
probability ``gate`` = (1 - q)^2; otherwise one half of each pair is mixed, the parity is a coin and nothing is left of
the kept pair.  Two noisy bits keep the factor ``readout`` = (1 - 2m)^2 of their parity.  The parity of the measured
pair is ZZ of pair 1 times ZZ of pair 2 before the gates; XX of pair 1 comes from XX of both.  Everything follows:
keeping on equal bits adds to each correlator the one that the parity turns it into.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from qstack.core.errors import PhysicsError
from qstack.quantum.states import Correlators, probability


def purification_factors(q: float, m: float) -> tuple[float, float]:
    """Return (gate, readout) = ((1 - q)^2, (1 - 2m)^2) of one bilateral CNOT and one pair of bits.

    Raises
    ------
    PhysicsError
        If one of them is no probability.
    """
    return (1 - probability("gate noise q", q)) ** 2, (1 - 2 * probability("readout noise m", m)) ** 2


def bbpssw(kept: Correlators, spare: Correlators, gate: float = 1.0, readout: float = 1.0) -> tuple[float, Correlators]:
    """Return the probability to keep and the kept pair of BBPSSW without twirls.

    Bennett et al., Phys. Rev. Lett. 76, 722 (1996).

    Parameters
    ----------
    kept, spare
        Pairs 1 and 2, both in the frame of Phi+.
    gate, readout
        From `purification_factors`.
    """
    x, y, z = kept
    u, v, w = spare
    parity = 1 + gate * readout * z * w
    scale = gate / parity if parity > 0 else 0.0
    return parity / 2, (
        (x * u + readout * y * v) * scale,
        (y * u + readout * x * v) * scale,
        (z + readout * w) * scale,
    )


def dejmps(kept: Correlators, spare: Correlators, gate: float = 1.0, readout: float = 1.0) -> tuple[float, Correlators]:
    """Return the probability to keep and the kept pair of DEJMPS: the rotations about X exchange y and z, then BBPSSW.

    Deutsch et al., Phys. Rev. Lett. 77, 2818 (1996).  Arguments as of `bbpssw`; plain arithmetic, because media call
    it for every distillation.
    """
    x, y, z = kept
    u, v, w = spare
    return bbpssw((x, z, y), (u, w, v), gate, readout)


def pumping(
    start: Correlators, fresh: Correlators, rounds: int, gate: float = 1.0, readout: float = 1.0
) -> tuple[float, Correlators]:
    """Return the probability that all rounds keep, and the pair, when DEJMPS is fed one fresh pair a round.

    Dür, Briegel, Cirac and Zoller, Phys. Rev. A 59, 169 (1999).

    Raises
    ------
    PhysicsError
        If the number of rounds is negative.
    """
    if rounds < 0:
        raise PhysicsError(f"rounds = {rounds}: a number of rounds is not negative")
    total, pair = 1.0, start
    for _ in range(rounds):
        kept, pair = dejmps(pair, fresh, gate, readout)
        total *= kept
    return total, pair


def select(
    pairs: Sequence[Correlators],
    cnots: Sequence[tuple[int, int]],
    checks: Sequence[tuple[int, str]],
    q: float,
    m: float,
) -> tuple[float, Correlators]:
    """Return the probability to keep and pair 0 after any circuit of bilateral CNOTs and parity checks.

    Each wanted operator is pulled back through the circuit: a CNOT copies X from control to target and Z from target
    to control, its noise costs 1 - q at each end unless the operator spares both its qubits, and what arrives is a
    product of correlators of the given pairs.

    Parameters
    ----------
    pairs
        Bell-diagonal pairs in the frame of Phi+.
    cnots
        (control, target) pairs, in the order of the circuit.
    checks
        (pair, "X" or "Z"): measured at both ends, kept if the reported bits agree.  Every pair at most once, and
        never pair 0.
    q, m
        Noise of each CNOT at each end, and of each reported bit.

    Raises
    ------
    PhysicsError
        If q or m is no probability, or nothing is ever kept.
    """
    gate, readout = purification_factors(q, m)
    values = [(1.0, z, x, y) for x, y, z in pairs]  # indexed by 2 * (has X) + (has Z)

    def expectation(kept: int, chosen: Sequence[tuple[int, str]]) -> float:
        xs, zs = kept >> 1, kept & 1  # bit k: the operator has X (Z) on pair k
        for pair, basis in chosen:
            if basis == "X":
                xs |= 1 << pair
            else:
                zs |= 1 << pair
        weight: float = readout ** len(chosen)
        for control, target in reversed(cnots):
            if (xs | zs) >> control & 1 or (xs | zs) >> target & 1:
                weight *= gate
            xs ^= (xs >> control & 1) << target
            zs ^= (zs >> target & 1) << control
        for k, value in enumerate(values):
            weight *= value[2 * (xs >> k & 1) + (zs >> k & 1)]
        return weight

    subsets = [s for size in range(len(checks) + 1) for s in itertools.combinations(checks, size)]
    total, z, x, y = (sum(expectation(kept, s) for s in subsets) / len(subsets) for kept in range(4))
    if total <= 0:
        raise PhysicsError("the checks never agree: there is no kept pair")
    return total, (x / total, y / total, z / total)


def double_selection(pairs: Sequence[Correlators], q: float = 0.0, m: float = 0.0) -> tuple[float, Correlators]:
    """Return the probability to keep and pair 0 of double selection.

    Fujii and Yamamoto, Phys. Rev. A 80, 042308 (2009): bilateral CNOT 0 -> 1, then 2 -> 1; pair 1 is measured in Z,
    pair 2 in X; pair 0 is kept if the bits agree in both.

    Parameters
    ----------
    pairs
        Three pairs in the frame of Phi+.
    q, m
        Noise of each CNOT at each end, and of each reported bit.
    """
    return select(pairs, ((0, 1), (2, 1)), ((1, "Z"), (2, "X")), q, m)
