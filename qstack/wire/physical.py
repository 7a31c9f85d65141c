"""Plane 0: what nodes and midpoints say to each other (midpoint heralding protocol).

Datagrams: the link layer repairs what a loss leaves behind.  `Reply` names the lane in six bits, so a link has at most
64 lanes.
"""

from __future__ import annotations

from qstack.core.nouns import Message, noun
from qstack.wire.codec import Plane, pdu
from qstack.wire.kinds import AID, BELL, CYCLES, NODE, enumeration
from qstack.wire.layout import Field, Reserved

NO_ERROR = 0
GENERAL = 1
OUT_OF_WINDOW = 2
NO_CLASSICAL_OTHER = 3
QUEUE_MISMATCH = 11

OUTCOME = enumeration("outcome of an attempt", {0: "failure", 1: "success", 2: "success", 3: "no generation"})
ERROR = enumeration(
    "error of the midpoint",
    {0: "none", 1: "GENERAL", 2: "OUT_OF_WINDOW", 3: "NO_CLASSICAL_OTHER", 11: "QUEUE_MISMATCH"},
)


@pdu(
    "GEN",
    Plane.PHYSICAL,
    1,
    Field("node", 32, NODE),
    Field("cycle", 64, CYCLES),
    Reserved(4),
    Field("aid", 4, AID, "qid", low=8),
    Field("aid", 8, AID, "qseq"),
    Field("lane", 8),
    Field("row", 8),
)
@noun
class Gen(Message):
    """A node tells the midpoint of the attempt whose photon is on its way.

    Parameters
    ----------
    node
        The sender.
    cycle
        Number of the attempt cycle of this link.
    aid
        Absolute queue id (qid << 8 | qseq) of the request that the attempt serves.
    lane
        Communication qubit of this link, counted from 0.
    row
        Row of the link's parameter table.
    """

    node: int
    cycle: int
    aid: int
    lane: int
    row: int


@pdu(
    "REPLY",
    Plane.PHYSICAL,
    2,
    Field("outcome", 4, OUTCOME),
    Field("error", 4, ERROR),
    Field("bell", 2, BELL),
    Field("lane", 6),
    Field("sequence", 16),
    Reserved(4),
    Field("aid", 4, AID, "qid", low=8),
    Field("aid", 8, AID, "qseq"),
    Reserved(4),
    Field("peer_aid", 4, AID, "qid_peer", low=8),
    Field("peer_aid", 8, AID, "qseq_peer"),
    Field("cycle", 64, CYCLES),
)
@noun
class Reply(Message):
    """The midpoint tells a node what became of an attempt.

    Parameters
    ----------
    outcome
        0 failure, 1 or 2 success (two patterns of clicks), 3 no generation.
    error
        Why there was no generation.
    bell
        Announced Bell index of a success.
    sequence
        Number of this success on this link, modulo 2**16; in an error the number of the last one.
    aid, peer_aid
        Absolute queue ids that the receiver and its peer sent; -1 if none came.
    cycle
        Cycle of the attempt.
    lane
        Communication qubit of the attempt.
    """

    outcome: int
    error: int
    bell: int
    sequence: int
    aid: int
    peer_aid: int
    cycle: int
    lane: int = 0
