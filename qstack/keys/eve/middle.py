"""A man in the middle of the classical channel: wires that do what they should not.

Each is a `qstack.keys.session.Wire`.  Whatever one of them does, no block may survive with a changed transcript; at
worst a block is lost, which no cryptography prevents.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from qstack.keys.channel import Side
from qstack.keys.messages import Message, decode

Delivery = list[tuple[Side, bytes]]


@dataclass(slots=True)
class Tampering:
    """A wire that counts messages and meddles with one of them.

    Parameters
    ----------
    number
        Which message, counted from 0 in the order in which they were sent.
    """

    number: int
    seen: int = 0

    def __call__(self, speaker: Side, data: bytes) -> Delivery:
        """Deliver, or meddle."""
        number, self.seen = self.seen, self.seen + 1
        hearer = Side(1 - speaker)
        return self.meddle(hearer, data) if number == self.number else [(hearer, data)]

    def meddle(self, hearer: Side, data: bytes) -> Delivery:
        """Return what becomes of the chosen message."""
        raise NotImplementedError


@dataclass(slots=True)
class Edit(Tampering):
    """Flip one bit.

    Parameters
    ----------
    place
        Share of the message before the bit, from 0 to 1.
    """

    place: float = 0.5

    def meddle(self, hearer: Side, data: bytes) -> Delivery:
        """Return the message with one bit flipped."""
        bit = min(int(self.place * 8 * len(data)), 8 * len(data) - 1)
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << (bit % 8)
        return [(hearer, bytes(changed))]


class Drop(Tampering):
    """Swallow one message."""

    def meddle(self, hearer: Side, data: bytes) -> Delivery:
        """Return nothing."""
        return []


class Repeat(Tampering):
    """Deliver one message twice."""

    def meddle(self, hearer: Side, data: bytes) -> Delivery:
        """Return the message twice."""
        return [(hearer, data), (hearer, data)]


class Reflect(Tampering):
    """Return one message to its sender."""

    def meddle(self, hearer: Side, data: bytes) -> Delivery:
        """Return the message to the wrong side."""
        return [(Side(1 - hearer), data)]


@dataclass(slots=True)
class Delay(Tampering):
    """Hold one message back until another one has passed."""

    held: Delivery = field(default_factory=list)

    def __call__(self, speaker: Side, data: bytes) -> Delivery:
        """Deliver the held message after the next one."""
        number, self.seen = self.seen, self.seen + 1
        delivery = [(Side(1 - speaker), data)]
        if number == self.number:
            self.held = delivery
            return []
        delivery += self.held
        self.held = []
        return delivery


@dataclass(slots=True)
class Listener:
    """A wire that changes nothing and remembers everything: all that Eve hears in public.

    Attributes
    ----------
    heard
        The messages, with their speakers.
    """

    heard: list[tuple[Side, Message]] = field(default_factory=list)
    frames: list[tuple[Side, bytes]] = field(default_factory=list)

    def __call__(self, speaker: Side, data: bytes) -> Delivery:
        """Deliver and remember."""
        self.heard.append((speaker, decode(data)))
        self.frames.append((speaker, data))
        return [(Side(1 - speaker), data)]
