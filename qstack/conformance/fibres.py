"""The fibres at which a suite asks for a link: what is made over some of them has to be right over those."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from qstack.conformance.marks import Unsupported
from qstack.core.errors import PhysicsError
from qstack.plugin.contracts import Fibre

T = TypeVar("T")


def over(fibres: Iterable[Fibre], make: Callable[[Fibre], T], words: str) -> Iterator[tuple[Fibre, T]]:
    """Give every fibre over which something is made, and what is made.

    Parameters
    ----------
    fibres
        Of all lengths, with the station anywhere.
    make
        Makes it, or raises PhysicsError: it may be made for short fibres, or for a station in one place.
    words
        What is unsupported if it is made over none of them.

    Raises
    ------
    Unsupported
        If it is made over none.
    """
    some = False
    for fibre in fibres:
        try:
            made = make(fibre)
        except PhysicsError:
            continue
        some = True
        yield fibre, made
    if not some:
        raise Unsupported(words)
