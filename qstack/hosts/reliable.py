"""The reliable ordered channel of a hop: one end, as a pure machine over datagrams.

    SYNC   --Keepalive/send what waits--> UP
    UP     --send/datagram--> UP --CHANNEL_ACK/forget--> UP --timeout/repeat--> UP
    UP     --`tries` timeouts in a row without progress/lost--> SYNC
    any    --Keepalive of a new incarnation/begin anew, lost if anything was agreed, answer--> (same state)

Messages of planes 2 to 4 count from 0 modulo 2**16 per direction and carry the flag `ACK_WANTED` (the layout is that of
`qstack.wire.channel`).  The receiver hands up the number it expects and nothing else; it keeps what came early, at most
`FLIGHT` messages, and answers every message, also a repeated one, with the number it expects next.  The sender has at
most `FLIGHT` messages under way and repeats them from the oldest on when nothing was acknowledged during the timeout,
which doubles with every vain try up to `LONGEST` times its first value.  What waits behind them is bounded by `WAITING`.

When a number of tries in a row is in vain, liveness is lost: everything under way is dropped, the layers are told, and
a new incarnation asks for an answer with `Keepalive` until one comes; nothing else is sent before.  A `Keepalive` with
`ACK_WANTED` is answered by one without.  Where `interval` is given, a silent neighbour is asked in the same way, so that
its death is noticed without anything to send.

Incarnations only grow (modulo 2**32).  Every datagram says between which two starts it travels (`Tag`); what comes from or
for another start than the present ones is dropped and counted, an older `Keepalive` and the answer to an older question
included, however long the network has held them back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from qstack.core.nouns import Message
from qstack.wire.channel import ChannelAck, Tag
from qstack.wire.network import Keepalive

NUMBERS = 1 << 16
STARTS = 1 << 32
TICK = 62_500_000
"""One start may follow another after so long [ns]: their numbers come around after eight years."""
FLIGHT = 64
"""Messages under way at a time, and messages kept that came early."""
WAITING = 1 << 15
"""Messages that may wait behind them; with more, liveness is lost."""
LONGEST = 8


def start_number(now: int) -> int:
    """Return the incarnation of a start at a time [ns since 1970]; 0 means none.

    Whoever is not heard of before `TICK` has passed differs from every earlier start.
    """
    return now // TICK % STARTS or 1


def is_older(incarnation: int, last: int) -> bool:
    """Tell whether a start came before another, as serial numbers."""
    return (incarnation - last) % STARTS >= STARTS // 2


@dataclass(slots=True)
class Datagram:
    """What goes on the carrier; `wanted` is the flag `ACK_WANTED`, `tag` says between which starts."""

    message: Message
    sequence: int = 0
    wanted: bool = False
    tag: Tag = field(default_factory=lambda: Tag(0, 0))


@dataclass(slots=True)
class Step:
    """What follows from an input.

    Parameters
    ----------
    out
        Datagrams for the carrier, in this order.
    up
        Messages for the layers, in this order.
    lost, found
        Liveness of the neighbour was lost, or is there again; the layers hear of a loss before anything in `up`.
    """

    out: list[Datagram] = field(default_factory=list)
    up: list[Message] = field(default_factory=list)
    lost: bool = False
    found: bool = False


class Reliable:
    """One end.

    Parameters
    ----------
    node
        Number of this node.
    timeout
        Time after which an unanswered message is repeated, more than a round trip [ps].
    tries
        Timeouts in a row that count as loss of liveness.
    interval
        Time of silence after which the neighbour is asked whether it lives [ps]; None never asks.
    incarnation
        Number of this start of the node.
    theirs
        That of the neighbour, where both ends are synchronised.
    synchronised
        Whether both ends are known to begin at number 0, so that no `Keepalive` is needed before the first message.

    Attributes
    ----------
    deadline
        When `due` has to be called [ps], or None.
    repeated
        Datagrams sent again.
    strays
        Datagrams from or for another start, dropped.
    """

    def __init__(
        self,
        node: int,
        timeout: int,
        *,
        tries: int = 16,
        interval: int | None = None,
        incarnation: int = 0,
        theirs: int = 0,
        synchronised: bool = True,
    ) -> None:
        self.node = node
        self.timeout = timeout
        self.tries = tries
        self.interval = interval
        self.incarnation = incarnation
        self.theirs: int | None = theirs if synchronised else None
        self.up = synchronised
        self.deadline: int | None = None
        self.repeated = 0
        self.strays = 0
        self._asking = False
        self._begin()

    def _begin(self) -> None:
        """Count from 0 in both directions."""
        self.flight: deque[Message] = deque()
        self.waiting: deque[Message] = deque()
        self.base = 0
        self.expected = 0
        self.early: dict[int, Message] = {}
        self.vain = 0

    # -- inputs -------------------------------------------------------------------------------------------------------

    def start(self, now: int) -> Step:
        """Ask whether the neighbour is there; for ends that are not synchronised or have an interval."""
        self._asking = not self.up
        step = Step([self._ask()] if self._asking else [])
        self._arm(now)
        return step

    def send(self, message: Message, now: int) -> Step:
        """Take a message from the layers."""
        self.waiting.append(message)
        if len(self.waiting) > WAITING:
            return self._lose(now)
        step = Step()
        self._release(step)
        if self.deadline is None:
            self._arm(now)
        return step

    def receive(self, datagram: Datagram, now: int) -> Step:
        """Take a datagram from the carrier."""
        message = datagram.message
        if isinstance(message, Keepalive):
            return self._keepalive(message, datagram, now)
        step = Step()
        if not self.up or datagram.tag != Tag(self.theirs or 0, self.incarnation):
            self.strays += 1
            return step
        if isinstance(message, ChannelAck):
            self._acknowledged(message.expected, step, now)
        elif datagram.wanted:
            ahead = (datagram.sequence - self.expected) % NUMBERS
            if ahead < FLIGHT:
                self.early[datagram.sequence] = message
            while self.expected in self.early:
                step.up.append(self.early.pop(self.expected))
                self.expected = (self.expected + 1) % NUMBERS
            step.out.append(self._datagram(ChannelAck(self.expected)))
        if self.interval is not None and not self.flight:
            self._heard(now)
        return step

    def due(self, now: int) -> Step:
        """Do what the deadline asks for; nothing if it has not come."""
        if self.deadline is None or now < self.deadline:
            return Step()
        if not (self.flight or self._asking):  # silence
            self._asking = True
            self.vain = 0
        else:
            self.vain += 1
            if self.up and self.vain >= self.tries:
                return self._lose(now)
        step = Step()
        if self._asking:
            step.out.append(self._ask())
        step.out += [self._datagram(m, (self.base + i) % NUMBERS, wanted=True) for i, m in enumerate(self.flight)]
        self.repeated += len(step.out)
        self._arm(now)
        return step

    # -- what follows -------------------------------------------------------------------------------------------------

    def _datagram(self, message: Message, sequence: int = 0, *, wanted: bool = False) -> Datagram:
        return Datagram(message, sequence, wanted, Tag(self.incarnation, self.theirs or 0))

    def _ask(self) -> Datagram:
        return self._datagram(Keepalive(self.node, self.incarnation), wanted=True)

    def _arm(self, now: int) -> None:
        """Set the deadline for what is under way."""
        if self.flight or self._asking:
            self.deadline = now + self.timeout * min(1 << self.vain, LONGEST)
        else:
            self.deadline = None if self.interval is None else now + self.interval

    def _heard(self, now: int) -> None:
        """The neighbour lives."""
        self._asking = False
        self.vain = 0
        self._arm(now)

    def _release(self, step: Step) -> None:
        """Send what waits as far as there is room."""
        while self.up and self.waiting and len(self.flight) < FLIGHT:
            message = self.waiting.popleft()
            step.out.append(self._datagram(message, (self.base + len(self.flight)) % NUMBERS, wanted=True))
            self.flight.append(message)

    def _acknowledged(self, expected: int, step: Step, now: int) -> None:
        count = (expected - self.base) % NUMBERS
        if not 0 < count <= len(self.flight):
            return  # old, or of another incarnation
        for _ in range(count):
            self.flight.popleft()
        self.base = expected
        self._release(step)
        self._heard(now)

    def _keepalive(self, message: Keepalive, datagram: Datagram, now: int) -> Step:
        step, answer = Step(), datagram.wanted
        past = self.theirs is not None and is_older(message.incarnation, self.theirs)
        if past or (not answer and datagram.tag.receiver != self.incarnation):
            self.strays += 1
            return step
        if message.incarnation != self.theirs:
            if self.theirs is not None and self.up:
                step.lost = True
            self.theirs = message.incarnation
            if self.up:
                self._begin()
        if answer:
            step.out.append(self._datagram(Keepalive(self.node, self.incarnation)))
        else:
            self._asking = False
        if not self.up and not answer:
            self.up = step.found = True
            self._release(step)
        elif step.lost:
            step.found = True
        self._heard(now) if not self._asking else self._arm(now)
        return step

    def _lose(self, now: int) -> Step:
        """Give the neighbour up and ask for it from now on."""
        self._begin()
        self.incarnation += 1
        self.up = False
        self._asking = True
        step = Step([self._ask()], lost=True)
        self._arm(now)
        return step
