"""Pairs in the correlator tier, and what happens to them.

A pair is three correlators (x, y, z) = (<XX>, -<YY>, <ZZ>) in the frame of its announced Bell index, so a perfect pair
is (1, 1, 1) whatever the index, and its fidelity is (1 + x + y + z) / 4.  Ageing is applied when a pair is touched;
each half has its own clock, because each ages from its own emission and stops when it is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf
from typing import Any, Protocol

from qstack.core.errors import PhysicsError
from qstack.hardware.randomness import Stream
from qstack.quantum import swapping
from qstack.services.bell import Basis, flip


class Law(Protocol):
    """How one stored half decays with its age."""

    def survival(self, start: int, end: int) -> tuple[float, float]:
        """Return the factors on (x and y, z) between two ages [ps]."""
        ...


@dataclass(frozen=True, slots=True)
class Exponential:
    """Exponential decay; T2 is the total coherence time, T1 damps z towards the middle (Pauli twirl).

    Parameters
    ----------
    t1, t2
        Times [ps]; infinity switches a decay off.

    Notes
    -----
    The twirl loses the shift (1 - g_A)(1 - g_B) of z, with g = exp(-t/T1): at most a quarter of it in fidelity.
    """

    t1: float
    t2: float

    def __post_init__(self) -> None:
        if not (self.t1 > 0 and 0 < self.t2 <= 2 * self.t1):
            raise PhysicsError(f"T1 = {self.t1} ps and T2 = {self.t2} ps: need T1 > 0 and 0 < T2 <= 2 T1")

    def survival(self, start: int, end: int) -> tuple[float, float]:
        """Return the factors on (x and y, z) between two ages [ps]."""
        age, t1 = start - end, self.t1  # `qstack.quantum.memory.t1_t2`, of times that are known to be possible
        return exp(age / self.t2), 1.0 if t1 == inf else exp(age / t1)


class Pair:
    """The joint state of two halves, wherever they are."""

    __slots__ = ("a", "b", "bell", "x", "y", "z")

    a: Half
    b: Half

    def __init__(self, bell: int, x: float, y: float, z: float) -> None:
        self.bell = bell
        self.x = x
        self.y = y
        self.z = z

    def begin(self, state: Sequence[Sequence[float]]) -> None:
        """Take up a state of which the correlators are the twirl: this tier has no more than them."""

    @property
    def fidelity(self) -> float:
        """Overlap with the announced Bell state, each half as it was last touched."""
        return (1 + self.x + self.y + self.z) / 4

    def part(self) -> None:
        """Forget what both halves know of each other."""
        self.x = self.y = self.z = 0.0

    def fidelity_with(self, bell: int) -> float:
        """Overlap with another Bell state than the announced one."""
        wrong = self.bell ^ bell
        sign_z = -1 if wrong >> 1 else 1
        sign_x = -1 if wrong & 1 else 1
        return (1 + sign_x * self.x + sign_x * sign_z * self.y + sign_z * self.z) / 4


class Half:
    """One qubit of a pair, in a memory.

    Attributes
    ----------
    pair
        The pair it belongs to now.
    law
        Decay of its memory, or None.
    born, touched
        When it was emitted, and until when its ageing has been applied [ps].
    place
        The memory, given back when the half is freed.
    basis, outcome
        How it was measured, -1 while it is not.
    readout
        Factor 1 - 2m of that measurement: it spoils the bit and not the pair.
    consumed
        Whether an application has had it.
    """

    __slots__ = ("basis", "born", "consumed", "law", "outcome", "pair", "place", "readout", "side", "touched")

    def __init__(self, pair: Pair, law: Law | None, born: int, place: Any, side: int) -> None:
        self.pair = pair
        self.law = law
        self.born = self.touched = born
        self.place = place
        self.side = side
        self.basis = self.outcome = -1
        self.readout = 1.0
        self.consumed = False

    def age(self, now: int) -> None:
        """Apply the decay up to now."""
        law, touched = self.law, self.touched
        if law is not None and now > touched:
            pair = self.pair
            if (
                type(law) is Exponential
            ):  # the usual law, written out: it has no memory, so that only the time between counts
                age, t1 = touched - now, law.t1
                xy, z = exp(age / law.t2), 1.0 if t1 == inf else exp(age / t1)
            else:
                born = self.born
                xy, z = law.survival(touched - born, now - born)
            pair.x *= xy
            pair.y *= xy
            pair.z *= z
        self.touched = now

    def depolarise(self, factor: float) -> None:
        """Apply the noise of an operation that leaves this half as it is by a factor, and fully mixed otherwise."""
        pair = self.pair
        pair.x *= factor
        pair.y *= factor
        pair.z *= factor

    @property
    def partner(self) -> Half:
        """The other half of the pair."""
        pair = self.pair
        return pair.b if pair.a is self else pair.a


def swap(left: Half, right: Half, factors: tuple[float, float, float], draw: Stream, now: int) -> int:
    """Measure two halves in the Bell basis and join what is left into one pair.

    Parameters
    ----------
    left, right
        Halves at one node.
    factors
        Factors on (x, y, z) of imperfect gates and readout.
    draw
        Source of the outcome.
    now
        The present [ps].

    Returns
    -------
    int
        Outcome as a Bell index; the joined pair is announced as left XOR right XOR outcome.
    """
    left.age(now)
    right.age(now)
    pair, other = left.pair, right.pair
    inner = pair.b if pair.a is left else pair.a
    outer = other.b if other.a is right else other.a
    pair.x, pair.y, pair.z = swapping.swap((pair.x, pair.y, pair.z), (other.x, other.y, other.z), factors)
    outcome = draw.bell()
    if inner.basis >= 0 and inner.basis == outer.basis:  # both ends have measured: the outcome must explain their bits
        outcome = _explain(pair, other, inner, outer, outcome, draw)
    pair.bell ^= other.bell ^ outcome
    pair.a = inner
    pair.b = outer
    outer.pair = right.pair = pair  # nothing holds the other pair any more, so that it needs no garbage collector
    return outcome


def _explain(pair: Pair, other: Pair, one: Half, two: Half, outcome: int, draw: Stream) -> int:
    """Return a Bell outcome that fits two bits measured earlier in the same basis."""
    basis = one.basis
    correlator = (pair.z, pair.x, pair.y)[basis] * one.readout * two.readout
    error = draw.uniform() < (1 - correlator) / 2
    parity = one.outcome ^ two.outcome ^ (basis == Basis.Y) ^ error ^ flip(pair.bell ^ other.bell, basis)
    if flip(outcome, basis) != parity:
        outcome ^= 1 if basis == Basis.X else 2
    return outcome


def measure(half: Half, basis: int, readout: float, draw: Stream, now: int) -> int:
    """Measure a half; the first of a pair is a fair coin, the second follows the correlator of their common basis.

    Parameters
    ----------
    half
        What to measure.
    basis
        One of `qstack.services.bell.Basis`.
    readout
        Factor 1 - 2m of a readout that is wrong with probability m.
    draw
        Source of the bit.
    now
        The present [ps].
    """
    half.age(now)
    half.law = None  # a bit does not age
    pair = half.pair
    other = half.partner
    half.readout = readout
    if other.basis != basis:
        bit = int(draw.uniform() < 0.5)
    else:
        correlator = (pair.z, pair.x, pair.y)[basis] * readout * other.readout
        wrong = draw.uniform() < (1 - correlator) / 2
        bit = other.outcome ^ flip(pair.bell, basis) ^ (basis == Basis.Y) ^ wrong
    half.basis = basis
    half.outcome = bit
    return bit
