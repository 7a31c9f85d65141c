"""The same store on PostgreSQL, shared by several servers."""

from __future__ import annotations

import pytest

from qstack.keys.store import Policy, StoreError, open_store, verify
from qstack.services.key_delivery import Admit, Count, Depth, Fetch, Reason, Reserve

pytestmark = pytest.mark.slow


def test_a_key_s_life(open_pools, postgres):
    pools = open_pools([postgres(), postgres()], ttl_s=100)
    octets = pools.fill(8)
    items = pools.first.call(Reserve("kme-2", "SAE_A", ("SAE_B",), 2, 512))
    assert pools.second.call(Admit("kme-1", items)) == ()
    names = [item.key for item in items]
    mine = pools.first.call(Fetch("SAE_A", names, "SAE_A"))
    assert mine[0].octets.reveal() == octets[0:32] + octets[64:96]
    assert pools.second.call(Fetch("SAE_X", names, "SAE_A")).reason is Reason.NOT_ENTITLED
    assert pools.second.call(Fetch("SAE_B", names, "SAE_A")) == mine
    assert pools.second.call(Fetch("SAE_B", names, "SAE_A")).reason is Reason.NOT_FOUND
    assert pools.first.call(Depth("kme-2")) == 4
    assert pools.first.call(Count("kme-2")).states == {"consumed": 4, "ready": 4}
    verify(pools.first.db, "server-1")


def test_several_servers_share_a_pool_without_repeats(open_pools, postgres, worker, delivered):
    url = postgres()
    pools = open_pools([url, postgres()])
    pools.fill(300)
    workers = [worker(url, f"server-{n}") for n in (2, 3)]
    outputs = [process.communicate(timeout=120)[0] for process in workers]
    parts = [delivered(output) for output in outputs]
    names = [name for part in parts for name, _ in part]
    assert [process.returncode for process in workers] == [0, 0]
    assert len(names) == len(set(names)) == 150
    assert all(parts), "both servers took part"
    for n in (2, 3):
        verify(pools.first.db, f"server-{n}")


def test_a_connection_that_is_cut_is_opened_again(open_pools, postgres):
    pools = open_pools([postgres(), postgres()])
    pools.fill(4)
    pools.first.db.connection.close()
    assert pools.first.call(Depth("kme-2")) == 4


def test_a_server_that_is_not_there_is_named():
    with pytest.raises(StoreError, match="PostgreSQL says OperationalError"):
        open_store("postgresql://qstack@127.0.0.1:9/none", Policy("kme-1"))
