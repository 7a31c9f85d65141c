"""A key's life in a store, and its end."""

from __future__ import annotations

import json
import pickle
import sqlite3
import uuid

import pytest

from qstack.core.errors import ConfigError
from qstack.keys.store import Head, Policy, StoreCorruptError, StoreError, open_store, verify
from qstack.keys.store.database import connect
from qstack.keys.store.pool import key_id, one_time_tag
from qstack.services.key_delivery import (
    Admit,
    Assignment,
    Borrow,
    Carried,
    Cede,
    Confirm,
    Count,
    Deposit,
    Depth,
    Fetch,
    Gain,
    Offer,
    Reason,
    Refused,
    Reserve,
    Settle,
    Sweep,
    Unconfirmed,
    Unwrap,
    Void,
)
from qstack.services.secret import Secret


def order(number=1, bits=256, **more):
    return Reserve("kme-2", "SAE_A", ("SAE_B",), number, bits, **more)


def handed_out(pools, *orders):
    assignments = pools.first.call(*orders)
    assert pools.second.call(Admit("kme-1", assignments)) == ()
    names = [item.key for item in assignments]
    return names, pools.first.call(Fetch("SAE_A", names, "SAE_A"))


@pytest.mark.requirement("QS-CL-008")
def test_both_ends_hand_out_the_octets_of_the_block(open_pools):
    pools = open_pools()
    octets = pools.fill(8)
    names, mine = handed_out(pools, order(2))
    theirs = pools.second.call(Fetch("SAE_B", names, "SAE_A"))
    # kme-1 has the lower identifier: keys 0, 2, 4 ... of a block are its to hand out.
    assert [key.octets.reveal() for key in mine] == [octets[0:32], octets[64:96]]
    assert theirs == mine


def test_long_keys_are_joined_and_short_ones_cut(open_pools):
    pools = open_pools()
    octets = pools.fill(8)
    names, mine = handed_out(pools, order(1, 400))
    assert mine[0].octets.reveal() == (octets[0:32] + octets[64:96])[:50]
    assert pools.second.call(Fetch("SAE_B", names, "SAE_A")) == mine
    assert pools.first.call(Depth("kme-2")) == pools.second.call(Depth("kme-1")) == 6
    _, short = handed_out(pools, order(1, 64))
    assert short[0].octets.reveal() == octets[128:136]


@pytest.mark.requirement("QS-CL-005")
def test_each_application_gets_a_key_once(open_pools):
    pools = open_pools()
    pools.fill(4)
    (item,) = pools.first.call(Reserve("kme-2", "SAE_A", ("SAE_B", "SAE_C"), 1, 256, local=("SAE_D",)))
    assert pools.second.call(Admit("kme-1", [item])) == ()
    for store, sae in (
        (pools.first, "SAE_A"),
        (pools.first, "SAE_D"),
        (pools.second, "SAE_B"),
        (pools.second, "SAE_C"),
    ):
        (key,) = store.call(Fetch(sae, [item.key], "SAE_A"))
        assert len(key.octets) == 32
        again = store.call(Fetch(sae, [item.key], "SAE_A"))
        assert again.reason is Reason.NOT_FOUND
    for store, peer in ((pools.first, "kme-2"), (pools.second, "kme-1")):
        assert store.call(Count(peer)).states == {"consumed": 1, "ready": 3}


@pytest.mark.parametrize(("sae", "master"), [("SAE_X", "SAE_A"), ("SAE_A", "SAE_A"), ("SAE_B", "SAE_X")])
def test_others_get_nothing(open_pools, sae, master):
    pools = open_pools()
    pools.fill(4)
    names, _ = handed_out(pools, order())
    assert pools.second.call(Fetch(sae, names, master)).reason is Reason.NOT_ENTITLED
    assert len(pools.second.call(Fetch("SAE_B", names, "SAE_A"))) == 1


