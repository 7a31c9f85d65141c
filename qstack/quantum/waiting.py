"""Waiting times and storage of chains, counted in slots of one attempt each; the first slot is slot 1."""

from __future__ import annotations

from math import exp, expm1, log1p, prod, sinh
from operator import mul

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import PhysicsError

Real = NDArray[np.float64]


def success(name: str, p: float) -> float:
    """Return a probability in (0, 1].

    Raises
    ------
    PhysicsError
        If it is not: what never succeeds has no mean time.
    """
    if not 0 < p <= 1:
        raise PhysicsError(f"{name} = {p}: a success probability lies in (0, 1]")
    return p


def mean_max_geometric(segments: int, p: float) -> float:
    """Return the mean of the largest of independent geometric variables.

    The sum over n >= 0 of 1 - (1 - (1-p)^n)^N has positive terms only (inclusion and exclusion cancels beyond N = 32).
    For small p it is the integral H_N / lambda plus 1/2, with lambda = -ln(1-p): the next Euler-Maclaurin term has
    the relative size lambda^4.  Eisenberg, Stat. Probab. Lett. 78, 135 (2008).

    Raises
    ------
    PhysicsError
        If p is not in (0, 1] or there is no segment.
    """
    if segments < 1:
        raise PhysicsError(f"segments = {segments}: there is at least one")
    if success("p", p) == 1:
        return 1.0
    if segments == 1:
        return 1 / p
    rate = -log1p(-p)
    if rate < 1e-3:
        return sum(1 / k for k in range(1, segments + 1)) / rate + 0.5
    total, n, term = 1.0, 1, 1.0
    while term > 1e-17 * total:
        term = -expm1(segments * log1p(-exp(-rate * n)))
        total += term
        n += 1
    return total


GRID = 1 << 19
"""Points on which `mean_nested_restart` keeps a distribution."""

SPAN = 45
"""How many means they cover: what is beyond weighs exp(-44)."""


def mean_nested_restart(levels: int, p: float, ps: float) -> float:
    """Return the mean time until a chain of 2^levels segments is up when a failed swap restarts both halves.

    T_0 is geometric; T_(k+1) adds up G copies of the larger of two T_k, G geometric(ps).  Distributions stand on an
    even grid: the larger of two is a square of the distribution function, the sum a quotient of transforms (Brand,
    Coopmans and Elkouss, IEEE J. Sel. Areas Commun. 38, 619 (2020)).  While the grid holds single slots the
    result is exact; where it must be coarser, mass moves to its neighbours so that mean and variance stay, and the
    relative error is below 1e-7.

    Raises
    ------
    PhysicsError
        If p or ps is not in (0, 1] or `levels` is negative.
    """
    if levels < 0:
        raise PhysicsError(f"levels = {levels}: a number of levels is not negative")
    success("p", p)
    success("ps", ps)
    if levels == 0:
        return 1 / p
    step = _step(1 / p)
    mass = _geometric_on_grid(p, step)
    for level in range(levels):
        reached = np.cumsum(mass)
        larger = np.diff((reached / reached[-1]) ** 2, prepend=0.0)
        mean = step * float(np.arange(len(larger)) @ larger) / ps
        if level == levels - 1:
            break
        while step < _step(mean):
            larger, step = _coarser(larger), 2 * step
        larger /= larger.sum()  # or rounding would grow by 1/ps at each level
        transform = np.fft.rfft(larger, GRID)
        mass = np.fft.irfft(ps * transform / (1 - (1 - ps) * transform), GRID)
    return mean


def _step(mean: float) -> int:
    """Return the least power of two with which the grid spans enough of a distribution."""
    step = 1
    while step * GRID < SPAN * mean:
        step *= 2
    return step


def _geometric_on_grid(p: float, step: int) -> Real:
    """Return a geometric distribution on multiples of `step`, each mass shared by its two neighbours.

    The share at a grid point is the second difference of E[(T - t)^+] = (1-p)^t / p.
    """
    mass = np.zeros(GRID)
    if p == 1:
        mass[1] = 1.0
        return mass
    rate = -log1p(-p)
    points = np.arange(1, GRID)
    mass[1:] = np.exp(-rate * step * points) * (4 * sinh(rate * step / 2) ** 2 / (p * step))
    mass[0] = 1 - mass[1:].sum()
    return mass


