"""Two devices that are one program: requests and indications over the pipe, and the judge's clock.

The program owns no clock.  With every answer it says when something will happen next on its side (``wake``); when the
judge's time has come there, the question ``wake`` lets that one thing happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qstack.conformance import lines
from qstack.conformance.device_talk import Equipment, Feed
from qstack.conformance.model import Ask, herald_of
from qstack.core.clock import Clock
from qstack.core.errors import WireError
from qstack.core.layer import Context
from qstack.core.nouns import Noun
from qstack.hosts.plain import time_of
from qstack.plugin.links import LinkSheet

Told = list[tuple[int, Noun]]


class PipedDevice:
    """Both devices.

    Parameters
    ----------
    ask
        Asks the program.
    number
        By which the program knows them.
    clock
        The judge's.
    feed
        Takes what they tell.
    """

    def __init__(self, ask: Ask, number: int, clock: Clock, feed: Feed) -> None:
        self.ask, self.number, self.clock, self.feed = ask, number, clock, feed
        self.next: int | None = None

    def begin(self, seed: int) -> Equipment:
        """Make the devices and return what the suite asks of them."""
        handles, sheet = self.ask("device", _equipment, device=self.number, seed=seed)
        tables = {node: dict.fromkeys(kinds, self._request) for node, kinds in handles.items()}
        return Equipment(tables, sheet)

    def _request(self, noun: Noun, ctx: Context) -> tuple[Noun, ...]:
        asked = {"node": ctx.node, "now": str(ctx.now), "noun": lines.plain(noun)}
        self._obey(*self.ask("request", _told, device=self.number, **asked))
        return ()

    def _obey(self, told: Told, wake: int | None) -> None:
        """Take note of when the program wants to be woken, then hand on what it tells."""
        self.next = wake
        if wake is not None:
            self.clock.at(wake, self._wake, wake)
        for node, noun in told:
            self.feed(node, noun, self.clock.now)

    def _wake(self, at: int) -> None:
        if at == self.next:  # otherwise a request has changed that since
            self._obey(*self.ask("wake", _told, device=self.number, now=str(at)))


def _told(answer: Mapping[str, Any]) -> tuple[Told, int | None]:
    told = [(_node(one["node"]), lines.noun_of(one["noun"])) for one in answer["told"]]
    wake = answer["wake"]
    return told, None if wake is None else time_of("wake", wake)


def _node(node: Any) -> int:
    if node not in (1, 2):
        raise WireError(f"node = {node!r:.60}: expected 1 or 2")
    return int(node)


def _equipment(answer: Mapping[str, Any]) -> tuple[dict[int, list[type[Noun]]], LinkSheet]:
    known, sheet = lines.kinds(), answer["sheet"]
    handles = {node: [known[name] for name in answer["handles"]] for node in (1, 2)}
    emit, reply = (_two(name, sheet[name]) for name in ("emit", "reply"))
    heralds = tuple(herald_of(one) for one in sheet["heralds"])
    period, delay = time_of("period", sheet["period"]), time_of("delay", sheet["delay"])
    return handles, LinkSheet(heralds, period, emit, reply, int(sheet["lanes"]), delay)


def _two(name: str, times: Any) -> tuple[int, int]:
    first, second = times
    return time_of(name, first), time_of(name, second)


def sheet_as_data(sheet: LinkSheet, plain: Callable[[Any], Any]) -> dict[str, Any]:
    """Return what two devices declare of their link as JSON has it; `plain` writes one setting."""
    return {
        "heralds": [plain(herald) for herald in sheet.heralds],
        "period": str(sheet.period),
        "emit": [str(at) for at in sheet.emit],
        "reply": [str(at) for at in sheet.reply],
        "lanes": sheet.lanes,
        "delay": str(sheet.delay),
    }
