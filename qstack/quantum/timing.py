"""When things happen in one attempt of a heralded link, by scheme, from the delays of its fibres.

Times count from the start of the attempt in the unit of the delays.  Fibre and messages are equally fast; electronics,
preparation and readout come on top.
"""

from __future__ import annotations

from dataclasses import dataclass

from qstack.core.errors import PhysicsError


@dataclass(frozen=True, slots=True)
class Timing:
    """Timing of one attempt.

    Parameters
    ----------
    born
        When each node's qubit starts to age: emission, or arrival in a memory.
    known
        When each node knows the result; its memory is busy from `born` until then.
    cycle
        Least time from one attempt to the next with one memory per node.
    """

    born: tuple[float, float]
    known: tuple[float, float]
    cycle: float


def meet_in_the_middle(delay_a: float, delay_b: float) -> Timing:
    """Return the timing with a station between the nodes.

    The nearer node emits later, so that both photons arrive together; the station answers both.
    """
    a, b = _delays(delay_a, delay_b)
    arrival = max(a, b)
    return Timing((arrival - a, arrival - b), (arrival + a, arrival + b), 2 * arrival)


def sender_receiver(delay: float) -> Timing:
    """Return the timing with the station at node B, which emits when A's photon arrives and knows at once."""
    return meet_in_the_middle(delay, 0.0)


def source_in_the_middle(delay_a: float, delay_b: float) -> Timing:
    """Return the timing with a source between the nodes: each heralds for itself and tells the other.

    Messages pass by the source, so a node knows when its own photon and the other's message have come.
    """
    a, b = _delays(delay_a, delay_b)
    known = max(a, b + a + b), max(b, a + a + b)
    return Timing((a, b), known, max(known[0] - a, known[1] - b))


def _delays(*delays: float) -> tuple[float, ...]:
    for delay in delays:
        if not delay >= 0:
            raise PhysicsError(f"delay = {delay}: a delay is not negative")
    return delays
