"""Parts of a prepare-and-measure link: what a vendor says of a source, a channel and a detector, and how one is named.

A part is a frozen data sheet with one pure function that says what key distribution has to know.  A class of parts is
chosen by ``kind``, a filled-in sheet by its name; both come through ``qstack_hardware``.  Wherever a part is wanted a
user writes the name of a sheet, ``{like: NAME, ...}`` with some values changed, or ``{kind: KIND, ...}``.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from ruamel.yaml.error import YAMLError

from qstack.core.errors import PluginError
from qstack.plugin.contracts import HardwareModel
from qstack.plugin.offers import NotOffered, plugins_of, validate
from qstack.plugin.sheet import Origin, check_origins, content_of, still_true


@dataclass(frozen=True, slots=True)
class Pulses:
    """What a source of phase-randomised weak pulses sends.

    Parameters
    ----------
    rate_hz
        Pulses per second [Hz].
    intensities
        Mean photon numbers, the signal first, falling [photon/pulse].
    probabilities
        How often each intensity is sent.
    p_key
        Probability of the key basis; the receiver is taken to choose likewise.
    optical_error
        Probability that a photon was prepared in the state opposite to the one meant.
    """

    rate_hz: float
    intensities: tuple[float, ...]
    probabilities: tuple[float, ...]
    p_key: float = 0.8
    optical_error: float = 0.0


@dataclass(frozen=True, slots=True)
class Passage:
    """What a channel does to a photon.

    Parameters
    ----------
    loss_db
        Attenuation from end to end [dB].
    light_hz
        Photons that nobody sent and that reach the receiver in the band of its filter [Hz].
    """

    loss_db: float
    light_hz: float = 0.0


@dataclass(frozen=True, slots=True)
class Gates:
    """What a receiver of two threshold detectors per basis does at a clock rate.

    Parameters
    ----------
    efficiency
        A photon at its entrance is detected.
    dark_rate_hz
        Dark counts of one detector [Hz].
    dead_time_s
        All detectors are held off together for this long after a click [s].
    optical_error
        Probability that a photon goes to the wrong detector of the right basis.
    """

    efficiency: float
    dark_rate_hz: float
    dead_time_s: float = 0.0
    optical_error: float = 0.0


class Part(HardwareModel):
    """Base of all parts: a named data sheet.

    Attributes
    ----------
    role
        What it is in a link: source, channel or detector.
    """

    role: ClassVar[str]

    name: str = Field("inline", pattern=r"^[a-z0-9][a-z0-9.-]*$", description="short name")
    title: str = Field("", description="one line for people")
    origins: tuple[Origin, ...] = Field((), description="where each value comes from")

    @model_validator(mode="after")
    def _origins_fit(self) -> Self:
        if self.origins:
            check_origins(self.origins, self.model_dump(mode="json"))
        return self


class SourcePart(Part):
    """A source of weak pulses in the four BB84 states."""

    role: ClassVar[str] = "source"

    @abstractmethod
    def pulses(self) -> Pulses:
        """Return what it sends."""


class ChannelPart(Part):
    """What lies between source and receiver."""

    role: ClassVar[str] = "channel"

    @abstractmethod
    def passage(self, length_km: float) -> Passage:
        """Return what a photon meets on this way [km]."""


class DetectorPart(Part):
    """A receiver's detectors."""

    role: ClassVar[str] = "detector"

    @abstractmethod
    def gates(self, rate_hz: float) -> Gates:
        """Return what they do when pulses come at this rate [Hz].

        Raises
        ------
        PhysicsError
            If they do not work like that.
        """


class PartSheet:
    """A part in a file of several, read when somebody wants it: parsing all installed sheets would slow every command.

    Parameters
    ----------
    path, name
        The YAML file, and the top-level key that is the part's name.
    model
        What the sheet is of.
    """

    def __init__(self, path: Path, name: str, model: type[Part]) -> None:
        self.name = name
        self.role = model.role
        self._path = path
        self._model = model

    @cached_property
    def part(self) -> Part:
        """The part.

        Raises
        ------
        PluginError
            If the sheet is not one; the message names the file.
        """
        try:
            return self._model.model_validate({"name": self.name, **content_of(self._path)[self.name]})
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in (self.name, *found["loc"]))
            raise PluginError(f"{self._path.name}  {where}: {found['msg']} (given: {found['input']!r})") from error
        except (YAMLError, KeyError, TypeError) as error:
            raise PluginError(f"{self._path.name} is not a file of parts: {' '.join(str(error).split())}") from error

    @property
    def title(self) -> str:
        """The part's line for people."""
        return self.part.title


def load_parts(path: Path, model: type[Part]) -> list[PartSheet]:
    """Return the parts in a YAML file, each under its name at the beginning of a line.

    Parameters
    ----------
    path
        The file.
    model
        What all of them are.
    """
    return [PartSheet(path, name, model) for name in _TOP.findall(path.read_text(encoding="utf-8"))]


_TOP = re.compile(r"^([a-z0-9][a-z0-9.-]*):", re.MULTILINE)

PARTS: tuple[type[Part], ...] = (SourcePart, ChannelPart, DetectorPart)
ROLES = tuple(part.role for part in PARTS)
"""Levels of parts in the ``hardware`` kind: a part and a platform may share a name, they are chosen in different places."""


def _part(sheet: Part | PartSheet) -> Part:
    return sheet.part if isinstance(sheet, PartSheet) else sheet


def choose_part(base: type[Part]) -> Any:
    """Return a pydantic type for a part: a sheet's name, or a mapping with ``like`` or ``kind``.

    Parameters
    ----------
    base
        `SourcePart`, `ChannelPart` or `DetectorPart`.
    """
    what = f"a {base.role}"

    def read(value: object, info: ValidationInfo) -> object:
        if isinstance(value, base):
            return value
        manager = plugins_of(info)
        sheets: Mapping[str, Part | PartSheet] = manager.offers("hardware", base.role)
        if isinstance(value, str):
            if value not in sheets:
                raise NotOffered(value, what, sorted(sheets))
            return _part(sheets[value])
        kinds = {kind: model for kind, model in manager.models.items() if issubclass(model, base)}
        if not isinstance(value, Mapping) or ("like" in value) == ("kind" in value):
            raise ValueError(
                f"expected the name of {what}, or a mapping with 'like' (installed: {', '.join(sorted(sheets))}) or "
                f"'kind' (installed: {', '.join(sorted(kinds))})."
            )
        chooser = "like" if "like" in value else "kind"
        rest = {key: part for key, part in value.items() if key != chooser}
        name, offered = value[chooser], sheets if chooser == "like" else kinds
        if not isinstance(name, str) or name not in offered:
            raise NotOffered(
                str(name), what if chooser == "like" else f"a kind of {base.role}", sorted(offered), chooser
            )
        if chooser == "kind":
            return validate(kinds[name], rest, info, "kind")
        sheet = _part(sheets[name])
        changed = {**sheet.model_dump(mode="json"), "name": f"{name}-changed", **rest}
        if "origins" not in rest:
            changed["origins"] = still_true(changed, rest)
        return validate(type(sheet), changed, info, "like")

    def write(part: Part) -> dict[str, Any]:
        return {"kind": part.kind, **part.model_dump(mode="json")}

    return Annotated[
        base,
        BeforeValidator(read),
        PlainSerializer(write),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}], "description": what}),
    ]
