"""Tests of network layers over a longer course: three nodes, links that make pairs in turn, and who is entangled with whom."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import ClassVar

from qstack.conformance.bench import Clockwork
from qstack.conformance.marks import course, requirement
from qstack.conformance.network_talk import LONG
from qstack.conformance.stand import DELAY, LANES, NODES, PERIOD, Make, expect, layers
from qstack.conformance.transcript import Transcript
from qstack.core.nouns import Noun, Send
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l2_link import Accepted, Create, Ok, Withdraw
from qstack.services.l3_network import Connect, Connected, Disconnect, Disconnected, Pair

PAUSE = 5 * PERIOD
"""Time between two pairs of a link [ps]."""
LINKS = tuple((node, node + 1) for node in range(NODES - 1))


class Chain(Clockwork):
    """Three nodes with the subject on each; links, device and line are the suite's, and it knows every pair.

    Parameters
    ----------
    make
        The subject.
    """

    longest: ClassVar[int] = 20_000

    def __init__(self, make: Make) -> None:
        super().__init__({node: Transcript(*layers(make, node), node=node) for node in range(NODES)})
        self.asked: dict[tuple[int, int], list[tuple[int, int]]] = {link: [] for link in LINKS}
        self.left: dict[tuple[tuple[int, int], int], int] = {}
        self.partner: dict[tuple[int, int], tuple[int, int, int]] = {}
        self.held: dict[tuple[int, int], tuple[int, int]] = {}
        self.sequence = dict.fromkeys(LINKS, 0)
        self.numbers = count(1)
        self.told: dict[int, list[Noun]] = {node: [] for node in range(NODES)}
        self.truth: dict[tuple[int, int, int], tuple[int, int, int, int]] = {}

    def read(self, node: int, answers: Iterable[Noun]) -> None:
        """Be the links and the device under the nodes; keep what their users are told."""
        for answer in answers:
            if isinstance(answer, Send):
                self.line.append((self.now + DELAY, answer.peer, node, answer.message))
            elif isinstance(answer, Create):
                link = (min(node, answer.peer), max(node, answer.peer))
                number = next(self.numbers)
                self.asked[link].append((answer.purpose, node))
                self.left[link, answer.purpose] = answer.number
                self.give(node, Accepted(answer.peer, answer.purpose, number))
            elif isinstance(answer, Withdraw):
                link = (min(node, answer.peer), max(node, answer.peer))
                self.asked[link] = [one for one in self.asked[link] if one[0] != answer.purpose]
            elif isinstance(answer, Swap):
                self._swap(node, answer)
            elif isinstance(answer, Free):
                self._free(node, answer.qubit)
            else:
                self._tell(node, answer)

    def _tell(self, node: int, answer: Noun) -> None:
        self.told[node].append(answer)
        if isinstance(answer, Pair):
            other, qubit, bell = self.partner[node, answer.qubit]
            self.truth[node, answer.session, answer.pair] = (answer.qubit, other, qubit, bell)
            self.held.pop((node, answer.qubit), None)

    def _swap(self, node: int, swap: Swap) -> None:
        (a, qa, first), (b, qb, second) = (self.partner.pop((node, q)) for q in (swap.left, swap.right))
        outcome = (first + 2 * second + self.now // PERIOD) % 4
        bell = first ^ second ^ outcome
        self.partner[a, qa], self.partner[b, qb] = (b, qb, bell), (a, qa, bell)
        for qubit in (swap.left, swap.right):
            self.held.pop((node, qubit), None)
        self.give(node, Swapped(swap.left, swap.right, outcome))

    def _free(self, node: int, qubit: int) -> None:
        if (node, qubit) not in self.partner:
            raise self.ends[node].mismatch(f"- no second use of qubit {qubit}")
        del self.partner[node, qubit]
        self.held.pop((node, qubit), None)

    def step(self) -> int:
        """Return the time between two pairs of a link while one can be made [ps]."""
        return PAUSE if any(self._room(link) for link in LINKS) else 0

    def make(self) -> None:
        """Make a pair on every link that wants one."""
        if self.now % PAUSE == 0:
            for link in LINKS:
                self._make(link)

    def _room(self, link: tuple[int, int]) -> bool:
        used = (sum(where == (node, peer) for where in self._places(node)) for node, peer in (link, link[::-1]))
        return bool(self.asked[link]) and all(number < LANES for number in used)

    def _places(self, node: int) -> list[tuple[int, int]]:
        return [(at, peer) for (at, _), (_, peer) in self.held.items() if at == node]

    def _make(self, link: tuple[int, int]) -> None:
        """Make a pair for one of the link's purposes, in turn, and tell both ends."""
        if not self._room(link):
            return
        sequence = self.sequence[link]
        self.sequence[link] = sequence + 1
        purpose, asker = self.asked[link][sequence % len(self.asked[link])]
        self.left[link, purpose] -= 1
        if not self.left[link, purpose]:
            self.asked[link] = [one for one in self.asked[link] if one[0] != purpose]
        qubits = {node: next(self.numbers) for node in link}
        bell = sequence * 7 % 4
        for node, peer in (link, link[::-1]):
            self.partner[node, qubits[node]] = (peer, qubits[peer], bell)
            self.held[node, qubits[node]] = (node, peer)
        for node, peer in (link, link[::-1]):
            ok = (sequence, bell, 0.9, self.now, qubits[node], asker != node, -1, -1)
            self.give(node, Ok(peer, purpose, 1, *ok))

    # -- what must hold -----------------------------------------------------------------------------------------------

    def pairs(self, session: int, ends: tuple[int, int], number: int) -> None:
        """Expect so many pairs of a session at both ends: the same numbers and indices, and really entangled so.

        Raises
        ------
        TranscriptError
            If something else was told.
        """
        told = [[one for one in self.told[node] if isinstance(one, Pair) and one.session == session] for node in ends]
        one, other = ({(pair.pair, pair.bell) for pair in pairs} for pairs in told)
        head = self.ends[ends[0]]
        expect(head, one == other, f"the same pairs of session {session} at both ends: {one} and {other}")
        expect(head, len(told[0]) == len(one) == number, f"{number} pairs of session {session}, not {len(told[0])}")
        for pair, bell in one:
            mine, theirs = (self.truth[node, session, pair] for node in ends)
            expect(
                head, mine[1:3] == (ends[1], theirs[0]), f"pair {pair} entangled with the same pair at the other end"
            )
            expect(head, mine[3] == bell, f"pair {pair} in state {mine[3]}, as it was told, not {bell}")

    def quiet(self) -> None:
        """Expect that nothing is left: no request, no half but those that users hold, no timer but those that tidy up.

        Raises
        ------
        TranscriptError
            If something is.
        """
        for node, end in self.ends.items():
            left = [timer for timer in end.timers if not timer.housekeeping]
            expect(end, not left, "no timer when all is done")
            kept = [qubit for at, qubit in self.held if at == node]
            expect(end, not kept, f"no half that nobody wants, not {kept}")
        expect(self.ends[0], not any(self.asked.values()), "no request at a link when all is done")


