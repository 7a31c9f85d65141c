"""Delivery time of a chain that swaps as soon as possible and discards links that grow too old: a Markov chain.

Between slots the chain is a set of links, no two of them adjacent, each with an age below the cutoff.  Compare Iñesta,
Vardoyan, Scavuzzo and Wehner, npj Quantum Inf. 9, 46 (2023).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError, PhysicsError
from qstack.quantum.waiting import success

Link: TypeAlias = tuple[int, int, int]
"""First segment, last segment, age."""

State: TypeAlias = tuple[Link, ...]
Real: TypeAlias = NDArray[np.float64]

MAX_DENSE = 3000
MAX_STATES = 250_000
MAX_BRANCHES = 4_000_000

EMPTY: State = ()


def swap_asap_cutoff(segments: int, p: float, ps: float, cutoff: int) -> tuple[float, float]:
    """Return the mean and the variance of the delivery time [slot], starting with no link.

    In a slot: (1) every segment that no link covers attempts; a new link has age 0.  (2) Every maximal run of k
    adjacent links swaps at once and survives with probability ps^(k-1), else all are lost; the largest age counts.
    (3) A link that spans the chain is delivered.  (4) All ages grow by one; links of age >= cutoff are dropped.

    Every return to the empty chain is a renewal, so the mean is that of a cycle over its probability to deliver, a
    quotient of sums of positive terms however rare delivery is.

    Parameters
    ----------
    segments
        Number of segments.
    p, ps
        Success probability of an attempt and of a swap.
    cutoff
        Age at which a link is dropped [slot], at least 1: with 1 nothing is ever kept.

    Raises
    ------
    PhysicsError
        If a value is impossible, or the chain has more states than can be solved exactly.
    ConfigError
        If the size needs sparse matrices and scipy is not installed.
    """
    if segments < 1 or cutoff < 1:
        raise PhysicsError(f"segments = {segments}, cutoff = {cutoff}: both are at least 1")
    success("p", p)
    success("ps", ps)
    if p < 1 and count_states(segments, cutoff) > MAX_STATES:
        raise PhysicsError(
            f"{segments} segments with a cutoff of {cutoff} slots have {count_states(segments, cutoff)} states: "
            f"an exact solution takes at most {MAX_STATES}"
        )
    states, entries = _explore(segments, p, ps, cutoff)
    size = len(states)
    rows, columns = np.array([entry[:2] for entry in entries], np.int64).T
    weights: Real = np.array([entry[2] for entry in entries])
    inside = columns >= 0
    to_empty = np.bincount(rows[columns == 0], weights[columns == 0], size)
    to_end = np.bincount(rows[~inside], weights[~inside], size)
    rows, columns, weights = rows[inside], columns[inside], weights[inside]
    kept = columns > 0
    solved = _solve(rows[kept], columns[kept], weights[kept], np.stack([np.ones(size), to_empty, to_end], axis=1))
    length, back, end = solved.T
    mean = length[0] / end[0]
    means = length + back * mean
    onward: Real = np.bincount(rows, weights * means[columns], size).astype(np.float64)
    squares = _solve(rows[kept], columns[kept], weights[kept], (1 + 2 * onward)[:, None])[:, 0]
    return float(mean), float(squares[0] / end[0] - mean * mean)


def count_states(segments: int, cutoff: int) -> int:
    """Return in how many states a chain can be between slots: links apart from each other, ages 1 to cutoff - 1."""
    ways = [1, 1]  # chains of -1 and 0 segments
    for n in range(1, segments + 1):
        ways.append(ways[n] + (cutoff - 1) * sum(ways[:n]))
    return ways[-1] - (cutoff - 1)  # a link that spans the chain is delivered


def _explore(segments: int, p: float, ps: float, cutoff: int) -> tuple[list[State], list[tuple[int, int, float]]]:
    """Return all states that can be reached and the transitions (from, to, probability); to = -1 delivers."""
    numbers: dict[State, int] = {EMPTY: 0}
    states = [EMPTY]
    entries: list[tuple[int, int, float]] = []
    branches = 0
    for state in states:  # grows while it is walked
        after: dict[int, float] = {}
        for links, weight in _slot(state, segments, p, ps):
            branches += 1
            if links and links[0][0] == 0 and links[0][1] == segments - 1:
                target = -1
            else:
                aged = tuple((first, last, age + 1) for first, last, age in links if age + 1 < cutoff)
                target = numbers.setdefault(aged, len(numbers))
                if target == len(states):
                    states.append(aged)
            after[target] = after.get(target, 0.0) + weight
        entries += [(numbers[state], target, weight) for target, weight in after.items()]
        if branches > MAX_BRANCHES:
            raise PhysicsError(
                f"{segments} segments with a cutoff of {cutoff} slots have too many transitions: "
                f"an exact solution takes at most {MAX_BRANCHES}"
            )
    return states, entries


def _slot(state: State, segments: int, p: float, ps: float) -> Iterator[tuple[State, float]]:
    """Yield what steps 1 and 2 of a slot make of a state, with probabilities."""
    covered = {segment for first, last, _ in state for segment in range(first, last + 1)}
    empty = [segment for segment in range(segments) if segment not in covered]
    for outcome in itertools.product((False, True), repeat=len(empty)):
        made = sum(outcome)
        weight = p**made * (1 - p) ** (len(empty) - made)
        if weight:
            fresh = [(segment, segment, 0) for segment, up in zip(empty, outcome, strict=True) if up]
            yield from _swap(_runs(sorted([*state, *fresh])), weight, ps)


def _runs(links: list[Link]) -> list[tuple[Link, int]]:
    """Return the maximal runs of adjacent links as (merged link, number of links)."""
    runs: list[tuple[Link, int]] = []
    for first, last, age in links:
        if runs and runs[-1][0][1] + 1 == first:
            (start, _, oldest), number = runs[-1]
            runs[-1] = ((start, last, max(oldest, age)), number + 1)
        else:
            runs.append(((first, last, age), 1))
    return runs


def _swap(runs: list[tuple[Link, int]], weight: float, ps: float) -> Iterator[tuple[State, float]]:
    """Yield which runs survive their swaps."""
    chances = [ps ** (number - 1) for _, number in runs]
    options = [(True,) if chance == 1 else (True, False) for chance in chances]
    for choice in itertools.product(*options):
        chance = weight
        for survives, one in zip(choice, chances, strict=True):
            chance *= one if survives else 1 - one
        yield tuple(link for (link, _), survives in zip(runs, choice, strict=True) if survives), chance


def _solve(rows: NDArray[np.int64], columns: NDArray[np.int64], weights: Real, right: Real) -> Real:
    """Solve (1 - Q) x = right for a sparse Q."""
    size = len(right)
    if size <= MAX_DENSE:
        matrix = np.eye(size)
        np.subtract.at(matrix, (rows, columns), weights)
        return np.asarray(np.linalg.solve(matrix, right), np.float64)
    try:
        # An extra without types, and slow to import: only for large chains.
        from scipy import sparse  # noqa: PLC0415 - an extra
        from scipy.sparse.linalg import splu  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(f"{size} states need sparse matrices: install the extra 'physics' (scipy)") from error
    onward = sparse.csc_matrix((weights, (rows, columns)), (size, size))
    return np.asarray(splu(sparse.eye(size, format="csc") - onward).solve(right), np.float64)
