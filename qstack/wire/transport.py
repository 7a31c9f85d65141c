"""Plane 4: what the two ends of a session say to each other.

Messages of this plane ride on a reliable ordered channel.  A session opens with three messages:

    initiator   --OPEN-->   <--OPEN_ACK--   --ACCEPT-->   responder

A stream that leaves everything to the circuit (class B or C, no window) needs none of them; only RESET tells the other
end that it was refused.  What counts in ACK is numbers of pairs in a stream, and of qubits in teleportation.
"""

from __future__ import annotations

from qstack.core.nouns import Message, noun
from qstack.wire.codec import Plane, pdu
from qstack.wire.kinds import BELL, FIDELITY_DOWN, FIDELITY_UP, FLAG, HERTZ, PAIR, REASON, enumeration
from qstack.wire.layout import Field, Reserved

# The numbers stand in the service too (`qstack.services.l4_transport`): services and wire do not import each other.
STREAM, TELEPORT, GATE, ENCODED = range(4)
"""What a session carries."""
TOLERANT, REACTIVE, DETERMINISTIC = range(3)
"""Consumption classes B, C and T: what the consumer waits for."""
BEST_EFFORT, HERALDED, CODE, SHARE = range(4)
"""How a session is made reliable."""

MODE = enumeration("mode", {STREAM: "stream", TELEPORT: "teleport", GATE: "remote gate", ENCODED: "encoded"})
KEEP, MEASURE, PREPARE = range(3)
"""What becomes of the halves of a stream."""
KIND = enumeration("kind of stream", {KEEP: "K", MEASURE: "M", PREPARE: "R"})
BASIS = enumeration("basis", {0: "Z", 1: "X", 2: "Y"})
CLASS = enumeration("consumption class", {TOLERANT: "B", REACTIVE: "C", DETERMINISTIC: "T"})
RELIABILITY = enumeration(
    "reliability", {BEST_EFFORT: "best effort", HERALDED: "heralded", CODE: "code", SHARE: "share"}
)


@pdu(
    "OPEN",
    Plane.TRANSPORT,
    1,
    Field("session", 32),
    Field("mode", 4, MODE),
    Field("consumption", 2, CLASS),
    Field("reliability", 2, RELIABILITY),
    Field("ordered", 1, FLAG),
    Field("kind", 2, KIND),
    Field("basis", 2, BASIS),
    Field("priority", 3),
    Field("min_fidelity", 16, FIDELITY_UP),
    Field("window", 16),
    Field("credit", 16),
    Field("number", 32),
    Field("rate", 32, HERTZ),
)
@noun
class SessionOpen(Message):
    """Ask the other end to open a session.

    Parameters
    ----------
    session
        Number of the session, unique in the network.
    mode
        `STREAM`, `TELEPORT`, `GATE` or `ENCODED`.
    consumption
        `TOLERANT`, `REACTIVE` or `DETERMINISTIC`.
    reliability
        `BEST_EFFORT`, `HERALDED`, `CODE` or `SHARE`.
    ordered
        Whether qubits are handed up in the order in which they were sent.
    min_fidelity
        Least mean fidelity that is of use.
    window
        Most pairs in flight.
    credit
        Pairs that the sender has room for.
    number
        Pairs or qubits wanted; 0 until closed.
    rate
        Most pairs per second [1/s]; 0 as fast as it goes.
    kind
        `KEEP`, `MEASURE` or `PREPARE`.
    basis
        What is measured.
    priority
        What the initiator asks its circuit's links with; higher is served earlier.
    """

    session: int
    mode: int
    consumption: int
    reliability: int
    ordered: bool
    min_fidelity: float
    window: int
    credit: int
    number: int
    rate: float
    kind: int = KEEP
    basis: int = 0
    priority: int = 0


@pdu("OPEN_ACK", Plane.TRANSPORT, 2, Field("session", 32), Field("window", 16), Field("credit", 16))
@noun
class SessionOpenAck(Message):
    """The responder opens its end.

    Parameters
    ----------
    session
        Which one.
    window
        Most pairs in flight; not above what was asked.
    credit
        Pairs that the sender has room for.
    """

    session: int
    window: int
    credit: int


