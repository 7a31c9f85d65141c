"""What a user asks of an application, and what it reports."""

from __future__ import annotations

from qstack.core.nouns import Indication, Request, noun


@noun
class Start(Request):
    """Start a flow at the end that asks."""

    flow: int


@noun
class Consumed(Indication):
    """An end has what it wanted of a pair; the user's view of a delivery.

    Parameters
    ----------
    flow, pair
        Whose pair, and its number; equal at both ends.
    bell
        Announced Bell index.
    qubit
        The local half at the moment of consumption; -1 at an end that has used its half up to send something away.
    estimate
        Fidelity that the layers believe in.
    asked
        When the request for this pair was taken up [ps]; -1 at the end that did not ask.
    """

    flow: int
    pair: int
    bell: int
    qubit: int
    estimate: float
    asked: int


@noun
class Sifted(Indication):
    """A pair was measured by both ends in the same basis and its bits were revealed; `error` is 1 if they disagree.

    A key is made of bits that are not revealed: see `Kept`.
    """

    flow: int
    pair: int
    basis: int
    error: int


@noun
class Kept(Indication):
    """A pair was measured by both ends in the same basis and its bit stays secret: a bit of the sifted key."""

    flow: int
    pair: int
    basis: int


@noun
class Checked(Indication):
    """One test of what entanglement was used for, told by the end that asked.

    Parameters
    ----------
    flow
        Whose.
    case
        What was tried: number of a prepared state, or 2 a + b of the two settings of a CHSH game.
    passed
        1 if the outcome was that of a perfect pair; in a CHSH game, if the two bits were equal.
    """

    flow: int
    case: int
    passed: int


@noun
class Assessed(Indication):
    """What test rounds have shown of a flow's pairs; parameters as in `qstack.services.l4_transport.FidelityReported`."""

    flow: int
    fidelity: float
    low: float
    high: float
    rounds: int


@noun
class Finished(Indication):
    """A flow has ended at this end; reason 0 when all that was asked was delivered."""

    flow: int
    reason: int
