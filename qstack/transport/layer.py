"""Transport layer: sessions over circuits; here the entanglement stream of consumption class C.

    initiator   CLOSED --Open/Connect--> OPENING --Connected/Opened--> OPEN --last Pair/Disconnect--> CLOSING --> CLOSED
    responder   CLOSED --Connected/Opened--> OPEN --Disconnected/Closed--> CLOSED

Pairs are handed up as soon as both ends are known to hold them, with their Pauli frame as a Bell index.

Specification: specs/transport/transport.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from qstack.core.layer import Context, Layer, Outputs, on
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
        delivery = Delivery(ind.session, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked)
        session = self.sessions[ind.session]
        session.left -= 1
        return (delivery,) if session.left else (delivery, Disconnect(ind.session))

    @on(Close)
    def close(self, req: Close, ctx: Context) -> Outputs:
        """End a session early."""
        return (Disconnect(req.session),) if req.session in self.sessions else ()

    @on(Disconnected)
    def disconnected(self, ind: Disconnected, ctx: Context) -> Outputs:
        """The circuit is gone, at this end."""
        self.sessions.pop(ind.session, None)
        return (Closed(ind.session, ind.reason),)
