"""A disk that fills up under a running key manager: 503 in fixed words, and when there is room again nothing is missing."""

from __future__ import annotations

import asyncio
import contextlib
import resource

import pytest

from qstack.integration.etsi014.client import Etsi014Error
from qstack.keys.store import verify
from qstack.services.key_delivery import Count

KEYS = 60


@contextlib.contextmanager
def files_of_at_most(octets):
    """Let no file of this process grow beyond a size; what a full disk is to a database."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.requirement("QS-KY-014")
@pytest.mark.parametrize("room", [0, 20_000, 100_000])
def test_a_disk_that_fills_up_is_503_and_no_key_is_lost_or_given_twice(rig, tmp_path, capfd, room):
    async def scenario(sites):
        await sites.fill(KEYS)
        largest = max(path.stat().st_size for path in tmp_path.rglob("kme-1.db*"))
        got, refused = [], []
        async with sites.client("SAE_A") as master, sites.client("SAE_B") as slave:
            with files_of_at_most(largest + room):
                for _ in range(12):
                    try:
                        got += await master.enc_keys("SAE_B")
                    except Etsi014Error as error:
                        refused.append((error.status, str(error)))
            for _ in range(100):
                with contextlib.suppress(Etsi014Error):
                    got += await master.enc_keys("SAE_B")
                    break
                await asyncio.sleep(0.1)
            theirs = []
            for key in got:
                theirs += await slave.dec_keys("SAE_A", [key.key])
        counts = [sites.store(a, Count(b)) for a, b in (("kme-1", "kme-2"), ("kme-2", "kme-1"))]
        for store in sites.stores.values():
            verify(store.db, "server-1")
        return got, theirs, refused, counts

    got, theirs, refused, counts = rig(scenario)
    assert got
    assert theirs == got
    assert len({key.key for key in got}) == len(got)
    assert {status for status, _ in refused} <= {503}
    assert refused or room
    for _, words in refused:
        assert str(tmp_path) not in words
    for count in counts:
        assert sum(count.states.values()) == count.total == KEYS
    said = "".join(capfd.readouterr())
    assert not any(key.octets.reveal().hex() in said for key in got)
