"""Names to numbers: stable hashes that give every entity its own random stream."""

from __future__ import annotations

import hashlib


def stable_hash(name: str) -> int:
    """Return 32 bits that depend on the name only, never on the process (unlike ``hash``)."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
