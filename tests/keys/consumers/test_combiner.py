"""The combiner against published vectors and a second implementation, and its four modes one by one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from qstack.core.errors import ConfigError
from qstack.integration.consumers import combiner
from qstack.integration.consumers.combiner import KemPair, Leg, MissingLegError, Mode, combine, hkdf, kem_send
from qstack.services.secret import Secret

NAMES = ("A", "B")

# RFC 5869, appendix A, test cases 1 to 3: key, salt, info, output.
RFC_5869 = [
    ("0b" * 22, "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
    (bytes(range(0x50)).hex(), bytes(range(0x60, 0xB0)).hex(), bytes(range(0xB0, 0x100)).hex(),
     ("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
      "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87")),
    ("0b" * 22, "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
]  # fmt: skip

# RFC 9935, appendix C.2: the first octets of the ML-KEM-768 public key of the seed 000102...3f, as SubjectPublicKeyInfo.
RFC_9935 = (
    "MIIEsjALBglghkgBZQMEBAIDggShACmKoQ1CPI3aBp0CvFnmzfA6CWuLPaTKubgM"
    "pKFJB2cszvHsT68jSgvFt+nUc/KzEzs7JqHRdctnp4BZGWmcAvdlMbmcX4kYBwS7"
    "TKRTXFuJcmecZgoHxeUUuHAJyGLrj1FXaV77P8QKne9rgcHMAqJJrk8JStDZvTSF"
)


@pytest.mark.parametrize(("key", "salt", "info", "output"), RFC_5869)
def test_hkdf_against_rfc_5869(key, salt, info, output):
    octets = [bytes.fromhex(text) for text in (key, salt, info)]
    assert hkdf("sha256", *octets, len(output) // 2).hex() == output


def test_ml_kem_keys_against_rfc_9935():
    public = combiner._classes(768)[0].from_seed_bytes(bytes(range(64))).public_key()
    text = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert base64.b64encode(text).decode().startswith(RFC_9935)


def test_ml_kem_keys_follow_fips_203():
    # Algorithm 13, line 1: (rho, sigma) = G(d || k) with G = SHA3-512; the encapsulation key ends with rho.
    for strength, k in ((768, 3), (1024, 4)):
        public = combiner._classes(strength)[0].from_seed_bytes(bytes(64)).public_key().public_bytes_raw()
        assert public[-32:] == hashlib.sha3_512(bytes(32) + bytes([k])).digest()[:32]
        assert len(public) == 384 * k + 32


@pytest.mark.parametrize("strength", [768, 1024])
def test_ml_kem_against_a_second_implementation(strength):
    kyber = pytest.importorskip("kyber_py.ml_kem")
    other = {768: kyber.ML_KEM_768, 1024: kyber.ML_KEM_1024}[strength]
    for n in range(3):
        seed = hashlib.shake_128(bytes([n])).digest(64)
        public, private = other.key_derive(seed)
        pair = KemPair(strength)
        pair._private = combiner._classes(strength)[0].from_seed_bytes(seed)
        pair.public = pair._private.public_key().public_bytes_raw()
        assert pair.public == public
        leg, ciphertext = kem_send(public, strength)
        assert other.decaps(private, ciphertext) == leg.key.reveal()
        secret, ciphertext = other.encaps(public)
        assert pair.receive(ciphertext).key.reveal() == secret
        broken = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
        assert pair.receive(broken).key.reveal() == other.decaps(private, broken) != secret


def legs():
    return Leg(Secret(bytes(range(32))), "key-id"), Leg(Secret(bytes(range(100, 132))), "kem-id")


def plain_hkdf(key, info, length):
    """HKDF-SHA-384 again, from the text of RFC 5869."""
    prk = hmac.digest(bytes(48), key, "sha384")
    block, out = b"", b""
    for n in itertools.count(1):
        block = hmac.digest(prk, block + info + bytes([n]), "sha384")
        out += block
        if len(out) >= length:
            return out[:length]
    raise AssertionError


def test_the_derivation_is_what_its_description_says():
    qkd, pqc = legs()
    fields = [b"qstack hybrid key v1", b"QkdAndPqcRequired", b"tls", b"A", b"B"]
    fields += [b"qkd", b"key-id", b"\x00\x20", b"pqc", b"kem-id", b"\x00\x20", b"\x00\x40"]
    info = b"".join(len(item).to_bytes(2, "big") + item for item in fields)
    expected = plain_hkdf(qkd.key.reveal() + pqc.key.reveal(), info, 64)
    assert combine(Mode.BOTH, qkd, pqc, NAMES, 64, "tls").key.reveal() == expected


ALLOWED = {
    (Mode.BOTH, True, True): True, (Mode.BOTH, True, False): False, (Mode.BOTH, False, True): False,
    (Mode.QKD, True, True): True, (Mode.QKD, True, False): True, (Mode.QKD, False, True): False,
    (Mode.PQC, True, True): True, (Mode.PQC, True, False): False, (Mode.PQC, False, True): True,
    (Mode.EITHER, True, True): True, (Mode.EITHER, True, False): True, (Mode.EITHER, False, True): True,
    **{(mode, False, False): False for mode in Mode},
}  # fmt: skip


@pytest.mark.parametrize(("mode", "has_qkd", "has_pqc"), ALLOWED)
def test_each_mode_with_each_pair_of_legs(mode, has_qkd, has_pqc):
    qkd, pqc = legs()
    given = (qkd if has_qkd else None, pqc if has_pqc else None)
    if ALLOWED[mode, has_qkd, has_pqc]:
        found = combine(mode, *given, NAMES)
        assert found.legs == tuple(name for name, has in (("qkd", has_qkd), ("pqc", has_pqc)) if has)
        assert set(found.legs) | set(found.missing) == {"qkd", "pqc"}
        assert len(found.key) == 32
    else:
        with pytest.raises(MissingLegError, match=mode.value):
            combine(mode, *given, NAMES)


def test_whatever_the_ends_disagree_on_changes_the_key():
    qkd, pqc = legs()
    variants = [
        combine(Mode.BOTH, qkd, pqc, NAMES),
        combine(Mode.EITHER, qkd, pqc, NAMES),
        combine(Mode.EITHER, qkd, None, NAMES),
        combine(Mode.EITHER, None, pqc, NAMES),
        combine(Mode.BOTH, qkd, pqc, ("B", "A")),
        combine(Mode.BOTH, qkd, pqc, ("AB", "")),
        combine(Mode.BOTH, qkd, pqc, NAMES, context="2"),
        combine(Mode.BOTH, Leg(qkd.key, "other"), pqc, NAMES),
        combine(Mode.BOTH, qkd, Leg(pqc.key, "other"), NAMES),
        combine(Mode.BOTH, qkd, pqc, NAMES, 33),
        combine(Mode.BOTH, Leg(pqc.key, "key-id"), Leg(qkd.key, "kem-id"), NAMES),
    ]
    assert len({found.key.reveal()[:32] for found in variants}) == len(variants)


def test_bad_input_is_named():
    qkd, pqc = legs()
    with pytest.raises(ConfigError, match="leg qkd: 120 bits"):
        combine(Mode.BOTH, Leg(Secret(bytes(15)), "x"), pqc, NAMES)
    with pytest.raises(ConfigError, match="length 256"):
        combine(Mode.BOTH, qkd, pqc, NAMES, 256)
    with pytest.raises(ConfigError, match="allowed are 768, 1024"):
        KemPair(512)
    with pytest.raises(ConfigError, match="cannot be used"):
        kem_send(b"short")
    with pytest.raises(ConfigError, match="wrong length"):
        KemPair().receive(b"short")


def test_nothing_shows_a_key():
    qkd, pqc = legs()
    found = combine(Mode.BOTH, qkd, pqc, NAMES)
    assert found.key.reveal().hex() not in repr(found)
    assert "object at" not in repr(KemPair())


WYCHEPROOF = json.loads((Path(__file__).parent / "mlkem_768.json").read_text(encoding="utf-8"))


def kem_pair(seed):
    """The pair of a published seed."""
    pair = KemPair(768)
    pair._private = combiner._classes(768)[0].from_seed_bytes(bytes.fromhex(seed))
    pair.public = pair._private.public_key().public_bytes_raw()
    return pair


@pytest.mark.parametrize("vector", WYCHEPROOF["keys"], ids=lambda vector: str(vector["tcId"]))
def test_ml_kem_key_generation_against_wycheproof(vector):
    kyber = pytest.importorskip("kyber_py.ml_kem")
    pair = kem_pair(vector["seed"])
    public, private = kyber.ML_KEM_768.key_derive(bytes.fromhex(vector["seed"]))
    assert pair.public == public
    assert public.hex().startswith(vector["ek_begins"])
    assert public.hex().endswith(vector["ek_ends"])
    assert private.hex().startswith(vector["dk_begins"])
    assert private[-32:].hex() == vector["seed"][64:]
    assert private[-64:-32] == hashlib.sha3_256(public).digest()
    assert vector.get("H", private[-64:-32].hex()) == private[-64:-32].hex()
    leg, ciphertext = kem_send(pair.public)
    assert pair.receive(ciphertext).key == leg.key
    assert kyber.ML_KEM_768.decaps(private, ciphertext) == leg.key.reveal()


@pytest.mark.parametrize("vector", WYCHEPROOF["decapsulation"], ids=lambda vector: str(vector["tcId"]))
def test_ml_kem_decapsulation_against_wycheproof(vector):
    """A ciphertext that is not of this key gives a secret that nobody else has: J(z || c), FIPS 203, algorithm 18."""
    kyber = pytest.importorskip("kyber_py.ml_kem")
    ciphertext = bytes.fromhex(vector["c"])
    assert kem_pair(vector["seed"]).receive(ciphertext).key.reveal().hex() == vector["K"]
    _, private = kyber.ML_KEM_768.key_derive(bytes.fromhex(vector["seed"]))
    assert kyber.ML_KEM_768.decaps(private, ciphertext).hex() == vector["K"]
    rejected = bytes.fromhex(vector["seed"])[32:] + ciphertext
    assert hashlib.shake_256(rejected).hexdigest(32) == vector["K"]


@pytest.mark.parametrize("start", WYCHEPROOF["modulus"])
def test_ml_kem_refuses_keys_with_coefficients_beyond_the_prime(start):
    kyber = pytest.importorskip("kyber_py.ml_kem")
    public = kem_pair(WYCHEPROOF["keys"][0]["seed"]).public
    first = bytes.fromhex(start)
    assert first[0] + ((first[1] & 15) << 8) >= 3329
    wrong = first + public[2:]
    with pytest.raises(ConfigError, match="ML-KEM-768 public key of 1184 octets cannot be used"):
        kem_send(wrong)
    with pytest.raises(ValueError, match="Modulus check failed"):
        kyber.ML_KEM_768.encaps(wrong)


@pytest.mark.parametrize(("octets", "what"), [(1087, "ciphertext"), (1089, "ciphertext"), (0, "ciphertext")])
def test_ml_kem_refuses_ciphertexts_of_another_length(octets, what):
    with pytest.raises(ConfigError, match=rf"{what} of {octets} octets"):
        kem_pair(WYCHEPROOF["keys"][0]["seed"]).receive(bytes(octets))