def _coarser(mass: Real) -> Real:
    """Return a distribution on every second point; odd points are shared so that mean and variance stay.

    The shares are those of cubic interpolation at the middle, of quadratic interpolation at the edge.
    """
    half = len(mass) // 2
    odd = mass[1::2]
    coarse = np.zeros(len(mass))
    coarse[:half] = mass[0::2]
    coarse[:3] += odd[0] * np.array([3, 6, -1]) / 8
    for offset, share in ((-1, -1 / 16), (0, 9 / 16), (1, 9 / 16), (2, -1 / 16)):
        coarse[1 + offset : half + offset] += share * odd[1:]
    return coarse


def dephasing_swap_asap(segments: int, p: float, a: float) -> tuple[float, float]:
    """Return E[exp(-a D)] of a chain that swaps as soon as possible, one pair per segment.

    Segment i is ready in slot N_i, geometric(p).  A repeater stores one half for |N_i - N_(i+1)| slots; D adds these
    up.  The first result measures the ends at once; the second adds the waits of both end qubits until the last
    segment is ready.

    The chain is cut at its last ready segment M.  What remains on either side are shorter chains whose storage is
    counted up to M, which are cut likewise, so generating functions in the number of segments follow slot by slot:
    with both edges held until slot M, R = L + w L R; with one edge free, S = E + w E R; then L <- 1 + b^2 (R - 1) and
    E <- 1 + b (S - 1), where w is the probability of slot M and b = exp(-a).  All terms are positive.

    For small p that takes many slots.  With lambda = -ln(1-p), at a fixed ratio a / lambda, the results are even in
    lambda (two segments: tanh(lambda/2) / tanh((lambda + a)/2)), so they are extrapolated from four larger lambda.

    Parameters
    ----------
    segments
        Number of segments.
    p
        Success probability of an attempt.
    a
        Dephasing per slot: the correlators x and y shrink by exp(-a D).

    Raises
    ------
    PhysicsError
        If p is not in (0, 1], a is negative or there is no segment.
    """
    if segments < 1:
        raise PhysicsError(f"segments = {segments}: there is at least one")
    if not a >= 0:
        raise PhysicsError(f"a = {a}: a dephasing per slot is not negative")
    if success("p", p) == 1 or a == 0 or segments == 1:
        return 1.0, 1.0
    rate = -log1p(-p)
    largest = min(0.05, 0.3 * rate / a)
    if rate > largest / 10:
        return _cut_at_last_ready(segments, p, exp(-a))
    nodes = [largest * share for share in (0.4, 0.6, 0.8, 1.0)]
    measured = stored = 0.0
    for node in nodes:
        others = [other for other in nodes if other != node]
        weight = prod((rate * rate - other * other) / (node * node - other * other) for other in others)
        at_node = _cut_at_last_ready(segments, -expm1(-node), exp(-a * node / rate))
        measured += weight * at_node[0]
        stored += weight * at_node[1]
    return measured, stored


def _cut_at_last_ready(segments: int, p: float, b: float) -> tuple[float, float]:
    """Sum over the slot in which the last segment is ready; see `dephasing_swap_asap`."""
    held = [1.0] + [0.0] * (segments - 1)
    free = held.copy()
    measured = stored = 0.0
    w = p
    while w > 1e-13 * p:
        held_until, free_until = held.copy(), free.copy()
        for k in range(1, segments):
            before = held_until[k - 1 :: -1]
            held_until[k] += w * sum(map(mul, held, before))
            free_until[k] += w * sum(map(mul, free, before))
        measured += w * sum(map(mul, free, reversed(free_until)))
        stored += w * sum(map(mul, held, reversed(held_until)))
        held = [1.0, *(b * b * value for value in held_until[1:])]
        free = [1.0, *(b * value for value in free_until[1:])]
        w *= 1 - p
    return measured, stored
