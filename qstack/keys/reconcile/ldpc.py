"""One-way reconciliation by LDPC syndromes, with more redundancy only where it is needed.

    syndromes of all frames -->
                            <-- one bit a frame: done or not
    for frames not done: the parities of half of some rows --> ...

The first message nearly always suffices: one round trip, where Cascade takes a thousand.  The number of rows follows
the error rate in steps of 1/256 of a frame, and a frame that does not decode has rows split in steps
(`qstack.keys.reconcile.ldpc_code`), so the rate adapts without puncturing and nothing said is wasted.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from qstack.core.errors import ConfigError, RemoteProtocolError
from qstack.keys.information import binary_entropy
from qstack.keys.reconcile.ldpc_code import COLUMNS, Code, Integers, make
from qstack.keys.reconcile.ldpc_decode import decode
from qstack.keys.reconcile.strategy import Bits, Budget

FRAME = 1 << 18
"""Bits of a frame, about."""
STEPS = 6
"""Times that rows are split before a frame is given up."""
SHARE = 12
"""One row in so many is split at each step."""
SPARE = 0.1
"""Efficiency that a leak limit leaves room for beyond the first message."""
FEWEST_ROWS = 12
"""Rows of the smallest code."""


@dataclass(frozen=True, slots=True)
class Ldpc:
    """The strategy.

    Parameters
    ----------
    efficiency
        Syndrome bits sent at once, in units of n h(q).
    sweeps
        Most sweeps of the decoder per step.
    """

    efficiency: float = 1.12
    sweeps: int = 40

    def __post_init__(self) -> None:
        if not 1 < self.efficiency < 4:
            raise ConfigError(f"LDPC efficiency {self.efficiency}: need a number above 1 and below 4")

    @property
    def name(self) -> str:
        """Name that both ends announce."""
        return "ldpc"

    @property
    def budget(self) -> Budget:
        """Room for what small blocks need beyond the first message; Bob says a bit a frame."""
        return Budget(max(1.25, self.efficiency + SPARE), both_ways=False)

    def alice(self, key: Bits, error_rate: float) -> Sender:
        """Return the end whose key stands."""
        return Sender(_Frames(key, error_rate, self))

    def bob(self, key: Bits, error_rate: float) -> Decoder:
        """Return the end that corrects its key."""
        return Decoder(_Frames(key, error_rate, self))


class _Frames:
    """The key as frames, and the codes of every step."""

    def __init__(self, key: Bits, error_rate: float, strategy: Ldpc) -> None:
        self.size = key.size
        self.count = max(1, round(key.size / FRAME))
        lift = max(8, ceil(key.size / (self.count * COLUMNS)))
        padded = np.zeros(self.count * COLUMNS * lift, np.uint8)
        padded[: key.size] = key
        self.words = padded.reshape(self.count, COLUMNS, lift)
        self.error_rate = error_rate
        self.sweeps = strategy.sweeps
        rows = ceil(strategy.efficiency * binary_entropy(error_rate) * COLUMNS)
        self.codes = [make(min(max(rows, FEWEST_ROWS), COLUMNS - 1), lift)]
        self.split: list[Integers] = []
        for _ in range(STEPS):
            self._extend()

    def _extend(self) -> None:
        """Plan the next step: split the rows with the most edges."""
        code = self.codes[-1]
        widths = np.diff(code.starts)
        rows = np.sort(np.argsort(-widths, kind="stable")[: -(-code.rows // SHARE)])
        rows = rows[widths[rows] >= 4]  # both halves keep two edges
        self.split.append(rows.astype(np.int32))
        self.codes.append(code.split(self.split[-1]))

    def key(self) -> Bits:
        """Return the key as it stands."""
        return self.words.reshape(-1)[: self.size].copy()


class Sender:
    """Alice: says syndromes, then more of them where they are asked for."""

    def __init__(self, frames: _Frames) -> None:
        self._frames = frames
        self._step = 0
        self._waiting = np.arange(frames.count)
        self.done = False

    @property
    def key(self) -> Bits:
        """The key, unchanged."""
        return self._frames.key()

    def open(self) -> Bits:
        """Return the syndromes of all frames."""
        code = self._frames.codes[0]
        return np.concatenate([code.syndrome(word).ravel() for word in self._frames.words])

    def answer(self, bits: Bits) -> Bits | None:
        """Return parities of half rows for the frames that did not decode."""
        if bits.size != self._waiting.size:
            raise RemoteProtocolError(f"LDPC: {bits.size} verdicts came, {self._waiting.size} were due")
        self._waiting = self._waiting[bits == 1]
        if not self._waiting.size or self._step == STEPS:
            self.done = True
            return None
        frames = self._frames
        code, rows = frames.codes[self._step], frames.split[self._step]
        self._step += 1
        return np.concatenate([code.half_syndrome(frames.words[i], rows).ravel() for i in self._waiting])


class Decoder:
    """Bob: decodes what he can and says which frames need more."""

    def __init__(self, frames: _Frames) -> None:
        self._frames = frames
        self._step = -1
        self._waiting = np.arange(frames.count)
        self._syndromes: list[Bits] = []
        self.done = False

    @property
    def key(self) -> Bits:
        """The key with all corrections so far."""
        return self._frames.key()

    def open(self) -> Bits:
        """Bob never speaks first."""
        raise RemoteProtocolError("Bob was asked to open LDPC: Alice speaks first")

    def answer(self, bits: Bits) -> Bits | None:
        """Return a 1 for every frame that needs more."""
        frames = self._frames
        self._step += 1
        due = frames.codes[0].rows if self._step == 0 else frames.split[self._step - 1].size
        lift = frames.codes[0].lift
        if self.done or bits.size != self._waiting.size * due * lift:
            raise RemoteProtocolError(f"LDPC: {bits.size} parities came, {self._waiting.size * due * lift} were due")
        news = bits.reshape(self._waiting.size, due, lift)
        if self._step == 0:
            self._syndromes = list(news)
        else:
            rows = frames.split[self._step - 1]
            self._syndromes = [_refine(old, half, rows) for old, half in zip(self._syndromes, news, strict=True)]
        code = frames.codes[self._step]
        open_ = np.array(
            [not self._decode(code, int(i), s) for i, s in zip(self._waiting, self._syndromes, strict=True)]
        )
        self._waiting = self._waiting[open_]
        self._syndromes = [s for s, still in zip(self._syndromes, open_, strict=True) if still]
        self.done = not self._waiting.size or self._step == STEPS
        return open_.astype(np.uint8)

    def _decode(self, code: Code, frame: int, syndrome: Bits) -> bool:
        words = self._frames.words
        found = decode(code, words[frame], syndrome, self._frames.error_rate, self._frames.sweeps)
        if found is not None:
            words[frame] = found
        return found is not None


def _refine(syndrome: Bits, half: Bits, rows: Integers) -> Bits:
    """Return the syndrome of the split code: each split row becomes its first half and the rest."""
    refined = np.insert(syndrome, rows, 0, axis=0)
    first = rows + np.arange(rows.size)
    refined[first + 1] = syndrome[rows] ^ half
    refined[first] = half
    return refined
