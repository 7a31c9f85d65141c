"""The table of a neighbour: requests, letters that are repeated until they are answered, and what was said about pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qstack.core.nouns import Message, Timer, timer
from qstack.plugin.sites import Neighbour
from qstack.wire.link import Add

NUMBERS = 1 << 8
"""Of messages; they begin anew."""


@timer
class Wake(Timer):
    """Something of this neighbour is due."""

    peer: int


@timer
class Remind(Timer):
    """Something that was said three times has still not been answered."""

    housekeeping = True
    peer: int


@dataclass(slots=True)
class Job:
    """A request, at either end."""

    add: Add
    left: int
    order: int = 0
    mine: bool = False
    agreed: bool = False
    over: bool = False


@dataclass(slots=True)
class Letter:
    """A message that is repeated until it is answered."""

    message: Message
    due: int
    pause: int
    sent: int = 1


@dataclass(slots=True)
class Line:
    """The table of one neighbour."""

    to: Neighbour
    even: bool
    waiting: list[Job] = field(default_factory=list)
    jobs: dict[int, Job] = field(default_factory=dict)  # by queue id
    letters: dict[Any, Letter] = field(default_factory=dict)  # by what the answer names
    heard: dict[int, tuple[Add, Message]] = field(default_factory=dict)  # by number: what was answered to what
    dropped: dict[int, int] = field(default_factory=dict)  # by purpose: number of the peer's last Drop
    told: dict[int, Job] = field(default_factory=dict)  # by pair number
    void: dict[int, None] = field(default_factory=dict)  # pair numbers that were expired before they came
    latest: dict[int, int] = field(default_factory=dict)  # by lane: number of its last pair
    turns: dict[int, int] = field(default_factory=dict)  # by lane: the same, as both ends know it
    standing: dict[int, tuple[int, int]] = field(default_factory=dict)  # by lane: what the device was told
    clock: int = 0
    number: int = 0
    expected: int = 0
    alarm: tuple[Timer, int] | None = None

    def free(self) -> int:
        """Return the next number that no unanswered message carries."""
        taken = {getattr(letter.message, "cseq", -1) for letter in self.letters.values()}
        return next(n for k in range(1, NUMBERS) if (n := (self.number + k) % NUMBERS) not in taken)
