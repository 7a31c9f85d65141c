"""Transport layer: sessions over circuits; here the entanglement stream of consumption class C.

    initiator   CLOSED --Open/Connect--> OPEN --Connected/Opened--> OPEN --last Pair or Close/Disconnect--> CLOSING
                OPEN, CLOSING --Disconnected/Closed--> CLOSED
    responder   CLOSED --Connected/Opened--> OPEN --Close/Disconnect--> CLOSING --Disconnected/Closed--> CLOSED

Pairs are handed up as soon as both ends are known to hold them, with their Pauli frame as a Bell index.

Specification: specs/transport/transport.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Layer, Outputs, on
from qstack.services.device import Free
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected, Pair
from qstack.services.l4_transport import Close, Closed, Delivery, Open, Opened


@dataclass(slots=True)
class Session:
    """One end of a session; `left` counts down at the initiator, a negative number never ends."""

    peer: int
    left: int


class TransportLayer(Layer):
    """One per node; serves all sessions."""

    name = "transport"

    def __init__(self) -> None:
        self.sessions: dict[int, Session] = {}

    @on(Open)
    def open(self, req: Open, ctx: Context) -> Outputs:
        """Ask the network layer for a circuit."""
        if req.session in self.sessions:
            raise LocalProtocolError(f"session {req.session} is open already")
        if req.number < 0:
            raise LocalProtocolError(f"session {req.session}: {req.number} pairs cannot be delivered")
        self.sessions[req.session] = Session(req.peer, req.number or -1)
        return (Connect(req.session, req.peer, req.min_fidelity, req.number),)

    @on(Connected)
    def connected(self, ind: Connected, ctx: Context) -> Outputs:
        """Tell the application at either end."""
        if not ind.initiator:
            self.sessions[ind.session] = Session(ind.peer, -1)
        return (Opened(ind.session, ind.peer, ind.initiator),)

    @on(Pair)
    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Hand a pair up; after the last one the circuit is no longer needed."""
        session = self.sessions.get(ind.session)
        if session is None or session.left == 0:
            return (Free(ind.qubit),)  # nobody wants it any more (QS-L4-011)
        session.left -= 1
        delivery = Delivery(ind.session, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked)
        return (delivery,) if session.left else (delivery, Disconnect(ind.session))

    @on(Close)
    def close(self, req: Close, ctx: Context) -> Outputs:
        """End a session early."""
        session = self.sessions.get(req.session)
        if session is None or session.left == 0:
            return ()
        session.left = 0
        return (Disconnect(req.session),)

    @on(Disconnected)
    def disconnected(self, ind: Disconnected, ctx: Context) -> Outputs:
        """Tell the application that the circuit is gone, at this end."""
        return () if self.sessions.pop(ind.session, None) is None else (Closed(ind.session, ind.reason),)
