"""A key store and the machine's clock: it may jump, drift, or be set right."""

from __future__ import annotations

import json

import pytest

from qstack.keys.store import Policy, open_store
from qstack.keys.store.clock import SteadyClock
from qstack.services.key_delivery import (
    CONTROL_OCTETS,
    Deposit,
    Depth,
    Reason,
    Reserve,
    Settle,
    Sweep,
)
from qstack.services.secret import Secret


def order(number=1, bits=256, **more):
    return Reserve("kme-2", "SAE_A", ("SAE_B",), number, bits, **more)


class Machine:
    """A clock that somebody sets, and a count that nobody does."""

    def __init__(self):
        self.wall = 2_000_000_000.0
        self.count = 7.0

    def steady(self):
        return SteadyClock(lambda: self.wall, lambda: self.count)

    def passes(self, seconds):
        self.wall += seconds
        self.count += seconds


@pytest.mark.requirement("QS-KY-464")
@pytest.mark.parametrize("years", [10, -10])
def test_a_clock_that_jumps_by_years_loses_no_key_and_gives_none_a_longer_life(tmp_path, years):
    machine = Machine()
    store = open_store(str(tmp_path / "kme-1.db"), Policy("kme-1", ttl_s=1000), machine.steady())
    store.call(Deposit("kme-2", "b", Secret(bytes(CONTROL_OCTETS + 64)), {}, simulated=False))
    store.call(Settle("kme-2", "b", agreed=True))
    machine.passes(500)
    machine.wall += years * 365 * 86400
    store.call(Sweep())
    assert store.call(Depth("kme-2")) == 2
    machine.passes(499)
    assert store.call(Sweep()) == 0
    machine.passes(1)
    assert store.call(Sweep()) == 2
    store.close()


def test_a_clock_that_is_set_right_by_minutes_or_drifts_is_followed():
    machine = Machine()
    clock = machine.steady()
    for _ in range(100):
        machine.passes(60)
        machine.wall += 90  # in the end by hours
        assert clock() == machine.wall
    machine.wall += 7200
    assert clock() == machine.wall - 7200
    machine.wall -= 7200
    assert clock() == machine.wall


def test_after_a_start_with_a_clock_ahead_time_goes_on_and_quotas_end(tmp_path):
    machine = Machine()
    url, policy = str(tmp_path / "kme-1.db"), Policy("kme-1", quota_bits=256, window_s=60)
    machine.wall += 10 * 365 * 86400
    store = open_store(url, policy, machine.steady())
    store.call(Deposit("kme-2", "b", Secret(bytes(CONTROL_OCTETS + 4 * 32)), {}, simulated=False))
    store.call(Settle("kme-2", "b", agreed=True))
    store.close()
    machine.wall -= 10 * 365 * 86400
    store = open_store(url, policy, machine.steady())
    order = Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256)
    assert isinstance(store.call(order), tuple)
    assert store.call(order).reason is Reason.QUOTA
    machine.passes(60)
    assert isinstance(store.call(order), tuple)
    store.close()


def test_a_clock_that_jumps_back_revives_nothing(open_pools):
    pools = open_pools(ttl_s=100)
    pools.fill(2)
    pools.clock.now += 1000
    assert pools.first.call(Sweep()) == 2
    pools.clock.now -= 5000
    assert pools.first.call(order()).reason is Reason.EMPTY
    pools.fill(2)
    record = json.loads(pools.first.db.rows("SELECT record FROM audit ORDER BY n DESC LIMIT 1")[0][0])
    assert record["at"] == 4_000_001_000
