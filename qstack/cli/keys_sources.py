"""Simulated sources of blocks by what a user names: parts, schemes and attackers of the installed plugins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qstack import api
from qstack.keys.store.simulated import Bb84Source
from qstack.keys.store.source import MakeAttack, RandomTestSource, TappableSource
from qstack.study.keys_link import KeyLink, read_link

BLOCK_OCTETS = 32 * 257

SourceMaker = Callable[[tuple[str, str]], TappableSource]


@dataclass(frozen=True)
class Wanted:
    """What a user says of simulated sources.

    Parameters
    ----------
    scenario, flow
        Of the stack, for BBM92; None takes a link within a city.
    key_error
        Error rate in Z that its reconciliation is planned for.
    link, settings
        The decoy-state link and its attacker, see `qstack.study.keys_link.read_link`.
    reconciliation, attack
        Names that replace those of the link; the scheme replaces that of a BBM92 flow as well.
    eve
        Whether the attacker is there from the beginning.
    """

    scenario: Path | None = None
    flow: str | None = None
    key_error: float | None = None
    link: Path | None = None
    settings: tuple[str, ...] = ()
    reconciliation: str | None = None
    attack: str | None = None
    eve: bool = False

    @cached_property
    def found(self) -> KeyLink:
        """The link, read.

        Raises
        ------
        ConfigError
            If it has mistakes.
        """
        manager = api.manager(self.link.parent if self.link else Path())
        attack = None if self.attack is None else {"use": self.attack}
        return read_link(manager, self.link, self.settings, reconciliation=self.reconciliation, attack=attack)

    @property
    def attacker(self) -> MakeAttack:
        """Makes the attacker."""
        make: Callable[[], Any] = self.found.attack.make
        return make

    @property
    def names_scheme(self) -> bool:
        """Whether the user has chosen a reconciliation for all protocols, or leaves it to each."""
        return self.reconciliation is not None or "reconciliation" in self.found.model_fields_set


def source_maker(kind: str, wanted: Wanted) -> SourceMaker:
    """Return what makes a simulated source of a kind for the two ends of a link.

    Parameters
    ----------
    kind
        ``bb84``, ``bbm92`` or ``test``.
    wanted
        What the user says of it.

    Raises
    ------
    ConfigError
        When the link has mistakes, or the scenario has no such flow.
    """
    make = _quiet(kind, wanted)
    if not wanted.eve:
        return make

    def tapped(names: tuple[str, str]) -> TappableSource:
        source = make(names)
        source.eavesdrop(wanted.attacker)
        return source

    return tapped


def _quiet(kind: str, wanted: Wanted) -> SourceMaker:
    link = wanted.found
    scheme = link.reconciliation.make
    if kind == "bb84":
        return lambda names: Bb84Source(names, link.block, link.setup(), scheme)
    if kind == "test":
        return lambda names: RandomTestSource(BLOCK_OCTETS)
    from qstack.keys.store.measured import Bbm92Source
    from qstack.study.keys import CITY, StackFlow

    flow = StackFlow(api.load(wanted.scenario or CITY), wanted.flow)
    chosen = scheme if wanted.names_scheme else flow.scheme  # QS-KY-463
    return lambda names: Bbm92Source(names, flow, wanted.key_error, chosen)
