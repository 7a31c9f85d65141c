"""Quasi-cyclic low-density parity-check codes of our own, made on demand, the same for everybody.

A code is a base matrix of rows and columns whose entries are cyclic shifts by Z places.  Columns are given the degrees
of a table, degree-2 columns form one open chain over the rows (a cycle of them would be a codeword of low weight), every
other edge goes to the emptiest rows, and shifts are drawn until the lifted graph has no cycle of length four, and none
of length six among its light columns.  The random stream is
fixed, so the code follows from its size.

Rows can be *split*: once the parity of half of a row's edges is known, the row counts as two.  That is how a code
gives more redundancy step by step, without new edges: what was said before stays in use.  The edges of a row stand in
random order, so that both halves have light and heavy columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from qstack.keys.randomness import stream
from qstack.keys.reconcile.strategy import Bits

COLUMNS = 256
"""Columns of every base matrix."""
TRIES = 200
"""Draws of a column's shifts before a short cycle is accepted."""

LIGHT = 3
"""Columns up to this degree close no cycle of length six."""

Integers = NDArray[np.int32]

DEGREES: dict[float, dict[int, float]] = {
    0.098: {2: 0.094, 3: 0.406, 4: 0.06, 5: 0.13, 6: 0.09, 8: 0.06, 10: 0.02, 12: 0.03, 20: 0.11},
    0.133: {2: 0.129, 3: 0.531, 6: 0.09, 10: 0.14, 20: 0.11},
    0.164: {2: 0.160, 3: 0.510, 5: 0.02, 6: 0.07, 8: 0.02, 10: 0.10, 20: 0.12},
    0.223: {2: 0.219, 3: 0.491, 5: 0.04, 6: 0.07, 10: 0.05, 16: 0.08, 20: 0.05},
    0.324: {2: 0.320, 3: 0.440, 8: 0.11, 10: 0.05, 16: 0.03, 20: 0.05},
    0.449: {2: 0.430, 3: 0.360, 5: 0.06, 8: 0.07, 12: 0.01, 20: 0.07},
}
"""Shares of column degrees by syndrome rate.

Found by a search of our own that minimised the edges visited until the decoder of this package had converged, at
efficiencies of 1.12 to 1.22; the starting point was a linear programme on EXIT functions in the Gaussian approximation.
"""


@dataclass(frozen=True, slots=True)
class Code:
    """A parity-check matrix.

    Parameters
    ----------
    starts
        First edge of each base row, and one past the last edge, shape (rows + 1,).
    column, shift
        Column and cyclic shift of each edge, shape (edges,).
    lift
        Size Z of the cyclic blocks.
    """

    starts: Integers
    column: Integers
    shift: Integers
    lift: int

    @property
    def rows(self) -> int:
        """Base rows."""
        return self.starts.size - 1

    @property
    def bits(self) -> int:
        """Length of the code [bit]."""
        return COLUMNS * self.lift

    def syndrome(self, word: Bits) -> Bits:
        """Return the parities of a word.

        Parameters
        ----------
        word
            Bits, shape (columns, lift).

        Returns
        -------
        ndarray
            Parities, shape (rows, lift).
        """
        return self._parities(word, self.starts[:-1], self.starts[1:])

    def half_syndrome(self, word: Bits, rows: Integers) -> Bits:
        """Return the parities of the first halves of some rows, shape (number of rows, lift)."""
        return self._parities(word, self.starts[rows], self._middles()[rows])

    def _parities(self, word: Bits, first: Integers, last: Integers) -> Bits:
        parities = np.zeros((first.size, self.lift), np.uint8)
        adder()(word, first, last, self.column, self.shift, parities)
        return parities

    def _middles(self) -> Integers:
        return (self.starts[:-1] + self.starts[1:]) // 2

    def split(self, rows: Integers) -> Code:
        """Return the code with some rows split in two; the halves stay neighbours."""
        starts = np.sort(np.concatenate([self.starts, self._middles()[rows]]))
        return Code(starts.astype(np.int32), self.column, self.shift, self.lift)


@cache
def adder() -> Callable[..., None]:
    """Return the compiled sum over edges where numba is installed, else the one in numpy."""
    try:
        from qstack.keys.reconcile.ldpc_compiled import xor  # noqa: PLC0415 - needs an extra
    except ImportError:
        return xor_numpy
    compiled: Callable[..., None] = xor
    return compiled


