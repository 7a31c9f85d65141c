"""Links as data: settings, sheets, fibres and the hardware at both ends, as they go over the pipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from qstack.conformance.answers import Answer, real, reals, three, time, two_times, whole
from qstack.conformance.device_talk import Kept
from qstack.core.errors import PhysicsError, WireError
from qstack.plugin.contracts import InterfaceModel, Platform
from qstack.plugin.links import Arm, Fibre, Herald, LinkSheet, Outcome, Phase

CLEAR = (Arm(1.0, 0), Arm(1.0, 0))
"""Two ways on which nothing is lost, and which take no time."""


def herald_of(content: Answer) -> Herald:
    """Return one setting of a link.

    Raises
    ------
    KeyError, TypeError, WireError
        If it is none.
    """
    outcomes = tuple(_outcome(one) for one in content["outcomes"])
    return Herald(real(content, "parameter"), real(content, "probability"), outcomes)


def _outcome(content: Answer) -> Outcome:
    state = content.get("state")
    rows = None if state is None else tuple(reals({"state": row}, "state", 4) for row in state)
    return Outcome(real(content, "share"), whole(content, "bell"), three(content, "correlators"), rows)


def sheet_of(content: Answer) -> LinkSheet:
    """Return what two ends declare of their link.

    Raises
    ------
    KeyError, TypeError, WireError
        If it is none.
    """
    return LinkSheet(
        tuple(herald_of(one) for one in content["heralds"]),
        time(content, "period"),
        two_times(content, "emit"),
        two_times(content, "reply"),
        whole(content, "lanes"),
        time(content, "delay"),
        tuple(
            Phase(time(one, "until"), tuple(herald_of(herald) for herald in one["heralds"]))
            for one in content.get("phases", ())
        ),
    )


def sheet_as_data(sheet: LinkSheet) -> dict[str, Any]:
    """Return what two ends declare of their link as JSON has it."""
    found = {
        "heralds": [asdict(herald) for herald in sheet.heralds],
        "period": str(sheet.period),
        "emit": [str(at) for at in sheet.emit],
        "reply": [str(at) for at in sheet.reply],
        "lanes": sheet.lanes,
        "delay": str(sheet.delay),
    }
    phases = [{"until": str(p.until), "heralds": [asdict(herald) for herald in p.heralds]} for p in sheet.phases]
    return {**found, "phases": phases} if phases else found


def arms_as_data(arms: tuple[Arm, Arm]) -> list[dict[str, Any]]:
    """Return the ways from both ends to the station as JSON has them."""
    return [{"transmission": arm.transmission, "delay": str(arm.delay)} for arm in arms]


def fibre_as_data(fibre: Fibre) -> dict[str, Any]:
    """Return a fibre as JSON has it: what it is, and the ways that follow."""
    told = {name: getattr(fibre, name) for name in ("length", "loss", "speed", "station")}
    return {**told, "delay": str(fibre.delay), "arms": arms_as_data(fibre.arms)}


def fibre_of(content: Mapping[str, Any]) -> Fibre:
    """Return the fibre that JSON describes."""
    return Fibre(real(content, "length"), real(content, "loss"), real(content, "speed"), real(content, "station"))


def end_as_data(end: Platform) -> dict[str, Any]:
    """Return the hardware at one end of a link as JSON has it: no settings where it makes links with nobody.

    The interface is one of the suite's: an attempt succeeds if both photons arrive, and then with the probability that
    is told; the next one begins so long after the answer.
    """
    interface: InterfaceModel = end.interface
    try:
        settings = [asdict(herald) for herald in interface.herald(interface, CLEAR)]
    except PhysicsError:
        settings = []
    return {"memories": end.memories, "settings": settings, "idle": str(interface.period(CLEAR))}


class Arriving(InterfaceModel):
    """The interface that `end_as_data` tells of."""

    kind: ClassVar[str] = "judge-arriving"
    settings: tuple[Any, ...]
    idle: int

    def herald(self, other: InterfaceModel, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return every setting; all the light on both arms has to arrive.

        Raises
        ------
        PhysicsError
            If there is none.
        """
        if not self.settings:
            raise PhysicsError("this interface makes links with nobody")
        arrive = arms[0].transmission * arms[1].transmission
        return tuple(Herald(one.parameter, one.probability * arrive, one.outcomes) for one in self.settings)

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the time until the answer, and the idle time [ps]."""
        return max(self.reply(arms)) + self.idle

    def lit(self, clicks: float) -> InterfaceModel:
        """Return an interface that sees none of the background."""
        return self


def end_of(content: Mapping[str, Any]) -> Platform:
    """Return the hardware at one end of a link that JSON describes; its memory loses nothing.

    Raises
    ------
    KeyError, TypeError, WireError
        If it is none.
    """
    if not isinstance(content, Mapping):
        raise WireError(f"{content!r:.60} is no end of a link")
    interface = Arriving(settings=tuple(herald_of(one) for one in content["settings"]), idle=time(content, "idle"))
    return Platform(name="judge", memory=Kept(), interface=interface, memories=whole(content, "memories"))
