"""A simulated decoy-state BB84 link, with its whole post-processing, as a source of blocks for two key stores."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from math import ceil

from qstack.keys import bb84, pulses
from qstack.keys.authentication import FIRST_OCTETS
from qstack.keys.eve.report import Report, assess, assess_wire
from qstack.keys.finite import Counts
from qstack.keys.models import Receiver, Setup
from qstack.keys.models import Source as Light
from qstack.keys.reconcile.cascade import Cascade
from qstack.keys.reconcile.strategy import Maker, budget
from qstack.keys.session import Link, straight
from qstack.keys.store.source import DroppedBlock, KeyBlock, MakeAttack, called
from qstack.keys.store.telling import told
from qstack.keys.terms import Proof, Terms, announce, leak_limit
from qstack.services.secret import Secret

MOST_LEAK = 0.999
"""Leak limit of a line so bad that correcting it would disclose all [bit/bit]."""


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
    scheme
        Makes the reconciliation of an end.

    Attributes
    ----------
    report
        What became of the last block's eavesdropper; None without one.

    Raises
    ------
    ConfigError
        When blocks of this size prove nothing on this link.
    """

    def __init__(
        self, names: tuple[str, str], sifted: int = 200_000, setup: Setup | None = None, scheme: Maker = Cascade
    ) -> None:
        light = Light(intensities=(0.3, 0.09, 0.0), probabilities=(0.2, 0.48, 0.32), p_key=0.8)
        self.setup = setup or Setup(source=light, receiver=Receiver(p_key=0.8))
        live = bb84.pulses_for(self.setup, sifted)
        self.pulses = ceil(bb84.gates(self.setup, live))
        terms = announced(self.setup.source, bb84.expected(self.setup, live), scheme)
        first = Secret(os.urandom(FIRST_OCTETS))
        self.link = Link.between(*names, terms, first, scheme=scheme)
        self.run = secrets.token_hex(6)
        self.attack: MakeAttack | None = None
        self.report: Report | None = None

    def eavesdrop(self, attack: MakeAttack | None) -> None:
        """Let somebody at the link: on its fibre if the attacker has `tap`, else on its messages; None sends her away."""
        self.attack = attack

    def blocks(self) -> Iterator[KeyBlock | DroppedBlock]:
        """Yield blocks without end."""
        while True:
            name = f"bb84-{self.run}-{self.link.number}"
            yield self._block(name)

    def _block(self, name: str) -> KeyBlock | DroppedBlock:
        self.report, self.link.wire = None, straight
        number, eve = self.link.number, self.attack() if self.attack else None
        if eve is not None and hasattr(eve, "tap"):
            tapped = pulses.sample(self.setup, self.pulses, None, number, eve)
            outcome = self.link.run_block(tapped.experiment)
            self.report = assess(eve, tapped, outcome)
            return told(name, outcome)
        if eve is not None:
            self.link.wire = eve
        outcome = self.link.run_block(bb84.sample(self.setup, self.pulses, None, number))
        if eve is not None:
            self.report = assess_wire(called(eve), outcome)
        return told(name, outcome)


def announced(source: Light, mean: Counts, scheme: Maker) -> Terms:
    """Return the fixed-length terms of a decoy-state link.

    Parameters
    ----------
    source
        What is sent.
    mean
        Mean counts of a block of the undisturbed link.
    scheme
        Makes its reconciliation.

    Raises
    ------
    ConfigError
        When blocks of this size prove nothing on this link.
    """
    return announce(mean, open_terms(source, mean, scheme))


def open_terms(source: Light, mean: Counts, scheme: Maker) -> Terms:
    """Return the terms of a decoy-state link whose blocks have the length that is found; arguments as in `announced`."""
    key = sum(mean.key)
    made = scheme()
    spends = budget(made)
    limit = leak_limit(sum(mean.key_errors) / key, spends.efficiency, key, both_ways=spends.both_ways)
    proof = Proof.TWO_DECOYS if len(source.intensities) == 3 else Proof.ONE_DECOY
    return Terms(proof=proof, source=source, leak_limit=min(limit, MOST_LEAK), reconciliation=made.name)
