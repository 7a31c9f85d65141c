"""Simulated quantum hardware with its whole post-processing, as sources of blocks for two key stores.

`Bb84Source` samples a decoy-state BB84 link.  `Bbm92Source` takes what both ends of a BBM92 flow measured, whoever
carried the pairs, and runs the same post-processing on it: sifting, estimate, reconciliation, verification and privacy
amplification once more over the authenticated channel, whatever the ends told each other before.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError
from qstack.keys import bb84, bbm92, pulses
from qstack.keys.authentication import SLOT_BYTES
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.ledger import Block, Reason, Rejected
from qstack.keys.models import Receiver, Setup
from qstack.keys.models import Source as Light
from qstack.keys.records import ALICE_BASIS, ALICE_BIT, BOB_BASIS, BOB_BIT, Experiment, Record
from qstack.keys.session import Link, Outcome
from qstack.keys.store.source import DroppedBlock, KeyBlock
from qstack.keys.terms import Proof, Terms, announce, leak_limit
from qstack.services.secret import Secret

EFFICIENCY = 1.12
"""Of reconciliation, that the leak limit leaves room for."""
FIRST_SLOTS = 20
"""Slots of authentication key in the first secret; every block that passes brings its own successor."""


class Bb84Source:
    """Decoy-state BB84 over a fibre, finite key, fixed length; both ends in this process.

    What is drawn comes from the operating system, apart from any run's seed: these keys are handed out.

    Parameters
    ----------
    names
        Of the two ends, for their authenticated messages.
    sifted
        Sifted key bits of a block [bit].
    setup
        The link; None is 10 km of fibre.

    Raises
    ------
    ConfigError
        When blocks of this size prove nothing on this link.
    """

    def __init__(self, names: tuple[str, str], sifted: int = 200_000, setup: Setup | None = None) -> None:
        light = Light(intensities=(0.3, 0.09, 0.0), probabilities=(0.2, 0.48, 0.32), p_key=0.8)
        self.setup = setup or Setup(source=light, receiver=Receiver(p_key=0.8))
        self.pulses = bb84.pulses_for(self.setup, sifted)
        mean = bb84.expected(self.setup, self.pulses)
        key_bits = sum(mean.key)
        limit = leak_limit(sum(mean.key_errors) / key_bits, EFFICIENCY, key_bits, both_ways=True)
        terms = Terms(proof=Proof.TWO_DECOYS, source=self.setup.source, leak_limit=limit)
        first = Secret(os.urandom(16 + SLOT_BYTES * FIRST_SLOTS))
        self.link = Link.between(*names, announce(mean, terms), first)
        self.run = secrets.token_hex(6)
        self.attack: InterceptResend | None = None

    def eavesdrop(self, fraction: float) -> None:
        """Let somebody intercept and resend a fraction of the pulses; 0 sends her away."""
        self.attack = InterceptResend(share=fraction) if fraction else None

    def blocks(self) -> Iterator[KeyBlock | DroppedBlock]:
        """Yield blocks without end."""
        while True:
            name = f"bb84-{self.run}-{self.link.number}"
            yield _told(name, self.link.run_block(self._experiment()))

    def _experiment(self) -> Experiment:
        number = self.link.number
        if self.attack is None:
            return bb84.sample(self.setup, self.pulses, None, number)
        return pulses.sample(self.setup, self.pulses, None, number, self.attack).experiment


@dataclass(frozen=True, slots=True)
class Measurements:
    """What one end of a BBM92 flow measured and did not give away; it never shows its bits.

    Parameters
    ----------
    pair
        Numbers of the pairs, rising and equal at both ends, shape (pairs,).
    test
        1 where the end measured in X, 0 in Z, shape (pairs,).
    bit
        What it found, turned so that perfect pairs give equal bits, shape (pairs,).
    """

    pair: NDArray[np.int64] = field(repr=False)
    test: NDArray[np.uint8] = field(repr=False)
    bit: NDArray[np.uint8] = field(repr=False)

    def record(self, total: int, basis_place: int, bit_place: int) -> Record:
        """Return these notes as the post-processing takes them; places as in `qstack.keys.records`."""
        mark = self.test << np.uint8(basis_place) | self.bit << np.uint8(bit_place)
        return Record(total, self.pair, mark.astype(np.uint8))


class MeasuredFlow(Protocol):
    """A BBM92 flow that can be run again and again.

    Attributes
    ----------
    name
        What blocks are called after.
    pairs
        Pairs of a run.
    min_fidelity
        What the flow promises; reconciliation is planned for the errors of Werner pairs of this fidelity.
    """

    name: str
    pairs: int
    min_fidelity: float

    def measure(self, intercepted: float) -> tuple[int, Measurements, Measurements]:
        """Run once, with draws of the operating system; somebody measures a share of the pairs on their way.

        Returns
        -------
        tuple
            How many pairs were delivered, and what the end that asked and the other one have.
        """
        ...


PAIR_EFFICIENCY = 1.25
"""Of LDPC reconciliation on the few thousand bits of a block of pairs, that the leak limit leaves room for."""
MOST_PAIRS = 1 << 40


def pair_terms(error: float, pairs: float) -> Terms | None:
    """Return the terms of a block of BBM92 pairs, its length computed from what is found (arXiv:2408.17349).

    Parameters
    ----------
    error
        Error rate in Z that reconciliation must be able to correct.
    pairs
        Pairs of a block; a quarter of them is measured in Z at both ends.

    Returns
    -------
    Terms or None
        None where correcting the errors could disclose every bit, as in a very small block.

    Notes
    -----
    LDPC speaks one way, so that counting what Bob says costs nearly nothing and no proof has to grant Eve the positions
    of errors.
    """
    limit = leak_limit(error, PAIR_EFFICIENCY, max(pairs / 4, 1), both_ways=False)
    return Terms(proof=Proof.PAIRS, reconciliation="ldpc", leak_limit=limit, key_error=error) if limit < 1 else None


def pair_length(pairs: bbm92.Pairs, number: float, error: float) -> int:
    """Return the mean length of the key of a block of so many pairs, before the refill of authentication [bit]."""
    terms = pair_terms(error, number)
    mean = bbm92.expected(pairs, number)
    return terms.length(terms.bounds(mean), int(mean.key[0])) if terms else 0


def pairs_needed(pairs: bbm92.Pairs, error: float, bits: int = 512) -> int | None:
    """Return how many pairs a block needs for a number of secret bits, within 1 %; None where no block is long enough.

    Parameters
    ----------
    pairs
        As the ends measure them.
    error
        As in `pair_terms`.
    bits
        Wanted; by default one slot of authentication key and one key of 256 bits [bit].
    """
    high = 1024
    while pair_length(pairs, high, error) < bits:
        high *= 2
        if high > MOST_PAIRS:
            return None
    low = high // 2
    while high - low > high // 100:
        middle = (low + high) // 2
        low, high = (low, middle) if pair_length(pairs, middle, error) >= bits else (middle, high)
    return high


class Bbm92Source:
    """A BBM92 flow of pairs, finite key, variable length; both ends in this process.

    Parameters
    ----------
    names
        Of the two ends, for their authenticated messages.
    flow
        Runs the flow; each run is a block.
    error
        Error rate in Z that reconciliation is planned for; None takes that of Werner pairs of the flow's `min_fidelity`,
        far too much where the errors are mostly in X.

    Raises
    ------
    ConfigError
        When the error rate is not between 0 and 1/2.
    """

    def __init__(self, names: tuple[str, str], flow: MeasuredFlow, error: float | None = None) -> None:
        self.flow = flow
        self.error = 2 * (1 - flow.min_fidelity) / 3 if error is None else error
        if not 0 < self.error < 0.5:
            raise ConfigError(f"error rate {self.error:g} to be corrected: need a number between 0 and 1/2")
        terms = pair_terms(self.error, flow.pairs)
        first = Secret(os.urandom(16 + SLOT_BYTES * FIRST_SLOTS))
        self.link = Link.between(*names, terms, first) if terms else None
        self.run = secrets.token_hex(6)
        self.intercepted = 0.0
        self.count = 0

    def eavesdrop(self, fraction: float) -> None:
        """Let somebody measure and resend a fraction of the photons; 0 sends her away."""
        self.intercepted = fraction

    def blocks(self) -> Iterator[KeyBlock | DroppedBlock]:
        """Yield blocks without end."""
        while True:
            name = f"bbm92-{self.flow.name}-{self.run}-{self.count}"
            self.count += 1
            delivered, alice, bob = self.flow.measure(self.intercepted)
            records = (alice.record(delivered, ALICE_BASIS, ALICE_BIT), bob.record(delivered, BOB_BASIS, BOB_BIT))
            experiment = Experiment(*records)
            outcome = self.link.run_block(experiment) if self.link else None
            yield _told(name, outcome) if outcome and outcome.accepted else self._dropped(name, experiment, outcome)

    def _dropped(self, name: str, experiment: Experiment, outcome: Outcome | None) -> DroppedBlock:
        """Say why there is no key, and how long a block of this line would have to be: its bits are spent on that."""
        key, key_errors, test, test_errors = experiment.sifted()
        rates = test_errors / max(test, 1), max(key_errors, 1) / max(key, 1)
        told = _told(name, outcome) if outcome else DroppedBlock(name, f"no secret bit of {key}", {"length": 0})
        assert isinstance(told, DroppedBlock)
        if max(rates) < 0.5 and "nothing to amplify" not in told.why:
            number = pairs_needed(independent_errors(*rates), rates[1])
            need = "no number of pairs would do" if number is None else f"about {number:.2g} pairs would do"
            told.why += f"; with errors of {rates[0]:.1%} in X and {rates[1]:.1%} in Z {need}"
        return told


def independent_errors(error_test: float, error_key: float) -> bbm92.Pairs:
    """Return pairs whose errors in X and in Z know nothing of each other."""
    x, z = 1 - 2 * error_test, 1 - 2 * error_key
    return bbm92.Pairs(x=x, y=x * z, z=z)


def _told(name: str, outcome: Outcome) -> KeyBlock | DroppedBlock:
    """Return how a block ended, in the words of a key store."""
    ends = outcome.alice, outcome.bob
    if isinstance(ends[0], Block) and isinstance(ends[1], Block):
        ledger = ends[0].ledger
        if ends[0].key.remaining < 8:
            return DroppedBlock(name, f"all {ledger.length} secret bits went to authentication", ledger.as_dict())
        halves = (_whole_octets(ends[0]), _whole_octets(ends[1]))
        error_rate = ledger.key_errors / ledger.key_bits
        return KeyBlock(name, halves, ledger.as_dict() | {"qber": error_rate}, simulated=ledger.simulated)
    own = [end for end in ends if isinstance(end, Rejected) and end.reason is not Reason.PEER]
    reasons = [end.detail for end in own]  # the other end only repeats them
    ledgers = [end.ledger for end in ends if end is not None]
    why = max(reasons, key=len, default="an end heard nothing more")
    return DroppedBlock(name, why, ledgers[0].as_dict() if ledgers else {})


def _whole_octets(block: Block) -> Secret:
    return block.key.take(block.key.remaining // 8 * 8)
