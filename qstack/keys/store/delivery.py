"""Keys out: reserved, handed to each entitled application once, wiped when the last one has it.

The order of writing is what makes a key unrepeatable: *reserved* is durable before the peer or anybody else hears of a
key, *done* is durable before the application gets it. Whatever dies in between costs keys, never repeats one.
"""

from __future__ import annotations

from collections.abc import Sequence

from qstack.keys.store.schema import FINAL, Transaction
from qstack.services.key_delivery import (
    Admit,
    Assignment,
    Fetch,
    Key,
    Reason,
    Refused,
    Reserve,
    Sweep,
    Told,
    Untold,
    Void,
)
from qstack.services.secret import Secret

DELIVERED = "UPDATE keys SET state = 'delivered' WHERE id = ?"
CONSUMED = "UPDATE keys SET state = 'consumed', material = NULL, seal = NULL WHERE id = ?"


def take(
    tx: Transaction, peer: str, number: int, *, direct: bool = False, genuine: bool = False
) -> list[tuple[str, bytes, int, int]]:
    """Return (id, octets, simulated, hops) of the next keys of the own half, held until the transaction ends."""
    found = tx.db.rows(
        "SELECT id, material, seal, simulated, hops FROM keys WHERE peer = ? AND state = 'ready' AND owner = 1 "
        "AND expires > ? AND hops <= ? AND simulated <= ? ORDER BY seq LIMIT ? FOR UPDATE SKIP LOCKED",
        (peer, tx.now, 0 if direct else 255, 0 if genuine else 1, number),
    )
    return [(row[0], tx.vault.open(row[0], row[1], row[2]), row[3], row[4]) for row in found]


