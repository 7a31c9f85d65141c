"""The sources of blocks: both ends equal, ledgers whole, nothing of a dropped block, an eavesdropper noticed."""

from __future__ import annotations

import json

import pytest

from qstack.keys.eve.resend import InterceptResend
from qstack.keys.ledger import Assumption
from qstack.keys.store.simulated import Bb84Source
from qstack.keys.store.source import DroppedBlock, KeyBlock, RandomTestSource
from qstack.services.key_delivery import Confirm, Count, Settle


@pytest.fixture(scope="module")
def bb84():
    return Bb84Source(("kme-1", "kme-2"))


def test_a_bb84_block_becomes_keys_at_both_ends(bb84, open_pools):
    blocks = bb84.blocks()
    block = next(blocks)
    assert isinstance(block, KeyBlock)
    assert block.simulated
    assert block.ends[0] == block.ends[1]
    ledger = json.loads(json.dumps(dict(block.ledger)))
    assert ledger["length"] - ledger["refill_bits"] - 8 * len(block.ends[0]) in range(8)
    assert set(ledger["assumptions"]) <= {str(one) for one in Assumption}
    assert 0.005 < ledger["qber"] < 0.03
    assert 0 < ledger["epsilon"] < 1e-6
    pools = open_pools()
    first, second = block.deposits(("kme-1", "kme-2"))
    offer = pools.first.call(first)
    pools.second.call(second)
    assert pools.second.call(Confirm("kme-1", offer)) is True
    pools.first.call(Settle("kme-2", block.block, agreed=True))
    assert pools.first.call(Count("kme-2")).states == {"ready": offer.keys}
    assert offer.keys > 50
    stored = json.loads(pools.first.db.rows("SELECT ledger FROM blocks")[0][0])
    assert stored["length"] == ledger["length"]
    assert stored["control_octets"] == 32


@pytest.mark.requirement("QS-CL-006")
def test_an_eavesdropper_on_bb84_costs_the_block_and_her_leaving_brings_it_back(bb84):
    blocks = bb84.blocks()
    bb84.eavesdrop(InterceptResend)
    dropped = next(blocks)
    bb84.eavesdrop(None)
    passed = next(blocks)
    assert isinstance(dropped, DroppedBlock)
    assert "nothing to amplify" in dropped.why
    assert dropped.ledger["length"] == 0
    assert isinstance(passed, KeyBlock)
    assert passed.block != dropped.block


def test_two_runs_never_name_a_block_alike_nor_draw_it_alike():
    one, two = (next(Bb84Source(("kme-1", "kme-2")).blocks()) for _ in range(2))
    assert one.block != two.block
    assert one.ends[0] != two.ends[0]


def test_the_test_source_counts_its_errors():
    source = RandomTestSource(100, error_rate=0.02, sample=20_000)
    quiet = next(source.blocks())
    # Standard deviation 0.001 at this sample.
    assert abs(quiet.ledger["qber"] - 0.02) < 0.004
    assert quiet.ends[0] == quiet.ends[1]
    source.eavesdrop(InterceptResend)
    loud = next(source.blocks())
    assert isinstance(loud, DroppedBlock)
    # 1/4 of intercepted bits, and half of the line's own errors on top: 0.26, standard deviation 0.0031.
    assert abs(loud.ledger["qber"] - 0.26) < 0.0125
