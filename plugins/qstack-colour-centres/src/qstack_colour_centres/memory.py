"""A spin in diamond under dynamical decoupling, at a temperature.

With n_B(x) = 1 / (exp(x) - 1), the rates of a spin at temperature T are

    1/T1(T) = 1/T1 + A2 n_B(Delta / kT) + A3 T^5        relaxation: residual, Orbach, two-phonon Raman
    phonon  = n_B(h f / kT) / tau0                      orbital hopping of a split ground state

after Jarmola et al., Phys. Rev. Lett. 108, 197601 (2012) for NV and Jahnke et al., New J. Phys. 17, 043011 (2015) for
SiV.  Decoupling leaves a slow bath whose coherence falls as exp(-(t / Tphi)^n) (de Lange et al., Science 330, 60, 2010);
Tphi follows from the cold T2, which is the time at which the whole coherence has fallen to 1/e.
"""

from __future__ import annotations

from math import exp, expm1, inf
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from qstack import Decay, MemoryModel
from qstack.plugin.units import FOR_EVER, PositiveDuration

BOLTZMANN_MEV = 0.08617333262
"""Boltzmann's constant [meV/K]; exact in the SI, rounded here."""

PLANCK_OVER_BOLTZMANN = 0.04799243073
"""h/k [K/GHz]; exact in the SI, rounded here."""

Rate = Annotated[float, Field(ge=0)]


class SpinMemory(MemoryModel):
    """Relaxation to |0> and dephasing; what attempts add is ``dephasing_attempts`` of every memory.

    Positive at every age and temperature: coherence is exp(-t / 2 T1(T)) times factors of at most one.
    """

    kind: ClassVar[str] = "spin"
    relaxation_time: PositiveDuration = Field(FOR_EVER, description="cold T1 [ps]")
    coherence_time: PositiveDuration = Field(description="cold T2 under decoupling, damping included [ps]; T2 <= 2 T1")
    stretch: Annotated[float, Field(ge=1, le=4)] = Field(1.0, description="exponent n of the bath's decay [1]")
    temperature: Rate = Field(0.0, le=1000, description="[K]; 0 is cold enough for the cold values")
    orbach_rate: Rate = Field(0.0, description="A2 [1/s]")
    orbach_energy: Annotated[float, Field(gt=0)] = Field(73.0, description="Delta [meV]")
    raman_rate: Rate = Field(0.0, description="A3 [1/(s K^5)]")
    phonon_splitting: Annotated[float, Field(gt=0)] = Field(48.0, description="f of the ground state [GHz]")
    phonon_time: PositiveDuration = Field(FOR_EVER, description="tau0 [ps]")

    @model_validator(mode="after")
    def _physical(self) -> Self:
        if self.relaxation_time < FOR_EVER and self.coherence_time > 2 * self.relaxation_time:
            raise ValueError(
                f"T2 exceeds 2 T1: coherence_time {self.coherence_time * 1e-12:g} s is more than twice "
                f"relaxation_time {self.relaxation_time * 1e-12:g} s, which no qubit can have."
            )
        return self

    @property
    def relaxation_rate(self) -> float:
        """1/T1 at this temperature [1/s]."""
        orbach = self.orbach_rate * _phonons(self.orbach_energy, BOLTZMANN_MEV * self.temperature)
        return _rate(self.relaxation_time) + orbach + self.raman_rate * self.temperature**5

    @property
    def phonon_rate(self) -> float:
        """Dephasing by orbital hopping at this temperature [1/s]."""
        return _rate(self.phonon_time) * _phonons(self.phonon_splitting * PLANCK_OVER_BOLTZMANN, self.temperature)

    def decay(self, age_s: float) -> Decay:
        """Return the total decay of a half that was stored for this long [s]."""
        kept = exp(-age_s * self.relaxation_rate)
        steady = age_s * (self.relaxation_rate / 2 + self.phonon_rate)
        t2 = _rate(self.coherence_time)
        bath = (1 - _rate(self.relaxation_time) / (2 * t2)) * (age_s * t2) ** self.stretch if t2 else 0.0
        return Decay(xy=exp(-steady - bath), z=kept, shift=1 - kept)


def _rate(time: int) -> float:
    """Return one over a time [1/s]; nothing for an infinite one."""
    return 0.0 if time >= FOR_EVER else 1e12 / time


def _phonons(energy: float, thermal: float) -> float:
    """Return the mean number of phonons of an energy, both in the same unit."""
    ratio = energy / thermal if thermal else inf
    return 0.0 if ratio > 700 else 1 / expm1(ratio)
