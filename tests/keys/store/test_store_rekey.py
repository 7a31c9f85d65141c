"""From one key-encryption key to another: all keys or none, whenever it dies, and never beside a running server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from qstack.core.errors import ConfigError
from qstack.keys.store import Policy, StoreCorruptError, StoreError, StoreFullError, open_store, rekey, verify
from qstack.keys.store.database import connect
from qstack.services.key_delivery import Admit, Count, Fetch, Reserve
from qstack.services.secret import Secret

OLD, NEW = Secret(bytes(range(32))), Secret(bytes(range(32, 64)))
ORDER = Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256)
POLICY = Policy("kme-1")


def given(store):
    """All keys that a store still hands out, in their order."""
    keys = []
    while isinstance(found := store.call(ORDER), tuple):
        keys += [key.octets.reveal() for key in store.call(Fetch("SAE_A", [found[0].key], "SAE_A"))]
    return keys


def halves(octets):
    """The keys of the own half of a block."""
    return [octets[n : n + 32] for n in range(0, len(octets), 64)]


def records(store):
    return [json.loads(text) for (text,) in store.db.rows("SELECT record FROM audit ORDER BY n")]


def made(open_pools, keys, secret=OLD, urls=None, **policy):
    """A store at rest, and the keys of its half."""
    pools = open_pools(urls, secret=secret, **policy)
    octets = pools.fill(keys)
    for store in (pools.first, pools.second):
        store.close()
    return pools, halves(octets)


@pytest.mark.requirement("QS-KY-460")
def test_every_key_comes_out_as_it_went_in_and_the_log_tells_it(open_pools, tmp_path):
    pools = open_pools(secret=OLD)
    octets = pools.fill(8)
    (item,) = pools.first.call(ORDER)  # on its way when the server stops; as a slave's key it must outlive that
    pools.second.call(Admit("kme-1", [item]))
    nonces = {bytes(row[0])[:12] for row in pools.second.db.rows("SELECT material FROM keys")}
    pools.first.close()
    pools.second.close()
    path = str(tmp_path / "kme-2.db")
    found = rekey(path, Policy("kme-2"), OLD, NEW, pools.clock)
    assert (found.keys, found.damaged) == (8, ())
    with pytest.raises(ConfigError, match="is not the one that the key store was written under"):
        open_store(path, Policy("kme-2"), secret=OLD)
    with contextlib.closing(open_store(path, Policy("kme-2"), pools.clock, NEW)) as store:
        assert store.call(Fetch("SAE_B", [item.key], "SAE_A"))[0].octets.reveal() == octets[:32]
        assert not nonces & {
            bytes(row[0])[:12] for row in store.db.rows("SELECT material FROM keys WHERE material > ''")
        }
        (told,) = [record for record in records(store) if record["event"] == "rekeyed"]
        assert (told["keys"], told["damaged"], told["encrypted"]) == (8, 0, True)
        assert told["at"] == int(pools.clock())
        verify(store.db, "server-1")
    assert rekey(path, Policy("kme-2"), OLD, NEW, pools.clock) is None, "repeated, it has nothing to do"
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert OLD.reveal() not in content
    assert NEW.reveal() not in content


@pytest.mark.requirement("QS-KY-390")
def test_a_store_of_plain_keys_is_encrypted_and_no_file_shows_them_any_more(open_pools, tmp_path):
    pools, keys = made(open_pools, 40, secret=None)

    def seen():
        content = b"".join(file.read_bytes() for file in tmp_path.glob("kme-1*"))
        return [octets for key in keys for octets in (key[:8], key[8:16], key[16:24], key[24:]) if octets in content]

    assert len(seen()) == 4 * len(keys)
    assert rekey(str(tmp_path / "kme-1.db"), POLICY, None, NEW, pools.clock).keys == 40
    assert not seen()
    with contextlib.closing(open_store(str(tmp_path / "kme-1.db"), POLICY, pools.clock, NEW)) as store:
        assert given(store) == keys
        assert next(record for record in records(store) if record["event"] == "rekeyed")["encrypted"] is False


DYING = """
import os, random, signal, sqlite3, sys, threading, time
from pathlib import Path
from qstack.keys.store import Policy, rekey
from qstack.services.secret import Secret

