"""One key out of a QKD key and an ML-KEM key, as strong as the stronger one.

Concatenation, as CatKDF of ETSI TS 103 744: HKDF (RFC 5869, SHA-384) over the legs' keys one after the other. Everything
the two ends must agree on goes into `info`, each field with its length before it: label, mode, which legs, their references
(014 key_ID; SHA-256 of ML-KEM public key and ciphertext), both names, the length. Ends that disagree on any of them get
different keys, and the session fails closed. XOR of the legs would not resist an active attacker who mixes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from qstack.core.errors import ConfigError, QstackError
from qstack.services.secret import Secret

LABEL = b"qstack hybrid key v1"


class Mode(Enum):
    """Which legs a session needs."""

    BOTH = "QkdAndPqcRequired"
    QKD = "AtLeastQkdRequired"
    PQC = "AtLeastPqcRequired"
    EITHER = "EitherQkdOrPqcRequired"


REQUIRED: dict[Mode, Sequence[frozenset[str]]] = {
    Mode.BOTH: (frozenset({"qkd", "pqc"}),),
    Mode.QKD: (frozenset({"qkd"}),),
    Mode.PQC: (frozenset({"pqc"}),),
    Mode.EITHER: (frozenset({"qkd"}), frozenset({"pqc"})),
}
"""Mode to the sets of legs of which one must be there; whatever else is there is used as well."""


class MissingLegError(QstackError):
    """A leg that the mode requires is not there: the session is refused."""


@dataclass(slots=True)
class Leg:
    """One key of a hybrid.

    Parameters
    ----------
    key
        Its octets, at least 16.
    reference
        What both ends call it in public.
    """

    key: Secret
    reference: str


@dataclass(slots=True)
class Combined:
    """The key of a session, and where it came from.

    Parameters
    ----------
    key
        Its octets.
    legs
        Those that went in.
    missing
        Those that did not, although another mode would have wanted them: an event to report, never silent.
    """

    key: Secret
    legs: tuple[str, ...]
    missing: tuple[str, ...]


def combine(
    mode: Mode, qkd: Leg | None, pqc: Leg | None, names: tuple[str, str], length: int = 32, context: str = ""
) -> Combined:
    """Combine what is there, if the mode allows.

    Parameters
    ----------
    mode
        Which legs are required.
    qkd, pqc
        The legs, None where there is none.
    names
        Of the initiator and the responder, in this order at both ends.
    length
        Of the result [byte].
    context
        Purpose of the key and version of the policy.

    Raises
    ------
    MissingLegError
        If a required leg is missing.
    ConfigError
        If a leg has fewer than 128 bits, or the length is not 16 to 255 octets.
    """
    given = {name: leg for name, leg in (("qkd", qkd), ("pqc", pqc)) if leg is not None}
    if not any(wanted <= set(given) for wanted in REQUIRED[mode]):
        wanted = " or ".join(" and ".join(sorted(legs)) for legs in REQUIRED[mode])
        raise MissingLegError(
            f"{mode.value}: needs {wanted}, has {' and '.join(given) or 'none'}; the session is refused"
        )
    if not 16 <= length <= 255:
        raise ConfigError(f"length {length}: 16 to 255 octets are allowed")
    for name, leg in given.items():
        if len(leg.key) < 16:
            raise ConfigError(f"leg {name}: {len(leg.key) * 8} bits; at least 128 are needed")
    fields = [LABEL, mode.value.encode(), context.encode(), *(name.encode() for name in names)]
    for name, leg in given.items():
        fields += [name.encode(), leg.reference.encode(), len(leg.key).to_bytes(2, "big")]
    fields.append(length.to_bytes(2, "big"))
    info = b"".join(len(item).to_bytes(2, "big") + item for item in fields)
    octets = hkdf("sha384", b"".join(leg.key.reveal() for leg in given.values()), b"", info, length)
    missing = tuple(name for name in ("qkd", "pqc") if name not in given)
    return Combined(Secret(octets), tuple(given), missing)


def hkdf(name: str, key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Return HKDF (RFC 5869) with the hash of this name."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415  # an extra, and slow to import
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415  # as above

    algorithms: dict[str, Any] = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
    return HKDF(algorithms[name](), length, salt, info).derive(key)


class KemPair:
    """The decapsulating end of ML-KEM (FIPS 203): makes a key pair for one session.

    Parameters
    ----------
    strength
        768 or 1024.
    """

    def __init__(self, strength: int = 768) -> None:
        self._private = _classes(strength)[0].generate()
        self.public: bytes = self._private.public_key().public_bytes_raw()

    def receive(self, ciphertext: bytes) -> Leg:
        """Return the leg that the sender has; a changed ciphertext gives another key, as FIPS 203 wants it.

        Raises
        ------
        ConfigError
            If the ciphertext has the wrong length.
        """
        try:
            key = self._private.decapsulate(ciphertext)
        except ValueError:
            raise ConfigError(
                f"ML-KEM ciphertext of {len(ciphertext)} octets: wrong length for this key pair"
            ) from None
        return Leg(Secret(key), kem_reference(self.public, ciphertext))

    def __repr__(self) -> str:
        return "<ML-KEM key pair>"


def kem_send(public: bytes, strength: int = 768) -> tuple[Leg, bytes]:
    """Return a fresh leg, and the ciphertext that gives it to the owner of the public key; raises `ConfigError`."""
    try:
        key, ciphertext = _classes(strength)[1].from_public_bytes(public).encapsulate()
    except ValueError:
        raise ConfigError(f"ML-KEM-{strength} public key of {len(public)} octets cannot be used") from None
    return Leg(Secret(key), kem_reference(public, ciphertext)), ciphertext


def kem_reference(public: bytes, ciphertext: bytes) -> str:
    """Return the public name of an ML-KEM exchange: it binds the result to this public key and this ciphertext."""
    return hashlib.sha256(public + ciphertext).hexdigest()


def _classes(strength: int) -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives.asymmetric import mlkem  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigError("ML-KEM needs cryptography 48 or later: pip install qstack-reference[keys]") from None
    table = {
        768: (mlkem.MLKEM768PrivateKey, mlkem.MLKEM768PublicKey),
        1024: (mlkem.MLKEM1024PrivateKey, mlkem.MLKEM1024PublicKey),
    }
    if strength not in table:
        raise ConfigError(f"ML-KEM strength {strength}: allowed are {', '.join(map(str, table))}")
    return table[strength]