def xor_numpy(word: Bits, first: Integers, last: Integers, column: Integers, shift: Integers, parities: Bits) -> None:
    """Do what `qstack.keys.reconcile.ldpc_compiled.xor` does; same arguments, same result."""
    lift = word.shape[1]
    for row, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        parity = parities[row]
        for edge in range(low, high):
            turn, block = int(shift[edge]), word[column[edge]]
            parity[: lift - turn] ^= block[turn:]
            parity[lift - turn :] ^= block[:turn]


def degrees(rate: float) -> dict[int, float]:
    """Return the shares of column degrees for a syndrome rate, interpolated between the rows of the table."""
    known = sorted(DEGREES)
    rate = min(max(rate, known[0]), known[-1])
    upper = next(value for value in known if value >= rate)
    lower = max((value for value in known if value <= rate), default=upper)
    weight = 0.0 if upper == lower else (rate - lower) / (upper - lower)
    both = sorted(set(DEGREES[lower]) | set(DEGREES[upper]))
    mixed = {d: (1 - weight) * DEGREES[lower].get(d, 0) + weight * DEGREES[upper].get(d, 0) for d in both}
    total = sum(mixed.values())
    return {degree: share / total for degree, share in mixed.items()}


@lru_cache(maxsize=16)
def make(rows: int, lift: int) -> Code:
    """Return the code with so many base rows and this lift."""
    generator = stream(rows, lift, "ldpc")
    load = np.zeros(rows)
    girth = _Girth(lift)
    edges: list[tuple[int, int, int]] = []
    for column, degree in enumerate(_column_degrees(rows)):
        if degree == 2:
            chosen = [column, column + 1]
        else:
            chosen = np.argsort(load + generator.random(rows) / 2, kind="stable")[:degree].tolist()
        load[chosen] += 1
        edges += [(row, column, shift) for row, shift in girth.shifts(chosen, generator)]
    table = np.array(edges, np.int32)
    table = table[np.lexsort((generator.random(len(edges)), table[:, 0]))]
    starts = np.searchsorted(table[:, 0], np.arange(rows + 1)).astype(np.int32)
    return Code(starts, np.ascontiguousarray(table[:, 1]), np.ascontiguousarray(table[:, 2]), lift)


def _column_degrees(rows: int) -> list[int]:
    """Return the degree of every column, rising."""
    result: list[int] = []
    reached = 0.0
    for degree, share in sorted(degrees(rows / COLUMNS).items()):
        reached += share
        result += [min(degree, rows)] * (round(reached * COLUMNS) - len(result))
    spare = result.count(2) - (rows - 1)
    return sorted([3] * spare + result[spare:]) if spare > 0 else result


class _Girth:
    """Chooses shifts that close no short cycle in the lifted graph.

    Two edges of a column tie rows i and j at a distance of shifts; equal distances between the same rows close a cycle
    of length four, and three rows whose distances add up to zero one of length six.  The first are avoided everywhere,
    the second among columns of degree 2 and 3, whose short cycles trap the decoder.
    """

    def __init__(self, lift: int) -> None:
        self._lift = lift
        self._ties: dict[tuple[int, int], set[int]] = {}
        self._light: dict[int, dict[int, set[int]]] = {}

    def shifts(self, rows: list[int], generator: np.random.Generator) -> list[tuple[int, int]]:
        """Return a row and a shift for each edge of a new column; after `TRIES` draws any will do."""
        light = len(rows) <= LIGHT
        for _ in range(TRIES):
            drawn = generator.integers(0, self._lift, len(rows))
            pairs = sorted((row, int(shift)) for row, shift in zip(rows, drawn, strict=True))
            ties = [(i, j, (b - a) % self._lift) for n, (i, a) in enumerate(pairs) for j, b in pairs[n + 1 :]]
            if not any(self._closes(i, j, tie, light=light) for i, j, tie in ties):
                break
        for i, j, tie in ties:
            self._ties.setdefault((i, j), set()).add(tie)
            if light:
                self._light.setdefault(i, {}).setdefault(j, set()).add(tie)
                self._light.setdefault(j, {}).setdefault(i, set()).add(-tie % self._lift)
        return pairs

    def _closes(self, i: int, j: int, tie: int, *, light: bool) -> bool:
        """Return whether a tie from row i to row j would close a cycle."""
        if tie in self._ties.get((i, j), ()):
            return True
        if not light:
            return False
        onward = self._light.get(j, {})
        return any(
            (tie + second - first) % self._lift == 0
            for k, firsts in self._light.get(i, {}).items()
            for first in firsts
            for second in onward.get(k, ())
        )
