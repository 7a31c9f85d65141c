"""How the link suite talks: requests brought to the point that a test is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qstack.conformance.marks import Unsupported
from qstack.conformance.stand import ROUND_TRIP, Make, talk
from qstack.conformance.transcript import Transcript
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Create, Err
from qstack.services.reasons import Reason
from qstack.wire.link import UNASSIGNED, Add, AddAck

LONG = 100 * ROUND_TRIP
CREATE = Create(peer=2, purpose=4, number=3, min_fidelity=0.8)
STRANGER = 9
UNANSWERED = 64


def incoming(cseq: int = 1, aid: int = 1, **changes: Any) -> Add:
    """Return the ADD that the neighbour of the answering end sends."""
    base = Add(cseq, aid, 4, 1, 3, 0.8, 0, keep=True, bases=(), start=2 * ROUND_TRIP, deadline=0, consecutive=True)
    return replace(base, **changes)


def herald(t: Transcript, sequence: int, *, aid: int | None = None, qubit: int = 7, basis: int = -1) -> Transcript:
    """Tell the layer of a success on lane 0, by default for what it attempts for."""
    wanted = standing(t)[0] if aid is None else aid
    outcome = -1 if basis < 0 else 1
    return t >> Heralded(t.sender, 0, wanted, sequence, 2, qubit, t.context.now, basis, outcome)


def standing(t: Transcript) -> dict[int, int]:
    """Return the queue id that each lane attempts for, -1 for none."""
    return {0: -1, 1: -1} | {attempt.lane: attempt.aid for attempt in t.all(Attempt)}


def agree(t: Transcript, purpose: int = 4) -> int:
    """Answer the last ADD of a purpose, wait for its start, and return its queue id."""
    asked = [add for add in t.all(Add) if add.purpose == purpose][-1:] or [t.last(Add)]
    aid = 1 if asked[0].aid == UNASSIGNED else asked[0].aid
    t >> AddAck(asked[0].cseq, aid)
    t.at(max(t.context.now, asked[0].start))
    return aid


def asker(make: Make, request: Create = CREATE) -> Transcript:
    """Bring a request of node 1 to the point where it is served."""
    t = talk(make, 1, 2) >> request
    agree(t, request.purpose)
    return t


def answerer(make: Make, add: Add | None = None) -> Transcript:
    """Bring a request of node 1 to the point where node 2 serves it."""
    t = talk(make, 2, 1) >> (add or incoming())
    return t.at(2 * ROUND_TRIP)


def claims(make: Make, what: str, request: Create) -> None:
    """Say that a feature is not claimed if a sensible request for it is refused.

    Raises
    ------
    Unsupported
        If it is.
    """
    t = talk(make, 1, 2) >> request
    if any(err.reason == Reason.UNSUPP for err in t.all(Err)):
        raise Unsupported(what)
