"""Platforms: the named data sheet of a node, and the YAML files that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from ruamel.yaml.error import YAMLError

from qstack.core.errors import PluginError
from qstack.plugin.models import HardwareModel, InterfaceModel, MemoryModel, choose_model
from qstack.plugin.offers import NestedErrors, Options
from qstack.plugin.sheet import Cost, Origin, SharedQubits, check_origins, content_of
from qstack.plugin.units import FOR_EVER, Duration, Fraction, Span, time_text

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
    memory: choose_model(MemoryModel)
    interface: choose_model(InterfaceModel)
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
            platform = Platform.model_validate(content_of(path), context={"plugins": self._models})
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


def _first(error: ValidationError, prefix: str = "") -> str:
    """Return the first thing that pydantic found, with the keys that lead to it."""
    found = error.errors(include_url=False)[0]
    where = prefix + ".".join(str(part) for part in found["loc"])
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, NestedErrors):
        return _first(cause.error, f"{where}.")
    return f"{where.rstrip('.')}: {cause or found['msg']}".lstrip(": ")
