"""Transport layer: sessions over circuits.

    Open, a stream that leaves all to the circuit   --Connect--> the ends hear Opened when the circuit stands
    Open, anything else    --OPEN--> <--OPEN_ACK-- --ACCEPT, Connect--> Opened as above     (see `qstack.transport.session`)
    Disconnected           the session ends, at once or when what is in flight has settled --Closed--> gone
    Disconnected, RESET    before it has stood: --RESET--> the end that was asked hears Refused

What a session carries is the business of its own machine: `qstack.transport.stream` and `qstack.transport.window`,
`qstack.transport.teleport` for the end that sends qubits, `qstack.transport.arrival` for the one that receives them.
This layer finds the machine; how sessions come to stand is told in `qstack.transport.opening`.

Specification: specs/transport/transport.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Handler, Outputs, Waiting, on
from qstack.core.nouns import Cancel, Noun, Send
from qstack.services.device import BellMeasured, Free
from qstack.services.l3_network import Disconnected, Early, FidelityTested, Lost, Pair, Result
from qstack.services.l4_transport import (
    Close,
    FidelityReported,
    PeerReported,
    Refused,
    Release,
    Reset,
    Returned,
    Transmit,
)
from qstack.services.reasons import Reason
from qstack.transport.opening import Opening
from qstack.transport.session import ASKED, ASKING, CONNECTING, STANDING, AnswerDue, Session
from qstack.transport.stream import PlainStream
from qstack.wire.transport import (
    Acknowledgement,
    Correction,
    Discard,
    FidelityReport,
    Loss,
    SessionClose,
    SessionReset,
)


class TransportLayer(Opening):
    """One per node; serves all sessions.

    Parameters
    ----------
    patience
        How long the other end may be silent when an answer is due [ps].
    """

    name = "transport"

    # -- in between ---------------------------------------------------------------------------------------------------

    @on(Pair)
    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Give a pair to its session."""
        session = self.sessions.get(ind.session)
        if session is None:
            return (Free(ind.qubit),)  # nobody wants it any more (QS-L4-011)
        return session.pair(ind, ctx)

    @on(Result)
    def bit(self, ind: Result, ctx: Context) -> Outputs:
        """Give the bit of a measured half to its session."""
        session = self.sessions.get(ind.session)
        return () if session is None else session.bit(ind, ctx)

    @on(Early)
    def early(self, ind: Early, ctx: Context) -> Outputs:
        """Give a half to its session of which nothing is known yet."""
        session = self.sessions.get(ind.session)
        return (Free(ind.qubit),) if session is None else session.half(ind, ctx)

    @on(Lost)
    def lost(self, ind: Lost, ctx: Context) -> Outputs:
        """Tell a session that a pair is gone."""
        session = self.sessions.get(ind.session)
        return () if session is None else self._through(session, session.expired(ind, ctx))

    @on(FidelityTested)
    def tested(self, ind: FidelityTested, ctx: Context) -> Outputs:
        """Tell the user of a session what its test rounds have shown; now and then the other end, too.

        The ends of a session that was agreed on compare what their networks say: they count the same rounds.
        """
        session = self.sessions.get(ind.session)
        if session is None:
            return
        yield FidelityReported(ind.session, ind.fidelity, ind.low, ind.high, ind.rounds)
        if not (isinstance(session, PlainStream) or session.state != STANDING or ind.rounds & (ind.rounds - 1)):
            yield session.send(FidelityReport(ind.session, ind.rounds, ind.fidelity))  # at 1, 2, 4, 8 ... rounds

    @on(FidelityReport)
    def reported(self, msg: FidelityReport, ctx: Context) -> Outputs:
        """Tell the user what the other end's test rounds have shown."""
        session = self._known(msg, ctx)
        stands = session is not None and session.state >= STANDING
        return (PeerReported(msg.session, msg.fidelity, msg.samples),) if stands else ()

    @on(Transmit)
    def transmit(self, req: Transmit, ctx: Context) -> Outputs:
        """Give a qubit to its session."""
        session = self.sessions.get(req.session)
        return (Returned(req.session, req.qubit),) if session is None else self._local(session, req, ctx)

    @on(Release)
    def release(self, req: Release, ctx: Context) -> Outputs:
        """Give room back to its session."""
        session = self.sessions.get(req.session)
        if session is None:
            return ()
        return self._local(session, req, ctx) if session.over else self._handler(session, req)(req, ctx)

    def _local(self, session: Session, req: Transmit | Release, ctx: Context) -> Outputs:
        return self._through(session, self._handler(session, req)(req, ctx))

    def _handler(self, session: Session, req: Transmit | Release) -> Handler:
        handler = self.tables[session.number].get(type(req))
        if handler is None or session.state < STANDING:
            raise LocalProtocolError(f"session {session.number} has no use for {type(req).__name__} here and now")
        return handler

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
            session.reason = Reason.LOST_PEER
            told = () if session.initiator else (session.send(SessionReset(due.session, Reason.LOST_PEER)),)
            return (*told, *self._refused(session))
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
        if session.state < STANDING:
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
            return self._unheard(msg, ctx)
        if isinstance(session, PlainStream) and not session.initiator:
            return ()  # it ends with its circuit; what refused an earlier one may come late
        session.told = True
        session.reason = session.reason or msg.reason
        if session.state < STANDING:
            return self._refused(session)
        if isinstance(msg, SessionReset) and session.initiator:
            return self._through(session, session.drop(ctx))
        return self._through(session, session.settle(ctx))

    def _unheard(self, msg: SessionClose | SessionReset, ctx: Context) -> Outputs:
        """Hear that a stream was refused of which this end would have heard when its circuit stood."""
        told = (msg.session, ctx.sender)
        if told in self.past or not msg.reason or isinstance(msg, SessionClose) or ctx.sender == ctx.node:
            return ()
        self.past.append(told)
        return (Refused(msg.session, ctx.sender, msg.reason),)

    def _refused(self, session: Session) -> Iterator[Noun]:
        """End a session that never stood."""
        yield Cancel(AnswerDue(session.number))
        yield from session.hang_up() if session.state == CONNECTING else ()
        del self.sessions[session.number], self.tables[session.number]
        self.past.append((session.number, session.peer))
        if session.initiator:
            yield session.closed()
        else:
            self.given_up.append((session.number, session.peer))
            yield Refused(session.number, session.peer, session.reason or Reason.TORN_DOWN)

    @on(Disconnected)
    def disconnected(self, ind: Disconnected, ctx: Context) -> Outputs:
        """Tell the application that the circuit is gone, when nothing is in flight any more."""
        session = self.sessions.get(ind.session)
        if session is None:
            return ()
        session.over = True
        session.reason = session.reason or ind.reason
        said = session.send(SessionReset(ind.session, session.reason or Reason.TORN_DOWN))
        if session.state == CONNECTING:
            return (said, *self._refused(session))
        if isinstance(session, PlainStream) and not session.stood:  # nobody else tells the other end
            return (said, *self._through(session, session.settle(ctx)))
        return self._through(session, session.settle(ctx))

    def _through(self, session: Session, outputs: Outputs) -> Iterator[Noun]:
        """Pass on what a session wants, and forget it when it has settled."""
        yield from outputs
        if session.over and session.settled and self.sessions.get(session.number) is session:
            del self.sessions[session.number], self.tables[session.number]
            if not (session.initiator or isinstance(session, PlainStream)):
                self.ended.append(session.number)
            self.past.append((session.number, session.peer))
            yield session.closed()

    # -- asked from outside -----------------------------------------------------------------------------------------------

    def waiting(self) -> Iterator[Waiting]:
        """Return the sessions that wait for the other end's consent."""
        for session in self.sessions.values():
            if session.state == ASKING:
                yield Waiting(f"consent to session {session.number}", session.peer, session.since)
