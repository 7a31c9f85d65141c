"""The four nouns that cross a layer's walls, and the two that steer its timers.

============  ===========================================  =======================================
noun          travels                                      example
============  ===========================================  =======================================
`Request`     down, to the layer below                     ``Create(peer=2, number=10, ...)``
`Indication`  up, to the layer above                       ``Ok(create_id=7, sequence=3, ...)``
`Message`     sideways, to the same layer of a peer        ``Track(circuit=9, bell=2, ...)``
`Timer`       later, to the layer that set it              ``AckDue(peer=2, cseq=4)``
============  ===========================================  =======================================

Nouns are immutable by agreement: the type checker enforces it, the interpreter does not, because a frozen dataclass
costs three times as much to make and a network makes millions of them.  Only timers are hashable: an armed timer is
found by its value.

A noun compares and shows itself by its fields, as dataclasses do; one method of `Noun` does so for all kinds, because a
method that is generated for each of some two hundred is a tenth of a second at every start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def noun(cls: type[T]) -> type[T]:
    """Make a class a noun: a slotted dataclass, frozen for the type checker."""
    return dataclass(slots=True, repr=False, eq=False)(cls)


@dataclass_transform(frozen_default=True)
def timer(cls: type[T]) -> type[T]:
    """Make a class a timer noun: as `noun`, and hashable by value; hosts look timers up, so theirs are made to measure."""
    return dataclass(slots=True, repr=False, unsafe_hash=True)(cls)


class Noun:
    """Anything that a layer yields."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()
    __hash__ = None  # type: ignore[assignment]  # only timers are hashable

    def __eq__(self, other: object) -> bool:
        """Tell whether the other is of the same kind and says the same."""
        if type(other) is not type(self):
            return NotImplemented
        names = self.__match_args__
        return [getattr(self, name) for name in names] == [getattr(other, name) for name in names]

    def __repr__(self) -> str:
        """Return the kind and its fields, as it would be written."""
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({told})"


class Request(Noun):
    """Goes down, to the layer below; from the lowest layer it goes to the device."""

    __slots__ = ()


class Indication(Noun):
    """Goes up, to the layer above; from the highest layer it goes to the user."""

    __slots__ = ()


class Message(Noun):
    """Goes sideways, to the same layer of a peer, inside a `Send`."""

    __slots__ = ()


class Timer(Noun):
    """Comes back later to the layer that set it, unless cancelled.

    Attributes
    ----------
    housekeeping
        True for timers that only tidy up: a host with nothing else left to do stands still.
    """

    __slots__ = ()
    housekeeping: ClassVar[bool] = False


@noun
class Send(Noun):
    """Hand a message to the host for delivery.

    Parameters
    ----------
    peer
        Node number of the receiver.
    message
        What to deliver.
    """

    peer: int
    message: Message


@noun
class Set(Noun):
    """Arm a timer, or arm it anew when it is armed already.

    Parameters
    ----------
    timer
        What comes back.
    at
        When, in absolute time [ps]; never in the past.
    """

    timer: Timer
    at: int


@noun
class Cancel(Noun):
    """Disarm a timer; no effect when it is not armed."""

    timer: Timer


@noun
class Note(Noun):
    """One line of trace, only for what no other noun shows."""

    text: str
    about: object = None
