"""The price of lengths: a prefix code of the dialogue, paid at the channel, so that no scheme says anything for free."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstack.keys.authentication import KeyPool
from qstack.keys.channel import Side
from qstack.keys.end import Party
from qstack.keys.framing import LAST, price
from qstack.keys.ledger import Reason
from qstack.keys.messages import Parities, Verdicts, decode
from qstack.keys.secret import Secret
from qstack.keys.session import Link, straight

NONE = np.zeros(0, np.uint8)
NIBBLE = 4


def written(length: int, before: int) -> str:
    """Write a length as the price says."""
    distance = abs(length - before)
    if not distance:
        return "0"
    digits = f"{distance:b}"
    return "1" + str(int(length < before)) + "0" * (len(digits) - 1) + digits


def read(code: str, number: int) -> list[int]:
    """Read so many lengths again, knowing nothing but the code."""
    found, place, before = [], 0, 0
    for _ in range(number):
        if code[place] == "0":
            place += 1
        else:
            sign = -1 if code[place + 1] == "1" else 1
            zeros = len(code[place + 2 :]) - len(code[place + 2 :].lstrip("0"))
            start = place + 2 + zeros
            before += sign * int(code[start : start + zeros + 1], 2)
            place = start + zeros + 1
        found.append(before)
    assert place == len(code)
    return found


@given(st.lists(st.integers(0, 1 << 24), max_size=20))
def test_the_price_is_that_of_a_code_that_can_be_read(lengths):
    before = [0, *lengths]
    code = "".join(written(new, old) for old, new in itertools.pairwise(before))
    assert read(code, len(lengths)) == lengths
    assert len(code) == sum(price(new, old) for old, new in itertools.pairwise(before))


@pytest.mark.parametrize("before", [0, 1, 7, 1000])
def test_kraft(before):
    """Of all lengths together there are no more than a prefix code has room for."""
    total = sum(2.0 ** -price(length, before) for length in range(1 << 16))
    assert 0.5 < total <= 1


class Teller:
    """Says a whole key by the lengths of strings: Alice's end of a scheme that means harm."""

    done = True

    def __init__(self, key, strings):
        self.key, self._strings = key, strings

    def open(self):
        return next(self._strings)

    def answer(self, bits):
        return next(self._strings, None)


class Hearer:
    """Bob's end: takes down what the lengths say."""

    def __init__(self, key, listen):
        self.key, self.done, self._size, self._heard, self._listen = key, False, key.size, [], listen

    def answer(self, bits):
        self._heard += self._listen(bits)
        if len(self._heard) * NIBBLE >= self._size:
            nibbles = np.array(self._heard, np.uint8)[:, None]
            self.key = np.unpackbits(nibbles, axis=1)[:, NIBBLE:].ravel()[: self._size].copy()
            self.done = True
        return NONE


def nibbles(key):
    padded = np.concatenate([key, np.zeros(-key.size % NIBBLE, np.uint8)]).reshape(-1, NIBBLE)
    return (padded @ np.array([8, 4, 2, 1])).tolist()


class ByCount:
    """A nibble is a number of empty strings before one bit."""

    name = "by-count"

    def alice(self, key, error_rate):
        return Teller(key, (s for n in nibbles(key) for s in (*[NONE] * n, np.zeros(1, np.uint8))))

    def bob(self, key, error_rate):
        run = 0

        def listen(bits):
            nonlocal run
            if bits.size:
                said, run = run, 0
                return [said]
            run += 1
            return []

        return Hearer(key, listen)


class ByLength:
    """A nibble is the length of a string of zeros."""

    name = "by-length"

    def alice(self, key, error_rate):
        return Teller(key, (np.zeros(n, np.uint8) for n in nibbles(key)))

    def bob(self, key, error_rate):
        return Hearer(key, lambda bits: [bits.size])


@pytest.mark.requirement("QS-KY-008")
@pytest.mark.parametrize("scheme", [ByCount, ByLength])
def test_who_says_the_key_by_lengths_pays_for_it(scheme, bench):
    key = sum(bench.mean.key)
    terms = bench.terms(fixed=False, reconciliation=scheme.name, leak_limit=0.3)
    secret = Secret(bytes(range(48)))
    told = 0

    def wire(speaker, data):
        nonlocal told
        told += isinstance(decode(data), Parities)
        return straight(speaker, data)

    parties = [Party(me, peer, terms, scheme(), KeyPool(secret)) for me, peer in (("a", "b"), ("b", "a"))]
    outcome = Link(*parties, entropy=bytes, wire=wire).run_block(bench.block())
    assert not outcome.accepted
    assert Reason.LEAK in {outcome.alice.reason, outcome.bob.reason}
    assert told < key / NIBBLE  # stopped on the way
    assert max(outcome.alice.ledger.leak, outcome.bob.ledger.leak) > 0.3 * 0.9 * key


@pytest.mark.requirement("QS-KY-008")
def test_the_ledger_counts_bits_and_lengths_of_both_sides(bench):
    """Added up a second time from the bytes on the wire."""
    counted, before = {Side.ALICE: 0, Side.BOB: 0}, 0

    def wire(speaker, data):
        nonlocal before
        message = decode(data)
        if isinstance(message, Parities | Verdicts):
            counted[speaker] += message.bits.size + len(written(message.bits.size, before))
            counted[speaker] += LAST if speaker == Side.ALICE else 0
            before = message.bits.size
        return straight(speaker, data)

    link = bench.link()
    link.wire = wire
    outcome = link.run_block(bench.block())
    assert outcome.accepted
    ledger = outcome.alice.ledger
    assert counted[Side.ALICE] > 10_000
    assert ledger.disclosed_alice == counted[Side.ALICE] + 128  # the verification tag
    assert ledger.disclosed_bob == counted[Side.BOB] + 3 * 64  # three counts of errors
