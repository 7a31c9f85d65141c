"""Secrets show their size and nothing else."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest

from qstack.core.errors import ConfigError
from qstack.keys.secret import Secret, SecretBits

DATA = b"\xde\xad\xbe\xef" * 4
FORBIDDEN = (DATA.hex(), "dead", "\\xde", str(DATA[0]), repr(DATA))


def shown(secret):
    return [repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr([secret]), repr({"k": secret})]


@pytest.mark.requirement("QS-KY-011")
@pytest.mark.parametrize("secret", [Secret(DATA), SecretBits(DATA, 128)])
def test_no_text_of_a_secret_holds_it(secret):
    for text in shown(secret):
        assert not any(part in text for part in FORBIDDEN)


def test_exceptions_do_not_hold_it():
    secret = SecretBits(DATA, 128)
    with pytest.raises(ConfigError) as caught:
        secret.take(7)
    assert not any(part in "".join(traceback.format_exception(caught.value)) for part in FORBIDDEN)


@pytest.mark.requirement("QS-KY-011")
def test_it_cannot_be_pickled_copied_hashed_iterated_or_made_json():
    secret = Secret(DATA)
    for action in (pickle.dumps, copy.copy, copy.deepcopy, hash, iter, json.dumps, bytes):
        with pytest.raises(TypeError) as caught:
            action(secret)
        assert DATA.hex() not in str(caught.value)


@pytest.mark.requirement("QS-KY-011")
def test_it_does_not_reach_a_log(caplog):
    with caplog.at_level(logging.INFO):
        logging.getLogger("keys").info("made %s and %r", Secret(DATA), SecretBits(DATA, 128))
    assert "dead" not in caplog.text


@pytest.mark.requirement("QS-CL-005")
def test_take_hands_out_every_bit_once():
    bits = SecretBits(bytes(range(16)), 128)
    first, second = bits.take(64), bits.take(64)
    assert first.reveal() + second.reveal() == bytes(range(16))
    assert bits.remaining == 0
    with pytest.raises(ConfigError, match="only 0 bit remain"):
        bits.take(8)


@pytest.mark.parametrize("size", [0, -8, 7, 1000])
def test_take_refuses_sizes_that_cannot_be(size):
    with pytest.raises(ConfigError, match=str(size)):
        SecretBits(bytes(16), 128).take(size)


def test_wiped_secrets_are_gone():
    secret = Secret(DATA)
    secret.wipe()
    assert secret._data == bytearray(16)
    with pytest.raises(ConfigError, match="wiped"):
        secret.reveal()
    assert secret != Secret(bytes(16))


def test_equality_looks_at_the_content():
    assert Secret(DATA) == Secret(DATA)
    assert Secret(DATA) != Secret(DATA[:-1] + b"\0")
    assert Secret(DATA) != DATA


def test_bits_and_bytes_must_fit():
    with pytest.raises(ConfigError, match="129 bits need 17 bytes, not 16"):
        SecretBits(DATA, 129)
