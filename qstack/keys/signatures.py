"""Signatures for blocks that no shared key can authenticate: ML-DSA-65 (FIPS 204), from the `cryptography` package."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from qstack.core.errors import ConfigError

CONTEXT = b"qstack keys block"
"""Separates these signatures from all others made with the same key."""


class MlDsa:
    """One end's signing key and the peer's public key.

    Parameters
    ----------
    seed
        32 bytes, the private key's seed.
    peer
        The peer's public key, as `public_key` of the other end returns it.

    Raises
    ------
    ConfigError
        When the extra is not installed, or a key has the wrong size; the message shows neither.
    """

    def __init__(self, seed: bytes, peer: bytes) -> None:
        module = _module()
        try:
            self._private = module.MLDSA65PrivateKey.from_seed_bytes(seed)
            self._peer = module.MLDSA65PublicKey.from_public_bytes(peer)
        except ValueError:
            raise ConfigError(
                f"ML-DSA-65: a seed of {len(seed)} or a public key of {len(peer)} bytes is none"
            ) from None

    def __repr__(self) -> str:
        return "MlDsa(<private key>)"

    def sign(self, text: bytes) -> bytes:
        """Return a signature."""
        signature: bytes = self._private.sign(text, CONTEXT)
        return signature

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Return whether a signature is the peer's."""
        try:
            self._peer.verify(signature, text, CONTEXT)
        except import_module("cryptography.exceptions").InvalidSignature:
            return False
        return True


def public_key(seed: bytes) -> bytes:
    """Return the public key of a seed."""
    key: bytes = _module().MLDSA65PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
    return key


def _module() -> Any:
    try:
        return import_module("cryptography.hazmat.primitives.asymmetric.mldsa")
    except ImportError:
        raise ConfigError("signed blocks need ML-DSA from the 'cryptography' package: install it") from None
