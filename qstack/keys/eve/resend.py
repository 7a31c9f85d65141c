"""Measure and resend: intercept-resend in the BB84 bases or in the one between them."""

from __future__ import annotations

from math import cos, exp, pi
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from qstack.keys.bb84 import counts_of
from qstack.keys.eve.attack import RIGHT_ANGLE, Mean, Notes, OnPairs
from qstack.keys.information import binary_entropy
from qstack.keys.ledger import Assumption
from qstack.keys.light import BASIS_ANGLE, Light
from qstack.keys.models import Setup, Sheet

BREIDBART = pi / 8
"""The angle half-way between the two bases [rad]."""


class InterceptResend(Sheet):
    """Measure a share of the pulses and send on what was found.

    In the BB84 bases Eve guesses 3/4 of the attacked bits, I = p/2 a sifted bit; in the Breidbart basis
    cos^2(pi/8) = 0.854, I = 0.399 p.  Both cause errors in a quarter of the attacked bits (Bennett et al. 1992).

    Attributes
    ----------
    share
        Share p of the pulses that are attacked.
    between
        Whether the Breidbart basis is used.
    """

    breaks: ClassVar[Assumption | None] = None
    blinds: ClassVar[bool] = False

    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    between: bool = False

    @property
    def name(self) -> str:
        """Name, for reports."""
        return f"{'Breidbart' if self.between else 'intercept-resend'} on {self.share:.0%}"

    @property
    def on_pairs(self) -> OnPairs:
        """What is measured in Z loses <XX> and <YY>, in X <ZZ> and <YY>, in between half of <XX> and <ZZ> and all <YY>."""
        kept = 1 - self.share / 2
        return OnPairs(kept, 1 - self.share, kept, self.share * self._worth)

    @property
    def _worth(self) -> float:
        """Information about a sifted bit that was attacked [bit]."""
        return 1 - binary_entropy(cos(BREIDBART) ** 2) if self.between else 0.5

    def mean(self, setup: Setup, pulses: float) -> Mean:
        """Return the counts and what Eve learns.

        Notes
        -----
        A photon sent at an angle a from Alice's is in the wrong place with probability sin^2 a, and in the wrong
        detector then or for want of alignment: the error of a receiver whose optics are that much worse.  Clicks are as
        many as before.  She knows nothing about clicks of empty pulses.
        """
        receiver, share = setup.receiver, self.share
        right = cos(BREIDBART) ** 2
        ways = ((right, 1 - right), (1 - right, right)) if self.between else ((0.5, 0.0), (0.5, 0.5))

        def turned(off: float) -> Setup:
            wrong = receiver.optical_error * (1 - 2 * off) + off
            return setup.model_copy(update={"receiver": receiver.model_copy(update={"optical_error": wrong})})

        worse = [(chance, turned(off)) for chance, off in ways]

        def error(mean: float) -> float:
            return (1 - share) * setup.error(mean) + share * sum(chance * one.error(mean) for chance, one in worse)

        found = counts_of(setup, pulses, setup.gain, error)
        lit = counts_of(setup, pulses, lambda mean: setup.gain(mean) - exp(-mean) * setup.gain(0.0), setup.error)
        return Mean(found, share * self._worth * sum(lit.key))

    def tap(self, light: Light, setup: Setup, generator: np.random.Generator) -> Notes:
        """Measure one photon of each attacked pulse; send as many as there were, as found."""
        notes = Notes.blank(len(light))
        where = (generator.random(len(light)) < self.share) & (light.photons > 0)
        size = int(np.count_nonzero(where))
        chosen = np.full(size, BREIDBART) if self.between else BASIS_ANGLE[generator.integers(0, 2, size)]
        photons = light.photons[where]
        outcome = light.measure(where, chosen, generator)
        light.send(where, photons, chosen + outcome * RIGHT_ANGLE)
        notes.angle[where] = chosen
        notes.outcome[where] = outcome
        light.lose(setup.fibre.transmittance, generator)
        return notes