@pdu("ACCEPT", Plane.TRANSPORT, 3, Field("session", 32), Field("credit", 16), Reserved(16))
@noun
class SessionAccept(Message):
    """The initiator has heard the responder: the session stands.

    Parameters
    ----------
    session
        Which one.
    credit
        Pairs that the sender has room for.
    """

    session: int
    credit: int


@pdu(
    "CORR",
    Plane.TRANSPORT,
    4,
    Field("session", 32),
    Field("sequence", 32),
    Reserved(32),
    Field("pair", 32, PAIR),
    Field("outcome", 1, name="x", low=1),
    Field("outcome", 1, name="z"),
    Field("bell", 2, BELL),
    Reserved(28),
)
@noun
class Correction(Message):
    """A qubit has been teleported over this pair: what the receiver has to apply.

    Parameters
    ----------
    session
        Which session.
    sequence
        Number of the qubit, from 0.
    pair
        Number of the session's pair that was used up.
    outcome
        Outcome of the sender's Bell measurement: bit 1 is x, bit 0 is z.
    bell
        Bell index of the pair as the sender knows it.
    """

    session: int
    sequence: int
    pair: int
    outcome: int
    bell: int


@pdu(
    "ACK",
    Plane.TRANSPORT,
    5,
    Field("session", 32),
    Field("cumulative", 32),
    Field("credit", 16),
    Reserved(16),
    Field("bitmap", 64, name="received"),
)
@noun
class Acknowledgement(Message):
    """What has arrived, and for how much there is room.

    Parameters
    ----------
    session
        Which session.
    cumulative
        Every qubit below this number has arrived or is known to be lost.  In a stream: so many numbers have been seen
        here, less the pairs that are still at hand; a number that this end never saw is as good as let go of.
    credit
        Room for so many beyond `cumulative`.
    bitmap
        Bit k: the qubit `cumulative` + 1 + k has arrived.
    """

    session: int
    cumulative: int
    credit: int
    bitmap: int


@pdu("LOSS", Plane.TRANSPORT, 6, Field("session", 32), Field("sequence", 32), Field("erasure", 1, FLAG), Reserved(31))
@noun
class Loss(Message):
    """A qubit is lost.

    Parameters
    ----------
    session
        Which session.
    sequence
        Number of the qubit.
    erasure
        True if it is known to be gone; False if only its fate is unknown.
    """

    session: int
    sequence: int
    erasure: bool


@pdu(
    "FID",
    Plane.TRANSPORT,
    7,
    Field("session", 32),
    Field("samples", 32),
    Field("fidelity", 16, FIDELITY_DOWN),
    Reserved(16),
)
@noun
class FidelityReport(Message):
    """What the test rounds of the session's pairs have shown the sender.

    Parameters
    ----------
    session
        Which session.
    samples
        Number of pairs that were measured.
    fidelity
        What their bits say.
    """

    session: int
    samples: int
    fidelity: float


@pdu("CLOSE", Plane.TRANSPORT, 8, Field("session", 32), Field("reason", 8, REASON), Reserved(24))
@noun
class SessionClose(Message):
    """Nothing more will be sent; what is in flight is finished.

    Parameters
    ----------
    session
        Which session.
    reason
        Why; 0 when all that was asked was delivered.
    """

    session: int
    reason: int


@pdu("RESET", Plane.TRANSPORT, 9, Field("session", 32), Field("reason", 8, REASON), Reserved(24))
@noun
class SessionReset(Message):
    """The session is gone with all that was in flight.

    Parameters
    ----------
    session
        Which session.
    reason
        Why.
    """

    session: int
    reason: int


@pdu("DISCARD", Plane.TRANSPORT, 10, Field("session", 32), Field("pair", 32, PAIR))
@noun
class Discard(Message):
    """A pair will not be used: free the other half.

    Parameters
    ----------
    session
        Which session.
    pair
        Number of the session's pair.
    """

    session: int
    pair: int
