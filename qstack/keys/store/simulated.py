"""A simulated decoy-state BB84 link with its whole post-processing, as a source of blocks for two key stores."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

from qstack.keys import bb84, pulses
from qstack.keys.authentication import SLOT_BYTES
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.ledger import Block, Rejected
from qstack.keys.models import Receiver, Setup
from qstack.keys.models import Source as Light
from qstack.keys.records import Experiment
from qstack.keys.session import Link
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
            outcome = self.link.run_block(self._experiment())
            ends = outcome.alice, outcome.bob
            if isinstance(ends[0], Block) and isinstance(ends[1], Block):
                ledger = ends[0].ledger
                halves = (_whole_octets(ends[0]), _whole_octets(ends[1]))
                error_rate = ledger.key_errors / ledger.key_bits
                yield KeyBlock(name, halves, ledger.as_dict() | {"qber": error_rate}, simulated=ledger.simulated)
            else:
                reasons = [end.detail for end in ends if isinstance(end, Rejected)]
                ledgers = [end.ledger for end in ends if end is not None]
                why = max(reasons, key=len, default="an end heard nothing more")
                yield DroppedBlock(name, why, ledgers[0].as_dict() if ledgers else {})

    def _experiment(self) -> Experiment:
        number = self.link.number
        if self.attack is None:
            return bb84.sample(self.setup, self.pulses, None, number)
        return pulses.sample(self.setup, self.pulses, None, number, self.attack).experiment


def _whole_octets(block: Block) -> Secret:
    return block.key.take(block.key.remaining // 8 * 8)
