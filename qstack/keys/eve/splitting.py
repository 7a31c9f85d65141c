"""Photon-number splitting: keep a photon of every pulse that has one to spare."""

from __future__ import annotations

from math import exp, expm1
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from qstack.keys.eve.attack import Notes
from qstack.keys.ledger import Assumption
from qstack.keys.light import Light
from qstack.keys.models import Setup, Sheet


class PhotonNumberSplitting(Sheet):
    """Count without disturbance, keep one photon of two or more, send the rest over a line without loss.

    Single photons are let through with a probability that keeps the signal's click rate as it was, so nothing shows:
    no error, no missing click.  Only pulses of another intensity betray it (Hwang 2003; Lo, Ma, Chen 2005).

    Attributes
    ----------
    single
        Probability that a single photon is let through, over the line without loss; see `hidden`.
    """

    breaks: ClassVar[Assumption | None] = None
    blinds: ClassVar[bool] = False

    single: Annotated[float, Field(ge=0, le=1)] = 0.0

    @classmethod
    def hidden(cls, setup: Setup) -> PhotonNumberSplitting:
        """Return the attack that leaves the signal's click rate unchanged, as nearly as that is possible.

        Notes
        -----
        With detector efficiency e, sum over n >= 2 of P(n) (1 - (1-e)^(n-1)) + s P(1) e = 1 - exp(-eta mu); the sum is
        1 - e^-mu (1+mu) - (e^(-mu e) - e^-mu (1 + mu (1-e))) / (1-e).
        """
        mean, detector = setup.source.intensities[0], setup.receiver.efficiency
        several = 1 - exp(-mean) * (1 + mean)
        if detector < 1:
            several -= (exp(-mean * detector) - exp(-mean) * (1 + mean * (1 - detector))) / (1 - detector)
        wanted = -expm1(-setup.transmittance * mean) - several
        return cls(single=min(1.0, max(0.0, wanted / (mean * exp(-mean) * detector))))

    @property
    def name(self) -> str:
        """Name, for reports."""
        return f"photon-number splitting, {self.single:.0%} of single photons pass"

    def tap(self, light: Light, setup: Setup, generator: np.random.Generator) -> Notes:
        """Split what can be split and thin out the rest."""
        notes = Notes.blank(len(light))
        several = light.photons >= 2
        single = light.photons == 1
        notes.stored[several] = light.store(several).angle
        light.block(single & (generator.random(len(light)) >= self.single))
        return notes
