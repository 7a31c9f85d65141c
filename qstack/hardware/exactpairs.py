"""Pairs in the exact tier, and what happens to them.

A pair is T[i, j] = <s_i x s_j> with s = (I, X, Y, Z), see `qstack.quantum.exact`; the Bell index that was announced is no
part of it.  Operations on the two halves commute, so a measured half leaves T as it is and keeps its effect (the row of
Pauli coefficients of its outcome): every later outcome is drawn from T and the effects that there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from qstack.hardware.pairs import Half, Law, Pair
from qstack.hardware.randomness import Stream
from qstack.plugin.contracts import MemoryModel, Platform
from qstack.quantum import exact
from qstack.quantum.exact import BELL_SIGNS, Real
from qstack.quantum.memory import Decay, between
from qstack.quantum.states import probability

NOTHING: Real = np.array([1.0, 0.0, 0.0, 0.0])
"""The effect of a half that was not measured."""

PAULI_SIGNS: Real = BELL_SIGNS * BELL_SIGNS[0]
"""Row: a Pauli as a Bell index; column: what it does to I, X, Y, Z."""


class Channel(Law, Protocol):
    """A decay law that knows its shift of <Z> too."""

    def between(self, start: int, end: int) -> Decay:
        """Return the decay between two ages [ps]."""
        ...


@dataclass(frozen=True, slots=True)
class WholeDecay:
    """The decay of a memory with nothing left out.

    Parameters
    ----------
    model
        From the data sheet.
    """

    model: MemoryModel

    def between(self, start: int, end: int) -> Decay:
        """Return the decay between two ages [ps]: a law need not be exponential."""
        later = self.model.decay(end * 1e-12)
        return between(self.model.decay(start * 1e-12), later) if start else later

    def survival(self, start: int, end: int) -> tuple[float, float]:
        """Return the factors on (x and y, z) between two ages [ps]."""
        decay = self.between(start, end)
        return decay.xy, decay.z


@dataclass(frozen=True, slots=True)
class Instruments:
    """How a node reads qubits.

    Parameters
    ----------
    errors
        Probability that a true 0, and a true 1, is reported wrongly.
    bell
        Effect on two qubits of each reported outcome of a Bell measurement: array (4, 4, 4).
    gate
        Probability q that a two-qubit gate leaves the fully mixed state.
    """

    errors: tuple[float, float]
    bell: Real
    gate: float

    @classmethod
    def of(cls, platform: Platform) -> Instruments:
        """Return the instruments of a data sheet."""
        mean, bias = platform.readout_error, platform.readout_bias
        errors = mean + bias, mean - bias
        return cls(errors, bell_effects(platform.gate_noise, errors), platform.gate_noise)

    def effects(self, direction: Sequence[float]) -> Real:
        """Return the effects of both reported bits of a measurement along a unit vector: array (2, 4)."""
        zero, one = self.errors  # reported 0: from a true 0 with 1 - zero, from a true 1 with one
        rows = [((1 - zero + one) / 2, (1 - zero - one) / 2), ((zero + 1 - one) / 2, (zero + one - 1) / 2)]
        return np.array([[even, *(odd * part for part in direction)] for even, odd in rows])


def bell_effects(q: float, errors: tuple[float, float]) -> Real:
    """Return the effects of a Bell measurement by CNOT, Hadamard and two readouts, one per reported Bell index.

    Parameters
    ----------
    q
        Noise of the gate.
    errors
        Readout errors of a true 0 and of a true 1, as of `Instruments`.
    """
    read = np.array([[1 - errors[0], errors[1]], [errors[0], 1 - errors[1]]])  # reported, true
    bits = np.kron(read, read)  # bit 1 comes from the target, bit 0 from the control
    kept = 1 - probability("gate noise q", q)
    signs = bits @ BELL_SIGNS * [1.0, kept, kept, kept]  # the fully mixed state knows no sign
    effects: Real = np.stack([np.diag(row) for row in signs]) / 4
    return effects


class ExactPair(Pair):
    """The joint state of two halves: rows belong to half `a`, columns to half `b`."""

    __slots__ = ("t",)

    a: ExactHalf
    b: ExactHalf

    def __init__(self, bell: int, x: float, y: float, z: float) -> None:
        self.bell = bell
        self.t = exact.from_correlators((x, y, z), bell)

    def begin(self, state: Sequence[Sequence[float]]) -> None:
        """Take up a state, whole."""
        self.t = np.array(state)

    def part(self) -> None:
        """Forget what both halves know of each other: each stays as it is by itself."""
        self.t = np.outer(self.t[:, 0], self.t[0])

    def overlap(self, bell: int) -> float:
        """Return the overlap with a Bell state, each half as it was last touched and as if none had been measured."""
        return float(BELL_SIGNS[bell] @ np.diag(self.t)) / 4

    @property
    def fidelity(self) -> float:
        """Overlap with the Bell state that was announced at birth."""
        return self.overlap(self.bell)

    def fidelity_with(self, bell: int) -> float:
        """Overlap with any Bell state."""
        return self.overlap(bell)


class ExactHalf(Half):
    """One qubit of a pair.

    Attributes
    ----------
    effect
        Of its measurement, `NOTHING` while there was none.
    after
        What has happened to it since its end of a distillation whose other end is still to come; None otherwise.
    """

    __slots__ = ("after", "effect")

    pair: ExactPair
    law: Channel | None

    def __init__(self, pair: Pair, law: Any, born: int, place: Any, side: int) -> None:
        super().__init__(pair, law, born, place, side)
        self.effect = NOTHING
        self.after: Real | None = None

    @property
    def view(self) -> Real:
        """T with this half's index first; writing to it changes the pair."""
        pair = self.pair
        view: Real = pair.t if pair.a is self else pair.t.T
        return view

    def age(self, now: int) -> None:
        """Apply the decay up to now."""
        law, touched = self.law, self.touched
        if law is not None and now > touched:
            self._decay(law.between(touched - self.born, now - self.born))
        self.touched = now

    def _decay(self, decay: Decay) -> None:
        view = self.view if self.after is None else self.after
        view[1:3] *= decay.xy
        view[3] *= decay.z
        if decay.shift:
            view[3] += decay.shift * view[0]

    def depolarise(self, factor: float) -> None:
        """Apply the noise of an operation that leaves this half as it is by a factor, and fully mixed otherwise."""
        self.apply(exact.depolarising(1 - factor))

    def apply(self, channel: Real) -> None:
        """Apply a channel."""
        view = self.view if self.after is None else self.after
        view[:] = channel @ view

    def apply_pauli(self, pauli: int) -> None:
        """Apply a Pauli: bit 1 is X, bit 0 is Z."""
        view = self.view if self.after is None else self.after
        view *= PAULI_SIGNS[pauli][:, None]

    @property
    def other(self) -> ExactHalf:
        """The other half of the pair."""
        pair = self.pair
        return pair.b if pair.a is self else pair.a

    def bloch(self) -> Real:
        """Return (1, <X>, <Y>, <Z>) of this half, given what is known of the other one."""
        row = self.view @ self.other.effect
        bloch: Real = row / row[0]
        return bloch


