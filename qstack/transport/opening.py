"""The beginning of sessions: what is asked for, what the other end consents to, and the circuit that follows.

See `qstack.transport.session` for the states, `qstack.transport.layer` for everything behind them.
"""

from __future__ import annotations

from collections import deque

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Handler, Layer, Outputs, on
from qstack.core.nouns import Cancel, Message, Noun, Send
from qstack.services import l3_network
from qstack.services.bell import Basis
from qstack.services.l3_network import Connect, Connected, Disconnect
from qstack.services.l4_transport import (
    DETERMINISTIC,
    KEEP,
    MEASURE,
    PREPARE,
    REACTIVE,
    STREAM,
    TELEPORT,
    TOLERANT,
    Closed,
    Open,
    Opened,
)
from qstack.services.reasons import Reason
from qstack.transport.arrival import Receiver
from qstack.transport.session import ASKED, ASKING, CONNECTING, STANDING, AnswerDue, Session, Terms
from qstack.transport.stream import PlainStream
from qstack.transport.teleport import Sender
from qstack.transport.window import Stream
from qstack.wire.transport import HERALDED, SessionAccept, SessionOpen, SessionOpenAck, SessionReset

LARGEST = (1 << 16) - 1
"""Largest window that the wire can carry."""
PRIORITIES = range(8)
SLOWEST, FASTEST = 1e-3, ((1 << 32) - 1) / 1000
"""Rates that the wire can carry [pairs/s]."""
BASES = frozenset(Basis)
KINDS = {KEEP: l3_network.KEEP, MEASURE: l3_network.MEASURE, PREPARE: l3_network.PREPARE}
"""What the network calls the kinds of a stream."""
REMEMBERED = 1024
"""Sessions that have stood and ended, kept so that a repeated OPEN does not raise the dead; sessions that this end was
asked for and that never stood, kept so that a circuit that comes too late is given back; and sessions, with their peers,
whose end was told."""


def refusal(terms: Terms) -> str | None:
    """Return what is wrong with terms that nobody could keep, or None."""
    least = 1 if terms.mode == TELEPORT else 0
    if not least <= terms.window <= LARGEST:
        return f"a window of {terms.window} is not {least} to {LARGEST}"
    if terms.number < 0:
        return f"{terms.number} pairs cannot be delivered"
    if terms.priority not in PRIORITIES:
        return f"a priority of {terms.priority} is not 0 to {PRIORITIES[-1]}"
    if terms.rate and not SLOWEST <= terms.rate <= FASTEST:
        return f"a rate of {terms.rate:g} pairs/s is neither 0 nor {SLOWEST:g} to {FASTEST:g}"
    return None


def supported(terms: Terms) -> bool:
    """Tell whether this layer knows such a session: data needs heralded pairs that are kept."""
    if terms.mode == TELEPORT:
        return terms.consumption in {REACTIVE, DETERMINISTIC} and terms.kind == KEEP
    return terms.mode == STREAM and terms.kind in {KEEP, MEASURE, PREPARE} and terms.basis in BASES


def circuit_kind(terms: Terms) -> int:
    """Return what kind of pairs the network is asked for: in class B halves that are kept come early."""
    early = terms.kind == KEEP and terms.consumption == TOLERANT
    return l3_network.EARLY if early else KINDS[terms.kind]


