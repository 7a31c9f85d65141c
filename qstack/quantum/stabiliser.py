"""The stabiliser tier: many qubits, Clifford gates and Pauli noise, sampled with stim (the extra "stabiliser").

Gidney, Quantum 5, 497 (2021).  What this tier cannot hold is amplitude damping and any state that is no mixture of
stabiliser states; every noise of `qstack.quantum.swapping` and `qstack.quantum.purification` is exact in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qstack.core.errors import ConfigError, PhysicsError
from qstack.quantum.states import BellList, Correlators, probability


class StabiliserCircuit:
    """A circuit that is built step by step and sampled once; bits are numbered in the order of their readout.

    Raises
    ------
    ConfigError
        If stim is not installed.
    """

    def __init__(self) -> None:
        self.circuit = stim().Circuit()

    def pair(self, a: int, b: int, bell: BellList) -> None:
        """Prepare a Bell-diagonal pair with these overlaps with [Phi+, Phi-, Psi+, Psi-]."""
        _, z, x, y = bell
        self._gate("R", a, b)
        self._gate("H", a)
        self._gate("CX", a, b)
        self.circuit.append("PAULI_CHANNEL_1", [b], [x, y, z])

    def gate(self, name: str, *qubits: int) -> None:
        """Apply a noiseless Clifford gate by its name in stim, such as "H" or "SQRT_X"."""
        self._gate(name, *qubits)

    def cnot(self, control: int, target: int, q: float = 0.0) -> None:
        """Apply a CNOT, after which both qubits are replaced by the fully mixed state with probability q."""
        self._gate("CX", control, target)
        self.circuit.append("DEPOLARIZE2", [control, target], 15 * probability("gate noise q", q) / 16)

    def mix(self, qubit: int, p: float) -> None:
        """Replace a qubit by the fully mixed state with probability p."""
        self.circuit.append("DEPOLARIZE1", [qubit], 3 * probability("p", p) / 4)

    def dephase(self, qubit: int, p: float) -> None:
        """Apply Z with probability p."""
        self.circuit.append("Z_ERROR", [qubit], probability("p", p))

    def read(self, qubit: int, m: float = 0.0) -> int:
        """Read a qubit in Z, wrong with probability m; return the number of the bit."""
        self.circuit.append("M", [qubit], probability("readout noise m", m))
        return int(self.circuit.num_measurements) - 1

    def correct(self, pauli: str, qubit: int, bit: int) -> None:
        """Apply X or Z to a qubit if a bit is 1."""
        record = stim().target_rec(bit - self.circuit.num_measurements)
        self.circuit.append("C" + pauli, [record, qubit])

    def swap(self, left: int, right: int, far: int, q: float = 0.0, m: float = 0.0) -> None:
        """Swap two pairs at the qubits `left` and `right`; the far half of the right pair is corrected."""
        self.cnot(left, right, q)
        self._gate("H", left)
        a, b = self.read(left, m), self.read(right, m)
        self.correct("X", far, b)
        self.correct("Z", far, a)

    def product(self, pauli: str, qubits: Sequence[int]) -> int:
        """Measure a product of Paulis without noise, such as "XX"; return the number of the bit."""
        targets: list[Any] = []
        for letter, qubit in zip(pauli, qubits, strict=True):
            targets += [stim().target_pauli(qubit, letter), stim().target_combiner()]
        self.circuit.append("MPP", targets[:-1])
        return int(self.circuit.num_measurements) - 1

    def sample(self, shots: int, seed: int) -> NDArray[np.bool_]:
        """Return all bits, shape (shots, bits); the same seed gives the same bits with the same version of stim."""
        bits: NDArray[np.bool_] = self.circuit.compile_sampler(seed=seed).sample(shots)
        return bits

    def correlators(
        self, a: int, b: int, shots: int, seed: int, equal: Sequence[tuple[int, int]] = ()
    ) -> tuple[float, Correlators, Correlators]:
        """Measure XX, YY and ZZ of a pair and return what was kept, (x, y, z) in the frame of Phi+, and their errors.

        Parameters
        ----------
        a, b
            The pair.
        shots, seed
            Of the sampling.
        equal
            Pairs of bits that must agree for a shot to be kept.

        Raises
        ------
        PhysicsError
            If no shot is kept.
        """
        columns = [self.product(pauli * 2, (a, b)) for pauli in "XYZ"]
        bits = self.sample(shots, seed)
        for first, second in equal:
            bits = bits[bits[:, first] == bits[:, second]]
        if not len(bits):
            raise PhysicsError(f"none of {shots} shots was kept")
        x, y, z = (1 - 2 * bits[:, columns].mean(axis=0)).tolist()
        mean = (x, -y, z)
        e_x, e_y, e_z = (sqrt(max(1 - c * c, 1 / len(bits)) / len(bits)) for c in mean)
        return len(bits) / shots, mean, (e_x, e_y, e_z)

    def _gate(self, name: str, *qubits: int) -> None:
        self.circuit.append(name, list(qubits))


def stim() -> Any:
    """Return the module stim.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    try:
        import stim as installed  # noqa: PLC0415 - an extra, imported where it is used
    except ImportError as error:
        raise ConfigError("the stabiliser tier needs stim: install the extra 'stabiliser'") from error
    return installed