class CourseTests:
    """A chain over time."""

    @course
    @requirement("QS-L3-001", "QS-L3-002", "QS-L3-034")
    def test_pairs_are_what_both_ends_are_told(self, make: Make) -> None:
        """From either end, over one hop and over two, and nothing is left afterwards."""
        for source, target in ((0, 2), (2, 0), (0, 1), (2, 1)):
            chain = Chain(make)
            chain.give(source, Connect(7, target, 0.7, 9))
            chain.run(LONG)
            chain.pairs(7, (source, target), 9)
            chain.quiet()
            for node, initiator in ((source, True), (target, False)):
                found = [told for told in chain.told[node] if isinstance(told, Connected)]
                peer = target if initiator else source
                expect(
                    chain.ends[node],
                    [(one.session, one.peer, one.initiator) for one in found] == [(7, peer, initiator)],
                    "one Connected",
                )

    @course
    @requirement("QS-L3-010", "QS-L3-001")
    def test_circuits_that_share_links(self, make: Make) -> None:
        """Both ways, and over a part of the path; each session has its own pairs."""
        chain = Chain(make)
        wanted = {1: (0, 2, 12), 2: (2, 0, 10), 3: (0, 1, 8), 4: (1, 2, 6), 5: (0, 2, 4)}
        for session, (source, target, number) in wanted.items():
            chain.give(source, Connect(session, target, 0.7 + session / 100, number))
        chain.run(LONG)
        for session, (source, target, number) in wanted.items():
            chain.pairs(session, (source, target), number)
        chain.quiet()

    @course
    @requirement("QS-L3-011", "QS-L3-009")
    def test_a_disconnect_leaves_nothing(self, make: Make) -> None:
        """While it is set up or pairs are under way; another circuit goes on."""
        for cycles in (3, 6, 11, 16, 21):
            chain = Chain(make)
            chain.give(0, Connect(1, 2, 0.7, 0))
            chain.give(2, Connect(2, 0, 0.72, 9))
            chain.run(cycles * PAUSE)
            chain.give(0, Disconnect(1))
            chain.run(LONG)
            for end in (0, 2):
                gone = [told for told in chain.told[end] if isinstance(told, Disconnected) and told.session == 1]
                expect(chain.ends[end], len(gone) == 1, "one Disconnected of the session that was ended")
            chain.pairs(2, (2, 0), 9)
            chain.quiet()

    @course
    @requirement("QS-L3-013", "QS-L3-041")
    def test_many_circuits_one_after_the_other(self, make: Make) -> None:
        """Labels and numbers are used again."""
        chain = Chain(make)
        for session in range(1, 13):
            chain.give(0, Connect(session, 2, 0.7, 2))
            chain.run(session * LONG)
            chain.pairs(session, (0, 2), 2)
            chain.give(0, Disconnect(session))
            chain.run(session * LONG + LONG // 2)
            chain.quiet()
