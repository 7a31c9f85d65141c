"""The universal hash against RFC 8439 and against itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstack.core.errors import ConfigError
from qstack.keys import hashing
from qstack.keys.hashing import Poly, collision, seal, universal

FF = "ff" * 16
# RFC 8439, section 2.5.2 and appendix A.3 (numbers 1, 7 to 11): key r, key s, message, tag.
RFC8439 = [
    (
        "85d6be7857556d337f4452fe42d506a8",
        "0103808afb0db2fd4abff6af4149f51b",
        b"Cryptographic Forum Research Group".hex(),
        "a8061dc1305136c6c22b8baf0c0127a9",
    ),
    ("00" * 16, "00" * 16, "00" * 64, "00" * 16),
    ("02" + "00" * 15, "00" * 16, FF, "03" + "00" * 15),
    ("02" + "00" * 15, FF, "02" + "00" * 15, "03" + "00" * 15),
    ("01" + "00" * 15, "00" * 16, FF + "f0" + "ff" * 15 + "11" + "00" * 15, "05" + "00" * 15),
    ("01" + "00" * 15, "00" * 16, FF + "fb" + "fe" * 15 + "01" * 16, "00" * 16),
    ("02" + "00" * 15, "00" * 16, "fd" + "ff" * 15, "fa" + "ff" * 15),
]


@pytest.mark.parametrize("portable", [True, False])
@pytest.mark.parametrize(("point", "pad", "message", "tag"), RFC8439)
def test_rfc_8439(portable, point, pad, message, tag):
    if not portable:
        pytest.importorskip("cryptography")
    state = (Poly if portable else hashing._Compiled)(bytes.fromhex(point))
    state.update(bytes.fromhex(message))
    assert seal(state.value(), bytes.fromhex(pad)).hex() == tag


@given(point=st.binary(min_size=16, max_size=16), parts=st.lists(st.binary(max_size=70), max_size=6))
def test_compiled_and_portable_agree_however_the_message_is_cut(point, parts):
    pytest.importorskip("cryptography")
    whole, cut, compiled = Poly(point), Poly(point), hashing._Compiled(point)
    whole.update(b"".join(parts))
    for part in parts:
        cut.update(part)
        compiled.update(part)
    assert whole.value() == cut.value() == compiled.value()


def test_without_the_extra_the_portable_hash_is_used(monkeypatch):
    class Missing:
        def __init__(self, point):
            raise ImportError("no cryptography")

    monkeypatch.setattr(hashing, "_Compiled", Missing)
    hashing._compiled.cache_clear()
    try:
        assert isinstance(universal(bytes(16)), Poly)
    finally:
        hashing._compiled.cache_clear()


def test_the_collision_bound_is_bernsteins():
    assert collision(16) == 8 * 2.0**-106
    assert collision(17) == 16 * 2.0**-106
    assert collision(0) == 8 * 2.0**-106


def test_a_point_has_sixteen_bytes_and_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        universal(b"\xaa" * 15)
    assert "not 15" in str(caught.value)
    assert "aa" not in str(caught.value)
