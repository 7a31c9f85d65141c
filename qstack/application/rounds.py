"""Rounds: both ends measure their halves of many pairs, one end tells its bits in blocks, the end that asked counts.

pair   --measured here/kept--> MINE --Played/Checked--> counted
flow   OPEN --Closed, and the last block/Finished--> done
"""

from __future__ import annotations

from collections.abc import Iterator

from qstack.application.layer import Pairwise
from qstack.application.pairs import Wish
from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun, Send
from qstack.services.l4_transport import Closed
from qstack.services.l5_application import Checked
from qstack.wire.application import Played

BLOCK = 64
"""Rounds that are told in one message."""


class Rounds(Pairwise):
    """One end of a flow whose bits are counted in rounds.

    Parameters
    ----------
    flow
        Number of the flow.
    wish
        What to ask for; only the initiator asks.
    initiator
        Whether this end asks; it also counts.

    Attributes
    ----------
    mine, theirs
        Setting and bit of rounds that wait for the other end's, by pair.
    stands
        Whether the session has stood.
    """

    def __init__(self, flow: int, wish: Wish, *, initiator: bool) -> None:
        super().__init__(flow, wish.peer)
        self.wish = wish
        self.initiator = initiator
        self.mine: dict[int, tuple[int, int]] = {}
        self.theirs: dict[int, tuple[int, int]] = {}
        self.heard_all = False
        self.said_all = False
        self.stands = False

    def begin(self) -> None:
        """Begin to count; pairs are numbered anew."""
        super().begin()
        self.stands = True
        self.heard_all = self.said_all = False
        self.mine.clear()
        self.theirs.clear()

    @property
    def busy(self) -> bool:
        """Whether results of delivered pairs are still to come."""
        return False

    def check(self, mine: tuple[int, int], theirs: tuple[int, int]) -> Checked:
        """Return what a round says, from setting and bit of both ends; those of the end that asked come first."""
        raise NotImplementedError

    def played_here(self, pair: int, setting: int, bit: int) -> Outputs:
        """Keep what was measured at this end; tell or count it."""
        self.mine[pair] = (setting, bit)
        if self.initiator:
            return (*self._count(pair), *self.end())
        return self._tell() if len(self.mine) >= BLOCK or (self.closed is not None and not self.busy) else ()

    def _tell(self) -> Iterator[Noun]:
        """Tell the end that counts what was measured here."""
        last = self.closed is not None and not self.busy
        settings, bits = zip(*self.mine.values(), strict=True) if self.mine else ((), ())
        yield Send(self.peer, Played(self.flow, last, tuple(self.mine), settings, bits))
        self.mine.clear()
        self.said_all = self.said_all or last
        yield from self.end()

    @on(Played)
    def played(self, msg: Played, ctx: Context) -> Outputs:
        """Count rounds that both ends have measured."""
        if ctx.sender != self.peer or not self.initiator:
            raise RemoteProtocolError(f"node {ctx.sender} has no say in the game of flow {self.flow}")
        rounds = dict(zip(msg.pairs, zip(msg.settings, msg.bits, strict=False), strict=False))
        if (
            not len(msg.settings) == len(msg.bits) == len(rounds) == len(msg.pairs)
            or rounds.keys() & self.theirs.keys()
        ):
            raise RemoteProtocolError(f"rounds of flow {self.flow} that are incomplete, or told twice: {msg.pairs}")
        self.theirs |= rounds
        self.heard_all = self.heard_all or msg.last
        for pair in msg.pairs:
            yield from self._count(pair)
        yield from self.end()

    def _count(self, pair: int) -> Iterator[Noun]:
        if pair in self.mine and pair in self.theirs:
            yield self.check(self.mine.pop(pair), self.theirs.pop(pair))

    @on(Closed)
    def closed_(self, ind: Closed, ctx: Context) -> Outputs:
        """Tell or hear the last block, then finish."""
        if not self.stands:  # the other end may not even know
            self.said_all = self.heard_all = True
        self.closed = ind.reason
        if not (self.initiator or self.said_all or self.busy):
            yield from self._tell()
        else:
            yield from super().closed_(ind, ctx)

    @property
    def open(self) -> bool:
        """Whether rounds are still to be measured, told or heard of."""
        return self.busy or not (self.heard_all if self.initiator else self.said_all)

    def abandon(self) -> Iterator[Noun]:
        """Do not wait for the other end's last block."""
        self.heard_all = True
        yield from ()
