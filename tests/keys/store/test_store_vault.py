"""Keys at rest under a key-encryption key: nothing readable in any file, another key refused, everything else as before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qstack.cli.keys_serve import open_for, read_file
from qstack.core.errors import ConfigError
from qstack.integration.certificates import make_certificates
from qstack.keys.store import Policy, StoreCorruptError, key_from, open_store, verify
from qstack.services.key_delivery import (
    CONTROL_OCTETS,
    Admit,
    Assignment,
    Confirm,
    Count,
    Deposit,
    Fetch,
    Reason,
    Reserve,
    Settle,
    Unwrap,
    Void,
    Wrap,
)
from qstack.services.secret import Secret

SECRET = Secret(bytes(range(32)))
OTHER = Secret(bytes(range(1, 33)))


def order(size=256, number=1):
    return Reserve("kme-2", "SAE_A", ("SAE_B",), number, size)


def delivered(pools, size=256):
    """One key, fetched by both applications."""
    items = pools.first.call(order(size))
    assert pools.second.call(Admit("kme-1", items)) == ()
    names = [item.key for item in items]
    mine = pools.first.call(Fetch("SAE_A", names, "SAE_A"))
    assert pools.second.call(Fetch("SAE_B", names, "SAE_A")) == mine
    return mine[0].octets.reveal()


def traces(octets, content):
    """Pieces of eight octets of key material that a file holds."""
    return [n for n in range(0, len(octets), 8) if octets[n : n + 8] in content]


@pytest.mark.requirement("QS-KY-390")
def test_no_file_ever_holds_an_octet_of_a_key(open_pools, tmp_path):
    plain = open_pools([str(tmp_path / f"plain-{n}.db") for n in (1, 2)])
    sealed = open_pools(secret=SECRET)
    octets = sealed.fill(20)
    assert plain.fill(20) == octets

    def seen(pattern):
        return {path.name: traces(octets, path.read_bytes()) for path in tmp_path.glob(pattern)}

    assert delivered(sealed) == octets[0:32]
    assert delivered(sealed, 512) == octets[64:96] + octets[128:160]
    sealed.first.call(Void([sealed.first.call(order())[0].key], "test"))
    assert any("-wal" in name for name in seen("kme-*"))
    assert not any(seen("kme-*").values())
    assert any(seen("plain-*").values()), "a store without a key-encryption key shows that the search finds them"
    for store in (sealed.first, sealed.second, plain.first, plain.second):
        store.close()
    assert not any(seen("kme-*").values())
    assert seen("plain-1.db")["plain-1.db"]


@pytest.mark.requirement("QS-KY-390")
def test_what_was_sealed_is_gone_when_a_key_is(open_pools, tmp_path):
    pools = open_pools(secret=SECRET)
    pools.fill(2)
    (item,) = pools.first.call(order())
    ((sealed,),) = pools.first.db.rows("SELECT material FROM keys WHERE id = ?", (item.key,))
    pools.first.call(Fetch("SAE_A", [item.key], "SAE_A"))
    pools.first.close()
    assert bytes(sealed) not in (tmp_path / "kme-1.db").read_bytes()


@pytest.mark.requirement("QS-KY-391")
def test_another_key_no_key_and_a_key_too_late_are_refused(open_pools, tmp_path):
    pools = open_pools(secret=SECRET)
    octets = pools.fill(4)
    pools.first.close()
    path, policy = str(tmp_path / "kme-1.db"), Policy("kme-1")
    with pytest.raises(
        ConfigError, match=r"^the key-encryption key is not the one that the key store was written under$"
    ):
        open_store(path, policy, secret=OTHER)
    with pytest.raises(ConfigError, match=r"^the key store is encrypted: name its key-encryption key"):
        open_store(path, policy)
    again = open_store(path, policy, pools.clock, SECRET)
    (item,) = again.call(order())
    assert again.call(Fetch("SAE_A", [item.key], "SAE_A"))[0].octets.reveal() == octets[0:32]
    again.close()
    open_store(str(tmp_path / "plain.db"), policy).close()
    with pytest.raises(ConfigError, match=r"^the key store was begun without a key-encryption key"):
        open_store(str(tmp_path / "plain.db"), policy, secret=SECRET)


def test_a_store_of_plain_keys_that_says_nothing_of_encryption_is_a_plain_one(open_pools, tmp_path):
    pools = open_pools()
    pools.fill(2)
    pools.first.db.run("DELETE FROM meta WHERE name = 'encryption'")
    pools.first.close()
    with pytest.raises(ConfigError, match="begun without"):
        open_store(str(tmp_path / "kme-1.db"), Policy("kme-1"), secret=SECRET)


def test_octets_that_were_changed_or_moved_to_another_key_are_damaged(open_pools):
    pools = open_pools(secret=SECRET)
    pools.fill(6)
    db = pools.first.db
    rows = db.rows("SELECT id, material FROM keys WHERE owner = 1 ORDER BY seq")
    db.run("UPDATE keys SET material = ? WHERE id = ?", (rows[1][1], rows[0][0]))
    with pytest.raises(StoreCorruptError, match=f"key {rows[0][0]} are damaged; it was not handed out"):
        pools.first.call(order())
    spoilt = bytearray(rows[1][1])
    spoilt[-1] ^= 1
    db.run("UPDATE keys SET material = ? WHERE id = ?", (bytes(spoilt), rows[1][0]))
    with pytest.raises(StoreCorruptError, match="damaged"):
        pools.first.call(order())
    (item,) = pools.first.call(order())
    assert item.key == rows[2][0]
    assert pools.first.call(Count("kme-2")).states["voided"] == 2


def test_two_stores_under_one_key_and_equal_octets_have_nothing_in_common(open_pools):
    pools = open_pools(secret=SECRET)
    pools.fill(20)
    stored = [
        [bytes(row[0]) for row in store.db.rows("SELECT material FROM keys")] for store in (pools.first, pools.second)
    ]
    nonces = [one[:12] for part in stored for one in part]
    assert len(set(nonces)) == len(nonces) == 40
    assert {len(one) for part in stored for one in part} == {12 + 32 + 16}
    assert set(stored[0]).isdisjoint(stored[1])


def test_keys_are_carried_between_stores_under_different_keys(open_pools):
    pools = open_pools(secret=SECRET)
    octets = pools.fill(2)
    third = open_store(":memory:", Policy("kme-3"), pools.clock, OTHER)
    pad = os.urandom(CONTROL_OCTETS + 32 * 8)
    offer = pools.first.call(Deposit("kme-3", "pad", Secret(pad), {}, simulated=False))
    third.call(Deposit("kme-1", "pad", Secret(pad), {}, simulated=False))
    pools.first.call(Settle("kme-3", "pad", third.call(Confirm("kme-1", offer))))
    (item,) = pools.first.call(order())
    wrapped = pools.first.call(Wrap("kme-3", [Assignment(item.key, item.chunks, 256, "SAE_A", ("SAE_C",))]))
    assert wrapped[0].sealed != octets[0:32]
    assert third.call(Unwrap("kme-1", wrapped)) == ()
    assert third.call(Fetch("SAE_C", [item.key], "SAE_A"))[0].octets.reveal() == octets[0:32]
    third.close()


@pytest.mark.slow
def test_postgresql_holds_no_octet_of_a_key(open_pools, postgres):
    sealed = open_pools([postgres(), postgres()], secret=SECRET)
    plain = open_pools([postgres(), postgres()], server="plain")
    sealed.blocks = plain.blocks = 7000  # octets that no other test has written to this server
    octets = sealed.fill(20)
    assert delivered(sealed, 512) == octets[0:32] + octets[64:96]
    with pytest.raises(ConfigError, match="is not the one"):
        open_store(sealed.first.db.url, Policy("kme-1", server="server-2"), secret=OTHER)
    sealed.first.db.run("CHECKPOINT")
    files = [path for path in Path(postgres.data).rglob("*") if path.is_file()]
    assert not any(traces(octets, path.read_bytes()) for path in files)
    assert plain.fill(20) == octets
    plain.first.db.run("CHECKPOINT")
    assert any(traces(octets, path.read_bytes()) for path in files), "the search finds keys that lie as they are"
    assert (
        sealed.second.call(Fetch("SAE_B", ["00000000-0000-8000-8000-000000000000"], "SAE_A")).reason is Reason.NOT_FOUND
    )
    verify(sealed.first.db, "server-1")


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("ab" * 32, 0o644, "has mode 0644: others could read it. Allowed: 0600 or 0400."),
        ("ab" * 31, 0o600, "must hold 64 hexadecimal digits, holds 62 characters"),
        ("xy" * 32, 0o600, "must hold 64 hexadecimal digits, holds 64 characters"),
        ("\u00e4" * 64, 0o600, "must hold 64 hexadecimal digits, holds other octets"),
    ],
)
def test_files_that_hold_no_key(tmp_path, text, mode, words):
    path = tmp_path / "kek"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    with pytest.raises(ConfigError) as refusal:
        key_from(path, None)
    assert str(refusal.value).endswith(words)
    assert text not in str(refusal.value)


def test_a_key_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "kek"
    path.write_text(SECRET.reveal().hex().upper() + "\n")
    path.chmod(0o400)
    assert key_from(path, None) == SECRET
    monkeypatch.setenv("STORE_KEY", SECRET.reveal().hex())
    assert key_from(None, "STORE_KEY") == SECRET
    monkeypatch.delenv("STORE_KEY")
    with pytest.raises(ConfigError, match="variable 'STORE_KEY': it is not set"):
        key_from(None, "STORE_KEY")
    with pytest.raises(ConfigError, match="No such file"):
        key_from(tmp_path / "nothing", None)


SETTINGS = """\
kme_id: kme-1
store: kme-1.db
store_key: {PLACE}
tls: {certificate: kme-1.pem, key: kme-1.key, authority: ca.pem}
saes: {SAE_A: kme-1}
"""


def test_a_settings_file_names_the_key(tmp_path, monkeypatch):
    make_certificates(tmp_path, ["kme-1"])
    (tmp_path / "kek").write_text(SECRET.reveal().hex())
    (tmp_path / "kek").chmod(0o600)
    file = tmp_path / "kme-1.yaml"

    def opened(place):
        file.write_text(SETTINGS.replace("{PLACE}", place))
        return open_for(read_file(file))

    opened("{file: kek}").close()
    monkeypatch.setenv("STORE_KEY", os.urandom(32).hex())
    with pytest.raises(ConfigError, match="is not the one"):
        opened("{environment: STORE_KEY}")
    for place in ("{}", "{file: kek, environment: STORE_KEY}"):
        with pytest.raises(ConfigError, match="store_key  give the place of the key in exactly one way"):
            opened(place)
