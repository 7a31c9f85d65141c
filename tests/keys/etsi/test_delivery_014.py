"""Keys travel from a block to two applications, once each."""

from __future__ import annotations

import pytest


@pytest.mark.requirement("QS-CL-008")
def test_both_ends_get_the_same_keys(rig):
    async def scenario(sites):
        await sites.fill(20)
        async with sites.client("SAE_A") as a, sites.client("SAE_B") as b:
            status = await a.status("SAE_B")
            keys = await a.enc_keys("SAE_B", 3, 512)
            same = await b.dec_keys("SAE_A", [key.key for key in keys])
            return status, keys, same, await a.status("SAE_B")

    before, keys, same, after = rig(scenario)
    assert [key.octets for key in keys] == [key.octets for key in same]
    assert {len(key.octets) for key in keys} == {64}
    assert (before["stored_key_count"], after["stored_key_count"]) == (20, 14)
    assert before["source_KME_ID"] == "kme-1"
    assert before["target_KME_ID"] == "kme-2"
