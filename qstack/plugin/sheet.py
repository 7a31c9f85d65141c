"""What a data sheet says beside its values: where each comes from, and what the hardware costs.

    origins:
      - source: Krutyanskiy et al., Phys. Rev. Lett. 130, 213601
        year: 2023
        confidence: medium
        gives: {interface.detection: 0.018 +- 0.001, memory.coherence_time: 62 +- 3 ms}
      - assumption: Readout errors are not given and taken as zero.
        gives: [readout_error]

One entry per source; `gives` names the parameters it stands for, with what it says in its own words and units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from ruamel.yaml import YAML

from qstack.plugin.offers import Options
from qstack.plugin.units import Fraction, Money, Power, Span, Upkeep


def _gives(value: object) -> object:
    """Read a list of parameters as a mapping without words."""
    if isinstance(value, list | tuple):
        return {str(name): "" for name in value}
    return {key: str(words) for key, words in value.items()} if isinstance(value, Mapping) else value


class Origin(Options):
    """Where values come from: a source, or an assumption.

    Parameters
    ----------
    source, year
        The work, and when it appeared.
    confidence
        ``high``: read in the work; ``medium``: read in a later work that quotes it, or derived from such values;
        ``unverified``: not checked against a citation.
    assumption
        Instead of a source: what was assumed, and why.
    gives
        Parameter of the sheet, such as ``interface.visibility``, to what the source says of it.
    """

    source: str = ""
    year: Annotated[int, Field(ge=1900, le=2100)] | None = None
    confidence: Literal["high", "medium", "unverified"] | None = None
    assumption: str = ""
    gives: Annotated[dict[str, str], BeforeValidator(_gives), Field(min_length=1)]

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.source) == bool(self.assumption):
            raise ValueError("an origin has either a 'source' or an 'assumption'.")
        if self.source and (self.year is None or self.confidence is None):
            raise ValueError("a source has its 'year' and a 'confidence': high, medium or unverified.")
        return self

    def __hash__(self) -> int:
        return hash((self.source, self.year, self.confidence, self.assumption, tuple(self.gives.items())))

    @property
    def words(self) -> str:
        """The source with its year, or the assumption."""
        return f"{self.source} ({self.year})" if self.source else f"assumed: {self.assumption}"


class SharedQubits(Options):
    """Qubits of one node that all of its links share, such as the electron of an NV centre and the carbon spins around it.

    Parameters
    ----------
    communication
        Qubits that make entanglement; a lane attempts only while it has one [1].
    storage
        Qubits that keep it [1].
    move_time
        From a communication into a storage qubit [ps].
    move_noise
        Probability that the move leaves the fully mixed state [1].
    reach
        For each communication qubit, the storage qubits that its pairs can be moved into, counted from 0; empty: every
        one reaches all.
    """

    communication: int = Field(ge=1, le=4096, strict=True)
    storage: int = Field(0, ge=0, le=4096, strict=True)
    move_time: Span = 0
    move_noise: Fraction = 0.0
    reach: tuple[tuple[Annotated[int, Field(ge=0, strict=True)], ...], ...] = ()

    @model_validator(mode="after")
    def _connected(self) -> Self:
        if not self.reach:
            return self
        if len(self.reach) != self.communication:
            raise ValueError(f"reach: {len(self.reach)} lists for {self.communication} communication qubits.")
        known, reached = set(range(self.storage)), {store for stores in self.reach for store in stores}
        if reached - known:
            raise ValueError(f"reach: there is no storage qubit {min(reached - known)}; they count from 0.")
        if known - reached:
            raise ValueError(f"reach: no communication qubit reaches storage qubit {min(known - reached)}.")
        return self

    @property
    def places(self) -> int:
        """How many halves the node can hold."""
        return self.communication + self.storage


class PartCost(Options):
    """What a part of a node costs.

    Parameters
    ----------
    capital
        To buy or build it [EUR].
    operation
        Per year, without electricity [EUR/yr].
    power
        Electrical, while it is on [W].
    """

    capital: Money = 0.0
    operation: Upkeep = 0.0
    power: Power = 0.0


PartName = Literal["memory", "source", "detectors", "cryostat", "electronics", "conversion"]


class Cost(PartCost):
    """What one node of this hardware costs; parameters as in `PartCost`, for what is not told apart.

    Parameters
    ----------
    parts
        What is told apart: memory or source, detectors, cryostat, electronics, frequency conversion.
    """

    parts: dict[PartName, PartCost] = Field(default_factory=dict)


def check_origins(origins: tuple[Origin, ...], sheet: Mapping[str, Any]) -> None:
    """Refuse origins of parameters that the sheet does not have, and two origins of one parameter.

    Raises
    ------
    ValueError
        Naming the parameter, and the nearest one that the sheet has.
    """
    known = set(parameters(sheet))
    seen: set[str] = set()
    for origin in origins:
        for name in origin.gives:
            if name not in known:
                close = get_close_matches(name, sorted(known), n=1)
                hint = f" Did you mean '{close[0]}'?" if close else ""
                raise ValueError(f"'{name}' in 'origins' is not a parameter of this sheet.{hint}")
            if name in seen:
                raise ValueError(f"'{name}' has two origins.")
            seen.add(name)


DESCRIPTION = frozenset({"name", "title", "status", "sources", "assumptions", "origins", "kind"})
"""Keys of a sheet that are words about it."""


def parameters(sheet: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Give the dotted names of all parameters of a sheet as plain data."""
    for key, value in sheet.items():
        if key in DESCRIPTION:
            continue
        if isinstance(value, Mapping):
            yield from parameters(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def still_true(sheet: Mapping[str, Any], change: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the origins of a sheet as plain data that still hold when some of its values have been changed.

    Parameters
    ----------
    sheet
        With the changes made.
    change
        The values that were written anew.
    """
    kept = set(parameters(sheet)) - set(parameters(change))
    found = []
    for origin in sheet.get("origins", ()):
        gives = {name: words for name, words in origin["gives"].items() if name in kept}
        if gives:
            found.append({**origin, "gives": gives})
    return found


def content_of(path: Path) -> Any:
    """Return what a YAML file of sheets holds.

    It is read once per process unless it changes, for reading is slow.
    """
    return _content(path, path.stat().st_mtime_ns)


@cache
def _content(path: Path, changed: int) -> Any:
    return YAML(typ="safe").load(path)
