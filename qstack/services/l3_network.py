"""What the transport layer asks of the network layer, and what it is told."""

from __future__ import annotations

from qstack.core.nouns import Indication, Request, noun

KEEP, MEASURE, PREPARE, EARLY = range(4)
"""Kinds of requests: pairs that both ends keep; bits that both ends measure at once; states that the head prepares at the
tail by measuring at once; pairs that are told before it is known what they have become."""


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
    kind
        `KEEP`, `MEASURE`, `PREPARE` or `EARLY`.  Sessions of kind `KEEP` between the same ends at the same fidelity may
        share a circuit.
    basis
        What is measured, for `MEASURE` and `PREPARE`.
    rate
        Most pairs to be delivered in a second [1/s]; 0 unlimited.  The session is refused with NORES if all of a circuit
        together ask for more than it can carry.
    priority
        0 to 7: every link of the circuit is asked for pairs with it (`qstack.services.l2_link.Create`).  Sessions of
        different priorities share no circuit.
    """

    session: int
    peer: int
    min_fidelity: float
    number: int
    kind: int = KEEP
    basis: int = 0
    rate: float = 0.0
    priority: int = 0


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
class Rerouted(Indication):
    """A session goes on over another path, because a link of its own has gone down; told at the head.

    Its pairs keep their numbers, and neither user has to do anything.
    """

    session: int
    path: tuple[int, ...]


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


@noun
class Result(Indication):
    """A pair of a session that was measured at this end as soon as it was made, told at both ends.

    Parameters
    ----------
    session, pair, bell, estimate, asked
        As in `Pair`.
    basis, outcome
        What was measured here, and the raw bit.
    """

    session: int
    pair: int
    bell: int
    basis: int
    outcome: int
    estimate: float
    asked: int


@noun
class Early(Indication):
    """A half that is to become a pair of a session of kind `EARLY`.

    `Pair` or `Result` tells later, for the same qubit, what it has become; `Lost` tells that it has not.
    """

    session: int
    qubit: int


@noun
class Lost(Indication):
    """A pair that was told is not valid: its other half is gone (QS-L3-007).  The local half is the user's to free.

    Parameters
    ----------
    session
        Whose pair.
    pair
        Its number, -1 if it has none yet.
    qubit
        The local half, -1 if it was measured.
    reason
        Why.
    """

    session: int
    pair: int
    qubit: int
    reason: int


@noun
class FidelityTested(Indication):
    """What the test rounds of a circuit have shown so far, told at both ends.

    Parameters
    ----------
    session
        One that the circuit serves; each of them is told.
    fidelity, low, high
        Estimate and its 95 % interval; see `qstack.services.estimation.Tally.estimate`.
    rounds
        Pairs measured.
    """

    session: int
    fidelity: float
    low: float
    high: float
    rounds: int


PairEvent = Pair | Result
"""How a pair is told."""