def test_all_or_none(open_pools):
    pools = open_pools()
    pools.fill(4)
    names, _ = handed_out(pools, order())
    mixed = [*names, str(uuid.uuid4())]
    assert pools.second.call(Fetch("SAE_B", mixed, "SAE_A")) == Refused(Reason.NOT_FOUND, mixed[1])
    assert len(pools.second.call(Fetch("SAE_B", names, "SAE_A"))) == 1


def test_blocks_that_differ_are_voided_at_both_ends_and_wiped(open_pools):
    pools = open_pools()
    octets = bytes(range(256)) * 2
    offer = pools.first.call(Deposit("kme-2", "b", Secret(octets), {}, simulated=False))
    spoiled = octets[:-1] + b"\0"
    pools.second.call(Deposit("kme-1", "b", Secret(spoiled), {}, simulated=False))
    assert pools.second.call(Unconfirmed("kme-1"))[0].tag != offer.tag
    assert pools.second.call(Confirm("kme-1", offer)) is False
    pools.first.call(Settle("kme-2", "b", agreed=False))
    for store, peer in ((pools.first, "kme-2"), (pools.second, "kme-1")):
        assert store.call(Count(peer)).states == {"voided": 15}
        assert store.db.rows("SELECT count(*) FROM keys WHERE material IS NOT NULL") == [(0,)]
    assert pools.first.call(order()).reason is Reason.EMPTY


def test_an_offer_for_an_unknown_block_waits(open_pools):
    pools = open_pools()
    assert pools.first.call(Confirm("kme-2", Offer("nowhere", 1, bytes(16)))) is None


def test_a_block_enters_once_and_never_past_the_capacity(open_pools):
    pools = open_pools(capacity=10)
    pools.fill(8)
    repeat = Deposit("kme-2", "block-1", Secret(bytes(400)), {}, simulated=False)
    assert pools.first.call(repeat).reason is Reason.REPEATED
    assert pools.first.call(Deposit("kme-2", "b", Secret(bytes(200)), {}, simulated=False)).reason is Reason.FULL
    assert pools.first.call(Deposit("kme-2", "c", Secret(bytes(63)), {}, simulated=False)).reason is Reason.SHORT
    assert pools.first.call(Count("kme-2")).total == 8


def test_a_dry_half_borrows_from_the_other(open_pools):
    pools = open_pools()
    pools.fill(8)
    handed_out(pools, order(4))
    assert pools.first.call(order(3)).reason is Reason.EMPTY
    wanted = pools.first.call(Borrow("kme-2", 3))
    ceded = pools.second.call(Cede("kme-1", wanted))
    assert set(pools.second.call(Cede("kme-1", wanted))) == set(
        ceded
    )  # the reply may be lost: asking again is harmless
    pools.first.call(Gain("kme-2", ceded))
    names, mine = handed_out(pools, order(3))
    assert pools.second.call(Fetch("SAE_B", names, "SAE_A")) == mine
    other_way = pools.second.call(Reserve("kme-1", "SAE_B", ("SAE_A",), 1, 256))
    assert pools.first.call(Admit("kme-2", other_way)) == ()
    assert pools.second.call(Reserve("kme-1", "SAE_B", ("SAE_A",), 1, 256)).reason is Reason.EMPTY


def test_a_key_expires_unread_and_is_refused_to_the_peer(open_pools):
    pools = open_pools(ttl_s=100)
    pools.fill(4)
    (item,) = pools.first.call(order())
    pools.clock.now += 99
    assert pools.second.call(Sweep()) == 0
    pools.clock.now += 1
    assert pools.second.call(Admit("kme-1", [item])) == (item.key,)
    assert pools.first.call(Fetch("SAE_A", [item.key], "SAE_A")).reason is Reason.NOT_FOUND
    assert pools.first.call(Sweep()) == 4
    assert pools.first.db.rows("SELECT count(*) FROM keys WHERE material IS NOT NULL") == [(0,)]
    assert pools.first.call(Count("kme-2")).states == {"expired": 4}


