"""What the things that hooks offer have to be, where a function is not enough: media, channels, distillation schemes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from qstack.core.layer import Handler
from qstack.core.nouns import Noun
from qstack.plugin.links import LinkSheet

if TYPE_CHECKING:
    from qstack.plugin.contracts import Platform


class Medium(Protocol):
    """The owner of all joint quantum state of a network, as a host sees it."""

    def place(self, number: int, name: str, platform: Platform) -> dict[type[Noun], Handler]:
        """Add a node and return the table that answers its device requests; `name` names its random stream."""
        ...

    def connect(self, number: int, feed: Callable[[Noun, int], None]) -> None:
        """Say what gives a node an indication; before its links are joined."""
        ...

    def join(self, ends: tuple[int, int], name: str, sheet: LinkSheet) -> None:
        """Add a link between two nodes that are connected; `name` names its random stream."""
        ...

    def overlap(self, number: int, qubit: int, bell: int, now: int) -> float:
        """Return the overlap of a qubit's pair with a Bell state, and stop this half's ageing: it is consumed."""
        ...

    def counts(self, number: int) -> Mapping[str, float]:
        """Return what a node's device did: `swaps`, `discards`, `memories` it has, `busy_s` of them together [s].

        Also `swaps_failed`, of a device whose swaps may fail.
        """
        ...

    def pairs(self, ends: tuple[int, int]) -> int:
        """Return how many pairs a link has made."""
        ...


@runtime_checkable
class Disturbed(Protocol):
    """A medium that can lose messages with midpoints: needed only where a user has ordered such faults."""

    def disturb(self, lost: Callable[[str, int, int], bool]) -> None:
        """Ask of each message whether it is lost; called once, when all links are joined.

        Parameters
        ----------
        lost
            Tells it from ``"Gen"`` or ``"Reply"`` (of a success), the sender and the receiver; a midpoint goes by the
            number of the node at the other end of its link.
        """
        ...


@runtime_checkable
class Passing(Protocol):
    """Options of a medium that comes and goes with one station: what keys of prepared states need to know of it.

    Attributes
    ----------
    culminations
        When each pass is at its highest [ps].
    """

    culminations: tuple[int, ...]

    def budget(self) -> Sequence[tuple[float, float]]:
        """Return the steps of one pass: how long each takes [s], and its loss [dB], detectors apart."""
        ...

    def stray(self, rate_hz: float) -> float:
        """Return photons that nobody sent and that reach the detectors in the gates of a clock [Hz], both together [Hz]."""
        ...


class ClassicalChannel(Protocol):
    """One direction of a classical channel, as a host sees it.

    Attributes
    ----------
    delay
        Longest time that a datagram takes unless it is queued or lost [ps]: what layers set their timers by.
    ideal
        True if every datagram arrives after exactly `delay`, once and intact: a host may then take a shorter way.
    """

    delay: int
    ideal: bool

    def arrivals(self, now: int, size: int, draw: np.random.Generator, /) -> tuple[int, ...]:
        """Return when a datagram that is sent now arrives [ps]: once, never, or several times.

        Parameters
        ----------
        now
            The present [ps]; calls come in its order.
        size
            Of the datagram [byte].
        draw
            The random stream of this direction.
        """
        ...


class DistillationScheme(Protocol):
    """A two-to-one distillation scheme, made for the noise of the two ends of a link.

    Attributes
    ----------
    name
        By which both ends and the medium know it.
    """

    name: str

    def combine(
        self, first: tuple[float, float, float], second: tuple[float, float, float]
    ) -> tuple[float, tuple[float, float, float]]:
        """Return the probability that the bits agree, and the kept pair; all pairs in the frame of Phi+."""
        ...

    def output_fidelity(self, first: float, second: float) -> float:
        """Return the fidelity expected of the kept pair."""
        ...

    def input_fidelity(self, wanted: float) -> float:
        """Return the least fidelity of two equal pairs that gives `wanted`; above 1 if none does."""
        ...
