"""Decoy-state BB84 pulse by pulse: the judge of the skipping mode, and the stage for eavesdroppers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qstack.core.errors import ConfigError
from qstack.keys.eve.attack import Notes, QuantumAttack
from qstack.keys.light import BASIS_ANGLE, Bytes, Light, Mask
from qstack.keys.models import Setup
from qstack.keys.randomness import stream
from qstack.keys.records import (
    ALICE_BASIS,
    ALICE_BIT,
    BOB_BASIS,
    BOB_BIT,
    INTENSITY,
    Experiment,
    split,
)

BATCH = 1 << 18
"""Pulses handled at once."""


@dataclass(frozen=True, slots=True)
class Tapped:
    """An experiment and what the eavesdropper wrote down about its clicks.

    Parameters
    ----------
    experiment
        What both ends wrote down.
    notes
        What Eve wrote down, click by click; None without an attack.
    """

    experiment: Experiment
    notes: Notes | None

    def on_key(self) -> tuple[Bytes, np.ndarray[tuple[int], np.dtype[np.float64]]]:
        """Return Eve's guess of every sifted key bit and what she knows of it [bit], after the bases are public."""
        alice, bob = self.experiment.alice, self.experiment.bob
        basis = alice.field(ALICE_BASIS)
        chosen = (basis == bob.field(BOB_BASIS)) & (basis == 0)
        if self.notes is None:
            size = int(np.count_nonzero(chosen))
            return np.zeros(size, np.uint8), np.zeros(size)
        return self.notes.at(chosen).learn(basis[chosen])


def sample(setup: Setup, pulses: int, seed: int | None, block: int = 0, attack: QuantumAttack | None = None) -> Tapped:
    """Send pulses one by one.

    Parameters
    ----------
    setup
        The link.
    pulses
        Pulses of the block.
    seed, block
        As in `qstack.keys.randomness.stream`.
    attack
        Who sits on the fibre.

    Raises
    ------
    ConfigError
        When the number of pulses is not positive, or the receiver has after-pulses, which this mode leaves out.
    """
    if pulses <= 0:
        raise ConfigError(f"{pulses} pulses: a block needs at least one")
    if setup.receiver.afterpulse:
        raise ConfigError("pulse by pulse there is no after-pulsing: set it to 0")
    generator = stream(seed, block, "bb84-pulses")
    eve = stream(seed, block, "eve")
    found, marks, notes = [], [], []
    tests = answered = 0
    ready = 0
    for first in range(0, pulses, BATCH):
        size = min(BATCH, pulses - first)
        mark, light = _prepare(setup, size, generator)
        taken = attack.tap(light, setup, eve) if attack else None
        if taken is None:
            light.lose(setup.fibre.transmittance, generator)
        testing = generator.random(size) < setup.receiver.self_test
        blinded = attack is not None and attack.blinds
        tests += int(np.count_nonzero(testing))
        answered += 0 if blinded else int(np.count_nonzero(testing))
        click, received = _detect(setup, light, generator, blinded=blinded)
        click &= ~testing
        if setup.dead_pulses:
            ready = _hold_off(click, first, ready, setup.dead_pulses)
        found.append(np.flatnonzero(click) + first)
        marks.append((mark | received)[click])
        if taken is not None:
            notes.append(taken.at(click))
    experiment = split(pulses, np.concatenate(found), np.concatenate(marks), tests, answered)
    return Tapped(experiment, Notes.join(notes) if notes else None)


def _hold_off(click: Mask, first: int, ready: int, dead: int) -> int:
    """Forget clicks that come while the detectors are held off; return the pulse at which they see again.

    Parameters
    ----------
    click
        Which pulses of a batch clicked; changed.
    first
        Number of its first pulse.
    ready
        Pulse from which the detectors see.
    dead
        Pulses that no detector sees after a click.
    """
    for place in np.flatnonzero(click).tolist():
        if first + place < ready:
            click[place] = False
        else:
            ready = first + place + 1 + dead
    return ready


def _prepare(setup: Setup, size: int, generator: np.random.Generator) -> tuple[Bytes, Light]:
    """Return Alice's half of the marks and the light she sends."""
    source = setup.source
    index = generator.choice(len(source.intensities), size, p=source.probabilities).astype(np.uint8)
    basis = (generator.random(size) >= source.p_key).astype(np.uint8)
    bit = generator.integers(0, 2, size, dtype=np.uint8)
    photons = generator.poisson(np.array(source.intensities)[index])
    angle = BASIS_ANGLE[basis] + bit * (np.pi / 2)
    mark = bit << np.uint8(ALICE_BIT) | basis << np.uint8(ALICE_BASIS) | index << np.uint8(INTENSITY)
    return mark, Light(photons, angle)


def _detect(setup: Setup, light: Light, generator: np.random.Generator, *, blinded: bool) -> tuple[Mask, Bytes]:
    """Return which pulses clicked, and Bob's half of the marks."""
    receiver, size = setup.receiver, len(light)
    basis = (generator.random(size) >= receiver.p_key).astype(np.uint8)
    if blinded:
        click = light.faked_basis == basis
        return click, light.faked_bit << np.uint8(BOB_BIT) | basis << np.uint8(BOB_BASIS)
    light.lose(receiver.efficiency, generator)
    zero, one = generator.random((2, size)) < setup.dark
    lit = np.flatnonzero(light.photons)
    at_zero, at_one = light.split_at(lit, BASIS_ANGLE[basis[lit]], receiver.optical_error, generator)
    zero[lit] |= at_zero > 0
    one[lit] |= at_one > 0
    bit = one.astype(np.uint8)
    double = zero & one
    bit[double] = generator.integers(0, 2, int(np.count_nonzero(double)), dtype=np.uint8)
    return zero | one, bit << np.uint8(BOB_BIT) | basis << np.uint8(BOB_BASIS)
