"""How octets of keys lie in the database: as they are, or under a key-encryption key.

Either way what is read is known to be what was written.  Under a key-encryption key each key is a message of AES-256-GCM
(NIST SP 800-38D) with a nonce of its own and its identifier as associated data, so that octets that were moved to
another row are found out as well.  The cipher's key is derived from the key-encryption key and a salt of the store by
HKDF (RFC 5869): two stores under one key-encryption key share no nonces.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import string
from pathlib import Path
from typing import Protocol

from qstack.core.errors import ConfigError
from qstack.keys.store.database import Database, StoreCorruptError
from qstack.services.secret import Secret

KEY_OCTETS = 32
NONCE_OCTETS = 12
SALT_OCTETS = 16
CIPHER = "AES-256-GCM"
PLAIN = "none"
STANDING = "SELECT value FROM meta WHERE name = 'encryption'"
"""Asks a database for the mark of the vault that its keys lie in."""


class Vault(Protocol):
    """Octets of a key in, what the database holds out; and back."""

    mark: str
    """What the store remembers of it; never a secret."""

    def close(self, key: str, octets: bytes) -> tuple[bytes, bytes]:
        """Return what is stored under an identifier: material, and a seal."""
        ...

    def open(self, key: str, material: bytes | None, seal: bytes | None) -> bytes:
        """Return the octets.

        Raises
        ------
        StoreCorruptError
            When they are not what was written.
        """
        ...


class PlainVault:
    """Octets as they are, with a digest; whoever reads the database has the keys."""

    mark = PLAIN

    def close(self, key: str, octets: bytes) -> tuple[bytes, bytes]:
        """See `Vault.close`."""
        return octets, _digest(key, octets)

    def open(self, key: str, material: bytes | None, seal: bytes | None) -> bytes:
        """See `Vault.open`."""
        if material is None or seal is None or _digest(key, bytes(material)) != bytes(seal):
            raise damaged(key)
        return bytes(material)


class SealedVault:
    """Octets under a key-encryption key; the seal is empty, the cipher has its own.

    Parameters
    ----------
    secret
        The key-encryption key, 32 octets.
    salt
        Of the store.
    """

    def __init__(self, secret: Secret, salt: bytes) -> None:
        self.mark = _mark(secret, salt)
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # an extra
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # as above

        self._cipher = AESGCM(_derived(secret, salt, b"qstack key store: keys"))
        self._broken = InvalidTag

    def close(self, key: str, octets: bytes) -> tuple[bytes, bytes]:
        """See `Vault.close`."""
        nonce = os.urandom(NONCE_OCTETS)
        return nonce + self._cipher.encrypt(nonce, octets, key.encode()), b""

    def open(self, key: str, material: bytes | None, seal: bytes | None) -> bytes:
        """See `Vault.open`."""
        if material is None or len(material) <= NONCE_OCTETS:
            raise damaged(key)
        stored = bytes(material)
        try:
            return bytes(self._cipher.decrypt(stored[:NONCE_OCTETS], stored[NONCE_OCTETS:], key.encode()))
        except self._broken:
            raise damaged(key) from None


def damaged(key: str) -> StoreCorruptError:
    """Return the error of octets that are not what was written."""
    return StoreCorruptError(f"key store: the octets of key {key} are damaged; it was not handed out", key)


def vault_of(db: Database, secret: Secret | None) -> Vault:
    """Return the vault of a store inside a transaction; a store that is empty takes the key that is given, or none.

    Raises
    ------
    ConfigError
        When the store was written under another key-encryption key, under one where none is given, or under none.
    """
    plain = secret is None or db.rows("SELECT 1 FROM keys LIMIT 1")  # a store of keys that says nothing has plain ones
    made = PLAIN if secret is None or plain else _mark(secret, os.urandom(SALT_OCTETS))
    db.run("INSERT INTO meta VALUES ('encryption', ?) ON CONFLICT DO NOTHING", (made,))
    (standing,) = db.rows(STANDING)[0]
    if secret is None:
        if standing != PLAIN:
            raise ConfigError("the key store is encrypted: name its key-encryption key (store_key)")
        return PlainVault()
    if standing == PLAIN:
        raise ConfigError(
            "the key store was begun without a key-encryption key: leave out store_key, or give it one "
            "with `qstack keys rekey`"
        )
    salt = bytes.fromhex(json.loads(standing)["salt"])
    if not hmac.compare_digest(_mark(secret, salt), standing):
        raise ConfigError("the key-encryption key is not the one that the key store was written under")
    return SealedVault(secret, salt)


def is_under(db: Database, secret: Secret) -> bool:
    """Return whether the keys of a store lie under this key-encryption key."""
    standing = [value for (value,) in db.rows(STANDING) if value != PLAIN]
    return any(hmac.compare_digest(_mark(secret, bytes.fromhex(json.loads(mark)["salt"])), mark) for mark in standing)


def new_vault(db: Database, secret: Secret) -> SealedVault:
    """Return a vault with a salt of its own, which from now on is that of the store; inside a transaction."""
    vault = SealedVault(secret, os.urandom(SALT_OCTETS))
    db.run("UPDATE meta SET value = ? WHERE name = 'encryption'", (vault.mark,))
    return vault


def key_from(file: Path | None, environment: str | None) -> Secret:
    """Return a key-encryption key from a file of its owner's, or from the environment: 64 hexadecimal digits.

    Raises
    ------
    ConfigError
        When it is not there, others may read it, or it is something else; the message never shows it.
    """
    if file is not None:
        place = f"key-encryption key {str(file)!r}"
        try:
            mode = file.stat().st_mode & 0o777
            text = file.read_text(encoding="ascii")
        except OSError as error:
            raise ConfigError(f"{place}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{place}: must hold {2 * KEY_OCTETS} hexadecimal digits, holds other octets") from None
        if mode & 0o077:
            raise ConfigError(f"{place} has mode {mode:04o}: others could read it. Allowed: 0600 or 0400.")
    else:
        place = f"key-encryption key in the environment variable {environment!r}"
        if environment is None or environment not in os.environ:
            raise ConfigError(f"{place}: it is not set")
        text = os.environ[environment]
    digits = text.strip()
    if len(digits) != 2 * KEY_OCTETS or not set(digits) <= set(string.hexdigits):
        raise ConfigError(f"{place}: must hold {2 * KEY_OCTETS} hexadecimal digits, holds {len(digits)} characters")
    return Secret(bytes.fromhex(digits))


def _digest(key: str, octets: bytes) -> bytes:
    """Return what shows later that the octets under an identifier are those that were written [8 bytes]."""
    return hashlib.sha256(key.encode() + octets).digest()[:8]


def _mark(secret: Secret, salt: bytes) -> str:
    """Return what a store remembers of its key-encryption key: a salt, and a value that only that key gives."""
    check = _derived(secret, salt, b"qstack key store: check")
    return json.dumps({"cipher": CIPHER, "check": check.hex(), "salt": salt.hex()}, sort_keys=True)


def _derived(secret: Secret, salt: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA256 for one block of output (RFC 5869)."""
    pseudorandom = hmac.digest(salt, secret.reveal(), "sha256")
    return hmac.digest(pseudorandom, purpose + b"\x01", "sha256")
