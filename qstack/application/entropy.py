"""Random bits for applications: drawn from the device in blocks, given out one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Outputs, on
from qstack.core.nouns import Noun
from qstack.services.device import Bits, DrawBits

BLOCK = 2048
LOW = 256
"""Bits left at which the next block is asked for, so that nobody has to wait for a device that answers at once."""

Use = Callable[[int], Iterator[Noun]]


class Entropy:
    """A pool of random bits; whoever comes when it is empty waits for the next block.

    Parameters
    ----------
    purpose
        Number under which the device is asked.
    """

    def __init__(self, purpose: int) -> None:
        self.purpose = purpose
        self.value = 0
        self.left = 0
        self.asked = False
        self.waiting: deque[tuple[int, Use]] = deque()

    def take(self, number: int, use: Use) -> Iterator[Noun]:
        """Call `use` with a number of random bits, now or when they are there; at most `LOW` at a time."""
        self.waiting.append((number, use))
        yield from self._serve()

    def ready(self) -> Iterator[Noun]:
        """Have bits at hand before anybody needs them."""
        yield from self._serve()

    def fill(self, ind: Bits) -> Iterator[Noun]:
        """Take a block that the device has drawn.

        Raises
        ------
        LocalProtocolError
            If it is no block of bits.
        """
        if ind.number < 0 or not 0 <= ind.value < 1 << ind.number:
            raise LocalProtocolError(f"{ind.number} bits cannot be {ind.value}")
        self.asked = False
        self.value |= ind.value << self.left
        self.left += ind.number
        yield from self._serve()

    def _serve(self) -> Iterator[Noun]:
        while self.waiting and self.waiting[0][0] <= self.left:
            number, use = self.waiting.popleft()
            bits = self.value & ((1 << number) - 1)
            self.value >>= number
            self.left -= number
            yield from use(bits)
        if self.left < LOW and not self.asked:
            self.asked = True
            yield DrawBits(BLOCK, self.purpose)


class Drawing:
    """An application that draws random bits.

    Attributes
    ----------
    entropy
        Its pool, made with the application.
    """

    entropy: Entropy

    @on(Bits)
    def bits(self, ind: Bits, ctx: Context) -> Outputs:
        """Take random bits from the device."""
        return self.entropy.fill(ind)
