"""Base contracts of plugins: what a hardware model is, and what the things that hooks offer have to be.

A hardware model is a frozen pydantic model (the data sheet) with one pure function.  A `Platform` is a named data
sheet made of such models.  Everything else that a hook offers is an `Offer`; see `qstack.plugin.offers`, whose names
can be imported from here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from math import exp, inf
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from qstack.core.errors import PhysicsError, PluginError
from qstack.plugin.links import Arm, Fibre, Herald, LinkSheet, Outcome, Phase
from qstack.plugin.offers import (
    NestedErrors,
    NotOffered,
    Offer,
    Options,
    Selection,
    chosen,
    plugins_of,
    refuse_misspelt,
    validate,
)
from qstack.plugin.protocols import ClassicalChannel, DistillationScheme, Disturbed, Medium, Passing
from qstack.plugin.sheet import Cost, Origin, SharedQubits, check_origins
from qstack.plugin.units import FOR_EVER, Attempts, Duration, Fraction, Span, time_text
from qstack.quantum.memory import Decay
from qstack.services.strategies import Storage

__all__ = [
    "Arm",
    "ClassicalChannel",
    "Decay",
    "DistillationScheme",
    "Disturbed",
    "Fibre",
    "HardwareModel",
    "Herald",
    "InterfaceModel",
    "LinkSheet",
    "Medium",
    "MemoryModel",
    "NestedErrors",
    "NotOffered",
    "Offer",
    "Options",
    "Outcome",
    "Passing",
    "Phase",
    "Platform",
    "Selection",
    "Sheet",
    "choose_model",
    "chosen",
    "load_platforms",
    "plugins_of",
    "validate",
]


# -- hardware ---------------------------------------------------------------------------------------------------------


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


_BOTH_ERRORS = {
    "type": "array",
    "minItems": 2,
    "maxItems": 2,
    "items": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}]},
}
"""Tells the JSON Schema of the errors of a true 0 and of a true 1."""


class Platform(Options):
    """A named data sheet: everything the stack needs to know of one node's hardware.

    Parameters
    ----------
    name, title
        Short name, and one line for people.
    status
        ``published``: every value from the sources; ``projected``: what might be built; ``ideal``: a textbook model.
    sources, assumptions
        Where values come from, and what had to be assumed.
    memory, interface
        Storage, and the making of entanglement.
    memories
        How many pairs each link of the node may hold [1]; a communication qubit for each, unless `qubits` says how many.
    qubits
        Communication and storage qubits that the links of the node share; None if none are shared.
    cooled_at
        When the cryostat is cold [ps]: the node makes no attempts before.
    cold
        From when until when it is cold, one pair after the other, instead of `cooled_at` [ps]: no attempts outside.
    warm_loses
        Whether what is stored is lost, and fully mixed, when the cryostat warms up.
    gate_noise
        Probability q that a two-qubit gate leaves the fully mixed state.
    readout_error
        Probability m that a reported bit is wrong.
    swap_time, readout_time
        How long a Bell measurement and a readout take [ps].
    readout_bias
        Half of the difference between the errors of a true 0 and of a true 1; ``readout_error: [m0, m1]`` gives both.
    bell_outcomes
        How many of the four Bell states its Bell measurement tells: 2, Psi+ and Psi-, is the most that linear optics can
        (Calsamiglia and Luetkenhaus, Appl. Phys. B 72, 67, 2001), so half of the swaps fail.
    bell_efficiency
        Probability that it tells one of those, such as that of both photons being detected [1].
    cost
        Of one node, for planning.
    origins
        Where each value comes from; see `qstack.plugin.sheet`.
    """

    name: str = Field("inline", pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str = ""
    status: Literal["published", "projected", "ideal"] = "ideal"
    sources: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    memory: choose_model(MemoryModel)  # type: ignore[valid-type]
    interface: choose_model(InterfaceModel)  # type: ignore[valid-type]
    memories: int = Field(1, ge=1, le=4096, strict=True)
    gate_noise: Fraction = 0.0
    readout_error: Annotated[Fraction, Field(json_schema_extra={"also": [_BOTH_ERRORS]})] = 0.0
    swap_time: Span = 0
    readout_time: Span = 0
    bell_outcomes: Literal[2, 4] = 4
    bell_efficiency: Annotated[Fraction, Field(gt=0)] = 1.0
    readout_bias: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0
    qubits: SharedQubits | None = None
    cooled_at: Duration = 0
    cold: tuple[tuple[Duration, Duration], ...] = ()
    warm_loses: Annotated[bool, Field(strict=True)] = False
    cost: Cost | None = None
    origins: tuple[Origin, ...] = ()

    @property
    def swap_success(self) -> float:
        """Probability that a swap has an outcome [1]; every outcome is as likely as any other."""
        return self.bell_outcomes / 4 * self.bell_efficiency

    @property
    def cold_spans(self) -> tuple[tuple[int, int], ...]:
        """From when until when the cryostat is cold [ps]."""
        return self.cold or ((self.cooled_at, FOR_EVER),)

    @property
    def warmth(self) -> str:
        """When the node makes no attempts, in one sentence; empty if it is cold all the time."""
        if self.cold:
            spans = ", ".join(
                f"{time_text(begin) if begin else 'the beginning'} to {time_text(end)}" for begin, end in self.cold
            )
            lost = "; what is stored is lost when it warms up" if self.warm_loses else ""
            return f"cold from {spans}: no attempts outside{lost}."
        return f"warm until {time_text(self.cooled_at)}: no attempts before." if self.cooled_at else ""

    @model_validator(mode="before")
    @classmethod
    def _unequal_readout(cls, sheet: Any) -> Any:
        """Read errors of a true 0 and of a true 1 as their mean and half of their difference."""
        if not isinstance(sheet, Mapping) or not isinstance(sheet.get("readout_error"), list | tuple):
            return sheet
        errors = sheet["readout_error"]
        if len(errors) != 2:
            raise ValueError("readout_error: expected one error, or those of a true 0 and of a true 1.")
        try:
            zero, one = (TypeAdapter(Fraction).validate_python(error) for error in errors)
        except ValidationError:
            raise ValueError("readout_error: expected numbers from 0 to 1, or percentages.") from None
        return {**sheet, "readout_error": (zero + one) / 2, "readout_bias": (zero - one) / 2}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if abs(self.readout_bias) > self.readout_error:
            raise ValueError("readout_bias exceeds readout_error: one of the two errors would be negative.")
        if self.cold and self.cooled_at:
            raise ValueError("cold and cooled_at both say when the cryostat is cold: give one of them.")
        times = [time for span in self.cold for time in span]
        if any(earlier >= later for earlier, later in pairwise(times)):
            raise ValueError("cold: times must rise, as in [[0 s, 10 min], [1 h, 2 h]].")
        if self.warm_loses and not self.cold:
            raise ValueError(
                "warm_loses: nothing warms up; give cold, which says when, as in [[0 s, 10 min], [1 h, 2 h]]."
            )
        if self.origins:
            check_origins(self.origins, self.model_dump(mode="json"))
        return self


@dataclass(frozen=True, slots=True)
class _Models:
    """Stands for the manager while a plugin reads its own data sheets."""

    models: Mapping[str, type[HardwareModel]]


class Sheet:
    """A data sheet in a file (``*.yaml``), a platform named like the file.

    It is read when somebody wants it: parsing all installed sheets takes longer than most commands.
    """

    def __init__(self, path: Path, models: Iterable[type[HardwareModel]]) -> None:
        self.name = path.stem
        self._path = path
        self._models = _Models({model.kind: model for model in models})

    @cached_property
    def platform(self) -> Platform:
        """The platform.

        Raises
        ------
        PluginError
            If the sheet is not one; the message names the file.
        """
        path = self._path
        try:
            platform = Platform.model_validate(_plain(path, path.stat().st_mtime_ns), context={"plugins": self._models})
        except ValidationError as error:
            raise PluginError(f"{path.name} is not a platform: {_first(error)}") from error
        except YAMLError as error:
            raise PluginError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
        if platform.name != self.name:
            raise PluginError(f"{path.name} is not a platform: its name is '{platform.name}', not '{self.name}'")
        return platform

    @property
    def title(self) -> str:
        """The platform's line for people."""
        return self.platform.title


def load_platforms(folder: Path, models: Iterable[type[HardwareModel]]) -> list[Sheet]:
    """Return the data sheets of a folder (``*.yaml``), one per platform.

    Parameters
    ----------
    folder
        One file per platform, named like it.
    models
        Model classes that the sheets may choose by ``kind``.
    """
    known = tuple(models)
    return [Sheet(path, known) for path in sorted(folder.glob("*.yaml"))]


@cache
def _plain(path: Path, changed: int) -> Any:
    """Return what a YAML file holds; read once per process unless it changes, for reading is slow."""
    return YAML(typ="safe").load(path)


def _first(error: ValidationError, prefix: str = "") -> str:
    """Return the first thing that pydantic found, with the keys that lead to it."""
    found = error.errors(include_url=False)[0]
    where = prefix + ".".join(str(part) for part in found["loc"])
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, NestedErrors):
        return _first(cause.error, f"{where}.")
    return f"{where.rstrip('.')}: {cause or found['msg']}".lstrip(": ")
