"""What stands at a decoy-state link, and who attacks it: parts, schemes and attackers by their installed names.

A link is a few keys of YAML, in a file of its own (``--link FILE``) or one by one (``--set KEY=VALUE``).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from qstack.core.errors import ConfigError, PhysicsError
from qstack.keys.devices import Devices
from qstack.keys.models import Setup
from qstack.plugin.contracts import Options, chosen
from qstack.plugin.manager import Manager
from qstack.plugin.optics import ChannelPart, DetectorPart, Passage, SourcePart, choose_part
from qstack.plugin.units import Fraction, Length, Loss
from qstack.scenario.load import text_of
from qstack.scenario.override import override, parse
from qstack.scenario.problems import Origin, from_validation, refusal, report
from qstack.scenario.yaml import read

CHOOSERS = {"source": "like", "channel": "like", "detector": "like", "reconciliation": "use", "attack": "use"}
"""What stands for a name alone, when something of it is to change."""


class KeyLink(Options):
    """One link."""

    source: choose_part(SourcePart) = Field("decoy-80mhz", validate_default=True)  # type: ignore[valid-type]  # made at run time
    channel: choose_part(ChannelPart) = Field("fibre-0.2", validate_default=True)  # type: ignore[valid-type]  # as above
    detector: choose_part(DetectorPart) = Field("cold-80", validate_default=True)  # type: ignore[valid-type]  # as above
    length: Length = Field(10.0, description="of the channel [km]")
    loss: Loss | None = Field(None, description="measured, instead of what the channel's sheet says [dB]")
    self_test: Annotated[Fraction, Field(lt=0.5)] = Field(
        0.0, description="gates in which the receiver tests itself [1]"
    )
    block: Annotated[int, Field(ge=10_000, le=1_000_000_000, strict=True)] = Field(200_000, description="sifted bits")
    reconciliation: chosen("reconciliation", "a reconciliation scheme") = Field(  # type: ignore[valid-type]  # as above
        "cascade", validate_default=True
    )
    attack: chosen("eavesdroppers", "an eavesdropper") = Field(  # type: ignore[valid-type]  # as above
        "intercept-resend", validate_default=True
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            self.setup()
        except (ConfigError, PhysicsError) as error:
            raise ValueError(f"these parts make no link: {error}") from None
        return self

    def setup(self, self_test: float | None = None) -> Setup:
        """Return the link as the formulas take it, perhaps with a receiver that tests itself more or less often."""
        pulses = self.source.pulses()
        devices = Devices(
            pulses, self.detector.gates(pulses.rate_hz), self.self_test if self_test is None else self_test
        )
        passage = self.channel.passage(self.length)
        if self.loss is not None:
            passage = Passage(self.loss, passage.light_hz)
        return devices.over(self.length, passage)

    @property
    def words(self) -> str:
        """The link in one line."""
        parts = (self.source, self.detector, self.channel)
        told = ", ".join(part.name for part in parts)
        return f"{told}, {self.length:g} km, reconciliation {self.reconciliation.name}"


def read_link(manager: Manager, path: Path | None = None, settings: Iterable[str] = (), **given: Any) -> KeyLink:
    """Return a link from a YAML file, single values ``KEY=VALUE``, or nothing: 10 km between assumed parts.

    Parameters
    ----------
    manager
        Knows the plugins.
    path
        The file.
    settings
        Values that replace its own.
    given
        Further values, such as those of options of a command.

    Raises
    ------
    ConfigError
        If anything is wrong with it: one line per problem.
    PluginError
        If a plugin does not fit.
    """
    data, origin = ({}, Origin("link", {})) if path is None else read(text_of(path), str(path))
    if not isinstance(data, dict):
        raise refusal(str(path), f"expected a mapping of keys: {', '.join(KeyLink.model_fields)}.")
    data.update({key: value for key, value in given.items() if value is not None})
    for change in map(parse, settings):  # one by one: a later one may change part of what an earlier one names
        _open(data, change.key.split("."))
        origin = override(data, origin, [change])
    with manager.blaming():
        try:
            return KeyLink.model_validate(data, context={"plugins": manager})
        except ValidationError as error:
            raise report(from_validation(error, KeyLink), origin) from None


def _open(data: dict[str, Any], path: list[str]) -> None:
    """Let a value inside a part or a choice be set where only its name stands, or nothing."""
    key = path[0]
    if len(path) > 1 and key in CHOOSERS:
        standing = data.setdefault(key, KeyLink.model_fields[key].default)
        if isinstance(standing, str):
            data[key] = {CHOOSERS[key]: standing}
