"""Messages as bytes: there and back, and nothing but WireError for anything else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.core.errors import WireError
from qstack.keys import messages
from qstack.keys.messages import KINDS, Detections, Disclosure, Parities, Sifted, Verdicts, decode, encode

U64 = st.integers(0, 2**64 - 1)
BITS = st.lists(st.integers(0, 1), max_size=70).map(lambda x: np.array(x, np.uint8))
RISING = st.lists(st.integers(0, 2**40), max_size=30, unique=True).map(lambda x: np.array(sorted(x), np.int64))
VALUES = {
    "u64": U64,
    "text": st.text(max_size=40),
    "raw": st.binary(max_size=40),
    "bits": BITS,
    "u64s": st.lists(U64, max_size=5).map(tuple),
    "rising": RISING,
}
MESSAGES = st.sampled_from(KINDS).flatmap(
    lambda kind: st.fixed_dictionaries({name: VALUES[form] for name, form in kind.forms.items()}).map(
        lambda values: kind(**values)
    )
)


def same(one, two):
    return type(one) is type(two) and all(np.array_equal(getattr(one, name), getattr(two, name)) for name in one.forms)


@given(MESSAGES)
def test_there_and_back(message):
    assert same(decode(encode(message)), message)


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_random_bytes_raise_only_wire_errors(data):
    try:
        message = decode(data)
    except WireError:
        return
    assert encode(message) == data or isinstance(message, Detections)


@given(MESSAGES, st.data())
def test_cut_and_lengthened_messages_are_refused(message, data):
    whole = encode(message)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:cut], whole + b"\0"):
        with pytest.raises(WireError):
            decode(wrong)


def test_huge_counts_allocate_nothing():
    claims = bytes([KINDS.index(Parities)]) + b"\xff\xff\xff\xff" + b"\0" * 10
    with pytest.raises(WireError, match="too early"):
        decode(claims)


def test_padding_bits_must_be_zero():
    data = bytearray(encode(Parities(np.array([1, 0, 1], np.uint8))))
    data[-1] |= 1
    with pytest.raises(WireError, match="not zero"):
        decode(bytes(data))


@pytest.mark.parametrize("steps", [b"\1\0", b"\0\1"])
def test_pulses_must_rise(steps):
    data = bytes([KINDS.index(Detections)]) + b"\0\0\0\2\1" + steps + b"\0\0\0\0" + b"\0" * 16
    with pytest.raises(WireError, match="do not rise"):
        decode(data)


def test_every_form_on_the_wire_is_known_and_every_field_has_one():
    for kind in KINDS:
        assert list(kind.forms) == [item.name for item in dataclasses.fields(kind)]


@pytest.mark.requirement("QS-KY-008")
def test_whatever_depends_on_the_key_is_counted():
    bits = np.ones(77, np.uint8)
    assert Parities(bits).disclosed == Verdicts(bits).disclosed == Disclosure(bits).disclosed == 77
    assert messages.Verify(bytes(16), bytes(16)).disclosed == 128
    assert messages.Verified((1, 2, 3)).disclosed == 192
    assert Sifted(bits, bits, bits).disclosed == 0
