"""What an application asks of the transport layer, and what it is told.

A session is a stream of pairs, or it teleports qubits from the end that asked to the other.  The pairs of a stream are
kept by both ends, measured by both, or measured by the end that asked, which so prepares the other half.  What the
consumer of a pair waits for is its consumption class (QIRG architecture notes, section 7.2):

=====  ===============  =====================================================================================
class  name             a pair or qubit is handed up
=====  ===============  =====================================================================================
B      `TOLERANT`       at once, with `EarlyDelivery`; later `Delivery` tells what it has become, or `Expired` that it has not
C      `REACTIVE`       when both ends hold it; its Pauli frame comes as a number, for software to track
T      `DETERMINISTIC`  when both ends hold it and the frame has been applied: the pair is Phi+, the qubit itself
=====  ===============  =====================================================================================

A frame is a bit flip only for measurements in X, Y and Z.  Whoever measures along another direction asks for class T,
or applies the frame before.  Halves that are measured as they are made are consumed before anything is known, whatever
the class; their bits are told when both ends have one.
"""

from __future__ import annotations

from qstack.core.nouns import Indication, Request, noun

STREAM, TELEPORT, GATE, ENCODED = range(4)
"""What a session carries: pairs, or qubits; the last two are named by the standard and refused here."""

TOLERANT, REACTIVE, DETERMINISTIC = range(3)
"""Consumption classes B, C and T."""

KEEP, MEASURE, PREPARE = range(3)
"""What becomes of the halves of a stream: both ends keep them, both measure them as they are made, or only the end that
asked does."""


@noun
class Open(Request):
    """Open a session with another node.

    Parameters
    ----------
    session, peer, min_fidelity
        As in `qstack.services.l3_network.Connect`.
    number
        Pairs, or qubits that will be sent; 0 means until `Close`.
    mode
        `STREAM` or `TELEPORT`.
    consumption
        `TOLERANT`, `REACTIVE` or `DETERMINISTIC`; teleportation knows the last two.
    window
        Most pairs, or qubits, that are under way or handed up and not let go of with `Release`; 0 leaves a stream to
        the memories.  Teleportation needs one.
    ordered
        Whether teleported qubits are handed up in the order in which they were sent.
    kind
        `KEEP`, `MEASURE` or `PREPARE`; teleportation keeps.
    basis
        What is measured: see `qstack.services.bell.Basis`.
    priority, rate
        As in `qstack.services.l3_network.Connect`; the rate travels in thousandths of a pair per second.
    """

    session: int
    peer: int
    min_fidelity: float
    number: int
    mode: int = STREAM
    consumption: int = REACTIVE
    window: int = 0
    ordered: bool = True
    kind: int = KEEP
    basis: int = 0
    priority: int = 0
    rate: float = 0.0


@noun
class Close(Request):
    """Close a session.  Pairs in flight are lost; qubits that were sent are seen home first, the others come back."""

    session: int


@noun
class Reset(Request):
    """Close a session at once, at both ends; the fate of what is in flight stays unknown."""

    session: int


@noun
class Transmit(Request):
    """Send a qubit, at the end that opened a session for teleportation.

    It stays in its memory until a pair is confirmed, and comes back with `Returned` if none ever is (QS-L4-001).
    """

    session: int
    qubit: int


@noun
class Release(Request):
    """Let go of one pair, bit or qubit of a session with a window: there is room for another.

    Once for each that was handed up, whether it has expired or not; an early half and what it becomes are one.
    """

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
class Refused(Indication):
    """A session that another node has asked for does not come to stand; told at the end that was asked."""

    session: int
    peer: int
    reason: int


@noun
class EarlyDelivery(Indication):
    """A half that is to become a pair, in class B: its user may do with it what it likes.

    `Delivery` tells later, for the same qubit, what it has become; `Expired` tells that it has not.
    """

    session: int
    qubit: int


@noun
class Delivery(Indication):
    """One pair.  Parameters as in `qstack.services.l3_network.Pair`; in class T its Bell index is 0."""

    session: int
    pair: int
    bell: int
    qubit: int
    estimate: float
    asked: int


@noun
class Outcome(Indication):
    """The bit of a half that was measured as it was made.

    Parameters as in `qstack.services.l3_network.Result`.  In class T the Bell index is 0, and bit or half are turned at
    the end that did not ask.
    """

    session: int
    pair: int
    bell: int
    basis: int
    outcome: int
    estimate: float
    asked: int


@noun
class Expired(Indication):
    """A pair that was handed up is not valid: its other half is gone.  The local half is the user's to free.

    Parameters as in `qstack.services.l3_network.Lost`.
    """

    session: int
    pair: int
    qubit: int
    reason: int


@noun
class FidelityReported(Indication):
    """What test rounds have shown of a session's pairs so far, told at both ends.

    Parameters as in `qstack.services.l3_network.FidelityTested`.
    """

    session: int
    fidelity: float
    low: float
    high: float
    rounds: int


@noun
class PeerReported(Indication):
    """What the other end says that its test rounds have shown.  It counts the same pairs, so the two have to agree."""

    session: int
    fidelity: float
    rounds: int


@noun
class Credit(Indication):
    """So many qubits would leave at once if they were sent now: their pairs are here, and the other end has room."""

    session: int
    number: int


@noun
class Sent(Indication):
    """A qubit has left: it was measured with its half of a pair, and no copy is left (QS-L4-006).

    Parameters
    ----------
    session, sequence
        Its number, from 0.
    qubit
        What was sent.
    pair, bell, estimate
        The pair that was used up, as in `Delivery`.
    asked
        When it was handed in [ps].
    """

    session: int
    sequence: int
    qubit: int
    pair: int
    bell: int
    estimate: float
    asked: int


@noun
class Received(Indication):
    """A qubit has arrived, at the end that did not open the session.

    Parameters
    ----------
    session, sequence
        Its number, from 0.
    qubit
        Where it is now.
    frame
        Pauli that is still to be applied, as a Bell index: bit 1 is X, bit 0 is Z.  Always 0 in class T.
    estimate
        Fidelity of the pair that carried it, as the layers believe.
    """

    session: int
    sequence: int
    qubit: int
    frame: int
    estimate: float


@noun
class Lost(Indication):
    """A qubit that was sent is lost; `erasure` is False if only its fate is unknown."""

    session: int
    sequence: int
    erasure: bool


@noun
class Returned(Indication):
    """A qubit was not sent and stays where it is."""

    session: int
    qubit: int
