"""Plane 1: what two link layers say to each other (distributed queue, distillation).

Datagrams: every message that changes something has an answer, so that either side can repeat it.  Queue agreement and
EGP messages after the link layer of SIGCOMM 2019; instants are picoseconds of the network's common time, not numbers of
cycles, because each lane counts its own.  An instant must lie in the first 2**64 ps, 213 days.
"""

from __future__ import annotations

from qstack.core.nouns import Message, noun
from qstack.wire.codec import Plane, pdu
from qstack.wire.kinds import (
    AID,
    BASES,
    BASIS,
    BIT,
    CYCLES,
    FIDELITY_UP,
    FLAG,
    NODE,
    PAIR,
    PICOSECONDS,
    POSITIVE,
    REASON,
    UNASSIGNED,
)
from qstack.wire.layout import Field, Kind, Reserved

__all__ = [
    "UNASSIGNED",
    "Add",
    "AddAck",
    "AddRej",
    "DistilBit",
    "Drop",
    "DropAck",
    "Hello",
    "LinkExpire",
    "LinkExpireAck",
    "LinkTest",
    "MemAck",
    "MemReq",
]

_STORE, _MEASURE = 0b10, 0b01


def _keep(raw: int) -> bool:
    if raw not in {_STORE, _MEASURE}:
        raise ValueError(f"a request is either stored (STR) or measured directly (MD), not {raw:#04b}")
    return raw == _STORE


KEEP = Kind("flag", lambda keep: _STORE if keep else _MEASURE, _keep)


@pdu(
    "DQP_ADD",
    Plane.LINK,
    1,
    Field("cseq", 8),
    Field("ack", 8),
    Field("aid", 4, AID, "qid", low=8),
    Field("keep", 1, KEEP, "STR", low=1),
    Field("atomic", 1, FLAG, "ATO"),
    Field("consecutive", 1, FLAG, "CON"),
    Field("keep", 1, KEEP, "MD"),
    Field("aid", 8, AID, "qseq"),
    Field("start", 64, PICOSECONDS),
    Field("deadline", 64, PICOSECONDS),
    Field("min_fidelity", 16, FIDELITY_UP),
    Field("purpose", 16),
    Field("create_id", 16),
    Field("number", 16, POSITIVE),
    Field("priority", 3),
    Field("bases", 28, BASES),
    Field("prepare", 1, FLAG, "R"),
    Field("virtual_finish", 64, CYCLES),
    Field("cycles_per_pair", 32, CYCLES),
)
@noun
class Add(Message):
    """Enter a request into the shared queue.

    Parameters
    ----------
    cseq
        Number of this message, per sender and link, modulo 2**8; a repetition carries the same number.
    aid
        Absolute queue id (qid << 8 | qseq), or `UNASSIGNED` from the slave: the master assigns it.
    purpose, create_id, number, min_fidelity, priority, keep
        As in `qstack.services.l2_link.Create`; `keep` is what the sender does.
    prepare
        The receiver does the opposite (type R).
    bases
        Bases of the receiver, if it measures; at most eight.
    start
        Not to be served before this time [ps] (the draft's schedule cycle).
    deadline
        To be given up at this time [ps]; 0 never.
    ack
        The number that is expected next from the receiver.
    atomic
        No other request of this link is served between its first and its last pair.
    consecutive
        One delivery per pair, as it comes; otherwise all at the end.
    virtual_finish, cycles_per_pair
        Weighted fair queueing: when the request would end, and the mean cost of a pair [cycle].
    """

    cseq: int
    aid: int
    purpose: int
    create_id: int
    number: int
    min_fidelity: float
    priority: int
    keep: bool
    bases: tuple[int, ...]
    start: int
    deadline: int
    ack: int = 0
    atomic: bool = False
    consecutive: bool = False
    virtual_finish: int = 0
    cycles_per_pair: int = 0
    prepare: bool = False


@pdu(
    "DQP_ACK",
    Plane.LINK,
    2,
    Field("cseq", 8),
    Field("ack", 8),
    Reserved(4),
    Field("aid", 4, AID, "qid", low=8),
    Field("aid", 8, AID, "qseq"),
    Reserved(32),
)
@noun
class AddAck(Message):
    """The request stands in the sender's queue too, under this absolute queue id.

    Parameters
    ----------
    cseq
        Number of the `Add` that is answered.
    aid
        Absolute queue id (qid << 8 | qseq).
    ack
        The number that is expected next from the receiver.
    """

    cseq: int
    aid: int
    ack: int = 0


