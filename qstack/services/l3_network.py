"""What the transport layer asks of the network layer, and what it is told."""

from __future__ import annotations

from qstack.core.nouns import Indication, Request, noun


@noun
class Connect(Request):
    """Ask for a circuit to another node, and for pairs on it.

    Parameters
    ----------
    session
        Name of the session, unique in the network; both ends hear it again.
    peer
        The other end.
    min_fidelity
        Promise about the mean fidelity of the delivered pairs.
    number
        Pairs wanted; 0 means until `Disconnect`.
    """

    session: int
    peer: int
    min_fidelity: float
    number: int


@noun
class Disconnect(Request):
    """End the requests of a session and tear its circuit down."""

    session: int


@noun
class Connected(Indication):
    """The circuit stands, told at both ends."""

    session: int
    peer: int
    initiator: bool
    number: int


@noun
class Disconnected(Indication):
    """The circuit is gone or was refused, told at both ends."""

    session: int
    reason: int


@noun
class Pair(Indication):
    """A pair between the two ends of a session, told at both.

    Parameters
    ----------
    session, pair
        Whose pair, and its number; equal at both ends.
    bell
        Its Bell index; equal at both ends.
    qubit
        The local half.
    estimate
        Fidelity that the layers believe in.
    asked
        When the network layer took up the request for this pair [ps]; -1 at the end that did not ask.
    """

    session: int
    pair: int
    bell: int
    qubit: int
    estimate: float
    asked: int
