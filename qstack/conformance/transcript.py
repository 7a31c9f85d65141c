"""Talk to one layer: a test that reads as the dialogue it has with it.

>>> t = Transcript(layer, node=1).from_(2)
>>> t >> DqpAdd(cseq=1) << Send(2, DqpAck(cseq=1))       # an input, and what has to follow from it
>>> t.wait(3 * round_trip) << Send(2, DqpAdd(cseq=2))    # timers fire as on a host
>>> t.never(Attempt)

``>>`` gives the layer a noun; ``<<`` expects a noun among its answers, in this order; what is not mentioned is free to
be there, because a test forbids what the text forbids and nothing more.  `ANY` stands for a value that does not matter.
`exactly` and `silent` are for texts that forbid the rest too.

The kit knows the contract only: no reference layer, no hardware.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar, cast

from qstack.core.errors import ProtocolError
from qstack.core.layer import Context, Handler, Layer
from qstack.core.nouns import Cancel, Message, Note, Noun, Send, Set, Timer
from qstack.services.l2_link import Receive, StopReceive

SHOWN = 40
"""Lines of a transcript that an error shows; the older ones are left out."""

ASIDE = (Set, Cancel, Note, Receive, StopReceive)
"""What may come beside everything else: timers, notes, and words to a link about what it may accept (QS-L3-403)."""

MOST = 20_000
"""Answers to one input, or timers in one wait, after which a layer counts as one that never comes to rest."""

N = TypeVar("N", bound=Noun)


class _Any:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "ANY"


ANY: Any = _Any()


class TranscriptError(AssertionError):
    """A layer did not answer as the text demands; the message is the transcript up to there."""


class Transcript:
    """A dialogue with a layer, or with several that belong together.

    Parameters
    ----------
    layers
        What is talked to.  A noun that one of them handles is passed on inside and is no answer.
    node
        Number of the node that the layers stand in.
    now
        Time at the beginning [ps].
    """

    def __init__(self, *layers: Layer, node: int = 0, now: int = 0) -> None:
        self.layers = layers
        self.handlers: dict[type[Noun], Handler] = {}
        for layer in layers:
            self.handlers.update(layer.handlers())
        self.context = Context(node)
        self.context.now = now
        self.sender = node
        self.lines: list[str] = []
        self.answers: list[Noun] = []
        self.open: list[Noun] = []
        self.timers: dict[Timer, tuple[int, int]] = {}
        self._armed = 0

    # -- saying -------------------------------------------------------------------------------------------------------

    def from_(self, sender: int) -> Transcript:
        """Let the next messages come from this node."""
        self.sender = sender
        return self

    def at(self, now: int) -> Transcript:
        """Move to a time, firing every timer that is due until then [ps]."""
        self.open = []
        for _ in range(MOST):
            due = min(((at, number, timer) for timer, (at, number) in self.timers.items()), default=None, key=_first)
            if due is None or due[0] > now:
                self.context.now = max(self.context.now, now)
                return self
            self.context.now = max(self.context.now, due[0])
            del self.timers[due[2]]
            self._give(due[2])
        raise self.mismatch(f"- fewer than {MOST} timers until {now}", ())

    def wait(self, duration: int) -> Transcript:
        """Let time pass [ps]; the answers of every timer that fires can be expected afterwards."""
        return self.at(self.context.now + duration)

    def __rshift__(self, noun: Noun) -> Transcript:
        """Give the layer an input."""
        self.open = []
        self._give(noun)
        return self

    def _give(self, noun: Noun) -> None:
        origin = f"   from {self.sender}" if isinstance(noun, Message) else ""
        self.lines.append(f"   >> {shown(noun)}{origin}")
        self.context.sender = self.sender
        waiting = [noun]
        before = len(self.answers)
        for item in waiting:  # grows while it is read
            for answer in self._ask(item):
                if type(answer) in self.handlers:
                    waiting.append(answer)
                else:
                    self._take(answer)
                if len(waiting) + len(self.answers) - before > MOST:
                    raise self.mismatch(f"- fewer than {MOST} answers to {noun!r}", ())

    def _ask(self, item: Noun) -> Iterator[Noun]:
        """Return what the layer answers; an exception takes the dialogue along, and one that is a bug is a mismatch."""
        handler = self.handlers.get(type(item))
        if handler is None:
            raise self.mismatch(f"- somebody who handles {type(item).__name__}", ())
        try:
            yield from handler(item, self.context)
        except ProtocolError as error:
            error.add_note("\n".join(self.lines[-SHOWN:]))
            raise
        except Exception as error:
            raise self.mismatch(f"- no exception, but {type(error).__name__}: {error}", ()) from error

    def _take(self, answer: Noun) -> None:
        self.lines.append(f"   << {shown(answer)}")
        self.answers.append(answer)
        self.open.append(answer)
        if isinstance(answer, Set):
            self._armed += 1
            self.timers[answer.timer] = (answer.at, self._armed)
        elif isinstance(answer, Cancel):
            self.timers.pop(answer.timer, None)

    # -- hearing ------------------------------------------------------------------------------------------------------

    def __lshift__(self, expected: Noun | Iterable[Noun]) -> Transcript:
        """Expect a noun, or several in this order, among the answers not mentioned yet.

        Raises
        ------
        TranscriptError
            If it is not there.
        """
        for noun in (expected,) if isinstance(expected, Noun) else expected:
            try:
                place = self.open.index(noun)
            except ValueError:
                raise self.mismatch(f"- << {shown(noun)}", self.open) from None
            self.open = self.open[place + 1 :]
        return self

    def exactly(self, *expected: Noun) -> Transcript:
        """Expect these answers to the last input, in this order, and no others (`ASIDE` apart)."""
        answers = [a for a in self.open if not isinstance(a, ASIDE)]
        if answers != list(expected):
            raise self.mismatch("\n".join(f"- << {shown(noun)}" for noun in expected) or "- << nothing", answers)
        self.open = []
        return self

    def silent(self) -> Transcript:
        """Expect no answer to the last input (`ASIDE` apart)."""
        return self.exactly()

    def never(self, kind: type[Noun], *, more_than: int = 0) -> Transcript:
        """Expect that no noun of this kind, or not more than some, has ever come; messages count inside their `Send`."""
        found = self.all(kind)
        if len(found) > more_than:
            raise self.mismatch(f"- at most {more_than} {kind.__name__}", found)
        return self

    def all(self, kind: type[N]) -> list[N]:
        """Return all answers of a kind so far; messages without their `Send`."""
        return [a for a in map(_content, self.answers) if isinstance(a, kind)]

    def last(self, kind: type[N]) -> N:
        """Return the last answer of a kind."""
        found = next((a for a in map(_content, reversed(self.answers)) if isinstance(a, kind)), None)
        if found is None:
            raise self.mismatch(f"- a {kind.__name__}", ())
        return found

    def mismatch(self, missing: str, there: Sequence[Noun] = ()) -> TranscriptError:
        """Return the error that shows the dialogue, what is missing (``- ...``) and what is there instead."""
        extra = "".join(f"\n + << {shown(noun)}" for noun in there)
        return TranscriptError("\n".join(["", *self.lines[-SHOWN:], f" {missing}"]) + extra)


def shown(noun: Noun) -> str:
    """Return a noun in a line: as it is written, without the fields that have their defaults."""
    told = [
        (field.name, getattr(noun, field.name))
        for field in fields(cast("Any", noun))
        if getattr(noun, field.name) is ANY or getattr(noun, field.name) != field.default
    ]
    return f"{type(noun).__name__}({', '.join(f'{name}={_word(value)}' for name, value in told)})"


def _word(value: object) -> str:
    if isinstance(value, Noun):
        return shown(value)
    return value.name if isinstance(value, Enum) else repr(value)


def _content(answer: Noun) -> Noun:
    return answer.message if isinstance(answer, Send) else answer


def _first(due: tuple[int, int, Timer]) -> tuple[int, int]:
    return due[:2]
