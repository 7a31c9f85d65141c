"""What a key flow (BBM92) makes of a satellite's pass: its pairs are few, so the length of the key is that of finite blocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from qstack.plugin.contracts import LinkSheet, Phase, Platform
from qstack.quantum.bounds import bbm92_fraction

CAUTION = 4.0
"""Reconciliation is planned for so many standard deviations more errors in Z than are expected."""


@dataclass(frozen=True, slots=True)
class PassKey:
    """The key of one pass, or of several passes together in one block.

    Parameters
    ----------
    start_s, end_s
        Of the pass [s].
    pairs
        Mean number of pairs that both ends measure; a quarter of them in Z at both ends, a quarter in X.
    error_key, error_test
        Mean error rates in Z and in X [1].
    bits
        Mean length of the key of one block, by the bounds for finite blocks, before authentication takes its share [bit].
    long_bits
        What as many pairs give in a block without end [bit].
    why
        Why there is no key; empty if there is one.
    """

    start_s: float
    end_s: float
    pairs: float
    error_key: float
    error_test: float
    bits: int
    long_bits: float
    why: str

    def data(self) -> dict[str, float | int | str]:
        """Return it as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


def pass_keys(sheet: LinkSheet, ends: tuple[Platform, Platform]) -> list[PassKey]:
    """Return the key of every pass of a link that comes and goes; of more than one, last, that of all in one block.

    Pairs are kept until the other end's TRACK has come, and measured then, as the `bbm92` application does; meanwhile their
    lane makes no attempts, so that a success takes 1/p cycles, and those that its memories are full beyond the first.

    Parameters
    ----------
    sheet
        Of the link.
    ends
        What stands at its first and at its second end.
    """
    found = []
    for start, end in sheet.windows:
        begin, parts = 0, []
        for phase in sheet.phases:
            if start <= begin < end:
                parts.append(_part(sheet, ends, phase, (phase.until - begin) * 1e-12))
            begin = phase.until
        found.append((start * 1e-12, end * 1e-12, parts))
    keys = [_key(*one) for one in found]
    if len(found) > 1:
        keys.append(_key(found[0][0], found[-1][1], [part for _, _, parts in found for part in parts]))
    return keys


def _part(
    sheet: LinkSheet, ends: tuple[Platform, Platform], phase: Phase, seconds: float
) -> tuple[float, float, float]:
    """Return the mean number of pairs of a step, and their error rates in Z and in X, at the fastest setting."""
    herald = max(phase.heralds, key=lambda one: one.probability)
    known = [max(sheet.reply[side], sheet.reply[1 - side] + sheet.delay) for side in (0, 1)]
    free = max(known[side] + ends[side].readout_time for side in (0, 1))
    cycles = 1 / herald.probability + -(-free // sheet.kept_cycle) - 1
    pairs = sheet.lanes * seconds / (sheet.kept_cycle * 1e-12 * cycles)
    x, z = (sum(o.share * o.correlators[k] for o in herald.outcomes) for k in (0, 2))
    for side, platform in enumerate(ends):
        left = platform.memory.decay((known[side] - sheet.emit[side]) * 1e-12)
        x *= left.xy * (1 - 2 * platform.readout_error)
        z *= left.z * (1 - 2 * platform.readout_error)
    return pairs, (1 - z) / 2, (1 - x) / 2


def _key(start: float, end: float, parts: list[tuple[float, float, float]]) -> PassKey:
    """Return what a block of the pairs of several steps gives: errors are those of all of them together."""
    from qstack.keys.bbm92 import Pairs  # noqa: PLC0415 - numpy and pydantic models of keys are heavy, and rarely needed
    from qstack.keys.store.measured import pair_length, pairs_needed  # noqa: PLC0415 - as above

    number = sum(pairs for pairs, _, _ in parts)
    key, test = (sum(part[0] * part[n] for part in parts) / number for n in (1, 2))
    planned = key + CAUTION * sqrt(key * (1 - key) / max(number / 4, 1.0))
    seen = Pairs(x=1 - 2 * test, y=(1 - 2 * test) * (1 - 2 * key), z=1 - 2 * key)
    bits = pair_length(seen, number, planned) if 0 < planned < 0.5 else 0
    why = ""
    if bits <= 0:
        enough = pairs_needed(seen, min(max(key, 1e-6), 0.49), 1)
        why = "errors are too many" if enough is None else f"too few pairs: a block needs about {enough:.2g}"
    long_bits = number / 4 * max(0.0, bbm92_fraction(min(test, 0.5), min(key, 0.5)))
    return PassKey(start, end, number, key, test, max(0, bits), long_bits, why)
