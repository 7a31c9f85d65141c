"""How the transport suite talks: sessions brought to the point that a test is about."""

from __future__ import annotations

from typing import Any

from qstack.conformance.marks import Unsupported
from qstack.conformance.stand import Make, talk
from qstack.conformance.transcript import Transcript
from qstack.services.l3_network import Connected, Pair
from qstack.services.l4_transport import DETERMINISTIC, REACTIVE, STREAM, TELEPORT, Closed, Open
from qstack.services.reasons import Reason
from qstack.wire.transport import HERALDED, SessionAccept, SessionOpen, SessionOpenAck, SessionReset

SESSION = 7
LONG = 1 << 44
"""Longer than anything that a transport layer may wait for an answer [ps]."""
STRANGER = 9


def stream(number: int = 2, consumption: int = REACTIVE, window: int = 0) -> Open:
    """Return a request for pairs with node 2."""
    return Open(SESSION, 2, 0.8, number, STREAM, consumption, window)


def qubits(number: int = 2, consumption: int = DETERMINISTIC, window: int = 2) -> Open:
    """Return a request to teleport qubits to node 2."""
    return Open(SESSION, 2, 0.8, number, TELEPORT, consumption, window)


def pair(number: int, qubit: int, bell: int = 0) -> Pair:
    """Return a pair of the session."""
    return Pair(SESSION, number, bell, qubit, 0.9, 11)


def initiator(make: Make, ask: Open) -> Transcript:
    """Let node 1 open a session with node 2, let that agree, and let the circuit stand.

    Raises
    ------
    Unsupported
        If the layer does not know such sessions.
    """
    t = talk(make, 1, 2) >> ask
    if Closed(SESSION, Reason.UNSUPP) in t.answers:
        raise Unsupported(named(ask))
    if t.all(SessionOpen):
        t >> SessionOpenAck(SESSION, ask.window, ask.window)
    return t >> Connected(SESSION, 2, initiator=True, number=ask.number)


def asked(ask: Open) -> SessionOpen:
    """Return the message with which node 1 asks node 2 for a session."""
    return SessionOpen(
        SESSION,
        ask.mode,
        ask.consumption,
        HERALDED,
        ask.ordered,
        ask.min_fidelity,
        ask.window,
        ask.window,
        ask.number,
        0,
        ask.kind,
        ask.basis,
        ask.priority,
    )


def responder(make: Make, ask: Open) -> Transcript:
    """Let node 2 be asked by node 1 for a session, and let the circuit stand; one that needs no agreement is not asked.

    Raises
    ------
    Unsupported
        If the layer does not know such sessions.
    """
    t = talk(make, 2, 1)
    if ask.mode == TELEPORT or ask.window or ask.consumption == DETERMINISTIC:
        t >> asked(ask)
        if any(reset.reason == Reason.UNSUPP for reset in t.all(SessionReset)):
            raise Unsupported(named(ask))
        t >> SessionAccept(SESSION, ask.window)
    return t >> Connected(SESSION, 1, initiator=False, number=ask.number)


def named(ask: Open) -> str:
    """Return in words what a session is for."""
    carried = "teleported qubits" if ask.mode == TELEPORT else "streams of pairs"
    return f"{carried} of class {'BCT'[ask.consumption]}{', with a window' if ask.window else ''}"


def kinds(t: Transcript, *wanted: type[Any]) -> list[Any]:
    """Return all answers of some kinds in the order in which they came; messages count inside their `Send`."""
    return [answer for answer in (getattr(one, "message", one) for one in t.answers) if isinstance(answer, wanted)]
