"""Photon-number splitting: keep a photon of every pulse that has one to spare."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, expm1
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from qstack.keys.bb84 import counts_of
from qstack.keys.eve.attack import Mean, Notes
from qstack.keys.eve.mean import MOST_PHOTONS, click, photons
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

    def mean(self, setup: Setup, pulses: float) -> Mean:
        """Return the counts and what Eve learns: everything about pulses with two photons or more.

        Notes
        -----
        Of n >= 2 photons n - 1 reach the receiver, of a single one it or nothing, and no line takes any.
        """
        seen = [click(setup, number) for number in range(MOST_PHOTONS)]

        def of(which: int, least: int) -> Callable[[float], float]:
            def chance(mean: float) -> float:
                share = photons(mean)
                few = share[0] * seen[0][which]
                few += share[1] * (self.single * seen[1][which] + (1 - self.single) * seen[0][which])
                many = sum(p * seen[n - 1][which] for n, p in enumerate(share) if n >= 2)
                return many if least else few + many

            return chance

        known = counts_of(setup, pulses, of(0, 2), of(1, 2))
        return Mean(counts_of(setup, pulses, of(0, 0), of(1, 0)), sum(known.key))

    def tap(self, light: Light, setup: Setup, generator: np.random.Generator) -> Notes:
        """Split what can be split and thin out the rest."""
        notes = Notes.blank(len(light))
        several = light.photons >= 2
        single = light.photons == 1
        notes.stored[several] = light.store(several).angle
        light.block(single & (generator.random(len(light)) >= self.single))
        return notes
