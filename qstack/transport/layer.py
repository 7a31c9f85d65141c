"""Transport layer: sessions over circuits.

    Open, a stream that leaves all to the circuit   --Connect--> the ends hear Opened when the circuit stands
    Open, anything else    --OPEN--> <--OPEN_ACK-- --ACCEPT, Connect--> Opened as above     (see `qstack.transport.session`)
    Disconnected           the session ends, at once or when what is in flight has settled --Closed--> gone

What a session carries is the business of its own machine: `qstack.transport.stream`, `qstack.transport.teleport` for the
end that sends qubits, `qstack.transport.arrival` for the one that receives them.  This layer finds the machine.

Specification: specs/transport/transport.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Handler, Layer, Outputs, Waiting, on
from qstack.core.nouns import Cancel, Message, Noun, Send
from qstack.services.device import BellMeasured, Free
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected, Lost, Pair
from qstack.services.l4_transport import (
    REACTIVE,
    STREAM,
    TELEPORT,
    TOLERANT,
    Close,
    Closed,
    Open,
    Opened,
    Release,
    Reset,
    Returned,
    Transmit,
)
from qstack.services.reasons import Reason
from qstack.transport.arrival import Receiver
from qstack.transport.session import ASKED, ASKING, CONNECTING, STANDING, AnswerDue, Session, Terms
from qstack.transport.stream import PlainStream, Stream
from qstack.transport.teleport import Sender
from qstack.wire.transport import (
    HERALDED,
    Acknowledgement,
    Correction,
    Discard,
    Loss,
    SessionAccept,
    SessionClose,
    SessionOpen,
    SessionOpenAck,
    SessionReset,
)

LARGEST = (1 << 16) - 1
"""Largest window that the wire can carry."""
REMEMBERED = 1024
"""Sessions that have stood and ended, kept so that a repeated OPEN does not raise the dead."""


def refusal(terms: Terms) -> str | None:
    """Return what is wrong with terms that nobody could keep, or None."""
    least = 1 if terms.mode == TELEPORT else 0
    if not least <= terms.window <= LARGEST:
        return f"a window of {terms.window} is not {least} to {LARGEST}"
    if terms.number < 0:
        return f"{terms.number} pairs cannot be delivered"
    return None


def supported(terms: Terms) -> bool:
    """Tell whether this layer knows a mode, with this consumption class: data needs heralded pairs."""
    return terms.mode in {STREAM, TELEPORT} and not (terms.mode == TELEPORT and terms.consumption == TOLERANT)


class TransportLayer(Layer):
    """One per node; serves all sessions.

    Parameters
    ----------
    patience
        How long the other end may be silent when an answer is due [ps].
    """

    name = "transport"

    def __init__(self, patience: int = 10 * SECOND) -> None:
        self.patience = patience
        self.sessions: dict[int, Session] = {}
        self.tables: dict[int, dict[type[Noun], Handler]] = {}
        self.ended: deque[int] = deque(maxlen=REMEMBERED)

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
            self._add(PlainStream, req.session, req.peer, terms, initiator=True)
            return (Connect(req.session, req.peer, req.min_fidelity, req.number),)
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
            0,
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
            kind = Stream if terms.mode == STREAM else Receiver
            session = self._add(kind, msg.session, ctx.sender, terms, initiator=False)
        elif session is None or session.initiator or (session.peer, session.terms) != (ctx.sender, terms):
            return (Send(ctx.sender, SessionReset(msg.session, Reason.REJECTED if session else Reason.UNSUPP)),)
        elif session.state != ASKED:
            return ()  # a repetition, long answered
        session.limit = min(terms.window, msg.credit)
        return session.send(SessionOpenAck(msg.session, terms.window, terms.window)), session.wait(ctx.now)

    @on(SessionOpenAck)
    def consented(self, msg: SessionOpenAck, ctx: Context) -> Outputs:
        """Ask the network layer for a circuit.  A teleporting session takes pairs until its qubits have arrived."""
        session = self._known(msg, ctx)
        if session is None or session.state != ASKING:
            return ()
        terms = session.terms
        if msg.window > terms.window:
            raise RemoteProtocolError(f"session {msg.session}: a window of {msg.window} is more than was asked for")
        session.state = CONNECTING
        session.limit = msg.credit
        number = terms.number if terms.mode == STREAM else 0
        return (
            Cancel(AnswerDue(msg.session)),
            session.send(SessionAccept(msg.session, terms.window)),
            Connect(msg.session, session.peer, terms.min_fidelity, number),
        )

    @on(SessionAccept)
    def accepted(self, msg: SessionAccept, ctx: Context) -> Outputs:
        """Learn how much room the initiator has."""
        session = self._known(msg, ctx)
        if session is not None and session.state == ASKED:
            session.limit = min(session.terms.window, msg.credit)
        return ()

    @on(Connected)
    def connected(self, ind: Connected, ctx: Context) -> Outputs:
        """Tell the application at either end."""
        session = self.sessions.get(ind.session)
        if session is None and ind.session in self.ended:
            return (Disconnect(ind.session),)  # closed by this end before it stood
        if session is None and not ind.initiator:
            terms = Terms(0.0, 0, STREAM, REACTIVE, 0, ordered=True)
            session = self._add(PlainStream, ind.session, ind.peer, terms, initiator=False)
        opened = Opened(ind.session, ind.peer, ind.initiator)
        if session is None or session.state not in {ASKED, CONNECTING}:
            return (opened,)
        session.state = STANDING
        return (opened,) if ind.initiator else (Cancel(AnswerDue(ind.session)), opened)

    # -- in between ---------------------------------------------------------------------------------------------------

    @on(Pair)
    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Give a pair to its session."""
        session = self.sessions.get(ind.session)
        if session is None:
            return (Free(ind.qubit),)  # nobody wants it any more (QS-L4-011)
        return session.pair(ind, ctx)

    @on(Lost)
    def lost(self, ind: Lost, ctx: Context) -> Outputs:
        """Do nothing: a pair that was handed up is its user's, and ends tell each other which pairs they have used."""
        return ()

    @on(Transmit, Release)
    def local(self, req: Transmit | Release, ctx: Context) -> Outputs:
        """Give a request to its session."""
        session = self.sessions.get(req.session)
        if session is None:
            return (Returned(req.session, req.qubit),) if isinstance(req, Transmit) else ()
        handler = self.tables[req.session].get(type(req))
        if handler is None or session.state in {ASKING, ASKED, CONNECTING}:
            raise LocalProtocolError(f"session {req.session} has no use for {type(req).__name__} here and now")
        return self._through(session, handler(req, ctx))

    @on(Acknowledgement, Correction, Discard, Loss)
    def remote(self, msg: Acknowledgement | Correction | Discard | Loss, ctx: Context) -> Outputs:
        """Give a message to its session; a qubit that comes too late is lost, and its sender told so."""
        session = self._known(msg, ctx)
        if session is None:
            late = isinstance(msg, Correction) and ctx.sender != ctx.node
            return (Send(ctx.sender, Loss(msg.session, msg.sequence, erasure=True)),) if late else ()  # type: ignore[union-attr]  # late implies a Correction
        handler = self.tables[msg.session].get(type(msg))
        if handler is None:
            raise RemoteProtocolError(f"session {msg.session} has no use for {type(msg).__name__} at this end")
        return self._through(session, handler(msg, ctx))

    @on(BellMeasured)
    def measured(self, ind: BellMeasured, ctx: Context) -> Outputs:
        """Give an outcome to its session; after `Reset` nobody waits for it."""
        session = self.sessions.get(ind.purpose)
        handler = self.tables.get(ind.purpose, {}).get(BellMeasured)
        return () if session is None or handler is None else self._through(session, handler(ind, ctx))

    @on(AnswerDue)
    def late(self, due: AnswerDue, ctx: Context) -> Outputs:
        """Give up waiting for the other end."""
        session = self.sessions.get(due.session)
        if session is None:
            return ()
        if session.state in {ASKING, ASKED}:
            del self.sessions[due.session], self.tables[due.session]
            return (Closed(due.session, Reason.LOST_PEER),) if session.initiator else ()
        return self._through(session, session.late(ctx))

    # -- ending -------------------------------------------------------------------------------------------------------

    @on(Close)
    def close(self, req: Close, ctx: Context) -> Outputs:
        """End a session early, seeing home what has left."""
        session = self.sessions.get(req.session)
        return () if session is None else self._stop(session, session.finish(ctx), Reason.NONE, ctx)

    @on(Reset)
    def reset(self, req: Reset, ctx: Context) -> Outputs:
        """End a session at once."""
        session = self.sessions.get(req.session)
        if session is None:
            return ()
        session.reason = Reason.TORN_DOWN
        return self._stop(session, session.drop(ctx), Reason.TORN_DOWN, ctx)

    def _stop(self, session: Session, last: Iterator[Noun], reason: int, ctx: Context) -> Iterator[Noun]:
        """End a session from this side; one that does not stand yet is over with a word."""
        plain = isinstance(session, PlainStream)
        if session.state in {ASKING, ASKED, CONNECTING}:
            yield Cancel(AnswerDue(session.number))
            yield session.send(SessionReset(session.number, reason or Reason.TORN_DOWN))
            yield from session.hang_up() if session.state == CONNECTING else ()
            session.told = session.over = True
            session.reason = reason
        elif reason and not plain:
            yield session.send(SessionReset(session.number, reason))
            session.told = True
        yield from self._through(session, last if session.state == STANDING else ())

    @on(SessionClose, SessionReset)
    def ending(self, msg: SessionClose | SessionReset, ctx: Context) -> Outputs:
        """Hear that the other end has said its last, or that nothing counts any more."""
        session = self._known(msg, ctx)
        if session is None:
            return ()
        session.told = True
        session.reason = session.reason or msg.reason
        if session.state in {ASKING, ASKED, CONNECTING}:
            return self._refused(session)
        if isinstance(msg, SessionReset) and session.initiator:
            return self._through(session, session.drop(ctx))
        return self._through(session, session.settle(ctx))

    def _refused(self, session: Session) -> Iterator[Noun]:
        """End a session that never stood; the responder's application has not heard of it."""
        yield Cancel(AnswerDue(session.number))
        yield from session.hang_up() if session.state == CONNECTING else ()
        del self.sessions[session.number], self.tables[session.number]
        if session.initiator:
            yield session.closed()

    @on(Disconnected)
    def disconnected(self, ind: Disconnected, ctx: Context) -> Outputs:
        """Tell the application that the circuit is gone, when nothing is in flight any more."""
        session = self.sessions.get(ind.session)
        if session is None:
            return ()
        session.over = True
        session.reason = session.reason or ind.reason
        if session.state == CONNECTING:
            return (session.send(SessionReset(ind.session, ind.reason)), *self._refused(session))
        return self._through(session, session.settle(ctx))

    def _through(self, session: Session, outputs: Outputs) -> Iterator[Noun]:
        """Pass on what a session wants, and forget it when it has settled."""
        yield from outputs
        if session.settled and self.sessions.get(session.number) is session:
            del self.sessions[session.number], self.tables[session.number]
            if not (session.initiator or isinstance(session, PlainStream)):
                self.ended.append(session.number)
            yield session.closed()

    # -- the table ----------------------------------------------------------------------------------------------------

    def _known(self, msg: Message, ctx: Context) -> Session | None:
        """Return the session of a message, None if it is gone; only its other end may speak of it."""
        number: int = msg.session  # type: ignore[attr-defined]  # every message of this plane has one
        session = self.sessions.get(number)
        if session is not None and session.peer != ctx.sender:
            raise RemoteProtocolError(f"node {ctx.sender} speaks of session {number}, whose other end it is not")
        return session

    def waiting(self) -> Iterator[Waiting]:
        """Return the sessions that wait for the other end's consent."""
        for session in self.sessions.values():
            if session.state == ASKING:
                yield Waiting(f"consent to session {session.number}", session.peer, session.since)
