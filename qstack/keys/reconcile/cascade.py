"""Cascade, many frames in parallel: one bit of parity a question, one bit of answer, no index ever sent.

The key is cut into up to 64 frames that share their permutations.  Word j holds bit j of every frame, so one XOR
serves all of them: a pass is a gather and a running XOR, and the parity of any range is two look-ups.

    pass p:  parities of all blocks --> <-- which differ
             while a block is known to differ:
                 halve every differing block of the pass with the smallest such blocks, in parallel:
                     parity of the left half --> <-- does it differ
                 each search ends on one wrong bit, which changes one block's verdict in every pass so far

Both ends see the same verdicts and so know which ranges come next.  Bob says exactly as many bits as Alice, and every
one of them is a function of the same ranges of his key; counting both directions is what makes any proof applicable
(Tupkary and Luetkenhaus, arXiv:2307.00576).

Block sizes after Martinez-Mateo et al., arXiv:1407.3257, table 1.  Searching many blocks of a later pass at once wastes
questions on errors that a small block of an earlier pass would find more cheaply; `patience` takes the blocks of a
crowded pass in portions and buys efficiency with round trips.  Two errors that no block has separated survive a pass
over halves with probability 1/2; ``patient`` makes fourteen such passes at the price of one parity and two messages
each, so that a frame in thousands, not in hundreds, stays wrong.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError, RemoteProtocolError
from qstack.keys.reconcile.strategy import Bits, Budget

CROWD = 40
"""Differing blocks per frame above which a pass after the first is taken in portions."""
FRAME = 1 << 14
"""Bits a frame should have before the key is cut into more frames."""

MOST = 16
"""Parities per bit of key beyond which the two ends cannot be talking about the same keys."""

Words = NDArray[np.unsignedinteger]
Indices = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Variant:
    """Block sizes of the passes, as multiples, and how patient the search is.

    Parameters
    ----------
    first
        Size of the first pass's blocks times the error rate.
    growth
        Sizes of later passes over the one before; 0 means half a frame.
    patience
        Portions in which a crowded pass is searched.
    efficiency
        Bits asked that a leak limit leaves room for, in units of n h(q).
    """

    first: float
    growth: tuple[int, ...]
    patience: int = 1
    efficiency: float = 1.12

    def sizes(self, error_rate: float, frame: int) -> list[int]:
        """Return the block size of each pass [bit]."""
        half = max(1, ceil(frame / 2))
        sizes = [min(half, ceil(self.first / max(error_rate, 1e-5)))]
        for factor in self.growth:
            sizes.append(min(half, sizes[-1] * factor) if factor else half)
        return sizes


VARIANTS = {
    "original": Variant(0.73, (2, 2, 2), efficiency=1.3),
    "yan": Variant(0.80, (5,) + (0,) * 8, efficiency=1.2),
    "patient": Variant(0.70, (5, 30) + (0,) * 14, patience=2),
}


@dataclass(frozen=True, slots=True)
class Cascade:
    """The strategy.

    Parameters
    ----------
    variant
        ``patient`` (best efficiency), ``yan`` (half the round trips) or ``original`` (a tenth of them).
    """

    variant: str = "patient"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ConfigError(f"Cascade variant {self.variant!r} is unknown; there are {', '.join(VARIANTS)}")

    @property
    def name(self) -> str:
        """Name that both ends announce."""
        return f"cascade-{self.variant}"

    @property
    def budget(self) -> Budget:
        """Room for what the variant asks; Bob says as much as Alice."""
        return Budget(VARIANTS[self.variant].efficiency, both_ways=True)

    def alice(self, key: Bits, error_rate: float) -> Asker:
        """Return the end whose key stands."""
        return Asker(_Frames(key, VARIANTS[self.variant], error_rate, corrects=False))

    def bob(self, key: Bits, error_rate: float) -> Answerer:
        """Return the end that corrects its key."""
        return Answerer(_Frames(key, VARIANTS[self.variant], error_rate, corrects=True))


class _Side:
    """What both ends share: the frames, and the question that stands."""

    def __init__(self, frames: _Frames) -> None:
        self._frames = frames

    @property
    def done(self) -> bool:
        """Whether every pass is through."""
        return self._frames.parities is None

    @property
    def key(self) -> Bits:
        """The key; Bob's with all corrections so far."""
        return self._frames.key()


class Asker(_Side):
    """Alice: says parities, hears which differ."""

    def open(self) -> Bits:
        """Return the parities of the first pass."""
        assert self._frames.parities is not None
        return self._frames.parities

    def answer(self, bits: Bits) -> Bits | None:
        """Return the next parities."""
        self._frames.learn(bits)
        return self._frames.parities


class Answerer(_Side):
    """Bob: hears parities, says which differ from his, corrects."""

    def open(self) -> Bits:
        """Bob never speaks first."""
        raise RemoteProtocolError("Bob was asked to open Cascade: Alice speaks first")

    def answer(self, bits: Bits) -> Bits | None:
        """Return which parities differ from Bob's own."""
        mine = self._frames.parities
        if mine is None or bits.shape != mine.shape:
            expected = "none" if mine is None else str(mine.size)
            raise RemoteProtocolError(f"Cascade: {bits.size} parities came, {expected} were due")
        differing = bits ^ mine
        self._frames.learn(differing)
        return differing


