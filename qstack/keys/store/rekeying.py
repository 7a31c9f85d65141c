"""A key store from one key-encryption key to another: every key that is there, in one transaction, with nobody else in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from qstack.keys.store.database import ContentionError, StoreCorruptError, connect
from qstack.keys.store.delivery import void
from qstack.keys.store.schema import Policy, begin, create, finish
from qstack.keys.store.vault import is_under, new_vault, vault_of
from qstack.services.key_delivery import Void
from qstack.services.secret import Secret


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What became of a store.

    Parameters
    ----------
    keys
        How many were encrypted anew.
    damaged
        Identifiers of those that were not what had been written; they are voided.
    """

    keys: int
    damaged: tuple[str, ...]


def rekey(
    url: str, policy: Policy, old: Secret | None, new: Secret, clock: Callable[[], float] = time.time
) -> Rekeyed | None:
    """Encrypt all keys of a store under another key-encryption key; None if they lie under it already.

    Dies it half-way, the store is as it was.

    Parameters
    ----------
    url
        A path, ``sqlite:///path`` or ``postgresql://user@host/name``.
    policy
        Of the server in whose audit chain it is noted.
    old
        Key-encryption key of the store, 32 octets; None where keys lie as they are.
    new
        The key-encryption key from now on, 32 octets.
    clock
        Seconds since the epoch.

    Raises
    ------
    ConfigError
        If the old key is not that of the store.
    StoreError
        If a server has the store open, or the database does not answer; nothing has changed then.
    """
    try:
        db = connect(url, alone=True)  # QS-KY-462
    except ContentionError:
        raise ContentionError(
            "the key store is open elsewhere; nothing was changed. Stop every server that uses it, then try again."
        ) from None
    try:
        create(db)
        with db.transaction():
            if is_under(db, new):
                return None
            tx = begin(db, policy, clock, vault_of(db, old))
            vault = new_vault(db, new)
            damaged = []
            stored = db.rows("SELECT id, material, seal FROM keys WHERE material IS NOT NULL ORDER BY id")
            for key, material, seal in stored:
                try:
                    octets = tx.vault.open(key, material, seal)
                except StoreCorruptError:
                    damaged.append(key)
                    continue
                db.run("UPDATE keys SET material = ?, seal = ? WHERE id = ?", (*vault.close(key, octets), key))
            void(tx, Void(damaged, "its octets are damaged"))
            tx.log("rekeyed", keys=len(stored) - len(damaged), damaged=len(damaged), encrypted=old is not None)
            finish(tx)
        return Rekeyed(len(stored) - len(damaged), tuple(damaged))
    finally:
        db.close()
