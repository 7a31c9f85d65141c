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
        Whether this node keeps its halves (type K) or measures them at once (type M).
    bases
        Bases to draw from where this node measures, at most eight; one that stands there twice is drawn twice as often.
    prepare
        The other node does the opposite (type R, remote state preparation): it keeps what this node measures at once,
        or the other way round.
    remote_bases
        Bases of the other node where it measures; empty stands for those of this node.
    atomic
        No other request of this link is served between its first and its last pair.
    consecutive
        True: pairs are told one by one, as they come.  False: all at once, when all are there.
    """

    peer: int
    purpose: int
    number: int
    min_fidelity: float
    max_time: int = 0
    priority: int = 0
    keep: bool = True
    bases: tuple[int, ...] = ()
    prepare: bool = False
    remote_bases: tuple[int, ...] = ()
    atomic: bool = False
    consecutive: bool = True


@noun
class Receive(Request):
    """Accept requests of a neighbour with this purpose, and from now on no others but those told so (QS-L2-024).

    Until the first one for a neighbour, requests of every purpose are accepted.
    """

    peer: int
    purpose: int


@noun
class StopReceive(Request):
    """Accept requests of a neighbour with this purpose no longer; those accepted already go on."""

    peer: int
    purpose: int


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
    """A request failed or ended before its number was reached; with reason EXPIRE it goes on without some pairs.

    Parameters
    ----------
    peer, purpose, create_id, remote
        As in `Ok`; the number is -1 if the request was never accepted.
    reason
        Why.
    low, high
        Reason EXPIRE: the first pair that is no longer valid, and the one behind the last, modulo 2**16.
    """

    peer: int
    purpose: int
    create_id: int
    reason: int
    remote: bool
    low: int = 0
    high: int = 0


@noun
class Unreachable(Indication):
    """A neighbour does not answer, or has started anew: every request of its link is gone, at both ends."""

    peer: int
