"""What dialogues about a session begin with: the two ends, agreed."""

from __future__ import annotations

from qstack.conformance.transcript import Transcript
from qstack.services.l3_network import Connected, Pair
from qstack.services.l4_transport import (
    DETERMINISTIC,
    TELEPORT,
    Open,
    Opened,
)
from qstack.transport.layer import TransportLayer
from qstack.wire.transport import (
    SessionAccept,
    SessionOpen,
    SessionOpenAck,
)

ASK = Open(7, 3, 0.8, 2, TELEPORT, DETERMINISTIC, 2)
ASKED = SessionOpen(7, TELEPORT, DETERMINISTIC, 1, True, 0.8, 2, 2, 2, 0)  # noqa: FBT003 - as on the wire


def pair(number: int, qubit: int, bell: int = 0) -> Pair:
    return Pair(7, number, bell, qubit, 0.9, 11)


def a() -> Transcript:
    """The node that opens session 7 with node 3."""
    return Transcript(TransportLayer(), node=1).from_(3)


def b() -> Transcript:
    """The node that is asked by node 1."""
    return Transcript(TransportLayer(), node=3).from_(1)


def sending(ask: Open = ASK) -> Transcript:
    t = a() >> ask >> SessionOpenAck(7, ask.window, ask.window) >> Connected(7, 3, initiator=True, number=0)
    t.exactly(Opened(7, 3, initiator=True))
    return t


def receiving(asked: SessionOpen = ASKED) -> Transcript:
    t = b() >> asked >> SessionAccept(7, asked.window) >> Connected(7, 1, initiator=False, number=0)
    t.exactly(Opened(7, 1, initiator=False))
    return t
