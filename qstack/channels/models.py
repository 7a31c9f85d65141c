"""Classical channels: loss, delay, jitter, reordering, limited rate.

A model sees one direction of a channel and answers for every datagram when it arrives: once, never, or twice.  Every
direction has a random stream of its own.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from qstack.plugin.contracts import ClassicalChannel, Options
from qstack.plugin.units import Duration, Fraction, PositiveDuration

Chance = Annotated[Fraction, Field(lt=1)]
"""A probability below one: a channel on which nothing ever arrives is no channel."""


class Conditions(Options):
    """What a channel does to datagrams beside the time that light takes.

    Parameters
    ----------
    loss
        Probability that a datagram is lost.
    delay
        Added to the time that light takes [ps].
    jitter
        Added delay, uniform between 0 and this [ps]; datagrams keep their order unless `reorder` lets them overtake.
    reorder
        Probability that a datagram is held up by `held`, so that later ones overtake it.
    held
        How long such a datagram is held up [ps].
    duplicate
        Probability that a datagram arrives twice.
    rate
        Bits per second at which the sender's end serialises datagrams, one after the other [bit/s]; None: without limit.
    """

    loss: Chance = 0.0
    delay: Duration = 0
    jitter: Duration = 0
    reorder: Chance = 0.0
    held: Duration = 0
    duplicate: Chance = 0.0
    rate: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _held_up(self) -> Self:
        if self.reorder and not self.held:
            raise ValueError("'reorder' needs 'held': for how long a datagram is held up, such as '1 ms'.")
        return self


class Conditioned:
    """One direction of a channel under some conditions.

    Parameters
    ----------
    conditions
        Which.
    light
        Time that light takes [ps].
    """

    ideal = False

    def __init__(self, conditions: Conditions, light: int) -> None:
        self.conditions = conditions
        self.base = light + conditions.delay
        self.delay = self.base + conditions.jitter + (conditions.held if conditions.reorder else 0)
        self.free = 0  # when the sender's end has serialised everything so far
        self.last = 0  # latest arrival of a datagram that may not be overtaken

    def arrivals(self, now: int, size: int, draw: np.random.Generator) -> tuple[int, ...]:
        """Return when a datagram arrives [ps]: once, never, or twice."""
        c = self.conditions
        sent = now
        if c.rate is not None:
            self.free = sent = max(now, self.free) + round(8 * size * 1e12 / c.rate)
        if c.loss and draw.random() < c.loss:
            return ()
        at = sent + self.base
        if c.jitter:
            at += int(draw.random() * c.jitter)
        if c.reorder and draw.random() < c.reorder:
            at += c.held
        else:
            at = self.last = max(at, self.last)
        return (at, at) if c.duplicate and draw.random() < c.duplicate else (at,)


class Ideal:
    """The speed of light, nothing lost, nothing reordered."""

    ideal = True

    def __init__(self, light: int) -> None:
        self.delay = light

    def arrivals(self, now: int, size: int, draw: np.random.Generator) -> tuple[int, ...]:
        """Return when a datagram arrives [ps]."""
        return (now + self.delay,)


class Lossy(Conditions):
    """Conditions whose loss has to be said."""

    loss: Chance = Field(examples=[0.1])


class Delayed(Conditions):
    """Conditions whose added delay has to be said."""

    delay: Duration = Field(examples=["1 ms"])


class Jittered(Conditions):
    """Conditions whose jitter has to be said."""

    jitter: Duration = Field(examples=["100 us"])


class Reordered(Conditions):
    """Conditions whose reordering has to be said."""

    reorder: Chance = Field(examples=[0.1])
    held: PositiveDuration = Field(examples=["1 ms"])


class RateLimited(Conditions):
    """Conditions whose rate has to be said."""

    rate: Annotated[float, Field(gt=0)] = Field(examples=[1e9])


def ideal(options: Options, delay: int) -> ClassicalChannel:
    """Make one direction of an ideal channel."""
    return Ideal(delay)


def conditioned(options: Conditions, delay: int) -> ClassicalChannel:
    """Make one direction of a channel under conditions."""
    return Conditioned(options, delay)
