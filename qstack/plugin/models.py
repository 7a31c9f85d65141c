"""Models of hardware: a frozen data sheet with one pure function each, and how a data sheet names one.

A `qstack.plugin.platforms.Platform` is made of them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import exp, inf
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from qstack.core.errors import PhysicsError
from qstack.plugin.links import Arm, Herald
from qstack.plugin.offers import NotOffered, Options, plugins_of, refuse_misspelt, validate
from qstack.plugin.units import Attempts
from qstack.quantum.memory import Decay
from qstack.services.strategies import Storage


class HardwareModel(Options):
    """Base of all hardware models: parameters and one pure function.

    Attributes
    ----------
    kind
        Name by which a data sheet chooses this model.
    """

    kind: ClassVar[str]


class MemoryModel(HardwareModel):
    """How one stored qubit decays.

    Parameters
    ----------
    dephasing_attempts
        Entanglement attempts of its node until the coherence of a stored qubit has fallen to 1/e: N of exp(-n/N).  Every
        attempt applies Z with probability (1 - exp(-1/N)) / 2; infinite if attempts do no harm.
    """

    dephasing_attempts: Attempts = inf

    @abstractmethod
    def decay(self, age_s: float) -> Decay:
        """Return the total decay of a half that was stored for this long [s]."""

    def survival(self) -> Storage:
        """Return what layers may know: the factor on a Werner parameter after one half has waited [ps].

        Override it where a closed form is faster than `decay`: layers ask for every pair.
        """
        decay = self.decay

        def kept(age: int) -> float:
            lost = decay(age * 1e-12)
            return (2 * lost.xy + lost.z) / 3

        return kept

    def survival_among(self, rate: float) -> Storage:
        """Return `survival` while the node makes attempts at a rate [1/ps]: what a node expects that is never idle."""
        harm = rate / self.dephasing_attempts
        if not harm:
            return self.survival()
        decay = self.decay

        def kept(age: int) -> float:
            lost = decay(age * 1e-12)
            return (2 * lost.xy * exp(-harm * age) + lost.z) / 3

        return kept


class InterfaceModel(HardwareModel):
    """How a node makes entanglement with a photon, and how a station heralds it.

    Attributes
    ----------
    outward
        Whether photons fly from a source to the ends, which detect them; else from the ends to a station.
    """

    outward: ClassVar[bool] = False

    @abstractmethod
    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return every setting of a link between this node and another.

        Parameters
        ----------
        other
            The interface of the other end.
        arms
            This node's fibre to the station and the other's.

        Raises
        ------
        PhysicsError
            If the two ends do not fit together.
        """

    @abstractmethod
    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the time from one attempt of a lane to the next [ps]."""

    def lit(self, clicks: float) -> InterfaceModel:
        """Return this interface with background light: false clicks per detector and window beside its own [1].

        Raises
        ------
        PhysicsError
            If the model does not say what background light does to it.
        """
        raise PhysicsError(f"interfaces of kind {self.kind} do not say what background light does to them")

    def blurred(self, overlap: float) -> InterfaceModel:
        """Return this interface with photons that overlap less: a factor on the squared overlap of two of them [1].

        Raises
        ------
        PhysicsError
            If photons interfere, and the model does not say what their overlap does.
        """
        if self.outward:
            return self
        raise PhysicsError(f"interfaces of kind {self.kind} do not say what the overlap of photons does to them")

    def emit(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each end's qubit begins to age, counted from the beginning of a cycle [ps].

        Emissions are staggered so that both photons reach the station together: the nearer node emits later.
        """
        slowest = max(arms[0].delay, arms[1].delay)
        return slowest - arms[0].delay, slowest - arms[1].delay

    def reply(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each end hears the answer, counted from the beginning of a cycle [ps].

        Emissions are staggered so that both photons reach the station together.
        """
        slowest = max(arms[0].delay, arms[1].delay)
        return slowest + arms[0].delay, slowest + arms[1].delay


def choose_model(base: type[HardwareModel]) -> Any:
    """Return a pydantic type for a data sheet's part: a mapping whose ``kind`` names an installed model."""

    def read(value: object, info: ValidationInfo) -> object:
        if isinstance(value, base):
            return value
        models = {kind: m for kind, m in plugins_of(info).models.items() if issubclass(m, base)}
        if isinstance(value, Mapping) and "kind" not in value:
            refuse_misspelt(value, "kind")
        if not isinstance(value, Mapping) or "kind" not in value:
            raise ValueError(f"expected a mapping with 'kind'; installed kinds: {', '.join(sorted(models))}.")
        kind = value["kind"]
        if not isinstance(kind, str) or kind not in models:
            raise NotOffered(
                str(kind), f"a kind of {base.__name__.removesuffix('Model').lower()}", sorted(models), "kind"
            )
        return validate(models[kind], {k: v for k, v in value.items() if k != "kind"}, info, "kind")

    def write(model: HardwareModel) -> dict[str, Any]:
        return {"kind": model.kind, **model.model_dump(mode="json")}

    return Annotated[base, BeforeValidator(read), PlainSerializer(write), WithJsonSchema({"type": "object"})]
