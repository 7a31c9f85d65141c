"""What all sessions have in common: their terms, and what they wait for.

    initiator   --Open/OPEN--> ASKING --OPEN_ACK/ACCEPT, Connect--> CONNECTING --Connected/Opened--> STANDING
    responder   --OPEN/OPEN_ACK--> ASKED --Connected/Opened--> STANDING
    both        STANDING --Close, Reset or all done/CLOSE or RESET, Disconnect--> ENDING --Disconnected/Closed--> gone
                STANDING --Disconnected/RESET--> ENDING --what is in flight has settled/Closed--> gone

The ends agree before a circuit is asked for, so a refusal costs no entanglement and the responder knows what its pairs
are for.  A session is a machine of the same kind as a layer: its table says what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qstack.core.layer import Context, Layer, Outputs
from qstack.core.nouns import Message, Noun, Send, Set, Timer, timer
from qstack.services.device import Free
from qstack.services.l3_network import Disconnect, Early, Lost, Pair, Result
from qstack.services.l4_transport import Closed, Open
from qstack.wire.transport import SessionOpen

ASKING, ASKED, CONNECTING, STANDING, ENDING = range(5)


@timer
class AnswerDue(Timer):
    """The other end has been silent for too long."""

    session: int


@dataclass(slots=True)
class Terms:
    """What both ends have agreed on; parameters as in `qstack.services.l4_transport.Open`."""

    min_fidelity: float
    number: int
    mode: int
    consumption: int
    window: int
    ordered: bool
    kind: int
    basis: int
    priority: int = 0
    rate: float = 0.0

    @classmethod
    def of(cls, said: Open | SessionOpen) -> Terms:
        """Return the terms that a request or a message names."""
        return cls(*(getattr(said, name) for name in NAMES))


NAMES = tuple(Terms.__slots__)


class Session(Layer):
    """One end of a session.

    Parameters
    ----------
    number
        Of the session.
    peer
        The other end.
    terms
        What was agreed on.
    initiator
        Whether this end asked.
    patience
        How long to wait for the other end [ps].

    Attributes
    ----------
    state
        One of the states of the diagram above.
    limit
        The other end has room for everything below this number.
    reason
        Why it ends, as far as is known.
    told
        The other end has said that nothing more will come.
    over
        The circuit is gone.
    since
        When the other end was asked [ps].
    """

    def __init__(self, number: int, peer: int, terms: Terms, *, initiator: bool, patience: int) -> None:
        self.number = number
        self.peer = peer
        self.terms = terms
        self.initiator = initiator
        self.patience = patience
        self.state = ASKING if initiator else ASKED
        self.limit = terms.window
        self.reason = 0
        self.told = False
        self.over = False
        self.since = 0

    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Use a pair of a session that stands."""
        raise NotImplementedError

    def bit(self, ind: Result, ctx: Context) -> Outputs:
        """Use the bit of a half that was measured as it was made."""
        return ()

    def half(self, ind: Early, ctx: Context) -> Outputs:
        """Use a half of which nothing is known yet."""
        return (Free(ind.qubit),)

    def expired(self, ind: Lost, ctx: Context) -> Outputs:
        """Use a pair no longer whose other half is gone."""
        raise NotImplementedError

    def grant(self, limit: int) -> None:
        """Take how far the other end has room, as it says while the session is agreed on."""
        self.limit = limit

    def finish(self, ctx: Context) -> Iterator[Noun]:
        """Do what the user's `Close` asks for."""
        raise NotImplementedError

    def drop(self, ctx: Context) -> Iterator[Noun]:
        """Let go of everything at once: pairs are freed, qubits come back or are reported as lost."""
        raise NotImplementedError

    def settle(self, ctx: Context) -> Iterator[Noun]:
        """Go on where the circuit is gone (`over`) or the other end has said its last (`told`)."""
        raise NotImplementedError

    def late(self, ctx: Context) -> Iterator[Noun]:
        """Give up what has waited too long for the other end."""
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        """Whether a session that is ending has nothing left to wait for."""
        raise NotImplementedError

    def send(self, message: Message) -> Send:
        """Return a message for the other end."""
        return Send(self.peer, message)

    def wait(self, now: int) -> Set:
        """Return a timer for the other end's next word."""
        return Set(AnswerDue(self.number), now + self.patience)

    def hang_up(self) -> Iterator[Noun]:
        """Give the circuit back, once."""
        if self.state != ENDING and not self.over:
            yield Disconnect(self.number)
        self.state = ENDING

    def closed(self) -> Closed:
        """Return the last word to the application."""
        return Closed(self.number, self.reason)
