"""Application layer: one table that finds the application a noun is meant for.

Every noun that reaches applications carries the number of its flow (as ``flow``, ``session`` or ``purpose``), so the
layer is a dictionary of dictionaries; the applications are machines of the same kind as layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from qstack.core.clock import SECOND
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.layer import Context, Handler, Layer, Outputs, on
from qstack.core.nouns import Cancel, Noun, Set, Timer, timer
from qstack.services.device import Free
from qstack.services.l4_transport import (
    Closed,
    EarlyDelivery,
    Expired,
    FidelityReported,
    Opened,
    Outcome,
    PeerReported,
    Refused,
    Reset,
)
from qstack.services.l5_application import Assessed, Finished
from qstack.services.reasons import Reason

PATIENCE = 10 * SECOND
"""How long an application waits for the last words of its other end after their session has ended [ps]."""


@timer
class GiveUp(Timer):
    """The other end has not said what it still had to say."""

    flow: int


class Application(Layer):
    """Base of all applications.

    Parameters
    ----------
    flow
        Number of the flow this serves; also the number of its session.
    peer
        The other end; -1 if it may be any.
    """

    def __init__(self, flow: int, peer: int = -1) -> None:
        self.flow = flow
        self.peer = peer

    @on(Refused)
    def refused(self, ind: Refused, ctx: Context) -> Outputs:
        """Finish, at the end that was asked, because the session does not come to stand."""
        return (Finished(self.flow, ind.reason),) if self.peer in {-1, ind.peer} else ()


class Pairwise(Application):
    """Base of applications whose ends talk about every pair, and may have to say something when the session has ended.

    Attributes
    ----------
    closed
        Why the session has ended; None while it has not.
    measuring
        Qubits whose bits are still to come: what each is half of, by number, and what was kept with it.
    """

    def __init__(self, flow: int, peer: int) -> None:
        super().__init__(flow, peer)
        self.closed: int | None = None
        self.measuring: dict[int, tuple[int, int]] = {}

    def begin(self) -> None:
        """Take note that a session stands, perhaps after one that has failed."""
        self.closed = None

    def measured_pair(self, qubit: int) -> tuple[int, int]:
        """Return what stands in `measuring` for a qubit whose bit has come, and strike it out.

        Raises
        ------
        LocalProtocolError
            If nobody has asked for a bit of this qubit.
        """
        known = self.measuring.pop(qubit, None)
        if known is None:
            raise LocalProtocolError(f"qubit {qubit} was not to be measured for flow {self.flow}")
        return known

    @property
    def open(self) -> bool:
        """Whether something is still to be said or measured."""
        raise NotImplementedError

    def abandon(self) -> Iterator[Noun]:
        """Let go of everything about which the other end would have to say something."""
        raise NotImplementedError

    @on(Closed)
    def closed_(self, ind: Closed, ctx: Context) -> Outputs:
        """Finish when the last word is said; where the session has failed, it may never be."""
        self.closed = ind.reason
        if ind.reason:
            yield from self.abandon()
        elif self.open:
            yield Set(GiveUp(self.flow), ctx.now + PATIENCE)
        yield from self.end()

    @on(GiveUp)
    def give_up(self, due: GiveUp, ctx: Context) -> Outputs:
        """Do not wait any longer."""
        self.closed = Reason.LOST_PEER
        yield from self.abandon()
        yield from self.end()

    def end(self) -> Outputs:
        """Finish if the session has ended and nothing is open."""
        if self.closed is None or self.open:
            return ()
        return Cancel(GiveUp(self.flow)), Finished(self.flow, self.closed)


class ApplicationLayer(Layer):
    """One per node; holds one application for each flow that ends here."""

    name = "application"

    def __init__(self, applications: Iterable[Application]) -> None:
        self.applications = tuple(applications)

    def handlers(self) -> dict[type[Noun], Handler]:
        """Return a handler for every noun that any of the applications reads."""
        tables: dict[type[Noun], dict[int, Handler]] = {}
        for application in self.applications:
            for kind, handler in application.handlers().items():
                tables.setdefault(kind, {})[application.flow] = handler
        found = {kind: _by_flow(kind, table, _refuse) for kind, table in tables.items()}
        found |= {kind: _by_flow(kind, tables.get(kind, {}), nobody) for kind, nobody in UNASKED.items()}
        return found | {FidelityReported: _tested(tables.get(FidelityReported, {}))}


def _refuse(noun: Any) -> Outputs:
    flow = next(getattr(noun, name) for name in NAMES if hasattr(noun, name))
    raise RemoteProtocolError(f"no application for flow {flow}")


UNASKED: Mapping[type[Noun], Callable[[Any], Outputs]] = {
    Opened: lambda ind: (Reset(ind.session),),
    Closed: lambda ind: (),
    Refused: lambda ind: (),
    EarlyDelivery: lambda ind: (Free(ind.qubit),),
    Outcome: lambda ind: (),
    Expired: lambda ind: (),
    PeerReported: lambda ind: (),
}
"""Sessions that others open to this node and no flow of it waits for: ended at both ends, before they hold a memory.  Kinds
of streams that an application does not read: their halves are freed, their bits unread."""

NAMES = ("flow", "session", "purpose")
"""Fields that hold the number of a flow."""


def _by_flow(kind: type[Noun], table: dict[int, Handler], nobody: Callable[[Any], Outputs]) -> Handler:
    flow_of = attrgetter(next(name for name in NAMES if hasattr(kind, name)))

    def handler(noun: Any, context: Context) -> Outputs:
        application = table.get(flow_of(noun))
        return nobody(noun) if application is None else application(noun, context)

    return handler


def _tested(table: dict[int, Handler]) -> Handler:
    """Return a handler that tells the user what test rounds have shown, and the application if it reads that."""

    def handler(ind: FidelityReported, context: Context) -> Outputs:
        application = table.get(ind.session)
        told = Assessed(ind.session, ind.fidelity, ind.low, ind.high, ind.rounds)
        return (told,) if application is None else (told, *application(ind, context))

    return handler