class _Frames:
    """The frames of one end, the verdicts known so far, and the question that stands."""

    def __init__(self, key: Bits, variant: Variant, error_rate: float, *, corrects: bool) -> None:
        self._bits = key.size
        self._width = next(width for width in (64, 32, 16, 8) if width == 8 or key.size >= width * FRAME)
        self._length = max(1, -(-key.size // self._width))
        padded = np.zeros(self._length * self._width, np.uint8)
        padded[: key.size] = key
        packed = np.packbits(padded.reshape(self._length, self._width), axis=1, bitorder="little")
        self._words: Words = packed.view(f"<u{self._width // 8}").ravel()
        self._sizes = variant.sizes(error_rate, self._length)
        self._patience = variant.patience
        self._corrects = corrects
        self._orders, self._places = _permutations(self._length, len(self._sizes))
        self._odd: list[Words] = []
        self._said = 0
        self._dialogue = self._run()
        self.parities: Bits | None = next(self._dialogue)

    def key(self) -> Bits:
        """Return the key as it stands."""
        return self._unpack(self._words).ravel()[: self._bits]

    def learn(self, differing: Bits) -> None:
        """Take the verdicts on the standing question and form the next one."""
        if self.parities is None or differing.shape != self.parities.shape:
            raise RemoteProtocolError(f"Cascade: {differing.size} verdicts came, another number was due")
        self._said += differing.size
        if self._said > MOST * self._words.size * self._width:
            raise RemoteProtocolError(f"Cascade: {self._said} parities and no end: the verdicts contradict each other")
        try:
            self.parities = self._dialogue.send(differing)
        except StopIteration:
            self.parities = None

    def _unpack(self, words: Words) -> Bits:
        """Return words as bits, shape (words, frames)."""
        return np.unpackbits(words.view(np.uint8).reshape(words.size, words.itemsize), axis=1, bitorder="little")

    def _run(self) -> Generator[Bits, Bits, None]:
        """Cascade itself: yields this end's parities, is sent which of them differ."""
        for number, size in enumerate(self._sizes):
            starts = np.arange(0, self._length, size)
            blocks = np.bitwise_xor.reduceat(self._words[self._orders[number]], starts)
            known = number > 0  # every frame's total parity agrees after the first pass, so the last block follows
            asked = self._unpack(blocks[:-1] if known else blocks)
            differing = (yield asked.ravel()).reshape(asked.shape)
            odd = np.packbits(differing, axis=1, bitorder="little").view(self._words.dtype).ravel()
            if known:
                odd = np.append(odd, np.bitwise_xor.reduce(odd, keepdims=True))
            self._odd.append(odd)
            while (crowded := self._smallest()) is not None:
                yield from self._search(crowded)

    def _smallest(self) -> int | None:
        """Return the pass with the smallest blocks among those that know of a differing block."""
        candidates = [number for number, odd in enumerate(self._odd) if odd.any()]
        return min(candidates, key=lambda number: self._sizes[number], default=None)

    def _search(self, number: int) -> Generator[Bits, Bits, None]:
        """Halve differing blocks of one pass until each has given up one wrong bit."""
        size, order, odd = self._sizes[number], self._orders[number], self._odd[number]
        rows = np.flatnonzero(odd)
        verdicts = self._unpack(odd[rows])
        if number and self._patience > 1 and np.count_nonzero(verdicts) > CROWD * self._width:
            portion = -(-rows.size // self._patience)
            rows, verdicts = rows[:portion], verdicts[:portion]
        row, frame = np.nonzero(verdicts)
        shift = frame.astype(self._words.dtype)
        running = self._running(rows, size, order)
        first = row * (size + 1)
        left = first.copy()
        right = first + np.minimum(size, self._length - rows * size)[row]
        while (open_ := right - left > 1).any():
            middle = (left + right) >> 1
            parity = ((running[middle] ^ running[left]) >> shift) & 1
            differing = np.zeros(left.size, bool)
            differing[open_] = yield parity[open_].astype(np.uint8)
            right = np.where(open_ & differing, middle, right)
            left = np.where(open_ & ~differing, middle, left)
        self._correct(order[left - first + rows[row] * size], np.left_shift(1, shift, dtype=self._words.dtype))

    def _running(self, rows: NDArray[np.intp], size: int, order: Indices) -> Words:
        """Return the running XOR of the chosen blocks, size + 1 words each; places beyond the frame are not read."""
        places = np.minimum(rows[:, None] * size + np.arange(size), self._length - 1)
        running = np.zeros((rows.size, size + 1), self._words.dtype)
        np.bitwise_xor.accumulate(self._words[order[places]], axis=1, out=running[:, 1:])
        return running.ravel()

    def _correct(self, bit: Indices, mask: Words) -> None:
        """Enter wrong bits into every pass's verdicts and, at Bob's end, into the key."""
        if self._corrects:
            np.bitwise_xor.at(self._words, bit, mask)
        for odd, places, size in zip(self._odd, self._places, self._sizes, strict=False):
            np.bitwise_xor.at(odd, places[bit] // size, mask)


@lru_cache(maxsize=4)
def _permutations(length: int, passes: int) -> tuple[list[Indices], list[Indices]]:
    """Return the public permutations of the passes and their inverses; the same for everybody, for ever.

    The errors are not Eve's to arrange against them: frames interleave the key, and a frame that stays wrong is
    discarded by verification.
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(length, spawn_key=(passes,))))
    orders = [generator.permutation(length).astype(np.int32) for _ in range(passes)]
    return orders, [np.argsort(order).astype(np.int32) for order in orders]
