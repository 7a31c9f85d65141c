"""A link that makes keys in a fraction of a second, shared by the tests of a whole block."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from qstack.keys import bb84, pulses
from qstack.keys.models import Receiver, Setup, Source
from qstack.keys.randomness import stream
from qstack.keys.records import Experiment
from qstack.keys.secret import Secret
from qstack.keys.session import Link
from qstack.keys.terms import Proof, Terms, announce, leak_limit

PRESHARED = bytes((7 * i + 3) % 256 for i in range(16 + 32 * 20))
SIFTED = 300_000


@dataclass
class Bench:
    """A decoy link with its terms, and a cache of its honest blocks."""

    decoys: int = 2
    blocks: dict[int, Experiment] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mus, shares = ((0.3, 0.09, 0.0), (0.2, 0.48, 0.32)) if self.decoys == 2 else ((0.3, 0.09), (0.4, 0.6))
        self.source = Source(intensities=mus, probabilities=shares, p_key=0.8)
        self.setup = Setup(source=self.source, receiver=Receiver(p_key=0.8))
        self.pulses = bb84.pulses_for(self.setup, SIFTED)
        self.mean = bb84.expected(self.setup, self.pulses)

    def terms(self, *, fixed: bool = True, **changes) -> Terms:
        """Terms that the honest link meets."""
        key = sum(self.mean.key)
        both = changes.get("count_reverse", True)
        limit = leak_limit(sum(self.mean.key_errors) / key, 1.12, key, both_ways=both)
        proof = Proof.TWO_DECOYS if self.decoys == 2 else Proof.ONE_DECOY
        terms = Terms(**{"proof": proof, "source": self.source, "leak_limit": limit} | changes)
        return announce(self.mean, terms) if fixed else terms

    def block(self, number: int = 0) -> Experiment:
        """An honest block."""
        if number not in self.blocks:
            self.blocks[number] = bb84.sample(self.setup, self.pulses, 1, number)
        return self.blocks[number]

    def tapped(self, attack, setup=None, seed: int = 1):
        """A block with somebody on the fibre."""
        return pulses.sample(setup or self.setup, self.pulses, seed, 0, attack)

    def link(self, terms: Terms | None = None, preshared: bytes = PRESHARED) -> Link:
        """Two parties that share terms and a secret."""
        return Link.between("delft", "leiden", terms or self.terms(), Secret(preshared), stream(1, 0, "public").bytes)


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def bench_one_decoy() -> Bench:
    return Bench(decoys=1)
