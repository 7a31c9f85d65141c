"""What the link layer asks of the physical layer, and what it is told."""

from __future__ import annotations

from qstack.core.nouns import Indication, Request, noun


@noun
class Attempt(Request):
    """The link layer's standing answer to the polls of one lane: what to attempt from now on.

    The physical layer polls at every cycle; an answer stands until it is changed, so silence costs nothing.
    Parameters as in `qstack.services.device.Trigger`.
    """

    peer: int
    lane: int
    aid: int
    row: int
    keep: bool
    bases: tuple[int, ...]


@noun
class Heralded(Indication):
    """An attempt succeeded.  Fields as in `qstack.services.device.Herald`."""

    peer: int
    lane: int
    aid: int
    sequence: int
    bell: int
    qubit: int
    emitted: int
    basis: int
    outcome: int


@noun
class Skipped(Indication):
    """Successes of a link of which this node was not told; their qubits are gone here.

    Parameters
    ----------
    peer
        The neighbour.
    low, high
        Number of the first, and of the one behind the last, modulo 2**16.
    """

    peer: int
    low: int
    high: int


@noun
class Renumber(Request):
    """What was agreed with a neighbour is void: its next success may carry any number."""

    peer: int
