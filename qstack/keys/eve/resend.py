"""Measure and resend: intercept-resend in the BB84 bases or in the one between them."""

from __future__ import annotations

from math import pi
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from qstack.keys.eve.attack import RIGHT_ANGLE, Notes
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
