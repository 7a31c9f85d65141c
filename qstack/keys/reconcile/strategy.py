"""What a reconciliation strategy is: two machines that exchange bits and nothing else.

A strategy never says what it leaked.  Whatever it hands over is a string of bits; the channel that carries the string
counts them, and what their number tells, in both directions, and there is no other way out.  Public choices
(permutations, matrices) must follow from the arguments of the factory, so that both ends make them alike without a
message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
"""A string of bits, one 0 or 1 per element, shape (number of bits,)."""


class Corrector(Protocol):
    """One end at work: answers each string of bits of its peer until it is done."""

    @property
    def done(self) -> bool:
        """Whether this end expects nothing more; the last string always travels from Bob to Alice."""
        ...

    @property
    def key(self) -> Bits:
        """The key as this end holds it now; Alice's never changes."""
        ...

    def open(self) -> Bits:
        """Return the first string; only Alice is asked."""
        ...

    def answer(self, bits: Bits) -> Bits | None:
        """Return the answer to a string of the peer, or None when Alice has nothing more to say.

        Raises
        ------
        RemoteProtocolError
            When the string cannot be one of this protocol.
        """
        ...


class Reconciler(Protocol):
    """A reconciliation protocol: makes the two ends."""

    @property
    def name(self) -> str:
        """Name that both ends announce."""
        ...

    # A strategy that knows better than the default may have an attribute `budget`, a `Budget`.

    def alice(self, key: Bits, error_rate: float) -> Corrector:
        """Return the end whose key stands.

        Parameters
        ----------
        key
            Key bits, shape (n,).
        error_rate
            Expected share of differing bits, in (0, 1/2).
        """
        ...

    def bob(self, key: Bits, error_rate: float) -> Corrector:
        """Return the end that corrects its key."""
        ...


Maker = Callable[[], Reconciler]
"""Makes the strategy of one end."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a leak limit leaves room for, before a block is seen.

    Parameters
    ----------
    efficiency
        Bits that Alice says, in units of n h(q); more than that and the block is given up.
    both_ways
        Whether Bob says as many.
    """

    efficiency: float = 1.12
    both_ways: bool = True


def budget(strategy: Reconciler) -> Budget:
    """Return what a strategy is given: its own `budget` if it declares one, else that of a patient Cascade."""
    declared = getattr(strategy, "budget", None)
    return declared if isinstance(declared, Budget) else Budget()
