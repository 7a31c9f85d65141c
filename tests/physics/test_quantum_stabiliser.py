"""The stabiliser tier agrees with the correlator tier, by statistics."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from qstack.core.errors import ConfigError, PhysicsError
from qstack.quantum.memory import Decay, decay_pair
from qstack.quantum.multiparty import ghz_star_fidelity
from qstack.quantum.purification import dejmps, purification_factors
from qstack.quantum.stabiliser import StabiliserCircuit
from qstack.quantum.states import correlators_from_bell
from qstack.quantum.swapping import swap, swap_factors

stim = pytest.importorskip("stim")
SHOTS = 40_000


def close(found, errors, expected):
    return all(abs(f - e) < 4 * s for f, s, e in zip(found, errors, expected, strict=True))


def random_bell(rng):
    return tuple(rng.dirichlet([6, 1, 1, 1]).tolist())


@pytest.mark.parametrize("seed", range(4))
def test_random_chain_with_noise(seed):
    rng = np.random.default_rng(seed)
    circuit, bell = StabiliserCircuit(), random_bell(rng)
    circuit.pair(0, 1, bell)
    pair = correlators_from_bell(bell)
    for k in range(3):
        p, flip, q, m = rng.uniform(0, 0.1, 4)
        other = random_bell(rng)
        left, right, far = 2 * k + 1, 2 * k + 2, 2 * k + 3
        circuit.pair(right, far, other)
        circuit.mix(0, p)
        circuit.dephase(left, flip)
        circuit.swap(left, right, far, q, m)
        pair = decay_pair(pair, Decay(1 - p, 1 - p), Decay(1 - 2 * flip, 1.0))
        pair = swap(pair, correlators_from_bell(other), swap_factors(q, m))
    kept, found, errors = circuit.correlators(0, 7, SHOTS, seed)
    assert kept == 1
    assert close(found, errors, pair)


@pytest.mark.parametrize("seed", range(3))
def test_dejmps(seed):
    rng = np.random.default_rng(seed)
    first, second, q, m = random_bell(rng), random_bell(rng), 0.03, 0.02
    circuit = StabiliserCircuit()
    circuit.pair(0, 1, first)
    circuit.pair(2, 3, second)
    circuit.gate("SQRT_X", 0, 2)
    circuit.gate("SQRT_X_DAG", 1, 3)
    circuit.cnot(0, 2, q)
    circuit.cnot(1, 3, q)
    bits = circuit.read(2, m), circuit.read(3, m)
    kept, found, errors = circuit.correlators(0, 1, SHOTS, seed, equal=[bits])
    probability, expected = dejmps(
        correlators_from_bell(first), correlators_from_bell(second), *purification_factors(q, m)
    )
    assert abs(kept - probability) < 4 * (probability * (1 - probability) / SHOTS) ** 0.5
    assert close(found, errors, expected)


def test_ghz_star_of_twelve():
    """Fidelity as the mean of stabilisers drawn at random, one a circuit."""
    rng = np.random.default_rng(4)
    bell, parties, q, m = (0.97, 0.01, 0.01, 0.01), 12, 0.01, 0.01
    values = []
    for draw in range(60):
        circuit = StabiliserCircuit()
        for i in range(parties - 1):
            circuit.pair(2 * i, 2 * i + 1, bell)
        for i in range(1, parties - 1):
            circuit.cnot(0, 2 * i, q)
            circuit.correct("X", 2 * i + 1, circuit.read(2 * i, m))
        members = [0, *range(1, 2 * parties - 2, 2)]
        zs = rng.integers(0, 2, parties)
        zs[0] = zs[1:].sum() % 2
        with_x = draw % 2
        letters = "".join(("IZ", "XY")[with_x][z] for z in zs)
        measured = [(letter, member) for letter, member in zip(letters, members, strict=True) if letter != "I"]
        if not measured:
            values.append(1.0)
            continue
        column = circuit.product("".join(letter for letter, _ in measured), [member for _, member in measured])
        sign = (-1) ** (zs.sum() // 2) if with_x else 1  # Y on two members is -XZ times XZ
        values.append(sign * (1 - 2 * circuit.sample(4000, draw)[:, column].mean()))
    values = np.array(values)
    # Half of the draws have X, half have not: the error is that of two groups.
    error = np.hypot(*(values[k::2].std(ddof=1) / len(values[k::2]) ** 0.5 / 2 for k in (0, 1)))
    expected = ghz_star_fidelity(correlators_from_bell(bell), parties, q, m)
    assert abs(values.mean() - expected) < 4 * error
    assert error < 0.05 * expected


def test_same_seed_same_bits():
    circuit = StabiliserCircuit()
    circuit.pair(0, 1, (0.7, 0.1, 0.1, 0.1))
    circuit.read(0)
    assert (circuit.sample(100, 5) == circuit.sample(100, 5)).all()


def test_failures_are_said(monkeypatch):
    circuit = StabiliserCircuit()
    circuit.pair(0, 1, (0.0, 0.0, 1.0, 0.0))
    bits = circuit.read(0), circuit.read(1)
    with pytest.raises(PhysicsError, match="none of 10 shots"):
        circuit.correlators(0, 1, 10, 1, equal=[bits])
    with pytest.raises(PhysicsError, match="gate noise"):
        circuit.cnot(0, 1, 1.5)
    monkeypatch.setitem(sys.modules, "stim", None)
    with pytest.raises(ConfigError, match="extra 'stabiliser'"):
        StabiliserCircuit()