def test_a_block_that_the_peer_never_confirms_counts_as_coming_until_it_expires(open_pools):
    pools = open_pools(ttl_s=100)
    pools.first.call(Deposit("kme-2", "b", Secret(bytes(200)), {}, simulated=False))
    assert pools.first.call(Depth("kme-2")) == 0
    assert pools.first.call(Depth("kme-2", coming=True)) == 5
    pools.clock.now += 100
    pools.first.call(Sweep())
    assert pools.first.call(Depth("kme-2", coming=True)) == 0
    assert pools.first.call(Unconfirmed("kme-2")) == ()


def test_quota(open_pools):
    pools = open_pools(quota_bits=512, window_s=60)
    pools.fill(12)
    handed_out(pools, order(2))
    refused = pools.first.call(order())
    assert refused.reason is Reason.QUOTA
    assert "512 of 512 bits taken" in refused.detail
    assert len(pools.first.call(Reserve("kme-2", "SAE_D", ("SAE_B",), 1, 256))) == 1  # a quota is each one's own
    pools.clock.now += 60
    assert len(handed_out(pools, order(2))[0]) == 2


def test_a_refused_order_costs_no_quota(open_pools):
    pools = open_pools(quota_bits=512)
    pools.fill(2)
    assert pools.first.call(order(2)).reason is Reason.EMPTY
    assert len(pools.first.call(order(1))) == 1


@pytest.mark.requirement("QS-KY-017")
def test_simulated_and_relayed_keys_are_told_apart(open_pools):
    pools = open_pools()
    pools.fill(4, hops=2)
    assert pools.first.call(order(direct=True)).reason is Reason.INDIRECT
    assert handed_out(pools, order())[1][0].hops == 2


def test_void_wipes_and_is_final(open_pools):
    pools = open_pools()
    pools.fill(4)
    (item,) = pools.first.call(order())
    assert pools.first.call(Void([item.key], "test")) == 1
    assert pools.first.call(Void([item.key], "test")) == 0
    assert pools.first.call(Fetch("SAE_A", [item.key], "SAE_A")).reason is Reason.NOT_FOUND


@pytest.mark.requirement("QS-KY-013")
def test_octets_of_consumed_keys_are_gone_from_the_file(open_pools, tmp_path):
    pools = open_pools()
    octets = pools.fill(2)
    names, _ = handed_out(pools, order())
    pools.second.call(Fetch("SAE_B", names, "SAE_A"))
    for store in (pools.first, pools.second):
        store.close()
    for n in (1, 2):
        content = (tmp_path / f"kme-{n}.db").read_bytes()
        assert octets[0:32] not in content
        assert octets[32:64] in content  # the key nobody took is still there
        assert (tmp_path / f"kme-{n}.db").stat().st_mode & 0o777 == 0o600


def test_the_audit_log_names_no_octets_and_shows_every_change(open_pools):
    pools = open_pools()
    octets = pools.fill(4)
    names, _ = handed_out(pools, order())
    head = verify(pools.first.db, "server-1")
    records = [json.loads(row[0]) for row in pools.first.db.rows("SELECT record FROM audit ORDER BY n")]
    assert [record["event"] for record in records] == ["generated", "ready", "reserved", "delivered"]
    assert records[3]["keys"] == names
    text = json.dumps(records)
    assert octets[:32].hex() not in text
    handed_out(pools, order())
    assert verify(pools.first.db, "server-1", head).records == head.records + 2
    with pytest.raises(StoreCorruptError, match="the past was rewritten"):
        verify(pools.first.db, "server-1", Head(head.records, "0" * 64))


@pytest.mark.requirement("QS-KY-015")
@pytest.mark.parametrize(
    ("tampering", "where"),
    [
        ("UPDATE audit SET record = replace(record, 'SAE_A', 'SAE_X') WHERE n = 3", "record 3"),
        ("DELETE FROM audit WHERE n = 2", "record 2"),
        ("DELETE FROM audit WHERE n = 4", "after number 3"),
        ("UPDATE audit SET n = 9 WHERE n = 4", "record 4"),
    ],
)
def test_tampering_with_the_audit_log_is_found(open_pools, tmp_path, tampering, where):
    pools = open_pools()
    pools.fill(4)
    handed_out(pools, order())
    pools.first.close()
    other = sqlite3.connect(tmp_path / "kme-1.db")
    other.execute(tampering)
    other.commit()
    other.close()
    with pytest.raises(StoreCorruptError, match=where):
        verify(open_pools().first.db, "server-1")


