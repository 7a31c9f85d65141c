"""Where random numbers come from: one generator per entity, found by its name."""

from __future__ import annotations

import numpy as np

from qstack.core.streams import stable_hash


def generator(seed: int, shot: int, name: str) -> np.random.Generator:
    """Return the generator of one entity; adding another entity changes nobody else's draws.

    Parameters
    ----------
    seed, shot
        Of the run, and number of the repetition.
    name
        Of the entity.
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(shot, stable_hash(name)))))
