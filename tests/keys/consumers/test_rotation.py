"""Rotation: overlap, end of life, and nothing after it."""

from __future__ import annotations

import pytest

from qstack.core.errors import ConfigError
from qstack.integration.consumers.psk import Psk
from qstack.integration.consumers.rotation import KeyRing, NoKeyError
from qstack.services.secret import Secret


def psk(name):
    return Psk(name, Secret(name.encode() * 16))


def names(ring, now):
    return [one.identity for one in ring.accepted(now)]


def test_a_replaced_key_overlaps_and_goes():
    ring = KeyRing(overlap_s=5, lifetime_s=60)
    first = psk("1")
    ring.add(first, 0)
    ring.add(psk("2"), 10)
    assert names(ring, 14.9) == ["2", "1"]
    assert ring.current(14.9).identity == "2"
    assert names(ring, 15) == ["2"]
    with pytest.raises(ConfigError, match="was wiped"):
        first.key.reveal()


def test_without_a_next_key_the_ring_closes():
    ring = KeyRing(overlap_s=5, lifetime_s=60)
    ring.add(psk("1"), 0)
    assert ring.current(59.9).identity == "1"
    with pytest.raises(NoKeyError, match="none came within 60 s"):
        ring.current(60)
    assert names(ring, 60) == []


def test_a_replacement_never_lengthens_a_life():
    ring = KeyRing(overlap_s=50, lifetime_s=60)
    ring.add(psk("1"), 0)
    ring.add(psk("2"), 55)
    assert names(ring, 60) == ["2"]


def test_a_fast_rotation_keeps_every_key_of_the_overlap():
    ring = KeyRing(overlap_s=5, lifetime_s=60)
    for n in range(6):
        ring.add(psk(str(n)), n * 2)
    assert names(ring, 10) == ["5", "4", "3", "2"]
    assert names(ring, 11) == ["5", "4", "3"]


def test_an_empty_ring_refuses():
    with pytest.raises(NoKeyError):
        KeyRing(1, 1).current(0)
    assert "psk" not in repr(KeyRing(1, 1))
