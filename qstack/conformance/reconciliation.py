"""The suite for key reconciliation: two ends at work, and a channel between them that counts every bit.

A vendor writes one fixture::

    class TestMine(ReconciliationSuite):
        @pytest.fixture
        def make(self):
            return lambda: MyReconciler()

Keys, errors and the order of messages are the suite's and the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qstack.conformance.chance import seeded
from qstack.conformance.marks import requirement
from qstack.core.errors import ProtocolError
from qstack.plugin.chance import generator
from qstack.quantum.bounds import binary_entropy

Bits = NDArray[np.uint8]
MakeReconciler = Callable[[], Any]
LENGTH = 1024
RATES = (0.01, 0.03, 0.06, 0.1)
ROUNDS = 4
"""Blocks for each rate."""
FAILURE = 0.01
"""Probability that a block stays wrong, for a scheme whose `failure` does not say it."""
MOST = 20_000
"""Messages after which two ends count as never coming to an end."""


@dataclass(slots=True)
class Talk:
    """What became of one block: both keys before and after, and what either end said [bit]."""

    alice: Any
    bob: Any
    sent: Bits
    received: Bits
    said: list[Bits]
    heard: list[Bits]

    @property
    def leaked(self) -> int:
        """Bits that Alice said."""
        return sum(len(word) for word in self.said)

    @property
    def equal(self) -> bool:
        """Whether both ends hold the same key now."""
        return bool(np.array_equal(self.alice.key, self.bob.key))


def keys(rate: float, number: int) -> tuple[Bits, Bits]:
    """Return two keys, one with errors at this rate."""
    draw = generator(seeded(7), number, f"reconciliation at {rate}")
    key = draw.integers(0, 2, LENGTH, dtype=np.uint8)
    return key, key ^ (draw.random(LENGTH) < rate).astype(np.uint8)


def talk(make: MakeReconciler, rate: float, number: int = 0) -> Talk:
    """Let the two ends of a scheme correct a block."""
    scheme = make()
    sent, received = keys(rate, number)
    one = Talk(scheme.alice(sent.copy(), rate), scheme.bob(received.copy(), rate), sent, received, [], [])
    word: Bits | None = one.alice.open()
    for _ in range(MOST):
        assert word is not None, "Alice has nothing to say, but Bob is not done"
        one.said.append(word)
        answer = one.bob.answer(word)
        if answer is None:
            break
        one.heard.append(answer)
        word = one.alice.answer(answer)
        if word is None:
            break
    else:
        raise AssertionError(f"the two ends do not come to an end in {MOST} messages")
    assert one.alice.done, "Alice is not done when nothing more is said"
    assert one.bob.done, "Bob is not done when nothing more is said"
    return one


def blocks(make: MakeReconciler) -> Iterator[tuple[float, Talk]]:
    """Return the error rate of every block that is tried, and what became of it."""
    for rate in RATES:
        for number in range(ROUNDS):
            yield rate, talk(make, rate, number)


class ReconciliationSuite:
    """Everything that a reconciliation scheme is held to."""

    profile = "reconciliation"

    @requirement("QS-KY-007")
    def test_what_is_done_is_corrected(self, make: MakeReconciler) -> None:
        """But for the share of blocks that the scheme itself admits, within four standard deviations."""
        words = [(rate, one.equal) for rate, one in blocks(make)]
        wrong = sum(not equal for _, equal in words)
        admitted = float(getattr(make(), "failure", FAILURE))
        most = len(words) * admitted + 4 * sqrt(len(words) * admitted * (1 - admitted))
        assert wrong <= most, f"{wrong} of {len(words)} blocks are done and differ, {most:.1f} may: {words}"

    @requirement("QS-KY-281")
    def test_nobody_corrects_for_nothing(self, make: MakeReconciler) -> None:
        """What Alice says of a block that comes out equal is on average no less than n h(q)."""
        for rate in RATES:
            told = [one for one in (talk(make, rate, number) for number in range(ROUNDS)) if one.equal]
            least = sum(LENGTH * binary_entropy(float(np.mean(one.sent != one.received))) for one in told)
            said = sum(one.leaked for one in told)
            assert said >= least, f"at an error rate of {rate} Alice says {said} bits, {least:.0f} are needed"

    @requirement("QS-KY-282")
    def test_alices_key_stands(self, make: MakeReconciler) -> None:
        """And is the one that Bob's becomes."""
        for rate, one in blocks(make):
            assert np.array_equal(one.alice.key, one.sent), f"at an error rate of {rate} Alice's key changes"

    @requirement("QS-KY-283")
    def test_what_is_said_is_bits(self, make: MakeReconciler) -> None:
        """In both directions: the channel counts them, so nothing else may travel."""
        for rate, one in blocks(make):
            for word in (*one.said, *one.heard):
                bits = isinstance(word, np.ndarray) and word.ndim == 1 and not (set(np.unique(word)) - {0, 1})
                assert bits, f"at an error rate of {rate} something else than bits is said: {word!r:.80}"

    @requirement("QS-KY-284")
    def test_choices_follow_from_the_arguments(self, make: MakeReconciler) -> None:
        """Two ends made by two objects say the same, every time."""
        for rate in RATES[:2]:
            first, second = talk(make, rate), talk(make, rate)
            same = len(first.said) == len(second.said) and all(map(np.array_equal, first.said, second.said))
            assert same, f"at an error rate of {rate} the same keys are corrected in two ways"

    @requirement("QS-KY-009")
    def test_it_ends_whatever_the_other_says(self, make: MakeReconciler) -> None:
        """With random answers of the right length, for either end, and with answers that cannot be."""
        for corrects in (False, True):
            ends_in_noise(make, corrects=corrects)

    @requirement("QS-KY-285")
    def test_strings_that_cannot_be_are_refused(self, make: MakeReconciler) -> None:
        """As the other end's error."""
        sent, received = keys(RATES[1], 0)
        for corrects in (False, True):
            alice, bob = make().alice(sent.copy(), RATES[1]), make().bob(received.copy(), RATES[1])
            word = alice.open()
            judged, right = (bob, word) if corrects else (alice, bob.answer(word))
            try:
                judged.answer(np.append(right, np.zeros(3, np.uint8)))
            except ProtocolError:
                continue
            raise AssertionError(f"{'Bob' if corrects else 'Alice'} takes three bits too many")


def ends_in_noise(make: MakeReconciler, *, corrects: bool) -> None:
    """Let one end hear bits that mean nothing.

    Raises
    ------
    AssertionError
        If it goes on for ever.
    """
    draw = generator(seeded(7), 0, f"noise {corrects}")
    sent, received = keys(RATES[1], 0)
    alice, bob = make().alice(sent.copy(), RATES[1]), make().bob(received.copy(), RATES[1])
    word = alice.open()
    try:
        for _ in range(MOST):
            if corrects:
                word = draw.integers(0, 2, len(word), dtype=np.uint8)
            answer = bob.answer(word)
            if answer is None:
                return
            if not corrects:
                answer = draw.integers(0, 2, len(answer), dtype=np.uint8)
            word = alice.answer(answer)
            if word is None:
                return
    except ProtocolError:
        return  # it has seen through the noise
    raise AssertionError(f"{'Bob' if corrects else 'Alice'} does not come to an end in {MOST} messages of noise")
