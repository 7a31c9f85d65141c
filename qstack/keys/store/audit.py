"""The audit log: a chain in which every record carries the hash of all before it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from qstack.keys.store.database import Database, StoreCorruptError
from qstack.keys.store.schema import chained


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: note it outside the store, and the past cannot be rewritten unseen.

    Parameters
    ----------
    records
        Length of the chain.
    hash
        Of its last record.
    """

    records: int
    hash: str


def verify(db: Database, chain: str, expected: Head | None = None) -> Head:
    """Walk a chain from its first record.

    Parameters
    ----------
    db
        The database of the store.
    chain
        Name of the server that wrote it.
    expected
        A head noted earlier; it must lie on the chain.

    Raises
    ------
    StoreCorruptError
        Naming the first record that is missing, changed or out of place.
    StoreError
        When the database does not answer, or is no key store.
    """
    with db.transaction():  # one moment: a server may be writing
        records = db.rows("SELECT n, record, hash FROM audit WHERE chain = ? ORDER BY n", (chain,))
        head = db.rows("SELECT n, hash FROM chains WHERE chain = ?", (chain,))
    last = ""
    n = 0
    seen = expected is None or expected.records == 0
    for n, (number, record, stamp) in enumerate(records, start=1):
        last = chained(last, record)
        if number != n or stamp != last or json.loads(record)["n"] != n:
            raise StoreCorruptError(f"audit chain {chain!r}: record {n} is missing or was changed")
        if expected and expected.records == n:
            seen = expected.hash == last
    if (head[0] if head else (0, "")) != (n, last):
        raise StoreCorruptError(f"audit chain {chain!r}: records after number {n} are missing")
    if not seen:
        raise StoreCorruptError(f"audit chain {chain!r}: the head noted earlier is not on it; the past was rewritten")
    return Head(n, last)
