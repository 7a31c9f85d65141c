"""The example's link layer: whole under the reference's network layer, and alone over a line that loses messages."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

import pytest

import qstack
from qstack.core.layer import Context
from qstack.core.nouns import Cancel, Send, Set
from qstack.plugin.discovery import inline
from qstack.plugin.sites import Neighbour
from qstack.services.l1_physical import Attempt, Heralded
from qstack.services.l2_link import Accepted, Create, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.services.strategies import Row
from qstack.wire.link import Add, AddAck, AddRej, Drop

EXAMPLE = Path(__file__).parents[3] / "examples" / "replace-link"
DELAY = 1000


class Bench:
    """Two ends of one link, a line that may lose messages but keeps their order, and a device that always succeeds."""

    def __init__(self, loss=0.0, seed=0):
        (plugin,) = inline(EXAMPLE)
        self.layers = [
            plugin.module.StopAndWait({1 - n: Neighbour(1 - n, 1, DELAY, (Row(0.1, 1.0, 0.9),), 1)}) for n in (0, 1)
        ]
        self.tables = [layer.handlers() for layer in self.layers]
        self.contexts = [Context(0), Context(1)]
        self.now = 0
        self.line = deque()  # (due, sender, message)
        self.timers = [{}, {}]
        self.standing = [-1, -1]
        self.up = [[], []]
        self.loss = loss
        self.random = random.Random(seed)
        self.sequence = 0

    def feed(self, node, noun, sender=-1):
        context = self.contexts[node]
        context.now, context.sender = self.now, sender
        for out in self.tables[node][type(noun)](noun, context):
            if isinstance(out, Send):
                if self.random.random() >= self.loss:
                    self.line.append((self.now + DELAY, node, out.message))
            elif isinstance(out, Set):
                self.timers[node][out.timer] = out.at
            elif isinstance(out, Cancel):
                self.timers[node].pop(out.timer, None)
            elif isinstance(out, Attempt):
                self.standing[node] = out.aid
            else:
                self.up[node].append(out)

    def step(self):
        """Do what is due next; return False if nothing is left to do."""
        due = [(at, 0, None) for at, _, _ in list(self.line)[:1]]
        due += [(at, 1, (node, timer)) for node in (0, 1) for timer, at in self.timers[node].items()]
        agreed = self.standing[0] >= 0 and self.standing[0] == self.standing[1]
        if agreed:
            due.append((self.now + 300, 2, None))
        if not due:
            return False
        self.now, what, which = min(due, key=lambda item: item[:2])
        if what == 0:
            _, sender, message = self.line.popleft()
            self.feed(1 - sender, message, sender)
        elif what == 1:
            del self.timers[which[0]][which[1]]
            self.feed(*which)
        else:
            self.sequence += 1
            aid = self.standing[0]
            for node in (0, 1):
                self.feed(node, Heralded(1 - node, 0, aid, self.sequence, 2, 100 + self.sequence, self.now, -1, -1))
        return True

    def run(self, steps=20_000):
        for _ in range(steps):
            if not self.step():
                return
        pytest.fail("the two ends never come to rest")

    def oks(self, node):
        return [(ok.purpose, ok.sequence, ok.bell, ok.qubit) for ok in self.up[node] if isinstance(ok, Ok)]

    def errs(self, node):
        return [(err.purpose, err.reason) for err in self.up[node] if isinstance(err, Err)]


def request(peer, purpose, number=3, **changes):
    return Create(**{"peer": peer, "purpose": purpose, "number": number, "min_fidelity": 0.8, **changes})


def test_both_ends_are_told_of_the_same_pairs():
    bench = Bench()
    bench.feed(0, request(1, 7))
    bench.run()
    assert bench.oks(0) == bench.oks(1) == [(7, 1, 2, 101), (7, 2, 2, 102), (7, 3, 2, 103)]
    assert isinstance(bench.up[0][0], Accepted)
    assert bench.standing == [-1, -1]


def test_one_request_at_a_time_the_older_first_whoever_asks():
    bench = Bench()
    bench.feed(1, request(0, 5))
    bench.now += 1
    bench.feed(0, request(1, 6))
    bench.feed(0, request(1, 8))
    bench.run()
    assert [purpose for purpose, *_ in bench.oks(0)] == [5, 5, 5, 6, 6, 6, 8, 8, 8]
    assert bench.oks(0) == bench.oks(1)


def test_requests_of_the_same_instant_go_by_node_number():
    bench = Bench()
    bench.feed(1, request(0, 5))
    bench.feed(0, request(1, 6))
    bench.run()
    assert [purpose for purpose, *_ in bench.oks(1)] == [6, 6, 6, 5, 5, 5]


def test_question_is_asked_three_times_and_then_fails():
    bench = Bench(loss=1.0)
    bench.feed(0, request(1, 7))
    bench.run()
    assert bench.errs(0) == [(7, Reason.NOTIME)]
    assert bench.now == 3 * 6 * DELAY


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"min_fidelity": 0.95}, Reason.UNSUPP),
        ({"max_time": 10}, Reason.UNSUPP),
        ({"number": 0}, Reason.CREATE),
        ({"number": 1 << 16}, Reason.CREATE),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(changes, reason):
    bench = Bench()
    bench.feed(0, request(1, 7, **changes))
    assert bench.errs(0) == [(7, reason)]
    assert not bench.line


def test_peer_that_cannot_serve_says_so():
    bench = Bench()
    bench.feed(0, request(1, 7))
    (_, _, add), bench.line = bench.line[0], deque()
    bench.feed(0, AddRej(add.cseq, Reason.UNSUPP), 1)
    bench.run()
    assert bench.errs(0) == [(7, Reason.UNSUPP)]


def test_repeated_question_gets_the_same_answer():
    bench = Bench()
    bench.feed(0, request(1, 7))
    add = bench.line.popleft()[2]
    bench.feed(1, add, 0)
    bench.feed(1, add, 0)
    assert [message for _, _, message in bench.line] == [AddAck(add.cseq, add.aid)] * 2
    assert isinstance(add, Add)


@pytest.mark.parametrize("node", [0, 1])
def test_withdrawal_ends_the_request_at_both_ends(node):
    bench = Bench()
    bench.feed(0, request(1, 7, 1000))
    while len(bench.oks(0)) < 2:
        bench.step()
    bench.feed(node, Withdraw(1 - node, 7))
    bench.run()
    assert bench.standing == [-1, -1]
    assert bench.oks(0) == bench.oks(1)
    bench.feed(1, request(0, 9))
    bench.run()
    assert [purpose for purpose, *_ in bench.oks(0)][-3:] == [9, 9, 9]


def test_herald_of_an_ended_request_is_freed():
    bench = Bench()
    bench.feed(0, Heralded(1, 0, 44, 1, 2, 55, 0, -1, -1))
    assert [type(noun).__name__ for noun in bench.up[0]] == ["Free"]
    bench.feed(0, Heralded(1, 0, 44, 1, 2, -1, 0, 0, 1))
    assert len(bench.up[0]) == 1


def test_lost_withdrawal_is_mended_by_the_next_question():
    bench = Bench()
    bench.feed(0, request(1, 7, 1000))
    while len(bench.oks(0)) < 2:
        bench.step()
    bench.feed(0, Withdraw(1, 7))
    assert isinstance(bench.line.pop()[2], Drop)
    bench.feed(0, request(1, 9))
    bench.run()
    assert [purpose for purpose, *_ in bench.oks(1)][-3:] == [9, 9, 9]
    assert bench.standing == [-1, -1]


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_lost_or_served_twice_over_a_line_that_loses_a_third(seed):
    bench = Bench(loss=0.33, seed=seed)
    asked = {node: [] for node in (0, 1)}
    for turn in range(12):
        node = bench.random.randrange(2)
        purpose = 2 * turn + node
        asked[node].append(purpose)
        bench.feed(node, request(1 - node, purpose))
        for _ in range(bench.random.randrange(10)):
            bench.step()
    bench.run()
    bench.loss = 0.0  # the line is mended, and both ends have something to say
    for node in (0, 1):
        asked[node].append(100 + node)
        bench.feed(node, request(1 - node, 100 + node))
        bench.run()
    assert bench.standing == [-1, -1]
    assert bench.oks(0) == bench.oks(1)
    served = [purpose for purpose, *_ in bench.oks(0)]
    for node in (0, 1):
        failed = [purpose for purpose, reason in bench.errs(node) if reason == Reason.NOTIME]
        assert {p: served.count(p) for p in asked[node]} == {p: 0 if p in failed else 3 for p in asked[node]}


@pytest.mark.requirement("QS-PL-014")
def test_pairs_end_to_end_under_the_reference_network_layer():
    result = qstack.load(EXAMPLE / "scenario.yaml").run()
    assert [flow.delivered for flow in result.flows] == [200, 200]
    for flow in result.flows:
        assert flow.fidelity.mean > 0.85
        assert abs(flow.fidelity.mean - flow.estimates.mean()) < 0.02
    again = qstack.load(EXAMPLE / "scenario.yaml").run()
    assert again.summary() == result.summary()
