"""Codes against a decoder that sorts Pauli strings into cosets by multiplying them out."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest

from qstack.core.errors import PhysicsError
from qstack.correction.codes import (
    CODES,
    FIVE_QUBIT,
    SHOR,
    STEANE,
    StabilizerCode,
    class_counts,
    logical_error,
    masks,
    parity_code_survival,
)

TIMES = {("X", "Y"): "Z", ("X", "Z"): "Y", ("Y", "Z"): "X"}


def multiply(a, b):
    def letter(p, q):
        if p == q:
            return "I"
        return (q if p == "I" else p) if "I" in (p, q) else TIMES[tuple(sorted((p, q)))]

    return "".join(letter(p, q) for p, q in zip(a, b, strict=True))


def commute(a, b):
    return sum(p != q and "I" not in (p, q) for p, q in zip(a, b, strict=True)) % 2 == 0


def span(rows):
    group = {"I" * len(rows[0])}
    for row in rows:
        group |= {multiply(row, other) for other in group}
    return group


def brute(code, p):
    """Group all errors by syndrome and coset; the decoder gets the heaviest coset of each syndrome right."""
    group = span(code.stabilizers)
    assert len(group) == 2 ** len(code.stabilizers)
    cosets = defaultdict(dict)
    for error in map("".join, itertools.product("IXYZ", repeat=code.qubits)):
        syndrome = tuple(commute(error, row) for row in code.stabilizers)
        name = min(multiply(error, member) for member in group)
        weight = code.qubits - error.count("I")
        chance = (1 - p) ** (code.qubits - weight) * (p / 3) ** weight
        cosets[syndrome][name] = cosets[syndrome].get(name, 0.0) + chance
    return 1 - sum(max(classes.values()) for classes in cosets.values())


@pytest.mark.requirement("QS-L4-009")
@pytest.mark.parametrize("p", [0.01, 0.1, 0.3, 0.8, 1.0])
def test_five_qubit_code_by_cosets(p):
    assert logical_error(FIVE_QUBIT, p) == pytest.approx(brute(FIVE_QUBIT, p), abs=1e-12)


@pytest.mark.parametrize(
    ("code", "expected"), [(FIVE_QUBIT, 9.77955081e-4), (STEANE, 1.57820724e-3), (SHOR, 1.26270347e-3)]
)
def test_published_values(code, expected):
    assert logical_error(code, 0.01) == pytest.approx(expected, rel=1e-8)
    assert CODES[code.name] is code


@pytest.mark.requirement("QS-L4-009")
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_counts(code):
    counts = class_counts(code)
    assert counts.sum() == 4**code.qubits
    assert (counts.sum(axis=2) == 2 ** (code.qubits - 1)).all()
    assert logical_error(code, 0.0) == 0.0
    assert logical_error(code, 1e-9) < 1e-16  # distance 3: second order


def test_impossible_codes_are_refused():
    with pytest.raises(PhysicsError, match="commute with each other"):
        StabilizerCode("bad", ("XXI", "ZII"), "XXX", "ZZZ")
    with pytest.raises(PhysicsError, match="n - 1 generators"):
        StabilizerCode("bad", ("ZZI",), "XXX", "ZZZ")
    with pytest.raises(PhysicsError, match="made of"):
        masks("XQ")
    with pytest.raises(PhysicsError, match=r"p = 1.1"):
        logical_error(STEANE, 1.1)


@pytest.mark.parametrize(("blocks", "photons"), [(1, 1), (2, 3), (3, 2), (4, 1)])
@pytest.mark.parametrize("eta", [0.0, 0.3, 0.9, 1.0])
def test_parity_code_by_enumeration(blocks, photons, eta):
    total = 0.0
    for pattern in itertools.product((0, 1), repeat=blocks * photons):
        rows = [pattern[k * photons : (k + 1) * photons] for k in range(blocks)]
        if all(map(any, rows)) and any(map(all, rows)):
            total += eta ** sum(pattern) * (1 - eta) ** (len(pattern) - sum(pattern))
    assert parity_code_survival(blocks, photons, eta) == pytest.approx(total, abs=1e-12)


def test_parity_code_refuses():
    with pytest.raises(PhysicsError, match="at least one block"):
        parity_code_survival(0, 1, 0.5)