def measure(half: ExactHalf, effects: Real, draw: Stream, now: int) -> int:
    """Measure a half; the bit follows from the pair and from what was measured on its other half.

    Parameters
    ----------
    half
        What to measure.
    effects
        Of both reported bits, from `Instruments.effects`.
    draw
        Source of the bit.
    now
        The present [ps].
    """
    half.age(now)
    half.law = None  # a bit does not age
    bit = int(draw.uniform() >= float(effects[0] @ half.bloch()))
    half.effect = effects[bit]
    half.outcome = bit
    return bit


def swap(left: ExactHalf, right: ExactHalf, bell: Real, draw: Stream, now: int) -> int:
    """Measure two halves in the Bell basis and join what is left into one pair.

    Parameters
    ----------
    left, right
        Halves at one node, of two pairs.
    bell
        Effects of the outcomes, from `Instruments.bell`.
    draw
        Source of the outcome.
    now
        The present [ps].

    Returns
    -------
    int
        Reported outcome as a Bell index, drawn from the two pairs and from bits that their outer halves have given.
    """
    left.age(now)
    right.age(now)
    inner, outer = left.other, right.other
    joined = left.view.T @ bell @ right.view  # one T for each outcome
    weights = inner.effect @ joined @ outer.effect
    place = draw.uniform() * float(weights.sum())
    outcome = 0
    while outcome < 3 and place >= weights[outcome]:
        place -= weights[outcome]
        outcome += 1
    pair = left.pair
    pair.t = joined[outcome] / joined[outcome][0, 0]
    pair.a = inner
    pair.b = outer
    outer.pair = pair
    return outcome