def test_a_secret_does_not_show_itself():
    secret = Secret(b"correct horse battery")
    assert "horse" not in f"{secret!r} {secret} {[secret]}"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        hash(secret)
    assert secret == Secret(b"correct horse battery")
    assert secret != b"correct horse battery"
    secret.wipe()
    with pytest.raises(ConfigError, match="was wiped"):
        secret.reveal()


def test_identifiers_are_symmetric_and_unlike_the_octets():
    name = key_id(("kme-1", "kme-2"), "block", 0)
    assert name == key_id(("kme-2", "kme-1"), "block", 0)
    assert uuid.UUID(name).version == 8
    assert len({key_id(("a", "b"), block, n) for block in ("x", "y") for n in range(100)}) == 200


def test_the_tag_is_poly1305():
    # RFC 8439, section 2.5.2
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    tag = one_time_tag(key, b"Cryptographic Forum Research Group")
    assert tag.hex() == "a8061dc1305136c6c22b8baf0c0127a9"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("mysql://x/y", "unknown scheme 'mysql'"),
        ("/nowhere/at/all.db", "Name a file in a writable directory"),
    ],
)
def test_stores_that_cannot_be(url, text):
    with pytest.raises(ConfigError, match=text):
        open_store(url, Policy("kme-1"))


def test_a_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "open.db"
    path.touch(0o644)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="mode 0644: others could read keys"):
        open_store(str(path), Policy("kme-1"))


@pytest.mark.parametrize("bits", [0, 7, 255, -8])
def test_key_sizes_are_whole_octets(tmp_path, bits):
    with pytest.raises(ConfigError, match="multiple of 8"):
        open_store(str(tmp_path / "a.db"), Policy("kme-1", key_bits=bits))


def test_the_audit_of_a_database_that_is_no_key_store_names_it(tmp_path):
    db = connect(str(tmp_path / "other.db"))
    with pytest.raises(StoreError, match=r"other.db': no such table: audit$"):
        verify(db, "server-1")
    db.close()


@pytest.mark.parametrize("fault", ["pad twice", "no octets", "no pad", "half a pad", "pad of others"])
def test_a_carried_key_whose_pad_or_octets_are_none_is_refused_and_spends_nothing(open_pools, fault):
    """Two pad keys of 256 bits each carry a key of 256 bits: one is the pad, the other authenticates."""
    pools = open_pools()
    octets = pools.fill(8)
    names = [row[0] for row in pools.second.db.rows("SELECT id FROM keys WHERE owner = 0 ORDER BY seq")]
    foreign = [row[0] for row in pools.second.db.rows("SELECT id FROM keys WHERE owner = 1 ORDER BY seq")]
    sealed = b"" if fault == "no octets" else bytes(32)
    chunks = {
        "pad twice": (names[0], names[0]),
        "no pad": (),
        "half a pad": (names[0],),
        "pad of others": tuple(foreign[:2]),
    }.get(fault, tuple(names[:2]))
    tag = one_time_tag(octets[0:32], b"carried" + sealed)  # right where the first pad key authenticates
    carried = Carried(
        Assignment("carried", chunks, 8 * len(sealed), "SAE_A", ("SAE_B",)), sealed, tag, simulated=False, hops=1
    )
    before = pools.second.call(Count("kme-1"))
    assert pools.second.call(Unwrap("kme-1", [carried])) == ("carried",)
    assert pools.second.call(Count("kme-1")) == before
    assert pools.second.call(Fetch("SAE_B", ["carried"], "SAE_A")).reason is Reason.NOT_FOUND
