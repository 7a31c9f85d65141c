"""Blocks in: cut into keys, compared with the other end, made ready; and the two halves of a pool.

A pool is shared by two key managers, either of which may be asked first. So that they never want the same key, keys 0, 2,
4 ... of a block are handed out by the manager with the lower identifier, the others by its peer (the rule is symmetric and
needs no message); a manager whose half runs dry borrows from the other one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid

from qstack.keys.store.schema import Transaction
from qstack.services.key_delivery import (
    CONTROL_OCTETS,
    Borrow,
    Cede,
    Confirm,
    Count,
    Counts,
    Deposit,
    Depth,
    Gain,
    Offer,
    Reason,
    Refused,
    Settle,
    Unconfirmed,
)

READY = "UPDATE keys SET state = 'ready' WHERE peer = ? AND block = ? AND state = 'generated'"
VOIDED = (
    "UPDATE keys SET state = 'voided', material = NULL, seal = NULL "
    "WHERE peer = ? AND block = ? AND state = 'generated'"
)


def key_id(ends: tuple[str, str], block: str, number: int) -> str:
    """Return the identifier of a key, the same at both ends, from public names only: no key follows from it.

    The first 128 bits of a SHA-256 over them, in the form of a UUID of version 8 (RFC 9562, section 5.8).
    """
    text = json.dumps([*sorted(ends), block, number])
    octets = bytearray(hashlib.sha256(text.encode()).digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x80
    octets[8] = octets[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(octets)))


def one_time_tag(control: bytes, message: bytes) -> bytes:
    """Return the Poly1305 tag (RFC 8439, section 2.5) under a key that is used once: it says nothing about the message."""
    from cryptography.hazmat.primitives.poly1305 import Poly1305  # noqa: PLC0415  # an extra, and slow to import

    return Poly1305.generate_tag(control, message)


def deposit(tx: Transaction, call: Deposit) -> Offer | Refused:
    """Cut a block into keys. The peer may not have it yet: they are generated, not ready."""
    policy = tx.policy
    if tx.db.rows("SELECT 1 FROM blocks WHERE peer = ? AND block = ?", (call.peer, call.block)):
        return Refused(Reason.REPEATED, call.block)
    step = policy.key_bits // 8
    number = (len(call.octets) - CONTROL_OCTETS) // step
    if number < 1:
        return Refused(Reason.SHORT, f"{len(call.octets)} octets; at least {CONTROL_OCTETS + step} are needed")
    live = tx.db.rows(
        "SELECT count(*) FROM keys WHERE peer = ? AND state IN ('generated', 'ready', 'reserved', 'delivered')",
        (call.peer,),
    )[0][0]
    if live + number > policy.capacity:
        tx.log("deposit refused", peer=call.peer, block=call.block, keys=number, live=live)
        return Refused(Reason.FULL, f"{live} keys are stored, {number} more would pass {policy.capacity}")
    octets = call.octets.reveal()
    body = octets[CONTROL_OCTETS : CONTROL_OCTETS + number * step]
    offer = Offer(call.block, number, one_time_tag(octets[:CONTROL_OCTETS], body))
    first = tx.db.rows("SELECT coalesce(max(seq), -1) + 1 FROM keys WHERE peer = ?", (call.peer,))[0][0]
    ours = int(policy.site > call.peer)
    rows = []
    for n in range(number):
        name = key_id((policy.site, call.peer), call.block, n)
        rows.append(
            (
                name,
                call.peer,
                call.block,
                first + n,
                int(n % 2 == ours),
                tx.now + policy.ttl_s,
                int(call.simulated),
                call.hops,
                policy.key_bits,
                *tx.vault.close(name, body[n * step : (n + 1) * step]),
            )
        )
    tx.db.run_many(
        "INSERT INTO keys (id, peer, block, seq, owner, state, expires, simulated, hops, size, material, seal) "
        "VALUES (?, ?, ?, ?, ?, 'generated', ?, ?, ?, ?, ?, ?)",
        rows,
    )
    ledger = {**call.ledger, "control_octets": CONTROL_OCTETS}
    tx.db.run(
        "INSERT INTO blocks VALUES (?, ?, 'generated', ?, ?, ?)",
        (call.peer, call.block, number, offer.tag, json.dumps(ledger, sort_keys=True, default=str)),
    )
    tx.log("generated", peer=call.peer, block=call.block, keys=number, simulated=call.simulated, hops=call.hops)
    call.octets.wipe()
    return offer


def unconfirmed(tx: Transaction, call: Unconfirmed) -> tuple[Offer, ...]:
    """Return the offers that wait for the peer."""
    found = tx.db.rows("SELECT block, keys, tag FROM blocks WHERE peer = ? AND state = 'generated'", (call.peer,))
    return tuple(Offer(block, keys, bytes(tag)) for block, keys, tag in found)


def confirm(tx: Transaction, call: Confirm) -> bool | None:
    """Compare an offer with the own block."""
    found = tx.db.rows(
        "SELECT keys, tag, state FROM blocks WHERE peer = ? AND block = ? FOR UPDATE", (call.peer, call.offer.block)
    )
    if not found:
        return None
    keys, tag, state = found[0]
    agreed = keys == call.offer.keys and hmac.compare_digest(bytes(tag), call.offer.tag)
    if state == "generated":
        _decide(tx, call.peer, call.offer.block, agreed=agreed)
        return agreed
    return agreed and state == "ready"


def settle(tx: Transaction, call: Settle) -> None:
    """Do with the own block what the peer has done with its own."""
    _decide(tx, call.peer, call.block, agreed=call.agreed)


def _decide(tx: Transaction, peer: str, block: str, *, agreed: bool) -> None:
    state = "ready" if agreed else "voided"
    if tx.db.run(
        "UPDATE blocks SET state = ? WHERE peer = ? AND block = ? AND state = 'generated'", (state, peer, block)
    ):
        tx.db.run(READY if agreed else VOIDED, (peer, block))
        tx.log(state, peer=peer, block=block, why="both ends compared")


def borrow(tx: Transaction, call: Borrow) -> tuple[str, ...]:
    """Return the keys at the far end of the peer's half: those it would hand out last."""
    found = tx.db.rows(
        "SELECT id FROM keys WHERE peer = ? AND state = 'ready' AND owner = 0 AND expires > ? ORDER BY seq DESC LIMIT ?",
        (call.peer, tx.now, call.number),
    )
    return tuple(row[0] for row in found)


