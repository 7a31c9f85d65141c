"""A network layer that keeps books: inputs only make entries, and one function per node of a circuit settles them.

It was written from the specification alone, to see that a layer may be built in another way than the reference and conform:
signalling and forwarding are one layer, every side of a circuit has one ledger of numbers and one of questions (the TRACKs that
wait), and no handler decides what is swapped, answered, delivered or asked for: `settle` does, whatever has happened.  One timer
wakes a circuit for all its deadlines, another one tidies its ledgers up.  It serves sessions of kind KEEP along the path of
fewest links, one session on a circuit of its own; circuits of others it serves whatever they carry.

    books.py         the ledgers, and the states of a half
    signalling.py    entries about circuits and sessions
    forwarding.py    entries about pairs
    settling.py      what follows from the books
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from qstack import Offer, Options, hookimpl
from qstack.core.layer import Context, Handler, Layer
from qstack.core.nouns import Noun
from qstack.plugin.sites import Site
from qstack.services.device import Swapped
from qstack.services.l2_link import Accepted, Err, Ok, Unreachable
from qstack.services.l3_network import Connect, Disconnect
from qstack.wire.network import Complete, Expire, Forward, Track
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown

from .books import Books, Tidy, Wake
from .forwarding import Forwarding
from .settling import settle
from .signalling import Signalling

QSTACK_API = (1, 0)


class LedgerNetwork(Layer):
    """One node's signalling and forwarding."""

    name = "network"

    def __init__(self, site: Site) -> None:
        self.books = Books(site)
        self.signalling = Signalling(self.books)
        self.forwarding = Forwarding(self.books)

    def handlers(self) -> dict[type[Noun], Handler]:
        """Return the table: entries are made, then the circuit that they are about is settled."""
        signalling, forwarding = self.signalling, self.forwarding
        entries: dict[type[Noun], Callable[[Any, Context], Iterator[Noun]]] = {
            Connect: signalling.connect,
            Disconnect: signalling.disconnect,
            SetupReq: signalling.setup,
            SetupRsp: signalling.accepted,
            Reject: signalling.rejected,
            Teardown: signalling.teardown,
            Forward: signalling.forward,
            Complete: signalling.complete,
            Track: forwarding.track,
            Expire: forwarding.expire,
            Ok: forwarding.ok,
            Err: forwarding.err,
            Swapped: forwarding.swapped,
            Unreachable: signalling.unreachable,
            Wake: signalling.wake,
            Tidy: forwarding.tidy,
            Accepted: lambda noun, ctx: iter(()),
        }
        return {kind: self._settling(entry) for kind, entry in entries.items()}

    def _settling(self, entry: Callable[[Any, Context], Iterator[Noun]]) -> Handler:
        def handle(noun: Noun, ctx: Context) -> Iterator[Noun]:
            yield from entry(noun, ctx)
            number = getattr(noun, "circuit", None)
            if number is None and isinstance(noun, Ok | Err):
                found = self.books.labels.get(noun.peer, {}).get(noun.purpose)
                number = found[0].number if found else None
            if isinstance(noun, Swapped):
                touched = [c for c in self.books.circuits.values() if c.stage == "active"]
            else:
                touched = [self.books.circuits[number]] if number in self.books.circuits else []
            for circuit in touched:
                yield from settle(self.books, circuit, ctx.now)

        return handle


def make(options: Options, site: Site) -> Layer:
    """Return the layer of one node."""
    return LedgerNetwork(site)


@hookimpl
def qstack_layers() -> list[Offer]:
    """Offer the layer as ``stack: {network: ledger}``."""
    return [Offer("ledger", make, summary="entries in ledgers, one function that settles", level="network")]
