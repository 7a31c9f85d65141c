"""Stored qubits: what is left of a half after waiting.

A stored half suffers the channel (x, y, z) -> (xy x, xy y, z z + shift) on its Bloch vector, read by total age, so a
law need not be exponential.  A shift drags <Z> towards |0>.  On a pair the two shifts meet in ZZ; the correlator tier
drops that term (a Pauli twirl of each half), `twirl_bound` says what it costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from qstack.core.errors import PhysicsError
from qstack.quantum.states import ROUNDING, Correlators, probability


@dataclass(frozen=True, slots=True)
class Decay:
    """Total decay of one half since it was stored.

    Parameters
    ----------
    xy, z
        Factors on <X>, <Y> and on <Z>.
    shift
        What is added to <Z>.
    """

    xy: float
    z: float
    shift: float = 0.0

    def check(self) -> Decay:
        """Return the decay if it is a physical channel: |z| + |shift| <= 1 and 4 xy^2 + shift^2 <= (1 + z)^2.

        These are the two blocks of the Choi matrix of a channel symmetric about Z.

        Raises
        ------
        PhysicsError
            If it is not completely positive.
        """
        if abs(self.z) + abs(self.shift) > 1 + ROUNDING:
            raise PhysicsError(f"{self}: |z| + |shift| is above 1, populations would leave [0, 1]")
        if 4 * self.xy**2 + self.shift**2 > (1 + self.z) ** 2 + ROUNDING:
            raise PhysicsError(f"{self}: more coherence than the populations allow (for T1 and T2: T2 <= 2 T1)")
        return self


def t1_t2(t: float, t1: float, t2: float) -> Decay:
    """Return the decay of amplitude damping to |0> and dephasing.

    T2 is the total coherence time: the pure dephasing rate is 1/T2 - 1/(2 T1).

    Parameters
    ----------
    t
        Age, in any unit of time.
    t1, t2
        Relaxation and total coherence time, in the same unit; infinity switches one off.

    Raises
    ------
    PhysicsError
        If a time is not positive, the age negative, or T2 > 2 T1.
    """
    if not (t1 > 0 and 0 < t2 <= 2 * t1):
        raise PhysicsError(f"T1 = {t1} and T2 = {t2}: need T1 > 0 and 0 < T2 <= 2 T1")
    age = _age(t)
    survival = exp(-age / t1)
    return Decay(exp(-age / t2), survival, 1 - survival)


def depolarising(t: float, time_constant: float) -> Decay:
    """Return the decay of a memory that replaces a half by I/2 with probability 1 - exp(-t/T).

    Raises
    ------
    PhysicsError
        If the time constant is not positive or the age negative.
    """
    if not time_constant > 0:
        raise PhysicsError(f"T = {time_constant}: a time constant is positive")
    factor = exp(-_age(t) / time_constant)
    return Decay(factor, factor)


def depolarising_gate(p: float) -> Decay:
    """Return the decay of a one-qubit gate that replaces its qubit by I/2 with probability p.

    This is the p of rho -> (1 - 3p/4) rho + p/4 (X rho X + Y rho Y + Z rho Z), the parameter of many data sheets.
    """
    factor = 1 - probability("depolarising p", p)
    return Decay(factor, factor)


def stretched(t: float, t1: float, t2: float, exponent: float) -> Decay:
    """Return the decay of a memory whose coherence falls as exp(-(t/T2)^exponent), damping included.

    Exponent 2 is the free decay in slow noise, 3 that after one echo: de Sousa, Top. Appl. Phys. 115, 183 (2009).

    Raises
    ------
    PhysicsError
        If a time or the exponent is not positive, the age negative, or the coherence exceeds what T1 allows.
    """
    if not (t1 > 0 and t2 > 0 and exponent > 0):
        raise PhysicsError(f"T1 = {t1}, T2 = {t2}, exponent = {exponent}: all are positive")
    survival = exp(-_age(t) / t1)
    return Decay(exp(-((t / t2) ** exponent)), survival, 1 - survival).check()


def attempts(number: int, p: float) -> Decay:
    """Return the decay that a stored half suffers while its node makes attempts: each applies Z with probability p.

    The reset of a communication qubit disturbs its neighbours: Reiserer et al., Phys. Rev. X 6, 021040 (2016).

    Raises
    ------
    PhysicsError
        If the number is negative or p no probability.
    """
    if number < 0:
        raise PhysicsError(f"attempts = {number}: a number of attempts is not negative")
    return Decay((1 - 2 * probability("dephasing per attempt", p)) ** number, 1.0)


def between(earlier: Decay, later: Decay) -> Decay:
    """Return the decay between two ages of the same law: what turns the earlier total into the later one.

    For factors this is f(b) / f(a).  It need not be a physical channel of its own: a law may revive.
    """
    z = later.z / earlier.z if earlier.z else 0.0
    return Decay(later.xy / earlier.xy if earlier.xy else 0.0, z, later.shift - z * earlier.shift)


def decay_pair(pair: Correlators, a: Decay, b: Decay, sign: int = 0) -> Correlators:
    """Return a pair after both halves have waited.

    Parameters
    ----------
    pair
        Correlators in the announced frame.
    a, b
        Decay of each half.
    sign
        +1 for an announced Phi, -1 for a Psi: the shifts of a Bell-diagonal pair are kept, which is exact until
        something else happens to the pair.  0 drops them: each half is twirled.
    """
    xy = a.xy * b.xy
    return pair[0] * xy, pair[1] * xy, pair[2] * a.z * b.z + sign * a.shift * b.shift


def twirl_bound(a: Decay, b: Decay) -> float:
    """Return how far dropping the shifts can move the fidelity of a Bell-diagonal pair: (1 - g_A)(1 - g_B) / 4."""
    return abs(a.shift * b.shift) / 4


def _age(t: float) -> float:
    if not t >= 0:
        raise PhysicsError(f"t = {t}: an age is not negative")
    return t
