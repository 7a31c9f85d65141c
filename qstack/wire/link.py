"""Plane 1: what two link layers say to each other (distributed queue, distillation)."""

from __future__ import annotations

from qstack.core.nouns import Message, noun

UNASSIGNED = -1
"""Queue id of an `Add` whose sender is not the master of the queue."""


@noun
class Add(Message):
    """Enter a request into the shared queue.

    Parameters
    ----------
    cseq
        Number of this message, per sender and link, modulo 2**8; a repetition carries the same number.
    aid
        Absolute queue id (qid << 8 | qseq), or `UNASSIGNED` from the slave: the master assigns it.
    purpose, create_id, number, min_fidelity, priority, keep, bases
        As in `qstack.services.l2_link.Create`.
    start
        Not to be served before this time [ps] (the draft's schedule cycle).
    deadline
        To be given up at this time [ps]; 0 never.
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


@noun
class AddAck(Message):
    """The request stands in the sender's queue too, under this absolute queue id."""

    cseq: int
    aid: int


@noun
class AddRej(Message):
    """The request is refused."""

    cseq: int
    reason: int


@noun
class Drop(Message):
    """Every request with this purpose has been withdrawn."""

    purpose: int


@noun
class DropAck(Message):
    """Nothing with this purpose is left in the sender's queue; a `Drop` is repeated until this comes."""

    purpose: int


@noun
class DistilBit(Message):
    """The sender's bit in the distillation that keeps this pair."""

    keep: int
    spare: int
    outcome: int
