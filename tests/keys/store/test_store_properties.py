"""Whatever two key managers do to their stores, in whatever order: the invariants of a pool hold."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from qstack.keys.store import Policy, open_store, verify
from qstack.services.key_delivery import (
    CONTROL_OCTETS,
    Admit,
    Borrow,
    Cede,
    Confirm,
    Count,
    Deposit,
    Fetch,
    Gain,
    Refused,
    Reserve,
    Settle,
    Sweep,
    Void,
)
from qstack.services.secret import Secret

SAES = {"kme-1": ("A", "D"), "kme-2": ("B", "C")}
ends = st.sampled_from(["kme-1", "kme-2"])


class TwoStores(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.stores = {
            kme: open_store(":memory:", Policy(kme, key_bits=64, ttl_s=50, capacity=40), lambda: self.now)
            for kme in SAES
        }
        self.blocks = 0
        self.keys = []
        self.got = {}
        self.dead = set()

    def teardown(self):
        for store in self.stores.values():
            verify(store.db, "server-1")
            store.close()

    def other(self, kme):
        return "kme-2" if kme == "kme-1" else "kme-1"

    @rule(number=st.integers(1, 6), spoiled=st.booleans())
    def deposit(self, number, spoiled):
        self.blocks += 1
        octets = bytes((self.blocks * 31 + i * i + i // 256) % 256 for i in range(CONTROL_OCTETS + 8 * number))
        theirs = octets[:-1] + bytes([octets[-1] ^ spoiled])
        name = str(self.blocks)
        offer = self.stores["kme-2"].call(Deposit("kme-1", name, Secret(octets), {}, simulated=False))
        other = self.stores["kme-1"].call(Deposit("kme-2", name, Secret(theirs), {}, simulated=False))
        if isinstance(offer, Refused):
            return
        agreed = self.stores["kme-1"].call(Confirm("kme-2", offer))
        assert agreed == (None if isinstance(other, Refused) else not spoiled)
        if agreed is not None:
            self.stores["kme-2"].call(Settle("kme-1", name, agreed))

    @rule(kme=ends, number=st.integers(1, 3), bits=st.sampled_from([8, 64, 72, 128]), lost=st.booleans())
    def get_key(self, kme, number, bits, lost):
        order = Reserve(self.other(kme), SAES[kme][0], SAES[self.other(kme)], number, bits, local=SAES[kme][1:])
        found = self.stores[kme].call(order)
        if isinstance(found, Refused):
            return
        refused = () if lost else self.stores[self.other(kme)].call(Admit(kme, found))
        names = [item.key for item in found]
        if lost or refused:  # the peer did not hear of them, or does not have them all
            self.stores[kme].call(Void(names, "test"))
            self.dead |= {(kme, name) for name in names}
            return
        self.keys += [(kme, item) for item in found]
        self.take(kme, SAES[kme][0], found)

    def take(self, kme, sae, items):
        answer = self.stores[kme].call(Fetch(sae, [item.key for item in items], items[0].master))
        if isinstance(answer, Refused):
            return
        for item, key in zip(items, answer, strict=True):
            assert (kme, key.key) not in self.dead, "a dead key was handed out"
            takers = self.got.setdefault(key.key, {})
            assert sae not in takers, "an application got a key twice"
            assert len(key.octets) * 8 == item.size_bits
            assert all(key.octets == seen for seen in takers.values()), "two applications got different octets"
            takers[sae] = key.octets

    @rule(data=st.data(), sae=st.sampled_from("ABCD"))
    def fetch(self, data, sae):
        if self.keys:
            _, item = data.draw(st.sampled_from(self.keys))
            kme = "kme-1" if sae in SAES["kme-1"] else "kme-2"
            entitled = sae == item.master or sae in item.slaves or kme == ("kme-1" if item.master == "A" else "kme-2")
            before = len(self.got.get(item.key, {}))
            self.take(kme, sae, [item])
            assert entitled or len(self.got.get(item.key, {})) == before

    @rule(data=st.data(), kme=ends)
    def void(self, data, kme):
        if self.keys:
            _, item = data.draw(st.sampled_from(self.keys))
            if self.stores[kme].call(Void([item.key], "test")):
                self.dead.add((kme, item.key))

    @rule(kme=ends, number=st.integers(1, 5), reply_lost=st.booleans())
    def borrow(self, kme, number, reply_lost):
        names = self.stores[kme].call(Borrow(self.other(kme), number))
        ceded = self.stores[self.other(kme)].call(Cede(kme, names))
        if not reply_lost:
            self.stores[kme].call(Gain(self.other(kme), ceded))

    @rule(seconds=st.sampled_from([1, 20, -30, 60]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(kme=ends)
    def sweep(self, kme):
        self.stores[kme].call(Sweep())

    @invariant()
    def nothing_is_lost_or_made(self):
        for kme, store in self.stores.items():
            counts = store.call(Count(self.other(kme)))
            assert sum(counts.states.values()) == counts.total

    @invariant()
    def only_live_keys_have_octets(self):
        for store in self.stores.values():
            kept = store.db.rows("SELECT DISTINCT state FROM keys WHERE material IS NOT NULL")
            assert {state for (state,) in kept} <= {"generated", "ready", "reserved", "delivered"}

    @invariant()
    def no_key_is_both_ends_to_hand_out(self):
        mine, theirs = (
            {name for (name,) in store.db.rows("SELECT id FROM keys WHERE owner = 1 AND state = 'ready'")}
            for store in self.stores.values()
        )
        assert not mine & theirs


TwoStores.TestCase.settings = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestTwoStores = TwoStores.TestCase