@pdu(
    "DQP_REJ",
    Plane.LINK,
    3,
    Field("cseq", 8),
    Field("ack", 8),
    Reserved(4),
    Field("aid", 4, AID, "qid", low=8),
    Field("aid", 8, AID, "qseq"),
    Field("reason", 8, REASON),
    Reserved(24),
)
@noun
class AddRej(Message):
    """The request is refused.

    Parameters
    ----------
    cseq
        Number of the `Add` that is answered.
    reason
        Why.
    aid
        Absolute queue id of the `Add`, `UNASSIGNED` if it had none.
    ack
        The number that is expected next from the receiver.
    """

    cseq: int
    reason: int
    aid: int = UNASSIGNED
    ack: int = 0


@pdu("HELLO", Plane.LINK, 4)
@noun
class Hello(Message):
    """The sender is there; said by nobody here, because KEEPALIVE of the channel tells that, and nothing follows from it."""


@pdu("MEM_REQ", Plane.LINK, 5, Field("communication", 8), Field("storage", 8), Reserved(16))
@noun
class MemReq(Message):
    """Ask how many qubits the receiver has free, and tell one's own.

    Parameters
    ----------
    communication, storage
        Free qubits of the sender.
    """

    communication: int
    storage: int


@pdu("MEM_ACK", Plane.LINK, 6, Field("communication", 8), Field("storage", 8), Reserved(16))
@noun
class MemAck(Message):
    """Tell how many qubits are free.

    Parameters
    ----------
    communication, storage
        Free qubits of the sender.
    """

    communication: int
    storage: int


@pdu("DROP", Plane.LINK, 7, Field("purpose", 16), Field("cseq", 8), Reserved(8))
@noun
class Drop(Message):
    """Every request with this purpose has been withdrawn.

    Parameters
    ----------
    purpose
        Which requests.
    cseq
        Number of this message, as in `Add`, so that a late repetition cannot hit a later request.
    """

    purpose: int
    cseq: int = 0


@pdu(
    "EXPIRE",
    Plane.LINK,
    8,
    Reserved(4),
    Field("aid", 4, AID, "qid", low=8),
    Field("aid", 8, AID, "qseq"),
    Field("create_id", 16),
    Field("origin", 32, NODE),
    Field("low", 16, PAIR),
    Field("high", 16, PAIR),
)
@noun
class LinkExpire(Message):
    """Pairs that may have been announced are no longer valid; repeated until acknowledged.

    Parameters
    ----------
    aid, create_id, origin
        Whose pairs: queue id, number of the request, and the node that asked; `UNASSIGNED`, 0 and the sender where it
        does not know.
    low, high
        First pair number, and the one behind the last, modulo 2**16.  Equal numbers mean no pair but the request: the
        sender does not hold it.
    """

    aid: int
    create_id: int
    origin: int
    low: int
    high: int


@pdu(
    "EXPIRE_ACK",
    Plane.LINK,
    9,
    Reserved(4),
    Field("aid", 4, AID, "qid", low=8),
    Field("aid", 8, AID, "qseq"),
    Field("expected", 16, PAIR),
    Field("low", 16, PAIR),
    Field("high", 16, PAIR),
)
@noun
class LinkExpireAck(Message):
    """An expiry has been heard.

    Parameters
    ----------
    aid, low, high
        As in the `LinkExpire`.
    expected
        Pair number that the sender expected next when it first heard of it; the later one of both ends wins.
    """

    aid: int
    expected: int
    low: int
    high: int


@pdu(
    "FEU_TEST",
    Plane.LINK,
    10,
    Field("sequence", 16, PAIR),
    Field("basis", 3, BASIS),
    Field("outcome", 1, BIT),
    Reserved(12),
)
@noun
class LinkTest(Message):
    """The sender has measured this pair to estimate the fidelity.

    Parameters
    ----------
    sequence
        Pair number.
    basis, outcome
        What it measured, and its raw bit.
    """

    sequence: int
    basis: int
    outcome: int


@pdu(
    "DISTIL",
    Plane.LINK,
    11,
    Field("keep", 16, PAIR),
    Field("spare", 16, PAIR),
    Field("outcome", 1, BIT),
    Field("seen", 1, FLAG),
    Reserved(30),
)
@noun
class DistilBit(Message):
    """The sender's bit in the distillation that keeps this pair.

    Parameters
    ----------
    keep, spare
        Numbers of the pair that stays and of the one that was measured.
    outcome
        The bit.
    seen
        Whether the receiver's bit is known to the sender; a bit is repeated until it is.
    """

    keep: int
    spare: int
    outcome: int
    seen: bool = False


@pdu("DROP_ACK", Plane.LINK, 12, Field("purpose", 16), Field("cseq", 8), Reserved(8))
@noun
class DropAck(Message):
    """Nothing with this purpose is left in the sender's queue; a `Drop` is repeated until this comes.

    Parameters
    ----------
    purpose, cseq
        As in the `Drop`.
    """

    purpose: int
    cseq: int = 0
