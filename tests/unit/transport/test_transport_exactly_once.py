"""Two ends of a teleporting session, and everything between them that can go wrong.

Messages of the two ends are delayed, reordered and doubled; pairs become known to either end at any time and in any
order, some only to one; the circuit may break, either application may close or reset.  A model of the qubits says what
is where, so that frames and copies are checked against physics and not against the layer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from qstack.core.clock import SECOND
from qstack.core.layer import Context
from qstack.core.nouns import Cancel, Noun, Send, Set, Timer
from qstack.services.device import Apply, BellMeasure, BellMeasured, Free
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected, Pair
from qstack.services.l3_network import Lost as PairLost
from qstack.services.l4_transport import (
    DETERMINISTIC,
    REACTIVE,
    TELEPORT,
    Close,
    Closed,
    Credit,
    Lost,
    Open,
    Opened,
    Received,
    Refused,
    Release,
    Reset,
    Returned,
    Sent,
    Transmit,
)
from qstack.transport.layer import TransportLayer
from qstack.wire.transport import Acknowledgement, Loss

SESSION = 7
SENDER, RECEIVER = 0, 1


class World:
    """Two nodes, their qubits, and what is on its way between them."""

    def __init__(self, chance: random.Random, *, consumption: int, window: int, ordered: bool, number: int) -> None:
        self.chance = chance
        self.layers = (TransportLayer(patience=SECOND), TransportLayer(patience=SECOND))
        self.tables = [layer.handlers() for layer in self.layers]
        self.now = 0
        self.ways: tuple[list[Noun], list[Noun]] = ([], [])  # to node 0, to node 1
        self.timers: dict[tuple[int, Timer], int] = {}
        self.answers: list[BellMeasured] = []
        self.told: tuple[list[Noun], list[Noun]] = ([], [])
        self.data: set[int] = set()  # data qubits at the sender
        self.halves: tuple[set[int], set[int]] = (set(), set())
        self.partner: dict[int, tuple[int, int]] = {}  # sender's half: receiver's half, Bell index
        self.content: dict[int, list[int]] = {}  # receiver's half: data qubit and Pauli on it
        self.circuit = False
        self.late_pairs: list[tuple[int, Pair]] = []
        self.told_pairs: list[tuple[int, Pair]] = []
        self.pairs = 0
        self.given = 0
        self.terms = (consumption, window, ordered, number)
        self.feed(SENDER, Open(SESSION, RECEIVER, 0.8, number, TELEPORT, consumption, window, ordered))

    # -- running ------------------------------------------------------------------------------------------------------

    def feed(self, node: int, noun: Noun) -> None:
        context = Context(node)
        context.now = self.now
        context.sender = 1 - node
        for answer in list(self.tables[node][type(noun)](noun, context)):
            self.obey(node, answer)

    def obey(self, node: int, answer: Noun) -> None:  # noqa: C901 - one case for everything a layer may want
        match answer:
            case Send(_, message):
                self.ways[1 - node].append(message)
            case Set(timer, at):
                self.timers[node, timer] = at
            case Cancel(timer):
                self.timers.pop((node, timer), None)
            case Connect():
                self.circuit = True
                for end in (SENDER, RECEIVER):
                    self.feed(end, Connected(SESSION, 1 - end, end == SENDER, 0))
            case Disconnect():
                self.cut(0)
            case BellMeasure(data, half, purpose):
                self.data.remove(data)
                self.halves[SENDER].remove(half)
                outcome = self.chance.randrange(4)
                there, bell = self.partner[half]
                if there in self.halves[RECEIVER] or any(there == pair.qubit for _, pair in self.late_pairs):
                    self.content[there] = [data, bell ^ outcome]
                self.answers.append(BellMeasured(data, half, outcome, purpose))
            case Apply(qubit, pauli):
                assert qubit in self.halves[node]
                self.content[qubit][1] ^= pauli
            case Free(qubit):
                self.halves[node].remove(qubit)
                self.content.pop(qubit, None)
            case Opened() | Closed() | Refused() | Credit() | Sent() | Received() | Lost() | Returned():
                self.told[node].append(answer)
                if isinstance(answer, Received):
                    self.check(answer)
            case _:
                raise AssertionError(f"nobody asked for {answer}")

    def cut(self, reason: int) -> None:
        """End the circuit: what the network holds it frees."""
        if self.circuit:
            self.circuit = False
            for _, pair in self.late_pairs:
                self.content.pop(pair.qubit, None)
            self.late_pairs.clear()
            for end in (SENDER, RECEIVER):
                self.feed(end, Disconnected(SESSION, reason))

    def check(self, news: Received) -> None:
        """The data qubit of this number is here, and its frame is what the physics says."""
        data, pauli = self.content.pop(news.qubit)
        self.halves[RECEIVER].remove(news.qubit)
        consumption, window, ordered, _ = self.terms
        assert news.frame == pauli
        assert consumption == REACTIVE or pauli == 0
        sent = [s for s in self.told[SENDER] if isinstance(s, Sent) and s.sequence == news.sequence]
        assert [s.qubit for s in sent] == [data]
        received = [r.sequence for r in self.told[RECEIVER] if isinstance(r, Received)]
        assert len(received) == len(set(received))
        assert len(received) - self.given <= window
        if ordered:
            fates = [r.sequence for r in self.told[RECEIVER] if isinstance(r, Received | Lost)]
            assert fates == list(range(len(fates)))

    # -- what may happen ----------------------------------------------------------------------------------------------

    def make_pair(self) -> None:
        """Make a pair; either end hears of it now or later."""
        if not self.circuit:
            return
        here, there = 1000 + self.pairs, 2000 + self.pairs
        bell = self.chance.randrange(4)
        self.partner[here] = there, bell
        news = [
            (SENDER, Pair(SESSION, self.pairs, bell, here, 0.9, 0)),
            (RECEIVER, Pair(SESSION, self.pairs, bell, there, 0.9, -1)),
        ]
        self.pairs += 1
        self.late_pairs += news
        for which in news:
            if self.chance.random() < 0.5 and which in self.late_pairs:
                self.deliver(self.late_pairs.index(which))

    def deliver(self, place: int) -> None:
        node, pair = self.late_pairs.pop(place)
        self.told_pairs.append((node, pair))
        self.halves[node].add(pair.qubit)
        self.feed(node, pair)

    def lose(self) -> None:
        """Take a pair back that an end has been told of; the other end is told, too, or never hears of its half."""
        if not self.circuit or not self.told_pairs:
            return
        node, pair = self.told_pairs.pop(self.chance.randrange(len(self.told_pairs)))
        unheard = [known for known in self.late_pairs if known[1].pair == pair.pair]
        for known in unheard:
            self.late_pairs.remove(known)
            self.content.pop(known[1].qubit, None)
        other = [known for known in self.told_pairs if known[1].pair == pair.pair]
        for end, gone in [(node, pair), *other]:
            if end == SENDER or gone.qubit not in self.content or self.chance.random() < 0.5:
                self.feed(end, PairLost(SESSION, gone.pair, gone.qubit, 5))
        self.told_pairs = [known for known in self.told_pairs if known not in other]

    def transmit(self) -> None:
        number = self.terms[3]
        count = sum(isinstance(n, Opened) for n in self.told[SENDER])
        qubit = 100 + self.given_in
        if not count or SESSION not in self.layers[SENDER].sessions or (number and self.given_in >= number):
            return
        self.data.add(qubit)
        self.feed(SENDER, Transmit(SESSION, qubit))

    @property
    def given_in(self) -> int:
        told = self.told[SENDER]
        gone = sum(isinstance(n, Sent) for n in told) + len(self.answers)
        return gone + len(self.data)

    def arrive(self, node: int) -> None:
        """Let any message of a way arrive, and perhaps a second time."""
        way = self.ways[node]
        if way:
            place = self.chance.randrange(min(3, len(way)))
            if any(isinstance(message, Loss) for message in way[: place + 1]):
                place = 0  # what ACK says of a qubit that LOSS tells of has to come after it: the channel is ordered
            message = way[place] if self.chance.random() < 0.2 else way.pop(place)
            self.feed(node, message)

    def answer(self) -> None:
        if self.answers:
            self.feed(SENDER, self.answers.pop(0))

    def release(self) -> None:
        if self.given < sum(isinstance(n, Received) for n in self.told[RECEIVER]):
            self.given += 1
            self.feed(RECEIVER, Release(SESSION))

    def quiesce(self) -> None:
        """Let everything arrive and every timer fire."""
        for _ in range(400):
            if self.answers:
                self.answer()
            elif self.ways[0]:
                self.feed(0, self.ways[0].pop(0))
            elif self.ways[1]:
                self.feed(1, self.ways[1].pop(0))
            elif self.timers:
                (node, timer), at = min(self.timers.items(), key=lambda item: item[1])
                del self.timers[node, timer]
                self.now = max(self.now, at)
                self.feed(node, timer)
            else:
                return
        raise AssertionError("it never comes to rest")


def steps(world: World) -> list[Callable[[], Any]]:
    """Return what may happen, the frequent things more than once."""
    return [
        *[world.make_pair, world.transmit, lambda: world.arrive(RECEIVER)] * 2,
        lambda: world.late_pairs and world.deliver(world.chance.randrange(len(world.late_pairs))),
        world.answer,
        lambda: world.arrive(SENDER),
        world.release,
        lambda: world.chance.random() < 0.2 and world.lose(),
    ]


ENDS: dict[str, Callable[[World], None]] = {
    "close": lambda world: world.feed(SENDER, Close(SESSION)),
    "break": lambda world: world.cut(20),
    "reset": lambda world: world.feed(SENDER, Reset(SESSION)),
    "receiver resets": lambda world: world.feed(RECEIVER, Reset(SESSION)),
    "receiver closes": lambda world: world.feed(RECEIVER, Close(SESSION)),
}


def live(seed: int) -> World:
    """Live one random life of a session, and check what is left of it."""
    chance = random.Random(seed)
    world = World(
        chance,
        consumption=chance.choice([REACTIVE, DETERMINISTIC]),
        window=chance.randint(1, 4),
        ordered=chance.random() < 0.5,
        number=chance.choice([0, 0, 6]),
    )
    if chance.random() < 0.9:  # mostly, let the session come to stand
        world.feed(RECEIVER, world.ways[1].pop(0))
        world.feed(SENDER, world.ways[0].pop(0))
    things = steps(world)
    for _ in range(chance.randrange(120)):
        chance.choice(things)()
    end = chance.choice(list(ENDS))
    ENDS[end](world)
    world.quiesce()
    if SESSION in world.layers[SENDER].sessions:  # nobody was there yet to be asked to stop
        world.feed(SENDER, Close(SESSION))
        world.quiesce()
    assert not world.layers[SENDER].sessions
    assert not world.layers[RECEIVER].sessions
    assert not world.halves[SENDER]
    assert not world.halves[RECEIVER] - {r.qubit for r in world.told[RECEIVER] if isinstance(r, Received)}
    sent = {n.sequence: n.qubit for n in world.told[SENDER] if isinstance(n, Sent)}
    returned = [n.qubit for n in world.told[SENDER] if isinstance(n, Returned)]
    assert len(returned) == len(set(returned))
    assert not set(sent.values()) & set(returned), "a copy"  # QS-L4-006
    assert world.data == set(returned), "a qubit that was not sent stays with the sender"  # QS-L4-001
    received = {n.sequence for n in world.told[RECEIVER] if isinstance(n, Received)}
    lost = {n.sequence: n.erasure for n in world.told[SENDER] if isinstance(n, Lost)}
    assert received <= set(sent)
    assert not received & {number for number, erasure in lost.items() if erasure}
    if end != "reset" and end != "receiver resets":
        assert set(sent) == received | set(lost), "every qubit has a fate"  # QS-L4-002
    for told in world.told:
        kinds = Counter(type(n) for n in told)
        assert kinds[Closed] <= 1
        assert not (kinds[Refused] and kinds[Opened]), "refused, and yet it stood"
    return world


@pytest.mark.requirement("QS-L4-001", "QS-L4-002", "QS-L4-003", "QS-L4-005", "QS-L4-006", "QS-L4-007", "QS-L4-011")
def test_exactly_once_whatever_happens() -> None:
    seen = Counter(type(n).__name__ for seed in range(500) for told in live(seed).told for n in told)
    assert min(seen[name] for name in ("Received", "Lost", "Returned", "Credit", "Sent")) > 100, seen


@pytest.mark.slow
def test_exactly_once_in_many_more_lives() -> None:
    for seed in range(500, 10_500):
        live(seed)


@pytest.mark.parametrize("window", [1, 3])
def test_a_session_in_good_order(window: int) -> None:
    world = World(random.Random(1), consumption=DETERMINISTIC, window=window, ordered=True, number=5)
    world.quiesce()
    for k in range(5):
        world.transmit()
        here, there = 1000 + k, 2000 + k
        world.partner[here] = there, 1
        world.late_pairs += [
            (SENDER, Pair(SESSION, k, 1, here, 0.9, 0)),
            (RECEIVER, Pair(SESSION, k, 1, there, 0.9, -1)),
        ]
        world.deliver(0)
        world.deliver(0)
        while world.answers or world.ways[0] or world.ways[1]:
            world.answer()
            for node in (SENDER, RECEIVER):
                if world.ways[node]:
                    world.feed(node, world.ways[node].pop(0))
        world.release()
        while world.ways[0]:
            world.feed(SENDER, world.ways[0].pop(0))
    world.quiesce()
    assert [n.sequence for n in world.told[RECEIVER] if isinstance(n, Received)] == [0, 1, 2, 3, 4]
    assert [type(told[-1]) for told in world.told] == [Closed, Closed]
    assert not any(isinstance(message, Acknowledgement) for message in world.ways[0])
