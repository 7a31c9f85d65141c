"""The judge of adapters is judged: the reference passes, and one that breaks a rule fails that rule and no other."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from qstack.conformance.adapter import AdapterSuite, octets, shows
from qstack.conformance.judge import failed, judge
from qstack.conformance.specification import load
from qstack.core.errors import ConfigError
from qstack.integration.consumers.adapter import PskLines
from qstack.services.secret import Secret

SPECIFICATION = load(Path(__file__).parents[2] / "specs")
ticks = count()


class Hexadecimal:
    """Another adapter: the key alone, as text."""

    def __init__(self, least=32):
        self.least = least

    def deliver(self, identity, key):
        if not identity.isprintable() or not identity:
            raise ConfigError("an identity without control characters")
        if len(key) < self.least:
            raise ConfigError("more octets")
        return key.reveal().hex().encode()


class Short(Hexadecimal):
    def deliver(self, identity, key):
        return super().deliver(identity, key)[:62]


class Numbered(Hexadecimal):
    def deliver(self, identity, key):
        return super().deliver(identity, key) + str(next(ticks)).encode()


class Remembering(Hexadecimal):
    kept = None

    def deliver(self, identity, key):
        self.kept = key.reveal()
        return super().deliver(identity, key)

    def __repr__(self):
        return f"Remembering({self.kept!r})"


class Talkative(Hexadecimal):
    def deliver(self, identity, key):
        if "\n" in identity:
            raise ConfigError(f"{identity!r} cannot name {key.reveal().hex()}")
        return super().deliver(identity, key)


class Padding(Hexadecimal):
    def deliver(self, identity, key):
        return super().deliver(identity, Secret(key.reveal().rjust(32, b"\0")))


class Trusting(Hexadecimal):
    def deliver(self, identity, key):
        return super().deliver(identity.replace("\n", " ") or "nobody", key)


class Zeros(Hexadecimal):
    def deliver(self, identity, key):
        try:
            key.reveal()
        except ConfigError:
            return super().deliver(identity, Secret(bytes(32)))
        return super().deliver(identity, key)


VARIANTS = {
    "half of the last octet is cut off": (Short, "QS-CL-340"),
    "deliveries are counted": (Numbered, "QS-CL-341"),
    "its representation shows the last key": (Remembering, "QS-CL-342"),
    "an error shows the key": (Talkative, "QS-CL-342"),
    "short keys are padded": (Padding, "QS-CL-343"),
    "64 bits are enough": (lambda: Hexadecimal(8), "QS-CL-344"),
    "line breaks in names are mended": (Trusting, "QS-CL-345"),
    "a wiped key is handed over as zeros": (Zeros, "QS-CL-346"),
}


@pytest.mark.parametrize("make", [PskLines, Hexadecimal])
def test_good_ones_pass(make):
    assert failed(judge(AdapterSuite, make, SPECIFICATION), strict=True) == []


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_one_fails_what_it_breaks_and_nothing_else(name):
    make, broken = VARIANTS[name]
    assert [v.id for v in failed(judge(AdapterSuite, make, SPECIFICATION), strict=True)] == [broken]


def test_the_way_a_key_is_named_is_only_told():
    said = {
        make: next(v for v in judge(AdapterSuite, make, SPECIFICATION) if v.id == "QS-CL-347")
        for make in (PskLines, Hexadecimal)
    }
    assert [v.verdict for v in said.values()] == ["informational"] * 2
    assert [v.detail for v in said.values()] == ["the name stands beside the key", "the key alone"]


@pytest.mark.parametrize("write", [bytes.hex, repr, lambda key: str(list(key)), lambda key: key.hex(":")])
def test_a_key_is_seen_however_it_is_written(write):
    assert shows(f"it is {write(octets(32))}", octets(32))
    assert not shows(f"it is {write(octets(40)[32:])}", octets(32))


def test_an_adapter_that_crashes_is_told():
    (verdict,) = judge(AdapterSuite, lambda: 1 / 0, SPECIFICATION, ["QS-CL-340"])
    assert (verdict.verdict, verdict.detail) == ("fail", " - no exception, but ZeroDivisionError: division by zero")
