"""ML-KEM against NIST's own vectors: the implementation that is used, and the second one that the tests compare it with.

`cryptography` takes decapsulation keys as seeds and draws its own randomness, so NIST's cases of encapsulation and of
expanded keys go to `kyber_py` octet by octet; with the keys of NIST's seeds both then do the same in every direction.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

pytest.importorskip("kyber_py")
pytest.importorskip("cryptography")

from kyber_py.ml_kem import ML_KEM_768, ML_KEM_1024

from qstack.integration.consumers import combiner
from qstack.integration.consumers.combiner import KemPair, kem_send

NIST = json.loads((Path(__file__).parent / "mlkem_nist.json").read_text(encoding="ascii"))
OTHER = {768: ML_KEM_768, 1024: ML_KEM_1024}
MODULES = {768: 3, 1024: 4}  # k of FIPS 203, table 2


def cases(function):
    found = [(strength, case) for strength in OTHER for case in NIST[str(strength)][function]]
    return pytest.mark.parametrize(("strength", "case"), found, ids=[f"{s}-{case['tcId']}" for s, case in found])


def octets(case, *names):
    return [bytes.fromhex(case[name]) for name in names]


def pair_of(seed, strength):
    pair = KemPair(strength)
    pair._private = combiner._classes(strength)[0].from_seed_bytes(seed)
    pair.public = pair._private.public_key().public_bytes_raw()
    return pair


@cases("keyGen")
def test_both_make_the_keys_of_nist(strength, case):
    d, z, expanded = octets(case, "d", "z", "dk")
    length = 384 * MODULES[strength]
    public = expanded[length : 2 * length + 32]
    assert pair_of(d + z, strength).public == public
    assert OTHER[strength].key_derive(d + z) == (public, expanded)


@cases("encapsulation")
def test_the_second_one_encapsulates_as_nist_does(strength, case):
    public, randomness, ciphertext, key = octets(case, "ek", "m", "c", "k")
    assert OTHER[strength]._encaps_internal(public, randomness) == (key, ciphertext)
    leg, own = kem_send(public, strength)  # the one that is used takes this public key, too
    assert (len(own), len(leg.key)) == (len(ciphertext), 32)


@pytest.mark.parametrize("strength", OTHER)
def test_the_second_one_decapsulates_as_nist_does(strength):
    group = NIST[str(strength)]["decapsulation"]
    (expanded,) = octets(group, "dk")
    assert [case["reason"] for case in group["tests"]] == ["no modification", "modify ciphertext"]
    for case in group["tests"]:
        ciphertext, key = octets(case, "c", "k")
        assert OTHER[strength].decaps(expanded, ciphertext) == key
        rejected = hashlib.shake_256(expanded[-32:] + ciphertext).digest(32)  # J(z || c), FIPS 203, algorithm 18
        assert (key == rejected) == (case["reason"] == "modify ciphertext")
    length = 384 * MODULES[strength]
    leg, ciphertext = kem_send(expanded[length : 2 * length + 32], strength)
    assert OTHER[strength].decaps(expanded, ciphertext) == leg.key.reveal()


@cases("keyGen")
def test_with_a_seed_of_nist_both_agree_in_each_direction(strength, case):
    d, z, expanded = octets(case, "d", "z", "dk")
    pair = pair_of(d + z, strength)
    for other in NIST[str(strength)]["encapsulation"]:
        key, ciphertext = OTHER[strength]._encaps_internal(pair.public, *octets(other, "m"))
        assert pair.receive(ciphertext).key.reveal() == key
        wrong = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])
        assert pair.receive(wrong).key.reveal() == OTHER[strength].decaps(expanded, wrong) != key
        assert pair.receive(wrong).key.reveal() == hashlib.shake_256(z + wrong).digest(32)
    leg, ciphertext = kem_send(pair.public, strength)
    assert OTHER[strength].decaps(expanded, ciphertext) == leg.key.reveal()