folder, how, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
real = sqlite3.connect

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def traced(*arguments, **options):
    connection, left = real(*arguments, **options), [n]
    def count(statement):
        left[0] -= 1
        if left[0] < 0:
            die()
    connection.set_trace_callback(count)
    return connection

draw = random.Random(5)
took = 1e9  # nobody dies of the clock before it is known how long it takes
for n in range(number):
    wait = took * (draw.uniform(0.0, 1.2) if n else 1.0)
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        if how == "statement":
            sqlite3.connect = traced
        else:
            timer = threading.Timer(min(wait, 60), die)
            timer.daemon = True
            timer.start()
        rekey(str(folder / str(n) / "kme-1.db"), Policy("kme-1"),
              Secret(bytes(range(32))), Secret(bytes(range(32, 64))), lambda: 4e9)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    took = min(took, time.perf_counter() - start) if n == 0 else took
    print("killed" if os.WIFSIGNALED(status) else "done", flush=True)
"""


@pytest.mark.requirement("QS-KY-460")
@pytest.mark.parametrize(("how", "number", "keys"), [("statement", 45, 8), ("time", 9, 600)])
def test_killed_at_any_moment_the_store_is_whole_under_one_of_both(open_pools, tmp_path, how, number, keys):
    """Before each statement that SQLite runs, and at moments that no statement marks."""
    pools, own = made(open_pools, keys)
    for n in range(number):
        (tmp_path / str(n)).mkdir()
        shutil.copy(tmp_path / "kme-1.db", tmp_path / str(n))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])}
    command = [sys.executable, "-c", DYING, str(tmp_path), how, str(number)]
    ends = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=120).stdout
    under = []
    for n, end in enumerate(ends.split()):
        path = str(tmp_path / str(n) / "kme-1.db")
        stores = []
        for secret in (OLD, NEW):
            with contextlib.suppress(ConfigError):
                stores.append((secret, open_store(path, POLICY, pools.clock, secret)))
        ((secret, store),) = stores  # never neither, never both
        rows = store.db.rows("SELECT id, material, seal FROM keys WHERE owner = 1 ORDER BY seq")
        assert [store.vault.open(*row) for row in rows] == own
        told = sum(record["event"] == "rekeyed" for record in records(store))
        assert told == (secret == NEW)
        verify(store.db, "server-1")
        store.close()
        under.append("new" if secret == NEW else "old")
        assert end == "killed" or secret == NEW
    assert "killed" in ends
    assert set(under) == {"old", "new"}


@pytest.mark.requirement("QS-KY-462")
def test_not_while_a_server_has_the_store_open_and_no_server_meanwhile(open_pools, tmp_path, monkeypatch):
    monkeypatch.setattr("qstack.keys.store.database.PATIENCE_S", 0.1)
    pools = open_pools(secret=OLD)
    octets = pools.fill(4)
    path = str(tmp_path / "kme-1.db")
    with pytest.raises(StoreError, match=r"^the key store is open elsewhere; nothing was changed. Stop every server"):
        rekey(path, POLICY, OLD, NEW)
    assert given(pools.first) == halves(octets)
    pools.first.close()
    alone = connect(path, alone=True)
    with pytest.raises(StoreError, match="another process holds the key store"):
        open_store(path, POLICY, secret=OLD)
    alone.close()
    assert rekey(path, POLICY, OLD, NEW).keys == 2  # the peer's half; the own one is gone


@pytest.mark.requirement("QS-KY-461")
def test_a_vault_that_is_not_that_of_the_store_any_more_writes_nothing(open_pools):
    """SQLite lets nobody else in; what a lost connection to PostgreSQL allows is done here by hand."""
    pools = open_pools(secret=OLD)
    pools.fill(4)
    before = pools.first.call(Count("kme-2"))
    ((mark,),) = pools.first.db.rows("SELECT value FROM meta WHERE name = 'encryption'")
    pools.first.db.run("UPDATE meta SET value = ? WHERE name = 'encryption'", (mark.replace("A", "B"),))
    with pytest.raises(StoreError, match="was changed while this server ran; no key was handed out"):
        pools.first.call(ORDER)
    pools.first.db.run("UPDATE meta SET value = ? WHERE name = 'encryption'", (mark,))
    assert pools.first.call(Count("kme-2")) == before


def test_the_wrong_old_key_changes_nothing(open_pools, tmp_path):
    pools, own = made(open_pools, 4)
    path = str(tmp_path / "kme-1.db")
    with pytest.raises(ConfigError, match="is not the one that the key store was written under"):
        rekey(path, POLICY, Secret(bytes(32)), NEW, pools.clock)
    with pytest.raises(ConfigError, match="the key store is encrypted: name its key-encryption key"):
        rekey(path, POLICY, None, NEW, pools.clock)
    with contextlib.closing(open_store(path, POLICY, pools.clock, OLD)) as store:
        assert given(store) == own


def test_a_damaged_key_is_voided_and_named_the_others_live(open_pools, tmp_path):
    pools = open_pools(secret=OLD)
    octets = pools.fill(6)
    ((key, material),) = pools.first.db.rows("SELECT id, material FROM keys WHERE owner = 1 ORDER BY seq LIMIT 1")
    pools.first.db.run("UPDATE keys SET material = ? WHERE id = ?", (bytes(material)[:-1] + b"\0", key))
    pools.first.close()
    path = str(tmp_path / "kme-1.db")
    found = rekey(path, POLICY, OLD, NEW, pools.clock)
    assert (found.keys, found.damaged) == (5, (key,))
    with contextlib.closing(open_store(path, POLICY, pools.clock, NEW)) as store:
        assert store.call(Count("kme-2")).states == {"ready": 5, "voided": 1}
        assert store.db.rows("SELECT told FROM keys WHERE id = ?", (key,)) == [(0,)], "the peer is still to hear of it"
        assert given(store) == halves(octets)[1:]


def test_a_full_disk_leaves_the_store_as_it_was(open_pools, tmp_path, monkeypatch):
    pools, own = made(open_pools, 400, secret=None)
    path = str(tmp_path / "kme-1.db")

    def small(url, **options):
        db = connect(url, **options)
        db.run(f"PRAGMA max_page_count = {db.rows('PRAGMA page_count')[0][0]}")
        return db

    monkeypatch.setattr("qstack.keys.store.rekeying.connect", small)
    with pytest.raises(StoreFullError, match="the disk is full; nothing was changed"):
        rekey(path, POLICY, None, NEW, pools.clock)
    with contextlib.closing(open_store(path, POLICY, pools.clock)) as store:
        assert given(store) == own


def test_a_corrupt_page_leaves_the_store_as_it_was(open_pools, tmp_path):
    pools = open_pools(secret=OLD)
    pools.fill(400)
    ((material,),) = pools.first.db.rows("SELECT material FROM keys WHERE owner = 1 ORDER BY seq DESC LIMIT 1")
    pools.first.close()
    path = tmp_path / "kme-1.db"
    content = bytearray(path.read_bytes())
    start = content.index(material) // 4096 * 4096
    content[start : start + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(StoreCorruptError, match="corrupt") as caught:
        rekey(str(path), POLICY, OLD, NEW, pools.clock)
    assert "no key was handed out" in str(caught.value)
    assert path.read_bytes() == content


@pytest.mark.slow
@pytest.mark.requirement("QS-KY-462")
def test_postgresql_with_several_servers(open_pools, postgres):
    url = postgres()
    pools = open_pools([url, postgres()], secret=OLD)
    octets = pools.fill(6)
    other = open_store(url, Policy("kme-1", server="server-2"), pools.clock, OLD)
    pools.first.close()
    with pytest.raises(StoreError, match="the key store is open elsewhere; nothing was changed"):
        rekey(url, POLICY, OLD, NEW, pools.clock)
    other.db.connection.close()  # as a cable does that is cut: the server lives, its lock is gone
    assert rekey(url, POLICY, OLD, NEW, pools.clock).keys == 6
    with pytest.raises(StoreError, match="was changed while this server ran; no key was handed out"):
        other.call(ORDER)
    other.close()
    with pytest.raises(ConfigError, match="is not the one"):
        open_store(url, POLICY, secret=OLD)
    servers = [open_store(url, Policy("kme-1", server=f"server-{n}"), pools.clock, NEW) for n in (1, 2)]
    (item,) = servers[0].call(ORDER)
    keys = [servers[0].call(Fetch("SAE_A", [item.key], "SAE_A"))[0].octets.reveal(), *given(servers[1])]
    assert keys == halves(octets)
    for n, server in enumerate(servers, start=1):
        verify(server.db, f"server-{n}")
        server.close()
