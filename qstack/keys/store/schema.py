"""The tables of a key store, and the state every transaction carries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qstack.keys.store.database import Database, StoreCorruptError, StoreError
from qstack.keys.store.vault import STANDING, PlainVault, Vault

VERSION = "1"
LIVE = ("generated", "ready", "reserved", "delivered")
FINAL = ("consumed", "expired", "voided")

# {blob}: what the engine calls octets.  owner: 1 where this end may hand the key out as the master's key manager.
TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
  peer TEXT, block TEXT, state TEXT NOT NULL, keys BIGINT NOT NULL, tag {blob} NOT NULL, ledger TEXT NOT NULL,
  PRIMARY KEY (peer, block));
CREATE TABLE IF NOT EXISTS keys (
  id TEXT PRIMARY KEY, peer TEXT NOT NULL, block TEXT NOT NULL, seq BIGINT NOT NULL, owner INTEGER NOT NULL,
  state TEXT NOT NULL, expires BIGINT NOT NULL, simulated INTEGER NOT NULL, hops INTEGER NOT NULL, size INTEGER NOT NULL,
  master TEXT, holder TEXT, told INTEGER NOT NULL DEFAULT 1, material {blob}, seal {blob});
CREATE INDEX IF NOT EXISTS keys_pool ON keys (peer, owner, seq) WHERE state = 'ready';
CREATE INDEX IF NOT EXISTS keys_expiry ON keys (expires) WHERE state IN ('generated', 'ready', 'reserved', 'delivered');
CREATE INDEX IF NOT EXISTS keys_untold ON keys (peer) WHERE told = 0;
CREATE INDEX IF NOT EXISTS keys_block ON keys (peer, block);
CREATE TABLE IF NOT EXISTS due (key TEXT, sae TEXT, done INTEGER NOT NULL, PRIMARY KEY (key, sae));
CREATE TABLE IF NOT EXISTS spent (sae TEXT, window_start BIGINT, bits BIGINT NOT NULL, PRIMARY KEY (sae, window_start));
CREATE TABLE IF NOT EXISTS audit (chain TEXT, n BIGINT, record TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (chain, n));
CREATE TABLE IF NOT EXISTS chains (chain TEXT PRIMARY KEY, n BIGINT NOT NULL, hash TEXT NOT NULL, at BIGINT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a store allows.

    Parameters
    ----------
    site
        Identifier of the own key manager.
    server
        Name of this server's audit chain; several servers on one database differ in it.
    key_bits
        Length of the keys a block is cut into [bit], a multiple of 8.
    ttl_s
        Time to live [s].
    capacity
        Most live keys of one pool.
    quota_bits, window_s
        Most bits one application may take as master in one window [bit, s]; 0 is no quota.
    """

    site: str
    server: str = "server-1"
    key_bits: int = 256
    ttl_s: int = 7 * 86400
    capacity: int = 100_000
    quota_bits: int = 0
    window_s: int = 3600


@dataclass(slots=True)
class Transaction:
    """One transaction: its time, and what it will append to the audit log when it ends."""

    db: Database
    policy: Policy
    now: int
    vault: Vault = field(default_factory=PlainVault)
    head: tuple[int, str] = (0, "")
    records: list[dict[str, Any]] = field(default_factory=list)

    def log(self, event: str, **details: object) -> None:
        """Append to the audit log: identifiers, numbers and purposes, never key material."""
        self.records.append({"event": event, **details})


def create(db: Database) -> None:
    """Make the tables where they are missing, and refuse those of another version."""
    with db.transaction():
        for table in TABLES.format(blob=db.blob).split(";")[:-1]:
            db.run(table)
        db.run("INSERT INTO meta VALUES ('version', ?) ON CONFLICT DO NOTHING", (VERSION,))
        (version,) = db.rows("SELECT value FROM meta WHERE name = 'version'")[0]
    if version != VERSION:
        raise StoreCorruptError(f"the key store has layout {version}; this qstack reads layout {VERSION}")


def chained(previous: str, record: str) -> str:
    """Return the hash that binds a record to all before it: SHA-256(previous hash, record)."""
    return hashlib.sha256(f"{previous}\n{record}".encode()).hexdigest()


def begin(db: Database, policy: Policy, clock: Callable[[], float], vault: Vault) -> Transaction:
    """Start the bookkeeping of a transaction; its time never runs backwards, whatever the machine's clock does.

    Raises
    ------
    StoreError
        If the store was re-encrypted since the vault was opened: what this server wrote, nobody could read any more.
    """
    known = db.rows(
        "SELECT at, n, hash, (SELECT value FROM meta WHERE name = 'encryption') FROM chains WHERE chain = ? FOR UPDATE",
        (policy.server,),
    )
    at, n, last, mark = known[0] if known else (0, 0, "", *db.rows(STANDING)[0])
    if mark != vault.mark:  # QS-KY-461
        raise StoreError(
            "key store: its key-encryption key was changed while this server ran; no key was handed out. "
            "Start the server again, with the new one."
        )
    return Transaction(db, policy, max(int(clock()), at), vault, (n, last))


def finish(tx: Transaction) -> None:
    """Write the audit records of a transaction, each with the hash of the one before it."""
    if not tx.records:
        return
    chain = tx.policy.server
    n, last = tx.head
    lines: list[tuple[str, int, str, str]] = []
    for record in tx.records:
        n += 1
        text = json.dumps({"n": n, "at": tx.now, **record}, separators=(",", ":"), sort_keys=True)
        last = chained(last, text)
        lines.append((chain, n, text, last))
    tx.db.run_many("INSERT INTO audit VALUES (?, ?, ?, ?)", lines)
    tx.db.run(
        "INSERT INTO chains VALUES (?, ?, ?, ?) ON CONFLICT (chain) DO UPDATE SET n = excluded.n, "
        "hash = excluded.hash, at = excluded.at",
        (chain, n, last, tx.now),
    )
    tx.records, tx.head = [], (n, last)
