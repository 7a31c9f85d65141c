"""What the network layer asks of the link layer, and what it is told (after draft-dahlberg-ll-quantum-03)."""

from __future__ import annotations

from qstack.core.nouns import Indication, Request, noun


@noun
class Create(Request):
    """Ask for pairs with a neighbour.

    Parameters
    ----------
    peer
        The neighbour.
    purpose
        Purpose id: the network layer's label, returned unchanged in every `Ok`.
    number
        Pairs wanted, 1 to 65535.
    min_fidelity
        Least acceptable fidelity, 0 to 1.
    max_time
        Time after which the request is given up [ps]; 0 waits for ever.
    priority
        0 to 7; higher is served earlier.
    keep
        True for type K (keep), False for type M (measure directly).
    bases
        Type M: bases to draw from.
    """

    peer: int
    purpose: int
    number: int
    min_fidelity: float
    max_time: int = 0
    priority: int = 0
    keep: bool = True
    bases: tuple[int, ...] = ()


@noun
class Withdraw(Request):
    """Give up every request with this purpose; pairs that still arrive for it are freed."""

    peer: int
    purpose: int


@noun
class Accepted(Indication):
    """The request was accepted under this number (the draft's ACK)."""

    peer: int
    purpose: int
    create_id: int


@noun
class Ok(Indication):
    """A pair exists; told at both nodes with equal sequence number, purpose and Bell index.

    Parameters
    ----------
    peer, purpose, create_id
        Which request, at which neighbour; the id is that of the node that asked.
    sequence
        Pair number on this link, modulo 2**16.
    bell
        Announced Bell index.
    goodness
        Estimated fidelity at time `since`.
    since
        From when both halves age [ps].
    qubit
        Number of the local half, -1 for type M.
    remote
        True if the neighbour asked for it (the draft's D flag).
    basis, outcome
        Type M: basis and raw bit, else -1.
    """

    peer: int
    purpose: int
    create_id: int
    sequence: int
    bell: int
    goodness: float
    since: int
    qubit: int
    remote: bool
    basis: int
    outcome: int


@noun
class Err(Indication):
    """A request failed, or ended before its number was reached."""

    peer: int
    purpose: int
    create_id: int
    reason: int
    remote: bool


@noun
class Unreachable(Indication):
    """A neighbour does not answer, or has started anew: every request of its link is gone, at both ends."""

    peer: int
