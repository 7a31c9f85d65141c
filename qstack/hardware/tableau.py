"""One stabiliser state of all qubits of a network, and the pairs of the stabiliser tier.

Every qubit is a column of one tableau (Aaronson and Gottesman, Phys. Rev. A 70, 052328 (2004); stim: Gidney, Quantum 5,
497 (2021)).  Noise is a Pauli that is drawn when it strikes.  All draws, those of random outcomes included, come from the
streams of the run and none from stim: the same seed gives the same run with every version of it.

A qubit leaves the tableau when it is measured, discarded or used up.  What its pair was by then is noted as a Bell index,
and followed from there on through all that happens to the other half: see `StabiliserPair.noted`.
"""

from __future__ import annotations

from typing import Any

from qstack.core.errors import PhysicsError
from qstack.hardware.pairs import Half, Pair
from qstack.hardware.randomness import Stream
from qstack.quantum.exact import BELL_SIGNS
from qstack.quantum.stabiliser import stim
from qstack.quantum.states import ROUNDING, bell_from_correlators
from qstack.services.bell import Basis

LETTERS = {Basis.X: "x", Basis.Y: "y", Basis.Z: "z"}


class Tableau:
    """The qubits of a network.

    Parameters
    ----------
    draw
        Source of the noise.
    """

    def __init__(self, draw: Stream) -> None:
        self.stim = stim()
        self.state = self.stim.TableauSimulator()
        self.draw = draw
        self.columns = 0
        self.unused: list[int] = []

    def take(self) -> int:
        """Return a qubit in |0>."""
        if self.unused:
            return self.unused.pop()
        self.columns += 1
        return self.columns - 1

    def measure(self, column: int, basis: int, draw: Stream) -> int:
        """Measure a qubit, without error, and have its column back; a bit that nothing determines is drawn."""
        letter = LETTERS[Basis(basis)]
        known = getattr(self.state, f"peek_{letter}")(column)
        place = draw.uniform()  # always, so that a run draws the same whatever was known
        bit = int(known < 0) if known else int(place < 0.5)
        getattr(self.state, f"postselect_{letter}")(column, desired_value=bool(bit))
        self.state.reset(column)  # it is in a known state of its own: nothing is left to draw
        self.unused.append(column)
        return bit

    def pauli(self, probability: float = 1.0) -> int:
        """Draw what replacing a qubit by the fully mixed state with a probability does to it."""
        place = self.draw.uniform()
        return int(4 * place / probability) if place < probability else 0

    def signs(self, a: int, b: int) -> list[float]:
        """Return <II>, <XX>, <YY> and <ZZ> of two qubits: 1, -1, or 0 if nothing is known."""
        found = [1.0]
        for pauli in (1, 2, 3):
            product = self.stim.PauliString(max(a, b) + 1)
            product[a] = product[b] = pauli
            found.append(self.state.peek_observable_expectation(product))
        return found


class StabiliserPair(Pair):
    """Two halves that belong together.

    Attributes
    ----------
    tableau
        Where they are.
    noted
        Bell index of the pair as if no half had been measured, from when one has left the tableau on; -1 until then.
    """

    __slots__ = ("noted", "tableau")

    a: StabiliserHalf
    b: StabiliserHalf

    def __init__(self, tableau: Tableau, bell: int, x: float, y: float, z: float) -> None:
        super().__init__(bell, x, y, z)
        self.tableau = tableau
        self.noted = -1

    def index(self) -> int:
        """Return which Bell state the pair is in."""
        if self.noted >= 0:
            return self.noted
        _, xx, _, zz = self.tableau.signs(self.a.column, self.b.column)
        return 2 * (zz < 0) + (xx < 0)

    def part(self) -> None:
        """Forget what both halves know of each other: nobody knows what happened to one of them."""
        (self.b if self.a.column < 0 else self.a).apply_pauli(self.tableau.pauli())

    def fidelity_with(self, bell: int) -> float:
        """Overlap with a Bell state: that of one sample, so 1 or 0 as a rule."""
        if self.noted >= 0:
            return float(self.noted == bell)
        return float(BELL_SIGNS[bell] @ self.tableau.signs(self.a.column, self.b.column)) / 4

    @property
    def fidelity(self) -> float:
        """Overlap with the announced Bell state."""
        return self.fidelity_with(self.bell)


class StabiliserHalf(Half):
    """One qubit of a tableau.

    Attributes
    ----------
    column
        Which; -1 once it is gone.
    """

    __slots__ = ("column",)

    pair: StabiliserPair

    def __init__(self, pair: Any, law: Any, born: int, place: Any, side: int) -> None:
        super().__init__(pair, law, born, place, side)
        self.column = pair.tableau.take()
        if side:  # the pair has both its halves
            _entangle(pair.tableau, pair.a.column, self.column)
            self.apply_pauli(_index(pair))

    def age(self, now: int) -> None:
        """Draw what the decay up to now has done, as Pauli errors."""
        law, touched = self.law, self.touched
        if law is not None and now > touched:
            self.apply_pauli(_error(*law.survival(touched - self.born, now - self.born), self.pair.tableau.draw))
        self.touched = now

    def depolarise(self, factor: float) -> None:
        """Draw the noise of an operation that leaves this half as it is by a factor, and fully mixed otherwise."""
        if factor < 1:
            self.apply_pauli(self.pair.tableau.pauli(1 - factor))

    def apply_pauli(self, pauli: int) -> None:
        """Apply a Pauli: bit 1 is X, bit 0 is Z."""
        pair = self.pair
        if pair.noted >= 0:
            pair.noted ^= pauli
        if self.column >= 0:
            if pauli & 2:
                pair.tableau.state.x(self.column)
            if pauli & 1:
                pair.tableau.state.z(self.column)

    def leave(self, basis: int, draw: Stream) -> int:
        """Take this qubit out of the tableau by a measurement, after a note of what its pair was; return the bit."""
        pair = self.pair
        pair.noted = pair.index()
        bit = pair.tableau.measure(self.column, basis, draw)
        self.column = -1
        self.law = None  # a bit does not age
        return bit


def _entangle(tableau: Tableau, a: int, b: int) -> None:
    tableau.state.h(a)
    tableau.state.cnot(a, b)


def _index(pair: StabiliserPair) -> int:
    """Draw which Bell state a pair is born in."""
    place = pair.tableau.draw.uniform()
    overlaps = bell_from_correlators((pair.x, pair.y, pair.z), pair.bell)
    for index, overlap in enumerate(overlaps):
        place -= overlap
        if place < 0:
            return index
    return pair.bell  # rounding has left a rest


def _error(xy: float, z: float, draw: Stream) -> int:
    """Draw a Pauli from the twirl of a channel with these factors on (x and y, z)."""
    flips, phases = (1 - z) / 4, (1 + z - 2 * xy) / 4
    if min(flips, phases) < -ROUNDING:
        raise PhysicsError(
            f"factors {xy:.6g} on X and Y and {z:.6g} on Z are no Pauli noise: the memory revives. "
            "Choose run: {tier: exact}."
        )
    place = draw.uniform()
    if place < 2 * flips:
        return 2 if place < flips else 3
    return int(place < 2 * flips + phases)
