"""The yardstick: how many bound-method calls a CPU-second holds on this machine, now."""

from __future__ import annotations

from time import process_time


class _Counter:
    def __init__(self) -> None:
        self.count = 0

    def step(self, by: int) -> None:
        self.count += by


def calls_per_second(calls: int = 2_000_000) -> float:
    """Return bound-method calls per CPU-second; the median of three loops."""
    found = []
    for _ in range(3):
        step = _Counter().step
        begin = process_time()
        for _ in range(calls):
            step(1)
        found.append(calls / (process_time() - begin))
    return sorted(found)[1]
