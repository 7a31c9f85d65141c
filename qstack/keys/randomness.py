"""Random streams of the key experiments: one per seed, block and purpose."""

from __future__ import annotations

import numpy as np

from qstack.core.streams import stable_hash


def stream(seed: int | None, block: int, name: str) -> np.random.Generator:
    """Return a Philox generator.

    Parameters
    ----------
    seed
        Seed of the run, or None for the operating system's entropy: keys that are served are never drawn from the
        seed of a run, which stands in its manifest.
    block
        Number of the block: every block has streams of its own, whatever the others drew.
    name
        Purpose of the stream.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(block, stable_hash(name)))
    return np.random.Generator(np.random.Philox(sequence))
