"""Keys for a key manager that has no part in their pool: carried under a one-time pad of the pool with that one.

Secrecy of each hop is that of the pad (XOR with key that is used once), authenticity that of a one-time Poly1305 tag under
further 32 octets of the pad. The node that wraps sees the key: it is a trusted node, and the key says so (`hops`).
"""

from __future__ import annotations

import hmac

from qstack.keys.store.delivery import CONSUMED, entitle, take
from qstack.keys.store.pool import one_time_tag
from qstack.keys.store.schema import Transaction
from qstack.services.key_delivery import CONTROL_OCTETS, Assignment, Carried, Reason, Refused, Unwrap, Wrap


def wrap(tx: Transaction, call: Wrap) -> tuple[Carried, ...] | Refused:
    """Spend pad keys on reserved keys; all or none."""
    carried = []
    for item in call.assignments:
        length = item.size_bits // 8
        number = -(-(length + CONTROL_OCTETS) * 8 // tx.policy.key_bits)
        pad_keys = take(tx, call.peer, number)
        if len(pad_keys) < number:
            return Refused(Reason.EMPTY, f"{len(pad_keys)} of {number} pad keys towards {call.peer} are there")
        row = tx.db.rows("SELECT id, material, seal, simulated, hops FROM keys WHERE id = ?", (item.key,))[0]
        octets = tx.vault.open(*row[:3])
        pad = b"".join(part for _, part, _, _ in pad_keys)
        sealed = _xor(octets, pad[CONTROL_OCTETS:])
        tag = one_time_tag(pad[:CONTROL_OCTETS], item.key.encode() + sealed)
        chunks = tuple(key for key, *_ in pad_keys)
        _spend(tx, chunks)
        simulated = bool(row[3]) or any(part[2] for part in pad_keys)
        assignment = Assignment(item.key, chunks, item.size_bits, item.master, item.slaves)
        carried.append(Carried(assignment, sealed, tag, simulated, row[4] + 1 + max(part[3] for part in pad_keys)))
    tx.log("carried", keys=[item.assignment.key for item in carried], to=call.peer)
    return tuple(carried)


def unwrap(tx: Transaction, call: Unwrap) -> tuple[str, ...]:
    """Take in keys whose tag is right; a pad that could carry them is spent either way."""
    refused = []
    for item in call.carried:
        assignment = item.assignment
        rows = [
            tx.db.rows(
                "SELECT id, material, seal FROM keys WHERE id = ? AND peer = ? AND state = 'ready' AND owner = 0 "
                "AND expires > ? FOR UPDATE",
                (chunk, call.peer, tx.now),
            )
            for chunk in assignment.chunks
        ]
        known = tx.db.rows("SELECT 1 FROM keys WHERE id = ?", (assignment.key,))
        once = len(set(assignment.chunks)) == len(rows)  # a pad that is used twice hides nothing
        if known or not all(rows) or not once or not item.sealed or len(item.sealed) * 8 != assignment.size_bits:
            refused.append(assignment.key)
            continue
        pad = b"".join(tx.vault.open(*row[0]) for row in rows)
        if len(pad) < CONTROL_OCTETS + len(item.sealed):
            refused.append(assignment.key)
            continue
        _spend(tx, assignment.chunks)
        tag = one_time_tag(pad[:CONTROL_OCTETS], assignment.key.encode() + item.sealed)
        if not hmac.compare_digest(tag, item.tag):
            tx.log("forged", keys=[assignment.key], peer=call.peer)
            refused.append(assignment.key)
            continue
        _insert(tx, call.peer, item, _xor(item.sealed, pad[CONTROL_OCTETS:]))
    return tuple(refused)


def _insert(tx: Transaction, peer: str, item: Carried, octets: bytes) -> None:
    key = item.assignment
    seq = tx.db.rows("SELECT coalesce(max(seq), -1) + 1 FROM keys WHERE peer = ?", (peer,))[0][0]
    tx.db.run(
        "INSERT INTO keys VALUES (?, ?, 'carried', ?, 0, 'reserved', ?, ?, ?, ?, ?, ?, 1, ?, ?)",
        (
            key.key,
            peer,
            seq,
            tx.now + tx.policy.ttl_s,
            int(item.simulated),
            item.hops,
            key.size_bits,
            key.master,
            tx.policy.server,
            *tx.vault.close(key.key, octets),
        ),
    )
    tx.db.run(
        "INSERT INTO blocks VALUES (?, 'carried', 'ready', 1, ?, '{}') "
        "ON CONFLICT (peer, block) DO UPDATE SET keys = blocks.keys + 1",
        (peer, b""),
    )
    entitle(tx, key.key, key.slaves)
    tx.log("admitted", keys=[key.key], peer=peer, master=key.master, slaves=list(key.slaves), hops=item.hops)


def _spend(tx: Transaction, keys: tuple[str, ...]) -> None:
    for key in keys:
        tx.db.run(CONSUMED, (key,))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))
