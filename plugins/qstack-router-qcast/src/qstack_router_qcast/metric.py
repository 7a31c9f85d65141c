"""EXT, the path metric of Q-CAST: how many end-to-end pairs one slot is expected to give.

Shi and Qian, "Concurrent Entanglement Routing for Quantum Networks: Model and Designs", SIGCOMM 2020, section 4.2.  On a
path of width W every hop has W channels; each of them succeeds in a slot with the hop's probability p, and each swap
with probability q.  With P_k(i) the probability that i channels survive the first k hops,

    P_1(i) = C(W, i) p^i (1 - p)^(W - i)
    P_k(i) = P_{k-1}(i) Pr[at least i at hop k] + Pr[exactly i at hop k] sum_{l > i} P_{k-1}(l)
    EXT    = q^(h-1) sum_i i P_h(i).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import comb

from qstack.core.errors import PhysicsError

Distribution = tuple[float, ...]
"""Probability that i channels survive, for i from 0 to the width."""


def channels(probability: float, width: int) -> Distribution:
    """Return how many of the channels of one hop succeed: the binomial distribution.

    Raises
    ------
    PhysicsError
        If it is no probability, or there is no channel.
    """
    if not 0 <= probability <= 1:
        raise PhysicsError(f"p = {probability}: a probability lies in [0, 1]")
    if width < 1:
        raise PhysicsError(f"W = {width}: a path is at least one channel wide")
    return tuple(comb(width, i) * probability**i * (1 - probability) ** (width - i) for i in range(width + 1))


def extend(path: Distribution, hop: Distribution) -> Distribution:
    """Return how many channels survive a path and one more hop: the lesser of two independent numbers."""
    path_tail = _at_least(path)
    hop_tail = _at_least(hop)
    return tuple(path[i] * hop_tail[i] + hop[i] * path_tail[i + 1] for i in range(len(path)))


def mean(path: Distribution) -> float:
    """Return the expected number of channels."""
    return sum(i * p for i, p in enumerate(path))


def expected_throughput(probabilities: Sequence[float], width: int, swap: float = 1.0) -> float:
    """Return EXT of a path [pairs per slot].

    Parameters
    ----------
    probabilities
        Of each hop: that one of its channels succeeds in a slot.
    width
        Channels of every hop.
    swap
        Success probability of a swap.

    Raises
    ------
    PhysicsError
        If there is no hop, no channel, or something is no probability.
    """
    if not probabilities:
        raise PhysicsError("a path has at least one hop")
    if not 0 <= swap <= 1:
        raise PhysicsError(f"q = {swap}: a probability lies in [0, 1]")
    hops = [channels(p, width) for p in probabilities]
    *_, survivors = accumulate(hops, extend)
    return swap ** (len(hops) - 1) * mean(survivors)


def _at_least(distribution: Distribution) -> Distribution:
    """Return the probabilities of at least i, with a zero behind the end."""
    return (*tuple(accumulate(reversed(distribution)))[::-1], 0.0)