class Opening(Layer):
    """The part of a transport layer that brings sessions to stand.

    Parameters
    ----------
    patience
        How long the other end may be silent when an answer is due [ps].
    """

    def __init__(self, patience: int = 10 * SECOND) -> None:
        self.patience = patience
        self.sessions: dict[int, Session] = {}
        self.tables: dict[int, dict[type[Noun], Handler]] = {}
        self.ended: deque[int] = deque(maxlen=REMEMBERED)
        self.given_up: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self.past: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)

    # -- beginning ----------------------------------------------------------------------------------------------------

    @on(Open)
    def open(self, req: Open, ctx: Context) -> Outputs:
        """Ask the network layer for a circuit, or first the other end for its consent."""
        terms = Terms.of(req)
        if req.session in self.sessions:
            raise LocalProtocolError(f"session {req.session} is open already")
        wrong = "a session needs two ends" if req.peer == ctx.node else refusal(terms)
        if wrong:
            raise LocalProtocolError(f"session {req.session}: {wrong}")
        if not supported(terms):
            return (Closed(req.session, Reason.UNSUPP),)
        if terms.mode == STREAM and terms.consumption in {TOLERANT, REACTIVE} and not terms.window:
            return (self._connect(self._add(PlainStream, req.session, req.peer, terms, initiator=True)),)
        session = self._add(Stream if terms.mode == STREAM else Sender, req.session, req.peer, terms, initiator=True)
        asked = SessionOpen(
            session.number,
            terms.mode,
            terms.consumption,
            HERALDED,
            terms.ordered,
            terms.min_fidelity,
            terms.window,
            terms.window,
            terms.number,
            terms.rate,
            terms.kind,
            terms.basis,
            terms.priority,
        )
        session.since = ctx.now
        return session.send(asked), session.wait(ctx.now)

    def _add(self, kind: type[Session], number: int, peer: int, terms: Terms, *, initiator: bool) -> Session:
        session = kind(number, peer, terms, initiator=initiator, patience=self.patience)
        self.sessions[number] = session
        self.tables[number] = session.handlers()
        return session

    @on(SessionOpen)
    def asked(self, msg: SessionOpen, ctx: Context) -> Outputs:
        """Consent to a session, or refuse."""
        terms = Terms.of(msg)
        if ctx.sender == ctx.node:
            raise RemoteProtocolError(f"session {msg.session} comes from this node itself")
        wrong = refusal(terms)
        if wrong:
            raise RemoteProtocolError(f"session {msg.session}: {wrong}")
        session = self.sessions.get(msg.session)
        if msg.session in self.ended:
            return ()
        if session is None and supported(terms):
            for memory in (self.given_up, self.past):
                _forget(memory, (msg.session, ctx.sender))
            kind = Stream if terms.mode == STREAM else Receiver
            session = self._add(kind, msg.session, ctx.sender, terms, initiator=False)
        elif session is None or session.initiator or (session.peer, session.terms) != (ctx.sender, terms):
            return (Send(ctx.sender, SessionReset(msg.session, Reason.REJECTED if session else Reason.UNSUPP)),)
        elif session.state != ASKED:
            return ()  # a repetition, long answered
        session.grant(min(terms.window, msg.credit))
        return session.send(SessionOpenAck(msg.session, terms.window, terms.window)), session.wait(ctx.now)

    @on(SessionOpenAck)
    def consented(self, msg: SessionOpenAck, ctx: Context) -> Outputs:
        """Ask the network layer for a circuit."""
        session = self._known(msg, ctx)
        if session is None or session.state != ASKING:
            return ()
        terms = session.terms
        if msg.window > terms.window:
            raise RemoteProtocolError(f"session {msg.session}: a window of {msg.window} is more than was asked for")
        session.state = CONNECTING
        session.grant(msg.credit)
        accept = session.send(SessionAccept(msg.session, terms.window))
        return Cancel(AnswerDue(msg.session)), accept, self._connect(session)

    @staticmethod
    def _connect(session: Session) -> Connect:
        """Return the request for a session's circuit; a teleporting one needs pairs until its qubits have arrived."""
        terms = session.terms
        number = terms.number if terms.mode == STREAM else 0
        asked = session.number, session.peer, terms.min_fidelity, number, circuit_kind(terms), terms.basis
        return Connect(*asked, terms.rate, terms.priority)

    @on(SessionAccept)
    def accepted(self, msg: SessionAccept, ctx: Context) -> Outputs:
        """Learn how much room the initiator has."""
        session = self._known(msg, ctx)
        if session is not None and session.state == ASKED:
            session.grant(min(session.terms.window, msg.credit))
        return ()

    @on(Connected)
    def connected(self, ind: Connected, ctx: Context) -> Outputs:
        """Tell the application at either end."""
        session = self.sessions.get(ind.session)
        asked_in_vain = not ind.initiator and (ind.session, ind.peer) in self.given_up
        if session is None and (ind.session in self.ended or asked_in_vain):
            return (Disconnect(ind.session),)  # closed by this end before it stood
        if session is None and not ind.initiator:
            terms = Terms(0.0, 0, STREAM, REACTIVE, 0, ordered=True, kind=KEEP, basis=0)
            session = self._add(PlainStream, ind.session, ind.peer, terms, initiator=False)
        _forget(self.past, (ind.session, ind.peer))
        opened = Opened(ind.session, ind.peer, ind.initiator)
        if isinstance(session, PlainStream):
            session.stood = True
        if session is None or session.state not in {ASKED, CONNECTING}:
            return (opened,)
        session.state = STANDING
        return (opened,) if ind.initiator else (Cancel(AnswerDue(ind.session)), opened)

    # -- the table ----------------------------------------------------------------------------------------------------

    def _known(self, msg: Message, ctx: Context) -> Session | None:
        """Return the session of a message, None if it is gone; only its other end may speak of it."""
        number: int = msg.session  # type: ignore[attr-defined]  # every message of this plane has one
        session = self.sessions.get(number)
        if session is not None and session.peer != ctx.sender:
            raise RemoteProtocolError(f"node {ctx.sender} speaks of session {number}, whose other end it is not")
        return session


def _forget(memory: deque[tuple[int, int]], known: tuple[int, int]) -> None:
    if known in memory:
        memory.remove(known)
