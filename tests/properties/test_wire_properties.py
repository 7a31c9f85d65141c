"""Properties of every message that has a layout."""

from functools import partial

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from qstack.core.errors import WireError
from qstack.wire import CHECKED, Stream, decode, decode_as, decode_service, encode, hexdump, kinds, link
from qstack.wire.codec import LAYOUTS
from qstack.wire.kinds import UNIT, fidelity_down, fidelity_up
from qstack.wire.layout import Field, List
from qstack.wire.network import Track

CLASSES = sorted((cls for cls in LAYOUTS if cls.__module__.startswith("qstack.wire")), key=lambda cls: cls.__name__)
WITH_HEADER = [cls for cls in CLASSES if LAYOUTS[cls].plane is not None]

grid = st.integers(0, UNIT).map(lambda n: n / UNIT)
draft_times = st.builds(lambda n, unit: n * unit, st.integers(1, 16383), st.sampled_from([10**6, 10**9, 10**12]))
SPECIAL = [
    (kinds.FIDELITY_UP, grid),
    (kinds.FIDELITY_DOWN, grid),
    (kinds.HERTZ, st.integers(0, (1 << 32) - 1).map(lambda n: n / 1000)),
    (kinds.FLAG, st.booleans()),
    (link.KEEP, st.booleans()),
    (kinds.AID, st.integers(-1, 0xEFF)),
    (kinds.BASES, st.lists(st.integers(0, 4), max_size=8).map(tuple)),
    (kinds.MAYBE_BELL, st.integers(-1, 3)),
    (kinds.NANOSECONDS_UP, st.integers(0, (1 << 64) - 1).map(lambda n: n * 1000)),
    (kinds.DRAFT_TIME, st.just(0) | draft_times),
]


def refusal(attempt, data):
    """Return where the data are refused, 0 if they are not; anything but a WireError passes through."""
    try:
        attempt(data)
    except WireError as error:
        return error.offset
    return 0


def accepted(attempt, data):
    """Return what the data are read as, None if they are refused."""
    try:
        return attempt(data)
    except WireError:
        return None


def values(kind, bits):
    """Values that have an exact representation; independent of the codec."""
    for special, strategy in SPECIAL:
        if kind is special:
            return strategy
    if kind.values:
        return st.sampled_from(sorted(kind.values))
    return st.integers(1 if kind is kinds.POSITIVE else 0, (1 << bits) - 1)


def messages(cls):
    layout = LAYOUTS[cls]
    bits, kind_of = {}, {}
    for entry, _ in layout.places:
        if isinstance(entry, Field):
            bits[entry.attribute] = bits.get(entry.attribute, 0) + entry.bits
            kind_of[entry.attribute] = entry.kind
    fields = {name: values(kind_of[name], bits[name]) for name in bits}
    for entry in layout.lists:
        assert isinstance(entry, List)
        fields[entry.attribute] = st.lists(values(entry.kind, entry.bits), max_size=5).map(tuple)
    return st.builds(cls, **fields)


@pytest.mark.requirement("QS-WI-001")
@pytest.mark.parametrize("cls", CLASSES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_decode_inverts_encode(cls, data):
    message = data.draw(messages(cls))
    encoded = encode(message)
    if LAYOUTS[cls].plane is None:
        assert decode_as(cls, encoded) == message
    else:
        assert decode(encoded) == message
        assert decode(encode(message, sequence=77, flags=CHECKED)) == message
    assert "wrong" not in hexdump(encoded, cls if LAYOUTS[cls].plane is None else None)


@pytest.mark.requirement("QS-WI-002")
@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80), up=st.booleans())
def test_random_bytes_raise_only_wire_errors(data, up):
    for attempt in (decode, lambda b: decode_service(b, up=up), lambda b: list(Stream().feed(b))):
        assert 0 <= refusal(attempt, data) <= len(data)
    assert hexdump(data)


@pytest.mark.requirement("QS-WI-002")
@pytest.mark.parametrize("cls", WITH_HEADER)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_messages_raise_only_wire_errors(cls, data):
    """A hostile sender starts from a good header: bytes are overwritten, cut off or added."""
    damaged = bytearray(encode(data.draw(messages(cls))))
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=6)):
        damaged[place % len(damaged)] = value
    damaged = bytes(damaged)[: data.draw(st.integers(0, 90))] + data.draw(st.binary(max_size=3))
    assert hexdump(damaged)
    assert 0 <= refusal(decode, damaged) <= len(damaged)
    message = accepted(decode, damaged)
    assert message is None or decode(encode(message)) == message


@pytest.mark.requirement("QS-WI-002")
@pytest.mark.parametrize("cls", CLASSES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_random_content_raises_only_wire_errors(cls, data):
    layout = LAYOUTS[cls]
    content = data.draw(st.binary(min_size=layout.bits // 8, max_size=layout.bits // 8))
    head = b"" if layout.plane is None else (layout.prefix >> layout.bits).to_bytes(8, "big")
    read = decode if head else partial(decode_as, cls)
    assert 0 <= refusal(read, head + content) <= layout.size
    message = accepted(read, head + content)
    assert message is None or (type(message) is cls and read(encode(message)) == message)


@pytest.mark.requirement("QS-WI-012")
@settings(deadline=None)
@given(
    st.lists(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=2), min_size=9, max_size=9),
)
def test_any_attribute_is_encoded_or_refused(content):
    message = Track(*content)
    assert 0 <= refusal(encode, message) < 36
    encoded = accepted(encode, message)
    assert encoded is None or decode(encoded) == message


@pytest.mark.requirement("QS-WI-011")
@given(st.floats(0, 1))
def test_rounding_never_overclaims(fidelity):
    assert fidelity_down(fidelity) / UNIT <= fidelity <= fidelity_up(fidelity) / UNIT
    assert fidelity_up(fidelity) - fidelity_down(fidelity) in {0, 1}


@given(st.integers(0, UNIT))
def test_rounding_keeps_what_is_exact(n):
    assert fidelity_up(n / UNIT) == fidelity_down(n / UNIT) == n
