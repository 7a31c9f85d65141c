"""The suite for quantum codes of one logical qubit.

A vendor writes one fixture::

    class TestMine(CodeSuite):
        @pytest.fixture
        def make(self):
            return lambda: MY_CODE

A code says its generators and logical operators as strings of I, X, Y and Z, its distance, and a recovery for every
syndrome; everything is worked out anew here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from itertools import combinations, product
from operator import xor
from typing import Protocol

from qstack.conformance.marks import Unsupported, extended, requirement

MOST = 12
"""Qubits up to which every Pauli that matters is tried."""


class Code(Protocol):
    """What a code says of itself; `distance` and `decode` may be missing, and are not judged then."""

    stabilizers: tuple[str, ...]
    logical_x: str
    logical_z: str


MakeCode = Callable[[], Code]


def bits(pauli: str) -> int:
    """Return a Pauli string as one number: X parts below, Z parts above."""
    n = len(pauli)
    return sum((letter in "XY") << k | (letter in "YZ") << n + k for k, letter in enumerate(pauli))


def anticommute(a: int, b: int, n: int) -> bool:
    """Return whether two Paulis on n qubits anticommute."""
    low = (1 << n) - 1
    return ((a & low & b >> n).bit_count() + (a >> n & b & low).bit_count()) % 2 == 1


def rank(rows: list[int]) -> int:
    """Return how many of these rows of bits are independent."""
    basis: list[int] = []
    for row in rows:
        left = reduce(lambda value, other: min(value, value ^ other), basis, row)
        if left:
            basis.append(left)
            basis.sort(reverse=True)
    return len(basis)


def paulis(n: int, weight: int) -> Iterator[str]:
    """Return every Pauli on n qubits of a weight."""
    for places in combinations(range(n), weight):
        for letters in product("XYZ", repeat=weight):
            chosen = dict(zip(places, letters, strict=True))
            yield "".join(chosen.get(k, "I") for k in range(n))


def parts(code: Code) -> tuple[int, list[int], tuple[int, int]]:
    """Return the number of qubits, the generators and the logical operators."""
    return len(code.logical_x), [bits(row) for row in code.stabilizers], (bits(code.logical_x), bits(code.logical_z))


def harms(code: Code, error: int) -> bool:
    """Return whether an error that no generator sees changes the logical qubit."""
    n, _, logicals = parts(code)
    return any(anticommute(error, logical, n) for logical in logicals)


def syndrome(code: Code, error: int) -> int:
    """Return which generators an error turns, the first in the lowest bit."""
    n, checks, _ = parts(code)
    return sum(anticommute(check, error, n) << k for k, check in enumerate(checks))


def distance(code: Code) -> int:
    """Return the distance that a code names.

    Raises
    ------
    Unsupported
        If it names none, or is too large for every Pauli to be tried.
    """
    named = getattr(code, "distance", None)
    if named is None or len(code.logical_x) > MOST:
        raise Unsupported(f"distances of codes of at most {MOST} qubits")
    return int(named)


class CodeSuite:
    """Everything that a quantum code is held to."""

    profile = "code"

    @requirement("QS-L4-291")
    def test_generators_commute_and_are_independent(self, make: MakeCode) -> None:
        """And there are n - 1 of them."""
        code = make()
        n, checks, _ = parts(code)
        for (a, first), (b, second) in combinations(zip(code.stabilizers, checks, strict=True), 2):
            assert not anticommute(first, second, n), f"{a} and {b} do not commute"
        assert rank(checks) == len(checks) == n - 1, f"{rank(checks)} independent generators of {n} qubits"

    @requirement("QS-L4-292")
    def test_logical_operators_act_on_one_qubit(self, make: MakeCode) -> None:
        """They leave every check as it is, and anticommute."""
        code = make()
        n, checks, (x, z) = parts(code)
        for check, row in zip(code.stabilizers, checks, strict=True):
            for name, logical in ((code.logical_x, x), (code.logical_z, z)):
                assert not anticommute(row, logical, n), f"logical {name} does not commute with {check}"
        assert anticommute(x, z, n), f"logical X {code.logical_x} commutes with logical Z {code.logical_z}"

    @requirement("QS-L4-293")
    @extended("distances")
    def test_the_distance_is_the_least_weight_that_harms(self, make: MakeCode) -> None:
        """Of all Paulis that no check sees."""
        code = make()
        n, named = len(code.logical_x), distance(make())
        for weight in range(1, named + 1):
            unseen = (pauli for pauli in paulis(n, weight) if not syndrome(code, bits(pauli)))
            harmful = next((pauli for pauli in unseen if harms(code, bits(pauli))), None)
            if weight < named:
                assert harmful is None, f"{harmful} of weight {weight} harms unseen, the distance is said to be {named}"
        assert harmful is not None, f"nothing of weight {named} harms unseen, the distance is said to be {named}"

    @requirement("QS-L4-009")
    @extended("recoveries")
    def test_every_promised_error_is_corrected(self, make: MakeCode) -> None:
        """On up to (d - 1) / 2 qubits, by the code's own recovery."""
        code = make()
        if not hasattr(code, "decode"):
            raise Unsupported("recoveries by syndrome")
        for weight in range((distance(code) - 1) // 2 + 1):
            for pauli in paulis(len(code.logical_x), weight):
                recovery = code.decode(syndrome(code, bits(pauli)))
                left = xor(bits(pauli), bits(recovery))
                assert not syndrome(code, left), f"after {pauli} the recovery {recovery} leaves a syndrome"
                assert not harms(code, left), f"after {pauli} the recovery {recovery} leaves a logical error"
