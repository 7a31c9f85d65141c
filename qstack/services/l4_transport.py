"""What an application asks of the transport layer, and what it is told."""

from __future__ import annotations

from qstack.core.nouns import Indication, Request, noun


@noun
class Open(Request):
    """Open a session: ask for pairs with another node.  Parameters as in `qstack.services.l3_network.Connect`."""

    session: int
    peer: int
    min_fidelity: float
    number: int


@noun
class Close(Request):
    """Close a session; what is in flight is lost."""

    session: int


@noun
class Opened(Indication):
    """The session stands, told at both ends."""

    session: int
    peer: int
    initiator: bool


@noun
class Closed(Indication):
    """The session has ended, told at both ends; reason 0 when all that was asked was delivered."""

    session: int
    reason: int


@noun
class Delivery(Indication):
    """One pair, in consumption class C: it exists at both ends, its Pauli frame comes as the Bell index.

    Parameters as in `qstack.services.l3_network.Pair`.
    """

    session: int
    pair: int
    bell: int
    qubit: int
    estimate: float
    asked: int
