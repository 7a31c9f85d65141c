"""The medium: sole owner of joint quantum state, and what answers the device requests of every node."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf

from qstack.core.clock import Clock
from qstack.core.errors import ConfigError
from qstack.core.layer import Handler, Layer
from qstack.core.nouns import Noun
from qstack.hardware.device import Device, NodeDevice
from qstack.hardware.each import EachLink
from qstack.hardware.lanes import End, Link, Setting
from qstack.hardware.pairs import Half
from qstack.hardware.randomness import Stream
from qstack.hardware.register import Exchange
from qstack.hardware.skipping import LaneLink
from qstack.hardware.tally import Counted, Noted
from qstack.plugin.distilling import Combine
from qstack.plugin.protocols import Fate
from qstack.quantum.purification import bbpssw, dejmps


class Medium:
    """All quantum state of a network, in the correlator tier.

    Parameters
    ----------
    clock
        The host.
    seed, shot
        Of the run: every entity draws from its own stream.
    attempts
        "skip": one draw gives the time of a lane's next success.  "each": every attempt asks the midpoint.
    midpoint
        Makes the midpoint of a link from the numbers of its nodes; needed for "each".

    Raises
    ------
    ConfigError
        If there is no such way of attempting, or no midpoint where one is needed.
    """

    skipping: type[LaneLink] = LaneLink
    attempting: type[EachLink] = EachLink

    def __init__(
        self,
        clock: Clock,
        seed: int,
        shot: int = 0,
        *,
        attempts: str = "skip",
        midpoint: Callable[[tuple[int, int]], Layer] | None = None,
    ) -> None:
        if attempts not in {"skip", "each"}:
            raise ConfigError(f"attempts: '{attempts}' is not one of 'skip', 'each'")
        if attempts == "each" and midpoint is None:
            raise ConfigError("attempts: 'each' needs a midpoint to ask")
        self.clock = clock
        self.midpoint = midpoint if attempts == "each" else None
        self.boxes: dict[int, NodeDevice] = {}
        self.seed = seed
        self.shot = shot
        self.qubits: dict[int, dict[int, Half]] = {}
        self.links: dict[tuple[int, int], Link] = {}
        self.ports: dict[int, dict[int, tuple[Link, int]]] = {}
        self.devices: dict[int, Device] = {}
        self.exchange = Exchange(clock)
        self.tallies: dict[int, Counted | Noted | None] = {}
        self.feeds: dict[int, Callable[[Noun, int], None]] = {}
        self.numbers = itertools.count(1).__next__
        self.schemes: Mapping[str, Combine] = {"bbpssw": bbpssw, "dejmps": dejmps}

    def add_node(self, number: int, device: Device, feed: Callable[[Noun, int], None] | None = None) -> None:
        """Take up a node; `feed` gives it an indication, and may be told later, before its links are added."""
        self.qubits[number] = {}
        self.ports[number] = {}
        self.devices[number] = device
        if device.register is not None:
            self.exchange.registers[number] = device.register.unused()
        wears = device.lasting < inf
        self.tallies[number] = (Counted if self.midpoint is None else Noted)(device.lasting) if wears else None
        if feed is not None:
            self.feeds[number] = feed

    def add_link(
        self,
        ends: tuple[int, int],
        lanes: int,
        settings: Sequence[Setting],
        emit: tuple[int, int],
        reply: tuple[int, int],
        name: str,
    ) -> Link:
        """Join two nodes that are known; times as in `qstack.hardware.lanes.End`."""
        a, b = (
            End(
                node,
                peer,
                self.feeds[node],
                self.qubits[node],
                self.devices[node].law,
                emit[side],
                reply[side],
                self.devices[node].readout,
                self.devices[node].gate,
                self.tallies[node],
                self.devices[node].cold,
            )
            for side, (node, peer) in enumerate((ends, ends[::-1]))
        )
        given = (self.clock, (a, b), lanes, settings, Stream(self.seed, self.shot, name), self.numbers)
        link = self.skipping(*given) if self.midpoint is None else self.attempting(*given, self.midpoint(ends))
        if self.exchange.registers.keys() & set(ends):
            link.exchange = self.exchange
        self.links[ends] = link
        self.ports[ends[0]][ends[1]] = (link, 0)
        self.ports[ends[1]][ends[0]] = (link, 1)
        return link

    def disturb(self, fate: Callable[[str, int, int], Fate]) -> None:
        """Lose, delay and double messages with midpoints; see `qstack.plugin.contracts.Disturbed`."""
        for ends, link in self.links.items():
            link.deaf = partial(_fate_of_reply, ends, fate)
            link.mute = partial(_fate_of_gen, ends, fate)

    @property
    def equipment(self) -> type[NodeDevice]:
        """What answers the requests of one node."""
        return NodeDevice

    def effects(self, node: int, name: str) -> dict[type[Noun], Handler]:
        """Return the table that answers a node's device requests."""
        box = self.boxes[node] = self.equipment(self, node, Stream(self.seed, self.shot, name))
        return box.table()


def _fate_of_reply(ends: tuple[int, int], fate: Callable[[str, int, int], Fate], side: int, _: int) -> Fate:
    return fate("Reply", ends[1 - side], ends[side])


def _fate_of_gen(ends: tuple[int, int], fate: Callable[[str, int, int], Fate], side: int) -> Fate:
    return fate("Gen", ends[side], ends[1 - side])
