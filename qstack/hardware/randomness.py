"""Random draws of media: one stream per entity, drawn in blocks because a scalar draw is slow."""

from __future__ import annotations

from qstack.plugin.chance import generator

BLOCK = 256


class Stream:
    """Draws of one entity.

    Parameters
    ----------
    seed
        Seed of the run.
    shot
        Number of the repetition.
    name
        Name of the entity: adding another entity changes nobody else's draws.
    """

    __slots__ = ("_exponentials", "_generator", "_outcomes", "_uniforms")

    def __init__(self, seed: int, shot: int, name: str) -> None:
        self._generator = generator(seed, shot, name)
        self._uniforms: list[float] = []
        self._exponentials: list[float] = []
        self._outcomes: list[int] = []

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        if not self._uniforms:
            self._uniforms = self._generator.random(BLOCK).tolist()
        return self._uniforms.pop()

    def exponential(self) -> float:
        """Return a number with density exp(-x)."""
        if not self._exponentials:
            self._exponentials = self._generator.standard_exponential(BLOCK).tolist()
        return self._exponentials.pop()

    def bell(self) -> int:
        """Return 0, 1, 2 or 3: the outcome of a Bell measurement on halves of two different pairs."""
        if not self._outcomes:
            self._outcomes = self._generator.integers(0, 4, BLOCK).tolist()
        return self._outcomes.pop()

    def bits(self, number: int) -> int:
        """Return a number of random bits as an integer."""
        return int.from_bytes(self._generator.bytes((number + 7) // 8), "little") & ((1 << number) - 1)
