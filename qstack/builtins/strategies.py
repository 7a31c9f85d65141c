"""Schedulers, swap and discard policies, routers, distillation schemes, codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from qstack.correction.codes import FIVE_QUBIT, SHOR, STEANE
from qstack.correction.distillation import Bbpssw, Dejmps, Distillation
from qstack.link.schedulers import first_come, strict_priority, weighted_fair
from qstack.plugin.contracts import (
    Offer,
    Options,
)
from qstack.plugin.hooks import hookimpl
from qstack.plugin.units import FOR_EVER, Fraction, PositiveDuration
from qstack.routing.shortest import ShortestPath, WidestPath
from qstack.services.strategies import Storage


def _just(thing: Any) -> Callable[..., Any]:
    """Return a factory that always gives the same stateless thing."""
    return lambda options: thing


@hookimpl
def qstack_schedulers() -> list[Offer]:
    """Offer the reference schedulers."""
    return [
        Offer("fcfs", _just(first_come), summary="the oldest request until it is done", features=()),
        Offer(
            "wfq",
            _just(weighted_fair),
            summary="all requests in proportion to priority + 1",
            features=("proportional-shares",),
        ),
        Offer(
            "strict",
            _just(strict_priority),
            summary="the highest priority alone; equal ones evenly",
            features=("strict-priorities",),
        ),
    ]


@hookimpl
def qstack_swap_policies() -> list[Offer]:
    """Offer ways to choose a partner."""
    return [
        Offer("asap", _just(None), summary="swap at once, oldest with oldest"),  # the network layer's own choice
        Offer(
            "asap-youngest", _just(lambda waiting: waiting - 1), summary="swap at once, with the youngest that waits"
        ),
    ]


class FixedCutoff(Options):
    """A half waits this long and no longer."""

    after: PositiveDuration = Field(examples=["1 s"])


class KeepingCutoff(Options):
    """A half is given up when its storage has cost this much."""

    least: Annotated[Fraction, Field(gt=0, lt=1)] = 0.7


def _keeping(options: KeepingCutoff) -> Callable[[Sequence[Storage]], int]:
    def cutoff(storage: Sequence[Storage]) -> int:
        return min((_age_at(survival, options.least) for survival in storage), default=0)

    return cutoff


def _age_at(survival: Storage, least: float) -> int:
    """Return the age at which a decreasing survival falls below a value [ps]; 0 (for ever) if it does not."""
    low, high = 0, 1
    while survival(high) > least:
        low, high = high, high * 2
        if high >= FOR_EVER:
            return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if survival(middle) > least else (low, middle)
    return high


@hookimpl
def qstack_cutoffs() -> list[Offer]:
    """Offer the reference discard policies."""
    return [
        Offer("never", lambda options: lambda storage: 0, summary="keep every pair"),
        Offer("fixed", lambda options: lambda storage: options.after, FixedCutoff, "discard after a time"),
        Offer("keeping", _keeping, KeepingCutoff, "discard when storage has cost a share of the Werner parameter"),
    ]


@hookimpl
def qstack_routers() -> list[Offer]:
    """Offer the reference routers."""
    return [
        Offer("shortest", lambda options, view: ShortestPath(view), summary="least sum of seconds per pair"),
        Offer("widest", lambda options, view: WidestPath(view), summary="fastest slowest link"),
    ]


@hookimpl
def qstack_distillation() -> list[Offer]:
    """Offer the reference distillation schemes."""
    return [
        Offer("none", lambda options, **noise: None, summary="deliver every pair as it is"),
        *(Offer(scheme.name, partial(_distillation, scheme), summary=_title(scheme)) for scheme in (Bbpssw, Dejmps)),
    ]


def _distillation(
    scheme: type[Distillation], options: Options, *, gate_noise: float, readout_error: float
) -> Distillation:
    return scheme(gate_noise, readout_error)


def _title(thing: type) -> str:
    """Return the first line of a docstring."""
    return (thing.__doc__ or "").splitlines()[0]


@hookimpl
def qstack_codes() -> list[Offer]:
    """Offer the small codes, each decoded to its most likely logical class."""
    codes = {"five-qubit": FIVE_QUBIT, "steane": STEANE, "shor": SHOR}
    return [Offer(name, _just(code), summary=code.name) for name, code in codes.items()]
