"""Death at any moment, many processes at once, full disks, bad pages: keys are lost openly or not at all, never repeated."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time

import pytest

from qstack.keys.store import Policy, StoreCorruptError, StoreFullError, open_store, verify
from qstack.services.key_delivery import Count, Deposit, Depth, Fetch, Reason, Refused, Reserve
from qstack.services.secret import Secret


def whole(output):
    """Drop a line that was cut by the end of its writer: `os.write` of a line is one piece, so this drops nothing else."""
    return output[: output.rfind(b"\n") + 1]


@pytest.mark.requirement("QS-KY-014")
def test_killed_at_any_moment_no_key_comes_twice(open_pools, tmp_path, worker, delivered):
    pools = open_pools()
    pools.fill(1200)
    pools.first.close()
    draw = random.Random(11)
    seen = []
    url = str(tmp_path / "kme-1.db")
    for _ in range(6):
        process = worker(url, "server-1")
        assert process.stdout.readline() == b"ready\n"
        time.sleep(draw.uniform(0.01, 0.08))
        os.kill(process.pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=10)
        seen += delivered(whole(output))
    store = open_store(url, Policy("kme-1"))
    assert store.db.rows("SELECT count(*) FROM keys WHERE state IN ('reserved', 'delivered')") == [(0,)]
    while not isinstance(found := store.call(Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256)), Refused):
        (key,) = store.call(Fetch("SAE_A", [found[0].key], "SAE_A"))
        seen.append([key.key, key.octets.reveal().hex()])
    counts = store.call(Count("kme-2"))
    verify(store.db, "server-1")
    store.close()
    names = [name for name, _ in seen]
    assert len(seen) > 20
    assert len(set(names)) == len(names)
    assert len({octets for _, octets in seen}) == len(names)
    assert sum(counts.states.values()) == counts.total == 1200
    # A kill costs at most the one key on its way, which is then consumed or voided, in the open.
    assert 600 - 6 <= len(names) <= 600


def test_what_was_reserved_by_a_server_that_died_is_voided_and_the_peer_will_hear_of_it(open_pools, tmp_path):
    pools = open_pools()
    pools.fill(4)
    (item,) = pools.first.call(Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256))
    again = open_store(str(tmp_path / "kme-1.db"), Policy("kme-1"))
    assert again.call(Fetch("SAE_A", [item.key], "SAE_A")).reason is Reason.NOT_FOUND
    assert again.db.rows("SELECT id, told FROM keys WHERE state = 'voided'") == [(item.key, 0)]
    again.close()


def test_processes_on_one_file_share_the_pool_without_repeats(open_pools, tmp_path, worker, delivered):
    pools = open_pools()
    pools.fill(400)
    workers = [worker(str(tmp_path / "kme-1.db"), f"server-{n}") for n in (2, 3, 4)]
    outputs = [process.communicate(timeout=60)[0] for process in workers]
    parts = [delivered(output) for output in outputs]
    names = [name for part in parts for name, _ in part]
    assert [process.returncode for process in workers] == [0, 0, 0]
    assert len(names) == len(set(names)) == 200
    for n in (2, 3, 4):
        verify(pools.first.db, f"server-{n}")


def test_a_full_disk_is_named_and_loses_nothing(open_pools):
    pools = open_pools()
    pools.fill(40)
    pages = pools.first.db.rows("PRAGMA page_count")[0][0]
    pools.first.db.run(f"PRAGMA max_page_count = {pages}")
    before = pools.first.call(Count("kme-2"))
    with pytest.raises(StoreFullError, match="the disk is full; nothing was changed and no key was handed out"):
        pools.first.call(Deposit("kme-2", "big", Secret(bytes(200_000)), {}, simulated=False))
    assert pools.first.call(Count("kme-2")) == before
    pools.first.db.run("PRAGMA max_page_count = 1000000")
    assert pools.first.call(Deposit("kme-2", "big", Secret(bytes(200_000)), {}, simulated=False)).keys > 0
    verify(pools.first.db, "server-1")


def test_a_full_disk_while_handing_out(open_pools):
    pools = open_pools()
    pools.fill(400)
    pages = pools.first.db.rows("PRAGMA page_count")[0][0]
    pools.first.db.run(f"PRAGMA max_page_count = {pages}")
    names = []

    def take_all():
        for _ in range(200):
            (item,) = pools.first.call(Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256))
            (key,) = pools.first.call(Fetch("SAE_A", [item.key], "SAE_A"))
            names.append(key.key)

    with pytest.raises(StoreFullError):
        take_all()
    assert len(set(names)) == len(names)
    counts = pools.first.call(Count("kme-2"))
    assert counts.states["consumed"] == len(names)
    assert sum(counts.states.values()) == 400


def test_a_corrupt_page_is_named_and_nothing_is_handed_out(open_pools, tmp_path):
    pools = open_pools()
    pools.fill(400)
    for store in (pools.first, pools.second):
        store.close()
    path = tmp_path / "kme-1.db"
    connection = sqlite3.connect(path)
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'keys'").fetchone()[0]
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)

    def use():
        with contextlib.closing(open_store(str(path), Policy("kme-1"))) as store:
            store.call(Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256))

    with pytest.raises(StoreCorruptError, match="corrupt") as caught:
        use()
    assert "no key was handed out" in str(caught.value)


def test_a_file_that_is_no_store_is_named(tmp_path):
    path = tmp_path / "not.db"
    path.write_bytes(b"not a database at all, but long enough to look like one" * 30)
    path.chmod(0o600)
    with pytest.raises(StoreCorruptError, match="not a key store"):
        open_store(str(path), Policy("kme-1"))


def test_one_changed_bit_costs_one_key_and_not_silently(open_pools, tmp_path):
    pools = open_pools()
    octets = pools.fill(6)
    pools.first.close()
    path = tmp_path / "kme-1.db"
    content = bytearray(path.read_bytes())
    content[content.index(octets[0:32])] ^= 1
    path.write_bytes(content)
    store = open_store(str(path), Policy("kme-1"))
    order = Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256)
    with pytest.raises(StoreCorruptError, match="damaged; it was not handed out") as caught:
        store.call(order)
    assert octets[:32].hex() not in str(caught.value)
    (item,) = store.call(order)
    (key,) = store.call(Fetch("SAE_A", [item.key], "SAE_A"))
    assert key.octets.reveal() == octets[64:96]
    assert store.call(Count("kme-2")).states == {"consumed": 1, "ready": 4, "voided": 1}
    assert '"event":"damaged"' in store.db.rows("SELECT record FROM audit WHERE record LIKE '%damaged%'")[0][0]
    store.close()


def test_an_error_in_one_call_of_a_batch_does_not_touch_the_others(open_pools):
    pools = open_pools()
    pools.fill(4)
    order = Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256)
    first, refused, depth = pools.first.batch([order, Reserve("kme-2", "SAE_A", ("SAE_B",), 9, 256), Depth("kme-2")])
    assert len(first) == 1
    assert refused.reason is Reason.EMPTY
    assert depth == 3


def test_the_log_is_folded_by_whoever_flushes_and_begun_anew_by_the_writer(open_pools, tmp_path, monkeypatch):
    """Its length stays bounded however much is written, and no key that was given is in the file under either hand."""
    monkeypatch.setattr("qstack.keys.store.database.FOLD_AFTER", 5)
    monkeypatch.setattr("qstack.keys.store.database.LONGEST_LOG", 60)
    pools = open_pools()
    octets = pools.fill(120)
    log, order = tmp_path / "kme-1.db-wal", Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256)
    longest, given = 0, []
    for _ in range(60):
        ((item,),) = pools.first.batch([order], flush=False)
        pools.first.flush()
        ((key,),) = pools.first.batch([Fetch("SAE_A", [item.key], "SAE_A")], flush=False)
        given.append(key.octets.reveal())
        longest = max(longest, log.stat().st_size)
    assert len(set(given)) == 60
    assert all(one in octets for one in given)
    assert longest < 1_500_000
    assert pools.first.db.rows("PRAGMA wal_autocheckpoint") == [(0,)]
    pools.first.close()
    again = open_store(str(tmp_path / "kme-1.db"), Policy("kme-1"), pools.clock)
    assert again.call(Count("kme-2")).states == {"consumed": 60, "ready": 60}
    again.close()
    assert not log.exists() or not log.stat().st_size
    assert not any(one in (tmp_path / "kme-1.db").read_bytes() for one in given)


def test_folding_that_meets_trouble_hands_nothing_out_twice(open_pools, monkeypatch):
    monkeypatch.setattr("qstack.keys.store.database.FOLD_AFTER", 1)
    pools = open_pools()
    pools.fill(20)
    monkeypatch.setattr(
        "qstack.keys.store.database.sqlite3.connect",
        lambda *a, **k: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error")),
    )
    order = Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256)
    names = []
    for _ in range(5):
        ((item,),) = pools.first.batch([order], flush=False)
        pools.first.flush()
        names.append(item.key)
    assert len(set(names)) == 5
