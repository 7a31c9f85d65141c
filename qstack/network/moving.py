"""Network layer, control plane: circuits that give way to one over another path when a link goes down at its hour.

    head     UP --a link goes down at its hour, another path is up/Uninstall--> MOVING --Uninstalled/Teardown(REROUTED), SetupReq--> ASKING
    tail     UP --Teardown(REROUTED)/Uninstall--> MOVING --SetupReq of the same session--> INSTALLED
                                                    '--MoveDue/Disconnected--> gone

Both ends keep the session and say nothing to their users but `Rerouted` at the head.  The request for the new circuit may
overtake the `Teardown` of the old one, whose last pairs come before that; so the tail takes either as the sign.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from qstack.core.layer import Context, Layer, Outputs, on
from qstack.core.nouns import Noun, Set, Timer, timer
from qstack.network.path import Entry
from qstack.services.l3_network import Disconnected
from qstack.services.reasons import Reason
from qstack.services.strategies import Route, Timetable


@timer
class Falls(Timer):
    """A link of this circuit's path goes down, as the timetable says."""

    circuit: int


@timer
class MoveDue(Timer):
    """The head of this circuit, which has given way, has asked for no other."""

    circuit: int


class Moving(Layer):
    """The part of signalling that moves circuits.

    Parameters
    ----------
    timetable
        When links come and go; None if none does, or if circuits wait for their links in any case.

    Attributes
    ----------
    entries, sessions
        What is known of each circuit; the circuit of each session.
    moving
        At the tail: the circuit that has given way, by session; its complement if the user has ended the session meanwhile.
    """

    def __init__(self, timetable: Timetable | None) -> None:
        self.timetable = timetable
        self.entries: dict[int, Entry] = {}
        self.sessions: dict[int, int] = {}
        self.moving: dict[int, int] = {}

    @abstractmethod
    def tear_down(self, circuit: int, reason: int, cause: int) -> Iterator[Noun]:
        """Have a circuit taken out."""

    def watch(self, circuit: int, now: int) -> Outputs:
        """Wake up when the next link of a circuit goes down."""
        at = self.timetable.falls(self.entries[circuit].path, now) if self.timetable else -1
        return (Set(Falls(circuit), at),) if at >= 0 else ()

    @on(Falls)
    def falls(self, due: Falls, ctx: Context) -> Outputs:
        """Move a circuit whose link has gone down to a path that is up, if there is one; otherwise it waits (QS-L3-452)."""
        entry = self.entries.get(due.circuit)
        if entry is None or entry.closing is not None or self.timetable is None:
            return ()
        asked = [req for req in entry.sessions.values() if req is not None]
        route = self.timetable.around(entry.path, asked[0].min_fidelity, ctx.now)
        if not isinstance(route, Route) or sum(req.rate for req in asked) > route.rate:
            return self.watch(due.circuit, ctx.now)
        entry.next = route
        return self.tear_down(due.circuit, Reason.REROUTED, ctx.node)

    def let_go(self, session: int, path: tuple[int, ...]) -> None:
        """Take it at the tail that a circuit gives way to one over another path, though its `Teardown` is still under way.

        Its last pairs come before that, and are delivered.
        """
        old = self.sessions.get(session, -1)
        entry = self.entries.get(old)
        if entry is not None and entry.path[0] == path[0] and entry.path != path:
            for other in entry.sessions:
                self.moving[other] = old
                del self.sessions[other]
            entry.sessions = {}

    def expect(self, entry: Entry, circuit: int, until: int) -> Set:
        """Keep the sessions of a circuit that has given way, at the tail, until the head asks for another [ps]."""
        self.moving.update(dict.fromkeys(entry.sessions, circuit))
        return Set(MoveDue(circuit), until)

    def desert(self, session: int) -> Outputs:
        """End a session that has no circuit, at the tail: its new one will be refused."""
        if self.moving.get(session, -1) < 0:
            return ()
        self.moving[session] = ~self.moving[session]
        return (Disconnected(session, Reason.NONE),)

    @on(MoveDue)
    def move_due(self, due: MoveDue, ctx: Context) -> Outputs:
        """Give up waiting for the circuit that was to take another's place."""
        late = [session for session, circuit in self.moving.items() if circuit == due.circuit]
        for session in (*late, *(s for s, circuit in self.moving.items() if circuit == ~due.circuit)):
            del self.moving[session]
        return tuple(Disconnected(session, Reason.LOST_PEER) for session in late)
