"""The exact two-qubit tier: T[i, j] = <s_i x s_j> with s = (I, X, Y, Z), and everything that acts on it.

A channel on one qubit is its 4 x 4 Pauli transfer matrix R, row i saying what <s_i> becomes; an effect (one outcome of
a measurement) is the row of its Pauli coefficients.  A state conditional on an outcome is kept unnormalised: its
T[0, 0] is the probability of the outcome.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import PhysicsError
from qstack.quantum.memory import Decay
from qstack.quantum.states import ROUNDING, BellList, Correlators, bell_from_correlators, probability
from qstack.services.bell import Basis

Real: TypeAlias = NDArray[np.float64]
Complex: TypeAlias = NDArray[np.complex128]

PAULIS: Complex = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], complex)
"""I, X, Y, Z."""

BELL_SIGNS: Real = np.array([[1, 1, -1, 1], [1, -1, 1, 1], [1, 1, 1, -1], [1, -1, -1, -1]], float)
"""Row: Bell index; column: its <II>, <XX>, <YY>, <ZZ>."""

AXIS = {Basis.X: 1, Basis.Y: 2, Basis.Z: 3}
"""Which Pauli a basis measures."""

_TWO_PAULIS: Complex = np.einsum("aij,bkl->abikjl", PAULIS, PAULIS).reshape(4, 4, 4, 4)
_CNOT: Complex = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], complex)
_PULLED_BACK = _CNOT @ _TWO_PAULIS @ _CNOT
CNOT: Real = np.real(np.einsum("abij,cdji->cdab", _TWO_PAULIS, _PULLED_BACK)) / 4
"""CNOT[c, d, a, b]: s_c x s_d after the gate is this combination of s_a x s_b before it; control first."""


def from_density(rho: Complex) -> Real:
    """Return T of a 4 x 4 density matrix."""
    t: Real = np.real(np.einsum("abij,ji->ab", _TWO_PAULIS, rho))
    return t


def to_density(t: Real) -> Complex:
    """Return the 4 x 4 density matrix of T."""
    rho: Complex = np.einsum("ab,abij->ij", t, _TWO_PAULIS) / 4
    return rho


def from_bell(bell: BellList) -> Real:
    """Return T of the Bell-diagonal state with these overlaps."""
    return np.diag(np.array(bell) @ BELL_SIGNS)


def from_correlators(correlators: Correlators, announced: int = 0) -> Real:
    """Return T of the Bell-diagonal state with these correlators in the frame of a Bell index."""
    return from_bell(bell_from_correlators(correlators, announced))


def to_bell(t: Real) -> BellList:
    """Return the normalised overlaps with [Phi+, Phi-, Psi+, Psi-]; what is off the Bell diagonal is dropped."""
    a, b, c, d = (BELL_SIGNS @ np.diag(t) / (4 * t[0, 0])).tolist()
    return a, b, c, d


def to_correlators(t: Real, announced: int = 0) -> Correlators:
    """Return (x, y, z) in the frame of a Bell index; what is off the Bell diagonal is dropped."""
    x, y, z = (np.diag(t)[1:] * BELL_SIGNS[announced, 1:] / t[0, 0]).tolist()
    return x, y, z


def off_diagonal(t: Real) -> float:
    """Return the largest entry off the Bell diagonal: zero says that the correlator tier is exact for this state."""
    return float(np.abs(t / t[0, 0] - np.diag(np.diag(t / t[0, 0]))).max())


def twirl_distance(t: Real) -> float:
    """Return the trace distance of a state and its twirl, which is what is on the Bell diagonal of T.

    No measurement, after whatever channels, tells the two apart by more than this: a fidelity moves by no more.
    """
    off = t / t[0, 0] - np.diag(np.diag(t / t[0, 0]))
    return float(np.abs(np.linalg.eigvalsh(to_density(off))).sum()) / 2


def check_state(t: Real) -> Real:
    """Return T if it is a normalised state.

    Raises
    ------
    PhysicsError
        If its trace is not 1 or an eigenvalue is negative.
    """
    lowest = float(np.linalg.eigvalsh(to_density(t)).min())
    if abs(t[0, 0] - 1) > ROUNDING or lowest < -ROUNDING:
        raise PhysicsError(f"no state: trace {t[0, 0]}, lowest eigenvalue {lowest}")
    return t


def amplitude_damping(gamma: float) -> Real:
    """Return the channel that damps |1> to |0> with probability gamma."""
    keep = 1 - probability("damping probability", gamma)
    return decay_channel(Decay(keep**0.5, keep, 1 - keep))


def dephasing(p: float) -> Real:
    """Return the channel that applies Z with probability p."""
    return decay_channel(Decay(1 - 2 * probability("dephasing probability", p), 1.0))


def depolarising(p: float) -> Real:
    """Return the channel that replaces the qubit by I/2 with probability p."""
    keep = 1 - probability("depolarising probability", p)
    return np.diag([1.0, keep, keep, keep])


def decay_channel(decay: Decay) -> Real:
    """Return the channel of a stored half."""
    channel = np.diag([1.0, decay.xy, decay.xy, decay.z])
    channel[3, 0] = decay.shift
    return channel


def unitary(u: Complex) -> Real:
    """Return the channel of a one-qubit unitary (2 x 2)."""
    channel: Real = np.real(np.einsum("aij,jk,bkl,il->ab", PAULIS, u, PAULIS, u.conj())) / 2
    return channel


def choi(channel: Real) -> Complex:
    """Return the Choi matrix (4 x 4) of a channel on one qubit; positive if and only if the channel is physical."""
    return to_density(from_bell((1.0, 0.0, 0.0, 0.0)) @ channel.T)


def apply(t: Real, on_a: Real | None = None, on_b: Real | None = None) -> Real:
    """Return T after a channel on either half."""
    if on_a is not None:
        t = on_a @ t
    if on_b is not None:
        t = t @ on_b.T
    return t


def correct(t: Real, pauli: int) -> Real:
    """Return T after a Pauli on the second half: bit 1 of `pauli` is X, bit 0 is Z, as in a Bell index."""
    corrected: Real = t * (BELL_SIGNS[pauli] * BELL_SIGNS[0])
    return corrected


def effect(basis: Basis, bit: int, wrong0: float = 0.0, wrong1: float | None = None) -> Real:
    """Return one outcome of a noisy Pauli measurement.

    Parameters
    ----------
    basis
        What is measured.
    bit
        The reported bit.
    wrong0, wrong1
        Probability that a true 0 (1) is reported wrongly; equal if only one is given.
    """
    low = probability("readout error of 0", wrong0)
    high = low if wrong1 is None else probability("readout error of 1", wrong1)
    from_0, from_1 = (low, 1 - high) if bit else (1 - low, high)
    row = np.zeros(4)
    row[0] = (from_0 + from_1) / 2
    row[AXIS[basis]] = (from_0 - from_1) / 2
    return row


def joint_probability(t: Real, effect_a: Real, effect_b: Real) -> float:
    """Return the probability that both halves give these outcomes."""
    return float(effect_a @ t @ effect_b)


def bloch_after(t: Real, effect_a: Real) -> Real:
    """Return (probability, <X>, <Y>, <Z>) of the second half, unnormalised, when the first gives this outcome."""
    return effect_a @ t


def bell_effect(outcome: int, q: float = 0.0, m: float = 0.0) -> Real:
    """Return one reported outcome of a Bell measurement by CNOT, Hadamard and two readouts, as a 4 x 4 matrix.

    Parameters
    ----------
    outcome
        Reported Bell index: bit 1 from the target, bit 0 from the control.
    q, m
        Gate and readout noise, as in `qstack.quantum.swapping`.
    """
    wrong = probability("readout noise m", m)
    right = np.array([(1 - wrong) ** 2, wrong * (1 - wrong), wrong * (1 - wrong), wrong**2])
    signs = sum(right[outcome ^ true] * BELL_SIGNS[true] for true in range(4))
    kept = 1 - probability("gate noise q", q)
    return np.diag(signs * [1.0, kept, kept, kept]) / 4


def swap(left: Real, right: Real, outcome: int, q: float = 0.0, m: float = 0.0) -> Real:
    """Return the outer pair, unnormalised, after a swap that reported this outcome; no correction yet.

    The inner qubits are the second of `left` and the first of `right`.  `correct` with the outcome as its Pauli, and
    the sum over outcomes, gives the average that the correlator tier multiplies.
    """
    return left @ bell_effect(outcome, q, m) @ right


def two_to_one(
    kept: Real, spare: Real, effect_a: Real, effect_b: Real, q: float = 0.0, q_b: float | None = None
) -> Real:
    """Return the kept pair, unnormalised, after bilateral CNOTs onto the spare one and one outcome at each end.

    Parameters
    ----------
    kept, spare
        Any two-qubit states.
    effect_a, effect_b
        Reported outcomes on the spare pair.
    q, q_b
        Noise of the gate at each end; equal if only one is given.
    """
    on_a, on_b = _read_target(effect_a, q), _read_target(effect_b, q if q_b is None else q_b)
    pair: Real = np.einsum("iab,jcd,ac,bd->ij", on_a, on_b, kept, spare)
    return pair


def _read_target(effect_: Real, q: float) -> Real:
    """Return what a CNOT of noise q and one outcome on its target make of both qubits: array (kept, kept, target)."""
    noise = np.full((4, 4), 1 - probability("gate noise q", q))
    noise[0, 0] = 1.0
    read: Real = np.einsum("cd,d,cdab->cab", noise, effect_, CNOT)
    return read


def single_click_state(alpha: float, coherence: float) -> Real:
    """Return the ideal single-click state: Psi+ with coherence v and a bright part alpha |11><11|.

    Raises
    ------
    PhysicsError
        If alpha or the coherence lies outside [0, 1].
    """
    dark = (1 - probability("alpha", alpha)) / 2
    rho = np.diag([0, dark, dark, alpha]).astype(complex)
    rho[1, 2] = rho[2, 1] = probability("coherence", coherence) * dark
    return from_density(rho)


def epl(first: Real, second: Real, q: float = 0.0, m: float = 0.0) -> Real:
    """Return the kept pair, unnormalised, of EPL: bilateral CNOT, keep if both reported bits are 1; target Psi+.

    Campbell and Benjamin, Phys. Rev. Lett. 101, 130502 (2008); Kalb et al., Science 356, 928 (2017).
    """
    one = effect(Basis.Z, 1, m)
    return two_to_one(first, second, one, one, q)