def reserve(tx: Transaction, call: Reserve) -> tuple[Assignment, ...] | Refused:
    """Take keys from the pool; several short ones make one long one, and what a key does not need of its last is lost."""
    each = -(-call.size_bits // tx.policy.key_bits)
    over = _over_quota(tx, call.master, call.number * call.size_bits)
    if over:
        return over
    found = take(tx, call.peer, call.number * each, direct=call.direct, genuine=call.genuine)
    if len(found) < call.number * each:
        if (call.direct or call.genuine) and len(take(tx, call.peer, call.number * each)) >= call.number * each:
            return Refused(Reason.INDIRECT, f"{len(found)} of {call.number * each} keys meet the request")
        return Refused(
            Reason.EMPTY, f"{len(found)} of {call.number * each} keys of {tx.policy.key_bits} bits are there"
        )
    assignments = []
    for n in range(call.number):
        group = found[n * each : (n + 1) * each]
        chunks = tuple(key for key, *_ in group)
        _join(tx, [row[:2] for row in group], call.size_bits, call.master)
        assignments.append(Assignment(chunks[0], chunks, call.size_bits, call.master, call.slaves))
        entitle(tx, chunks[0], (call.master, *call.local))
    tx.log(
        "reserved",
        keys=[item.key for item in assignments],
        master=call.master,
        slaves=[*call.slaves, *call.local],
        bits=call.size_bits,
    )
    return tuple(assignments)


def admit(tx: Transaction, call: Admit) -> tuple[str, ...]:
    """Do the same with the own copies as the peer has done; what cannot be done is named, and voided here."""
    refused = []
    for item in call.assignments:
        material = {}
        for chunk in item.chunks:
            rows = tx.db.rows(
                "SELECT id, material, seal FROM keys WHERE id = ? AND peer = ? AND state = 'ready' AND owner = 0 "
                "AND expires > ? FOR UPDATE",
                (chunk, call.peer, tx.now),
            )
            material.update({row[0]: tx.vault.open(*row) for row in rows})
        fits = 0 < item.size_bits <= len(item.chunks) * tx.policy.key_bits
        if len(material) != len(item.chunks) or item.key != item.chunks[0] or not item.slaves or not fits:
            refused.append(item.key)
            continue
        _join(tx, [(chunk, material[chunk]) for chunk in item.chunks], item.size_bits, item.master)
        entitle(tx, item.key, item.slaves)
        tx.log("admitted", keys=[item.key], peer=call.peer, master=item.master, slaves=list(item.slaves))
    if refused:
        tx.log("admission refused", keys=refused, peer=call.peer)
    return tuple(refused)


def _join(tx: Transaction, group: Sequence[tuple[str, bytes]], size_bits: int, master: str) -> None:
    """Reserve the first of a group with the octets of all; the others are consumed by it."""
    key = group[0][0]
    octets = b"".join(octets for _, octets in group)[: size_bits // 8]
    tx.db.run(
        "UPDATE keys SET state = 'reserved', size = ?, master = ?, holder = ?, material = ?, seal = ? WHERE id = ?",
        (size_bits, master, tx.policy.server, *tx.vault.close(key, octets), key),
    )
    for other, _ in group[1:]:
        tx.db.run(CONSUMED, (other,))


def entitle(tx: Transaction, key: str, saes: Sequence[str]) -> None:
    """Let applications fetch a key, once each."""
    tx.db.run_many("INSERT INTO due VALUES (?, ?, 0)", [(key, sae) for sae in saes])


def _over_quota(tx: Transaction, sae: str, bits: int) -> Refused | None:
    policy = tx.policy
    if not policy.quota_bits:
        return None
    start = tx.now - tx.now % policy.window_s
    tx.db.run("INSERT INTO spent VALUES (?, ?, 0) ON CONFLICT DO NOTHING", (sae, start))
    (spent,) = tx.db.rows("SELECT bits FROM spent WHERE sae = ? AND window_start = ? FOR UPDATE", (sae, start))[0]
    if spent + bits > policy.quota_bits:
        left = start + policy.window_s - tx.now
        return Refused(Reason.QUOTA, f"{spent} of {policy.quota_bits} bits taken, {bits} more asked; again in {left} s")
    tx.db.run("UPDATE spent SET bits = bits + ? WHERE sae = ? AND window_start = ?", (bits, sae, start))
    return None


def fetch(tx: Transaction, call: Fetch) -> tuple[Key, ...] | Refused:
    """Hand out keys: all or none, each application once."""
    names = sorted(set(call.keys))  # one order for all servers: no two wait for each other
    found = {}
    rights = {}
    others = {}  # whether somebody else is still to fetch it
    for name in names:
        for row in tx.db.rows(
            "SELECT state, expires, master, simulated, hops, material, seal FROM keys WHERE id = ? FOR UPDATE", (name,)
        ):
            found[name] = row
        due: dict[str, int] = dict(tx.db.rows("SELECT sae, done FROM due WHERE key = ?", (name,)))
        if call.sae in due:
            rights[name] = due[call.sae]
            others[name] = any(not done for sae, done in due.items() if sae != call.sae)
    for name in names:
        named = found[name][2] if name in found else None
        if named is not None and (name not in rights or named != call.master):
            return Refused(Reason.NOT_ENTITLED, name)
    keys = []
    for name in call.keys:
        state, expires, _, simulated, hops, material, stamp = found.get(name, (FINAL[0], 0, None, 0, 0, None, None))
        if state in FINAL or rights.get(name, 1) or expires <= tx.now:
            return Refused(Reason.NOT_FOUND, name)
        keys.append(Key(name, Secret(tx.vault.open(name, material, stamp)), bool(simulated), hops))
    for name in names:
        tx.db.run("UPDATE due SET done = 1 WHERE key = ? AND sae = ?", (name, call.sae))
        tx.db.run(DELIVERED if others[name] else CONSUMED, (name,))
    tx.log("delivered", keys=names, to=call.sae)
    return tuple(keys)


def void(tx: Transaction, call: Void) -> int:
    """Make keys undeliverable, and wipe them."""
    changed = [
        name
        for name in sorted(set(call.keys))
        if tx.db.run(
            "UPDATE keys SET state = 'voided', material = NULL, seal = NULL, told = ? WHERE id = ? "
            "AND state IN ('generated', 'ready', 'reserved', 'delivered') AND peer = coalesce(?, peer)",
            (int(call.told), name, call.peer),
        )
    ]
    if changed:
        tx.log("voided", keys=changed, why=call.why)
    return len(changed)


def untold(tx: Transaction, call: Untold) -> tuple[str, ...]:
    """Return the voided keys that the peer may still think good."""
    return tuple(
        row[0] for row in tx.db.rows("SELECT id FROM keys WHERE peer = ? AND told = 0 LIMIT 1000", (call.peer,))
    )


def told(tx: Transaction, call: Told) -> None:
    """Note that the peer knows."""
    tx.db.run_many("UPDATE keys SET told = 1 WHERE id = ?", [(name,) for name in call.keys])


def sweep(tx: Transaction, call: Sweep) -> int:  # handlers share a signature
    """Expire and wipe. Both ends do it by their own clocks; what one end has expired it refuses to the other."""
    number = tx.db.run(
        "UPDATE keys SET state = 'expired', material = NULL, seal = NULL WHERE expires <= ? "
        "AND state IN ('generated', 'ready', 'reserved', 'delivered')",
        (tx.now,),
    )
    if number:
        tx.db.run(
            "UPDATE blocks SET state = 'expired' WHERE state = 'generated' AND NOT EXISTS (SELECT 1 FROM keys "
            "WHERE keys.peer = blocks.peer AND keys.block = blocks.block AND keys.state = 'generated')"
        )
        tx.log("expired", keys=number)
    return number


def recover(tx: Transaction) -> int:
    """Void what this server had reserved for a master when it stopped: the reply may or may not have gone out."""
    rows = tx.db.rows(
        "SELECT id FROM keys JOIN due ON due.key = keys.id AND due.sae = keys.master "
        "WHERE state IN ('reserved', 'delivered') AND holder = ? AND done = 0",
        (tx.policy.server,),
    )
    return void(tx, Void([row[0] for row in rows], "the server stopped between reserve and reply"))
