"""From the parts that plugins offer to the data sheets that the formulas of key distribution take."""

from __future__ import annotations

from dataclasses import dataclass

from qstack.keys.models import Fibre, Receiver, Setup, Source
from qstack.plugin.optics import Gates, Passage, Pulses

DETECTORS = 2
"""Of a basis: light that nobody sent is divided among them."""


@dataclass(frozen=True, slots=True)
class Devices:
    """What stands at both ends of a link.

    Parameters
    ----------
    pulses, gates
        What the source sends, and what the detectors do with it.
    self_test
        Share of the gates in which the receiver tests its own detectors.
    """

    pulses: Pulses
    gates: Gates
    self_test: float = 0.0

    def over(self, length_km: float, passage: Passage) -> Setup:
        """Return the link over a channel.

        Parameters
        ----------
        length_km
            Length, for reports: the loss of the passage is that of the whole way [km].
        passage
            What the channel does.

        Raises
        ------
        ConfigError
            When the parts make no link: dark counts in every gate, or values that cannot be.

        Notes
        -----
        A photon is in the wrong detector when exactly one of source and receiver turns it: e + e' - 2 e e'.  Stray
        photons that are detected count as dark counts, half of them in each detector of a basis.
        """
        pulses, gates = self.pulses, self.gates
        prepared, measured = pulses.optical_error, gates.optical_error
        return Setup(
            source=Source(
                rate_hz=pulses.rate_hz,
                intensities=pulses.intensities,
                probabilities=pulses.probabilities,
                p_key=pulses.p_key,
            ),
            fibre=Fibre(length_km=length_km, loss_db_per_km=0, extra_loss_db=passage.loss_db),
            receiver=Receiver(
                efficiency=gates.efficiency,
                dark_rate_hz=gates.dark_rate_hz + passage.light_hz * gates.efficiency / DETECTORS,
                optical_error=prepared + measured - 2 * prepared * measured,
                dead_time_s=gates.dead_time_s,
                p_key=pulses.p_key,
                self_test=self.self_test,
            ),
        )
