"""Detector blinding with faked states (Lydersen et al., Nature Photonics 4, 686 (2010))."""

from __future__ import annotations

from math import expm1
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from qstack.keys.bb84 import counts_of
from qstack.keys.eve.attack import Mean, Notes
from qstack.keys.finite import Counts
from qstack.keys.ledger import Assumption
from qstack.keys.light import BASIS_ANGLE, Light
from qstack.keys.models import Setup, Sheet


class Blinding(Sheet):
    """Hold the detectors blind with bright light and make them click at will.

    Eve measures every pulse in a random basis of the receiver's and repeats her result with light so bright that one
    blinded detector answers, and only if Bob chose her basis.  Every sifted bit is hers, without an error.  A receiver
    that shines light of its own on its detectors at random times notices, because they do not answer.

    Attributes
    ----------
    share
        Share of the pulses with a photon that she repeats; lower it to match the click rate of a longer line.
    """

    breaks: ClassVar[Assumption | None] = Assumption.DETECTORS
    blinds: ClassVar[bool] = True

    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    @property
    def name(self) -> str:
        """Name, for reports."""
        return "detector blinding"

    def mean(self, setup: Setup, pulses: float) -> Mean:
        """Return the counts, without an error, and that Eve knows every bit.

        Notes
        -----
        A pulse with a photon clicks where Bob chose her basis; she chooses with his probabilities.
        """
        receiver = setup.receiver
        lit = counts_of(setup, pulses, lambda mean: -expm1(-mean) * self.share, lambda mean: 0.0)
        key = tuple(receiver.p_key * part for part in lit.key)
        test = tuple((1 - receiver.p_key) * part for part in lit.test)
        return Mean(Counts(key, test, lit.test_errors, lit.key_errors), sum(key))

    def tap(self, light: Light, setup: Setup, generator: np.random.Generator) -> Notes:
        """Measure, repeat bright."""
        notes = Notes.blank(len(light))
        where = (light.photons > 0) & (generator.random(len(light)) < self.share)
        size = int(np.count_nonzero(where))
        basis = (generator.random(size) >= setup.receiver.p_key).astype(np.uint8)
        outcome = light.measure(where, BASIS_ANGLE[basis], generator)
        light.block(np.ones(len(light), bool))
        light.steer(where, basis, outcome)
        notes.angle[where] = BASIS_ANGLE[basis]
        notes.outcome[where] = outcome
        return notes