def cede(tx: Transaction, call: Cede) -> tuple[str, ...]:
    """Give keys away; one that was given before is given again, for the reply may have been lost."""
    given = tuple(
        key
        for key in sorted(set(call.keys))
        if tx.db.run("UPDATE keys SET owner = 0 WHERE id = ? AND peer = ? AND state = 'ready'", (key, call.peer))
    )
    if given:
        tx.log("ceded", peer=call.peer, keys=len(given))
    return given


def gain(tx: Transaction, call: Gain) -> None:
    """Take over keys that the peer will not hand out any more."""
    for key in call.keys:
        tx.db.run("UPDATE keys SET owner = 1 WHERE id = ? AND peer = ? AND state = 'ready'", (key, call.peer))
    tx.log("gained", peer=call.peer, keys=len(call.keys))


def depth(tx: Transaction, call: Depth) -> int:
    """Count what could be handed out now."""
    found = tx.db.rows(
        "SELECT count(*) FROM keys WHERE peer = ? AND state = 'ready' AND owner IN (0, 1) AND expires > ?",
        (call.peer, tx.now),
    )
    coming = tx.db.rows(
        "SELECT coalesce(sum(keys), 0) FROM blocks WHERE peer = ? AND state = 'generated'", (call.peer,)
    )
    return int(found[0][0]) + (int(coming[0][0]) if call.coming else 0)


def count(tx: Transaction, call: Count) -> Counts:
    """Count everything that ever was; the total comes from the blocks, the states from the keys."""
    states = tx.db.rows("SELECT state, count(*) FROM keys WHERE peer = ? GROUP BY state", (call.peer,))
    total = tx.db.rows("SELECT coalesce(sum(keys), 0) FROM blocks WHERE peer = ?", (call.peer,))[0][0]
    return Counts({state: int(number) for state, number in sorted(states)}, int(total))
