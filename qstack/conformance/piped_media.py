"""Devices, media and links that are programs: requests and indications over the pipe, and the judge's clock.

The program owns no clock.  With every answer it says when something will happen next on its side (``wake``); when the
judge's time has come there, the question ``wake`` lets that one thing happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Protocol, TypeVar

from qstack.conformance import lines
from qstack.conformance.answers import Answer, time, whole
from qstack.conformance.device_talk import Equipment, Feed
from qstack.conformance.model import Ask
from qstack.conformance.piped_layers import kinds_of
from qstack.conformance.sheets import end_as_data, fibre_as_data, sheet_as_data, sheet_of
from qstack.core.clock import Clock
from qstack.core.errors import WireError
from qstack.core.layer import Context, Handler
from qstack.core.nouns import Noun
from qstack.plugin.contracts import Platform
from qstack.plugin.links import Fibre, LinkSheet

T = TypeVar("T")
Told = list[tuple[int, Noun]]


class Media(Protocol):
    """What the suites for devices, media and links take, made of questions."""

    def number(self) -> int:
        """Return a number for something new."""
        ...

    def read(self, do: str, reader: Callable[[Answer], T], **content: Any) -> T:
        """Ask one question and return what the reader makes of the answer."""
        ...

    def device(self, clock: Clock, feed: Feed, seed: int) -> Equipment:
        """Make two devices with a link."""
        return Devices(self.read, self.number(), clock, feed).begin(seed)

    def medium(self, clock: Clock, seed: int, attempts: str) -> PipedMedium:
        """Make a medium."""
        return PipedMedium(self.read, self.number(), clock, seed, attempts)

    def link_medium(self, first: Platform, second: Platform, fibre: Fibre) -> LinkSheet:
        """Make a link."""
        ends = [end_as_data(end) for end in (first, second)]
        return self.read("link", lambda a: sheet_of(a["sheet"]), ends=ends, fibre=fibre_as_data(fibre))


class Devices:
    """Devices that are one program.

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
        self.nodes: set[int] = set()

    def begin(self, seed: int) -> Equipment:
        """Make two of them and return what the suite asks of them."""

        def read(answer: Answer) -> tuple[list[type[Noun]], LinkSheet]:
            return kinds_of(answer.get("handles")), sheet_of(answer["sheet"])

        handles, sheet = self.ask("device", read, device=self.number, seed=seed)
        return Equipment({node: self.table(node, handles) for node in (1, 2)}, sheet)

    def table(self, node: int, handles: list[type[Noun]]) -> dict[type[Noun], Handler]:
        """Return what answers a node's requests."""
        self.nodes.add(node)
        return dict.fromkeys(handles, self._request)

    def _request(self, noun: Noun, ctx: Context) -> tuple[Noun, ...]:
        asked = {"node": ctx.node, "now": str(ctx.now), "noun": lines.plain(noun)}
        self._obey(*self.ask("request", self._told, device=self.number, **asked))
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
            self._obey(*self.ask("wake", self._told, device=self.number, now=str(at)))

    def _told(self, answer: Answer) -> tuple[Told, int | None]:
        told = [(whole(one, "node"), lines.noun_of(one["noun"])) for one in answer["told"]]
        for node, _ in told:
            if node not in self.nodes:
                raise WireError(f"node = {node}: expected one of {', '.join(map(str, sorted(self.nodes)))}")
        return told, None if answer["wake"] is None else time(answer, "wake")


class PipedMedium:
    """A medium that is a program: devices whose nodes and links are the judge's."""

    def __init__(self, ask: Ask, number: int, clock: Clock, seed: int, attempts: str) -> None:
        self.ask, self.number = ask, number
        self.devices = Devices(ask, number, clock, self._feed)
        self.feeds: dict[int, Callable[[Noun, int], None]] = {}
        ask("medium", dict, device=number, seed=seed, attempts=attempts)

    def _feed(self, node: int, noun: Noun, now: int) -> None:
        self.feeds[node](noun, now)

    def place(self, number: int, name: str, platform: Platform) -> Mapping[type[Noun], Handler]:
        """Add a node and return the table that answers its device requests."""
        memory = platform.memory
        told: dict[str, Any] = {"memories": platform.memories}
        if memory.coherence_s:
            told["coherence"] = str(round(memory.coherence_s * 1e12))
        if isfinite(memory.dephasing_attempts):
            told["lasting"] = memory.dephasing_attempts
        if platform.cold:
            told["cold"] = [[str(begin), str(end)] for begin, end in platform.cold]
        asked = {"device": self.number, "node": number, "name": name, **told}
        return self.devices.table(number, self.ask("place", lambda a: kinds_of(a.get("handles")), **asked))

    def connect(self, number: int, feed: Callable[[Noun, int], None]) -> None:
        """Say what gives a node an indication."""
        self.feeds[number] = feed

    def join(self, ends: tuple[int, int], name: str, sheet: LinkSheet) -> None:
        """Add a link between two nodes."""
        self.ask("join", dict, device=self.number, nodes=list(ends), name=name, sheet=sheet_as_data(sheet))
