"""A BBM92 flow of pairs, with its whole post-processing, as a source of blocks for two key stores.

It takes what both ends measured, whoever carried the pairs, and runs sifting, estimate, reconciliation, verification
and privacy amplification once more over the authenticated channel, whatever the ends told each other before.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError
from qstack.keys import bbm92
from qstack.keys.authentication import FIRST_OCTETS
from qstack.keys.eve.attack import OnPairs, on_pairs
from qstack.keys.eve.report import Report, assess_pairs, assess_wire
from qstack.keys.reconcile.ldpc import Ldpc
from qstack.keys.reconcile.strategy import Maker, Reconciler, budget
from qstack.keys.records import ALICE_BASIS, ALICE_BIT, BOB_BASIS, BOB_BIT, Experiment, Record
from qstack.keys.session import Link, Outcome, straight
from qstack.keys.store.source import DroppedBlock, KeyBlock, MakeAttack, called
from qstack.keys.store.telling import told
from qstack.keys.terms import Proof, Terms, leak_limit
from qstack.services.secret import Secret


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

    def measure(self, attack: OnPairs | None) -> tuple[int, Measurements, Measurements]:
        """Run once, with draws of the operating system; somebody may do something to the pairs on their way.

        Returns
        -------
        tuple
            How many pairs were delivered, and what the end that asked and the other one have.
        """
        ...


MOST_PAIRS = 1 << 40


def pair_terms(error: float, pairs: float, scheme: Maker = Ldpc) -> Terms | None:
    """Return the terms of a block of BBM92 pairs, its length computed from what is found (arXiv:2408.17349).

    Parameters
    ----------
    error
        Error rate in Z that reconciliation must be able to correct.
    pairs
        Pairs of a block; a quarter of them is measured in Z at both ends.
    scheme
        Makes the reconciliation.

    Returns
    -------
    Terms or None
        None where correcting the errors could disclose every bit, as in a very small block.

    Notes
    -----
    LDPC speaks one way, so that counting what Bob says costs nearly nothing and no proof has to grant Eve the positions
    of errors.
    """
    made: Reconciler = scheme()
    spends = budget(made)
    limit = leak_limit(error, spends.efficiency, max(pairs / 4, 1), both_ways=spends.both_ways)
    return Terms(proof=Proof.PAIRS, reconciliation=made.name, leak_limit=limit, key_error=error) if limit < 1 else None


def pair_length(pairs: bbm92.Pairs, number: float, error: float, scheme: Maker = Ldpc) -> int:
    """Return the mean length of the key of a block of so many pairs, before the refill of authentication [bit]."""
    terms = pair_terms(error, number, scheme)
    mean = bbm92.expected(pairs, number)
    return terms.length(terms.bounds(mean), int(mean.key[0])) if terms else 0


def pairs_needed(pairs: bbm92.Pairs, error: float, bits: int = 512, scheme: Maker = Ldpc) -> int | None:
    """Return how many pairs a block needs for a number of secret bits, within 1 %; None where no block is long enough.

    Parameters
    ----------
    pairs
        As the ends measure them.
    error
        As in `pair_terms`.
    bits
        Wanted; by default one slot of authentication key and one key of 256 bits [bit].
    scheme
        Makes the reconciliation.
    """
    high = 1024
    while pair_length(pairs, high, error, scheme) < bits:
        high *= 2
        if high > MOST_PAIRS:
            return None
    low = high // 2
    while high - low > high // 100:
        middle = (low + high) // 2
        low, high = (low, middle) if pair_length(pairs, middle, error, scheme) >= bits else (middle, high)
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

    scheme
        Makes the reconciliation of an end.

    Attributes
    ----------
    report
        What became of the last block's eavesdropper; None without one.

    Raises
    ------
    ConfigError
        When the error rate is not between 0 and 1/2.
    """

    def __init__(
        self, names: tuple[str, str], flow: MeasuredFlow, error: float | None = None, scheme: Maker = Ldpc
    ) -> None:
        self.flow = flow
        self.error = 2 * (1 - flow.min_fidelity) / 3 if error is None else error
        if not 0 < self.error < 0.5:
            raise ConfigError(f"error rate {self.error:g} to be corrected: need a number between 0 and 1/2")
        self.scheme = scheme
        terms = pair_terms(self.error, flow.pairs, scheme)
        first = Secret(os.urandom(FIRST_OCTETS))
        self.link = Link.between(*names, terms, first, scheme=scheme) if terms else None
        self.run = secrets.token_hex(6)
        self.attack: MakeAttack | None = None
        self.report: Report | None = None
        self.count = 0

    def eavesdrop(self, attack: MakeAttack | None) -> None:
        """Let somebody at the photons, or at the messages if the attacker is a wire; None sends her away.

        Raises
        ------
        ConfigError
            When the attack has nothing to do on pairs.
        """
        if attack is not None and hasattr(eve := attack(), "tap"):
            on_pairs(eve, called(eve))
        self.attack = attack

    def blocks(self) -> Iterator[KeyBlock | DroppedBlock]:
        """Yield blocks without end."""
        while True:
            name = f"bbm92-{self.flow.name}-{self.run}-{self.count}"
            self.count += 1
            yield self._block(name)

    def _block(self, name: str) -> KeyBlock | DroppedBlock:
        eve: Any = self.attack() if self.attack else None
        tap = on_pairs(eve, called(eve)) if eve is not None and hasattr(eve, "tap") else None
        delivered, alice, bob = self.flow.measure(tap)
        records = (alice.record(delivered, ALICE_BASIS, ALICE_BIT), bob.record(delivered, BOB_BASIS, BOB_BIT))
        experiment = Experiment(*records)
        outcome = None
        if self.link:
            self.link.wire = straight if eve is None or tap else eve
            outcome = self.link.run_block(experiment)
        self.report = self._report(eve, tap, outcome)
        return told(name, outcome) if outcome and outcome.accepted else self._dropped(name, experiment, outcome)

    @staticmethod
    def _report(eve: Any, tap: OnPairs | None, outcome: Outcome | None) -> Report | None:
        if eve is None or outcome is None:
            return None
        return assess_pairs(called(eve), tap.worth, outcome) if tap else assess_wire(called(eve), outcome)

    def _dropped(self, name: str, experiment: Experiment, outcome: Outcome | None) -> DroppedBlock:
        """Say why there is no key, and how long a block of this line would have to be: its bits are spent on that."""
        key, key_errors, test, test_errors = experiment.sifted()
        rates = test_errors / max(test, 1), max(key_errors, 1) / max(key, 1)
        dropped = told(name, outcome) if outcome else DroppedBlock(name, f"no secret bit of {key}", {"length": 0})
        assert isinstance(dropped, DroppedBlock)
        if max(rates) < 0.5 and "nothing to amplify" not in dropped.why:
            number = pairs_needed(independent_errors(*rates), rates[1], scheme=self.scheme)
            need = "no number of pairs would do" if number is None else f"about {number:.2g} pairs would do"
            dropped.why += f"; with errors of {rates[0]:.1%} in X and {rates[1]:.1%} in Z {need}"
        return dropped


def independent_errors(error_test: float, error_key: float) -> bbm92.Pairs:
    """Return pairs whose errors in X and in Z know nothing of each other."""
    x, z = 1 - 2 * error_test, 1 - 2 * error_key
    return bbm92.Pairs(x=x, y=x * z, z=z)
