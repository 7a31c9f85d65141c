"""The judge of reconciliation is judged: built-in schemes pass, and one that breaks a rule fails that rule and no other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import ClassVar

import numpy as np
import pytest
from spoiling import failures

from qstack.conformance.reconciliation import ReconciliationSuite
from qstack.core.errors import ProtocolError, RemoteProtocolError
from qstack.keys.reconcile.cascade import Cascade
from qstack.keys.reconcile.ldpc import Ldpc

ticks = count()


class Ends:
    """Cascade between two ends that may be spoilt."""

    name = "spoilt"

    def __init__(self, alice=lambda end: end, bob=lambda end: end):
        self.change = {"alice": alice, "bob": bob}

    def alice(self, key, rate):
        return self.change["alice"](Cascade().alice(key, rate))

    def bob(self, key, rate):
        return self.change["bob"](Cascade().bob(key, rate))


class End:
    """One end at work, to be spoilt."""

    def __init__(self, inner):
        self.inner = inner

    @property
    def done(self):
        return self.inner.done

    @property
    def key(self):
        return self.inner.key

    def open(self):
        return self.inner.open()

    def answer(self, bits):
        return self.inner.answer(bits)


class Careless(End):
    """Leaves an error, and says that it is done."""

    @property
    def key(self):
        key = self.inner.key.copy()
        key[:1] ^= self.done
        return key


class Moving(End):
    """Changes its key, and so does the other end."""

    @property
    def key(self):
        return 1 - self.inner.key


class Loud(End):
    """Says more than bits."""

    def open(self):
        return self.inner.open() | 2

    def answer(self, bits):
        answer = self.inner.answer(bits)
        return None if answer is None else answer | 2


class Hearing(End):
    """Hears bits in what is more than bits."""

    def answer(self, bits):
        return self.inner.answer(bits & 1)


class Stubborn(End):
    """After its first word it goes on, whatever it hears."""

    began = False

    def answer(self, bits):
        try:
            answer = self.inner.answer(bits)
        except ProtocolError:
            if not self.began:
                raise
            return np.zeros(len(bits), np.uint8)
        self.began = True
        return answer


class Tolerant(End):
    """Leaves out what is too much."""

    def answer(self, bits):
        try:
            return self.inner.answer(bits)
        except ProtocolError:
            return self.inner.answer(bits[:-3])


class Telepath:
    """Says one bit; the other end knows the rest."""

    name = "telepath"
    keys: ClassVar[dict] = {}

    def alice(self, key, rate):
        self.keys["key"] = key
        return Told(key)

    def bob(self, key, rate):
        return Told(self.keys["key"].copy())


@dataclass
class Told:
    key: np.ndarray
    done: bool = False

    def open(self):
        return np.zeros(1, np.uint8)

    def answer(self, bits):
        if len(bits) != 1:
            raise RemoteProtocolError("one bit")
        if self.done:
            return None
        self.done = True
        return bits


class Moody:
    """Says one bit more every time."""

    name = "moody"

    def alice(self, key, rate):
        return self.end(Cascade().alice(key, rate), first=True)

    def bob(self, key, rate):
        return self.end(Cascade().bob(key, rate), first=False)

    def end(self, inner, *, first):
        return Salted(inner, first=first)


class Salted(End):
    """Alice draws a random mask for a bit that she says first."""

    def __init__(self, inner, *, first):
        super().__init__(inner)
        self.fresh = not first

    def open(self):
        return np.append(self.inner.open(), np.uint8(next(ticks) % 2))

    def answer(self, bits):
        if self.fresh:
            self.fresh = False
            return self.inner.answer(bits[:-1])
        return self.inner.answer(bits)


BROKEN = {
    "leaves an error": ({"QS-KY-007"}, lambda: Ends(bob=Careless)),
    "corrects by telepathy": ({"QS-KY-281"}, Telepath),
    "moves the key that stands": ({"QS-KY-282"}, lambda: Ends(Moving, Moving)),
    "says more than bits": ({"QS-KY-283"}, lambda: Ends(Loud, Hearing)),
    "never gives up": ({"QS-KY-009"}, lambda: Ends(Stubborn, Stubborn)),
    "takes what is too long": ({"QS-KY-285"}, lambda: Ends(Tolerant, Tolerant)),
    "is moody": ({"QS-KY-284"}, Moody),
}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_scheme_fails_what_it_breaks(name):
    numbers, make = BROKEN[name]
    assert failures(ReconciliationSuite, make) == numbers


@pytest.mark.requirement("QS-CF-007")
@pytest.mark.parametrize("make", [Cascade, Ldpc, Ends])
def test_an_honest_scheme_passes(make):
    assert failures(ReconciliationSuite, make) == set()
